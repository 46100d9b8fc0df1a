#!/usr/bin/env python3
"""Runs one QEMU test: a module of this directory with one of

    GUEST = {"memory": "256M", "append": "..."}  # optional: options of guest.qemu_command(); the boot image is the one
                                                 # with the programs of tests
    def test(guest): ...        # gets a guest at its first prompt; it must still be well at the end
    def test_boots(boot): ...   # boots itself: `with boot(append="...") as guest:`, any number of times

A test fails by an exception. Either function may take a second parameter for the words after the test's name.
"""
import argparse
import functools
import importlib
import os
import signal
import sys
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "scripts", "lib"))
from guest import PANIC, TESTS_IMAGE, Guest, GuestError  # noqa: E402


def run(module, boot, words):
    extra = [words] if words else []
    if hasattr(module, "test_boots"):
        module.test_boots(boot, *extra)
        return
    with boot() as guest:
        guest.wait_prompt()
        module.test(guest, *extra)
        if PANIC.search(guest.console()):
            raise GuestError("the kernel panicked")


def main():
    parser = argparse.ArgumentParser(description="Runs one QEMU test.")
    parser.add_argument("--build-dir", required=True)
    parser.add_argument("--smp", type=int, default=1)
    parser.add_argument("name")
    parser.add_argument("words", nargs="*")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))

    module = importlib.import_module(arguments.name)
    options = {"smp": arguments.smp, "boot_image": TESTS_IMAGE, **getattr(module, "GUEST", {})}
    try:
        run(module, functools.partial(Guest, arguments.build_dir, **options), arguments.words)
    except GuestError as error:
        traceback.print_exc(limit=-4)
        sys.exit(f"FAILED: {str(error).splitlines()[0]}")


if __name__ == "__main__":
    main()
