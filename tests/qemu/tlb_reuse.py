"""Memory that is unmapped and used again: harts that read it meanwhile see no stale byte, in both isolation modes."""
WORK = 240  # rounds with small pages at one hart; a round takes longer the more harts share a host CPU


def test(guest):
    harts = int(guest.command[guest.command.index("-smp") + 1])
    readers = max(harts - 1, 2)
    rounds = WORK // harts
    large_rounds = rounds // 8
    for isolation in ("user", "sandbox"):
        output, status = guest.run_status(f"run --isolation={isolation} vmtest {readers} {rounds} {large_rounds}",
                                          timeout=300)
        assert status == 0, (isolation, status, output)
        assert f"small pages: {rounds} rounds, 0 stale" in output, (isolation, output)
        assert f"large pages: {large_rounds} rounds, 0 stale" in output, (isolation, output)
