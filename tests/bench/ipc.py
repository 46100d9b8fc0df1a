"""Instructions of messages between processes in both isolation modes, of polls, and of rings."""

ISOLATIONS = ("user", "sandbox")


def run(guest, isolation, command="ipcbench"):
    """What the app prints: lines "metric number"."""
    figures = {}
    for line in guest.run(f"run --isolation={isolation} {command}", timeout=600).splitlines():
        metric, _, value = line.partition(" ")
        if value.isdigit():
            figures[f"{isolation}.{metric}"] = int(value)
    assert figures, f"{command} in isolation {isolation} printed no figures"
    return figures


def measure(boot):
    figures = {}
    for isolation in ISOLATIONS:
        with boot(smp=1) as guest:
            guest.wait_prompt()
            figures.update(run(guest, isolation))
            figures.update(run(guest, isolation, "ringtest cost"))
        with boot(smp=4) as guest:
            guest.wait_prompt()
            figures.update(run(guest, isolation, "ipcbench pairs"))
    return figures
