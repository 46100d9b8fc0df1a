"""What becomes of services that end, by their restart policies: always, never, and on failure with a limit for one that
fails at once; nobody else notices, and nobody connects to what was not granted."""
import re

CLOSED = "mortal: the other end was closed\n"
ENDED = "mortal: connecting: object is not in a state for this\n"
OTHER = "echo_server"


def end_of(guest, name, command):
    """What the command prints, and what init says of the service's end, which may come before the prompt or later."""
    announcement = rf"init: {name} \(pid \d+\) ended \(status (\d+)\); ([^\r\n]*)\r?\n"
    output = guest.run(command)
    found = re.search(announcement, output) or guest.expect(announcement)
    return re.sub(announcement, "", output), int(found[1]), found[2]


def pids(guest):
    return {name: pid for pid, name in re.findall(r"^ +(\d+) (\w+) ", guest.run("ps"), re.M)}


def always(guest):
    assert guest.run("mortal mortal_always hello") == "mortal: hello\n"
    for status in (0, 1):
        before = pids(guest)["mortal_always"]
        said = end_of(guest, "mortal_always", f"mortal mortal_always 'exit {status}'")
        assert said == (CLOSED, status, "starting it again"), said
        assert guest.run("mortal mortal_always again") == "mortal: again\n"
        assert pids(guest)["mortal_always"] != before


def never(guest):
    assert guest.run("mortal mortal_never hello") == "mortal: hello\n"
    said = end_of(guest, "mortal_never", "mortal mortal_never 'exit 1'")
    assert said == (CLOSED, 1, "it stays ended"), said
    assert guest.run("mortal mortal_never hello") == ENDED


def fails_at_once(guest):
    """It is started three times more, each time later, and then no more."""
    output = guest.run("mortal mortal_at_once hello")
    last = "it has been started again too often, and stays ended"
    if last not in output:
        output += guest.expect(rf"(?s:.*){last}\r?\n")[0]
    assert output.count("starting it again") == 3 and CLOSED.strip() in output, output
    assert guest.run("mortal mortal_at_once hello") == ENDED


def test(guest):
    guest.run_background("echo_client listen &", "listening\n")
    other = pids(guest)[OTHER]
    always(guest)
    never(guest)
    fails_at_once(guest)
    assert pids(guest)[OTHER] == other
    guest.run_background("echo_client shout 'all well'", "somebody shouts all well\n")
    guest.run("wait")  # for who listened, so that the shell says nothing of that below
    assert guest.run("mortal echo hello") == "mortal: connecting: handle lacks a right\n"
