"""The images and folders of scripts/image, booted by U-Boot as it comes: from a virtio disk by extlinux.conf and by
boot.scr, and over TFTP; to the load address that the image's header asks for."""
import os
import shutil
import struct
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = os.path.join(HERE, "..", "..", "scripts")
UBOOT = "/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin"
TEXT_OFFSET = 8  # in the header
FAT_START = {"qemu": "1M", "visionfive2": "16M"}
APPEND = "ftl.isolation.hello=user"


def make_image(build_dir, directory, board):
    path = os.path.join(directory, f"{board}.img")
    subprocess.run([os.path.join(SCRIPTS, "image"), "--board", board, "--build-dir", build_dir, "--no-build",
                    "--output", path, "--append", APPEND],
                   check=True, stdout=subprocess.DEVNULL, env={**os.environ, "FTL_NO_SETUP": "1"})
    return path


def on_disk(board, image, *command):
    """Runs one of mtools on the image's file system."""
    subprocess.run([command[0], "-i", f"{image}@@{FAT_START[board]}", *command[1:]], check=True)


def boots(boot, devices, load_address=0x80200000):
    with boot(memory="512M", kernel=UBOOT, boot_image="", extra=devices) as guest:
        text = guest.wait_prompt(timeout=120)
        assert f"image at {load_address:#x}" in text, text
        assert f'boot arguments "{APPEND}"' in text, text
        assert guest.run("echo it works") == "it works\n"
        assert "isolation" not in guest.run("hello")
        assert "primes up to 1000: 168" in guest.run("primes 1000")
        guest.send("shutdown 5\r")
        assert guest.wait_exit() == 5
        return text


def disk(image):
    return ["-drive", f"file={image},format=raw,if=none,id=disk", "-device", "virtio-blk-device,drive=disk"]


def test_boots(boot):
    build_dir = boot.args[0]
    with tempfile.TemporaryDirectory() as directory:
        for board in ("visionfive2", "qemu"):
            image = make_image(build_dir, directory, board)
            assert "extlinux.conf" in boots(boot, disk(image))
        on_disk("qemu", image, "mdeltree", "::extlinux")
        text = boots(boot, disk(image))
        assert "Found U-Boot script /boot.scr" in text, text

        # The header decides where the image goes.
        moved = os.path.join(directory, "Image")
        shutil.copyfile(os.path.join(build_dir, "Image"), moved)
        with open(moved, "r+b") as file:
            file.seek(TEXT_OFFSET)
            file.write(struct.pack("<Q", 0x1000000))
        on_disk("qemu", image, "mcopy", "-o", moved, "::Image")
        boots(boot, disk(image), 0x81000000)

        served = os.path.join(directory, "qemu-tftp")
        text = boots(boot, ["-netdev", f"user,id=net,tftp={served},bootfile=boot.scr.uimg",
                            "-device", "virtio-net-device,netdev=net"])
        assert "TFTP from server" in text, text
