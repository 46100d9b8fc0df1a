"""hello gives the same output in both isolation modes."""


def test(guest):
    outputs = {}
    for isolation in ("user", "sandbox"):
        output, status = guest.run_status(f"run --isolation={isolation} hello one 'two words'")
        assert status == 0, (isolation, status, output)
        assert "Hello from FTL\n" in output, output
        assert "argument 1: one\nargument 2: two words\n" in output, output
        assert "handle: console\n" in output and "handle: system\n" not in output, output
        outputs[isolation] = output
    assert outputs["user"] == outputs["sandbox"], outputs
    assert guest.run("run hello one 'two words'") == outputs["user"]
    assert guest.run("hello one 'two words'") == outputs["user"]
