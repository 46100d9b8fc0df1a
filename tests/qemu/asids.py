"""Few ids of address spaces, which run out while harts read memory that is unmapped and used again; and none."""
import re

SPAWNS = 40  # programs that are started meanwhile, each in an address space of its own
ROUNDS = 60  # of each vmtest at one hart


def ids_of(guest):
    """How many ids there are, and how many times they have been used up."""
    return tuple(map(int, re.search(r"^ids of address spaces: (\d+), used up (\d+) times$", guest.run("mem"),
                                    re.M).groups()))


def stress(guest):
    harts = int(guest.command[guest.command.index("-smp") + 1])
    rounds = ROUNDS // harts + 4
    for _ in range(2):
        guest.run(f"run --isolation=user vmtest 2 {rounds} 2 &")
    for i in range(SPAWNS):
        assert f"argument 1: {i}" in guest.run(f"run --isolation={('user', 'sandbox')[i % 4 == 3]} hello {i}")
    guest.run("wait", timeout=300)
    # What jobs print may come before or after any prompt.
    console = guest.console()
    assert console.count(f"small pages: {rounds} rounds, 0 stale") == 2, console[-2000:]
    assert console.count("large pages: 2 rounds, 0 stale") == 2, console[-2000:]


def test_boots(boot):
    with boot(append="ftl.asid_bits=4") as guest:
        guest.wait_prompt()
        count, rounds = ids_of(guest)
        assert count == 16, count
        stress(guest)
        assert ids_of(guest)[1] >= rounds + 2, ids_of(guest)
    with boot(append="ftl.asid_bits=0") as guest:
        guest.wait_prompt()
        assert ids_of(guest) == (0, 0)
        stress(guest)
        assert ids_of(guest) == (0, 0)
    with boot(append="ftl.asid_bits=17") as guest:
        guest.wait_prompt()
        assert "boot: ftl.asid_bits is '17': not a number up to 16" in guest.console()
        assert ids_of(guest)[0] == 1 << 16  # all that QEMU's harts have
