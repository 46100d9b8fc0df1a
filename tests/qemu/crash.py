"""Each fault of `crash` stops crash alone, in both modes, with a report: process, cause, address, pc, symbol, and file
and line, where the source says what was done."""
import os
import re

SOURCE = "user/apps/crash/crash.c"
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
OUT_OF_BOUNDS = "array index out of bounds"
FAILED_CHECK = "illegal instruction .*a check by the compiler failed"
READ, WRITE = r"\*\(volatile int \*\)address;", r"\*\(volatile int \*\)address = 1;"

# Fault: what the cause must match, what the source line must.
FAULTS = {
    "null": (r"\bat (address )?(0x)?0\b", READ),
    "wild-read": (r"\bat (address )?0x2000000000\b", READ),
    "wild-write": (r"\bat (address )?0x2000000000\b", WRITE),
    "kernel-read": (r"\bat (address )?0xffffffff80000000\b", READ),
    "kernel-write": (r"\bat (address )?0xffffffff80000000\b", WRITE),
    "stack-overflow": ("", ""),
    "bad-jump": ("", r"address\)\(\);"),
    "illegal": ("illegal instruction", "__asm__ volatile"),
    "div": ("division by zero", r"1 / number;"),
    "array": (OUT_OF_BOUNDS, r"array\[number\] = 1;"),
    "counted-by": (OUT_OF_BOUNDS, r"items\[number\];"),
    "object-size": ("beyond its object", r"&word = "),
    "heap": (FAILED_CHECK, r"block\[number\] = 1;"),
}
SYMBOLS = {"null": "read_at", "wild-read": "read_at", "kernel-read": "read_at", "wild-write": "write_at",
           "kernel-write": "write_at", "stack-overflow": "recurse"}
REPORT = re.compile(r"process \d+ 'crash' \((\w+)\) stopped: (.+), pc 0x[0-9a-f]+"
                    r"(?: \((\w+)\+(?:0x)?[0-9a-f]+(?:, ([^:]+):(\d+))?\))?")


def source_line(number):
    with open(os.path.join(ROOT, SOURCE), encoding="utf-8") as file:
        return file.read().splitlines()[number - 1]


def check(isolation, fault, output):
    where = f"{isolation} {fault}: {output}"
    report = REPORT.search(output)
    assert report and report[1] == isolation, f"no report of {where}"
    cause, text = FAULTS[fault]
    assert re.search(cause, report[2]), f"cause of {where}"
    if fault == "bad-jump" and isolation == "user":
        return  # the processor faults at the target, which is no code
    # The compiler may put a function into its caller.
    function = "do_" + fault.replace("-", "_")
    assert report[3] in (SYMBOLS.get(fault), function, "main"), f"symbol of {where}"
    assert report[4] == SOURCE, f"file of {where}"
    assert re.search(text, source_line(int(report[5]))), f"line of {where}"


def test(guest):
    for isolation in ("user", "sandbox"):
        for fault in FAULTS:
            output, status = guest.run_status(f"run --isolation={isolation} crash {fault}")
            assert status == 139, f"status {status} of {isolation} {fault}: {output}"
            check(isolation, fault, output)
        assert guest.run("echo alive") == "alive\n"
