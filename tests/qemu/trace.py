"""Messages are traced while that is on, calls and their replies too, and not when it is off."""
import re


def records(guest):
    line = r"^ *\d+ us  pid (\d+) +thread \d+ +(send|call|reply) +(\d+) bytes +(\d+) handles  transaction (\d+)"
    return re.findall(line, guest.run("run trace show"), re.M)


def trace(guest, command):
    assert guest.run_status("run trace on")[1] == 0
    guest.run(command, timeout=240)
    assert guest.run_status("run trace off")[1] == 0
    return records(guest)


def test(guest):
    guest.run("run ipctest", timeout=120)
    assert records(guest) == []
    traced = trace(guest, "run ipctest")
    calls = {transaction for _, kind, _, _, transaction in traced if kind == "call"}
    replies = {transaction for _, kind, _, _, transaction in traced if kind == "reply"}
    assert calls & replies, traced
    guest.run("run ipctest", timeout=120)
    assert records(guest) == traced
    sent = {record[1:] for record in trace(guest, "run ipcstress 1")}
    assert sent == {("send", "256", "0", "0"), ("send", "256", "1", "0")}, sent
    assert guest.run_status("run trace nonsense")[1] == 2
