#!/usr/bin/env python3
"""Checks that the kernel's leaf calls use no registers but those which entry.S clears after them, and no stack.

  leaf.py --objdump PROGRAM --kernel FILE
"""
import argparse
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
import gencalls  # noqa: E402

PERMITTED = {"zero", "tp", "t0", "t1", "a0", "a1"}
REGISTER = re.compile(r"\b(zero|ra|sp|gp|tp|fp|[ast]\d+|f[ast]\d+|x\d+)\b")


def findings(objdump, kernel, symbol):
    """What is wrong with a function, a line each; its end must be `ret`."""
    text = subprocess.run([objdump, "-d", "--no-show-raw-insn",
                           f"--disassemble-symbols={symbol}", kernel], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    lines = [line.split(":", 1)[1].strip() for line in text.splitlines() if re.match(r"\s*[0-9a-f]+:\s", line)]
    code = [re.sub(r"<.*>", "", line) for line in lines]
    if not code or code[-1] != "ret":
        return [f"{symbol}: does not end with ret"]
    return [f"{symbol}: {line}" for line in code if set(REGISTER.findall(line)) - PERMITTED]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--objdump", required=True)
    parser.add_argument("--kernel", required=True)
    arguments = parser.parse_args()
    calls = gencalls.parse(os.path.join(ROOT, "user", "lib", "include", "ftl", "calls.def"))
    leaves = [call.name for call in calls if call.is_leaf]
    wrong = [line for name in leaves for line in findings(arguments.objdump, arguments.kernel, f"sys_{name}")]
    print("\n".join(wrong + [f"{len(leaves)} leaf calls, {len(wrong)} findings"]))
    sys.exit(1 if wrong or not leaves else 0)


if __name__ == "__main__":
    main()
