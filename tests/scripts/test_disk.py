"""scripts/disk: what it makes holds what it should, for the tools of others, too."""
import fcntl
import os
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DISK = os.path.join(ROOT, "scripts", "disk")
ENVIRONMENT = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}


class DiskTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = temporary.name
        self.image = self.path("disk.img")

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def write(self, name, data):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as file:
            file.write(data)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def disk(self, *words):
        return subprocess.run([DISK, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env=ENVIRONMENT, check=False, cwd=self.directory)

    def succeed(self, *words):
        result = self.disk(*words)
        self.assertEqual(result.returncode, 0, result.stdout)
        return result.stdout

    def fail_with(self, text, *words):
        result = self.disk(*words)
        self.assertNotEqual(result.returncode, 0, result.stdout)
        self.assertIn("disk: error: ", result.stdout)
        self.assertIn(text, result.stdout)

    def e2fsck(self):
        subprocess.run(["e2fsck", "-fn", self.image], check=True, env=ENVIRONMENT, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE)

    def superblock(self, offset, size):
        with open(self.image, "rb") as file:
            file.seek(1024 + offset)
            return file.read(size)

    def test_make_fills_and_labels(self):
        data = os.urandom(3_000_000)
        self.write("tree/sub folder/large", data)
        self.succeed("make", self.image, "64M", "--from", "tree", "--label", "MUSIC")
        self.assertEqual(os.path.getsize(self.image), 64 << 20)
        self.assertEqual(self.superblock(120, 5), b"MUSIC")
        self.assertTrue(self.superblock(92, 1)[0] & 4, "no journal")
        self.e2fsck()
        self.succeed("extract", self.image, "/sub folder/large", "copy")
        self.assertEqual(self.read("copy"), data)

    def test_make_without_journal_and_small(self):
        self.succeed("make", self.image, "2M", "--type", "ext2")
        self.assertFalse(self.superblock(92, 1)[0] & 4, "a journal")
        self.e2fsck()

    def test_make_refuses(self):
        self.fail_with("is no size", "make", self.image, "12Q")
        self.fail_with("too small", "make", self.image, "12K")
        self.fail_with("is no folder", "make", self.image, "4M", "--from", "nothing")
        self.fail_with("longer than", "make", self.image, "4M", "--label", "x" * 17)
        self.write("large", bytes(8 << 20))
        os.mkdir(self.path("tree"))
        self.write("tree/large", os.urandom(8 << 20))
        self.fail_with("cannot be made", "make", self.image, "4M", "--from", "tree")
        self.assertFalse(os.path.exists(self.image))
        self.assertFalse(os.path.exists(self.image + ".new"))
        self.succeed("make", self.image, "4M")
        self.fail_with("--force", "make", self.image, "4M")
        self.succeed("make", self.image, "5M", "--force")
        self.assertEqual(os.path.getsize(self.image), 5 << 20)

    def test_add_list_extract(self):
        self.succeed("make", self.image, "16M")
        self.write("tree/a/one", b"1" * 5000)
        os.chmod(self.path("tree/a/one"), 0o750)
        os.symlink("a/one", self.path("tree/link"))
        self.succeed("add", self.image, "tree", "/")
        self.write("tree/a/one", b"one again")
        self.write("tree/a/two", b"2")
        self.succeed("add", self.image, "tree", "/")
        self.write("alone", b"alone")
        self.succeed("add", self.image, "alone", self.path("tree/a/two"), "/tree")
        listing = self.succeed("list", self.image, "/tree")
        self.assertRegex(listing, r"(?m)^folder  0755 +\d+ a$")
        self.assertRegex(listing, r"(?m)^file    0644 +5 alone$")
        self.assertRegex(listing, r"(?m)^link    0777 +5 link$")
        self.e2fsck()
        self.succeed("extract", self.image, "/tree", "out")
        self.assertEqual(self.read("out/a/one"), b"one again")
        self.assertEqual(os.stat(self.path("out/a/one")).st_mode & 0o777, 0o750)
        self.assertEqual(self.read("out/two"), b"2")
        self.assertEqual(os.readlink(self.path("out/link")), "a/one")
        os.mkdir(self.path("folder"))
        self.succeed("extract", self.image, "/tree/a/two", "folder")
        self.assertEqual(self.read("folder/two"), b"2")

    def test_errors_are_told(self):
        self.succeed("make", self.image, "4M")
        self.write("file", b"data")
        self.fail_with("has no /nothing", "list", self.image, "/nothing")
        self.fail_with("has no /nothing", "extract", self.image, "/nothing")
        self.fail_with("has no /nothing", "add", self.image, "file", "/nothing")
        self.fail_with("no such file", "add", self.image, "missing", "/")
        self.fail_with("wants what to add", "add", self.image, "/")
        self.fail_with("no ext2", "list", self.write("junk", bytes(100_000)))
        self.fail_with("No such file", "check", self.path("missing.img"))
        self.write("large", os.urandom(8 << 20))
        self.fail_with(self.image, "add", self.image, "large", "/")

    def test_check_finds_and_repairs(self):
        self.write("tree/file", b"data")
        self.succeed("make", self.image, "4M", "--from", "tree")
        self.assertIn("no errors", self.succeed("check", self.image))
        subprocess.run(["debugfs", "-w", "-R", "set_inode_field file links_count 7", self.image], check=True,
                       env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.fail_with("has errors, which --repair may correct", "check", self.image)
        self.assertIn("repaired", self.succeed("check", self.image, "--repair"))
        self.assertIn("no errors", self.succeed("check", self.image))

    def test_journal_is_brought_in(self):
        self.write("tree/file", b"1" * 1024)
        self.write("new", b"2" * 1024)
        self.succeed("make", self.image, "4M", "--from", "tree")
        found = subprocess.run(["debugfs", "-R", "bmap file 0", self.image], check=True, env=ENVIRONMENT,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        commands = self.write("commands", f"jo\njw -b {found.stdout.strip()} {self.path('new')}\njc\n".encode())
        subprocess.run(["debugfs", "-w", "-f", commands, self.image], check=True, env=ENVIRONMENT,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        before = self.read("disk.img")
        self.assertIn("a copy", self.succeed("check", self.image))
        self.assertEqual(self.read("disk.img"), before)
        self.assertIn("was not unmounted", self.succeed("extract", self.image, "/file", "copy"))
        self.assertEqual(self.read("copy"), b"2" * 1024)

    def test_an_image_in_use_is_left_alone(self):
        self.succeed("make", self.image, "4M")
        with open(self.image, "r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.fail_with("is in use", "check", self.image)
            self.fail_with("is in use", "list", self.image)


if __name__ == "__main__":
    unittest.main()
