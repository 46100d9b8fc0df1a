#!/usr/bin/env python3
"""Stands in for QEMU with FTL inside: a console on stdin and stdout with a shell of a few commands, and a line
editor that draws the line anew at every key. The boot argument `die` ends it before the prompt; with `stuck` it
cannot be switched off."""
import os
import sys


def put(text):
    os.write(1, text.replace("\n", "\r\n").encode())


def read_line():
    line = ""
    put("ftl> ")
    while True:
        key = os.read(0, 1).decode()
        if key in ("", "\r"):
            put("\n")
            return line if key else "shutdown 99"
        line += key
        put(f"\r\x1b[Kftl> {line}")


def main():
    status = 0
    put("firmware\n")
    if "die" in sys.argv:
        return 0
    while True:
        word, _, rest = read_line().partition(" ")
        rest = rest.replace("$?", str(status))
        if word == "shutdown" and "stuck" in sys.argv:
            put(f"[ 1.000 h0] power: the firmware cannot power off; halted with status {rest or 0}\n")
            word = "hang"
        if word == "shutdown":
            return int(rest or 0)
        if word == "panic":
            put("[ 1.000 h0] kernel panic: asked for\n")
            return 1
        if word == "hang":
            os.read(0, 1)
        elif word == "echo":
            put(rest + "\n")
        elif word == "options":
            put(" ".join(sys.argv[1:]) + "\n")
        elif word == "unended":
            put("no newline here")
        status = {"echo": 0, "options": 0, "unended": 0, "false": 1}.get(word, 127)


if __name__ == "__main__":
    sys.exit(main())
