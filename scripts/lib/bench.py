"""scripts/bench: runs benchmarks. Each is a module tests/bench/NAME.py with

    def measure(boot): ...   # -> {metric: number}; boot(**options) is a guest.Guest that counts instructions, with
                             # the programs of tests
    TARGET = "bench_image"   # optional: what to build besides kernel and boot image, with the sources that needs

and its first docstring line says what it measures. Metrics get "NAME." before their names. boot.build_dir is the
build directory.
"""
import argparse
import ast
import functools
import importlib
import json
import os
import signal
import sys

import project
from guest import TESTS_IMAGE, Guest, GuestError

BENCH_DIR = os.path.join(project.ROOT, "tests", "bench")


def benchmarks():
    """Name -> what it measures."""
    found = {}
    for file_name in sorted(os.listdir(BENCH_DIR)):
        name, extension = os.path.splitext(file_name)
        if extension == ".py":
            with open(os.path.join(BENCH_DIR, file_name), encoding="utf-8") as file:
                found[name] = (ast.get_docstring(ast.parse(file.read())) or "").split("\n")[0]
    return found


def parse_arguments(known):
    parser = argparse.ArgumentParser(
        prog="scripts/bench", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Builds FTL and runs benchmarks in QEMU, where virtual time counts instructions.",
        epilog="benchmarks:\n" + "\n".join(f"  {name:10} {text}" for name, text in known.items()))
    parser.add_argument("names", nargs="+", metavar="NAME", help="a benchmark, see below")
    parser.add_argument("--json", metavar="FILE", help="also write one object, metric to number, into FILE")
    parser.add_argument("--preset", choices=["default", "debug", "release"], default="release",
                        help="what to build and measure (default: release)")
    parser.add_argument("--build-dir", type=os.path.abspath, metavar="DIR",
                        help="measure this build directory instead of a preset's")
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in known:
            parser.error(f"there is no benchmark '{name}', only: {', '.join(known)}")
    return arguments


def main():
    arguments = parse_arguments(benchmarks())
    build_dir = arguments.build_dir or project.preset_dir(arguments.preset)
    project.setup()
    project.build(build_dir, "tests_image")
    project.require_image(build_dir, TESTS_IMAGE)
    sys.path.insert(0, BENCH_DIR)
    figures = {}
    for name in arguments.names:
        module = importlib.import_module(name)
        if hasattr(module, "TARGET"):
            project.setup("--bench")
            project.build(build_dir, module.TARGET)
        boot = functools.partial(Guest, build_dir, icount=True, boot_image=TESTS_IMAGE)
        boot.build_dir = build_dir
        measured = module.measure(boot)
        figures.update((f"{name}.{metric}", number) for metric, number in measured.items())
    for metric, number in figures.items():
        print(f"{metric:40} {number:>15,}")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=4)
            file.write("\n")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        main()
    except GuestError as error:
        sys.exit(f"bench: {error}")
