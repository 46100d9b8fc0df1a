"""The shell's language and the messages for what is wrong."""


def test(guest):
    def check(line, output, status):
        got = guest.run_status(line)
        assert got == (output, status), f"{line!r}: {got!r} instead of {(output, status)!r}"

    check("echo 'a  b' \"c $? d\" \\$x", "a  b c 0 d $x\n", 0)
    check("NAME='some value'; echo \"<$NAME>\" ${NAME}s", "<some value> some values\n", 0)
    check("false", "", 1)
    check("false; echo $?", "1\n", 0)
    check("true && echo yes || echo no", "yes\n", 0)
    check("false && echo yes || echo no", "no\n", 0)
    check("# nothing", "", 0)

    check("nosuch", "shell: no command or app 'nosuch'; `help` lists commands, `run` apps\n", 127)
    check("run nosuch", "run: no app 'nosuch' in the boot image; `run` alone lists them\n", 127)
    check("echo 'open", "shell: unclosed ' at column 6\n", 2)
    check("ps | echo", "shell: there are no pipes, redirections or groups: quote the | at column 4\n", 2)
    check("true &&", "shell: no command after &&\n", 2)
    check("echo " + "x " * 64, "shell: command at column 1 has more than 64 words\n", 2)
    check("ps extra", "usage: ps\n", 2)
    check("log -n x", "log: 'x' is not a number of lines\n", 2)
    check("kill", "usage: kill PID|%JOB...\n", 2)
    check("kill 999999", "kill: no process 999999; `ps` lists them\n", 1)
    check("kill x", "kill: 'x' is neither PID nor %JOB\n", 1)
    check("kill %7", "kill: no job '%7'; `jobs` lists them\n", 1)
    check("wait 999999", "wait: no job '999999'; `jobs` lists them\n", 127)
    check("sleep soon", "sleep: 'soon' is not a number of seconds\n", 2)
    check("echo x &", "shell: echo is part of the shell and cannot run in the background\n", 2)
    check("run --isolation=both hello", "run: 'both' is not an isolation: user or sandbox\n", 2)
    check("shutdown 256", "shutdown: '256' is not an exit status from 0 to 255\n", 2)
    check("help nosuch", "help: no command 'nosuch'; `help` lists them\n", 127)

    output, status = guest.run_status("echo " + "x" * 1100)
    assert "line not run: it is longer than 1023 bytes" in output and status == 2, (output, status)
