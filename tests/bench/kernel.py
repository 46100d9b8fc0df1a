"""Instructions of kernel operations in both isolation modes, on several harts too; memory of objects (app `bench`)."""
from figures import read_figures

HARTS = (1, 2, 4, 8)


def measure(boot):
    figures = {}
    for isolation in ("user", "sandbox"):
        with boot(smp=1) as guest:
            guest.wait_prompt()
            figures.update(read_figures(guest, isolation, "bench"))
    for smp in HARTS:
        with boot(smp=smp) as guest:
            guest.wait_prompt()
            guest.run("sleep 1")  # init starts drivers after the first prompt, whose instructions would count too
            harts = read_figures(guest, "user", f"bench harts {smp}")
            between = harts.pop("user.notification_between_harts_there_and_back", None)
            figures.update(harts)
            if smp == 2:
                figures["user.notification_between_harts_there_and_back"] = between
    return figures
