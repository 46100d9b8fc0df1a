"""The driver of virtio consoles, modern and legacy, in both isolations: what the other end sends comes back, however
much that is, and also after the driver was killed."""
import itertools
import os
import socket
import tempfile

from drivers import kill, runs_as

DRIVER = "virtio_console"


def device(path):
    return ["-chardev", f"socket,path={path},server=on,wait=off,id=line0", "-device", "virtio-serial-device",
            "-device", "virtconsole,chardev=line0"]


def send_and_receive(line, data):
    """Sends while receiving: neither side can hold all of it."""
    received = b""
    sent = 0
    while len(received) < len(data):
        if sent < len(data):
            sent += line.send(data[sent:sent + 4096])
        received += line.recv(min(65536, len(data) - len(received)))
    assert received == data


def test_boots(boot):
    for isolation, legacy in itertools.product(("sandbox", "user"), (False, True)):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "line")
            with boot(append=f"ftl.isolation.{DRIVER}={isolation}", legacy=legacy, extra=device(path)) as guest, \
                    socket.socket(socket.AF_UNIX) as line:
                guest.wait_prompt()
                line.connect(path)
                line.settimeout(60)
                guest.run_background("terminaltest &", "connected\n")
                assert runs_as(guest, DRIVER, isolation)
                send_and_receive(line, b"hello\n")
                send_and_receive(line, bytes(range(256)) * 200)
                kill(guest, DRIVER, "connected")
                send_and_receive(line, b"and again\n")
                line.send(b"end\n")
                guest.expect(r"ended\r?\n")
