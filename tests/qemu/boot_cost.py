"""One hart gets to the prompt, firmware included, within a budget of instructions: see tests/bench/boot.py."""
import functools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
import boot as benchmark  # noqa: E402

BUDGET = 15_000_000


def test_boots(boot):
    figures = benchmark.measure(functools.partial(boot, icount=True))
    assert all(number > 0 for number in figures.values()), figures
    assert figures["firmware_instructions.smp1"] + figures["instructions.smp1"] < BUDGET, figures
