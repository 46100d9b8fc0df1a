"""Programs that somebody makes with ftl-cc alone, added to the boot image as by scripts/run --app, run in both
isolations, as docs/programs.md has it: one that uses the console alone, and one with files and several sources."""
import os
import subprocess
import tempfile

import apps
from guest import TESTS_IMAGE

HELLO = r"""
#include <stdio.h>
int main(int argc, char **argv)
{
    return printf("Hello, %s\n", argc > 1 ? argv[1] : "world") < 0;
}
"""
KEEP = r"""
#include <stdio.h>
int keep(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    fprintf(file, "%s and %.3f\n", text, 1.0 / 3);
    return fclose(file) != 0;
}
"""
SHOW = r"""
#include <stdio.h>
int keep(const char *path, const char *text);
int main(int argc, char **argv)
{
    char line[80] = "";
    FILE *file;
    if (argc != 3 || keep(argv[1], argv[2]) != 0 || (file = fopen(argv[1], "r")) == NULL) {
        return 1;
    }
    return fgets(line, sizeof(line), file) == NULL || fputs(line, stdout) < 0;
}
"""


def build(boot, directory, output, isolation, sources):
    paths = []
    for number, text in enumerate(sources):
        paths.append(os.path.join(directory, f"{output}{number}.c"))
        with open(paths[-1], "w", encoding="utf-8") as file:
            file.write(text)
    program = os.path.join(directory, f"{output}.{isolation}")
    compiler = os.path.join(boot.args[0], "bin", "ftl-cc")
    subprocess.run([compiler, f"--isolation={isolation}", "-O2", *paths, "-o", program], check=True)
    return program


def test_boots(boot):
    sources = {"greeting": [HELLO], "keeper": [SHOW, KEEP]}
    with tempfile.TemporaryDirectory() as directory:
        programs = [build(boot, directory, name, isolation, texts) for name, texts in sources.items()
                    for isolation in apps.ISOLATIONS]
        image = os.path.join(directory, "own.tar")
        apps.add_programs(os.path.join(boot.args[0], TESTS_IMAGE), programs, image)
        with boot(boot_image=image) as guest:
            guest.wait_prompt()
            for isolation in apps.ISOLATIONS:
                run = f"run --isolation={isolation}"
                assert guest.run_status(f"{run} greeting 'you all'") == ("Hello, you all\n", 0)
                assert guest.run_status(f"{run} keeper /tmp/kept one") == ("one and 0.333\n", 0)
                output, status = guest.run_status(f"{run} keeper /nowhere/kept one")
                assert (output, status) == ("/nowhere/kept: No such file or directory\n", 1), output
            assert guest.run_status("greeting") == ("Hello, world\n", 0)  # an app like any other
