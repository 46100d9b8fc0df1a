"""Files as the C library has them, in memory: all that posixfiletest checks, in the combinations of isolations of client
and server; locks between two processes; what is open when the server is killed, and what is opened afterwards."""
import itertools
import re


def check_locks(guest, isolation):
    guest.run_background(f"run --isolation={isolation} posixfiletest /tmp hold &", "")
    output, status = guest.run_status(f"run --isolation={isolation} posixfiletest /tmp meet", timeout=60)
    assert status == 0, output
    guest.run("wait")
    assert guest.status() == 0


def check_restart(guest, isolation):
    guest.run_background(f"run --isolation={isolation} posixfiletest /tmp restart &", "end it now\n")
    pid = re.search(r"^ +(\d+) files ", guest.run("ps"), re.M).group(1)
    guest.run(f"kill {pid}")
    guest.run("wait")
    assert guest.status() == 0


def test_boots(boot):
    for server, client in itertools.product(("user", "sandbox"), repeat=2):
        with boot(append=f"ftl.isolation.files={server}") as guest:
            guest.wait_prompt()
            output, status = guest.run_status(f"run --isolation={client} posixfiletest /tmp", timeout=300)
            assert status == 0, f"{server}, {client}: {output}"
            check_locks(guest, client)
            check_restart(guest, client)
