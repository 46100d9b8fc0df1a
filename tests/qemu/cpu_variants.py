"""Harts with and without what the kernel and sandboxed code make use of: Sstc, Zba, Zbb, ASIDs, dirty tracking of FP;
and an old core as a whole."""

CASES = (
    {"cpu": "rv64"},
    {"cpu": "rv64,sstc=false"},  # the timer goes through SBI
    {"append": "ftl.isa.hide=sstc"},
    {"cpu": "rv64,zba=false"},   # sandboxed code is of another flavour
    {"cpu": "rv64,zbb=false"},
    {"cpu": "rv64,zba=false,zbb=false,sstc=false,svinval=false,svpbmt=false,h=false"},
    {"append": "ftl.isa.hide=zba,zbb"},
    {"append": "ftl.fpu=always-dirty"},
    {"append": "ftl.asid_bits=0"},
    {"cpu": "sifive-u54"},       # privileged architecture 1.10
)
OLD_U74 = "rv64,mvendorid=0x489,marchid=0x8000000000000007,mimpid=0x20181004"


def check_errata(boot):
    """The work-arounds for a core that says it needs them."""
    with boot(cpu=OLD_U74) as guest:
        text = guest.wait_prompt()
        assert text.count("core errata: CIP-1200 CIP-453") == boot.keywords["smp"], text
        for isolation in ("user", "sandbox"):
            assert guest.run_status(f"run --isolation={isolation} vmtest 2 20 4", timeout=120)[1] == 0
            output, status = guest.run_status(f"run --isolation={isolation} crash bad-jump")
            assert status == 139, output


def test_boots(boot):
    check_errata(boot)
    for case in CASES:
        with boot(**case) as guest:
            guest.wait_prompt()
            for isolation in ("user", "sandbox"):
                output, status = guest.run_status(f"run --isolation={isolation} primes 1000")
                assert "primes up to 1000: 168" in output and status == 0, (case, output)
                output, status = guest.run_status(f"run --isolation={isolation} threadtest calls", timeout=120)
                assert status == 0, (case, output)
            assert guest.run_status("sleep 0.1")[1] == 0
            output, status = guest.run_status("run --isolation=sandbox selftest", timeout=120)
            assert status == 0, (case, output)
