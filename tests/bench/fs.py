"""Instructions of calls to the file server, in both isolations of it and its client: disk, memory, archive."""
import os
import subprocess
import tempfile

from figures import read_figures
from guest import disk

ISOLATIONS = ("user", "sandbox")
DISK_SIZE = 64 << 20
PLACES = ("/tmp", "/disk")


def make_disk(path):
    with open(path, "wb") as file:
        file.truncate(DISK_SIZE)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", path], check=True)


def measure(boot):
    figures = {}
    with tempfile.TemporaryDirectory() as directory:
        image = os.path.join(directory, "disk")
        for server in ISOLATIONS:
            make_disk(image)
            with boot(smp=1, append=f"ftl.isolation.files={server}", extra=disk(image)) as guest:
                guest.wait_prompt()
                guest.run("filetest look")  # starts the server
                for client in ISOLATIONS:
                    for place in PLACES:
                        read = read_figures(guest, client, f"filetest cost {place}")
                        figures.update({
                            f"{metric}.to_{server}" if ".archive." in metric else f"{metric}.to_{server}.{place[1:]}":
                                number for metric, number in read.items()})
    return figures
