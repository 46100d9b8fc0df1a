"""The escape suite against the real kernel, from a boot image of its own: attacks that the verifier refuses are refused
when they are loaded, by the same rule; all others run and end as they should. After each of them the kernel's code and
constants, and the memory of the sandbox next door, are what they were. See tests/sandbox/escapes/."""
import io
import json
import os
import re
import socket
import struct
import subprocess
import sys
import tarfile
import tempfile

ESCAPES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sandbox", "escapes")
sys.path.insert(0, ESCAPES)
import attacks  # noqa: E402
from guest import TESTS_IMAGE  # noqa: E402

FAULT = 139
NEIGHBOUR_SIZE = 16 * 4096
# What escape.c's attacks end with: in flavour trap, in flavour mask. "" stands for "contained".
OUTSIDE = "(load|store|atomic access) outside the sandbox|(load|store) page fault|breakpoint"
BAD_JUMP = "jump outside the sandbox|load page fault"
BAD_RETURN = "return outside the sandbox|load page fault"
IN_C = {
    "store_to_kernel": ("store outside the sandbox at address 0xffffffff80200000", "store page fault"),
    "store_to_neighbour": ("store outside the sandbox at address ADDRESS", "|store page fault"),
    "load_from_neighbour": ("load outside the sandbox at address ADDRESS", "|load page fault"),
    "copy_to_neighbour": (OUTSIDE, OUTSIDE),  # memcpy is the C library's, which is of flavour trap
    "store_to_code": ("store page fault",) * 2,
    "store_to_constant": ("store page fault",) * 2,
    "overrun_of_the_window": ("store page fault",) * 2,
    "atomic_at_neighbour": (OUTSIDE, "|store page fault"),
    "huge_frame": (OUTSIDE + "|stack pointer", "|store page fault"),
    "call_data": ("instruction page fault",) * 2,
    "call_into_function": (BAD_JUMP,) * 2,
    "call_kernel": (BAD_JUMP,) * 2,
    "call_neighbour": (BAD_JUMP,) * 2,
    "return_to_data": (BAD_RETURN,) * 2,
    "return_to_kernel": (BAD_RETURN,) * 2,
    "forged_jump_buffer": ("outside the sandbox|page fault",) * 2,
    "overrun_into_a_function_pointer": (BAD_JUMP,) * 2,
    "hostile_arguments": ("",) * 2,
    "hostile_mappings": ("",) * 2,
    "hostile_loading": ("",) * 2,
    "changing_arguments": ("",) * 2,
}

# Programs relocate themselves (user/lib/crt/start.c), so that a relocation is a store like any other. What one in the
# file has changed, relative to the image, and what the program ends with.
RELOCATIONS = {
    "relocation_of_code": (0x1000, "stopped store page fault"),
    "relocation_of_the_gate": (0, "stopped store page fault"),
    "relocation_in_the_next_window": (1 << 32, "stopped store outside the sandbox"),
    "relocation_in_the_kernel": (-(1 << 38), "stopped store outside the sandbox"),
}


class Monitor:
    """QEMU's monitor, for looking at memory from outside."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.lines = self.socket.makefile("r", encoding="utf-8")
        self.lines.readline()  # its greeting
        self.command("qmp_capabilities")

    def command(self, name, **arguments):
        self.socket.sendall(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
        while True:
            answer = json.loads(self.lines.readline())
            if "return" in answer or "error" in answer:
                return answer

    def memory(self, address, size, path):
        """Bytes at a virtual address. A hart that happens to be in user mode or in firmware sees none of the kernel's:
        then again."""
        for _ in range(100):
            answer = self.command("memsave", val=address - (1 << 64), size=size, filename=path)
            if "return" in answer:
                with open(path, "rb") as file:
                    return file.read()
        raise AssertionError(f"no memory at {address:#x}: {answer}")


def kernel_constants(build_dir):
    """(address, bytes) of the kernel's code and read-only data, out of its file."""
    path = os.path.join(build_dir, "ftl.elf")
    output = subprocess.run(["llvm-readelf-19", "-SW", path], check=True, text=True, stdout=subprocess.PIPE).stdout
    pieces = []
    with open(path, "rb") as file:
        for name in (".text", ".rodata"):
            fields = re.search(rf"\] {re.escape(name)} +PROGBITS +(\w+) +(\w+) +(\w+)", output).groups()
            address, offset, size = [int(field, 16) for field in fields]
            file.seek(offset)
            pieces.append((address, file.read(size)))
    return pieces


def make_programs(build_dir, directory, sources=("refused.S", "contained.S")):
    """Builds all attacks. Returns ([name, outcome, path] of those in assembly, {flavour: path} of escape.c)."""
    made = []
    for source in sources:
        made += [(name, outcome if source == "contained.S" else "refused " + outcome, path)
                 for name, outcome, path in attacks.build_all(build_dir, directory, source)]
    in_c = {}
    for flavour in ("trap", "mask"):
        in_c[flavour] = os.path.join(directory, "escape_" + flavour)
        subprocess.run([os.path.join(build_dir, "bin", "ftl-cc"), "--isolation=sandbox", "--flavour=" + flavour, "-O1",
                        "-Wall", "-Wextra", "-Werror", os.path.join(ESCAPES, "escape.c"), "-o", in_c[flavour]],
                       check=True)
    return made, in_c


def make_relocations(build_dir, directory):
    """A program with its first relocation changed, for each place. Returns [name, outcome, path] of each."""
    good = os.path.join(directory, "relocated")
    subprocess.run([os.path.join(build_dir, "bin", "ftl-cc"), "--isolation=sandbox", "-x", "c", "-", "-o", good],
                   input="int main(void) { return 0; }\n", text=True, check=True)
    output = subprocess.run(["llvm-readelf-19", "-SW", good], check=True, text=True, stdout=subprocess.PIPE).stdout
    offset = int(re.search(r"\] \.rela\.dyn +RELA +\w+ +(\w+)", output)[1], 16)
    made = []
    for name, (where, outcome) in RELOCATIONS.items():
        with open(good, "rb") as file:
            data = bytearray(file.read())
        struct.pack_into("<q", data, offset, where)
        with open(os.path.join(directory, name), "wb") as file:
            file.write(data)
        made.append((name, outcome, os.path.join(directory, name)))
    return made


def make_image(build_dir, path, programs):
    """The build's image for tests with these programs, (name, path), as sandboxed apps."""
    with tarfile.open(os.path.join(build_dir, TESTS_IMAGE)) as old, \
            tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as new:
        for entry in old.getmembers():
            new.addfile(entry, old.extractfile(entry))
        for name, program in programs:
            new.add(program, f"bin/{name}.sandbox")
            manifest = attacks.MANIFEST.format(name).encode()
            entry = tarfile.TarInfo(f"bin/{name}.manifest")
            entry.size = len(manifest)
            new.addfile(entry, io.BytesIO(manifest))


class Range:
    """The guest with what must not change in it."""

    def __init__(self, guest, monitor, build_dir, directory):
        self.guest = guest
        self.monitor = monitor
        self.path = os.path.join(directory, "memory")
        says = r"neighbour at (0x[0-9a-f]+)\s"
        output = guest.run("run escape_trap neighbour &")
        self.neighbour = (re.search(says, output) or guest.expect(says))[1]
        self.canaries = kernel_constants(build_dir)
        pattern = bytes((i * 7 + i // 256) % 256 for i in range(NEIGHBOUR_SIZE))
        self.canaries.append((int(self.neighbour, 16), pattern))
        self.check("the start")

    def check(self, when):
        for address, expected in self.canaries:
            found = self.monitor.memory(address, len(expected), self.path)
            assert found == expected, f"memory at {address:#x} changed by {when}"

    def refused(self, name, rule):
        output = self.guest.run(f"run {name}")
        assert f" refused: rule {rule}: " in output, f"{name}: {output}"

    def stopped(self, name, command, cause):
        output, status = self.guest.run_status(command)
        report = re.search(r"stopped: (.*), pc 0x[0-9a-f]+", output)
        assert status == FAULT and report and re.search(cause, report[1]), f"{name}: {status}: {output}"
        self.check(name)

    def exits(self, name, command, wanted):
        output, status = self.guest.run_status(command)
        assert status == wanted, f"{name}: {status}: {output}"
        self.check(name)

    def attack_in_c(self, flavour, name, outcome):
        command = f"run escape_{flavour} {name} {self.neighbour}"
        cause = outcome.replace("ADDRESS", self.neighbour)
        output, status = self.guest.run_status(command)
        report = re.search(r"stopped: (.*), pc 0x[0-9a-f]+", output)
        if status == 0:
            assert cause == "" or cause.startswith("|"), f"{flavour} {name} goes on: {output}"
            assert output.endswith("contained\n"), f"{flavour} {name}: {output}"
        else:
            assert status == FAULT and report and cause and re.search(cause.lstrip("|"), report[1]), \
                f"{flavour} {name}: {status}: {output}"
        self.check(f"{flavour} {name}")


def run_attack(target, name, outcome):
    kind, _, what = outcome.partition(" ")
    if kind == "refused":
        target.refused(name, what.split()[0])
    elif kind == "stopped":
        target.stopped(name, f"run {name}", what)
    else:
        target.exits(name, f"run {name}", int(what))


def attack_all(target, made):
    for name, outcome, _ in made:
        # What follows the end of the code in its last page are zeros: traps, for the loader.
        run_attack(target, name, outcome)
    for column, flavour in enumerate(("trap", "mask")):
        for name, outcomes in IN_C.items():
            target.attack_in_c(flavour, name, outcomes[column])
    assert "escape_trap" in target.guest.run("ps"), "the neighbour is gone"


def test_boots(boot):
    build_dir = boot.args[0]
    with tempfile.TemporaryDirectory() as directory:
        made, in_c = make_programs(build_dir, directory)
        made += make_relocations(build_dir, directory)
        image = os.path.join(directory, "boot.tar")
        make_image(build_dir, image, [(name, path) for name, _, path in made] +
                   [(f"escape_{flavour}", path) for flavour, path in in_c.items()])
        monitor_path = os.path.join(directory, "monitor")
        with boot(boot_image=image, extra=["-qmp", f"unix:{monitor_path},server=on,wait=off"]) as guest:
            guest.wait_prompt()
            monitor = Monitor(monitor_path)
            attack_all(Range(guest, monitor, build_dir, directory), made)
