"""The machine sifive_u, much like a VisionFive 2: hart 0 has no S-mode, PLIC contexts differ from hart to hart, the
UART is SiFive's, nothing can switch it off."""
import re

GUEST = {"machine": "sifive_u", "memory": "256M"}
HALTED = "power: the firmware cannot power off; halted with status 3"


def test_boots(boot):
    with boot() as guest:
        text = guest.wait_prompt()
        harts = int(re.search(r"^.*boot: (\d+) harts", text, re.MULTILINE)[1])
        online = {int(hart) for hart in re.findall(r"hart (\d+): online", text)}
        online.add(int(re.search(r"FTL on hart (\d+)", text)[1]))
        assert online == set(range(1, harts + 1)), text  # all but hart 0
        for isolation in ("user", "sandbox"):  # for sandboxes, code without Zba and Zbb
            assert "primes up to 1000: 168" in guest.run(f"run --isolation={isolation} primes 1000")
        guest.send("run crash loop\r")  # input comes by interrupt, whichever hart booted
        guest.expect("looping forever")
        guest.send("\x03")
        guest.wait_prompt()
        guest.send("shutdown 3\r")
        guest.expect(re.escape(HALTED))
    with boot() as guest:
        guest.wait_prompt()
        guest.send("reboot\r")
        assert guest.wait_exit() == 0  # QEMU runs with -no-reboot
