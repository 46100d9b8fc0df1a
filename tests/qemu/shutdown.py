"""shutdown ends QEMU with its status; without one, with 0."""


def test_boots(boot):
    for command, status in (("shutdown", 0), ("shutdown 42", 42)):
        with boot() as guest:
            guest.wait_prompt()
            guest.send(command + "\r")
            assert guest.wait_exit() == status
