"""The driver of virtio sources of randomness, modern and legacy, in both isolations; getentropy() of the C library."""
import itertools
import re

from drivers import kill, pid_of, runs_as
from guest import entropy

DRIVER = "virtio_rng"


def random_numbers(guest):
    output = guest.run("randomtest", timeout=60)
    assert re.fullmatch(r"[0-9a-f]{32}\n", output), output
    return output


def test_boots(boot):
    with boot() as guest:
        guest.wait_prompt()
        assert guest.run("randomtest") == "randomtest: getentropy: Function not implemented\n"
    for isolation, legacy in itertools.product(("sandbox", "user"), (False, True)):
        with boot(append=f"ftl.isolation.{DRIVER}={isolation}", legacy=legacy, extra=entropy()) as guest:
            guest.wait_prompt()
            first = random_numbers(guest)
            assert runs_as(guest, DRIVER, isolation)
            assert random_numbers(guest) != first
            pid = pid_of(guest, DRIVER)
            kill(guest, DRIVER, "")
            random_numbers(guest)
            assert pid_of(guest, DRIVER) != pid
