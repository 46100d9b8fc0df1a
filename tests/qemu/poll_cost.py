"""A poll of 10,000 sources costs what one of 10 does, in instructions: to add and remove one, and to wait for one."""
from figures import read_figures

GUEST = {"icount": True}
TOLERANCE = 1.05  # interrupts that come meanwhile


def test(guest):
    for isolation in ("user", "sandbox"):
        figures = read_figures(guest, isolation, "ipcbench poll")
        for metric in ("poll_remove_add", "poll_signal_wait_clear"):
            few, many = (figures[f"{isolation}.{metric}_of_{count}"] for count in (10, 10000))
            assert 0 < many <= few * TOLERANCE, (isolation, metric, few, many)
