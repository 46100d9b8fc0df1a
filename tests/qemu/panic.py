"""A kernel panic is reported whole, and ends QEMU with a failing status."""


def test_boots(boot):
    with boot(append="ftl.test=panic") as guest:
        status = guest.wait_exit(timeout=60)
        console = guest.console()
    assert status != 0, status
    for what in ("panic", "hart", "ra", "sp", "backtrace", "+0x"):
        assert what in console.lower(), f"no '{what}' in the panic's report: {console}"
