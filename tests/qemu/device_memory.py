"""A process with the authority drives a real device, registers and interrupts, in both isolation modes."""
RTC = "0x101000 11"  # QEMU's virt machine: registers and interrupt source of its goldfish RTC
TAKEN = ["0x80200000 11", "0x10000000 11", "0xc000000 11"]  # RAM; registers of the kernel's UART and PLIC


def check_alarms(guest, isolation):
    output, status = guest.run_status(f"run --isolation={isolation} rtctest {RTC}", timeout=60)
    assert status == 0 and "all alarms came" in output, (isolation, status, output)


def check_refused(guest, isolation):
    for place in TAKEN:
        output, status = guest.run_status(f"run --isolation={isolation} rtctest {place}")
        assert status == 1 and "rtctest: registers: handle lacks a right" in output, (place, output)


def check_kill(guest, isolation):
    guest.run_background(f"run --isolation={isolation} rtctest {RTC} hold &", "holding\n")
    guest.run("kill $!")
    guest.run("wait")


def wait_for_driver(guest):
    """The RTC's own driver gives back the interrupt, which it has no use for, before it tells the time."""
    while "1970" in guest.run("date"):
        pass


def test(guest):
    wait_for_driver(guest)
    for isolation in ("user", "sandbox"):
        check_alarms(guest, isolation)
        check_alarms(guest, isolation)  # what it left open at its end is free again
        check_kill(guest, isolation)
        check_alarms(guest, isolation)
        check_refused(guest, isolation)
