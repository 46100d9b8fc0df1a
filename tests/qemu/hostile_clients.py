"""Malformed messages to every service and to the name service, with bytes and handles of all kinds: each answers well
afterwards, and keeps nothing of them."""
import itertools
import os
import re
import tempfile

from guest import disk, network

ROUNDS = 200
TRIES = 20
DISK_SIZE = 1 << 20
SERVERS = ("echo_server", "init", "files", "virtio_blk")
LINE = re.compile(r"^(\w+): (?:nobody provides it|well; (\d+) calls done, (\d+) refused, (\d+) connections lost)$",
                  re.M)
ATTACKED = {"block", "echo", "echo_stats", "file", "mount", "names", "nic", "socket"}


def holdings(guest):
    """Process -> (pid, handles), of those that run all the time."""
    found = re.findall(r"^ +(\d+) (init|echo_server) +\w+ +\w+ +\d+ +(\d+) ", guest.run("ps"), re.M)
    return {name: (int(pid), int(handles)) for pid, name, handles in found}


def settled(guest):
    """What they hold when all have heard of the end of their clients, which they do in their own time."""
    last, now = None, holdings(guest)
    while now != last:
        guest.run("echo_client say")  # every process gets its turn
        last, now = now, holdings(guest)
    return now


def returns_to(guest, before):
    """Whether they come to hold that again; on a busy machine they hear late of a client's end."""
    for _ in range(TRIES):
        if settled(guest) == before:
            return True
    return False


def attack(guest, client, rounds):
    output, status = guest.run_status(f"run --isolation={client} ipcfuzz {rounds}", timeout=240)
    assert status == 0, output
    results = {name: counts for name, *counts in LINE.findall(output)}
    assert len(results) == len(output.splitlines()), output
    for name in ATTACKED:
        _, refused, lost = map(int, results[name])
        assert refused > 0 and lost > 0, output


def attacks_leave_nothing(guest, client):
    guest.wait_prompt()
    attack(guest, client, 50)  # what is made once is made
    before = settled(guest)
    attack(guest, client, ROUNDS)
    assert returns_to(guest, before), (before, guest.run("ps"))
    assert guest.run_status("echo_client check") == ("all as it should be\n", 0)


def test_boots(boot):
    with tempfile.TemporaryDirectory() as directory:
        scratch = os.path.join(directory, "scratch")
        with open(scratch, "wb") as file:
            file.truncate(DISK_SIZE)
        for server, client in itertools.product(("user", "sandbox"), repeat=2):
            append = " ".join(f"ftl.isolation.{name}={server}" for name in SERVERS)
            with boot(append=f"{append} ftl.disk=none", extra=network() + disk(scratch)) as guest:
                attacks_leave_nothing(guest, client)
