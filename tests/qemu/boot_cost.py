"""Booting to the prompt stays within its budget of instructions, at any number of harts: see tests/bench/boot.py."""
import functools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
import boot as benchmark  # noqa: E402

BUDGET = 15_000_000


def test_boots(boot):
    figures = benchmark.measure(functools.partial(boot, icount=True))
    for metric, number in figures.items():
        assert number > 0, figures
        if metric.startswith("instructions."):
            assert number < BUDGET, figures
