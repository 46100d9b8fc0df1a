"""The power is cut at a random moment while files are written: what fsync acknowledged is there, the rest happened or
did not, and the host's e2fsck finds no error. One disk goes through all the cuts, so that FTL brings in its own journal
at each boot but the first; the host does that with a copy."""
import os
import random
import re
import subprocess
import tempfile
import time

from guest import disk

CUTS = 5
FILES = 12
SIZE_MIN = 100
SIZES = 50000
WAIT_MAX = 0.7  # seconds after some steps have been taken
STEPS_MAX = 20
HERE = os.path.dirname(os.path.abspath(__file__))
DISK = os.path.join(HERE, "..", "..", "scripts", "disk")
ENVIRONMENT = {**os.environ, "PATH": os.environ["PATH"] + os.pathsep + "/usr/sbin" + os.pathsep + "/sbin"}


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"


def content(number):
    """What powertest writes in a step."""
    size = SIZE_MIN + number * 7919 % SIZES
    return bytes((number * 31 + i * 7 + (i >> 8)) & 0xff for i in range(size))


def after(state, number):
    """What is on the disk after one more step: the step in which each file was written, and the lines of the log."""
    files, log = dict(state[0]), list(state[1])
    name = f"file{number * 7 % FILES}"
    if number % 4 < 2:
        files[name] = number
    elif number % 4 == 2:
        log.append(f"step {number}\n")
    else:
        files.pop(name, None)
    return files, log


def read(path):
    """The files of a directory, with their contents. A log may have been made, but nothing written to it yet."""
    found = {}
    for name in os.listdir(path):
        if name not in ("lost+found", "new"):
            with open(os.path.join(path, name), "rb") as file:
                data = file.read()
            if data or name != "log":
                found[name] = data
    return found


def is_state(found, state):
    files, log = state
    expected = {name: content(number) for name, number in files.items()}
    if log:
        expected["log"] = "".join(log).encode()
    return found == expected


def cut(boot, image, first, isolation):
    """Returns the last step that was acknowledged before the cut."""
    with boot(extra=disk(image), append=f"ftl.isolation.files={isolation}") as guest:
        guest.wait_prompt()
        guest.send(f"powertest /disk {first}\r")
        guest.expect(rf"lasts: {first + random.randrange(STEPS_MAX)}\r?\n", timeout=120)
        time.sleep(random.uniform(0, WAIT_MAX))
        guest.process.kill()
        guest.process.wait()
        guest.wait_exit()
        return int(re.findall(r"lasts: (\d+)\r?\n", guest.console())[-1])


def check(image, directory, state, first, last):
    """What is on the disk, and the next step to be taken."""
    run(DISK, "check", image)
    copy, contents = os.path.join(directory, "copy"), os.path.join(directory, "contents")
    run("cp", "--sparse=always", image, copy)
    with tempfile.TemporaryDirectory(dir=directory) as contents:
        run(DISK, "extract", copy, "/", contents)
        found = read(contents)
    for number in range(first, last + 1):
        state = after(state, number)
    if is_state(found, state):
        return state, last + 1
    state = after(state, last + 1)
    assert is_state(found, state), f"after step {last}: {sorted(found)}, but not {state}"
    return state, last + 2


def test_boots(boot, words=()):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    random.seed(seed)
    with tempfile.TemporaryDirectory() as directory:
        image = os.path.join(directory, "disk")
        run(DISK, "make", image, "24M")
        state, first = ({}, []), 0
        for number in range(int(words[0]) if words else CUTS):
            last = cut(boot, image, first, ("sandbox", "user")[number % 2])
            assert last >= first
            print(f"cut after step {last}")
            state, first = check(image, directory, state, first, last)
