"""Sockets over the loopback interface, in all combinations of isolations of client and stack; a stack that is killed
is started again, and its clients see that."""
import itertools


def test_boots(boot):
    for stack, client in itertools.product(("user", "sandbox"), repeat=2):
        with boot(append=f"ftl.isolation.tcpip={stack}") as guest:
            guest.wait_prompt()
            output, status = guest.run_status(f"run --isolation={client} sockettest", timeout=120)
            assert status == 0, f"{stack}, {client}: {output}"
            assert " tcpip " in guest.run("ps"), "the stack is still there"
