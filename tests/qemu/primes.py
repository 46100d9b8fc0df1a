"""primes computes the same in both isolation modes as on the host."""
import os
import subprocess
import tempfile

LIMIT = "20000"
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../user/apps/primes/primes.c")


def expected():
    with tempfile.TemporaryDirectory() as directory:
        program = os.path.join(directory, "primes")
        subprocess.run(["clang-19", "-O1", "-o", program, SOURCE, "-lpthread", "-lm"], check=True)
        return subprocess.run([program, LIMIT], check=True, capture_output=True, text=True).stdout


def test(guest):
    on_host = expected()
    for isolation in ("user", "sandbox"):
        output, status = guest.run_status(f"run --isolation={isolation} primes {LIMIT}", timeout=90)
        assert status == 0, (isolation, status, output)
        assert output == on_host, f"{isolation}: {output!r} instead of {on_host!r}"
