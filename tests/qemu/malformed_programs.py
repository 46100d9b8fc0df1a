"""Programs whose ELF files are malformed, in both isolations: each is refused with an error that says what is wrong,
and leaves nothing. See tests/unit/test_elf.c for the checks one by one, tests/fuzz/fuzz_elf.c for any bytes."""
import io
import os
import re
import struct
import tarfile
import tempfile

PROGRAM = "nothing"
PAGE = 4096
HEADER, SEGMENT = 64, 56
PT_LOAD, PT_NOTE = 1, 4
EXEC_WRITE_READ = 7
# Offsets in the header and in a program header: ELF-64 object file format 1.5.
TYPE, MACHINE, VERSION, ENTRY, PHOFF, SHOFF, FLAGS, PHENTSIZE, PHNUM, SHENTSIZE, SHNUM = \
    16, 18, 20, 24, 32, 40, 48, 54, 56, 58, 60
P_TYPE, P_FLAGS, P_OFFSET, P_VADDR, P_FILESZ, P_MEMSZ = 0, 4, 8, 16, 32, 40


def put(layout, offset, value):
    def change(data):
        struct.pack_into("<" + layout, data, offset, value)
    return change


def segment(number, layout, field, value):
    """Changes the program header with this number."""
    return put(layout, HEADER + number * SEGMENT + field, value)


def cut(size):
    def change(data):
        del data[size:]
    return change


def note(word, value):
    """Changes a word behind the name in the FTL note."""
    def change(data):
        count = struct.unpack_from("<H", data, PHNUM)[0]
        for at in range(HEADER, HEADER + count * SEGMENT, SEGMENT):
            if struct.unpack_from("<I", data, at)[0] == PT_NOTE:
                offset = struct.unpack_from("<Q", data, at + P_OFFSET)[0]
                struct.pack_into("<I", data, offset + 16 + 4 * word, value)
    return change


def swap_segments(data):
    first, second = slice(HEADER, HEADER + SEGMENT), slice(HEADER + SEGMENT, HEADER + 2 * SEGMENT)
    data[first], data[second] = data[second], data[first]


# What is done to the file: what the error must say.
MALFORMED = [
    (cut(0), "too few"),
    (cut(HEADER - 1), "63 bytes are too few"),
    (cut(HEADER), "the program headers are outside the file"),
    (cut(HEADER + SEGMENT), "the program headers are outside the file"),
    (cut(2 * PAGE), "segment 0 is outside the file"),
    (put("B", 0, 0), "bad magic number"),
    (put("B", 4, 1), "ELF class 1 is not 64-bit"),
    (put("B", 5, 2), "ELF data encoding 2 is not little-endian"),
    (put("B", 6, 9), "ELF version 9 is not 1"),
    (put("H", TYPE, 2), "ELF type 2 is not a position-independent executable"),
    (put("H", MACHINE, 62), "ELF machine 62 is not RISC-V"),
    (put("I", FLAGS, 8), "RV64E"),
    (put("H", PHENTSIZE, 32), "program headers of 32 bytes, not 56"),
    (put("H", PHNUM, 0xffff), "65535 program headers, more than 64"),
    (put("H", PHNUM, 0), "there is no segment to load"),
    (put("Q", PHOFF, 1 << 63), "the program headers are outside the file"),
    (put("Q", PHOFF, (1 << 64) - 8), "the program headers are outside the file"),
    (put("H", SHENTSIZE, 8), "section headers of 8 bytes, not 64"),
    (put("H", SHNUM, 0xfff0), "65520 sections, more than 1024"),
    (put("Q", SHOFF, 1 << 62), "the section headers are outside the file"),
    (put("Q", ENTRY, 1 << 40), "the entry point 0x10000000000 is not in an executable segment"),
    (put("Q", ENTRY, (1 << 64) - 4), "is not in an executable segment"),
    (segment(1, "I", P_FLAGS, EXEC_WRITE_READ), "segment 1 is writable and executable"),
    (segment(0, "I", P_FLAGS, EXEC_WRITE_READ), "segment 0 is writable and executable"),
    (segment(0, "I", P_FLAGS, 1), "segment 0 is not readable"),
    (segment(0, "Q", P_MEMSZ, 0), "segment 0 is empty"),
    (segment(0, "Q", P_MEMSZ, 16), "segment 0 has more bytes in the file than in memory"),
    (segment(0, "Q", P_MEMSZ, (1 << 64) - 1), "segment 0 ends beyond the"),
    (segment(2, "Q", P_MEMSZ, 1 << 40), "segment 2 ends beyond the"),
    (segment(1, "Q", P_VADDR, (1 << 64) - PAGE), "segment 1 ends beyond the"),
    (segment(1, "Q", P_VADDR, 0), "overlap"),
    (segment(0, "Q", P_OFFSET, (1 << 64) - PAGE), "segment 0 is outside the file"),
    (segment(0, "Q", P_OFFSET, PAGE + 8), "file offset and address differ within a page"),
    (swap_segments, "not in ascending order|not in an executable segment|overlap"),
    (segment(1, "I", P_TYPE, 3), "needs a program interpreter"),
    (note(0, 99), "built for FTL ABI 99"),
    (note(1, 7), "not built for"),
    (note(2, 7), "the FTL note's flavour 7"),
    (note(3, 1 << 20), "needs unknown ISA extensions 0x100000"),
]
IN_A_SANDBOX = [
    (put("I", FLAGS, 1), "sandboxed code must not have compressed instructions"),
    (put("Q", ENTRY, 8), "the entry point is in the gate's page"),
    (segment(0, "Q", P_FILESZ, 4096), "no code behind the gate's page|not in an executable segment"),
    (put("Q", ENTRY, 0x1014), "the entry point is not a landing pad"),
]


def read_program(image, isolation):
    with tarfile.open(image) as tar:
        return tar.extractfile(f"bin/{PROGRAM}.{isolation}").read()


def add_file(tar, name, data):
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def make_image(old, path):
    """The boot image with all malformed programs. Returns [(name, isolation, what the error must say)]."""
    wanted = []
    with tarfile.open(old) as source, tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for entry in source.getmembers():
            tar.addfile(entry, source.extractfile(entry))
        for isolation, more in (("user", []), ("sandbox", IN_A_SANDBOX)):
            for number, (change, text) in enumerate(MALFORMED + more):
                name = f"bad_{isolation}_{number}"
                data = bytearray(read_program(old, isolation))
                change(data)
                add_file(tar, f"bin/{name}.{isolation}", data)
                add_file(tar, f"bin/{name}.manifest", f"name = {name}\nisolation = {isolation}\n".encode())
                wanted.append((name, isolation, text))
    return wanted


def free_kib(guest):
    return int(re.search(r"^free +(\d+) KiB", guest.run("mem"), re.M)[1])


def test_boots(boot):
    with tempfile.TemporaryDirectory() as directory:
        image = os.path.join(directory, "boot.tar")
        wanted = make_image(os.path.join(boot.args[0], boot.keywords["boot_image"]), image)
        with boot(boot_image=image) as guest:
            guest.wait_prompt()
            for round_number in range(2):  # what is made once and stays, is made in the first
                before = free_kib(guest), guest.run("ps").count("\n")
                for name, isolation, text in wanted:
                    output, status = guest.run_status(f"run {name}")
                    assert status == 126, f"{name}, which says that {text}: status {status}: {output}"
                    assert re.search(text, output), f"{name} ({isolation}) does not say that {text}: {output}"
                after = free_kib(guest), guest.run("ps").count("\n")
                # Less than a page for each is the shell's own heap.
                assert round_number == 0 or (after[0] > before[0] - 64 and after[1] == before[1]), (before, after)
                assert guest.run_status(f"run {PROGRAM}")[1] == 0
