"""Messages are traced while that is on, calls and their replies too, and not when it is off."""
import re


def records(guest):
    line = (r"^ *\d+ us  pid (\d+) +thread \d+ +(send|call|reply) +channel +(\d+) > (\d+) +"
            r"(\d+) bytes +(\d+) handles  transaction (\d+)")
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
    calls = {(start, end, transaction) for _, kind, start, end, _, _, transaction in traced if kind == "call"}
    replies = {(end, start, transaction) for _, kind, start, end, _, _, transaction in traced if kind == "reply"}
    assert calls & replies, traced  # a reply goes back through its call's channel
    guest.run("run ipctest", timeout=120)
    assert records(guest) == traced
    passed_on = trace(guest, "run ipcstress 1")
    sent = {(kind, *rest) for _, kind, _, _, *rest in passed_on}
    assert sent == {("send", "256", "0", "0"), ("send", "256", "1", "0")}, sent
    ends = {(start, end) for _, _, start, end, *_ in passed_on}
    assert len(ends) > 8 and all(start != end for start, end in ends), ends  # from each process to the next
    assert guest.run_status("run trace nonsense")[1] == 2
