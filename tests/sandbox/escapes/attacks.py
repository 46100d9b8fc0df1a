"""Attacks on the sandbox, written in assembly: what refused.S and contained.S hold, and how they become programs."""
import concurrent.futures
import os
import re
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
CC, LLD = "clang-19", "ld.lld-19"
COMPILE = [CC, "--target=riscv64-unknown-elf", "-march=rv64g_zba_zbb", "-mabi=lp64d", "-mno-relax",
           "-c", "-x", "assembler-with-cpp"]
LINK = [LLD, "-melf64lriscv", "-pie", "--no-dynamic-linker", "-z", "max-page-size=4096", "-z", "norelro", "-z",
        "nognustack", "--build-id=none", "--no-eh-frame-hdr", "--no-relax"]
ATTACK = re.compile(r"^//! (\w+): (.*)\n", re.MULTILINE)
NUMBER = re.compile(r"^ +(FTL_CALL_\w+) = (\d+)", re.MULTILINE)
MANIFEST = "name = {}\nisolation = sandbox\ngrants = console\nmemory = 16M\ndescription =\n"


def read(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return file.read()


def attacks(source):
    """Yields (name, outcome, body) for each attack of a source file."""
    parts = ATTACK.split(read(source))
    yield from zip(parts[1::3], parts[2::3], parts[3::3])


def call_numbers(build_dir):
    with open(os.path.join(build_dir, "generated", "include", "ftl", "call_numbers.h"), encoding="utf-8") as file:
        return "".join(f"    .equ {name}, {number}\n" for name, number in NUMBER.findall(file.read()))


def build(build_dir, directory, name, outcome, body):
    """Makes the program DIRECTORY/NAME of one attack. Returns its path."""
    program = os.path.join(directory, name)
    end = "" if outcome.endswith("bare") else "    .text\n    unimp\n"
    text = call_numbers(build_dir) + read("prelude.S") + body + end
    subprocess.run(COMPILE + ["-o", program + ".o", "-"], input=text, text=True, check=True)
    entry = ["-e", "entry"] if "entry:" in body else []
    script = os.path.join(build_dir, "sysroot", "sandbox", "lib", "link.ld")
    subprocess.run(LINK + entry + ["-T", script, "-o", program, program + ".o"], check=True)
    return program


def build_all(build_dir, directory, source):
    """Makes the programs of all attacks of a source file. Returns a list of (name, outcome, path)."""
    def make(attack):
        name, outcome, body = attack
        return name, outcome, build(build_dir, directory, name, outcome, body)

    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(pool.map(make, attacks(source)))
