"""Every page that any page table maps has its accessed and dirty bits set beforehand, as some harts fault instead of
setting them. QEMU sets A and D itself, so the tables are looked at: of the kernel, of processes in both isolations,
with pages that nobody has touched."""
import os
import re
import tempfile

from escapes import Monitor

LEAF = re.compile(r"^([0-9a-f]{16}) ([0-9a-f]{16}) ([0-9a-f]{16}) (\S+)", re.MULTILINE)


def check(monitor, smp):
    count = 0
    for hart in range(smp):
        answer = monitor.command("human-monitor-command", **{"command-line": "info mem", "cpu-index": hart})
        for address, _, size, bits in LEAF.findall(answer["return"]):
            assert "a" in bits and "d" in bits, f"hart {hart}: {address}, {size} bytes: {bits}"
            count += 1
    return count


def test_boots(boot):
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "monitor")
        with boot(extra=["-qmp", f"unix:{path},server=on,wait=off"]) as guest:
            guest.wait_prompt()
            monitor = Monitor(path)
            smp = boot.keywords["smp"]
            assert check(monitor, smp) >= 5 * smp  # at least the image, RAM, devices
            for isolation in ("user", "sandbox"):
                guest.run_background(f"run --isolation={isolation} crash loop &", "crash: looping forever\n")
                assert check(monitor, smp) >= 5 * smp
                assert guest.run_status(f"run --isolation={isolation} vmtest 2 20 4", timeout=120)[1] == 0
                check(monitor, smp)
