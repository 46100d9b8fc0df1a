"""scripts/image: what it makes is read back by the tools of others."""
import os
import re
import struct
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IMAGE = os.path.join(ROOT, "scripts", "image")
MIB = 1 << 20
ENVIRONMENT = {**os.environ, "FTL_NO_SETUP": "1", "MTOOLS_SKIP_CHECK": "1",
               "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, env=ENVIRONMENT).stdout


def text(*command):
    return output(*command).decode()


class ImageTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = temporary.name
        self.image = self.path("card.img")
        self.kernel = struct.pack("<IIQQ", 0x6f, 0, 0x200000, 4 * MIB) + os.urandom(300_000)
        self.initrd = os.urandom(3_000_000)
        self.write("build/Image", self.kernel)
        self.write("build/boot.tar", self.initrd)
        self.write("build/ftl.elf", b"")

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, data):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as file:
            file.write(data)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def run_image(self, *words):
        return subprocess.run([IMAGE, "--build-dir", self.path("build"), "--no-build", "--output", self.image, *words],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT, check=False)

    def make(self, board, *words):
        result = self.run_image("--board", board, *words)
        self.assertEqual(result.returncode, 0, result.stdout)

    def partition(self, number):
        """(start in bytes, size in bytes, type, name, attributes), as sgdisk sees it."""
        info = text("sgdisk", f"--info={number}", self.image)
        first = int(re.search(r"First sector: (\d+)", info)[1])
        last = int(re.search(r"Last sector: (\d+)", info)[1])
        return (first * 512, (last - first + 1) * 512, re.search(r"GUID code: (\S+)", info)[1],
                re.search(r"Partition name: '(.*)'", info)[1], int(re.search(r"Attribute flags: (\S+)", info)[1], 16))

    def on_card(self, start, name):
        return output("mtype", "-i", f"{self.image}@@{start}", f"::{name}")

    def check_file_system(self, number):
        start, size, kind, name, attributes = self.partition(number)
        self.assertEqual((kind, name, attributes), ("EBD0A0A2-B9E5-4433-87C0-68B6B72699C7", "boot", 4))
        with open(self.image, "rb") as file:
            file.seek(start)
            fat = self.write("fat", file.read(size))
        text("fsck.vfat", "-n", fat)
        names = text("mdir", "-b", "-/", "-i", f"{self.image}@@{start}", "::").split()
        self.assertEqual(self.on_card(start, "/Image"), self.kernel)
        self.assertEqual(self.on_card(start, "/boot.tar"), self.initrd)
        return start, names

    def check_script(self, data):
        """The commands in a U-Boot script."""
        path = self.write("script", data)
        listing = text("mkimage", "-l", path)
        self.assertIn("RISC-V Linux Script (uncompressed)", listing)
        size = int(re.search(r"Image 0: (\d+) Bytes", listing)[1])
        self.assertEqual(len(data), 64 + 8 + size)  # header, table of sizes
        return data[72:].decode()

    def test_visionfive2(self):
        spl = os.urandom(150_000)
        u_boot = os.urandom(2_900_000)
        self.make("visionfive2", "--append", "a=b c", "--spl", self.write("spl.out", spl),
                  "--u-boot", self.write("payload.img", u_boot))
        self.assertIn("No problems found", text("sgdisk", "--verify", self.image))
        # The type GUIDs and the order are what the boot ROM and SPL look for.
        for number, kind, name, data in ((1, "2E54B353-1271-4842-806F-E436D6AF6985", "spl", spl),
                                         (2, "BC13C2FF-59E6-4262-A352-B275FD6F7172", "u-boot", u_boot)):
            start, _, found_kind, found_name, _ = self.partition(number)
            self.assertEqual((found_kind, found_name), (kind, name))
            with open(self.image, "rb") as file:
                file.seek(start)
                self.assertEqual(file.read(len(data)), data)
        start, names = self.check_file_system(3)
        self.assertEqual(sorted(names), ["::/Image", "::/boot.scr", "::/boot.tar", "::/extlinux/",
                                         "::/extlinux/extlinux.conf", "::/vf2_uEnv.txt"])
        menu = self.on_card(start, "/extlinux/extlinux.conf").decode()
        for line in ("kernel /Image", "initrd /boot.tar", "append a=b c"):
            self.assertRegex(menu, rf"(?m)^ +{line}$")
        self.assertNotIn("fdt", menu)
        self.assertIn("sysboot mmc ${devnum}:3", self.on_card(start, "/vf2_uEnv.txt").decode())
        commands = self.check_script(self.on_card(start, "/boot.scr"))
        self.assertIn('setenv bootargs "a=b c"\n', commands)
        self.assertIn("booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${ftl_fdt}\n", commands)

    def test_qemu_and_tftp(self):
        self.make("qemu")
        self.assertIn("No problems found", text("sgdisk", "--verify", self.image))
        _, names = self.check_file_system(1)
        self.assertNotIn("::/vf2_uEnv.txt", names)
        self.assertEqual(self.read("card-tftp/Image"), self.kernel)
        self.assertEqual(self.read("card-tftp/boot.tar"), self.initrd)
        self.assertIn("kernel Image\n", self.read("card-tftp/pxelinux.cfg/default").decode())
        self.assertIn("tftpboot ${kernel_addr_r} Image\n", self.check_script(self.read("card-tftp/boot.scr.uimg")))

    def test_device_trees(self):
        trees = [self.write(f"board-{name}.dtb", os.urandom(5000)) for name in "ab"]
        self.make("visionfive2", "--dtb", trees[0])
        start, _ = self.check_file_system(3)
        self.assertIn("fdt /dtbs/starfive/board-a.dtb\n", self.on_card(start, "/extlinux/extlinux.conf").decode())
        self.assertEqual(self.on_card(start, "/dtbs/starfive/board-a.dtb"), self.read("board-a.dtb"))
        self.make("visionfive2", "--dtb", trees[0], "--dtb", trees[1])
        start, _ = self.check_file_system(3)
        self.assertIn("fdtdir /dtbs\n", self.on_card(start, "/extlinux/extlinux.conf").decode())
        self.assertIn("dtbs/${fdtfile};", self.check_script(self.on_card(start, "/boot.scr")))
        self.assertEqual(self.read("card-tftp/dtbs/starfive/board-b.dtb"), self.read("board-b.dtb"))

    def test_large_contents_get_a_large_partition(self):
        self.write("build/boot.tar", bytes(70 * MIB))
        self.initrd = bytes(70 * MIB)
        self.make("qemu")
        self.check_file_system(1)

    def test_mistakes_are_named(self):
        result = self.run_image("--board", "qemu", "--spl", self.image)
        self.assertIn("there is no file", result.stdout)
        result = self.run_image("--board", "qemu", "--spl", self.path("build/Image"))
        self.assertIn("qemu has no partition for it", result.stdout)
        result = self.run_image("--board", "qemu", "--append", "a=$b")
        self.assertIn("--append: quotes", result.stdout)
        result = self.run_image("--board", "visionfive2", "--spl", self.write("big", bytes(3 * MIB)))
        self.assertIn("the partition spl has 2097152", result.stdout)
        self.assertEqual(result.returncode, 1)
        os.remove(self.path("build/Image"))
        result = self.run_image("--board", "qemu")
        self.assertIn("Image is missing: build first", result.stdout)
        self.assertFalse(os.path.exists(self.image))


if __name__ == "__main__":
    sys.exit(unittest.main())
