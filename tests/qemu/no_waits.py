"""No hart spins while it waits for others: where one host thread emulates all harts in turn, and time counts
instructions, every such wait costs the turns of all, 100 ms each."""
GUEST = {"icount": True}

TURN = 0.1  # seconds of guest time


def test(guest):
    assert "did not start in time" not in guest.console()
    for isolation in ("user", "sandbox"):
        output, status = guest.run_status(f"time run --isolation={isolation} hello")
        assert status == 0, output
        real = next(line for line in output.splitlines() if line.startswith("real "))
        assert float(real.split()[1]) < TURN, output
