"""gdb stops the kernel at its first C function, names it and its caller with file and line, and lets it go on."""
import os
import subprocess
import tempfile
import time

GDB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts/gdb")
PATIENCE = 120  # seconds, for a machine that is busy


def wait_for_file(path):
    deadline = time.monotonic() + PATIENCE
    while not os.path.exists(path):
        assert time.monotonic() < deadline, f"QEMU does not make {path}"
        time.sleep(0.01)


def debug(build_dir, target, *commands):
    words = [GDB, "--build-dir", build_dir, "--target", target, "-batch"]
    for command in commands:
        words += ["-ex", command]
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE,
                          check=False).stdout


def test_boots(boot):
    with tempfile.TemporaryDirectory() as directory:
        target = os.path.join(directory, "gdb")
        with boot(extra=["-S", "-gdb", f"unix:{target},server=on,wait=off"]) as guest:
            build_dir = os.path.dirname(guest.command[guest.command.index("-kernel") + 1])
            wait_for_file(target)
            said = debug(build_dir, target, "hbreak kernel_main", "continue", "backtrace", "detach")
            assert "Breakpoint 1, kernel_main (hart=" in said, said
            assert "kernel/main.c:" in said and "boot_virtual" in said, said
            guest.wait_prompt()
            assert "Hello from FTL" in guest.run("hello")
