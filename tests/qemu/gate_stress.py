"""Sandboxed code with garbage in all registers, sp too, that calls through the gate with stacks that are none, many
at once, next to ordinary programs, while timer interrupts and wake-ups hit all harts: each goes its way, and the kernel
survives. See `garbage` in tests/sandbox/escapes/contained.S."""
import os
import re
import tempfile

import escapes

ROUNDS = 2
AT_ONCE = 6
DONE = re.compile(r"\[\d+\] done, status (\d+).*: run garbage")


def run_together(guest):
    output = "".join(guest.run("run garbage &") for _ in range(AT_ONCE))
    for command in ("registers_after_calls", "--isolation=sandbox primes 5000", "--isolation=user primes 5000",
                    "--isolation=sandbox selftest"):
        # Not run_status(): the shell says at any prompt which jobs are done.
        text = guest.run(f"run {command}; echo ends with $?", timeout=120)
        assert "ends with 0\n" in text, f"{command}: {text}"
        output += text
    return output


def test_boots(boot):
    build_dir = boot.args[0]
    with tempfile.TemporaryDirectory() as directory:
        made, in_c = escapes.make_programs(build_dir, directory, ["contained.S"])
        image = os.path.join(directory, "boot.tar")
        escapes.make_image(build_dir, image, [(name, path) for name, _, path in made] + [("escape", in_c["trap"])])
        with boot(boot_image=image) as guest:
            guest.wait_prompt()
            output = guest.run_background("run escape storm &", "storm has begun\n")
            storm = re.search(r"^\[(\d+)\]", output, re.MULTILINE)[1]
            output = "".join(run_together(guest) for _ in range(ROUNDS))
            output += guest.run(f"kill %{storm}")
            output += guest.run("wait", timeout=240) + guest.run("jobs")
            assert DONE.findall(output) == ["0"] * ROUNDS * AT_ONCE, output
