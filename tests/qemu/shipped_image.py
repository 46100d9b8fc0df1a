"""What is shipped holds programs for people, in both isolation modes, and none of the tests'."""
import re
import tarfile

from guest import BOOT_IMAGE, TESTS_IMAGE

GUEST = {"boot_image": BOOT_IMAGE}
SHIPPED = {"init", "shell", "hello", "primes", "crash", "echo_client", "echo_server", "trace"}
TESTS = {"bomb", "ipctest", "lifetime", "ringtest", "selftest", "threadtest"}


def apps(build_dir, image):
    with tarfile.open(f"{build_dir}/{image}") as archive:
        names = archive.getnames()
    found = {name.split("/")[1].split(".")[0] for name in names if name.endswith(".manifest")}
    found.remove("program")  # of those from files: there is no program of that name
    assert {f"bin/{app}.{mode}" for app in found for mode in ("user", "sandbox")} <= set(names), names
    return found


def test_boots(boot):
    build_dir = boot.args[0]
    shipped, with_tests = apps(build_dir, BOOT_IMAGE), apps(build_dir, TESTS_IMAGE)
    assert SHIPPED <= shipped and not TESTS & shipped, shipped
    assert shipped | TESTS <= with_tests, with_tests
    with boot() as guest:
        guest.wait_prompt()
        listed = set(re.findall(r"^(\w+) ", guest.run("run"), re.M))
        assert shipped <= listed and not TESTS & listed, listed
        assert guest.run_status("selftest")[1] == 127
        assert guest.run("hello").startswith("Hello from FTL")
        assert guest.run("echo_client say hi") == "hi (1)\n"
