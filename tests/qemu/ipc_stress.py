"""64 processes of both isolation modes pass numbered messages and handles around while some are killed: none is lost,
doubled or out of order, and nothing is left behind."""
import re


def holdings(guest):
    """All there is in the kernel: free memory, objects of each kind, handles of each process."""
    free = re.search(r"^free +(\d+) KiB$", guest.run("mem"), re.M)[1]
    objects = dict(re.findall(r"^([a-z]\S*) +(\d+) ", guest.run("objects"), re.M))
    assert {"process", "thread", "channel", "vmo"} <= set(objects), objects
    handles = dict(re.findall(r"^ +\d+ (\w+) +\w+ +\w+ +\d+ +(\d+) ", guest.run("ps"), re.M))
    assert {"init", "shell"} <= set(handles), handles
    return {"free KiB": free, **objects, **{f"handles of {name}": count for name, count in handles.items()}}


def stress(guest, arguments):
    output, status = guest.run_status(f"run ipcstress {arguments}", timeout=240)
    assert status == 0 and "\n0 ended wrongly\n" in output, (arguments, status, output)
    return f"\n{output}"


def test(guest):
    guest.wait_for_drivers()
    assert "\n64 got all, 0 were cut off, 0 were killed" in stress(guest, "1")  # makes caches and tables that stay
    assert "\n0 got all," in stress(guest, "kill 1")
    holdings(guest)  # makes pages of the shell's
    before = holdings(guest)
    for seed in range(2, 4):
        assert "\n64 got all, 0 were cut off, 0 were killed" in stress(guest, seed)
        assert "\n0 got all," in stress(guest, f"kill {seed}")
    after = holdings(guest)
    assert after == before, {name: (before[name], after[name]) for name in before if after[name] != before[name]}
