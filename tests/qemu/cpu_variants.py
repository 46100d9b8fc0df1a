"""Without Sstc the timer goes through SBI; code that needs Zba is refused, by name, where a hart has none."""


def test_boots(boot):
    with boot(cpu="rv64,sstc=false") as guest:
        guest.wait_prompt()
        for isolation in ("user", "sandbox"):
            assert "primes up to 1000: 168" in guest.run(f"run --isolation={isolation} primes 1000")
        guest.run("sleep 1")
        assert guest.run("echo $?").strip() == "0"
    with boot(cpu="rv64,zba=false") as guest:
        guest.wait_prompt()
        assert "primes up to 1000: 168" in guest.run("run --isolation=user primes 1000")
        refusal = guest.run("run --isolation=sandbox primes 1000")
        assert "needs Zba, which not every hart has" in refusal, refusal
        assert guest.run("echo $?").strip() == "126"
