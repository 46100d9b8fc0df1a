"""The driver of virtio network interfaces, modern and legacy, in both isolations: frames come and go; hostile clients
harm nobody; when it is killed it is started again, and nothing is lost but its clients' connections."""
import itertools
import re

from guest import network

DRIVER = "virtio_net"
KILLS = 6


def pid_of(guest, name):
    return re.search(rf"^ +(\d+) {name} ", guest.run("ps"), re.M)[1]


def frames_come_and_go(guest):
    assert guest.run("nictest info").startswith("address 52:54:00:12:34:56, link up, mtu 1500\n")
    assert guest.run("nictest arp 300") == "300 answers\n"
    received, sent, dropped = re.search(r"received (\d+), sent (\d+), dropped (\d+)", guest.run("nictest info")).groups()
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


def memory_of(guest):
    return int(re.search(r"^free +(\d+) KiB", guest.run("mem"), re.M)[1])


def kills_are_survived(guest):
    guest.run_background("nictest stay &", "attached\n")
    memory = []
    for _ in range(KILLS):
        pid = pid_of(guest, DRIVER)
        output = guest.run(f"kill {pid}")
        said = rf"init: {DRIVER} \(pid {pid}\) was killed \(status 137\); starting it again\r?\n"
        missing = [text for text in (said, r"attached\r?\n") if not re.search(text, output)]
        if missing:
            guest.expect("".join(rf"(?=(?s:.*?){text})" for text in missing) + r"(?s:.*)\n", timeout=60)
        assert re.search(r"virtio,mmio +8 running +virtio_net", guest.run("devices"))
        memory.append(memory_of(guest))
    guest.run("kill %1; wait")
    assert guest.run("nictest arp 10") == "10 answers\n"
    assert memory[-1] >= memory[1], f"free memory after kills: {memory}"


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
            kills_are_survived(guest)
