"""In a build with FTL_SANITIZE=undefined, undefined behaviour of the kernel's own is a panic that names it."""
import re


def test_boots(boot):
    with boot(append="ftl.test=undefined") as guest:
        status = guest.wait_exit(timeout=60)
        console = guest.console()
    assert status != 0, status
    assert re.search(r"kernel panic on hart \d+: undefined behaviour: shift out of range \(kernel/main\.c:\d+:\d+\)",
                     console), console
