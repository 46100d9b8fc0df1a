"""The file server and a client that speaks its protocol, in both isolations, over memory and a disk: all calls, several
clients at once, a hostile one, servers and drivers that are killed under load, and what is on the disk at the end."""
import os
import re
import subprocess
import tempfile

from drivers import kill, pid_of
from guest import disk

DISK_SIZE = 32 << 20
KILLS = 2
CLIENTS = 4
WELL = "all as it should be\n"


def make_disk(path):
    with open(path, "wb") as file:
        file.truncate(DISK_SIZE)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", path], check=True)


def check(path, *options):
    return subprocess.run(["e2fsck", *options, path], check=False, capture_output=True).returncode


def is_clean(path):
    """Whether the host's own checker has nothing to say, once what the journal holds was brought in."""
    check(path, "-p")
    return check(path, "-f", "-n") == 0


def content_of(path, name):
    return subprocess.run(["debugfs", "-R", f"cat {name}", path], check=True, capture_output=True, text=True).stdout


def all_calls_work(guest):
    assert guest.run("filetest look").split() == ["./", "../", "boot/", "tmp/", "disk/"]
    assert guest.run("filetest check /tmp", timeout=120) == WELL
    assert guest.run("filetest check /disk", timeout=120) == WELL
    for number in range(CLIENTS):
        guest.run(f"filetest check /disk/client{number} &" if number % 2 else f"filetest check /tmp/client{number} &")
    # What they print can come before a prompt or after it, and so stands in the whole console's text.
    guest.run("wait", timeout=240)
    assert guest.console().replace("\r", "").count(WELL) >= 2 + CLIENTS, "not all of the clients were well"


def manifests_limit_what_is_seen(guest):
    assert guest.run("filejail look").split() == ["./", "../", "index.html"]
    assert guest.run("filejail look /../../index.html").startswith("<!DOCTYPE html>")
    assert guest.run("filejail look /../bin") == "filetest: /../bin: not found\n"
    assert guest.run("filejail look /boot") == "filetest: /boot: not found\n"
    assert guest.run("filejail put /index.html x") == "filetest: /index.html: file system is read-only\n"


def mounts_come_and_go(guest):
    for command, error in (("umount /", "object is not in a state for this"),
                           ("mount block /other", "already exists"),
                           ("mount memory /tmp", "object is not in a state for this"),
                           ("mount block:7 /x", "not found"),
                           ("mount memory /boot/SERVICES", "not a directory")):
        assert guest.run(command).endswith(f": {error}\n"), command
    names = guest.run("filetest look").split()
    assert names == ["./", "../", "boot/", "tmp/", "disk/"], f"a failed mount left its place: {names}"
    guest.run("filetest put /disk/kept 'on the disk'")
    assert guest.run("umount /disk") == ""
    assert guest.run("filetest look /disk/kept") == "filetest: /disk/kept: not found\n"
    assert guest.run("mount -r block /other") == ""
    assert guest.run("filetest look /other/kept") == "on the disk"
    assert guest.run("filetest put /other/kept x") == "filetest: /other/kept: file system is read-only\n"
    assert re.search(r"^block +on /other ", guest.run("mount"), re.M)
    assert guest.run("umount /other; mount block /disk") == ""


def hostile_clients_gain_nothing(guest):
    server = pid_of(guest, "files")
    assert guest.run("filetest hostile", timeout=120) == "nothing was gained\n"
    assert guest.run("filetest load /tmp 3", timeout=60) == "working\ndone\n"
    assert pid_of(guest, "files") == server, "the server has ended"


def kills_are_survived(guest):
    guest.run_background("filetest load /disk &", "working\n", timeout=60)
    for _ in range(KILLS):
        kill(guest, "files", "went on")
    for _ in range(KILLS):
        pid = pid_of(guest, "virtio_blk")
        guest.run(f"kill {pid}")
        assert guest.run("filetest check /disk", timeout=120).endswith(WELL), "the disk cannot be used any more"
        assert pid_of(guest, "virtio_blk") != pid
    assert re.search(r"^\[1\].*filetest load", guest.run("jobs"), re.M), "the client has noticed the driver's end"
    guest.run("kill %1; wait")


def test_boots(boot):
    with tempfile.TemporaryDirectory() as directory:
        image = os.path.join(directory, "disk")
        for server, client in (("sandbox", "user"), ("user", "sandbox")):
            make_disk(image)
            append = f"ftl.isolation.files={server} ftl.isolation.filetest={client}"
            with boot(append=append, extra=disk(image)) as guest:
                guest.wait_prompt()
                all_calls_work(guest)
                mounts_come_and_go(guest)
                manifests_limit_what_is_seen(guest)
                hostile_clients_gain_nothing(guest)
                kills_are_survived(guest)
                assert guest.run("filetest put /disk/unsynced 'what shutdown must save'") == ""
                guest.send("shutdown\r")
                assert guest.wait_exit() == 0
            assert is_clean(image)
            assert content_of(image, "unsynced") == "what shutdown must save"
        with boot(append="ftl.disk=ro", extra=disk(image)) as guest:
            guest.wait_prompt()
            assert guest.run("filetest look /disk/unsynced") == "what shutdown must save"
            assert guest.run("filetest put /disk/new x") == "filetest: /disk/new: file system is read-only\n"
        with boot(append="ftl.disk=none", extra=disk(image)) as guest:
            guest.wait_prompt()
            assert guest.run("filetest look").split() == ["./", "../", "boot/", "tmp/"]
