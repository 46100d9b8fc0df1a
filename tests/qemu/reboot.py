"""reboot starts the machine anew, up to the prompt."""


def test_boots(boot):
    with boot(allow_reboot=True) as guest:
        guest.wait_prompt()
        guest.send("reboot\r")
        guest.expect("OpenSBI", timeout=60)
        guest.wait_prompt()
        assert guest.run("echo back") == "back\n"
