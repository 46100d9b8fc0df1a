"""What scripts share: where things are, setting up and building."""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD_DIR = os.path.join(ROOT, "build")


def preset_dir(preset):
    """The build directory of a preset (CMakePresets.json)."""
    return os.path.join(BUILD_DIR, preset)


DEFAULT_BUILD_DIR = preset_dir("default")


def _quietly(command, what):
    """Runs a command in the repository's root; shows its output only when it fails, and ends the script."""
    result = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, check=False)
    if result.returncode:
        sys.stderr.buffer.write(result.stdout)
        sys.exit(f"error: {what} failed: {' '.join(command)}")


def setup(*arguments):
    """Runs scripts/setup, unless FTL_NO_SETUP is set to something."""
    if not os.environ.get("FTL_NO_SETUP"):
        if subprocess.run([os.path.join(ROOT, "scripts", "setup"), *arguments], check=False).returncode:
            sys.exit("error: scripts/setup failed")


def build(build_dir, target="image"):
    """Brings kernel and boot image (or another target) in the build directory up to date, configuring it first if it
    is new."""
    if not os.path.exists(os.path.join(build_dir, "CMakeCache.txt")):
        print(f"configuring {build_dir}", file=sys.stderr)
        parent, name = os.path.split(os.path.abspath(build_dir))
        if parent == BUILD_DIR and name in ("default", "debug", "release"):
            _quietly(["cmake", "--preset", name], "configuring")
        else:
            _quietly(["cmake", "-S", ROOT, "-B", build_dir], "configuring")
    print(f"building {os.path.relpath(build_dir)}", file=sys.stderr)
    _quietly(["cmake", "--build", build_dir, "--target", target, "--parallel", str(os.cpu_count() or 1)],
             "the build")


def require_image(build_dir, boot_image):
    """Ends the script unless the build directory holds the kernel and this boot image."""
    for name in ("ftl.elf", boot_image):
        if not os.path.exists(os.path.join(build_dir, name)):
            sys.exit(f"error: {os.path.join(build_dir, name)} is missing: build first")


def files(*patterns):
    """Our files that match git's patterns, tracked or new but not ignored, relative to the root, sorted."""
    command = ["git", "-c", f"safe.directory={ROOT}", "-C", ROOT, "ls-files", "-z", "--cached", "--others",
               "--exclude-standard", "--", *patterns]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    names = set(output.decode().split("\0")) - {""}
    return sorted(name for name in names if os.path.isfile(os.path.join(ROOT, name)))
