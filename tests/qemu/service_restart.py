"""A service that keeps ending is started again as often as its manifest allows, and clients are told when it is not;
init and the shell do not mind."""
from services import RESTARTS, kill_server


def test(guest):
    guest.run_background("echo_client outlive &", "connected\n")
    for _ in range(RESTARTS):
        said = kill_server(guest, "connected")  # to the next instance
        assert said == "starting it again", said
    said = kill_server(guest, "no more: object is not in a state for this")
    assert said == "it has been started again too often, and stays ended", said
    guest.run("wait")
    output = guest.run("echo_client say")
    assert output == "echo_client: connecting: object is not in a state for this\n", output
    assert guest.run("hello").startswith("Hello from FTL")
