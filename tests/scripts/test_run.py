"""Tests of scripts/run."""
import os
import subprocess
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
RUN = os.path.join(HERE, "..", "..", "scripts", "run")


class RunTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = os.path.join(folder.name, "build")
        os.makedirs(self.build)
        for name in ("ftl.elf", "boot.tar", "tests.tar"):
            open(os.path.join(self.build, name), "wb").close()
        tools = os.path.join(folder.name, "tools")
        os.makedirs(tools)
        os.symlink(os.path.join(HERE, "fake_qemu.py"), os.path.join(tools, "qemu-system-riscv64"))
        self.environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "FTL_NO_SETUP": "1"}

    def run_script(self, *words):
        return subprocess.run([RUN, "--no-build", "--build-dir", self.build, *words], env=self.environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)

    def test_exec_ends_with_the_last_status(self):
        self.assertEqual(self.run_script("--exec", "false; echo x").returncode, 0)
        self.assertEqual(self.run_script("--exec", "echo x; false").returncode, 1)
        self.assertEqual(self.run_script("--exec", "nonsense").returncode, 127)

    def test_exec_prints_the_console(self):
        output = self.run_script("--exec", "echo one; echo two").stdout
        self.assertIn("firmware\n", output)
        self.assertIn("\none\n", output)
        self.assertIn("\ntwo\n", output)

    def test_exec_leaves_compound_commands_whole(self):
        output = self.run_script("--exec", "echo { a; b; }; echo c").stdout
        self.assertIn("\n{ a; b; }; echo c\n", output)

    def test_exec_leaves_quoted_semicolons(self):
        output = self.run_script("--exec", "echo 'a;b'; echo \"c;d\"; echo e\\;f;").stdout
        self.assertIn("\n'a;b'\n", output)
        self.assertIn('\n"c;d"\n', output)
        self.assertIn("\ne\\;f\n", output)

    def test_exec_ends_on_a_machine_that_cannot_be_switched_off(self):
        result = self.run_script("--append", "stuck", "--timeout", "60", "--exec", "echo x; false")
        self.assertEqual(result.returncode, 1)
        self.assertIn("halted with status 1", result.stdout)

    def test_exec_of_shutdown_gives_its_status(self):
        self.assertEqual(self.run_script("--exec", "echo x; shutdown 5").returncode, 5)
        self.assertEqual(self.run_script("--exec", "shutdown").returncode, 0)

    def test_early_end_of_the_guest_fails(self):
        result = self.run_script("--exec", "shutdown 0; echo x")
        self.assertEqual(result.returncode, 1)
        self.assertIn("ended during 'shutdown 0'", result.stderr)
        self.assertNotEqual(self.run_script("--append", "die", "--exec", "echo x").returncode, 0)

    def test_panic_fails(self):
        result = self.run_script("--exec", "panic; echo x")
        self.assertEqual(result.returncode, 1)
        self.assertIn("kernel panic", result.stderr)

    def test_timeout_gives_124_and_the_console(self):
        result = self.run_script("--timeout", "1", "--exec", "echo before; hang")
        self.assertEqual(result.returncode, 124)
        self.assertIn("\nbefore\n", result.stdout)

    def test_bad_options_give_2_and_say_what(self):
        for words, text in ((["--smp", "0"], "'0' is not a number of harts"),
                            (["--mem", "lots"], "'lots' is not a size"),
                            (["--timeout", "-1"], "is not a number of seconds|expected one argument"),
                            (["--net", "80"], "'80' is not a pair of ports"),
                            (["--net", "0:80"], "'0:80' is not a pair of ports"),
                            (["--disk", "/nowhere"], "cannot read '/nowhere'"),
                            (["--exec", "echo 'x"], "unclosed '"), (["--exec", " ; "], "no command"),
                            (["--nonsense"], "--nonsense"), (["--gdb", "--exec", "x"], "exclude")):
            with self.subTest(words=words):
                result = self.run_script(*words)
                self.assertEqual(result.returncode, 2)
                self.assertRegex(result.stderr, text)

    def test_devices_are_added(self):
        self.assertNotIn("virtio-", self.run_script("--exec", "options").stdout.replace("virtio-mmio", ""))
        output = self.run_script("--net", "--exec", "options").stdout
        self.assertIn("-netdev user,id=net0,hostfwd=tcp:127.0.0.1:8080-:80 -device virtio-net-device", output)
        self.assertIn("-device virtio-rng-device", output)
        self.assertIn("virtio-mmio.force-legacy=off", output)
        output = self.run_script("--net", "1:2", "3:4", "--legacy", "--exec", "options").stdout
        self.assertIn("hostfwd=tcp:127.0.0.1:1-:2,hostfwd=tcp:127.0.0.1:3-:4 ", output)
        self.assertNotIn("force-legacy", output)
        disk = os.path.join(self.build, "a,b")
        open(disk, "wb").close()
        output = self.run_script("--disk", disk, "--disk", disk, "--exec", "options").stdout
        self.assertIn(f"-drive file={self.build}/a,,b,format=raw,if=none,id=disk1 -device virtio-blk-device", output)

    def test_missing_image_is_said(self):
        os.remove(os.path.join(self.build, "boot.tar"))
        result = self.run_script("--exec", "echo x")
        self.assertEqual(result.returncode, 1)
        self.assertIn("boot.tar is missing", result.stderr)
        self.assertEqual(self.run_script("--tests", "--exec", "echo x").returncode, 0)
        os.remove(os.path.join(self.build, "tests.tar"))
        self.assertIn("tests.tar is missing", self.run_script("--tests", "--exec", "echo x").stderr)


if __name__ == "__main__":
    unittest.main()
