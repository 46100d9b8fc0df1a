"""The drivers of serial ports, in both isolations, on a machine with three: the kernel's console, and one of each kind
that has a driver. What the other end sends comes back, also after the driver was killed."""
import os
import socket
import subprocess
import tempfile

from drivers import bytes_go_and_come

HERE = os.path.dirname(os.path.abspath(__file__))
MACHINE = {"machine": "microchip-icicle-kit", "memory": "2G", "smp": 5}
DRIVERS = ("dw_apb_uart", "ns16550a")  # by address


def test_boots(boot):
    with tempfile.TemporaryDirectory() as directory:
        tree = os.path.join(directory, "tree.dtb")
        subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", tree, os.path.join(HERE, "jh7110_on_icicle.dts")],
                       check=True)
        paths = [os.path.join(directory, driver) for driver in DRIVERS]
        extra = ["-dtb", tree]
        for path in paths:
            extra += ["-serial", f"unix:{path},server=on,wait=off"]
        for isolation in ("sandbox", "user"):
            append = " ".join(f"ftl.isolation.{driver}={isolation}" for driver in DRIVERS)
            with boot(append=append, extra=extra, **MACHINE) as guest:
                guest.wait_prompt()
                for index, (driver, path) in enumerate(zip(DRIVERS, paths)):
                    with socket.socket(socket.AF_UNIX) as line:
                        line.connect(path)
                        bytes_go_and_come(guest, line, driver, isolation, 20, index)
