"""The same as lifetime, ten thousand times."""
from lifetime import kill_many


def test(guest):
    kill_many(guest, 10000, 20261125, timeout=3000)
