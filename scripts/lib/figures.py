"""Figures that a benchmark app prints in the guest."""


def read_figures(guest, isolation, command):
    """Runs an app in this isolation; its lines "metric number" as {isolation.metric: number}."""
    figures = {}
    for line in guest.run(f"run --isolation={isolation} {command}", timeout=600).splitlines():
        metric, _, value = line.partition(" ")
        if value.isdigit():
            figures[f"{isolation}.{metric}"] = int(value)
    assert figures, f"{command} in isolation {isolation} printed no figures"
    return figures
