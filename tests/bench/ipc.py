"""Instructions of messages between processes in both isolation modes, of polls, and of rings."""
from figures import read_figures

ISOLATIONS = ("user", "sandbox")


def measure(boot):
    figures = {}
    for isolation in ISOLATIONS:
        with boot(smp=1) as guest:
            guest.wait_prompt()
            figures.update(read_figures(guest, isolation, "ipcbench"))
            figures.update(read_figures(guest, isolation, "ringtest cost"))
            guest.run("trace on")
            traced = read_figures(guest, isolation, "ipcbench call")
            figures.update({f"{metric}.traced": number for metric, number in traced.items()})
            guest.run("trace off")
        with boot(smp=4) as guest:
            guest.wait_prompt()
            figures.update(read_figures(guest, isolation, "ipcbench pairs"))
    return figures
