"""Instructions from kernel entry to the first prompt at 1 and 4 harts; memory of the kernel and an idle process.

All figures come from the shell: `uptime`, `mem`, and `ps`, where `init` is the idle process.
"""
import re

from guest import BOOT_IMAGE

KIB = 1024
FIRMWARE_BOOTS = 5


def number(pattern, text):
    match = re.search(pattern, text, re.MULTILINE)
    if not match:
        raise ValueError(f"no '{pattern}' in:\n{text}")
    return int(match.group(1).replace(",", ""))


def read_uptime(guest):
    """Instructions of the firmware, and from there to the prompt."""
    guest.wait_prompt()
    text = guest.run("uptime")
    return (number(r"firmware: (\d+) instructions", text),
            number(r"kernel entry to first prompt: (\d+) instructions", text))


def firmware_instructions(boot, smp):
    """The least of several boots: QEMU counts the host's time as well until its virtual processors get going."""
    counts = []
    for _ in range(FIRMWARE_BOOTS):
        with boot(smp=smp, boot_image=BOOT_IMAGE) as guest:
            counts.append(read_uptime(guest)[0])
    return min(counts)


def measure(boot):
    figures = {}
    for smp in (1, 4):
        figures[f"firmware_instructions.smp{smp}"] = firmware_instructions(boot, smp)
        with boot(smp=smp, boot_image=BOOT_IMAGE) as guest:
            figures[f"instructions.smp{smp}"] = read_uptime(guest)[1]
            figures[f"kernel_bytes.smp{smp}"] = KIB * number(r"^kernel\s+(\d+) KiB", guest.run("mem"))
            # PID NAME ... MEMORY KiB ...
            figures[f"idle_process_bytes.smp{smp}"] = KIB * number(r"^\s*\d+ init\b.*?(\d+) KiB", guest.run("ps"))
    return figures
