"""scripts/run: builds FTL and boots it in QEMU, on this terminal or through a list of commands."""
import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import termios
import time

import apps
import project
from guest import (BOOT_IMAGE, TESTS_IMAGE, Guest, GuestError, GuestExit, GuestTimeout, die_with_parent, disk,
                   entropy, network, qemu_command)

EXIT_TIMEOUT = 124  # as timeout(1)
EXEC_TIMEOUT = 300.0
GDB_PORT = 1234
CANNOT_POWER_OFF = r"power: the firmware cannot power off; halted with status (\d+)"
DEFAULT_FORWARDS = [(8080, 80)]


def parse_arguments(words):
    parser = argparse.ArgumentParser(
        prog="scripts/run", description="Builds FTL and boots it in QEMU, with the serial console on this terminal.",
        epilog="Ctrl-A x, or the guest's `shutdown`, ends it. Set FTL_NO_SETUP=1 to leave out scripts/setup, "
        "FTL_TIMEOUT_SCALE=N to make all time limits N times as long.")
    parser.add_argument("--smp", type=harts, default=1, metavar="N", help="number of harts (default: 1)")
    parser.add_argument("--mem", type=size, default="128M", metavar="SIZE", help="RAM, e.g. 256M or 2G (default: 128M)")
    parser.add_argument("--append", default="", metavar="ARGS", help="boot arguments")
    parser.add_argument("--icount", action="store_true", help="deterministic: virtual time counts instructions")
    parser.add_argument("--gdb", action="store_true", help="wait for a debugger (scripts/gdb, in another terminal)")
    parser.add_argument("--timeout", type=seconds, metavar="S", help="end after S seconds, with status 124 "
                        f"(default: none; {EXEC_TIMEOUT:g} with --exec)")
    parser.add_argument("--exec", metavar="'CMD; CMD'", dest="commands", type=commands,
                        help="feed the shell these commands, then power off with the last one's status")
    parser.add_argument("--build-dir", type=os.path.abspath, default=project.DEFAULT_BUILD_DIR, metavar="DIR",
                        help="(default: build/default)")
    parser.add_argument("--tests", action="store_true", help="have the programs of tests and benchmarks, too")
    parser.add_argument("--app", action="append", type=program, default=[], metavar="FILE",
                        help="add a program to the boot image that ftl-cc made: NAME.user or NAME.sandbox; "
                        "may be repeated")
    parser.add_argument("--no-build", action="store_true", help="boot what the build directory holds")
    parser.add_argument("--cpu", help="QEMU's -cpu, e.g. rv64,sstc=off")
    parser.add_argument("--machine", default="virt", help="QEMU's -M (default: virt)")
    parser.add_argument("--net", nargs="*", type=forward, metavar="HOST:GUEST",
                        help="a network interface on QEMU's user network; TCP ports of the host lead to the guest's, "
                        "each on 127.0.0.1 (default: 8080:80); and a source of randomness for it")
    parser.add_argument("--disk", action="append", type=readable, default=[], metavar="FILE",
                        help="a disk with the file's contents; may be repeated")
    parser.add_argument("--legacy", action="store_true", help="virtio devices as of before version 1")
    arguments = parser.parse_args(words)
    if arguments.gdb and arguments.commands is not None:
        parser.error("--gdb and --exec exclude each other")
    return arguments


def harts(text):
    if not re.fullmatch(r"[1-9]\d{0,2}", text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of harts")
    return int(text)


def size(text):
    if not re.fullmatch(r"[1-9]\d*[KMG]?", text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a size like 256M")
    return text


def seconds(text):
    if not re.fullmatch(r"\d+(\.\d+)?", text) or float(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds")
    return float(text)


def forward(text):
    match = re.fullmatch(r"(\d{1,5}):(\d{1,5})", text)
    if not match or not all(0 < int(port) < 65536 for port in match.groups()):
        raise argparse.ArgumentTypeError(f"'{text}' is not a pair of ports like 8080:80")
    return match.groups()


def program(path):
    try:
        apps.split_name(path)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not os.access(path, os.R_OK):
        raise argparse.ArgumentTypeError(f"cannot read '{path}'")
    return path


def readable(path):
    if not os.access(path, os.R_OK):
        raise argparse.ArgumentTypeError(f"cannot read '{path}'")
    return path.replace(",", ",,")  # as QEMU's options want it


# Commands with parts: what is between semicolons is none by itself.
COMPOUND = re.compile(r"(?:^|[;&|\s])(?:if|for|while|until|case|\{)\s|\(")


def commands(text):
    """Splits at semicolons outside of quotes, unless there are compound commands. The shell does the rest."""
    parts, current, quote, escaped = [], "", None, False
    for char in text:
        if escaped:
            escaped = False
        elif char == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = None if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in ";\n":
            parts.append(current)
            current = ""
            continue
        current += char
    if quote:
        raise argparse.ArgumentTypeError(f"unclosed {quote} in: {text}")
    if COMPOUND.search(text) and "\n" not in text:
        return [text.strip()]
    parts = [part.strip() for part in parts + [current] if part.strip()]
    if not parts:
        raise argparse.ArgumentTypeError("no command")
    return parts


def image_name(arguments):
    return TESTS_IMAGE if arguments.tests else BOOT_IMAGE


def qemu_options(arguments):
    extra = ["-S", "-gdb", f"tcp:127.0.0.1:{GDB_PORT}"] if arguments.gdb else []
    if arguments.net is not None:
        extra += network(arguments.net or DEFAULT_FORWARDS) + entropy()
    for number, path in enumerate(arguments.disk):
        extra += disk(path, number)
    return {"smp": arguments.smp, "memory": arguments.mem, "append": arguments.append, "icount": arguments.icount,
            "cpu": arguments.cpu, "machine": arguments.machine, "legacy": arguments.legacy,
            "boot_image": arguments.boot_image, "extra": extra}


def run_interactive(arguments):
    """QEMU on this terminal, which is left as it was found. Returns QEMU's exit status."""
    command = qemu_command(arguments.build_dir, allow_reboot=True, **qemu_options(arguments)) + ["-nographic"]
    saved = termios.tcgetattr(sys.stdin) if sys.stdin.isatty() else None
    if saved:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the guest's
    try:
        process = subprocess.Popen(command, preexec_fn=die_with_parent)
        try:
            return process.wait(arguments.timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            print(f"\nrun: time limit of {arguments.timeout:g} s reached", file=sys.stderr)
            return EXIT_TIMEOUT
    finally:
        if saved:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, saved)


def run_commands(arguments):
    """Feeds the shell the commands and powers off with the last one's status, which is returned."""
    deadline = time.monotonic() + (arguments.timeout or EXEC_TIMEOUT)

    def left():
        return max(deadline - time.monotonic(), 0.01)

    with Guest(arguments.build_dir, mirror=sys.stdout.buffer, **qemu_options(arguments)) as guest:
        guest.wait_prompt(left())
        for number, command in enumerate(arguments.commands, 1):
            try:
                guest.run(command, left())
            except GuestExit:
                status = guest.wait_exit(left())
                if number == len(arguments.commands) and command.split()[0] == "shutdown":
                    return status
                print(f"\nrun: the guest ended during '{command}'", file=sys.stderr)
                return status or 1
        guest.send("shutdown $?\r")
        return wait_power_off(guest, left)


def wait_power_off(guest, left):
    """The guest's exit status, also of a machine that nothing can switch off, such as sifive_u."""
    try:
        return int(guest.expect(CANNOT_POWER_OFF, left())[1])
    except GuestExit:
        return guest.wait_exit(left())


def main():
    arguments = parse_arguments(sys.argv[1:])
    project.setup()
    if not arguments.no_build:
        project.build(arguments.build_dir, "tests_image" if arguments.tests else "image")
    project.require_image(arguments.build_dir, image_name(arguments))
    with tempfile.TemporaryDirectory() as directory:
        arguments.boot_image = image_name(arguments)
        if arguments.app:
            arguments.boot_image = os.path.join(directory, BOOT_IMAGE)
            apps.add_programs(os.path.join(arguments.build_dir, image_name(arguments)), arguments.app,
                              arguments.boot_image)
        return boot(arguments)


def boot(arguments):
    if arguments.commands is None:
        if arguments.gdb:
            print(f"waiting for a debugger: scripts/gdb --build-dir {os.path.relpath(arguments.build_dir)}",
                  file=sys.stderr)
        return run_interactive(arguments)
    try:
        return run_commands(arguments)
    except GuestError as error:
        print(f"\nrun: {str(error).splitlines()[0]}", file=sys.stderr)
        return EXIT_TIMEOUT if isinstance(error, GuestTimeout) else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main())
