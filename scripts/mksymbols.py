#!/usr/bin/env python3
"""Makes the kernel's function table for backtraces (kernel/symbols.c) from a linked kernel.

    mksymbols.py --empty -o symbols.S          the table of a first link
    mksymbols.py ftl.stage1.elf -o symbols.S   the table of that link's functions, for the final link
    ... --lines FILE                           and of its source lines, which scripts/mklines.py made
    mksymbols.py ftl.elf --check symbols.S     fails unless the final link's functions are those of the table

The table is in .rodata.symbols, which the linker script puts behind all text: its size changes no function's
address, so one second link is enough. It has no relocations.
"""
import argparse
import subprocess
import sys

PAGE_SIZE = 4096
# nm's letters for code, the better ones to name an address by first: global, weak, local.
CODE_TYPES = "TWt"


def read_functions(nm, elf):
    """Returns ([(address, name)] ascending with one name for each address, end of the last one)."""
    output = subprocess.run([nm, "--defined-only", "--print-size", elf], check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    best = {}
    end = 0
    for line in output.splitlines():
        fields = line.split()
        if len(fields) < 3 or fields[-2] not in CODE_TYPES or fields[-1].startswith(("$", ".L")):
            continue
        address = int(fields[0], 16)
        size = int(fields[1], 16) if len(fields) == 4 else 0
        rank = (CODE_TYPES.index(fields[-2]), fields[-1])
        best[address] = min(best.get(address, rank), rank)
        end = max(end, address + size, address + 1)
    return [(address, best[address][1]) for address in sorted(best)], end


def format_table(functions, end, line_table):
    """Returns the assembly text of the tables; struct symbol_table in kernel/symbols.c has the same layout."""
    base = functions[0][0] if functions else 0
    # Whole pages: functions in assembly may lack a size, and no text shares a page with anything else.
    size = -(-end // PAGE_SIZE) * PAGE_SIZE - base
    lines = [
        "/* Made by scripts/mksymbols.py. */",
        '    .section .rodata.symbols, "a", %progbits',
        "    .balign 8",
        "    .globl symbols_table",
        "symbols_table:",
        f"    .8byte {base:#x}",
        f"    .4byte {size:#x}, {len(functions)}",
    ]
    lines += [f"    .4byte {address - base:#x}" for address, _ in functions]
    offset = 0
    for _, name in functions:
        lines.append(f"    .4byte {offset}")
        offset += len(name.encode()) + 1
    lines += [f'    .asciz "{name}"' for _, name in functions]
    lines += ["    .size symbols_table, . - symbols_table"]
    lines += ["    .globl symbols_lines, symbols_lines_end", "symbols_lines:"]
    lines += [f'    .incbin "{line_table}"'] if line_table else []
    lines += ["symbols_lines_end:", '    .section .note.GNU-stack, "", %progbits']
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("elf", nargs="?", help="the linked kernel")
    parser.add_argument("--empty", action="store_true", help="make a table without functions")
    parser.add_argument("--check", metavar="FILE", help="compare with this table instead of writing one")
    parser.add_argument("--lines", metavar="FILE", help="a table of source lines to include")
    parser.add_argument("--nm", default="llvm-nm-19", help="nm program (default: %(default)s)")
    parser.add_argument("-o", "--output", help="assembly file to write")
    args = parser.parse_args()
    if args.empty == (args.elf is not None) or (args.check is None) == (args.output is None):
        parser.error("give an ELF file or --empty, and --check or -o")

    functions, end = ([], 0) if args.empty else read_functions(args.nm, args.elf)
    if not args.empty and not functions:
        sys.exit(f"mksymbols: {args.elf} has no functions")
    text = format_table(functions, end, args.lines)
    if args.check:
        with open(args.check, encoding="ascii") as file:
            if file.read() != text:
                sys.exit(f"mksymbols: the functions of {args.elf} are not those of {args.check}: "
                         "the second link moved the text")
        return
    with open(args.output, "w", encoding="ascii") as file:
        file.write(text)


if __name__ == "__main__":
    main()
