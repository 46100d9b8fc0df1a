#!/usr/bin/env python3
"""Runs clang-tidy over every C file of ours that the build directory's compile_commands.json compiles.

A file that passed is not looked at again until anything in it, or in what it includes, or the checks change:
the hash of the preprocessed text, comments included, is kept in BUILD/tidy/.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import shlex
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts", "lib"))
import project  # noqa: E402

TIDY = "clang-tidy-19"
DROPPED_WITH_VALUE = ("-o", "-MF", "-MT", "-MQ")
DROPPED = ("-c", "-MD", "-MMD")


def compile_commands(build_dir):
    """File of ours -> (directory, compiler's words without outputs). One command a file: the
    first."""
    ours = {os.path.join(project.ROOT, name) for name in project.files("*.c")}
    commands = {}
    with open(os.path.join(build_dir, "compile_commands.json"), encoding="utf-8") as file:
        for entry in json.load(file):
            path = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
            if path in ours:
                commands.setdefault(path, (entry["directory"], input_words(shlex.split(entry["command"]))))
    return commands


def input_words(words):
    kept, skip = [], False
    for word in words:
        if skip or word in DROPPED:
            skip = False
        elif word in DROPPED_WITH_VALUE:
            skip = True
        else:
            kept.append(word)
    return kept


def digest(directory, words, checks):
    """Hash of all that the verdict depends on, or None when the file does not even preprocess."""
    result = subprocess.run(words + ["-E", "-CC"], cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            check=False)
    if result.returncode:
        return None
    return hashlib.sha256("\0".join([checks, *words]).encode() + result.stdout).hexdigest()


def check(path, directory, words, checks, stamps):
    """Returns what clang-tidy has against a file, "" for nothing."""
    name = os.path.relpath(path, project.ROOT)
    stamp = os.path.join(stamps, name.replace("/", "%"))
    before = digest(directory, words, checks)
    if before and os.path.exists(stamp):
        with open(stamp, encoding="utf-8") as file:
            if file.read() == before:
                return ""
    result = subprocess.run([TIDY, "--quiet", path, "--", *words[1:]], cwd=directory, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if result.returncode:
        return result.stdout + (result.stderr if not result.stdout else "")
    if before:
        with open(stamp, "w", encoding="utf-8") as file:
            file.write(before)
    return ""


def main():
    parser = argparse.ArgumentParser(description="Runs clang-tidy over our C files.")
    parser.add_argument("--build-dir", default=project.DEFAULT_BUILD_DIR)
    parser.add_argument("files", nargs="*", metavar="FILE", help="(default: all)")
    arguments = parser.parse_args()
    wanted = {os.path.abspath(name) for name in arguments.files}
    stamps = os.path.join(arguments.build_dir, "tidy")
    os.makedirs(stamps, exist_ok=True)
    with open(os.path.join(project.ROOT, ".clang-tidy"), encoding="utf-8") as file:
        checks = file.read()

    commands = compile_commands(arguments.build_dir)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        verdicts = [pool.submit(check, path, directory, words, checks, stamps)
                    for path, (directory, words) in sorted(commands.items()) if not wanted or path in wanted]
        failed = 0
        for verdict in verdicts:
            if verdict.result():
                print(verdict.result())
                failed += 1
    print(f"{len(verdicts)} files, {failed} with findings")
    sys.exit(1 if failed or not verdicts else 0)


if __name__ == "__main__":
    main()
