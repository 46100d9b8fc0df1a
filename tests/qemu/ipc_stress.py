"""64 processes of both isolation modes pass numbered messages and handles around while some are killed: none is lost,
doubled or out of order, and nothing is left behind."""
import re


def free_kib(guest):
    return int(re.search(r"^free +(\d+) KiB$", guest.run("mem"), re.M)[1])


def stress(guest, arguments):
    output, status = guest.run_status(f"run ipcstress {arguments}", timeout=240)
    assert status == 0 and "\n0 ended wrongly\n" in output, (arguments, status, output)
    return f"\n{output}"


def test(guest):
    assert "\n64 got all, 0 were cut off, 0 were killed" in stress(guest, "1")  # makes caches and tables that stay
    assert "\n0 got all," in stress(guest, "kill 1")
    before = free_kib(guest)
    for seed in range(2, 4):
        assert "\n64 got all, 0 were cut off, 0 were killed" in stress(guest, seed)
        assert "\n0 got all," in stress(guest, f"kill {seed}")
    after = free_kib(guest)
    assert after == before, f"{before} KiB free before, {after} KiB after"
