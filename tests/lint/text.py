#!/usr/bin/env python3
"""Checks what holds for text files of every kind: encoding, blanks, line ends, no address of a package mirror
or registry, scripts that parse and (shell) that shellcheck accepts."""
import argparse
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts", "lib"))
import project  # noqa: E402

WIDTH = 120
TABS_ALLOWED = re.compile(r"(^|/)(Makefile|.*\.mk|\.gitmodules)$")
PROSE = re.compile(r"\.md$|(^|/)(LICENSE|deps\.list)$")
# Where packages come from is the system's business, known at run time only. The dots are escaped so that
# this file does not match itself.
MIRRORS = re.compile(r"(deb|security|ftp\w*|snapshot|archive)\.debian\.org|registry\.npmjs\.org|pypi\.org|"
                     r"files\.pythonhosted\.org|crates\.io|proxy\.golang\.org|archive\.ubuntu\.com", re.IGNORECASE)


def text_findings(name, data):
    """Yields (line number, what is wrong)."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        yield data.count(b"\n", 0, error.start) + 1, "not UTF-8"
        return
    if text and not text.endswith("\n"):
        yield text.count("\n") + 1, "no newline at the end"
    for number, line in enumerate(text.split("\n"), 1):
        if line != line.rstrip():
            yield number, "blanks or carriage return at the end of the line"
        if "\t" in line and not TABS_ALLOWED.search(name):
            yield number, "tab"
        if not PROSE.search(name):
            if not line.isascii():
                yield number, "not ASCII"
            if len(line) > WIDTH:
                yield number, f"longer than {WIDTH} columns"
        if MIRRORS.search(line):
            yield number, "names a package mirror or registry"


def script_findings(name, data, shellcheck):
    """Yields texts of what is wrong with a script."""
    first = data.split(b"\n", 1)[0]
    is_script = first.startswith(b"#!")
    if is_script and not os.access(os.path.join(project.ROOT, name), os.X_OK):
        yield f"{name}:1: has an interpreter line but is not executable"
    if name.endswith(".py") or (is_script and b"python" in first):
        try:
            compile(data, name, "exec")
        except SyntaxError as error:
            yield f"{name}:{error.lineno}: {error.msg}"
    elif name.endswith(".sh") or (is_script and b"sh" in first):
        result = subprocess.run([shellcheck, "--format=gcc", name], cwd=project.ROOT, stdout=subprocess.PIPE, text=True,
                                check=False)
        if result.returncode:
            yield result.stdout.rstrip()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shellcheck", default="shellcheck")
    arguments = parser.parse_args()
    findings = []
    names = project.files()
    for name in names:
        with open(os.path.join(project.ROOT, name), "rb") as file:
            data = file.read()
        findings += [f"{name}:{number}: {what}" for number, what in text_findings(name, data)]
        findings += script_findings(name, data, arguments.shellcheck)
    print("\n".join(findings + [f"{len(names)} files, {len(findings)} findings"]))
    sys.exit(1 if findings or not names else 0)


if __name__ == "__main__":
    main()
