"""The driver of virtio consoles, modern and legacy, in both isolations: what the other end sends comes back, however
much that is, and also after the driver was killed."""
import itertools
import os
import socket
import tempfile

from drivers import bytes_go_and_come

DRIVER = "virtio_console"


def device(path):
    return ["-chardev", f"socket,path={path},server=on,wait=off,id=line0", "-device", "virtio-serial-device",
            "-device", "virtconsole,chardev=line0"]


def test_boots(boot):
    for isolation, legacy in itertools.product(("sandbox", "user"), (False, True)):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "line")
            with boot(append=f"ftl.isolation.{DRIVER}={isolation}", legacy=legacy, extra=device(path)) as guest, \
                    socket.socket(socket.AF_UNIX) as line:
                guest.wait_prompt()
                line.connect(path)
                bytes_go_and_come(guest, line, DRIVER, isolation, 200)
