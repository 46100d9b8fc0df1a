"""Memory of processes that ended is back: the same count of free pages after many runs."""
import re

RUNS = 8


def free_kib(guest):
    return int(re.search(r"^free +(\d+) KiB$", guest.run("mem"), re.M)[1])


def round_of_runs(guest):
    for isolation in ("user", "sandbox"):
        assert guest.run_status(f"run --isolation={isolation} hello")[1] == 0
        assert guest.run_status(f"run --isolation={isolation} crash null")[1] == 139
        guest.run_background(f"run --isolation={isolation} crash loop &", "crash: looping forever\n")
        guest.run("kill $!")


def test(guest):
    guest.wait_for_drivers()
    round_of_runs(guest)  # caches and tables that stay are made by now
    before = free_kib(guest)
    for _ in range(RUNS):
        round_of_runs(guest)
    assert free_kib(guest) == before, f"{before} KiB before, {free_kib(guest)} KiB after"
