"""The driver of virtio network interfaces, modern and legacy, in both isolations: frames come and go; hostile clients
harm nobody; when it is killed it is started again, and nothing is lost but its clients' connections."""
import itertools
import re

from drivers import kills_are_survived, pid_of
from guest import network

DRIVER = "virtio_net"
KILLS = 6


def frames_come_and_go(guest):
    assert guest.run("nictest info").startswith("address 52:54:00:12:34:56, link up, mtu 1500\n")
    assert guest.run("nictest arp 300") == "300 answers\n"
    counters = re.search(r"received (\d+), sent (\d+), dropped (\d+)", guest.run("nictest info"))
    received, sent, dropped = counters.groups()
    assert int(received) >= 300 and int(sent) >= 299 and dropped == "0", (received, sent, dropped)


def hostile_clients_harm_nobody(guest):
    pid = pid_of(guest, DRIVER)
    assert guest.run("nictest hostile", timeout=60) == "done\n"
    assert guest.run("nictest arp 10") == "10 answers\n"
    assert pid_of(guest, DRIVER) == pid


def it_has_no_more_than_its_device(guest, isolation):
    """Interrupt, queues and frames, its registers are mapped; the console, its channel from init; and what it has made
    itself: its own vmspace among it."""
    kinds = sorted(re.findall(r"^ *0x\w+ (\w+) ", guest.run(f"handles {pid_of(guest, DRIVER)}"), re.M))
    wanted = ["channel", "console", "interrupt", "notification", "poll", "vmo", "vmo", "vmspace"]
    assert kinds == wanted, (isolation, kinds)


def test_boots(boot):
    for isolation, legacy in itertools.product(("sandbox", "user"), (False, True)):
        client = "user" if legacy else "sandbox"
        with boot(append=f"ftl.isolation.{DRIVER}={isolation} ftl.isolation.nictest={client}", legacy=legacy,
                  extra=network()) as guest:
            guest.wait_prompt()
            assert DRIVER not in guest.run("ps"), "nobody needs it yet"
            frames_come_and_go(guest)
            it_has_no_more_than_its_device(guest, isolation)
            hostile_clients_harm_nobody(guest)
            kills_are_survived(guest, DRIVER, "nictest stay", "attached", KILLS)
            assert guest.run("nictest arp 10") == "10 answers\n"
