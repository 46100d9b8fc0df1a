"""scripts/image: makes an image for a card or disk that U-Boot boots, and a folder for TFTP. Needs no root.

The image has a GPT and a FAT file system with the kernel, the boot image as initrd, and all that the ways of U-Boot
look for: extlinux/extlinux.conf, boot.scr, and vf2_uEnv.txt for StarFive's own U-Boot. docs/visionfive2.md says what
is used when.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

import project
from guest import BOOT_IMAGE

SECTOR = 512
MIB = 1 << 20
FAT_SIZE = 64 * MIB  # at least; FAT16
GPT_TAIL = MIB       # for the backup table
LABEL = "FTL"
VOLUME_SERIAL = "46544c00"
FILE_DATE = "315619200"  # seconds since 1970, a date that FAT can tell: files are the same in every image
PATH = os.environ["PATH"] + os.pathsep + "/usr/sbin" + os.pathsep + "/sbin"  # where Debian has sgdisk


@dataclass(frozen=True)
class Partition:
    """`file` names the option that gives its contents; without it, it stays empty."""
    name: str
    type: str
    start: int
    size: int
    file: str = ""


FAT_TYPE = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"  # "Microsoft basic data"


@dataclass(frozen=True)
class Board:
    description: str
    fat_number: int
    fat_start: int
    vendor_environment: bool = False
    firmware: list = field(default_factory=list)  # partitions before the FAT one


BOARDS = {
    "visionfive2": Board(
        "StarFive VisionFive 2 (JH7110)", fat_number=3, fat_start=16 * MIB, vendor_environment=True,
        firmware=[
            # What the boot ROM and SPL look for when the DIP switches say SD card.
            Partition("spl", "2E54B353-1271-4842-806F-E436D6AF6985", 2 * MIB, 2 * MIB, "spl"),
            Partition("u-boot", "BC13C2FF-59E6-4262-A352-B275FD6F7172", 4 * MIB, 8 * MIB, "u_boot"),
        ]),
    "qemu": Board("QEMU virt with U-Boot in S-mode (u-boot-qemu)", fat_number=1, fat_start=MIB),
}


def parse_arguments(words):
    parser = argparse.ArgumentParser(
        prog="scripts/image", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Builds FTL and makes an image for U-Boot, and a folder for TFTP. No root needed.",
        epilog="boards:\n" + "\n".join(f"  {name:12} {board.description}" for name, board in BOARDS.items()))
    parser.add_argument("--board", choices=BOARDS, required=True)
    parser.add_argument("--output", type=os.path.abspath, metavar="FILE",
                        help="the image (default: BOARD.img in the build directory); the TFTP folder is FILE without "
                        ".img, with -tftp")
    parser.add_argument("--append", default="", metavar="ARGS", help="boot arguments")
    parser.add_argument("--dtb", action="append", default=[], metavar="FILE", type=existing,
                        help="a device tree for the kernel, instead of U-Boot's own; of several, U-Boot's variable "
                        "fdtfile chooses")
    parser.add_argument("--spl", metavar="FILE", type=existing,
                        help="u-boot-spl.bin.normal.out, into the partition for it (visionfive2)")
    parser.add_argument("--u-boot", metavar="FILE", type=existing,
                        help="visionfive2_fw_payload.img or u-boot.itb, into the partition for it (visionfive2)")
    parser.add_argument("--build-dir", type=os.path.abspath, default=project.DEFAULT_BUILD_DIR, metavar="DIR",
                        help="(default: build/default)")
    parser.add_argument("--no-build", action="store_true", help="use what the build directory holds")
    arguments = parser.parse_args(words)
    if not arguments.append.isprintable() or set(arguments.append) & set("\"'\\$;"):
        parser.error("--append: quotes, $, ; and \\ have a meaning in U-Boot's scripts")
    known = {partition.file for partition in BOARDS[arguments.board].firmware}
    for name in ("spl", "u_boot"):
        if getattr(arguments, name) and name not in known:
            parser.error(f"--{name.replace('_', '-')}: {arguments.board} has no partition for it")
    return arguments


def existing(path):
    if not os.path.isfile(path):
        raise argparse.ArgumentTypeError(f"there is no file {path}")
    return os.path.abspath(path)


def tool(*command):
    """Runs a tool; ends the script with its output when it fails."""
    environment = {**os.environ, "PATH": PATH, "SOURCE_DATE_EPOCH": FILE_DATE, "MTOOLS_SKIP_CHECK": "1"}
    try:
        result = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, check=False)
    except FileNotFoundError:
        sys.exit(f"image: {command[0]} is missing: run scripts/setup")
    if result.returncode:
        sys.stderr.buffer.write(result.stdout)
        sys.exit(f"image: {command[0]} failed: {' '.join(command)}")


# --- What lies on the boot partition and in the TFTP folder ---

def boot_menu(root, append, dtbs):
    """extlinux.conf, or PXE's configuration, where names are relative to the server's root."""
    lines = ["default ftl", "timeout 10", "label ftl", "    menu label FTL", f"    kernel {root}Image",
             f"    initrd {root}{BOOT_IMAGE}"]
    if len(dtbs) == 1:
        lines.append(f"    fdt {root}dtbs/starfive/{dtbs[0]}")
    elif dtbs:
        lines.append(f"    fdtdir {root}dtbs")
    # Always there, so that what U-Boot's environment has for another system does not get in.
    lines.append(f"    append {append or 'ftl'}")
    return "\n".join(lines) + "\n"


def boot_script(load, append, dtbs):
    """Commands for U-Boot's `source`; `load` gets a file to an address."""
    lines = [f"setenv bootargs \"{append}\"", "setenv ftl_fdt ${fdtcontroladdr}"]
    if dtbs:
        name = dtbs[0] if len(dtbs) == 1 else None
        path = f"starfive/{name}" if name else "${fdtfile}"
        lines.append(f"if {load} ${{fdt_addr_r}} dtbs/{path}; then setenv ftl_fdt ${{fdt_addr_r}}; fi")
    lines += [f"{load} ${{kernel_addr_r}} Image",
              f"{load} ${{ramdisk_addr_r}} {BOOT_IMAGE}",
              "booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${ftl_fdt}"]
    return "\n".join(lines) + "\n"


def vendor_environment(dtbs):
    """vf2_uEnv.txt, which StarFive's U-Boot imports before it runs `boot2`. Its extlinux code needs to be told where
    the device tree is."""
    fdt = "" if dtbs else "setenv fdt_addr ${fdtcontroladdr}; "
    return f"boot2={fdt}sysboot mmc ${{devnum}}:3 any ${{scriptaddr}} /extlinux/extlinux.conf\n"


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def write_script(path, text):
    with tempfile.NamedTemporaryFile("w", suffix=".cmd") as commands:
        commands.write(text)
        commands.flush()
        tool("mkimage", "-A", "riscv", "-O", "linux", "-T", "script", "-C", "none", "-n", "FTL",
             "-d", commands.name, path)


def copy_common(arguments, directory):
    """What the card and TFTP have alike. Returns the names of the device trees."""
    for name in ("Image", BOOT_IMAGE):
        path = os.path.join(arguments.build_dir, name)
        if not os.path.exists(path):
            sys.exit(f"image: {path} is missing: build first")
        shutil.copyfile(path, os.path.join(directory, name))
    dtbs = [os.path.basename(path) for path in arguments.dtb]
    for path, name in zip(arguments.dtb, dtbs):
        os.makedirs(os.path.join(directory, "dtbs", "starfive"), exist_ok=True)
        shutil.copyfile(path, os.path.join(directory, "dtbs", "starfive", name))
    return dtbs


def fill_card(arguments, directory):
    dtbs = copy_common(arguments, directory)
    write(os.path.join(directory, "extlinux", "extlinux.conf"), boot_menu("/", arguments.append, dtbs))
    load = "load ${devtype} ${devnum}:${distro_bootpart}"
    write_script(os.path.join(directory, "boot.scr"), boot_script(load, arguments.append, dtbs))
    if BOARDS[arguments.board].vendor_environment:
        write(os.path.join(directory, "vf2_uEnv.txt"), vendor_environment(dtbs))


def fill_tftp(arguments, directory):
    dtbs = copy_common(arguments, directory)
    write(os.path.join(directory, "pxelinux.cfg", "default"), boot_menu("", arguments.append, dtbs))
    write_script(os.path.join(directory, "boot.scr.uimg"), boot_script("tftpboot", arguments.append, dtbs))


# --- The image ---

def content_size(directory):
    return sum(os.path.getsize(os.path.join(parent, name)) for parent, _, names in os.walk(directory) for name in names)


def write_partition(image, partition, path):
    size = os.path.getsize(path)
    if size > partition.size:
        sys.exit(f"image: {path} has {size} bytes; the partition {partition.name} has {partition.size}")
    with open(path, "rb") as source, open(image, "r+b") as target:
        target.seek(partition.start)
        shutil.copyfileobj(source, target)


def make_image(arguments, directory, image):
    """The partitions, and a file system with what is in the directory."""
    board = BOARDS[arguments.board]
    fat_size = max(FAT_SIZE, (2 * content_size(directory) + MIB - 1) // MIB * MIB)
    fat = Partition("boot", FAT_TYPE, board.fat_start, fat_size)
    with open(image, "wb") as file:
        file.truncate(fat.start + fat.size + GPT_TAIL)
    layout = ["--clear"]
    for number, partition in enumerate([*board.firmware, fat], 1):
        first = partition.start // SECTOR
        layout += [f"--new={number}:{first}:{first + partition.size // SECTOR - 1}",
                   f"--typecode={number}:{partition.type}", f"--change-name={number}:{partition.name}"]
    # "Legacy BIOS bootable" is what U-Boot looks for.
    tool("sgdisk", *layout, f"--attributes={board.fat_number}:set:2", image)
    for partition in board.firmware:
        path = getattr(arguments, partition.file)
        if path:
            write_partition(image, partition, path)
    drive = f"{image}@@{fat.start}"
    tool("mformat", "-i", drive, "-T", str(fat.size // SECTOR), "-h", "64", "-s", "32", "-H", str(fat.start // SECTOR),
         "-N", VOLUME_SERIAL, "-v", LABEL, "::")
    for name in sorted(os.listdir(directory)):
        tool("mcopy", "-i", drive, "-s", os.path.join(directory, name), "::")


def main():
    arguments = parse_arguments(sys.argv[1:])
    project.setup()
    if not arguments.no_build:
        project.build(arguments.build_dir)
    project.require_image(arguments.build_dir, BOOT_IMAGE)
    output = arguments.output or os.path.join(arguments.build_dir, f"{arguments.board}.img")
    tftp = output.removesuffix(".img") + "-tftp"
    with tempfile.TemporaryDirectory(dir=os.path.dirname(output)) as work:
        card, image, served = (os.path.join(work, name) for name in ("card", "image", "tftp"))
        os.mkdir(card)
        os.mkdir(served)
        fill_card(arguments, card)
        fill_tftp(arguments, served)
        os.chmod(served, 0o755)
        make_image(arguments, card, image)
        os.replace(image, output)
        if os.path.isdir(tftp):
            shutil.rmtree(tftp)
        os.rename(served, tftp)
    print(f"{os.path.relpath(output)}: the card's image, for `dd`")
    print(f"{os.path.relpath(tftp)}: the same for a TFTP server")


if __name__ == "__main__":
    main()
