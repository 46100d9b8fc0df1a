#!/usr/bin/env python3
"""Makes the boot image: an uncompressed ustar archive that depends on its files' names and contents alone.

  mkbootimage.py IMAGE DIRECTORY FILE...   each FILE lies in DIRECTORY and is named relative to it
"""
import os
import sys
import tarfile

FILE_MODE = 0o644


def add(archive, directory, path):
    name = os.path.relpath(path, directory)
    if name.startswith(".."):
        sys.exit(f"mkbootimage.py: {path} does not lie in {directory}")
    entry = tarfile.TarInfo(name)
    entry.size = os.path.getsize(path)
    entry.mode = FILE_MODE
    with open(path, "rb") as data:
        archive.addfile(entry, data)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    image, directory = sys.argv[1:3]
    temporary = image + ".new"
    with tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(sys.argv[3:]):
            add(archive, directory, path)
    os.replace(temporary, image)


if __name__ == "__main__":
    main()
