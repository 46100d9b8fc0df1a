"""Others' programs do in both isolations what they do elsewhere: Lua, bzip2 and Zstandard. What they write is what
the same programs of the host write, or can be read by them, and the other way round. Files lie in memory."""
import os
import re
import subprocess

CHECKS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs", "check.lua")
TIMEOUT = 200
GUEST = {"memory": "256M"}

TEXT = "".join(f"{i} squared is {i * i}, {'even' if i % 2 == 0 else 'odd'}\n" for i in range(1, 501)).encode()
MAKE_TEXT = ("for i = 1, 500 do io.write(i, \" squared is \", i * i, \", \", i % 2 == 0 and \"even\" or \"odd\", "
             "\"\\n\") end")
TO_HEX = "c:gsub(\".\", function(b) return (\"%02x\"):format(b:byte()) end)"
FROM_HEX = "gsub(\"..\", function(b) return string.char(tonumber(b, 16)) end)"
HEX_OF_A_LINE = 400  # the shell's lines are limited


class Programs:
    """Runs programs in one isolation."""

    def __init__(self, guest, isolation):
        self.guest = guest
        self.isolation = isolation

    def run(self, command, status=0):
        output, ended = self.guest.run_status(f"run --isolation={self.isolation} {command}", TIMEOUT)
        assert ended == status, f"{command} ({self.isolation}) ended with {ended}: {output}"
        return output

    def gives(self, command, output, status=0):
        got = self.run(command, status)
        assert got == output, f"{command} ({self.isolation}) printed {got!r} instead of {output!r}"

    def type_lua(self, path, arguments):
        """Types a program at Lua's standard input."""
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.guest.send(f"run --isolation={self.isolation} lua - {arguments}\r")
        self.guest.expect("\n")
        for line in text.splitlines():
            self.guest.send(line + "\r")
            self.guest.expect("\n")
        self.guest.send("\x04")
        output = self.guest.wait_prompt(TIMEOUT)
        parts = re.findall(r"part\(\"(\w+)\"", text)
        assert parts and output == "".join(f"ok {name}\n" for name in parts), f"{self.isolation}: {output}"

    def read_file(self, path):
        """A file's contents, through the console."""
        script = f"for c in io.open(\"{path}\", \"rb\"):lines(32) do print(({TO_HEX})) end"
        return bytes.fromhex(self.run(f"lua -e '{script}'"))

    def write_file(self, path, data):
        for at in range(0, len(data), HEX_OF_A_LINE // 2):
            piece = data[at:at + HEX_OF_A_LINE // 2].hex()
            self.gives(f"lua -e 'io.open(\"{path}\", \"{'a' if at else 'w'}b\"):write(((\"{piece}\"):{FROM_HEX}))'", "")


def host(*command, data):
    return subprocess.run(command, input=data, check=True, stdout=subprocess.PIPE).stdout


def check_lua(programs):
    assert programs.run("lua -v").startswith("Lua 5.4.4  Copyright")
    programs.gives("lua -e 'print(_VERSION, 2^53 | 0, 1/3)'", "Lua 5.4\t9007199254740992\t0.33333333333333\n")
    programs.gives("lua -e 'os.exit(42)'", "", status=42)
    assert "attempt to call a nil value (global 'nothing')" in programs.run("lua -e \"nothing()\"", status=1)
    programs.type_lua(CHECKS, "/tmp")
    programs.gives("lua -e 'io.open(\"/tmp/args.lua\", \"w\"):write(\"print(#arg, ...)\")'", "")
    programs.gives("lua /tmp/args.lua one 'two words'", "2\tone\ttwo words\n")
    programs.gives("lua -e 'print(io.popen(\"echo said\"):read(), os.execute(\"exit 3\"))'", "said\tnil\texit\t3\n")


def check_compressor(programs, folder, tool, suffix, options):
    """The host's tool reads what is written here, and the other way round; damage is found."""
    path = f"{folder}/{programs.isolation}.txt"
    programs.gives(f"lua -e 'io.output(\"{path}\") {MAKE_TEXT}'", "")
    programs.gives(f"{tool} -q -k -f {options} {path}", "")
    programs.run(f"{tool} -q -t {path}{suffix}")
    packed = programs.read_file(path + suffix)
    assert host(tool, "-d", "-c", data=packed) == TEXT, tool
    assert len(packed) < len(TEXT) / 4, len(packed)
    programs.write_file(f"{path}.host{suffix}", host(tool, "-c", "-q", data=TEXT))
    programs.run(f"{tool} -d -f -q {path}.host{suffix}")
    assert programs.read_file(f"{path}.host") == TEXT, tool
    programs.write_file(f"{path}.bad{suffix}", packed[:200] + bytes([packed[200] ^ 0xff]) + packed[201:])
    output, status = programs.guest.run_status(f"run --isolation={programs.isolation} {tool} -q -t {path}.bad{suffix}")
    assert status != 0, output


def test(guest):
    for isolation in ("user", "sandbox"):
        programs = Programs(guest, isolation)
        check_lua(programs)
        assert "bzip2, a block-sorting file compressor.  Version 1.0.8" in programs.run("bzip2 --help")
        assert "v1.5.4" in programs.run("zstd --version")
        check_compressor(programs, "/tmp", "bzip2", ".bz2", "-9")
        check_compressor(programs, "/tmp", "zstd", ".zst", "-3")
        check_compressor(programs, "/tmp", "zstd", ".zst", "-19 -T2")
