"""Trees derived from the JH7110's on the two machines that are like it in part: see the comments in the .dts files."""
import os
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
MACHINES = {
    # -m has to be what the machine has; the trees say how much of it is used.
    "jh7110_on_icicle": {"machine": "microchip-icicle-kit", "memory": "2G"},
    "jh7110_on_virt": {"machine": "virt", "memory": "256M"},
    "jh7110_on_virt ": {"machine": "virt", "memory": "256M", "cpu": "sifive-u54", "append": "ftl.isa.hide=zba,zbb"},
}


def test_boots(boot):
    with tempfile.TemporaryDirectory() as directory:
        for name, options in MACHINES.items():
            name = name.strip()
            tree = os.path.join(directory, f"{name}.dtb")
            subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", tree, os.path.join(HERE, f"{name}.dts")],
                           check=True)
            with boot(extra=["-dtb", tree], **options) as guest:
                text = guest.wait_prompt()
                assert "boot: 4 harts" in text and text.count(": online") == 3, text
                assert "hart 0: online" not in text and "FTL on hart 0" not in text, text
                for isolation in ("user", "sandbox"):
                    assert "primes up to 1000: 168" in guest.run(f"run --isolation={isolation} primes 1000")
                assert guest.run_status("threadtest", timeout=240)[1] == 0
                guest.send("run crash loop\r")  # input by interrupt
                guest.expect("looping forever")
                guest.send("\x03")
                guest.wait_prompt()
