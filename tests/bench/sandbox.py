"""Executed instructions of programs in a sandbox against plain ones, flavour by flavour; the verifier's speed.

`plain` is the user-mode program, `plain-no-zba` the same for harts without Zba and Zbb; `trap`, `mask` and their
-no-zba variants are sandboxed, with the whole C library. A ratio is to the plain program for the same harts. Each
variant must compute the same.
"""
import math
import os
import re
import statistics
import subprocess

TARGET = "bench_image"
PLAIN = ("plain", "plain-no-zba")
SANDBOXED = (("trap", "plain"), ("mask", "plain"), ("trap-no-zba", "plain-no-zba"), ("mask-no-zba", "plain-no-zba"))
VERIFICATIONS = 20


def run(guest, variant):
    """Workload -> (instructions, result)."""
    output = guest.run(f"run {variant}", timeout=600)
    lines = re.findall(r"^([a-z.0-9]+) (\d+) ([0-9a-f]{16})$", output, re.MULTILINE)
    if not lines or guest.status() != 0:
        raise ValueError(f"workloads ({variant}) printed:\n{output}")
    return {name: (int(count), result) for name, count, result in lines}


def geometric_mean(numbers):
    return math.exp(statistics.fmean(math.log(number) for number in numbers))


def verify_speed(build_dir, variant):
    """Bytes of code a second of processor time, the best of some runs: the others were disturbed."""
    tool = os.path.join(build_dir, "bin", "ftl-verify")
    program = os.path.join(build_dir, "boot", "bin", f"{variant}.sandbox")
    speeds = []
    for _ in range(VERIFICATIONS):
        output = subprocess.run([tool, "--time", program], check=True, stdout=subprocess.PIPE, text=True).stdout
        size, seconds = re.match(r"(\d+) bytes of code in ([\d.]+) s", output).groups()
        speeds.append(int(size) / float(seconds))
    return round(max(speeds))


def measure(boot):
    with boot(smp=1, boot_image=os.path.join(boot.build_dir, "bench.tar")) as guest:
        guest.wait_prompt()
        runs = {variant: run(guest, variant) for variant in PLAIN + tuple(name for name, _ in SANDBOXED)}
    figures = {}
    for variant, workloads in runs.items():
        for name, (count, result) in workloads.items():
            if result != runs["plain"][name][1]:
                raise ValueError(f"{name}: {variant} computed {result}, plain {runs['plain'][name][1]}")
            figures[f"instructions.{name}.{variant}"] = count
    for variant, plain in SANDBOXED:
        ratios = {name: count / runs[plain][name][0] for name, (count, _) in runs[variant].items()}
        for name, ratio in ratios.items():
            figures[f"ratio.{name}.{variant}"] = round(ratio, 4)
        for kind in ("kernel", "library"):
            figures[f"ratio.{kind}.geomean.{variant}"] = round(
                geometric_mean([ratio for name, ratio in ratios.items() if name.startswith(kind)]), 4)
    figures["verify_bytes_per_second"] = verify_speed(boot.build_dir, "trap")
    return figures
