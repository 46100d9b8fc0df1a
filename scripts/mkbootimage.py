#!/usr/bin/env python3
"""Makes the boot image: an uncompressed ustar archive that depends on its files' names and contents alone.

  mkbootimage.py IMAGE DIRECTORY FILE...   each FILE lies in DIRECTORY and is named relative to it, or is NAME=PATH

Files of a page and more begin at a page of the image, so that programs can be mapped as they lie there: small files
come first, then one that fills up a page, and the sizes of large ones are rounded up with zeros.
"""
import io
import os
import sys
import tarfile

FILE_MODE = 0o644
BLOCK = 512  # of a tar archive: a header, and what sizes are rounded up to
PAGE = 4096


def add(archive, name, data):
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    entry.mode = FILE_MODE
    archive.addfile(entry, io.BytesIO(data))


def filler(size):
    """As many zeros as bring `size` bytes and a tar header to a page's end."""
    return bytes(-(size + BLOCK) % PAGE)


def read_files(directory, paths):
    files = {}
    for path in paths:
        name, is_named, named = path.partition("=")
        if is_named:
            path = named
        else:
            name = os.path.relpath(path, directory)
        if name.startswith(".."):
            sys.exit(f"mkbootimage.py: {path} does not lie in {directory}")
        with open(path, "rb") as file:
            files[name] = file.read()
    return files


def write_image(image, contents):
    """`contents`: name -> bytes."""
    files = sorted(contents.items())
    temporary = image + ".new"
    with tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files:
            if len(data) < PAGE:
                add(archive, name, data)
        add(archive, ".filler", filler(archive.offset + BLOCK))
        for name, data in files:
            if len(data) >= PAGE:
                add(archive, name, data + filler(len(data)))
    os.replace(temporary, image)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    image, directory = sys.argv[1:3]
    write_image(image, read_files(directory, sys.argv[3:]))


if __name__ == "__main__":
    main()
