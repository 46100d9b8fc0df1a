"""Calls on threads, the scheduler and <ftl/sync.h> do as documented in both isolation modes; all memory comes back."""
import re

PARTS = ["calls", "kill", "many", "sync", "spread"]


def free_kib(guest):
    return int(re.search(r"^free +(\d+) KiB$", guest.run("mem"), re.M)[1])


def run_parts(guest, parts):
    for isolation in ("user", "sandbox"):
        output, status = guest.run_status(f"run --isolation={isolation} threadtest {' '.join(parts)}", timeout=300)
        assert status == 0 and "\n0 failures\n" in output, (isolation, status, output)
        assert re.findall(r"(\w+): done\n", output) == parts, (isolation, output)


def test(guest):
    run_parts(guest, PARTS)  # caches and tables that stay are made by now
    before = free_kib(guest)
    run_parts(guest, ["kill", "many"])
    assert free_kib(guest) == before, f"{before} KiB before, {free_kib(guest)} KiB after"
