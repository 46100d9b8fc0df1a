#!/usr/bin/env python3
"""Makes everything that is derived from definitions of protocols (user/protocols/*.ipc; docs/ipc.md has the language).

  genipc.py FILE.ipc... --headers DIR   DIR/ftl/protocols/NAME.h: messages, client functions, tables of handlers
  genipc.py FILE.ipc... --sources DIR   DIR/NAME.protocol.c: encoders, decoders and dispatch
  genipc.py FILE.ipc... --docs FILE     the reference page in Markdown
  genipc.py FILE.ipc... --tests FILE    C header that fills in, encodes and decodes every message, for tests

What is wrong with a definition is reported as FILE:LINE: MESSAGE.
"""
import argparse
import os
import re
import sys

from gencalls import OBJECTS, RIGHTS

SCALARS = {  # name in a definition: (C type, size)
    "u8": ("uint8_t", 1), "u16": ("uint16_t", 2), "u32": ("uint32_t", 4), "u64": ("uint64_t", 8),
    "i8": ("int8_t", 1), "i16": ("int16_t", 2), "i32": ("int32_t", 4), "i64": ("int64_t", 8),
    "bool": ("uint8_t", 1),  # in messages' own structs a bool; else a byte, to be looked at before it is one
    "nsec": ("ftl_nsec_t", 8),
}
RESERVED = {"context", "channel", "buffer", "deadline", "request", "reply", "header", "padding", "auto", "break",
            "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern", "float", "for",
            "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short", "signed", "sizeof",
            "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while"}
HEADER_SIZE = 16     # struct ftl_ipc_header
ALIGNMENT = 8        # of the fixed part's end and of every part behind it
MESSAGE_MAX = 65536  # FTL_MESSAGE_SIZE_MAX
HANDLES_MAX = 16     # FTL_MESSAGE_HANDLES_MAX
NAME_MAX = 31        # FTL_NAME_MAX without the NUL


def fail(where, text):
    sys.exit(f"{where}: {text}")


def align(size, alignment=ALIGNMENT):
    return (size + alignment - 1) // alignment * alignment


class Enum:
    """A number of which only the named values are valid."""

    def __init__(self, protocol, name, base, values, doc):
        self.name, self.values, self.doc = name, values, doc
        self.ctype, self.size = SCALARS[base]
        self.alignment = self.size
        self.constant = f"{protocol.upper()}_{name.upper()}"

    def check(self, value):
        return "(" + " || ".join(f"{value} == {self.constant}_{name}" for name, _ in self.values) + ")"

    def define(self, tag):
        return f"enum {tag} {{\n" + "".join(f"    {self.constant}_{n} = {v},\n" for n, v in self.values) + "};\n"


class Bits(Enum):
    """A number in which only the named bits may be set."""

    def check(self, value):
        return f"({value} & ~({self.ctype})({' | '.join(f'{self.constant}_{name}' for name, _ in self.values)})) == 0"

    def define(self, tag):
        return "".join(f"#define {self.constant}_{name} UINT32_C({value:#x})\n" for name, value in self.values)


class Scalar:
    def __init__(self, name):
        self.name = name
        self.ctype, self.size = SCALARS[name]
        self.alignment = self.size

    def check(self, value):
        return f"{value} <= 1" if self.name == "bool" else None


class Struct:
    """Fields without padding. If all of them are of fixed size it is laid out as in C, and arrays of it are used in
    place; else it is an item of lists, encoded like a message without header."""

    def __init__(self, protocol, name, fields, doc, where):
        self.name, self.fields, self.doc = name, fields, doc
        self.ctype = f"struct {protocol}_{name}"
        self.valid = f"{protocol}_{name}_valid"
        self.size, self.alignment = 0, 1
        for field in fields:
            if field.kind in ("handle", "list"):
                fail(where, f"'{field.name}' in struct '{name}': handles and lists are for messages")
        self.is_fixed = all(field.kind == "fixed" for field in fields)
        self.layout = Layout(f"{protocol}_{name}", fields, 0, where)
        if self.is_fixed:
            self.lay_out_as_c(where)

    def lay_out_as_c(self, where):
        for field in self.fields:
            if self.size % field.element.alignment:
                fail(where, f"'{field.name}' in struct '{self.name}' would need padding before it")
            self.size += field.element.size * (field.length or 1)
            self.alignment = max(self.alignment, field.element.alignment)
        if self.size % self.alignment:
            fail(where, f"struct '{self.name}' would need {-self.size % self.alignment} bytes of padding at its end")

    def checks(self, value):
        return [c for f in self.fields for c in f.checks(f"{value}{f.name}")]

    def check(self, value):
        return f"{self.valid}(&{value})" if self.checks("") else None


class Field:
    """One field of a message or struct. `kind`: fixed (with `length`: an array), string, bytes, array, list, handle."""

    def __init__(self, text, types, where):
        match = re.fullmatch(r"(\w+): *(\S.*)", text)
        if not match:
            fail(where, f"'{text}' is not 'name: type'")
        self.name, self.type = match.groups()
        check_name(where, self.name)
        self.element = self.length = None
        self.rights = []
        variable = re.fullmatch(r"(string|bytes)<=(\d+)", self.type)
        items = re.fullmatch(r"list\[(\w+)\]<=(\d+)", self.type)
        array = re.fullmatch(r"(\w+)\[(<=)?(\d+)\]", self.type)
        handle = re.fullmatch(r"(\w+)\[([A-Z|]*)\](\??)", self.type)
        if variable:
            self.kind, self.maximum = variable.group(1), int(variable.group(2))
        elif items:
            self.kind, self.maximum = "list", int(items.group(2))
            self.element = self.find(items.group(1), types, where)
            if not isinstance(self.element, Struct):
                fail(where, f"'{self.name}': lists are of structs; for '{self.element.name}' there are arrays")
        elif array:
            self.kind = "array" if array.group(2) else "fixed"
            self.element = self.find(array.group(1), types, where)
            self.maximum = self.length = int(array.group(3))
        elif handle:
            self.kind, self.object, self.optional = "handle", handle.group(1), handle.group(3) == "?"
            self.rights = [right for right in handle.group(2).split("|") if right]
            if self.object not in OBJECTS:
                fail(where, f"'{self.object}' is not a type of object")
            for right in self.rights:
                if right not in RIGHTS:
                    fail(where, f"'{right}' is not a right")
        else:
            self.kind = "fixed"
            self.element = self.find(self.type, types, where)
        if (variable or array or items) and not 1 <= self.maximum <= MESSAGE_MAX:
            fail(where, f"the bound of '{self.name}' is not in 1 to {MESSAGE_MAX}")
        if self.kind == "fixed" and self.length and isinstance(self.element, Struct):
            fail(where, f"'{self.name}': arrays of structs need a bound: {self.element.name}[<={self.length}]")
        if self.kind in ("fixed", "array") and isinstance(self.element, Struct) and not self.element.is_fixed:
            fail(where, f"'{self.name}': '{self.element.name}' is not of fixed size, which needs a list: "
                        f"list[{self.element.name}]<=BYTES")

    @staticmethod
    def find(name, types, where):
        if name not in types:
            fail(where, f"there is no type '{name}'")
        return types[name]

    def checks(self, value):
        """C expressions that hold for a valid value of fixed size."""
        if self.length:
            return [c for i in range(self.length) for c in [self.element.check(f"{value}[{i}]")] if c]
        check = self.element.check(value)
        return [check] if check else []

    def size_name(self):
        return f"{self.name}_{'count' if self.kind in ('array', 'list') else 'size'}"

    def given_name(self):
        """Of an optional handle: whether it is there."""
        return f"{self.name}_given"

    def size_max(self):
        """Bytes behind the fixed part, at most."""
        if self.kind in ("fixed", "handle"):
            return 0
        size = self.element.size if self.kind == "array" else 1
        return align(self.maximum * size + (1 if self.kind == "string" else 0))

    def declare(self, in_message=True):
        """The members of a message's struct, or of a struct."""
        if self.type == "bool" and in_message:
            return f"    bool {self.name};\n"
        if self.kind == "fixed":
            return f"    {self.element.ctype} {self.name}{f'[{self.length}]' if self.length else ''};\n"
        if self.kind == "string":
            return f"    const char *{self.name}; /* at most {self.maximum} bytes and a NUL */\n"
        if self.kind == "handle":
            rights = f" with {' '.join(self.rights)}" if self.rights else ""
            optional = ", or FTL_HANDLE_INVALID" if self.optional else ""
            return f"    ftl_handle_t {self.name}; /* {self.object}{rights}{optional} */\n"
        if self.kind == "list":
            return f"    struct ftl_ipc_list {self.name}; /* of {self.element.ctype}, at most {self.maximum} bytes */\n"
        ctype = self.element.ctype if self.element else "void"
        return f"    const {ctype} *{self.name};\n    uint32_t {self.size_name()}; /* at most {self.maximum} */\n"

    def rights_mask(self):
        return " | ".join(f"FTL_RIGHT_{right}" for right in self.rights) or "0"


def check_name(where, name):
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in RESERVED or name in SCALARS:
        fail(where, f"'{name}' cannot be a name here")


VARIABLE = ("string", "bytes", "array", "list")  # kinds of fields with contents behind the fixed part


class Layout:
    """How fields lie in the bytes behind a header of some size: the fixed part, then the contents of variable size."""

    def __init__(self, name, fields, header_size, where):
        self.name, self.fields, self.header_size = name, fields, header_size
        self.handles = [f for f in fields if f.kind == "handle"]
        self.variable = [f for f in fields if f.kind in VARIABLE]
        optional = [f for f in self.handles if f.optional]
        names = [f.name for f in fields] + [f.size_name() for f in self.variable] + [f.given_name() for f in optional]
        for field in names:
            if names.count(field) > 1:
                fail(where, f"there are two fields '{field}'")
        # (C type, name, size, alignment) of the fixed part; large alignment first, so that there is no padding.
        parts = [(f.element.ctype, f.name + (f"[{f.length}]" if f.length else ""), f.element.size * (f.length or 1),
                  f.element.alignment) for f in fields if f.kind == "fixed"]
        parts += [("uint32_t", f.size_name(), 4, 4) for f in self.variable]
        parts += [("uint8_t", f.given_name(), 1, 1) for f in optional]
        self.parts = sorted(parts, key=lambda part: -part[3])
        used = header_size + sum(size for _, _, size, _ in parts)
        self.fixed = align(used)
        self.padding = self.fixed - used
        self.size_max = self.fixed + sum(f.size_max() for f in self.variable)
        if self.size_max > MESSAGE_MAX:
            fail(where, f"'{name}' may take {self.size_max} bytes, more than {MESSAGE_MAX}")


class Message(Layout):
    """What goes one way."""

    def __init__(self, name, fields, where):
        super().__init__(name, fields, HEADER_SIZE, where)
        if len(self.handles) > HANDLES_MAX:
            fail(where, f"'{name}' has more than {HANDLES_MAX} handles")

    def parameter(self, name, const=True):
        return [f"{'const ' if const else ''}struct {self.name} *{name}"] if self.fields else []


class Method:
    """A call, a one-way message to the server (send), or one to the client (event)."""

    def __init__(self, protocol, kind, name, inward, outward, where):
        self.kind, self.name, self.doc, self.minor = kind, name, [], protocol.since
        self.ordinal, protocol = len(protocol.methods) + 1, protocol.name
        suffix = {"call": "request", "send": "message", "event": "event"}[kind]
        self.inward = Message(f"{protocol}_{name}_{suffix}", inward, where)
        self.outward = Message(f"{protocol}_{name}_reply", outward, where) if kind == "call" else None
        self.constant = f"{protocol.upper()}_{name.upper()}"

    def messages(self):
        return [m for m in (self.inward, self.outward) if m]


class Protocol:
    def __init__(self, path, name, version, doc):
        self.path, self.name, self.doc = path, name, doc
        self.major, self.minor = version
        self.since = 0  # the minor version that definitions belong to, while they are read
        self.types = {scalar: Scalar(scalar) for scalar in SCALARS}
        self.enums, self.structs, self.methods = [], [], []
        self.claimed = {}  # C names that are made, and what of
        self.id = 0x811C9DC5  # FNV-1a of the name
        for byte in name.encode():
            self.id = (self.id ^ byte) * 0x01000193 & 0xFFFFFFFF
        upper = name.upper()
        self.claim(path, "every protocol", f"{name}_protocol", f"{name}_called", f"{name}_message", f"{name}_dispatch",
                   f"{name}_buffer",
                   f"{name}_handlers", f"{name}_event_handlers", f"{name}_handle_event", f"{upper}_PROTOCOL",
                   f"{upper}_MAJOR", f"{upper}_MINOR", f"{upper}_MESSAGE_MAX", f"{upper}_HANDLES_MAX")

    def claim(self, where, what, *names):
        """C names that will be made of what is defined there: nothing else may be called so."""
        for name in names:
            if name in self.claimed:
                fail(where, f"{what} and {self.claimed[name]} would both be '{name}' in C")
            self.claimed[name] = what

    def claim_type(self, where, kind, name):
        full = f"{self.name}_{name}"
        self.claim(where, f"{kind} '{name}'", full, *(f"{full}_{part}" for part in ("valid", "append", "next", "wire")))

    def claim_method(self, where, method):
        what = f"{method.kind} '{method.name}'"
        self.claim(where, what, f"{self.name}_{method.name}", method.constant, f"{self.name}_{method.name}_answer")
        for message in method.messages():
            self.claim(where, what, message.name, *(f"{message.name}_{p}" for p in ("encode", "decode", "wire")))

    def version(self):
        return f"{self.major}.{self.minor}"

    def messages(self):
        return [message for method in self.methods for message in method.messages()]

    def of(self, *kinds):
        return [method for method in self.methods if method.kind in kinds]


# ---- Reading definitions ----

def read_file(path):
    """The lines of the file."""
    try:
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")
    except OSError as error:
        fail(path, error.strerror)
    for number, line in enumerate(lines, 1):
        try:
            yield number, line.decode()
        except UnicodeDecodeError:
            fail(f"{path}:{number}", "this is not UTF-8")


def read_lines(path):
    """Yields (line number, text without its comment). What is in brackets, or ends with a comma or an arrow, goes on in
    the next line."""
    begun, first = "", 0
    for number, line in read_file(path):
        line = re.sub(r"(^|\s)#.*", "", line).rstrip()
        if not line:
            continue
        if begun:
            line = f"{begun} {line.strip()}"
        else:
            first = number
        is_doc = line.startswith("    ") and not begun
        is_open = line.endswith((",", "->")) or any(line.count(a) > line.count(b) for a, b in ("()", "{}"))
        begun = line if is_open and not is_doc else ""
        if not begun:
            yield first, line
    if begun:
        fail(f"{path}:{first}", "the definition does not end")


def split(text):
    return [part.strip() for part in text.split(",") if part.strip()]


def parse_enum(protocol, kind, match, where):
    name, base, body = match.groups()
    if not re.fullmatch(r"u(8|16|32)", base):
        fail(where, f"{kind} '{name}' is u8, u16 or u32, not '{base}'")
    values = []
    for part in split(body):
        value = re.fullmatch(r"([A-Z][A-Z0-9_]*) *= *(\d+)", part)
        if not value:
            fail(where, f"'{part}' is not 'NAME = number'")
        values.append((value.group(1), int(value.group(2))))
    if not values or any(len({v[i] for v in values}) != len(values) for i in (0, 1)):
        fail(where, f"the values of {kind} '{name}' are not distinct")
    bits = 8 * SCALARS[base][1] if kind == "bits" else min(8 * SCALARS[base][1], 31)  # what C has for enums
    if any(value >= 1 << bits for _, value in values):
        fail(where, f"a value of {kind} '{name}' does not fit into {bits} bits")
    if kind == "bits" and any(value.bit_count() != 1 for _, value in values):
        fail(where, f"a value of bits '{name}' is not one bit")
    made = (Bits if kind == "bits" else Enum)(protocol.name, name, base, values, [])
    protocol.claim(where, f"{kind} '{name}'", *(f"{made.constant}_{value}" for value, _ in values))
    protocol.enums.append(made)
    return made


def parse_struct(protocol, kind, match, where):
    name, body = match.groups()
    fields = [Field(part, protocol.types, where) for part in split(body)]
    if not fields:
        fail(where, f"{kind} '{name}' is empty")
    made = Struct(protocol.name, name, fields, [], where)
    protocol.structs.append(made)
    return made


def parse_type(protocol, kind, match, where):
    name = match.group(1)
    check_name(where, name)
    if name in protocol.types or name in OBJECTS or name in ("string", "bytes", "list"):
        fail(where, f"there already is a type '{name}'")
    made = (parse_struct if kind == "struct" else parse_enum)(protocol, kind, match, where)
    protocol.claim_type(where, kind, name)
    protocol.types[name] = made
    return made.doc


def parse_method(protocol, _, match, where):
    kind, name, inward, outward = match.groups()
    check_name(where, name)
    if any(method.name == name for method in protocol.methods):
        fail(where, f"there are two messages '{name}'")
    if outward and kind != "call":
        fail(where, f"'{name}': only a call has a reply")
    fields = [[Field(part, protocol.types, where) for part in split(text or "")] for text in (inward, outward)]
    method = Method(protocol, kind, name, *fields, where)
    protocol.claim_method(where, method)
    protocol.methods.append(method)
    return method.doc


def parse_since(protocol, _, match, where):
    """The line above what a minor version has added."""
    major, minor = parse_version(match.group(1), where)
    if major != protocol.major or not protocol.since < minor <= protocol.minor:
        fail(where, f"{major}.{minor} does not come after {protocol.major}.{protocol.since}, or after "
                    f"{protocol.version()} is over")
    protocol.since = minor
    return [""]  # needs no documentation


def parse_version(text, where):
    match = re.fullmatch(r"(\d+)(?:\.(\d+))?", text)
    if not match or not 1 <= int(match.group(1)) <= 255 or int(match.group(2) or 0) > 255:
        fail(where, f"'{text}' is not a version: 1 to 255, and for a minor one '.1' to '.255' behind it")
    return int(match.group(1)), int(match.group(2) or 0)


FORMS = [  # (kind, its form, what reads it)
    ("enum", re.compile(r"enum (\w+): *(\w+) *\{(.*)\}"), parse_type),
    ("bits", re.compile(r"bits (\w+): *(\w+) *\{(.*)\}"), parse_type),
    ("struct", re.compile(r"struct (\w+) *\{(.*)\}"), parse_type),
    ("method", re.compile(r"(call|send|event) (\w+)\((.*?)\)(?: *-> *(.+))?"), parse_method),
    ("since", re.compile(r"since (\S+)"), parse_since),
]


def parse_protocol(path, line, where):
    match = re.fullmatch(r"protocol (\w+) version (\S+)", line)
    if not match:
        fail(where, "a definition begins with 'protocol NAME version N'")
    name, version = match.group(1), parse_version(match.group(2), where)
    check_name(where, name)
    if len(name) > NAME_MAX:
        fail(where, f"'{name}' is longer than {NAME_MAX} bytes")
    if os.path.basename(path) != f"{name}.ipc":
        fail(where, f"protocol '{name}' belongs into {name}.ipc")
    return Protocol(path, name, version, [])


def parse(path):
    protocol, doc, documented = None, None, None
    for number, line in read_lines(path):
        where = f"{path}:{number}"
        if line.startswith("    "):
            if doc is None:
                fail(where, "documentation of nothing")
            if line.lstrip().startswith("->"):
                fail(where, "'->' belongs at the end of the line before")
            doc.append(line.strip())
            continue
        if documented and not doc:
            fail(documented, "this has no documentation")
        documented = where
        if protocol is None:
            protocol = parse_protocol(path, line, where)
            doc = protocol.doc
            continue
        for kind, form, read in FORMS:
            match = form.fullmatch(line)
            if match:
                doc = read(protocol, kind, match, where)
                break
        else:
            fail(where, f"not a definition: {line}")
    if protocol is None:
        fail(f"{path}:1", "a definition begins with 'protocol NAME version N'")
    if not doc:
        fail(documented, "this has no documentation")
    if not protocol.methods:
        fail(f"{path}:1", f"protocol '{protocol.name}' has no messages")
    if protocol.since != protocol.minor:
        fail(f"{path}:1", f"nothing is new in version {protocol.version()}: there is no 'since {protocol.version()}'")
    return protocol


def parse_all(paths):
    protocols = [parse(path) for path in paths]
    for index, protocol in enumerate(protocols):
        for other in protocols[:index]:
            if other.id == protocol.id:
                fail(f"{protocol.path}:1", f"'{protocol.name}' has the id of '{other.name}': it needs another name")
    return protocols


# ---- Writing C ----

def banner(protocol):
    return f"/* Made by scripts/genipc.py from {os.path.basename(protocol.path)}. Do not edit. */\n"


def write(path, text):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def comment(lines):
    return "/*\n" + "".join(f" * {line}\n" for line in lines) + " */\n"


def client_prototype(protocol, method):
    p, message = protocol.name, method.inward
    params = ["ftl_handle_t channel"]
    if method.kind == "call":
        params += message.parameter("request") + method.outward.parameter("reply", const=False)
    else:
        params += message.parameter("message")
    params += [f"struct {p}_buffer *buffer", "ftl_nsec_t deadline"]
    return f"ftl_status_t {p}_{method.name}({', '.join(params)})"


def answer_prototype(protocol, method):
    params = ["ftl_handle_t channel", "uint64_t transaction"] + method.outward.parameter("reply")
    params += [f"struct {protocol.name}_buffer *buffer"]
    return f"ftl_status_t {protocol.name}_{method.name}_answer({', '.join(params)})"


def encode_prototype(message):
    return f"ftl_status_t {message.name}_encode({', '.join(message.parameter('from') + ['struct ftl_message *to'])})"


def decode_prototype(message):
    params = ["struct ftl_message *from"] + message.parameter("to", const=False)
    return f"ftl_status_t {message.name}_decode({', '.join(params)})"


def handler_member(method):
    params = ["void *context"] + method.inward.parameter("request" if method.kind == "call" else "message", const=False)
    if method.kind == "call":
        params += method.outward.parameter("reply", const=False)
    kind = "ftl_status_t" if method.kind == "call" else "void"
    return f"    {kind} (*{method.name})({', '.join(params)});\n"


def handler_table(protocol, name, methods, doc):
    if not methods:
        return ""
    return f"{comment(doc)}struct {protocol.name}_{name} {{\n" + "".join(map(handler_member, methods)) + "};\n\n"


SERVER_DOC = [
    "What a server answers. A call's handler returns FTL_OK with the reply filled in, an error for the client, or",
    "FTL_IPC_LATER (see <ftl/ipc.h>). What the request points to lies in the received message. Handles in it are",
    "closed afterwards unless they were taken out (ftl_ipc_take). NULL: NOT_SUPPORTED."]
EVENT_DOC = ["What a client does with events; handles as above. NULL: dropped."]


def type_definitions(protocol):
    text = ""
    for enum in protocol.enums:
        text += comment(enum.doc) + enum.define(f"{protocol.name}_{enum.name}") + "\n"
    for struct in protocol.structs:
        declared = "".join(f.declare(in_message=not struct.is_fixed) for f in struct.fields)
        text += f"{comment(struct.doc)}{struct.ctype} {{\n{declared}}};\n\n"
        if struct in listed(protocol):
            text += "/* Puts one more into the list: TOO_SMALL when it is full, INVALID_ARGUMENT for a bound. */\n"
            text += f"{append_prototype(struct)};\n\n"
            text += "/* Takes the first out of the list, which need not be a decoded one; false: there is none. */\n"
            text += f"{next_prototype(struct)};\n\n"
    return text


def listed(protocol):
    """The structs of which there are lists."""
    return [s for s in protocol.structs if any(f.kind == "list" and f.element is s
                                               for m in protocol.messages() for f in m.fields)]


def append_prototype(struct):
    return f"ftl_status_t {struct.layout.name}_append(struct ftl_ipc_list *list, const {struct.ctype} *from)"


def next_prototype(struct):
    return f"bool {struct.layout.name}_next(struct ftl_ipc_list *list, {struct.ctype} *to)"


def header(protocol):
    p, upper = protocol.name, protocol.name.upper()
    guard = f"FTL_PROTOCOLS_{upper}_H"
    text = banner(protocol) + f"#ifndef {guard}\n#define {guard}\n\n#include <ftl/ipc.h>\n\n" + comment(protocol.doc)
    text += f"#define {upper}_PROTOCOL {protocol.id:#010x}u\n#define {upper}_MAJOR {protocol.major}u\n"
    text += f"#define {upper}_MINOR {protocol.minor}u\n"
    text += f"#define {upper}_MESSAGE_MAX {max(m.size_max for m in protocol.messages())}u\n"
    text += f"#define {upper}_HANDLES_MAX {max(len(m.handles) for m in protocol.messages())}u\n\n"
    text += f"extern const struct ftl_protocol {p}_protocol;\n\n"
    text += "enum {\n" + "".join(f"    {m.constant} = {m.ordinal},\n" for m in protocol.methods) + "};\n\n"
    text += f"/* Room for any message. */\nstruct {p}_buffer {{\n    _Alignas(8) char bytes[{upper}_MESSAGE_MAX];\n"
    text += f"    ftl_handle_t handles[{upper}_HANDLES_MAX + 1];\n}};\n\n"
    text += type_definitions(protocol)
    for message in protocol.messages():
        if message.fields:
            text += f"struct {message.name} {{\n{''.join(f.declare() for f in message.fields)}}};\n"
        text += f"{encode_prototype(message)};\n{decode_prototype(message)};\n\n"
    text += handler_table(protocol, "handlers", protocol.of("call", "send"), SERVER_DOC)
    text += handler_table(protocol, "event_handlers", protocol.of("event"), EVENT_DOC)
    if protocol.of("event"):
        text += "/* Decodes an event that was received and has it handled. */\n"
        text += f"{event_prototype(protocol)};\n\n"
    for method in protocol.methods:
        text += comment(method.doc) + client_prototype(protocol, method) + ";\n"
        if method.kind == "call":
            text += f"/* For servers: answers such a call later. */\n{answer_prototype(protocol, method)};\n"
        text += "\n"
    return text + "#endif\n"


def event_prototype(protocol):
    p = protocol.name
    return f"ftl_status_t {p}_handle_event(const struct {p}_event_handlers *handlers, void *context, " \
           "struct ftl_message *message)"


def wire_struct(layout):
    text = f"struct {layout.name}_wire {{\n"
    text += "    struct ftl_ipc_header header;\n" if layout.header_size else ""
    text += "".join(f"    {ctype} {name};\n" for ctype, name, _, _ in layout.parts)
    if layout.padding:
        text += f"    uint8_t padding[{layout.padding}];\n"
    text += f"}};\n_Static_assert(sizeof(struct {layout.name}_wire) == {layout.fixed}, \"no hidden padding\");\n\n"
    return text


def encode_field(field):
    name = field.name
    if field.kind == "fixed" and field.length:
        return f"    memcpy(wire->{name}, from->{name}, sizeof(wire->{name}));\n"
    if field.kind == "fixed":
        return f"    wire->{name} = from->{name};\n"
    if field.kind == "string":
        return f"    wire->{field.size_name()} = ftl_ipc_put_string(&writer, from->{name}, {field.maximum});\n"
    if field.kind == "list":
        return f"    wire->{field.size_name()} = ftl_ipc_put_list(&writer, &from->{name}, {field.maximum});\n"
    if field.kind == "handle":
        given = f"wire->{field.given_name()} = " if field.optional else ""
        put = "ftl_ipc_put_optional_handle" if field.optional else "ftl_ipc_put_handle"
        return f"    {given}{put}(&writer, from->{name});\n"
    size = "1" if field.kind == "bytes" else f"sizeof(*from->{name})"
    return f"    wire->{field.size_name()} = ftl_ipc_put_items(&writer, from->{name}, " \
           f"from->{field.size_name()}, {field.maximum}, {size});\n"


def encoder(message, constants):
    text = f"{encode_prototype(message)}\n{{\n    struct ftl_ipc_writer writer;\n"
    text += f"    struct {message.name}_wire *wire = ftl_ipc_begin(&writer, to, sizeof(*wire));\n"
    text += "    if (wire == NULL) {\n        return FTL_ERR_TOO_SMALL;\n    }\n"
    text += f"    wire->header = (struct ftl_ipc_header){{ {constants} }};\n"
    text += "".join(map(encode_field, message.fields))
    return text + "    return ftl_ipc_finish(&writer, to);\n}\n\n"


def decode_checks(field, value):
    return "".join(f"    ftl_ipc_check(reader, {check});\n" for check in field.checks(value))


def decode_array(field):
    name = field.name
    size = "1" if field.kind == "bytes" else f"sizeof(*to->{name})"
    text = f"    to->{field.size_name()} = wire->{field.size_name()};\n"
    text += f"    to->{name} = ftl_ipc_take_items(reader, wire->{field.size_name()}, {field.maximum}, {size});\n"
    check = field.element.check(f"to->{name}[i]") if field.element else None
    if check:
        text += f"    for (size_t i = 0; ftl_ipc_is_well(reader) && i < to->{field.size_name()}; i++) {{\n"
        text += f"        ftl_ipc_check(reader, {check});\n    }}\n"
    return text


def decode_list(field):
    """Goes through the items once, so that whoever takes them from the list finds each well-formed."""
    text = f"    to->{field.name} = ftl_ipc_list_begin(reader, wire->{field.size_name()});\n"
    text += f"    for (uint32_t i = 0; ftl_ipc_is_well(reader) && i < wire->{field.size_name()}; i++) {{\n"
    text += f"        {field.element.ctype} item;\n        take_{field.element.name}(reader, &item);\n    }}\n"
    return text + f"    ftl_ipc_list_end(reader, &to->{field.name}, {field.maximum});\n"


def decode_field(field):
    name = field.name
    if field.kind == "fixed":
        if field.length:
            return decode_checks(field, f"wire->{name}") + \
                f"    memcpy(to->{name}, wire->{name}, sizeof(to->{name}));\n"
        return decode_checks(field, f"wire->{name}") + f"    to->{name} = wire->{name};\n"
    if field.kind == "string":
        return f"    to->{name} = ftl_ipc_take_string(reader, wire->{field.size_name()}, {field.maximum});\n"
    if field.kind == "handle":
        given = f"wire->{field.given_name()}, " if field.optional else ""
        take = "ftl_ipc_take_optional_handle" if field.optional else "ftl_ipc_take_handle"
        return f"    to->{name} = {take}(reader, {given}FTL_OBJECT_{field.object.upper()}, {field.rights_mask()});\n"
    return decode_list(field) if field.kind == "list" else decode_array(field)


def decode_fields(layout):
    text = ""
    if layout.padding:
        text += "    ftl_ipc_check_zero(reader, wire->padding, sizeof(wire->padding));\n"
    return text + "".join(map(decode_field, layout.fields))


def decoder(message):
    text = f"{decode_prototype(message)}\n{{\n    struct ftl_ipc_reader state;\n"
    text += "    struct ftl_ipc_reader *reader = &state;\n"
    text += f"    const struct {message.name}_wire *wire = ftl_ipc_open(reader, from, sizeof(*wire));\n"
    text += "    if (wire == NULL) {\n        return FTL_ERR_BAD_FORMAT;\n    }\n"
    return text + decode_fields(message) + "    return ftl_ipc_close(reader, from);\n}\n\n"


def list_functions(struct):
    """How an item goes into a list, and out of one."""
    layout = struct.layout
    wire = f"struct {layout.name}_wire"
    text = wire_struct(layout) + f"{append_prototype(struct)}\n{{\n    struct ftl_ipc_writer writer;\n"
    text += f"    {wire} *wire = ftl_ipc_append_begin(&writer, list, sizeof(*wire));\n"
    text += "    if (wire == NULL) {\n        return FTL_ERR_TOO_SMALL;\n    }\n"
    text += "".join(map(encode_field, layout.fields)) + "    return ftl_ipc_append_end(&writer, list);\n}\n\n"
    text += f"static void take_{struct.name}(struct ftl_ipc_reader *reader, {struct.ctype} *to)\n{{\n"
    text += f"    const {wire} *wire = ftl_ipc_take_items(reader, 1, 1, sizeof(*wire));\n"
    text += "    if (wire == NULL) {\n        return;\n    }\n" + decode_fields(layout) + "}\n\n"
    text += f"{next_prototype(struct)}\n{{\n    struct ftl_ipc_reader reader;\n"
    text += "    if (!ftl_ipc_next_begin(&reader, list)) {\n        return false;\n    }\n"
    return text + f"    take_{struct.name}(&reader, to);\n    return ftl_ipc_next_end(&reader, list);\n}}\n\n"


def release(message, variable):
    return "".join(f"    ftl_ipc_drop(&{variable}.{field.name});\n" for field in message.handles)


def client_function(protocol, method):
    p = protocol.name
    text = f"{client_prototype(protocol, method)}\n{{\n"
    text += f"    struct ftl_message out = {p}_message(buffer);\n"
    encode = f"{method.inward.name}_encode({'message, ' if method.inward.fields else ''}&out)"
    if method.kind != "call":
        text += f"    ftl_status_t status = {encode};\n"
        return text + "    return status == FTL_OK ? ftl_channel_send(channel, &out, deadline) : status;\n}\n\n"
    encode = encode.replace("message, ", "request, ")
    text += f"    struct ftl_message in = out;\n    ftl_status_t status = {encode};\n    if (status == FTL_OK) {{\n"
    text += f"        status = ftl_ipc_call(channel, &{p}_called, {method.constant}, &out, &in, deadline);\n    }}\n"
    decode = f"{method.outward.name}_decode(&in{', reply' if method.outward.fields else ''})"
    text += f"    return status == FTL_OK ? ftl_ipc_decoded({decode}, &in) : status;\n}}\n\n"
    text += f"{answer_prototype(protocol, method)}\n{{\n    struct ftl_message out = {p}_message(buffer);\n"
    text += f"    ftl_status_t status = {method.outward.name}_encode("
    text += f"{'reply, ' if method.outward.fields else ''}&out);\n"
    return text + "    return status == FTL_OK ? ftl_channel_reply(channel, transaction, &out) : status;\n}\n\n"


def serve_function(protocol, method):
    """What the dispatch function does for one method."""
    p, inward, outward = protocol.name, method.inward, method.outward
    is_call = method.kind == "call"
    handlers = f"struct {p}_{'event_' if method.kind == 'event' else ''}handlers"
    text = f"static ftl_status_t serve_{method.name}(const {handlers} *handlers, void *context, " \
           f"struct ftl_message *in{', struct ftl_message *out' if is_call else ''})\n{{\n"
    arguments = ["context"]
    if inward.fields:
        text += f"    struct {inward.name} message;\n"
        arguments.append("&message")
    if is_call and outward.fields:
        text += f"    struct {outward.name} reply = {{ 0 }};\n"
        arguments.append("&reply")
    text += f"    if (in->transaction {'==' if is_call else '!='} 0) {{\n        return FTL_ERR_BAD_FORMAT;\n    }}\n"
    text += f"    ftl_status_t status = {inward.name}_decode(in{', &message' if inward.fields else ''});\n"
    text += "    if (status != FTL_OK) {\n        return status;\n    }\n"
    call = f"handlers->{method.name}({', '.join(arguments)})"
    if is_call:
        text += f"    status = handlers->{method.name} == NULL ? FTL_ERR_NOT_SUPPORTED : {call};\n"
    else:
        text += f"    if (handlers->{method.name} != NULL) {{\n        {call};\n    }}\n"
    text += release(inward, "message")
    if is_call:
        text += "    if (status == FTL_OK) {\n"
        text += f"        status = {outward.name}_encode({'&reply, ' if outward.fields else ''}out);\n    }}\n"
        if outward.handles:
            text += "    if (status < 0) {\n" + release(outward, "reply").replace("    ftl", "        ftl") + "    }\n"
    return text + "    return status;\n}\n\n"


def dispatch(protocol):
    p = protocol.name
    served = protocol.of("call", "send")
    text = f"static ftl_status_t {p}_dispatch(const void *handlers, void *context, struct ftl_message *in, " \
           "struct ftl_message *out)\n{\n"
    text += "    const struct ftl_ipc_header *header = in->data;\n"
    text += "    (void)handlers;\n    (void)context;\n    (void)out;\n"
    text += "    switch (header->ordinal) {\n"
    for method in served:
        out = ", out" if method.kind == "call" else ""
        text += f"    case {method.constant}: return serve_{method.name}(handlers, context, in{out});\n"
    text += "    default: return FTL_ERR_NOT_SUPPORTED;\n    }\n}\n\n"
    events = protocol.of("event")
    if events:
        text += f"{event_prototype(protocol)}\n{{\n    const struct ftl_ipc_header *header = message->data;\n"
        text += f"    ftl_status_t status = ftl_ipc_header_check(&{p}_protocol, message);\n"
        text += "    if (status == FTL_OK) {\n        switch (header->ordinal) {\n"
        for method in events:
            text += f"        case {method.constant}: status = serve_{method.name}(handlers, context, message); "
            text += "break;\n"
        text += "        default: status = FTL_ERR_NOT_SUPPORTED; break;\n        }\n    }\n"
        text += "    ftl_ipc_discard(message);\n    return status;\n}\n\n"
    return text


def protocol_struct(protocol, declaration, more):
    upper = protocol.name.upper()
    text = f"{declaration} = {{\n    .name = \"{protocol.name}\",\n    .id = {upper}_PROTOCOL,\n"
    text += f"    .major = {upper}_MAJOR,\n    .minor = {upper}_MINOR,\n    .message_max = {upper}_MESSAGE_MAX,\n"
    return text + f"    .handles_max = {upper}_HANDLES_MAX,\n{more}}};\n"


def source(protocol):
    p, upper = protocol.name, protocol.name.upper()
    text = banner(protocol) + f"#include <ftl/protocols/{p}.h>\n\n#include <ftl/channel.h>\n#include <string.h>\n\n"
    text += f"static struct ftl_message {p}_message(struct {p}_buffer *buffer)\n{{\n    return (struct ftl_message){{\n"
    text += "        .data = buffer->bytes,\n        .capacity = sizeof(buffer->bytes),\n"
    text += f"        .handles = buffer->handles,\n        .handle_capacity = {upper}_HANDLES_MAX,\n    }};\n}}\n\n"
    for struct in protocol.structs:
        if struct.is_fixed and struct.checks(""):
            text += f"static bool {struct.valid}(const {struct.ctype} *value)\n{{\n"
            text += f"    return {' && '.join(struct.checks('value->'))};\n}}\n\n"
        if struct in listed(protocol):
            text += list_functions(struct)
    if protocol.of("call"):  # what clients need of it, so that they do not contain the server's side
        text += protocol_struct(protocol, f"static const struct ftl_protocol {p}_called", "") + "\n"
    for method in protocol.methods:
        for message in method.messages():
            constants = f"{upper}_PROTOCOL, {upper}_MAJOR, {method.minor}, {method.constant}, FTL_OK, 0"
            text += wire_struct(message) + encoder(message, constants) + decoder(message)
        text += client_function(protocol, method) + serve_function(protocol, method)
    text += dispatch(protocol)
    declaration = f"const struct ftl_protocol {p}_protocol"
    return text + protocol_struct(protocol, declaration, f"    .dispatch = {p}_dispatch,\n")


# ---- Documentation and tests ----

def doc_type(kind, item, members):
    return f"\n**{kind} {item.name}** `{{ {', '.join(members)} }}`\n" + "\n".join(item.doc) + "\n"


def docs(protocols):
    text = "# Protocols\n\nMade by `scripts/genipc.py` from `user/protocols/*.ipc`: change it there. docs/ipc.md\n"
    text += "explains the language, and what is the same for all protocols.\n"
    for protocol in protocols:
        text += f"\n## {protocol.name}, version {protocol.version()}\n\nId {protocol.id:#010x}, `<ftl/protocols/"
        text += f"{protocol.name}.h>`.\n" + "\n".join(protocol.doc) + "\n"
        for item in protocol.enums:
            kind = "bits" if isinstance(item, Bits) else "enum"
            text += doc_type(kind, item, [f"{name} = {value}" for name, value in item.values])
        for item in protocol.structs:
            text += doc_type("struct", item, [f"{field.name}: {field.type}" for field in item.fields])
        for method in protocol.methods:
            ways = [", ".join(f"{f.name}: {f.type}" for f in m.fields) for m in method.messages()]
            text += f"\n### {method.ordinal}. {method.kind} {method.name}\n\n"
            text += f"Since version {protocol.major}.{method.minor}.\n\n" if method.minor else ""
            text += f"`{method.name}({ways[0]}){' -> ' + ways[1] if method.outward and ways[1] else ''}`\n\n"
            text += "\n".join(method.doc) + "\n"
    return text


def fill_scalar(element, target):
    if isinstance(element, Bits):
        values = " | ".join(f"{element.constant}_{name}" for name, _ in element.values)
        return f"    {target} = ({element.ctype})(test_number() & ({values}));\n"
    if isinstance(element, Enum):
        values = ", ".join(f"{element.constant}_{name}" for name, _ in element.values)
        return f"    {target} = ({element.ctype})test_choose((const uint64_t[]){{ {values} }}, " \
               f"{len(element.values)});\n"
    if isinstance(element, Struct):
        return "".join(fill_fixed(field, f"{target}.{field.name}") for field in element.fields)
    if element.name == "bool":
        return f"    {target} = test_number() % 2 != 0;\n"
    return f"    {target} = ({element.ctype})test_number();\n"


def fill_fixed(field, target):
    if not field.length:
        return fill_scalar(field.element, target)
    index = re.sub(r"\W+", "_", target) + "_index"
    text = f"    for (size_t {index} = 0; {index} < {field.length}; {index}++) {{\n"
    text += fill_scalar(field.element, f"{target}[{index}]").replace("    ", "        ")
    return text + "    }\n"


def fill_list(field, target):
    """Items until the list is full, or chance ends it."""
    fill = f"    {target} = test_list({field.maximum});\n    {field.element.ctype} {field.name};\n    do {{\n"
    fill += "".join(fill_field(each, f"{field.name}.") for each in field.element.fields).replace("    ", "        ")
    return fill + f"    }} while (test_goes_on({field.element.layout.name}_append(&{target}, &{field.name})));\n"


def fill_field(field, into):
    target = into + field.name
    if field.kind == "fixed":
        return fill_fixed(field, target)
    if field.kind == "string":
        return f"    {target} = test_string({field.maximum});\n"
    if field.kind == "list":
        return fill_list(field, target)
    if field.kind == "handle":
        handle = f"test_handle(FTL_OBJECT_{field.object.upper()}, {field.rights_mask()})"
        return f"    {target} = {f'test_number() % 2 != 0 ? {handle} : 0' if field.optional else handle};\n"
    size = into + field.size_name()
    text = f"    {size} = test_size({field.maximum});\n"
    if field.kind == "bytes":
        return text + f"    {target} = test_bytes({size});\n"
    ctype = field.element.ctype
    text += f"    {{\n        {ctype} *items = test_bytes({size} * sizeof({ctype}));\n"
    text += f"        for (size_t i = 0; i < {size}; i++) {{\n"
    text += fill_scalar(field.element, "items[i]").replace("    ", "            ")
    return text + f"        }}\n        {target} = items;\n    }}\n"


def fill_function(message):
    text = f"static ftl_status_t fill_{message.name}(struct ftl_message *to)\n{{\n"
    if message.fields:
        text += f"    struct {message.name} value;\n"
        text += "".join(fill_field(field, "value.") for field in message.fields)
    return text + f"    return {message.name}_encode({'&value, ' if message.fields else ''}to);\n}}\n\n"


def recode_list(field):
    """Takes a decoded list apart and puts its items into another one, which takes its place."""
    item, listed_items = f"{field.name}_item", f"{field.name}_list"
    text = f"    struct ftl_ipc_list {listed_items} = test_list({field.maximum});\n"
    text += f"    {field.element.ctype} {item};\n"
    text += f"    while ({field.element.layout.name}_next(&value.{field.name}, &{item})) {{\n"
    text += f"        status = {field.element.layout.name}_append(&{listed_items}, &{item});\n"
    text += "        if (status != FTL_OK) {\n            return test_not_encoded(status);\n        }\n    }\n"
    return text + f"    value.{field.name} = {listed_items};\n"


def recode_function(message):
    text = f"static ftl_status_t recode_{message.name}(struct ftl_message *from, struct ftl_message *to)\n{{\n"
    text += f"    struct {message.name} value;\n" if message.fields else ""
    text += f"    ftl_status_t status = {message.name}_decode(from{', &value' if message.fields else ''});\n"
    text += "    if (status != FTL_OK) {\n        return status;\n    }\n"
    text += "".join(recode_list(field) for field in message.fields if field.kind == "list")
    return text + f"    return {message.name}_encode({'&value, ' if message.fields else ''}to);\n}}\n\n"


def tests(protocols):
    text = "/* Made by scripts/genipc.py. Do not edit. What this needs is in tests/unit/ipc_contents.h. */\n"
    text += "".join(f"#include <ftl/protocols/{protocol.name}.h>\n" for protocol in protocols) + "\n"
    table = ""
    for protocol, message in ((protocol, message) for protocol in protocols for message in protocol.messages()):
        text += fill_function(message) + recode_function(message)
        optional = sum(field.optional for field in message.handles)
        table += f"    {{ &{protocol.name}_protocol, \"{message.name}\", {message.size_max}, {len(message.handles)}, " \
                 f"{optional}, fill_{message.name}, recode_{message.name} }},\n"
    return text + f"static const struct test_message test_messages[] = {{\n{table}}};\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("definitions", nargs="+", metavar="FILE.ipc")
    parser.add_argument("--headers", metavar="DIR")
    parser.add_argument("--sources", metavar="DIR")
    parser.add_argument("--docs", metavar="FILE")
    parser.add_argument("--tests", metavar="FILE")
    arguments = parser.parse_args()
    protocols = parse_all(arguments.definitions)
    for protocol in protocols:
        if arguments.headers:
            write(f"{arguments.headers}/ftl/protocols/{protocol.name}.h", header(protocol))
        if arguments.sources:
            write(f"{arguments.sources}/{protocol.name}.protocol.c", source(protocol))
    if arguments.docs:
        write(arguments.docs, docs(protocols))
    if arguments.tests:
        write(arguments.tests, tests(protocols))


if __name__ == "__main__":
    main()
