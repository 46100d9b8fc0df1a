"""A kernel panic is reported whole, and ends QEMU with a failing status: asked for, by a fault, by a full stack."""

CAUSES = {
    "panic": ("asked for by the boot argument ftl.test", "run_boot_test+0x"),
    "fault": ("store page fault", "stval 0xffffffd000000000", "run_boot_test+0x"),
    "overflow": ("store page fault", "overflow_stack+0x"),
}


def test_boots(boot):
    for test, causes in CAUSES.items():
        with boot(append=f"ftl.test={test}") as guest:
            status = guest.wait_exit(timeout=60)
            console = guest.console()
        assert status != 0, (test, status)
        for what in ("kernel panic on hart ", " ra ", " sp ", "backtrace:", "kernel_main+0x") + causes:
            if test == "overflow" and what == "kernel_main+0x":
                continue  # too deep for the backtrace
            assert what in console, f"{test}: no '{what}' in the panic's report: {console}"
