"""What tests of drivers have in common: which process a driver is, and that killing it over and over does no harm."""
import re

GREETING = b"hello\n"  # terminaltest's
TOUCHED_KIB = 16  # far less than any driver's memory for its device


def pid_of(guest, name):
    return re.search(rf"^ +(\d+) {name} ", guest.run("ps"), re.M)[1]


def runs_as(guest, driver, isolation):
    return re.search(rf"^ +\d+ {driver} +{isolation} ", guest.run("ps"), re.M)


def memory_of(guest):
    return int(re.search(r"^free +(\d+) KiB", guest.run("mem"), re.M)[1])


def kill(guest, driver, says):
    """Kills the driver, and waits until init has said so and its client has said what it says when it is served
    again, in whatever order and before or after the prompt."""
    pid = pid_of(guest, driver)
    output = guest.run(f"kill {pid}")
    wanted = [rf"init: {driver} \(pid {pid}\) was killed \(status 137\); starting it again\r?\n", rf"{says}\r?\n"]
    missing = [text for text in wanted if not re.search(text, output)]
    if missing:
        guest.expect("".join(rf"(?=(?s:.*?){text})" for text in missing) + r"(?s:.*)\n", timeout=60)


def kills_are_survived(guest, driver, client, says, kills):
    """With a client that goes on and on. Nothing stays behind: from the second kill on memory is the same, but for
    what the driver has come to touch when we look."""
    guest.run_background(f"{client} &", f"{says}\n")
    memory = []
    for _ in range(kills):
        kill(guest, driver, says)
        assert re.search(rf" running +{driver} ", guest.run("devices"))
        memory.append(memory_of(guest))
    guest.run("kill %1; wait")
    assert memory[-1] >= memory[1] - TOUCHED_KIB, f"free memory after kills: {memory}"


def send_and_receive(line, data):
    """Sends while receiving: neither side can hold all of it."""
    received = b""
    sent = 0
    while len(received) < len(data):
        if sent < len(data):
            sent += line.send(data[sent:sent + 4096])
        received += line.recv(min(65536, len(data) - len(received)))
    assert received == data


def receive(line, data):
    received = b""
    while len(received) < len(data):
        received += line.recv(len(data) - len(received))
    assert received == data, received


def bytes_go_and_come(guest, line, driver, isolation, blocks, index=0):
    """What is sent on the socket comes back by the driver of a terminal and its client, also after it was killed.
    `index`: which of the terminals it is."""
    line.settimeout(60)
    guest.run_background(f"terminaltest {index} &", "connected\n")
    assert runs_as(guest, driver, isolation)
    receive(line, GREETING)
    send_and_receive(line, bytes(range(256)) * blocks)
    kill(guest, driver, "connected")
    receive(line, GREETING)
    send_and_receive(line, b"and again\n")
    line.send(b"end\n")
    guest.expect(r"ended\r?\n")
