"""A guest: FTL in QEMU with its serial console on pipes, to be driven by tests and scripts.

    with Guest(build_dir, smp=4) as guest:
        guest.wait_prompt()
        print(guest.run("ps"))
        guest.send("shutdown 3\\r")
        assert guest.wait_exit() == 3

QEMU ends with the `with` block, and whatever happens to this process. Every wait has a time limit, scaled
by the environment variable FTL_TIMEOUT_SCALE. What does not come in time is a GuestError; an exception that
leaves the `with` block prints the console's log, with times, to stderr.
"""
import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
import time

QEMU = "qemu-system-riscv64"
BOOT_IMAGE = "boot.tar"
TESTS_IMAGE = "tests.tar"  # the same with the programs of tests and benchmarks
ESCAPES = r"(?:\x1b\[[0-9;?]*[A-Za-z])*"
# The prompt begins a line. Redrawing it while a line is edited sends a carriage return alone before it.
PROMPT = re.compile(r"(?:\A|(?<=\n))\r?" + ESCAPES + r"ftl> ")
PANIC = re.compile(r"kernel panic", re.IGNORECASE)
BOOT_TIMEOUT = 60.0
COMMAND_TIMEOUT = 30.0
QUIET_PROMPT_SECONDS = 1.0  # output without a newline at its end, then a prompt, then this long nothing
PR_SET_PDEATHSIG = 1


def timeout_scale():
    return float(os.environ.get("FTL_TIMEOUT_SCALE", "1"))


class GuestError(Exception):
    """The guest did not do what was waited for."""


class GuestTimeout(GuestError):
    """Not in time."""


class GuestPanic(GuestError):
    """The kernel panicked."""


class GuestExit(GuestError):
    """QEMU ended."""


def qemu_command(build_dir, smp=1, memory="128M", append="", icount=False, cpu=None, machine="virt",
                 allow_reboot=False, kernel=None, boot_image=BOOT_IMAGE, legacy=False, extra=()):
    """The QEMU command line, without where the serial console goes. Without `allow_reboot`, a guest's reboot ends
    QEMU. The kernel is the build's own unless `kernel` names another; the boot image is one of the build's, or lies
    elsewhere; "" is none. `legacy`: virtio devices as of before version 1, QEMU's own default."""
    command = [QEMU, "-M", machine, "-bios", "default", "-smp", str(smp), "-m", memory]
    if not legacy:
        command += ["-global", "virtio-mmio.force-legacy=off"]
    if not allow_reboot:
        command += ["-no-reboot"]
    command += ["-kernel", kernel or os.path.join(build_dir, "ftl.elf")]
    if boot_image:
        command += ["-initrd", os.path.join(build_dir, boot_image)]
    if append:
        command += ["-append", append]
    if icount:
        # Not sleep=off: with an idle guest and no timer set, QEMU 7.2 then stops serving its devices.
        command += ["-icount", "shift=0"]
    if cpu:
        command += ["-cpu", cpu]
    return command + list(extra)


def network(forwards=(), datagrams=()):
    """QEMU options for a network interface on QEMU's user network, where the host is 10.0.2.2. `forwards`: pairs of a
    TCP port of the host's loopback address and the guest's port that it leads to; `datagrams`: the same of UDP."""
    rules = "".join(f",hostfwd={protocol}:127.0.0.1:{host}-:{guest}"
                    for protocol, pairs in (("tcp", forwards), ("udp", datagrams)) for host, guest in pairs)
    return ["-netdev", f"user,id=net0{rules}", "-device", "virtio-net-device,netdev=net0"]


def entropy():
    """QEMU options for a source of randomness: the host's."""
    return ["-object", "rng-random,filename=/dev/urandom,id=rng0", "-device", "virtio-rng-device,rng=rng0"]


def disk(path, number=0, options=""):
    """QEMU options for a disk whose contents are a file's."""
    return ["-drive", f"file={path},format=raw,if=none,id=disk{number}{options}",
            "-device", f"virtio-blk-device,drive=disk{number}"]


def die_with_parent():
    """Runs in the child: the kernel kills it when this process is gone, however that ended."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Guest:
    """One run of QEMU. Options are those of qemu_command(); `mirror` is a binary stream that gets the
    console's bytes as they come."""

    def __init__(self, build_dir, mirror=None, **options):
        # First, so that serial ports among other options are further ones.
        console = ["-display", "none", "-monitor", "none", "-serial", "stdio"]
        self.command = qemu_command(build_dir, **{**options, "extra": [*console, *options.get("extra", ())]})
        self.mirror = mirror
        self.process = None
        self.started = 0.0
        self.changed = threading.Condition()
        # Under `changed`:
        self.pending = ""  # console text not yet consumed by expect()
        self.lines = [[0.0, ""]]  # the whole console: [seconds since start, text] for each line
        self.last_output = 0.0
        self.at_end = False

    def __enter__(self):
        self.started = time.monotonic()
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, preexec_fn=die_with_parent)
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, kind, *_):
        self.process.kill()
        self.process.wait()
        if kind and not self.mirror:
            print(self.log(), file=sys.stderr)

    def _read(self):
        while True:
            chunk = os.read(self.process.stdout.fileno(), 65536)
            self._mirror(chunk)
            with self.changed:
                self.at_end = not chunk
                self._log(chunk.decode("utf-8", "replace"))
                self.changed.notify_all()
            if not chunk:
                return

    def _mirror(self, chunk):
        try:
            if self.mirror:
                self.mirror.write(chunk)
                self.mirror.flush()
        except BrokenPipeError:
            self.mirror = None  # nobody reads any more; the guest goes on

    def _log(self, text):
        now = time.monotonic()
        self.last_output = now
        self.pending += text
        for index, part in enumerate(text.split("\n")):
            if index:
                self.lines.append([now - self.started, ""])
            self.lines[-1][1] += part

    def console(self):
        """The whole console so far."""
        with self.changed:
            return "\n".join(line for _, line in self.lines)

    def log(self):
        """The console so far for a reader: the seconds since the start before each line."""
        with self.changed:
            log = "".join(f"  [{when:8.3f}] {line.rstrip()}\n" for when, line in self.lines)
            return f"console of: {' '.join(self.command)}\n{log}"

    def _wait(self, what, found, timeout):
        """Waits until found() gives a value that is true, and returns it. Fails at the limit, at a panic and at
        QEMU's end."""
        deadline = time.monotonic() + timeout * timeout_scale()
        with self.changed:
            while True:
                value = found()
                if value:
                    return value
                if PANIC.search(self.pending) and (self.at_end or time.monotonic() - self.last_output > 2):
                    raise GuestPanic(f"kernel panic while waiting for {what}")
                if self.at_end:
                    raise GuestExit(f"QEMU ended while waiting for {what}")
                left = deadline - time.monotonic()
                if left <= 0:
                    raise GuestTimeout(f"no {what} within {timeout * timeout_scale():g} s")
                self.changed.wait(min(left, 0.25))

    def _take(self, pattern):
        """Consumes up to the end of the pattern's first match in the pending text."""
        match = pattern.search(self.pending)
        if match:
            self.pending = self.pending[match.end():]
        return match

    def _take_prompt(self):
        """Consumes up to the next prompt; returns a list of the text before it."""
        match = PROMPT.search(self.pending)
        start, end = match.span() if match else (len(self.pending) - len("ftl> "), len(self.pending))
        quiet = time.monotonic() - self.last_output > QUIET_PROMPT_SECONDS
        if not match and not (quiet and self.pending.endswith("ftl> ")):
            return None
        output = self.pending[:start]
        self.pending = self.pending[end:]
        return [output]

    def expect(self, pattern, timeout=COMMAND_TIMEOUT):
        """Waits for a regular expression (MULTILINE) on the console, after what earlier calls consumed. Returns
        the match; everything up to its end is consumed."""
        compiled = re.compile(pattern, re.MULTILINE)
        return self._wait(f"'{pattern}'", lambda: self._take(compiled), timeout)

    def wait_prompt(self, timeout=BOOT_TIMEOUT):
        """Waits for the shell's prompt. Returns the text before it, in lines that end in \\n alone."""
        output = self._wait("shell prompt", self._take_prompt, timeout)[0]
        return output.replace("\r", "")

    def wait_for_drivers(self):
        """Waits for those that init starts by itself, after the first prompt: for tests that count what there is."""
        while " goldfish_rtc " not in self.run("ps"):
            self.run("sleep 0.1")

    def send(self, text):
        """Types text; Enter is \\r."""
        try:
            self.process.stdin.write(text.encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            raise GuestExit(f"QEMU ended before it could be sent {text!r}") from None

    def run(self, command, timeout=COMMAND_TIMEOUT):
        """Has the shell run a command line, from one prompt to the next. Returns the output."""
        self.send(command + "\r")
        self.expect("\n", timeout)  # the end of the echoed line
        return self.wait_prompt(timeout)

    def run_background(self, command, says, timeout=COMMAND_TIMEOUT):
        """run() of a command that ends in &, until its process has printed `says`, which may come before the prompt
        or after it. Returns what was printed up to the prompt, without that line."""
        output = self.run(command, timeout)
        if says in output:
            return output.replace(says, "")
        self.expect(re.escape(says).replace("\\\n", r"\r?\n"), timeout)
        return output

    def status(self):
        """The exit status of the last command."""
        output = self.run("echo $?").strip()
        if not re.fullmatch(r"-?\d+", output):
            raise GuestError(f"`echo $?` printed {output!r}")
        return int(output)

    def run_status(self, command, timeout=COMMAND_TIMEOUT):
        """run() and status() in one: (output, exit status)."""
        output = self.run(command, timeout)
        return output, self.status()

    def wait_exit(self, timeout=COMMAND_TIMEOUT):
        """Waits for QEMU to end by itself. Returns its exit status."""
        deadline = time.monotonic() + timeout * timeout_scale()
        with self.changed:
            while not self.at_end:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise GuestTimeout(f"QEMU did not end within {timeout * timeout_scale():g} s")
                self.changed.wait(left)
        return self.process.wait()
