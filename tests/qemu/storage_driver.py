"""The driver of virtio disks, modern and legacy, in both isolations: what is written is on the disk, and what cannot be
is refused; two disks are two; when the driver is killed it is started again."""
import itertools
import os
import tempfile

from drivers import kills_are_survived, runs_as
from guest import disk

DRIVER = "virtio_blk"
SECTOR = 512
SIZE = 1 << 20
KILLS = 5
MARK = b"the second disk"


def word(sector, index):
    """As disktest writes it: see pattern() there."""
    return (sector * 2654435761 + index * 40503 + 1) & 0xFFFFFFFF


def holds_the_pattern(path):
    with open(path, "rb") as file:
        data = file.read()
    step = 128 * SECTOR
    return all(int.from_bytes(data[at:at + 4], "little") == word(at // step * 128, at % step // 4)
               for at in range(0, SIZE, 4))


def test_boots(boot):
    with tempfile.TemporaryDirectory() as directory:
        first, second = (os.path.join(directory, name) for name in ("first", "second"))
        for isolation, legacy in itertools.product(("sandbox", "user"), (False, True)):
            for path, content in ((first, b""), (second, MARK)):
                with open(path, "wb") as file:
                    file.write(content.ljust(SIZE, b"\0"))
            extra = disk(first) + disk(second, 1, ",readonly=on")
            client = "user" if legacy else "sandbox"
            with boot(append=f"ftl.isolation.{DRIVER}={isolation} ftl.isolation.disktest={client}", legacy=legacy,
                      extra=extra) as guest:
                guest.wait_prompt()
                assert DRIVER not in guest.run("ps"), "nobody needs it yet"
                disks = [guest.run(f"disktest info {number}") for number in (0, 1)]
                writable, read_only = ("2048 sectors of 512 bytes\n", "2048 sectors of 512 bytes, read-only\n")
                assert sorted(disks) == sorted([writable, read_only]), disks
                main, other = disks.index(writable), disks.index(read_only)
                assert runs_as(guest, DRIVER, isolation)
                assert guest.run(f"disktest check {main}", timeout=60) == "all as it should be\n"
                assert guest.run(f"disktest check {other}") == "read-only\n"
                assert guest.run(f"disktest read 0 {other}") == MARK.decode() + "\n"
                assert guest.run("disktest info 2") == "disktest: connect: not found\n"
            with boot(append=f"ftl.isolation.{DRIVER}={isolation}", legacy=legacy, extra=disk(first)) as guest:
                guest.wait_prompt()
                assert holds_the_pattern(first), "what was flushed is there after the power was cut"
                kills_are_survived(guest, DRIVER, "disktest stay", "reading", KILLS)
                assert guest.run("disktest check", timeout=60) == "all as it should be\n"
