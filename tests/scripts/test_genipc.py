#!/usr/bin/env python3
"""scripts/genipc.py: what it makes of good definitions, and what it says of bad ones."""
import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
GENERATOR = os.path.join(ROOT, "scripts", "genipc.py")
HEAD = "protocol thing version 1\n    About things.\n\n"
CALL = "call ask(a: u32) -> b: u32\n    Asks.\n"


class Generator(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def generate(self, files, *options):
        for name, text in files.items():
            with open(self.path(name), "w", encoding="utf-8") as file:
                file.write(text)
        return subprocess.run([sys.executable, "-B", GENERATOR, *map(self.path, files), *options], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)

    def output(self, text, option, name):
        """What is made of a good definition."""
        result = self.generate({"thing.ipc": HEAD + text}, option, self.path("out"))
        self.assertEqual(result.stderr, "")
        self.assertEqual(result.returncode, 0)
        with open(os.path.join(self.path("out"), name) if name else self.path("out"), encoding="utf-8") as file:
            return file.read()

    def refused(self, text, line, message, head=HEAD, name="thing.ipc"):
        """A bad definition gives one line, FILE:LINE: MESSAGE, and no output."""
        result = self.generate({name: head + text}, "--headers", self.path("out"))
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr, f"{self.path(name)}:{line}: {message}\n")
        self.assertFalse(os.path.exists(self.path("out")))

    # ---- Good ones ----

    def test_header_has_ids_limits_and_functions(self):
        header = self.output(CALL, "--headers", "ftl/protocols/thing.h")
        self.assertRegex(header, r"#define THING_PROTOCOL 0x[0-9a-f]{8}u\n#define THING_MAJOR 1u\n"
                         r"#define THING_MINOR 0u\n")
        self.assertIn("#define THING_MESSAGE_MAX 24u\n#define THING_HANDLES_MAX 0u\n", header)
        self.assertIn("THING_ASK = 1,", header)
        self.assertIn("ftl_status_t thing_ask(ftl_handle_t channel, const struct thing_ask_request *request, "
                      "struct thing_ask_reply *reply, struct thing_buffer *buffer, ftl_nsec_t deadline);", header)

    def test_definitions_go_on_after_a_comma_and_a_brace(self):
        text = "enum kind: u8 {\n  A = 1,\n  B = 2\n}\n    Kinds.\ncall ask(a: kind,\n        b: u8)\n    Asks.\n"
        header = self.output(text, "--headers", "ftl/protocols/thing.h")
        self.assertIn("THING_KIND_B = 2,", header)
        self.assertIn("    uint8_t a;\n    uint8_t b;\n", header)

    def test_documentation_has_every_message(self):
        docs = self.output(CALL + "send tell(text: string<=5)\n    Tells.\n    More.\nevent told()\n    It was told.\n",
                           "--docs", None)
        for text in ("## thing, version 1.0\n", "### 1. call ask\n\n`ask(a: u32) -> b: u32`\n\nAsks.\n",
                     "### 2. send tell\n\n`tell(text: string<=5)`\n\nTells.\nMore.\n", "### 3. event told\n"):
            self.assertIn(text, docs)

    def test_unchanged_output_is_not_written_again(self):
        self.output(CALL, "--headers", "ftl/protocols/thing.h")
        path = os.path.join(self.path("out"), "ftl/protocols/thing.h")
        os.utime(path, (1, 1))
        self.output(CALL, "--headers", "ftl/protocols/thing.h")
        self.assertEqual(os.stat(path).st_mtime, 1)

    def test_all_definitions_of_the_project_are_documented_as_their_files_say(self):
        directory = os.path.join(ROOT, "user", "protocols")
        paths = [os.path.join(directory, name) for name in sorted(os.listdir(directory))]
        result = subprocess.run([sys.executable, "-B", GENERATOR, *paths, "--docs", self.path("docs.md")], check=False)
        self.assertEqual(result.returncode, 0)
        with open(self.path("docs.md"), encoding="utf-8") as file:
            documented = re.findall(r"^## (\w+),", file.read(), re.M)
        self.assertEqual([f"{name}.ipc" for name in documented], sorted(os.listdir(directory)))

    def test_minor_versions_are_documented_and_messages_carry_theirs(self):
        text = {"thing.ipc": HEAD.replace("version 1", "version 1.2") + CALL + "since 1.2\nsend tell()\n    Tells.\n"}
        result = self.generate(text, "--docs", self.path("docs"), "--sources", self.path("out"))
        self.assertEqual(result.stderr, "")
        with open(self.path("docs"), encoding="utf-8") as file:
            docs = file.read()
        self.assertIn("### 2. send tell\n\nSince version 1.2.\n\n`tell()`", docs)
        self.assertEqual(docs.count("Since"), 1)
        with open(self.path("out/thing.protocol.c"), encoding="utf-8") as file:
            source = file.read()
        self.assertIn("{ THING_PROTOCOL, THING_MAJOR, 0, THING_ASK, FTL_OK, 0 }", source)
        self.assertIn("{ THING_PROTOCOL, THING_MAJOR, 2, THING_TELL, FTL_OK, 0 }", source)

    def test_lists_and_optional_handles_are_declared(self):
        header = self.output("struct s { a: string<=4 }\n    S.\ncall ask(a: vmo[READ]?) -> b: list[s]<=40\n    A.\n",
                             "--headers", "ftl/protocols/thing.h")
        self.assertIn("ftl_handle_t a; /* vmo with READ, or FTL_HANDLE_INVALID */\n", header)
        self.assertIn("struct ftl_ipc_list b; /* of struct thing_s, at most 40 bytes */\n", header)
        self.assertIn("bool thing_s_next(struct ftl_ipc_list *list, struct thing_s *to);\n", header)

    # ---- Bad ones ----

    def test_the_first_line_names_the_protocol(self):
        begin = "a definition begins with 'protocol NAME version N'"
        self.refused("", 1, begin, head="")
        self.refused("# nothing\n", 1, begin, head="")
        self.refused(CALL, 1, begin, head="")
        self.refused(CALL, 1, begin, head="protocol thing\n    Docs.\n")
        self.refused(CALL, 1, "protocol 'thing' belongs into thing.ipc", name="other.ipc")
        name = "a" * 32
        self.refused(CALL, 1, f"'{name}' is longer than 31 bytes", head=f"protocol {name} version 1\n    Docs.\n")

    def test_a_protocol_has_messages(self):
        self.refused("", 1, "protocol 'thing' has no messages")

    def test_everything_is_documented(self):
        self.refused("call ask()\n", 4, "this has no documentation")
        self.refused("call ask()\n" + CALL, 4, "this has no documentation")
        self.refused(CALL, 1, "this has no documentation", head="protocol thing version 1\n")
        self.refused(CALL, 1, "documentation of nothing", head="    Nothing.\n" + HEAD)

    def test_lines_that_are_no_definitions(self):
        self.refused("calls ask()\n", 4, "not a definition: calls ask()")
        self.refused("call ask() ->\n", 4, "the definition does not end")
        self.refused("call ask()\n        -> a: u8\n    Asks.\n", 5, "'->' belongs at the end of the line before")
        self.refused(CALL + "call two(a: u32,\n", 6, "the definition does not end")

    def test_names(self):
        for name in ("int", "Ask", "1st", "reply", "u32"):
            self.refused(f"call ask({name}: u32)\n    Asks.\n", 4, f"'{name}' cannot be a name here")
        self.refused(CALL + CALL, 6, "there are two messages 'ask'")
        self.refused("call ask(a: u32, a: u8)\n    Asks.\n", 4, "there are two fields 'a'")
        self.refused("call ask(a: bytes<=4, a_size: u8)\n    Asks.\n", 4, "there are two fields 'a_size'")
        self.refused("struct string { a: u8 }\n    A.\n" + CALL, 4, "there already is a type 'string'")

    def test_types(self):
        self.refused("call ask(a)\n    Asks.\n", 4, "'a' is not 'name: type'")
        self.refused("call ask(a: u128)\n    Asks.\n", 4, "there is no type 'u128'")
        self.refused("call ask(a: later)\n    Asks.\nstruct later { a: u8 }\n    Later.\n", 4,
                     "there is no type 'later'")
        self.refused("call ask(a: file[READ])\n    Asks.\n", 4, "'file' is not a type of object")
        self.refused("call ask(a: vmo[READ|FLY])\n    Asks.\n", 4, "'FLY' is not a right")

    def test_bounds(self):
        for kind in ("string<=0", "bytes<=65537", "u8[<=0]", "u64[0]"):
            self.refused(f"call ask(a: {kind})\n    Asks.\n", 4, "the bound of 'a' is not in 1 to 65536")
        self.refused("call ask(a: u64[<=8190])\n    Asks.\n", 4,
                     "'thing_ask_request' may take 65544 bytes, more than 65536")
        handles = ", ".join(f"h{i}: any[]" for i in range(17))
        self.refused(f"call ask({handles})\n    Asks.\n", 4, "'thing_ask_request' has more than 16 handles")

    def test_only_calls_have_replies(self):
        self.refused("send tell() -> a: u32\n    Tells.\n", 4, "'tell': only a call has a reply")

    def test_structs_in_place_have_no_padding_and_a_fixed_size(self):
        self.refused("struct s { a: u8, b: u16 }\n    S.\n", 4, "'b' in struct 's' would need padding before it")
        self.refused("struct s { a: u32, b: u8 }\n    S.\n", 4, "struct 's' would need 3 bytes of padding at its end")
        needs_list = "'a': 's' is not of fixed size, which needs a list: list[s]<=BYTES"
        for use in ("a: s", "a: s[<=4]"):
            self.refused(f"struct s {{ a: string<=4 }}\n    S.\ncall ask({use})\n    Asks.\n", 6, needs_list)
        self.refused("struct s { a: string<=4 }\n    S.\nstruct t { a: s }\n    T.\n", 6, needs_list)
        self.refused("struct s { }\n    S.\n", 4, "struct 's' is empty")
        self.refused("struct s { a: u8 }\n    S.\ncall ask(a: s[3])\n    Asks.\n", 6,
                     "'a': arrays of structs need a bound: s[<=3]")

    def test_lists(self):
        self.refused("call ask(a: list[u8]<=4)\n    Asks.\n", 4,
                     "'a': lists are of structs; for 'u8' there are arrays")
        self.refused("call ask(a: list[s]<=4)\n    Asks.\n", 4, "there is no type 's'")
        struct = "struct s { a: string<=4 }\n    S.\n"
        self.refused(struct + "call ask(a: list[s]<=0)\n    Asks.\n", 6, "the bound of 'a' is not in 1 to 65536")
        self.refused(struct + "struct t { a: list[s]<=9 }\n    T.\n", 6,
                     "'a' in struct 't': handles and lists are for messages")
        self.refused("struct t { a: vmo[] }\n    T.\n", 4, "'a' in struct 't': handles and lists are for messages")
        self.refused("struct t { a: string<=9, a: u8 }\n    T.\n", 4, "there are two fields 'a'")
        self.refused("struct t { a: bytes<=65536 }\n    T.\n", 4,
                     "'thing_t' may take 65544 bytes, more than 65536")

    def test_bits(self):
        self.refused("bits b: u8 { A = 3 }\n    B.\n", 4, "a value of bits 'b' is not one bit")
        self.refused("bits b: u8 { A = 0 }\n    B.\n", 4, "a value of bits 'b' is not one bit")
        self.refused("bits b: u8 { A = 256 }\n    B.\n", 4, "a value of bits 'b' does not fit into 8 bits")
        self.refused("bits b: u8 { }\n    B.\n", 4, "the values of bits 'b' are not distinct")

    def test_versions(self):
        for version in ("0", "256", "1.256", "1.", ".1", "1.1.1", "x"):
            self.refused(CALL, 1, f"'{version}' is not a version: 1 to 255, and for a minor one '.1' to '.255' behind "
                         "it", head=f"protocol thing version {version}\n    Docs.\n")
        head = HEAD.replace("version 1", "version 1.3")
        self.refused(CALL, 1, "nothing is new in version 1.3: there is no 'since 1.3'", head=head)
        self.refused(CALL + "since 1.1\n", 1, "nothing is new in version 1.3: there is no 'since 1.3'", head=head)
        self.refused("since 1.2\nsince 1.2\n", 5, "1.2 does not come after 1.2, or after 1.3 is over", head=head)
        for wrong in ("1.0", "1.4", "2.1"):
            self.refused(f"since {wrong}\n" + CALL, 4, f"{wrong} does not come after 1.0, or after 1.3 is over",
                         head=head)

    def test_names_that_meet_in_c(self):
        many = "every protocol"
        self.refused("call protocol()\n    Asks.\n", 4,
                     f"call 'protocol' and {many} would both be 'thing_protocol' in C")
        self.refused("call major()\n    Asks.\n", 4, f"call 'major' and {many} would both be 'THING_MAJOR' in C")
        self.refused("struct handlers { a: u8 }\n    S.\n", 4,
                     f"struct 'handlers' and {many} would both be 'thing_handlers' in C")
        self.refused("struct ask_request { a: u8 }\n    S.\n" + CALL, 6,
                     "call 'ask' and struct 'ask_request' would both be 'thing_ask_request' in C")
        self.refused("enum a: u8 { B_C = 1 }\n    A.\nenum a_b: u8 { C = 1 }\n    A.\n", 6,
                     "enum 'a_b' and enum 'a' would both be 'THING_A_B_C' in C")

    def test_files_that_cannot_be_read(self):
        missing = subprocess.run([sys.executable, "-B", GENERATOR, self.path("missing.ipc")], text=True, check=False,
                                 stderr=subprocess.PIPE)
        self.assertEqual((missing.returncode, missing.stderr),
                         (1, f"{self.path('missing.ipc')}: No such file or directory\n"))
        with open(self.path("thing.ipc"), "wb") as file:
            file.write((HEAD + CALL).encode() + b"    \xff\n")
        bad = subprocess.run([sys.executable, "-B", GENERATOR, self.path("thing.ipc")], text=True, check=False,
                             stderr=subprocess.PIPE)
        self.assertEqual((bad.returncode, bad.stderr), (1, f"{self.path('thing.ipc')}:6: this is not UTF-8\n"))

    def test_enums(self):
        self.refused("enum e: i8 { A = 1 }\n    E.\n", 4, "enum 'e' is u8, u16 or u32, not 'i8'")
        self.refused("enum e: u8 { a = 1 }\n    E.\n", 4, "'a = 1' is not 'NAME = number'")
        self.refused("enum e: u8 { A = 1, B = 1 }\n    E.\n", 4, "the values of enum 'e' are not distinct")
        self.refused("enum e: u8 { A = 256 }\n    E.\n", 4, "a value of enum 'e' does not fit into 8 bits")

    def test_two_protocols_with_one_id(self):
        text = {f"{name}.ipc": HEAD.replace("thing", name) + CALL for name in ("thing", "other")}
        self.assertEqual(self.generate(text).returncode, 0)
        same = self.generate({"thing.ipc": HEAD + CALL}, self.path("thing.ipc"))
        self.assertIn("'thing' has the id of 'thing': it needs another name", same.stderr)


if __name__ == "__main__":
    unittest.main()
