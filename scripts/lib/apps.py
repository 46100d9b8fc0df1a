"""Boot images with programs besides: those that somebody made with ftl-cc, without the build system."""
import importlib.util
import os
import re
import tarfile

import project

ISOLATIONS = ("user", "sandbox")
MANIFEST = """name = {name}
isolation = {isolation}
grants = bootimage
uses = file entropy socket
memory = 64M
description = {description}
"""


def split_name(path):
    """The app's name and the isolation of a program file NAME.user or NAME.sandbox; ValueError for other names."""
    match = re.fullmatch(r"([A-Za-z][A-Za-z0-9_]*)\.(user|sandbox)", os.path.basename(path))
    if not match:
        raise ValueError(f"'{path}' is not called NAME.user or NAME.sandbox")
    return match.groups()


def mkbootimage():
    path = os.path.join(project.ROOT, "scripts", "mkbootimage.py")
    spec = importlib.util.spec_from_file_location("mkbootimage", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def add_programs(image, programs, result):
    """Makes the boot image `result`: that of the file `image`, with these programs as apps, each in the isolations that
    there is a file for."""
    with tarfile.open(image) as archive:
        files = {entry.name: archive.extractfile(entry).read() for entry in archive.getmembers()
                 if entry.name != ".filler"}
    isolations = {}
    for path in programs:
        name, isolation = split_name(path)
        isolations.setdefault(name, []).append(isolation)
        for old in ISOLATIONS + ("sandbox-no-zba", "manifest"):
            files.pop(f"bin/{name}.{old}", None)
    for path in programs:
        with open(path, "rb") as file:
            files["bin/{}.{}".format(*split_name(path))] = file.read()
    for name, found in isolations.items():
        default = next(isolation for isolation in ISOLATIONS if isolation in found)
        files[f"bin/{name}.manifest"] = MANIFEST.format(name=name, isolation=default,
                                                        description="added by scripts/run --app").encode()
    mkbootimage().write_image(result, files)
