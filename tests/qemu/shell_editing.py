"""Line editing on the real console: editing keys, history, completion, long lines, Ctrl-C and Ctrl-D."""


def enter(guest, keys):
    """Types keys and Enter; returns what the command printed."""
    guest.send(keys + "\r")
    guest.expect("\n")
    return guest.wait_prompt()


def test(guest):
    assert enter(guest, "echo hellp\x7fo") == "hello\n"
    assert enter(guest, "cho start\x01e\x05ed") == "started\n"
    assert enter(guest, "echo one two\x1b[1;5D\x1b[1;5DX\x0b") == "X\n"

    assert enter(guest, "\x1b[A") == "X\n"
    assert enter(guest, "\x10\x10") == "started\n"
    assert enter(guest, "ech not this\x1b[A\x1b[B\x15echo that") == "that\n"
    history = guest.run("history")
    assert "echo that\n" in history and "echo started\n" in history, history

    assert "hart" in enter(guest, "upt\t")
    guest.send("h\t\t")
    guest.expect(r"^handles +help +history +hello .*head")
    guest.wait_prompt()  # the line again, below the list
    assert enter(guest, "el\x15echo completed").endswith("completed\n")
    assert "Hello from FTL\n" in enter(guest, "run --isolation=u\thell\t")

    word = "0123456789" * 15
    assert enter(guest, f"echo {word}") == word + "\n"
    assert enter(guest, f"cho {word}\x01e") == word + "\n"

    guest.send("echo cancelled")
    guest.expect("cancelled")
    guest.send("\x03")
    guest.expect(r"\^C")
    guest.wait_prompt()
    assert guest.status() == 130
    guest.send("\x04")
    guest.expect("shutdown")
    guest.wait_prompt()
    assert enter(guest, "echo still here") == "still here\n"
