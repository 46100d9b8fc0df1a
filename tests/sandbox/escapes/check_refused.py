#!/usr/bin/env python3
"""Every attack of refused.S is refused by ftl-verify, by the rule it names, and where its label `bad` is.

    check_refused.py BUILD_DIRECTORY
"""
import os
import re
import subprocess
import sys
import tempfile

import attacks

REFUSAL = re.compile(r": (?:0x)?([0-9a-f]+)\b.*: ([A-Z_]+): ")


def label(program):
    """Where the attack says that it is bad; None if it does not."""
    symbols = subprocess.run(["llvm-nm-19", program], check=True, text=True, stdout=subprocess.PIPE).stdout
    match = re.search(r"^([0-9a-f]+) . bad$", symbols, re.MULTILINE)
    return int(match[1], 16) if match else None


def complaint(build_dir, rule, program):
    result = subprocess.run([os.path.join(build_dir, "bin", "ftl-verify"), program], text=True, check=False,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    match = REFUSAL.search(result.stdout)
    where = label(program)
    if result.returncode == 0:
        return "accepted"
    if not match or match[2] != rule:
        return f"refused, but not by {rule}: {result.stdout}"
    if where is not None and int(match[1], 16) != where:
        return f"refused, but not at {where:#x}: {result.stdout}"
    return None


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build_dir = sys.argv[1]
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        made = attacks.build_all(build_dir, directory, "refused.S")
        for name, outcome, program in made:
            text = complaint(build_dir, outcome.split()[0], program)
            failed += text is not None
            print(f"{name}: {text or 'refused by ' + outcome}")
    if failed or len(made) < 100:
        sys.exit(f"{failed} of {len(made)} attacks are not refused as they should be")


if __name__ == "__main__":
    main()
