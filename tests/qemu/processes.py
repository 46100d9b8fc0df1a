"""Pipes, programs that start others, what those inherit and what becomes of them, and signals, in all combinations of
isolations of parent and child; Ctrl-C for programs that have a handler for it."""
import itertools

PARTS = ["pipes", "polling", "spawn", "inheritance", "waiting", "signals", "files", "exec", "shell"]


def press_control_c(guest, command, says):
    """While the command sleeps, which it has said by a dot."""
    guest.send(command + "\r")
    guest.expect(r"^\.")
    guest.send("\x03")
    guest.expect(r"\^C")
    assert guest.wait_prompt().strip() == says, command
    assert guest.status() == 130, command  # the shell's own, for the rest of the line


def test(guest):
    for parent, child in itertools.product(("user", "sandbox"), repeat=2):
        command = f"run --isolation={parent} proctest {child} {' '.join(PARTS)}"
        output, status = guest.run_status(command, timeout=120)
        assert status == 0 and "\n0 failures\n" in output, f"{parent}, {child}: {output}"
    for isolation in ("user", "sandbox"):
        press_control_c(guest, f"run --isolation={isolation} proctest as catch", "caught 2")
        press_control_c(guest, f"run --isolation={isolation} proctest as parent",
                        "caught 2\nthe child has ended with 2")
        press_control_c(guest, f"run --isolation={isolation} proctest as sleep", "")
