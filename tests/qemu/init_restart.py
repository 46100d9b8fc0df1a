"""init starts a new shell when the shell ends, however it ends, and says why."""
import re


def shell_pid(guest):
    return re.search(r"^ +(\d+) shell ", guest.run("ps"), re.M)[1]


def test(guest):
    pid = shell_pid(guest)
    guest.send(f"kill {pid}\r")
    guest.expect(rf"init: shell \(pid {pid}\) was killed \(status 137\); starting it again")
    guest.wait_prompt()
    assert shell_pid(guest) != pid
    guest.send("exit 5\r")
    guest.expect(r"init: shell \(pid \d+\) ended \(status 5\); starting it again")
    guest.wait_prompt()
    assert guest.run("hello").startswith("Hello from FTL")
