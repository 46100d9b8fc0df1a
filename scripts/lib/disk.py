"""scripts/disk: disk images for FTL, with the host's e2fsprogs. Needs no root.

    scripts/disk make disk.img 256M --from folder       an ext4 file system with what is in a folder
    scripts/disk list disk.img /music
    scripts/disk add disk.img song.ogg /music           files and folders into a folder of the image
    scripts/disk extract disk.img /music copies         a file or folder to the host
    scripts/disk check disk.img [--repair]

An image that a running system has is left alone. What a system that was killed has left in the journal is brought in
before anything else, as FTL does it when it mounts the disk; only `check` without --repair changes nothing.
"""
import argparse
import contextlib
import fcntl
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass

MIB = 1 << 20
UNITS = {"": 1, "K": 1 << 10, "M": MIB, "G": 1 << 30, "T": 1 << 40}
LARGE_BLOCKS_FROM = 16 * MIB  # smaller file systems have blocks of 1 KiB, which leave more of them for files
SIZE_MIN = MIB
LABEL_MAX = 16
SUPERBLOCK = 1024
MAGIC = b"\x53\xef"
NEEDS_RECOVERY = 4
CORRECTED = 1  # e2fsck's exit status when all is right now
PATH = os.environ["PATH"] + os.pathsep + "/usr/sbin" + os.pathsep + "/sbin"  # where Debian has e2fsprogs
ENVIRONMENT = {**os.environ, "PATH": PATH, "LC_ALL": "C", "DEBUGFS_PAGER": "cat"}
BANNER = re.compile(r"^debugfs [\d.]+ \(.*\)$")
# What nobody but root can do, and nobody needs.
HARMLESS = re.compile(r"while changing ownership of")


class DiskError(Exception):
    """What the user is told."""


@dataclass(frozen=True)
class Entry:
    name: str
    mode: int
    size: int


def run(*command):
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=ENVIRONMENT, text=True, errors="surrogateescape", check=False)
    except FileNotFoundError as error:
        raise DiskError(f"{command[0]} is missing: scripts/setup installs it") from error


def parse_size(text):
    match = re.fullmatch(r"(\d+)([KMGT]?)", text)
    if not match:
        raise DiskError(f"'{text}' is no size: it takes digits, then K, M, G or T")
    size = int(match[1]) * UNITS[match[2]]
    if size < SIZE_MIN:
        raise DiskError(f"{text} is too small: at least 1M")
    return size


def read_superblock(image):
    try:
        with open(image, "rb") as file:
            file.seek(SUPERBLOCK)
            data = file.read(1024)
    except OSError as error:
        raise DiskError(f"{image}: {error.strerror}") from error
    if data[56:58] != MAGIC:
        raise DiskError(f"{image}: there is no ext2, ext3 or ext4 file system in it")
    return data


def needs_recovery(image):
    return bool(read_superblock(image)[96] & NEEDS_RECOVERY)


@contextlib.contextmanager
def own(image, *, writing):
    """Nobody else has the image: QEMU, for one, locks those that it uses."""
    read_superblock(image)
    try:
        with open(image, "r+b" if writing else "rb") as file:
            kind = fcntl.LOCK_EX if writing else fcntl.LOCK_SH
            try:
                fcntl.lockf(file, kind | fcntl.LOCK_NB)
            except OSError as error:
                raise DiskError(f"{image} is in use: a system runs with it") from error
            yield
    except OSError as error:
        raise DiskError(f"{image}: {error.strerror}") from error


def bring_in_journal(image):
    if needs_recovery(image):
        print(f"{image} was not unmounted: bringing in what is in its journal", file=sys.stderr)
        result = run("e2fsck", "-y", "-E", "journal_only", image)
        if result.returncode > CORRECTED:
            raise DiskError(f"{image}: its journal cannot be brought in:\n{result.stdout}{result.stderr}")


@contextlib.contextmanager
def ready(image):
    with own(image, writing=True):
        bring_in_journal(image)
        yield


def quoted(path):
    if '"' in path or "\n" in path:
        raise DiskError(f"'{path}': names with quotation marks or line ends cannot be given to debugfs")
    return f'"{path}"'


def debugfs(image, commands, *, writing=False):
    """Runs commands of debugfs, which reports errors on stderr only."""
    with tempfile.NamedTemporaryFile("w", suffix=".debugfs", errors="surrogateescape") as script:
        script.write("".join(command + "\n" for command in commands))
        script.flush()
        result = run("debugfs", *(["-w"] if writing else []), "-f", script.name, image)
    errors = [line for line in result.stderr.splitlines()
              if line and not BANNER.match(line) and not HARMLESS.search(line)]
    if errors or result.returncode != 0:
        raise DiskError(f"{image}: " + "; ".join(errors or [f"debugfs failed: {result.stdout}"]))
    return result.stdout


def absolute(path):
    return os.path.normpath("/" + path.lstrip("/"))


def list_folder(image, path):
    entries = []
    for line in debugfs(image, ["ls -p " + quoted(path)]).splitlines():
        # /inode/mode/user/group/name/size/
        match = re.fullmatch(r"/(\d+)/(\d+)/\d+/\d+/(.+)/(\d*)/", line)
        if match and match[1] != "0":
            entries.append(Entry(match[3], int(match[2], 8), int(match[4] or 0)))
    return entries


def look_up(image, path):
    """The entry of a path, or None."""
    if path == "/":
        return Entry("/", stat.S_IFDIR | 0o755, 0)
    parent, name = os.path.split(path)
    above = look_up(image, parent)
    if above is None or not stat.S_ISDIR(above.mode):
        return None
    return next((entry for entry in list_folder(image, parent) if entry.name == name), None)


def get(image, path):
    entry = look_up(image, path)
    if entry is None:
        raise DiskError(f"{image} has no {path}")
    return entry


def make(arguments):
    size = parse_size(arguments.size)
    image = arguments.image
    if os.path.exists(image) and not arguments.force:
        raise DiskError(f"{image} exists: --force replaces it")
    if len(arguments.label.encode()) > LABEL_MAX:
        raise DiskError(f"label '{arguments.label}' is longer than {LABEL_MAX} bytes")
    folder = getattr(arguments, "from")
    if folder is not None and not os.path.isdir(folder):
        raise DiskError(f"{folder} is no folder")
    new = image + ".new"
    try:
        with open(new, "wb") as file:
            file.truncate(size)
        command = ["mke2fs", "-q", "-F", "-t", arguments.type, "-b", "4096" if size >= LARGE_BLOCKS_FROM else "1024",
                   "-L", arguments.label, "-E", "root_owner=0:0"]
        if folder is not None:
            command += ["-d", folder]
        result = run(*command, new)
        if result.returncode != 0:
            raise DiskError(f"{image} cannot be made: " + (result.stderr + result.stdout).strip())
        os.replace(new, image)
    except OSError as error:
        raise DiskError(f"{image}: {error.strerror}") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(new)


def add_commands(image, source, folder, commands, is_new):
    """What copies a host's file or folder into a folder of the image, which may be new itself."""
    name = os.path.basename(os.path.normpath(source))
    target = os.path.join(folder, name)
    info = os.lstat(source)
    old = None if is_new else look_up(image, target)
    is_folder = stat.S_ISDIR(info.st_mode)
    if old is not None and stat.S_ISDIR(old.mode) != is_folder:
        raise DiskError(f"{target} is there, and {'no' if is_folder else 'a'} folder")
    if old is not None and not is_folder:
        commands.append("rm " + quoted(target))
    if is_folder:
        if old is None:
            commands.append("mkdir " + quoted(target))
        for child in sorted(os.listdir(source)):
            add_commands(image, os.path.join(source, child), target, commands, is_new or old is None)
    elif stat.S_ISLNK(info.st_mode):
        commands.append(f"symlink {quoted(target)} {quoted(os.readlink(source))}")
    elif stat.S_ISREG(info.st_mode):
        commands.append(f"write {quoted(source)} {quoted(target)}")
    else:
        raise DiskError(f"{source} is no file, folder or symbolic link")
    if not stat.S_ISLNK(info.st_mode):
        commands.append(f"set_inode_field {quoted(target)} mode 0{info.st_mode:o}")
        commands.append(f"set_inode_field {quoted(target)} mtime @{int(info.st_mtime)}")


def add(arguments):
    *sources, folder = arguments.paths
    if not sources:
        raise DiskError("add wants what to add, and the folder of the image to put it in")
    for source in sources:
        if not os.path.lexists(source):
            raise DiskError(f"{source}: no such file")
    folder = absolute(folder)
    with ready(arguments.image):
        if not stat.S_ISDIR(get(arguments.image, folder).mode):
            raise DiskError(f"{folder} of {arguments.image} is no folder")
        commands = []
        for source in sources:
            add_commands(arguments.image, os.path.abspath(source), folder, commands, False)
        debugfs(arguments.image, commands, writing=True)


def extract(arguments):
    path, image = absolute(arguments.path), arguments.image
    name = os.path.basename(path)
    target = arguments.target
    if os.path.isdir(target) and name:
        target = os.path.join(target, name)
    with ready(image):
        entry = get(image, path)
        if stat.S_ISDIR(entry.mode):
            os.makedirs(os.path.dirname(os.path.abspath(target)), exist_ok=True)
            with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(target))) as temporary:
                debugfs(image, [f"rdump {quoted(path)} {quoted(temporary)}"])
                shutil.copytree(os.path.join(temporary, name), target, symlinks=True, dirs_exist_ok=True)
        elif stat.S_ISREG(entry.mode):
            debugfs(image, [f"dump {quoted(path)} {quoted(target)}"])
            os.chmod(target, stat.S_IMODE(entry.mode))
        else:
            raise DiskError(f"{path} is no file or folder")


def kind(mode):
    return {stat.S_IFDIR: "folder", stat.S_IFREG: "file", stat.S_IFLNK: "link"}.get(stat.S_IFMT(mode), "other")


def list_entries(arguments):
    path = absolute(arguments.path)
    with ready(arguments.image):
        entry = get(arguments.image, path)
        entries = list_folder(arguments.image, path) if stat.S_ISDIR(entry.mode) else [entry]
    for entry in sorted(entries, key=lambda entry: entry.name):
        if entry.name not in (".", ".."):
            print(f"{kind(entry.mode):<7} {stat.S_IMODE(entry.mode):04o} {entry.size:>12} {entry.name}")


def check(arguments):
    image = arguments.image
    with own(image, writing=arguments.repair):
        if arguments.repair:
            result = run("e2fsck", "-f", "-y", image)
        elif needs_recovery(image):
            print(f"{image} was not unmounted: what is checked is a copy, with what is in its journal",
                  file=sys.stderr)
            with tempfile.TemporaryDirectory() as temporary:
                copy = os.path.join(temporary, "image")
                run("cp", "--sparse=always", image, copy)
                bring = run("e2fsck", "-y", "-E", "journal_only", copy)
                result = run("e2fsck", "-f", "-n", copy) if bring.returncode <= CORRECTED else bring
        else:
            result = run("e2fsck", "-f", "-n", image)
    if result.returncode > (CORRECTED if arguments.repair else 0):
        raise DiskError(f"{image} has errors" + ("" if arguments.repair else ", which --repair may correct") +
                        f":\n{result.stdout.strip()}")
    print(f"{image}: " + ("repaired" if result.returncode == CORRECTED else "no errors"))


def parse(words):
    parser = argparse.ArgumentParser(prog="scripts/disk", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name, function, text):
        added = commands.add_parser(name, help=text, description=text)
        added.add_argument("image", metavar="IMAGE")
        added.set_defaults(function=function)
        return added

    sub = command("make", make, "makes an image")
    sub.add_argument("size", metavar="SIZE", help="as 64M or 2G")
    sub.add_argument("--type", choices=("ext4", "ext2"), default="ext4", help="ext2 has no journal (default: ext4)")
    sub.add_argument("--label", default="FTL", help="name of the file system (default: FTL)")
    sub.add_argument("--from", metavar="FOLDER", help="what it holds from the start")
    sub.add_argument("--force", action="store_true", help="replace an image that is there")
    sub = command("add", add, "copies files and folders into a folder of the image, over those that are there")
    sub.add_argument("paths", nargs="+", metavar="FILE... FOLDER")
    sub = command("extract", extract, "copies a file or folder of the image to the host")
    sub.add_argument("path", metavar="PATH")
    sub.add_argument("target", nargs="?", default=".", metavar="TARGET")
    sub = command("list", list_entries, "lists a folder")
    sub.add_argument("path", nargs="?", default="/", metavar="PATH")
    sub = command("check", check, "looks for errors")
    sub.add_argument("--repair", action="store_true", help="correct them")
    return parser.parse_args(words)


def main():
    arguments = parse(sys.argv[1:])
    try:
        arguments.function(arguments)
    except (DiskError, OSError) as error:
        print(f"disk: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
