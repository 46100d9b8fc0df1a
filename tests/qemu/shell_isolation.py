"""init and the shell run in either isolation, as boot arguments say, and start apps in both."""
import re


def test_boots(boot):
    for isolation in ("user", "sandbox"):
        with boot(append=f"ftl.isolation.init={isolation} ftl.isolation.shell={isolation}") as guest:
            guest.wait_prompt()
            ps = guest.run("ps")
            for name in ("init", "shell"):
                assert re.search(rf"^ +\d+ {name} +{isolation} ", ps, re.M), ps
            for app in ("user", "sandbox"):
                output, status = guest.run_status(f"run --isolation={app} hello")
                assert status == 0 and output.startswith("Hello from FTL\n"), (isolation, app, status, output)
