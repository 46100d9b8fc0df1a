"""Programs that take all they can get of something fail alone: the shell goes on, and everything is back afterwards."""
import re

KINDS = ("vmo", "memory", "handle", "thread", "channel", "message", "poll", "timer", "vmspace", "window", "mapping",
         "process", "fork")
SHELL_KIB = 16  # of the shell's own heap: a page lost with every bomb would be 104
OWN_ERRORS = ("out of memory", "limit of the process reached: memory, handles or priority")


def memory_kib(guest):
    """What is free and what the shell, which keeps a history of its lines, has: to less than a page, as its objects in
    the kernel share pages with those of others."""
    output = guest.run("mem")
    free = re.search(r"^free +(\d+) KiB$", output, re.M)[1]
    return int(free) + int(re.search(r" shell +(\d+) KiB", output)[1])


def process_count(guest):
    return guest.run("ps").count("\n")


def explode(guest, isolation, kind):
    processes = process_count(guest)
    guest.run_background(f"run --isolation={isolation} bomb {kind} &", f"bomb: holding all {kind}\n", timeout=120)
    count, error = re.findall(rf"bomb: (\d+) of kind {kind}, then: ([^\r\n]*)", guest.console())[-1]
    assert int(count) > 0 and error in OWN_ERRORS, (isolation, kind, count, error)
    for other in ("user", "sandbox"):
        assert "Hello from FTL" in guest.run(f"run --isolation={other} hello")
    guest.run("kill $!")
    while process_count(guest) != processes:  # the children of a fork bomb end after it, one after the other
        guest.run("sleep 0.1")


def round_of_bombs(guest):
    for isolation in ("user", "sandbox"):
        for kind in KINDS:
            explode(guest, isolation, kind)


def test(guest):
    guest.wait_for_drivers()
    round_of_bombs(guest)  # makes what stays: caches and tables
    before = memory_kib(guest)
    round_of_bombs(guest)
    after = memory_kib(guest)
    assert abs(after - before) <= SHELL_KIB, f"{before} KiB before, {after} KiB after"
