"""ps, mem, uptime, handles, vm, objects, log, help and the list of apps show what is there."""
import re


def test(guest):
    guest.wait_for_drivers()
    ps = guest.run("ps")
    assert re.search(r"^ +1 init +(sandbox|user) +running +\d+ +\d+ +\d+ KiB +\d+\.\d{3} s$", ps, re.M), ps
    assert re.search(r"^ +\d+ shell +(sandbox|user) +running ", ps, re.M), ps

    mem = guest.run("mem")
    total, free = (int(re.search(rf"^{name} +(\d+) KiB$", mem, re.M)[1]) for name in ("total", "free"))
    assert 0 < free < total <= 128 * 1024, mem
    assert re.search(r"^ +\d+ shell +\d+ KiB of +\d+ KiB$", mem, re.M), mem

    uptime = r"up (\d+):(\d\d):(\d\d\.\d{3}), harts: (\d+), processes: (\d+), threads: (\d+)\n"
    harts = int(guest.command[guest.command.index("-smp") + 1])
    first = re.match(uptime, guest.run("uptime"))
    assert first and int(first[4]) == harts, first
    guest.run("sleep 0.2")
    second = re.match(uptime, guest.run("uptime"))
    assert float(second[3]) + 60 * float(second[2]) >= float(first[3]) + 60 * float(first[2]) + 0.2

    log = guest.run("log")
    assert len(log.splitlines()) >= 3, log
    assert guest.run("log -n 1").splitlines() == log.splitlines()[-1:], log

    shell_pid = int(re.search(r"^ +(\d+) shell ", ps, re.M)[1])
    handles = guest.run(f"handles {shell_pid}")
    assert re.search(r"^ +0x[0-9a-f]+ console +\d+ [-rwmxdtMW]{8}$", handles, re.M), handles
    assert re.search(r"^ +0x[0-9a-f]+ system ", handles, re.M), handles
    mappings = guest.run(f"vm {shell_pid}")
    assert re.search(r"^[0-9a-f]+-[0-9a-f]+ r-x +\d+ KiB ", mappings, re.M), mappings
    assert re.search(r"^[0-9a-f]+-[0-9a-f]+ rw- ", mappings, re.M), mappings
    assert not re.search(r" rwx ", mappings), mappings
    top = guest.run("top -n 1")
    assert len(re.findall(r"^hart \d+ +\d+\.\d % busy", top, re.M)) == harts, top
    assert re.search(rf"^ +{shell_pid} +\d+ shell .* running +\d+ +\d+ ", top, re.M), top
    guest.send("top\r")
    guest.expect("CPU TIME")
    guest.send("q")
    guest.wait_prompt()
    threads = int(re.search(r", threads: (\d+)", guest.run("uptime"))[1])
    objects = guest.run("objects")
    assert int(re.search(r"^thread +(\d+) ", objects, re.M)[1]) == threads, objects

    commands = guest.run("help")
    for name in ("help", "run", "ps", "kill", "mem", "uptime", "log", "shutdown", "reboot", "jobs"):
        assert re.search(rf"^{name} ", commands, re.M), (name, commands)
    assert guest.run("help ps").startswith("ps"), "help ps"

    apps = guest.run("run")
    for name in ("hello", "primes", "crash"):
        assert re.search(rf"^{name} +(sandbox|user) ", apps, re.M), apps
    assert re.search(r"real \d+\.\d{3} s\ncpu  \d+\.\d{3} s\n$", guest.run("time hello")), "time"
