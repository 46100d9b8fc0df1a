"""Files as the C library has them: all that posixfiletest checks, in memory and on a disk, in all combinations of
isolations of client and server; locks between two processes; what is open when the server is killed, and what is opened
afterwards; the host's own checker has nothing to say about the disk. With `many`: a directory of 10,000 files, too."""
import os
import re
import subprocess
import tempfile

from guest import disk

DISK_SIZE = 64 << 20
ISOLATIONS = ("user", "sandbox")


def works(guest, isolation, arguments):
    output, status = guest.run_status(f"run --isolation={isolation} posixfiletest {arguments}", timeout=240)
    assert status == 0, f"{isolation}, {arguments}: {output}"


def well(said):
    return len(re.findall(r"^0 failures\r?$", said, re.M))


def locks_exclude(guest, isolation):
    said = guest.run_background(f"run --isolation={isolation} posixfiletest /tmp hold &", "")
    said += guest.run(f"run --isolation={isolation} posixfiletest /tmp meet", timeout=60)
    said += guest.run("wait")
    assert well(said) == 2, said


def clients_outlive_the_server(guest, isolation):
    guest.run_background(f"run --isolation={isolation} posixfiletest /tmp restart &", "end it now\n")
    pid = re.search(r"^ +(\d+) files ", guest.run("ps"), re.M).group(1)
    said = guest.run(f"kill {pid}") + guest.run("wait")
    assert well(said) == 1, said


def test_boots(boot, words=()):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "disk")
        with open(path, "wb") as file:
            file.truncate(DISK_SIZE)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", path], check=True)
        for server in ISOLATIONS:
            with boot(append=f"ftl.isolation.files={server}", extra=disk(path)) as guest:
                guest.wait_prompt()
                for client, other in (ISOLATIONS, ISOLATIONS[::-1]):
                    works(guest, client, "/tmp")
                    works(guest, other, "/disk")
                    locks_exclude(guest, other)
                    clients_outlive_the_server(guest, client)
                if words:
                    works(guest, server, "/disk many")
                guest.send("shutdown\r")
                guest.wait_exit()
            checked = subprocess.run(["e2fsck", "-f", "-n", path], check=False, capture_output=True, text=True)
            assert checked.returncode == 0, checked.stdout
