"""Background jobs, kill, and Ctrl-C on the foreground."""
import re


def start_loop(guest, isolation):
    output = guest.run_background(f"run --isolation={isolation} crash loop &", "crash: looping forever\n")
    return re.search(r"^\[(\d+)\] (\d+)$", output, re.M).groups()


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

    guest.send("sleep 100; echo not reached\r")
    guest.expect("\n")
    guest.send("\x03")
    guest.expect(r"\^C")
    assert "not reached" not in guest.wait_prompt()
    assert guest.status() == 130
