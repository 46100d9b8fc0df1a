"""A kernel panic is reported whole, and ends QEMU with a failing status: asked for, by a fault, by a full stack. Its
backtrace names functions, files and lines."""
import os
import re

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")

CAUSES = {
    "panic": ("asked for by the boot argument ftl.test", "run_boot_test+0x"),
    "fault": ("store page fault", "stval 0xffffffd000000000", "run_boot_test+0x"),
    "overflow": ("store page fault", "overflow_stack+0x"),
}


def check_places(test, console):
    """The calls in the backtrace: the source has at each of these lines a call, or the fault."""
    places = re.findall(r"0x\w+ (\w+)\+0x\w+ \((\S+):(\d+)\)", console)
    assert len(places) >= 2, f"{test}: no lines in {console}"
    for name, path, number in places:
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            source = file.read().splitlines()
        assert int(number) <= len(source), (name, path, number)
        assert path.endswith(".S") or name in "\n".join(source), f"{test}: {path} does not define {name}"
    outermost = [path for name, path, _ in places if name == "kernel_main"]
    assert test == "overflow" or outermost == ["kernel/main.c"], (test, places)


def test_boots(boot):
    for test, causes in CAUSES.items():
        with boot(append=f"ftl.test={test}") as guest:
            status = guest.wait_exit(timeout=60)
            console = guest.console()
        assert status != 0, (test, status)
        for what in ("kernel panic on hart ", " ra ", " sp ", "backtrace:", "kernel_main+0x") + causes:
            if test == "overflow" and what == "kernel_main+0x":
                continue  # too deep for the backtrace
            assert what in console, f"{test}: no '{what}' in the panic's report: {console}"
        check_places(test, console)
