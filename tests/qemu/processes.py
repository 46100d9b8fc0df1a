"""Pipes, programs that start others, what those inherit and what becomes of them, and signals, in all combinations of
isolations of parent and child."""
import itertools


def test(guest):
    for parent, child in itertools.product(("user", "sandbox"), repeat=2):
        output, status = guest.run_status(f"run --isolation={parent} proctest {child}", timeout=120)
        assert status == 0 and "\n0 failures\n" in output, f"{parent}, {child}: {output}"
