"""Processes killed in every state, at any moment, leave nothing: objects, handles and free memory are as before."""


def kill_many(guest, rounds, seed, timeout):
    output, status = guest.run_status(f"run lifetime {rounds} {seed}", timeout=timeout)
    assert status == 0 and f"lifetime: {rounds} processes killed, nothing stayed" in output, output


def test(guest):
    guest.wait_for_drivers()
    kill_many(guest, 300, 1, timeout=300)
    kill_many(guest, 100, 2, timeout=300)
