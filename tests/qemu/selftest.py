"""The C library's checks of itself pass in both isolation modes, with the same output."""


def test(guest):
    outputs = {}
    for isolation in ("user", "sandbox"):
        output, status = guest.run_status(f"run --isolation={isolation} selftest")
        assert status == 0 and output.endswith("selftest: 0 failed\n"), f"{isolation}: {status}: {output}"
        outputs[isolation] = output
    assert outputs["user"] == outputs["sandbox"], outputs
