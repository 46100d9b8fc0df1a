"""What kernel calls and calls of other processes cost on one hart, in instructions of this build, so that none of them
gets worse unseen. Release builds are cheaper where there are assertions: docs/performance.md has their figures and the
aims."""
from figures import read_figures

GUEST = {"icount": True}
BUDGETS = {
    "user.null_call": 34,
    "user.thread_create_exit_join": 2700,
    "user.yield_there_and_back": 535,
    "user.notification_there_and_back": 1200,
    "user.notification_there_and_back_in_one_call": 890,
    "user.map_touch_unmap_4k": 3000,
    "user.process_run_user": 30000,
    "user.to_user.call_reply_word": 360,
    "user.to_sandbox.call_reply_word": 335,
    "user.to_user.one_way_4096": 4800,
    "sandbox.null_call": 30,
    "sandbox.yield_there_and_back": 560,
    "sandbox.notification_there_and_back": 1240,
    "sandbox.process_run_sandbox": 33500,
    "sandbox.to_sandbox.call_reply_word": 200,
}


def test(guest):
    figures = {}
    for isolation in ("user", "sandbox"):
        for command in ("bench", "ipcbench"):
            figures.update(read_figures(guest, isolation, command))
    over = {name: (figures[name], budget) for name, budget in BUDGETS.items() if not 0 < figures[name] <= budget}
    assert not over, f"instructions, and how many there may be: {over}"
