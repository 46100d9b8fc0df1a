"""The shell's language, in both isolations of the shell, and the messages for what is wrong."""

COMMANDS = (
    ('count() { n=0; for i in "$@"; do n=$((n + 1)); done; echo "$n words"; }', "", 0),
    ('x="a  b"; count $x; count "$x" c', "2 words\n2 words\n", 0),
    ("case $x in b*) echo wrong;; a*b) echo right;; esac", "right\n", 0),
    ("i=0; while [ $i -lt 5 ]; do i=$((i + 1)); if [ $i = 2 ]; then continue; elif [ $i = 4 ]; then break; fi; "
     'echo "round $i"; done', "round 1\nround 3\n", 0),
    ('echo "<$(echo one; echo two)>" ${x%b}. ${#x} ${none:-default}', "<one\ntwo> a . 4 default\n", 0),
    ('(x=inside; echo $x; exit 7); echo "$? $x"', "inside\n7 a  b\n", 0),
    ('echo first second | { read a b; echo "$b $a"; }', "second first\n", 0),
    ('{ echo c; echo a; echo b; } | sort | head -n 2 | while read l; do echo "sorted $l"; done',
     "sorted a\nsorted b\n", 0),
    ('echo "$(seq 3 | wc -l)"', "3\n", 0),
    ("false | true; echo $?; true | false; ! true", "0\n", 1),
    ("f() { return 3; }; f || echo returned $?", "returned 3\n", 0),
    ("set -- p 'q r'; shift; echo \"$# $1\"; set --", "1 q r\n", 0),
    ("sh -c 'echo $0 $1 $x; exit 5' name 'a b'", "name a b\n", 5),
    ("export x; sh -c 'echo $x'", "a b\n", 0),
)
LINES = (  # that are one command
    "if true; then", "cat <<END | tr a-z A-Z", "here $NAME $((6 * 7))", "END", "echo 'a", "b'", "fi",
)


def check_lines(guest):
    """The shell asks for the rest of a command."""
    for line in LINES[:-1]:
        guest.send(line + "\r")
        guest.expect("\n> ")
    assert guest.run(LINES[-1]) == "HERE SOME VALUE 42\na\nb\n"
    guest.send("echo '\r")
    guest.expect("\n> ")
    guest.send("\x03")
    guest.wait_prompt()
    assert guest.status() == 130


def check_commands(guest):
    def check(line, output, status):
        got = guest.run_status(line)
        assert got == (output, status), f"{line!r}: {got!r} instead of {(output, status)!r}"

    for line, output, status in COMMANDS:
        check(line, output, status)
    check("echo 'a  b' \"c $? d\" \\$x", "a  b c 0 d $x\n", 0)
    check("NAME='some value'; echo \"<$NAME>\" ${NAME}s", "<some value> some values\n", 0)
    check("false", "", 1)
    check("false; echo $?", "1\n", 0)
    check("true && echo yes || echo no", "yes\n", 0)
    check("false && echo yes || echo no", "no\n", 0)
    check("# nothing", "", 0)

    check("nosuch", "shell: no command or app 'nosuch'; `help` lists commands, `run` apps\n", 127)
    check("run nosuch", "run: no app 'nosuch' in the boot image; `run` alone lists them\n", 127)
    check("echo a; echo ${b c}", "shell: ${ at column 14 is not ${NAME} or the like\n", 2)
    check("echo a ; ; echo b", "shell: a command expected at column 10, not ;\n", 2)
    check("ps extra", "usage: ps\n", 2)
    check("log -n x", "log: 'x' is not a number of lines\n", 2)
    check("kill", "usage: kill PID|%JOB...\n", 2)
    check("kill 999999", "kill: no process 999999; `ps` lists them\n", 1)
    check("kill x", "kill: 'x' is neither PID nor %JOB\n", 1)
    check("kill %7", "kill: no job '%7'; `jobs` lists them\n", 1)
    check("wait 999999", "wait: no job '999999'; `jobs` lists them\n", 127)
    check("sleep soon", "sleep: 'soon' is not a number of seconds\n", 2)
    check("run --isolation=both hello", "run: 'both' is not an isolation: user or sandbox\n", 2)
    check("shutdown 256", "shutdown: '256' is not an exit status from 0 to 255\n", 2)
    check("help nosuch", "help: no command 'nosuch'; `help` lists them\n", 127)
    check("break", "break: not in a loop\n", 1)
    check("x=$(nosuch)", "shell: no command or app 'nosuch'; `help` lists commands, `run` apps\n", 127)

    output, status = guest.run_status("echo " + "x" * 1100)
    assert "line not run: it is longer than 1023 bytes" in output and status == 2, (output, status)


def test_boots(boot):
    for isolation in ("user", "sandbox"):
        append = " ".join(f"ftl.isolation.{name}={isolation}" for name in ("shell", "toybox"))
        with boot(append=append) as guest:
            guest.wait_prompt()
            check_commands(guest)
            check_lines(guest)
