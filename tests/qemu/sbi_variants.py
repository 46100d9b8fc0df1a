"""Each SBI extension that may lack: the kernel does without it, as far as SBI 0.1 has a call that serves."""

WITHOUT_SSTC = "rv64,sstc=false"  # the timer is SBI's
PARTS = ("calls", "kill", "sync")  # spread wants all harts


def works(guest):
    """Timers, wake-ups and page-table changes on all harts that are there."""
    for isolation in ("user", "sandbox"):
        assert "primes up to 1000: 168" in guest.run(f"run --isolation={isolation} primes 1000")
    guest.run("sleep 0.1")
    for part in PARTS:
        assert guest.run_status(f"threadtest {part}", timeout=120)[1] == 0


def test_boots(boot):
    with boot(cpu=WITHOUT_SSTC) as guest:
        text = guest.wait_prompt()
        assert "extensions: TIME IPI RFENCE HSM SRST" in text, text
        online = text.count(": online")
    # TIME, IPI, RFENCE and SRST: the set of OpenSBI 0.9 and less, down to what SBI 0.1 has.
    for hidden in ("SRST", "TIME", "IPI", "RFENCE", "TIME,IPI,RFENCE,SRST,nonsense"):
        with boot(cpu=WITHOUT_SSTC, append=f"ftl.sbi.hide={hidden}") as guest:
            text = guest.wait_prompt()
            assert f"sbi: hidden: {hidden}" in text and text.count(": online") == online, text
            assert ("there is no extension 'nonsense' to hide" in text) == ("nonsense" in hidden), text
            works(guest)
            guest.send("shutdown 3\r")
            assert guest.wait_exit() == 3
    # SBI 0.1: without HSM only the boot hart is there (but see entry.py, where firmware sends all).
    with boot(cpu=WITHOUT_SSTC, append="ftl.sbi.hide=BASE") as guest:
        text = guest.wait_prompt()
        assert ": online" not in text, text
        assert text.count("SBI hart_start failed with error -2") == online, text
        works(guest)
        guest.send("shutdown\r")
        assert guest.wait_exit() == 0
