"""Tests of scripts/lib/guest.py."""
import contextlib
import io
import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "scripts", "lib"))
import guest as harness  # noqa: E402
from guest import Guest, GuestExit, GuestPanic, GuestTimeout  # noqa: E402

harness.QEMU = os.path.join(HERE, "fake_qemu.py")


class GuestTest(unittest.TestCase):
    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.log = self.stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        self.addCleanup(self.stack.close)

    def boot(self, **options):
        guest = self.stack.enter_context(Guest("build", **options))
        guest.wait_prompt()
        return guest

    def test_run_returns_the_output_alone(self):
        guest = self.boot()
        self.assertEqual(guest.run("echo a b"), "a b\n")
        self.assertEqual(guest.run("echo a ftl> in the middle"), "a ftl> in the middle\n")

    def test_run_status_returns_output_and_exit_status(self):
        guest = self.boot()
        self.assertEqual(guest.run_status("echo x"), ("x\n", 0))
        self.assertEqual(guest.run_status("nonsense"), ("", 127))

    def test_prompt_after_output_without_a_newline_is_found(self):
        guest = self.boot()
        self.assertEqual(guest.run("unended"), "no newline here")
        self.assertEqual(guest.run("echo after"), "after\n")

    def test_expect_fails_in_time(self):
        guest = self.boot()
        start = time.monotonic()
        with self.assertRaisesRegex(GuestTimeout, "no 'never'"):
            guest.expect("never", timeout=0.3)
        self.assertLess(time.monotonic() - start, 5 * harness.timeout_scale())

    def test_panic_ends_a_wait_early(self):
        guest = self.boot()
        with self.assertRaises(GuestPanic):
            guest.run("panic", timeout=60)

    def test_end_of_qemu_ends_a_wait_early(self):
        guest = self.boot()
        with self.assertRaises(GuestExit):
            guest.run("shutdown 3", timeout=60)
        self.assertEqual(guest.wait_exit(), 3)

    def test_failing_block_prints_the_console_and_ends_qemu(self):
        with self.assertRaises(ZeroDivisionError):
            with Guest("build") as guest:
                guest.wait_prompt()
                guest.run("echo seen")
                raise ZeroDivisionError
        self.assertIn("seen", self.log.getvalue())
        self.assertIsNotNone(guest.process.poll())


if __name__ == "__main__":
    unittest.main()
