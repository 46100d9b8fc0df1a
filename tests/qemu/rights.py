"""Each call, but words calls, refuses handles that lack one of the rights it needs, whatever the isolation."""
import os
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "scripts"))
import gencalls  # noqa: E402


def test(guest):
    calls = gencalls.parse(os.path.join(ROOT, "user", "lib", "include", "ftl", "calls.def"))
    combinations = sum(len(argument.rights or []) for call in calls if not call.is_words
                       for argument in call.args)
    assert combinations > 50, combinations
    for isolation in ("user", "sandbox"):
        output, status = guest.run_status(f"run --isolation={isolation} rightstest")
        assert status == 0, (isolation, status, output)
        assert f"{combinations} combinations of a call and a missing right, 0 failures" in output, (isolation, output)
