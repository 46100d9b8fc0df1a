"""Every call on IPC objects does as documented in both isolation modes, and all memory comes back."""
import re

PARTS = ["notification", "timer", "poll", "channel", "inheritance"]


def free_kib(guest):
    return int(re.search(r"^free +(\d+) KiB$", guest.run("mem"), re.M)[1])


def run_parts(guest):
    for isolation in ("user", "sandbox"):
        output, status = guest.run_status(f"run --isolation={isolation} ipctest", timeout=120)
        assert status == 0 and "\n0 failures\n" in output, (isolation, status, output)
        assert re.findall(r"(\w+): done\n", output) == PARTS, (isolation, output)


def test(guest):
    guest.wait_for_drivers()
    run_parts(guest)  # caches and tables that stay are made by now
    before = free_kib(guest)
    run_parts(guest)
    assert free_kib(guest) == before, f"{before} KiB before, {free_kib(guest)} KiB after"
