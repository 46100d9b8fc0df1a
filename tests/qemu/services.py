"""Services: a client and a server talk in every combination of isolations; what a manifest does not name cannot be
reached; servers that end are started again as their manifests say, and their clients notice."""
import itertools
import re

SERVER = "echo_server"
RESTARTS = 3  # of echo_server, in a row: see its CMakeLists.txt


def pid_of(guest, name):
    return re.search(rf"^ +(\d+) {name} ", guest.run("ps"), re.M)[1]


def kill_server(guest, *says):
    """Kills the server, and waits for what init says of it, which is returned, and for what clients say. All that may
    come in any order, before the prompt or after it."""
    pid = pid_of(guest, SERVER)
    announcement = rf"init: {SERVER} \(pid {pid}\) was killed \(status 137\); ([^\r\n]*)\r?\n"
    output = guest.run(f"kill {pid}")
    wanted = [announcement, *(rf"{text}\r?\n" for text in says)]
    missing = [pattern for pattern in wanted if not re.search(pattern, output)]
    if missing:  # wait until all of them are there, and take all that is there then
        output += guest.expect("".join(rf"(?=(?s:.*?){pattern})" for pattern in missing) + r"(?s:.*)\n")[0]
    return re.search(announcement, output)[1]


def clients_and_servers_talk(guest, client):
    output, status = guest.run_status(f"run --isolation={client} echo_client check", timeout=60)
    assert status == 0 and output == "all as it should be\n", output
    assert guest.run(f"run --isolation={client} echo_client say 'good day'") == "good day (1)\n"


def only_what_is_granted_can_be_reached(guest):
    assert guest.run("echo_client reach echo") == "echo: success\nas the shell: handle lacks a right\n"
    output = guest.run("echo_client reach service")
    assert output == "service: handle lacks a right\nas the shell: handle lacks a right\n", output
    assert "handle: names\n" not in guest.run("hello")


def a_call_can_wait_for_another_client(guest, client):
    guest.run_background(f"run --isolation={client} echo_client listen &", "listening\n")
    guest.run_background("echo_client shout 'from afar'", "somebody shouts from afar\n")
    guest.run("wait")


def clients_notice_the_end_and_connect_again(guest, client):
    guest.run_background(f"run --isolation={client} echo_client stay 1 &", "connected\n")
    guest.run_background(f"run --isolation={client} echo_client listen &", "listening\n")
    first = pid_of(guest, SERVER)
    said = kill_server(guest, "echo_client: listen: the other end was closed", "connected again")
    assert said == "starting it again", said
    guest.run("wait")
    assert pid_of(guest, SERVER) != first


def test_boots(boot):
    for server, client in itertools.product(("user", "sandbox"), repeat=2):
        with boot(append=f"ftl.isolation.{SERVER}={server}") as guest:
            guest.wait_prompt()
            assert SERVER not in guest.run("ps"), "nobody has connected yet"
            clients_and_servers_talk(guest, client)
            assert re.search(rf"^ +\d+ {SERVER} +{server} ", guest.run("ps"), re.M), guest.run("ps")
            only_what_is_granted_can_be_reached(guest)
            a_call_can_wait_for_another_client(guest, client)
            clients_notice_the_end_and_connect_again(guest, client)
