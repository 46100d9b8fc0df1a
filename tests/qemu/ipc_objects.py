"""Every call on IPC objects does as documented in both isolation modes, and all memory comes back."""
import re

PARTS = ("notification", "timer", "poll", "channel")


def test(guest):
    for isolation in ("user", "sandbox"):
        output, status = guest.run_status(f"run --isolation={isolation} ipctest", timeout=120)
        assert status == 0 and "\n0 failures\n" in "\n" + output, (isolation, status, output)
        assert re.findall(r"(\w+): done\n", output) == list(PARTS), (isolation, output)
