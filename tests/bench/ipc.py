"""Instructions of messages between processes in both isolation modes, and of polls (the app `ipcbench` counts them)."""

ISOLATIONS = ("user", "sandbox")


def run(guest, isolation, part=""):
    figures = {}
    for line in guest.run(f"run --isolation={isolation} ipcbench {part}", timeout=600).splitlines():
        metric, _, value = line.partition(" ")
        if value.isdigit():
            figures[f"{isolation}.{metric}"] = int(value)
    assert figures, f"ipcbench {part} in isolation {isolation} printed no figures"
    return figures


def measure(boot):
    figures = {}
    for isolation in ISOLATIONS:
        with boot(smp=1) as guest:
            guest.wait_prompt()
            figures.update(run(guest, isolation))
        with boot(smp=4) as guest:
            guest.wait_prompt()
            figures.update(run(guest, isolation, "pairs"))
    return figures
