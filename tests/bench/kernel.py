"""Instructions of kernel operations at one hart, from both isolation modes (the app `bench` counts them)."""


def measure(boot):
    figures = {}
    for isolation in ("user", "sandbox"):
        with boot(smp=1) as guest:
            guest.wait_prompt()
            for line in guest.run(f"run --isolation={isolation} bench", timeout=300).splitlines():
                metric, _, value = line.partition(" ")
                if value.isdigit():
                    figures[f"{isolation}.{metric}"] = int(value)
    return figures
