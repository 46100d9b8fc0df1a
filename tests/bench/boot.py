"""Instructions from kernel entry to the first prompt at 1 and 4 harts; memory of the kernel and an idle process.

All figures come from the shell: `uptime`, `mem`, and `ps`, where `init` is the idle process.
"""
import re

KIB = 1024


def number(pattern, text):
    match = re.search(pattern, text, re.MULTILINE)
    if not match:
        raise ValueError(f"no '{pattern}' in:\n{text}")
    return int(match.group(1).replace(",", ""))


def measure(boot):
    figures = {}
    for smp in (1, 4):
        with boot(smp=smp) as guest:
            guest.wait_prompt()
            uptime = guest.run("uptime")
            figures[f"firmware_instructions.smp{smp}"] = number(r"firmware: (\d+) instructions", uptime)
            figures[f"instructions.smp{smp}"] = number(r"kernel entry to first prompt: (\d+) instructions", uptime)
            figures[f"kernel_bytes.smp{smp}"] = KIB * number(r"^kernel\s+(\d+) KiB", guest.run("mem"))
            # PID NAME ... MEMORY KiB ...
            figures[f"idle_process_bytes.smp{smp}"] = KIB * number(r"^\s*\d+ init\b.*?(\d+) KiB", guest.run("ps"))
    return figures
