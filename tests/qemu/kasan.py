"""In a build with FTL_SANITIZE=address, bad accesses of the kernel's own are panics that name them."""
import re

OBJECT = r"byte {} of the object of \d+ bytes at 0x[0-9a-f]+ of slab cache kalloc-48"
REPORTS = {
    "use-after-free": r"use after free: write of 1 bytes at 0x[0-9a-f]+, pc 0x[0-9a-f]+: " + OBJECT.format(1),
    "object": r"access behind an object: write of 1 bytes at 0x[0-9a-f]+, pc 0x[0-9a-f]+: " + OBJECT.format(40),
    "memcpy": r"access behind an object: read of \d+ bytes at 0x[0-9a-f]+, pc 0x[0-9a-f]+: " + OBJECT.format(40),
    "double-free": r"use after free: write of 1 bytes at 0x[0-9a-f]+, pc 0x[0-9a-f]+: " + OBJECT.format(0),
    "free-page": r"use of free pages: write of 1 bytes at 0x[0-9a-f]+800, pc ",
    "pages": r"access behind allocated memory: write of 1 bytes at 0x[0-9a-f]+fff, pc ",
    "global": r"access behind a global variable: write of 1 bytes at 0x[0-9a-f]+, pc ",
    "stack": r"access beside a variable on the stack: write of 1 bytes at 0x[0-9a-f]+, pc ",
}


def test_boots(boot):
    for name, report in REPORTS.items():
        with boot(append=f"ftl.test=kasan-{name}") as guest:
            status = guest.wait_exit(timeout=120)
            console = guest.console()
        assert status != 0, (name, status)
        assert re.search(r"kernel panic on hart \d+: kasan: " + report, console), (name, console[-3000:])
