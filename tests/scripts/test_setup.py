"""Tests of scripts/setup's handling of sources, with a local archive in place of the system's."""
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SETUP = os.path.join(HERE, "..", "..", "scripts", "setup")


class SetupTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        os.makedirs(self.path("scripts"))
        shutil.copy(SETUP, self.path("scripts/setup"))
        self.archive = self.path("archive/pool/main/t/thing/thing_1.orig.tar.gz")
        os.makedirs(os.path.dirname(self.archive))
        self.make_archive({"thing-1/a.c": "int a;\n", "thing-1/docs/x": "unwanted\n"})
        with open(self.path("sources.list"), "w", encoding="utf-8") as file:
            file.write(f"deb [trusted=yes] file:{self.path('archive')} bookworm main\n")
        with open(self.path("apt.conf"), "w", encoding="utf-8") as file:
            file.write(f'Dir::Etc::sourcelist "{self.path("sources.list")}";\nDir::Etc::sourceparts "/dev/null";\n')
        self.environment = {**os.environ, "APT_CONFIG": self.path("apt.conf")}

    def path(self, name):
        return os.path.join(self.root, name)

    def make_archive(self, members):
        with tarfile.open(self.archive, "w:gz") as tar:
            for name, text in members.items():
                path = self.path("member")
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                tar.add(path, name)

    def pin(self, sha256=None, kind="source"):
        with open(self.archive, "rb") as file:
            sha256 = sha256 or hashlib.sha256(file.read()).hexdigest()
        with open(self.path("scripts/deps.list"), "w", encoding="utf-8") as file:
            file.write(f"package bash\n{kind} thing thing thing_1.orig.tar.gz {sha256} 1 */a.c\n")

    def run_setup(self, *arguments):
        return subprocess.run([self.path("scripts/setup"), *arguments], env=self.environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def test_unpacks_the_members_and_then_does_nothing(self):
        self.pin()
        result = self.run_setup()
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertEqual(self.read(".deps/thing/a.c"), "int a;\n")
        self.assertFalse(os.path.exists(self.path(".deps/thing/docs")))
        second = self.run_setup()
        self.assertEqual((second.returncode, second.stdout), (0, ""))

    def test_sources_for_benchmarks_come_when_asked_for(self):
        self.pin(kind="bench")
        self.assertEqual(self.run_setup().returncode, 0)
        self.assertFalse(os.path.exists(self.path(".deps/thing")))
        result = self.run_setup("--bench")
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertEqual(self.read(".deps/thing/a.c"), "int a;\n")

    def test_unknown_argument_is_refused(self):
        self.pin()
        self.assertEqual(self.run_setup("--all").returncode, 1)

    def test_wrong_hash_is_refused(self):
        self.pin("0" * 64)
        result = self.run_setup()
        self.assertEqual(result.returncode, 1)
        self.assertIn("thing_1.orig.tar.gz: SHA-256 is ", result.stdout)
        self.assertFalse(os.path.exists(self.path(".deps/thing")))

    def test_missing_file_is_said(self):
        self.pin()
        os.remove(self.archive)
        result = self.run_setup()
        self.assertEqual(result.returncode, 1)
        self.assertIn("none of the system's Debian archives gives thing_1.orig.tar.gz", result.stdout)

    def test_new_pin_replaces_what_is_there(self):
        self.pin()
        self.run_setup()
        self.make_archive({"thing-1/a.c": "int b;\n"})
        self.pin()
        self.assertEqual(self.run_setup().returncode, 0)
        self.assertEqual(self.read(".deps/thing/a.c"), "int b;\n")

    def test_leftovers_of_an_interrupted_run_do_no_harm(self):
        self.pin()
        os.makedirs(self.path(".deps/.new.thing/half"))
        os.makedirs(self.path(".deps/.archives"))
        with open(self.path(".deps/.archives/thing_1.orig.tar.gz"), "w", encoding="utf-8") as file:
            file.write("half a file")
        self.assertEqual(self.run_setup().returncode, 0)
        self.assertEqual(sorted(os.listdir(self.path(".deps/thing"))), [".ftl-stamp", "a.c"])

    def test_two_at_once_both_succeed(self):
        self.pin()
        runs = [subprocess.Popen([self.path("scripts/setup")], env=self.environment, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL) for _ in range(3)]
        self.assertEqual([run.wait() for run in runs], [0, 0, 0])
        self.assertEqual(self.read(".deps/thing/a.c"), "int a;\n")


if __name__ == "__main__":
    unittest.main()
