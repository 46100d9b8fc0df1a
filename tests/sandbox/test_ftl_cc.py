#!/usr/bin/env python3
"""ftl-cc as somebody uses it who knows gcc: programs, libraries, dependency files, and what it says when it refuses.

    test_ftl_cc.py BUILD_DIRECTORY
"""
import os
import subprocess
import sys
import tempfile
import unittest

BUILD = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else ""
MAIN = "int g(void);\nint main(void)\n{\n    return g();\n}\n"


class FtlCc(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def run_tool(self, *command, **variables):
        return subprocess.run(command, cwd=self.directory.name, env={**os.environ, **variables}, check=False,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def ftl_cc(self, *arguments, **variables):
        return self.run_tool(os.path.join(BUILD, "bin", "ftl-cc"), *arguments, **variables)

    def makes(self, name, *arguments, **variables):
        result = self.ftl_cc(*arguments, **variables)
        self.assertEqual((result.returncode, result.stdout), (0, ""), arguments)
        self.assertTrue(os.path.exists(self.path(name)), name)

    def refuses(self, parts, *arguments, leaves_no=None):
        result = self.ftl_cc(*arguments)
        self.assertNotEqual(result.returncode, 0, arguments)
        for part in parts:
            self.assertIn(part, result.stdout)
        if leaves_no is not None:
            self.assertFalse(os.path.exists(self.path(leaves_no)), leaves_no)

    def test_one_source_becomes_a_program_in_either_isolation(self):
        self.write("x.c", "#include <stdio.h>\n#include <math.h>\nint main(int n, char **a)\n"
                          "{ (void)a; return printf(\"%f\\n\", sqrt(n)) < 0; }\n")
        for options in ([], ["--flavour=mask"], ["--no-zba"], ["--no-zba", "--flavour=mask"], ["-g", "-O0"], ["-flto"],
                        ["-march=rv64gc", "-mcmodel=medlow"], ["-fPIC", "-pthread", "-std=c11"]):
            self.makes("x.elf", "--isolation=sandbox", "-O2", *options, "x.c", "-o", "x.elf", "-lm")
            self.assertEqual(self.run_tool(os.path.join(BUILD, "bin", "ftl-verify"), "x.elf").stdout, "")
            os.remove(self.path("x.elf"))
        self.makes("x.user", "--isolation=user", "-O2", "x.c", "-o", "x.user", "-lm")

    def test_configure_and_make_find_a_compiler(self):
        """What configure scripts ask: what is it, what does it define, does it compile, link, and fail when it must?"""
        environment = {"FTL_ISOLATION": "sandbox"}
        self.assertIn("clang", self.ftl_cc("--version", **environment).stdout)
        self.assertIn("riscv64", self.ftl_cc("-dumpmachine", **environment).stdout)
        self.write("conftest.c", "int main(void) { return 0; }\n")
        self.makes("a.out", "conftest.c", **environment)
        self.makes("conftest.o", "-c", "conftest.c", **environment)
        macros = self.ftl_cc("-dM", "-E", "conftest.c", **environment).stdout
        self.assertIn("#define __FTL_SANDBOX__ 1", macros)
        self.assertIn("#define __riscv_xlen 64", macros)
        self.write("conftest.c", "char no_such_function(void);\nint main(void) { return no_such_function(); }\n")
        self.assertNotEqual(self.ftl_cc("-o", "conftest", "conftest.c", **environment).returncode, 0)
        self.assertFalse(os.path.exists(self.path("conftest")))
        self.write("Makefile", "prog: main.o libg.a\n\t$(CC) -o $@ main.o -L. -lg\n"
                               "libg.a: g.o\n\tar rcs $@ g.o\n")
        self.write("main.c", MAIN)
        self.write("g.c", "int g(void) { return 0; }\n")
        result = self.run_tool("make", "-s", "CC=" + os.path.join(BUILD, "bin", "ftl-cc"), "CFLAGS=-O2", **environment)
        self.assertEqual((result.returncode, result.stdout), (0, ""))
        self.assertTrue(os.path.exists(self.path("prog")))

    def test_dependency_files_name_what_was_made(self):
        self.write("h.h", "int g(void);\n")
        self.write("x.c", "#include \"h.h\"\nint main(void) { return 0; }\n")
        self.makes("x.d", "--isolation=sandbox", "-MMD", "-MF", "x.d", "x.c", "-o", "x.elf")
        with open(self.path("x.d"), encoding="utf-8") as file:
            self.assertEqual(file.read().split(), ["x.elf:", "x.c", "h.h"])
        self.makes("x.o", "--isolation=sandbox", "-MMD", "-c", "x.c")
        with open(self.path("x.d"), encoding="utf-8") as file:
            self.assertEqual(file.read().split(), ["x.o:", "x.c", "h.h"])

    def test_what_a_sandbox_cannot_have_is_refused_with_its_line(self):
        self.write("csr.c", "int main(void)\n{\n    __asm__ volatile(\"csrr a0, time\");\n    return 0;\n}\n")
        self.refuses(["csr.c:3: ", "not permitted in a sandbox", "time"],
                     "--isolation=sandbox", "csr.c", "-o", "csr.elf", leaves_no="csr.elf")
        self.write("reg.c", "\nint main(void)\n{\n    int x = 0;\n    __asm__ volatile(\"mv s8, %0\" : : \"r\"(x));\n"
                            "    return x;\n}\n")
        self.refuses(["reg.c:5: ", "register s8 is reserved"], "--isolation=sandbox", "-O1", "reg.c", "-o", "reg.elf",
                     leaves_no="reg.elf")
        self.write("call.s", ".text\n.globl main\nmain:\n    ecall\n    ret\n")
        self.refuses(["call.s (as assembly):", "ecall"], "--isolation=sandbox", "call.s", "-o", "call.elf",
                     leaves_no="call.elf")

    def test_objects_of_the_other_isolation_are_refused(self):
        self.write("main.c", MAIN)
        self.write("g.c", "int g(void) { return 0; }\n")
        self.makes("user.o", "--isolation=user", "-c", "g.c", "-o", "user.o")
        self.makes("sandbox.o", "--isolation=sandbox", "-c", "g.c", "-o", "sandbox.o")
        self.refuses(["made with --isolation=sandbox in a user program"],
                     "--isolation=user", "main.c", "sandbox.o", "-o", "p", leaves_no="p")
        self.refuses(["ftl-verify: p: ", "--isolation=sandbox?"], "--isolation=sandbox", "main.c", "user.o", "-o", "p",
                     leaves_no="p")

    def test_senseless_command_lines_are_refused(self):
        self.write("x.c", "int main(void) { return 0; }\n")
        self.refuses(["unknown value", "--isolation=kernel"], "--isolation=kernel", "x.c")
        self.refuses(["unknown value", "--flavour=sour"], "--isolation=sandbox", "--flavour=sour", "x.c")
        self.refuses(["shared libraries", "-shared"], "--isolation=sandbox", "-shared", "x.c")
        self.refuses(["value missing after", "-o"], "--isolation=sandbox", "x.c", "-o")
        self.refuses(["missing.c"], "--isolation=sandbox", "missing.c")
        self.refuses(["unable to find library -lmissing"], "--isolation=sandbox", "x.c", "-lmissing")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
