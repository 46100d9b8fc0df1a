"""Rings between processes that share a vmspace, in both isolation modes: nothing is lost or doubled, the end of a peer
is noticed, and garbage in the memory harms nobody; all memory comes back."""
import re

SCENES = ["single", "multi", "death", "hostile", "cost"]


def free_kib(guest):
    return int(re.search(r"^free +(\d+) KiB$", guest.run("mem"), re.M)[1])


def run_scenes(guest):
    for isolation in ("user", "sandbox"):
        output, status = guest.run_status(f"run --isolation={isolation} ringtest", timeout=120)
        assert status == 0 and re.findall(r"^(\w+): done$", output, re.M) == SCENES, (isolation, status, output)


def test(guest):
    guest.wait_for_drivers()
    run_scenes(guest)  # caches and tables that stay are made by now
    before = free_kib(guest)
    run_scenes(guest)
    assert free_kib(guest) == before, f"{before} KiB before, {free_kib(guest)} KiB after"
