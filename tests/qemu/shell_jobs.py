"""Background jobs, kill, and Ctrl-C on the foreground."""
import re


def start_loop(guest, isolation):
    output = guest.run_background(f"run --isolation={isolation} crash loop &", "crash: looping forever\n")
    return re.search(r"^\[(\d+)\] (\d+)$", output, re.M).groups()


def not_alone(guest):
    """What runs besides the shell of the console and services."""
    names = re.findall(r"^ +\d+ (\w+) ", guest.run("ps"), re.M)
    names.remove("shell")
    return [name for name in names if name in ("shell", "crash", "yes", "cat", "sh")]


def test(guest):
    for isolation in ("user", "sandbox"):
        job, pid = start_loop(guest, isolation)
        assert re.search(rf"^\[{job}\] running, pid {pid}: .*crash loop", guest.run("jobs"), re.M)
        assert re.search(rf"^ +{pid} crash +{isolation} +running ", guest.run("ps"), re.M)
        assert guest.run("echo $!") == pid + "\n"
        report = guest.run_status(f"kill {pid}")[0]
        assert f"[{job}] done, status 137 (killed): " in report + guest.run("jobs"), report
        assert not re.search(rf"^ +{pid} ", guest.run("ps"), re.M)

        job, pid = start_loop(guest, isolation)
        guest.run(f"kill %{job}")
        assert guest.run("jobs") == ""

        guest.send(f"run --isolation={isolation} crash loop\r")
        guest.expect("loop")
        guest.expect("\n.*\n")  # what crash says before it loops
        guest.send("\x03")
        guest.expect(r"\^C")
        guest.wait_prompt()
        assert guest.status() == 130

    first, second = start_loop(guest, "user"), start_loop(guest, "sandbox")
    guest.run(f"kill {first[1]} {second[1]}")
    guest.run("hello &")
    guest.run("wait")
    assert guest.status() == 0
    assert guest.run("jobs") == ""

    # Ctrl-C ends all of a command, whatever it is made of; so does kill for a job.
    for command in ("crash loop | cat", "(crash loop)", "while true; do crash loop; done", "x=$(crash loop)",
                    "while :; do :; done", "(while :; do :; done)", "yes | while read x; do :; done | (cat | cat)"):
        guest.send(f"{command}; echo not reached\r")
        guest.expect("not reached")
        guest.send("\x03")
        guest.expect(r"\^C")
        assert "not reached" not in guest.wait_prompt(), command
        assert guest.status() == 130, command
        assert not_alone(guest) == [], command
    output = guest.run("yes | cat >/dev/null &")
    assert re.search(r"^\[1\] \d+$", output, re.M), output
    assert guest.run("kill %1; jobs").startswith("[1] done, status 137 (killed): yes | cat >/dev/null\n")
    assert not_alone(guest) == []

    guest.send("sleep 100; echo not reached\r")
    guest.expect("\n")
    guest.send("\x03")
    guest.expect(r"\^C")
    assert "not reached" not in guest.wait_prompt()
    assert guest.status() == 130
