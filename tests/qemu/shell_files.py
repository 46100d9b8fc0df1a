"""Files in the shell: the same commands give the same output and status as with the host's shell and tools, in both
isolations; the files they leave are the same."""
import os
import re
import subprocess
import tempfile

LINES = r"""
printf 'pear 3\napple 10\nfig 2\napple 1\n' >data; cat data
cat <data >copy; cat copy data | wc -l
sort data; sort -r data; sort -k 2n data; sort -u -k 1,1 data | cut -d ' ' -f 1
grep apple data; grep -c -v apple data; grep -n '^f' <data; grep nothing data
head -n 2 data; tail -n 1 data; tail -n +3 data
echo one >log; echo two >>log; echo three 2>/dev/null >>log; cat log
mkdir -p dir/sub; echo x >dir/a.txt; echo y >dir/b.txt; echo z >dir/sub/c.c; echo * dir/*.txt */*/*.[ch] nothing*
ls dir | cat; ls -1 -a dir/sub; ls -1 dir/*.txt
cp data dir/copied; cmp data dir/copied && echo same; mv dir/copied moved; ls -1 dir; cmp data moved
cp -r dir other; find other | sort; rm -r other; ls -d other 2>/dev/null || echo gone
rm dir/a.txt; rmdir dir/sub 2>/dev/null || echo 'not empty'; rm dir/sub/c.c; rmdir dir/sub; ls -1 dir
[ -f data ] && [ -d dir ] && [ ! -e nosuch ] && [ -s data ] && echo tested
for f in *; do if [ -d "$f" ]; then echo "$f/"; else echo "$f $(wc -c <"$f" | tr -d ' ')"; fi; done
while read name count; do echo "$count of $name"; done <data
x=$(cat data | head -n 1); echo "<$x>"; echo "$(<data sort | tail -n 1)"
{ echo out; echo err >&2; } >both 2>&1; cat both; { echo out; echo err >&2; } 2>err >/dev/null; cat err
printf 'a\tb\nc\td\n' | tr 'a-c\t' 'A-C:' | sed 's/d/<&>/' | tee teed | cut -d : -f 2; cat teed
seq 10 | sed -n '3,5p'; seq 5 | tail -n 2 | paste -s -d + -; seq 1000 | wc -l | tr -d ' '
printf 'b\na\nb\nb\n' | sort | uniq -c | sed 's/^ *//'; printf 'x' | od -An -tx1 | tr -d ' '
printf 'abc' | md5sum; printf 'abc' | sha256sum | cut -c 1-16; printf abc | base64
cd dir && pwd | sed 's#.*/##' && echo here >in && cd .. && cat dir/in
printf '#!/bin/sh\nset -e\nfor a in "$@"; do echo "<$a>"; done\n[ $# = 3 ]\nfalse\necho no\n' >script
sh script 1 '2 3' ""; echo "status $?"
printf 'greet() { echo "hello $1"; }\nwho=world\n' >functions; . ./functions; greet $who | cat
sh -c 'read a; echo "got $a"; exit 9' <data; (cd dir; echo made >new); cat dir/new
cat nosuch 2>/dev/null; echo $?; { cat <nosuch; } 2>/dev/null || echo unread; rm -f nosuch; echo $?
touch empty; ls empty; [ -s empty ] || echo empty; : >data; wc -c <data | tr -d ' '
seq 3000 | sort -n | tail -n 1; seq 20000 >big; wc -c <big | tr -d ' '
sort -rn big | head -n 1; cksum big | cut -d ' ' -f 1,2
expr 6 \* 7; expr abc : 'a\(.\)c'
diff log log && echo equal; diff -q log moved >/dev/null; echo $?
dd if=log of=dd.out bs=4 2>/dev/null; cmp log dd.out && rm dd.out; tac log; rev log; nl log | head -n 1 | tr -d ' \t'
ln -s log link; cat link; readlink link; [ -L link ] && rm link; basename /a/b.txt .txt; dirname /a/b.txt
""".strip().splitlines()


def on_host(folder, line):
    done = subprocess.run(["/bin/sh", "-c", line], cwd=folder, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env={"PATH": os.environ["PATH"], "LC_ALL": "C"}, check=False)
    return done.stdout, done.returncode


def contents(folder):
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = file.read()
    return found


def check_tools(guest, folder):
    guest.run("mkdir /tmp/work")
    assert guest.run_status("cd /tmp/work; pwd") == ("/tmp/work\n", 0)
    for line in LINES:
        got, wanted = guest.run_status(line), on_host(folder, line)
        assert got == wanted, f"{line}\non FTL: {got}\non the host: {wanted}"


def check_files(guest, folder):
    """What the files hold, byte by byte."""
    for name, data in sorted(contents(folder).items()):
        dump = "".join(guest.run(f"xxd -p {name}").split())
        assert bytes.fromhex(dump) == data, f"{name}: {dump}"
    listed = guest.run("find . -type f | sort").split()
    assert listed == sorted("./" + name for name in contents(folder)), listed


def check_commands(guest):
    """What there is nothing like on the host."""
    guest.run("{ printf 'a\\0b\\377'; head -c 48 /dev/zero; printf 'the last one'; } >bytes")
    assert guest.run("hexdump -C bytes") == (
        "00000000  61 00 62 ff 00 00 00 00  00 00 00 00 00 00 00 00  |a.b.............|\n"
        "00000010  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n"
        "*\n"
        "00000030  00 00 00 00 74 68 65 20  6c 61 73 74 20 6f 6e 65  |....the last one|\n"
        "00000040\n")
    assert guest.run("printf hex | hexdump") == "0000000 6568 0078" + " " * 30 + "\n0000003\n"
    assert guest.run("hexdump -s 52 -n 3 <bytes") == "0000034 6874 0065" + " " * 30 + "\n0000037\n"
    assert guest.run_status("hexdump nosuch") == ("hexdump: nosuch: No such file or directory\n", 1)
    mounts = guest.run("mount")
    assert "boot on " in mounts and " on /tmp type " in mounts, mounts
    df = guest.run("df")
    assert re.search(r"^boot +\d+ +\d+ +\d+ +\d+% /boot$", df, re.M), df
    assert re.search(r"^- +\d+ +\d+ +\d+ +\d+% /tmp$", guest.run("df /tmp"), re.M), guest.run("df /tmp")
    guest.send("cat /tmp/work/lo\t\r")  # completion of files
    guest.expect("one\r?\ntwo\r?\nthree\r?\n")
    guest.wait_prompt()
    output, status = guest.run_status("mount nosuch /tmp/work")
    assert output.startswith("mount: cannot mount it: ") and status == 1, (output, status)
    # Isolations mix in a pipeline, and Ctrl-C ends all of it.
    mixed = "run --isolation=user seq 3 | run --isolation=sandbox cat | run --isolation=user tail -n 1"
    assert guest.run(mixed) == "3\n"
    guest.send("yes | cat >/dev/null\r")
    guest.expect("\n")
    guest.send("\x03")
    guest.expect(r"\^C")
    guest.wait_prompt()
    assert guest.status() == 130
    assert not [line for line in guest.run("ps").splitlines() if " yes " in line or " cat " in line]


def check_programs(guest):
    """Programs and scripts that are files."""
    for kind in ("user", "sandbox-no-zba"):
        guest.run(f"cp /boot/bin/hello.{kind} {kind}")
        output, status = guest.run_status(f"./{kind} 'a b'")
        assert output.startswith(f"Hello from FTL\nargument 0: ./{kind}\nargument 1: a b\n"), output
        assert status == 0, status
    output, status = guest.run_status("run --isolation=sandbox ./user")
    assert "cannot start 'user' (sandbox): loading its program" in output and status == 126, (output, status)
    guest.run("printf 'echo \"$0 $1\"; exit 3\\n' >script2")
    assert guest.run_status("./script2 x | cat; ./script2 y") == ("./script2 x\n./script2 y\n", 3)
    assert guest.run("PATH=/nowhere:/tmp/work; user 1 2 | grep -c argument") == "3\n"
    assert guest.run_status("./nosuch") == ("shell: ./nosuch: No such file or directory\n", 127)


def test_boots(boot):
    for isolation in ("user", "sandbox"):
        append = " ".join(f"ftl.isolation.{name}={isolation}" for name in ("shell", "toybox", "files"))
        with tempfile.TemporaryDirectory() as folder, boot(append=append) as guest:
            guest.wait_prompt()
            check_tools(guest, folder)
            guest.run("rm big")
            os.remove(os.path.join(folder, "big"))
            check_files(guest, folder)
            check_commands(guest)
            check_programs(guest)
