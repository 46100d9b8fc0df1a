"""The boot protocol's freedom: the image at any multiple of 2 MiB, the device tree anywhere, any register state, all
harts at once; and what is said of an image that lies elsewhere. See entry_stub.S."""
import os
import re
import struct
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
CLANG = "clang-19"
LLD = "ld.lld-19"
RAM = 0x80000000
MEMORY = 256 << 20
STUB = RAM + 0x200000    # where QEMU puts what -kernel names
SOURCE = RAM + 0x1000000  # where QEMU puts the image
PARAMETERS = 5 * 8
HEADER = struct.Struct("<II QQQ IIQ 8s4sI")  # the Linux boot protocol's


def make_stub(directory):
    """The stub as a flat binary, parameters at its end."""
    elf, flat = (os.path.join(directory, name) for name in ("stub.elf", "stub.bin"))
    subprocess.run([CLANG, "--target=riscv64-unknown-elf", "-march=rv64g", "-mno-relax", "-nostdlib",
                    f"--ld-path={LLD}", "-Wl,-Ttext=0,--oformat=binary,-e,0", "-o", flat,
                    os.path.join(HERE, "entry_stub.S")], check=True)
    with open(flat, "rb") as file:
        stub = file.read()
    assert stub.endswith(bytes(PARAMETERS)), elf
    return stub


def enter(boot, directory, stub, address=SOURCE, tree=0, harts=0, append=""):
    """A guest whose kernel starts at `address` with the device tree at `tree` (0: where QEMU puts it)."""
    image = os.path.join(boot.args[0], "Image")
    size = (os.path.getsize(image) + 7) & ~7
    path = os.path.join(directory, "stub.bin")
    with open(path, "wb") as file:
        file.write(stub[:-PARAMETERS] + struct.pack("<5Q", SOURCE, address, size, tree, harts))
    loader = f"loader,file={image},addr={SOURCE:#x},force-raw=on"
    return boot(memory=str(MEMORY >> 20), kernel=path, append=append, extra=["-device", loader])


def check_header(boot):
    with open(os.path.join(boot.args[0], "Image"), "rb") as file:
        image = file.read()
    _, _, text_offset, size, flags, version, _, _, magic, magic2, _ = HEADER.unpack_from(image)
    assert (text_offset, flags, version, magic, magic2) == (0x200000, 0, 2, b"RISCV\0\0\0", b"RSC\x05")
    # bss and the room for a tree that has to be moved are beyond the file
    assert len(image) + (2 << 20) < size < len(image) + (4 << 20), (len(image), size)


def test_boots(boot):
    check_header(boot)
    with tempfile.TemporaryDirectory() as directory:
        stub = make_stub(directory)
        top = RAM + MEMORY - (64 << 10)
        for address, tree in ((SOURCE, 0),                  # in place
                              (RAM + 0x2000000, 0),
                              (RAM + 0x6600000, top),       # the tree's pages are RAM's last
                              (RAM + 0x400000, RAM + 0x3000010),
                              (RAM + 0x400000, RAM + 0x3000004),
                              (RAM + 0x400000, RAM + 0x3000ffd)):
            with enter(boot, directory, stub, address, tree) as guest:
                text = guest.wait_prompt()
                assert f"image at {address:#x}" in text, text
                assert not tree or f"device tree at {tree:#x}" in text, text
                assert "primes up to 1000: 168" in guest.run("primes 1000")
        # SBI 0.1's way: all harts come, one of them boots.
        smp = boot.keywords["smp"]
        with enter(boot, directory, stub, harts=smp, append="ftl.sbi.hide=BASE") as guest:
            text = guest.wait_prompt()
            assert text.count(": online") == smp - 1 and f"boot: {smp} harts" in text, text
            assert guest.run_status("threadtest calls")[1] == 0
        # HSM is there, but the harts have come already.
        with enter(boot, directory, stub, harts=smp) as guest:
            assert guest.wait_prompt().count(": online") == smp - 1
        with enter(boot, directory, stub, RAM + 0x2001000) as guest:
            guest.expect(re.escape("FTL: the image has to lie at a multiple of 2 MiB"))
