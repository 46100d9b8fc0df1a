"""Instructions of kernel operations in both isolation modes, on several harts too; memory of objects (app `bench`)."""

HARTS = (1, 2, 4, 8)


def run(guest, isolation, arguments=""):
    figures = {}
    for line in guest.run(f"run --isolation={isolation} bench {arguments}", timeout=600).splitlines():
        metric, _, value = line.partition(" ")
        if value.isdigit():
            figures[f"{isolation}.{metric}"] = int(value)
    assert figures, f"bench {arguments} in isolation {isolation} printed no figures"
    return figures


def measure(boot):
    figures = {}
    for isolation in ("user", "sandbox"):
        with boot(smp=1) as guest:
            guest.wait_prompt()
            figures.update(run(guest, isolation))
    for smp in HARTS:
        with boot(smp=smp) as guest:
            guest.wait_prompt()
            harts = run(guest, "user", f"harts {smp}")
            between = harts.pop("user.notification_between_harts_there_and_back", None)
            figures.update(harts)
            if smp == 2:
                figures["user.notification_between_harts_there_and_back"] = between
    return figures
