#!/usr/bin/env python3
"""Makes the table of source lines (section .ftl.lines, see FTL_LINES_TYPE in <ftl/sandbox_abi.h>) of a linked program
out of its debug information, for the kernel's reports.

    mklines.py PROGRAM -o FILE [--root DIRECTORY] [--dwarfdump NAME]

Names of files are made relative to --root. A program without debug information gets a table without lines.
"""
import argparse
import os
import re
import struct
import subprocess

DIRECTORY = re.compile(r'include_directories\[ *(\d+)\] = "(.*)"')
FILE = re.compile(r"file_names\[ *(\d+)\]:")
NAME = re.compile(r' +name: "(.*)"')
FILE_DIRECTORY = re.compile(r" +dir_index: (\d+)")
ROW = re.compile(r"0x([0-9a-f]{16}) +(\d+) +\d+ +(\d+) ")


def read_sequences(dwarfdump, program):
    """Yields lists of (address, file, line), ascending, one list for each run of code without holes. The last row
    says where the run ends, its line is 0. Code that several lines share, such as a trap of several checks, is of no
    line by the compiler's word: it gets that where the run begins, which is a function's with -ffunction-sections."""
    dump = subprocess.run([dwarfdump, "--debug-line", program], check=True, text=True, stdout=subprocess.PIPE)
    directories, files, number, rows = {}, {}, 0, []
    for line in dump.stdout.splitlines():
        if line.startswith("Line table prologue"):
            directories, files = {}, {}
        elif match := DIRECTORY.match(line):
            directories[int(match[1])] = match[2]
        elif match := FILE.match(line):
            number = int(match[1])
        elif match := NAME.match(line):
            files[number] = match[1]
        elif match := FILE_DIRECTORY.match(line):
            base = directories.get(int(match[1]), "")
            files[number] = os.path.join(directories.get(0, ""), base, files[number])
        elif match := ROW.match(line):
            ends = "end_sequence" in line
            place = (files.get(int(match[3]), ""), int(match[2]))
            if place[1] == 0 and rows:
                place = rows[0][1:]
            rows.append((int(match[1], 16), place[0], 0 if ends else place[1]))
            if ends:
                yield rows
                rows = []


def read_rows(dwarfdump, program):
    """All rows by address, without those that repeat the place before."""
    # What the linker dropped has address 0.
    sequences = [rows for rows in read_sequences(dwarfdump, program) if rows[0][0] != 0]
    merged = []
    for rows in sorted(sequences):
        for address, file, line in rows:
            if line == 0:
                file = merged[-1][1]
            if merged and merged[-1][0] == address:
                merged.pop()
            if not merged or merged[-1][1:] != (file, line):
                merged.append((address, file, line))
    return merged


def number(value):
    """A number of any size: 7 bits a byte, the low ones first, bit 7 says that more follow."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode(rows, root):
    names = []
    out = bytearray()
    address, file, line = 0, None, 0
    for next_address, next_file, next_line in rows:
        difference = next_line - line
        folded = 2 * difference if difference >= 0 else -2 * difference - 1
        out += number(next_address - address) + number(2 * folded + (next_file != file))
        if next_file != file:
            name = os.path.relpath(next_file, root)
            if name not in names:
                names.append(name)
            out += number(names.index(name))
        address, file, line = next_address, next_file, next_line
    text = b"".join(name.encode() + b"\0" for name in names)
    return struct.pack("<II", len(out), len(text)) + out + text


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--root", default=".", help="names of files are relative to it (default: here)")
    parser.add_argument("--dwarfdump", default="llvm-dwarfdump-19", help="(default: %(default)s)")
    arguments = parser.parse_args()
    table = encode(read_rows(arguments.dwarfdump, arguments.program), os.path.abspath(arguments.root))
    with open(arguments.output, "wb") as file:
        file.write(table)


if __name__ == "__main__":
    main()
