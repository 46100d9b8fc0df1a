"""Each fault of `crash` stops crash alone, in both modes, with a report: process, cause, address, pc, symbol."""
import re

ADDRESS = {"null": "(0x)?0", "wild-read": "0x2000000000", "wild-write": "0x2000000000",
           "kernel-read": "0xffffffff80000000", "kernel-write": "0xffffffff80000000"}
SYMBOL = {"null": "read_at", "wild-read": "read_at", "kernel-read": "read_at", "wild-write": "write_at",
          "kernel-write": "write_at", "stack-overflow": "recurse", "illegal": "do_illegal", "div": "do_div",
          "array": "do_array", "bad-jump": None}  # the compiler may put each of them into do_FAULT


def check(isolation, fault, output):
    where = f"{isolation} {fault}: {output}"
    pattern = rf"process \d+ 'crash' \({isolation}\) stopped: (.+), pc 0x[0-9a-f]+(?: \((\w+)\+(?:0x)?[0-9a-f]+\))?"
    report = re.search(pattern, output)
    assert report, f"no report of {where}"
    cause, symbol = report.groups()
    if fault in ADDRESS:
        assert re.search(rf"\bat (address )?{ADDRESS[fault]}\b", cause), f"no address in {where}"
    if SYMBOL[fault]:
        assert symbol in (SYMBOL[fault], "do_" + fault.replace("-", "_"), "main"), f"symbol of {where}"


def test(guest):
    for isolation in ("user", "sandbox"):
        for fault in SYMBOL:
            output, status = guest.run_status(f"run --isolation={isolation} crash {fault}")
            assert status == 139, f"status {status} of {isolation} {fault}: {output}"
            check(isolation, fault, output)
        assert guest.run("echo alive") == "alive\n"
