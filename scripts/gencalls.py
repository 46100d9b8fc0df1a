#!/usr/bin/env python3
"""Makes everything that is derived from the call table (user/lib/include/ftl/calls.def).

  gencalls.py calls.def --headers DIR   DIR/ftl/GROUP.h: numbers and prototypes for processes;
                                        DIR/ftl/wrapped_calls.h: stubs for the user library alone
  gencalls.py calls.def --stubs FILE    C source of the stubs, the same for both isolation modes
  gencalls.py calls.def --kernel DIR    DIR/calls.gen.h, DIR/calls.gen.c, DIR/call_count.gen.h: decoding and dispatch
  gencalls.py calls.def --docs FILE     the reference page in Markdown
  gencalls.py calls.def --tests FILE    C header with a table of the calls' arguments, for tests
"""
import argparse
import os
import re
import sys

SCALARS = {  # type in the table: (C type for processes, C type in the kernel)
    "u32": ("uint32_t", "uint32_t"),
    "i32": ("int32_t", "int32_t"),
    "u64": ("uint64_t", "uint64_t"),
    "size": ("size_t", "size_t"),
    "nsec": ("ftl_nsec_t", "ftl_nsec_t"),
    "rights": ("ftl_rights_t", "ftl_rights_t"),
    "address": ("uintptr_t", "vaddr_t"),
    "handle": ("ftl_handle_t", "ftl_handle_t"),
}
OBJECTS = ["any", "process", "thread", "vmspace", "vmo", "console", "system",
           "notification", "timer", "poll", "channel", "code", "interrupt"]
KERNEL_STRUCTS = {"any": "object", "timer": "timer_object"}  # where not named as in the table
RIGHTS = ["READ", "WRITE", "MAP", "EXECUTE", "DUPLICATE", "TRANSFER", "MANAGE", "WAIT"]
MAX_ARGS = 6
FIRST_WORDS_CALL = 0x1000  # the number of the first words call; the others follow, in their own order
NO_RETURN = {"process_exit", "process_abort", "thread_exit"}


class Argument:
    def __init__(self, text, where):
        match = re.fullmatch(r"(\w+): (.+)", text)
        if not match:
            sys.exit(f"{where}: argument '{text}' is not 'name: type'")
        self.name, self.type = match.groups()
        self.object = self.rights = self.pointer = None
        handle = re.fullmatch(r"(value |locked )?(\w+)\[([A-Z|]*)\]", self.type)
        pointer = re.fullmatch(r"(in|out|inout) (\w+)", self.type)
        if handle:
            self.by_value = handle.group(1) == "value "
            self.locked = handle.group(1) == "locked "
            self.object = handle.group(2)
            self.rights = [r for r in handle.group(3).split("|") if r]
            if self.object not in OBJECTS or any(r not in RIGHTS for r in self.rights):
                sys.exit(f"{where}: unknown object type or right in '{self.type}'")
            self.user = "ftl_handle_t"
            self.kernel = "ftl_handle_t" if self.by_value else f"struct {self.kernel_struct()} *"
        elif pointer:
            self.pointer = pointer.group(1)
            target = pointer.group(2)
            base = "void" if target == "bytes" else "uint64_t" if target == "u64" else f"struct {target}"
            const = "const " if self.pointer == "in" else ""
            self.user, self.kernel = f"{const}{base} *", "vaddr_t"
        elif self.type in SCALARS:
            self.user, self.kernel = SCALARS[self.type]
        else:
            sys.exit(f"{where}: unknown type '{self.type}'")

    def kernel_struct(self):
        return KERNEL_STRUCTS.get(self.object, self.object)


class Call:
    def __init__(self, number, match, where):
        self.number, self.name, self.doc = number, match.group(3), []
        self.slow = match.group(1) == "slow "
        self.is_words = match.group(1) == "words "
        self.is_leaf = match.group(1) == "leaf "
        self.is_wrapped = match.group(2) is not None
        self.group = self.name.split("_")[0]
        args = match.group(4)
        self.args = [Argument(a.strip(), where) for a in args.split(",")] if args.strip() else []
        self.value = Argument(match.group(5), where) if match.group(5) else None
        if len(self.args) > MAX_ARGS:
            sys.exit(f"{where}: {self.name} has more than {MAX_ARGS} arguments")
        if self.is_leaf and self.args:
            sys.exit(f"{where}: {self.name} is a leaf call, but has arguments")


def declare(ctype, name):
    return f"{ctype}{name}" if ctype.endswith("*") else f"{ctype} {name}"


CALL_START = r"(slow |words |leaf )?(wrapped )?call "


def read_lines(path):
    """Yields (number, line); a line that ends with a comma in a call goes on in the next."""
    begun = ""
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        line = f"{begun} {line.strip()}" if begun else line.rstrip()
        begun = line if line.endswith(",") and re.match(CALL_START, line) else ""
        if not begun:
            yield number, line


def parse(path):
    calls = []
    for number, line in read_lines(path):
        where = f"{path}:{number}"
        if not line or line.startswith("#"):
            continue
        if line.startswith("    ") and calls:
            calls[-1].doc.append(line.strip())
            continue
        match = re.fullmatch(CALL_START + r"(\w+)\((.*)\)(?: -> (\w+: \w+))?", line)
        if not match:
            sys.exit(f"{where}: not a call: {line}")
        is_words = match.group(1) == "words "
        number = sum(c.is_words == is_words for c in calls) + (FIRST_WORDS_CALL if is_words else 0)
        calls.append(Call(number, match, where))
    for call in calls:
        if not call.doc:
            sys.exit(f"{path}: {call.name} has no documentation")
    return calls


BANNER = "/* Made by scripts/gencalls.py from calls.def. Do not edit. */\n"


def prototype(call, prefix="ftl_"):
    params = [declare(a.user, a.name) for a in call.args]
    if call.value:
        params.append(declare(call.value.user + " *", call.value.name))
    kind = "_Noreturn void" if call.name in NO_RETURN else "ftl_status_t"
    return f"{kind} {prefix}{call.name}({', '.join(params) or 'void'})"


def call_prefix(call):
    """Of the stub's name: what a wrapped call is for processes, the user library makes of it."""
    return "ftl_kernel_" if call.is_wrapped else "ftl_"


def stub_prototype(call):
    return prototype(call, call_prefix(call))


def leaf_call_numbers(calls):
    """Name -> second number of a leaf call, for its shorter way: they count up to -1."""
    names = [c.name for c in calls if c.is_leaf]
    return {name: index - len(names) for index, name in enumerate(names)}


def rights_text(call):
    parts = [f"{a.name}: {' and '.join(a.rights)}" for a in call.args if a.object and a.rights]
    return f"Rights: {'; '.join(parts)}." if parts else ""


def write(path, text):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    if os.path.exists(path) and open(path, encoding="utf-8").read() == text:
        return
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def headers(calls, directory):
    words_count = sum(c.is_words for c in calls)
    numbers = "".join(f"    FTL_CALL_{c.name.upper()} = {c.number},\n" for c in calls)
    write(f"{directory}/ftl/call_numbers.h", f"""{BANNER}#ifndef FTL_CALL_NUMBERS_H
#define FTL_CALL_NUMBERS_H

enum {{
{numbers}    FTL_CALL_COUNT = {len(calls) - words_count},
    FTL_FIRST_WORDS_CALL = {FIRST_WORDS_CALL},
    FTL_WORDS_CALL_COUNT = {words_count},
}};

#endif
""")
    for group in sorted({c.group for c in calls}):
        guard = f"FTL_{group.upper()}_H"
        text = f"{BANNER}#ifndef {guard}\n#define {guard}\n\n#include <ftl/status.h>\n#include <ftl/types.h>\n\n"
        for call in (c for c in calls if c.group == group and not c.is_words):
            lines = call.doc + ([rights_text(call)] if rights_text(call) else [])
            text += "/*\n" + "".join(f" * {line}\n" for line in lines) + " */\n"
            text += prototype(call) + ";\n\n"
        write(f"{directory}/ftl/{group}.h", text + "#endif\n")
    wrapped = "".join(f"{stub_prototype(c)};\n" for c in calls if c.is_wrapped)
    write(f"{directory}/ftl/wrapped_calls.h", f"""{BANNER}#ifndef FTL_WRAPPED_CALLS_H
#define FTL_WRAPPED_CALLS_H

#include <ftl/status.h>
#include <ftl/types.h>

/* The calls themselves, of which the user library makes the functions without `kernel_`. */
{wrapped}
#endif
""")


def register_value(arg):
    """32-bit values lie sign-extended in registers; as such they pass on for free, and the kernel truncates."""
    widen = "(int32_t)" if arg.user in ("uint32_t", "int32_t", "ftl_rights_t") else ""
    return f"(unsigned long){widen}{arg.name}"


def stubs(calls, path):
    text = BANNER
    text += "#include <ftl/call_numbers.h>\n"
    text += "".join(f"#include <ftl/{g}.h>\n" for g in sorted({c.group for c in calls}))
    text += "#include <ftl/wrapped_calls.h>\n"
    text += """
#include "user/lib/src/enter_kernel.h"

/* What a call gives back, in a0 and a1 by the C calling convention. */
struct result {
    long status;
    unsigned long value;
};
"""
    leaf_numbers = leaf_call_numbers(calls)
    for call in (c for c in calls if not c.is_words):
        number = leaf_numbers.get(call.name, call.number)
        if not call.value:
            text += f"\nKERNEL_ENTRY({call_prefix(call)}{call.name}, {number});\n"
            continue
        params = ", ".join(["unsigned long"] * len(call.args)) or "void"
        values = ", ".join(register_value(a) for a in call.args)
        text += f"\nKERNEL_ENTRY(ftl_raw_{call.name}, {number});\nstruct result ftl_raw_{call.name}({params});\n"
        text += f"{stub_prototype(call)}\n{{\n"
        text += f"    struct result result = ftl_raw_{call.name}({values});\n"
        text += "    if (result.status == FTL_OK) {\n"
        text += f"        *{call.value.name} = ({call.value.user})result.value;\n    }}\n"
        text += "    return (ftl_status_t)result.status;\n}\n"
    write(path, text)


def kernel_prototype(call):
    params = [declare(a.kernel, a.name) for a in call.args]
    return f"struct call_result sys_{call.name}({', '.join(params) or 'void'})"


def rights_mask(rights):
    return " | ".join(f"FTL_RIGHT_{r}" for r in rights) or "0"


def invocation(call):
    """What calls a call's implementation, with the decoder's variables."""
    passed = []
    for index, arg in enumerate(call.args):
        if arg.object and arg.by_value:
            passed.append(f"a{index}")
        elif arg.object == "any":
            passed.append(f"o{index}")
        elif arg.object:
            passed.append(f"(struct {arg.kernel_struct()} *)o{index}")
        else:
            passed.append(f"({arg.kernel})a{index}")
    return f"sys_{call.name}({', '.join(passed)})"


def decode_locked(call, objects):
    """The rest of the decoder of a call with one object, which it gets locked: two jumps at the end, no stack."""
    (index, arg), = objects
    wanted = f"a{index}, OBJECT_{arg.object.upper()}, {rights_mask(arg.rights)}"
    text = f"    o{index} = handle_table_lock(&process_current()->handles, {wanted});\n"
    text += f"    if (unlikely(o{index} == NULL)) {{\n        return handle_refused({wanted});\n    }}\n"
    return text + f"    return {invocation(call)};\n}}\n"


def kernel(calls, directory):
    structs = sorted({a.kernel_struct() for c in calls for a in c.args if a.object and not a.by_value})
    text = f"{BANNER}#ifndef CALLS_GEN_H\n#define CALLS_GEN_H\n\n#include \"kernel/call.h\"\n\n"
    text += "".join(f"struct {s};\n" for s in structs) + "\n"
    text += "".join(kernel_prototype(c) + ";\n" for c in calls)
    write(f"{directory}/calls.gen.h", text + "\n#endif\n")
    words = [c for c in calls if c.is_words]
    write(f"{directory}/call_count.gen.h", f"""{BANNER}#define CALL_COUNT {len(calls) - len(words)}
#define FIRST_WORDS_CALL {FIRST_WORDS_CALL}
#define WORDS_CALL_COUNT {len(words)}
#define LEAF_CALL_COUNT {sum(c.is_leaf for c in calls)}
""")

    text = BANNER + '#include "calls.gen.h"\n\n#include <ftl/call_numbers.h>\n\n#include "kernel/handle.h"\n'
    text += '#include "kernel/object.h"\n#include "kernel/spinlock.h"\n'
    text += '#include "kernel/process.h"\n\n#include "ipc/fastpath.h"\n'
    text += """
static __attribute__((noinline)) struct call_result handle_refused(ftl_handle_t handle, enum object_type type,
                                                                   ftl_rights_t rights)
{
    return call_status(handle_lookup_failed(&process_current()->handles, handle, type, rights));
}
"""
    for call in calls:
        params = ", ".join(f"unsigned long a{i}" for i in range(MAX_ARGS))
        text += f"\nstatic struct call_result decode_{call.name}({params})\n{{\n"
        for i in range(len(call.args), MAX_ARGS):
            text += f"    (void)a{i};\n"
        objects = [(i, a) for i, a in enumerate(call.args) if a.object and not a.by_value]
        for index, arg in objects:
            text += f"    struct object *o{index};\n"
        if objects and objects[0][1].locked:
            text += decode_locked(call, objects)
            continue
        if objects:
            text += "    ftl_status_t status;\n"
        for position, (index, arg) in enumerate(objects):
            kind = f"OBJECT_{arg.object.upper()}"
            text += f"    status = handle_lookup(a{index}, {kind}, {rights_mask(arg.rights)}, &o{index});\n"
            release = "".join(f"        object_put(o{i});\n" for i, _ in reversed(objects[:position]))
            text += f"    if (status != FTL_OK) {{\n{release}        return call_status(status);\n    }}\n"
        text += f"    struct call_result result = {invocation(call)};\n"
        text += "".join(f"    object_put(o{i});\n" for i, _ in reversed(objects))
        text += "    spin_assert_none_held();\n    return result;\n}\n"
    text += "\nconst call_fn call_table[FTL_CALL_COUNT] = {\n"
    text += "".join(f"    [FTL_CALL_{c.name.upper()}] = decode_{c.name},\n" for c in calls if not c.is_words)
    text += "};\n\nconst struct words_call words_calls[FTL_WORDS_CALL_COUNT] = {\n"
    text += "".join(f"    {{ fastpath_{c.name}, decode_{c.name} }},\n" for c in words)
    text += "};\n\nconst leaf_call_fn leaf_calls[] = {\n"
    text += "".join(f"    sys_{c.name},\n" for c in calls if c.is_leaf)
    text += "};\n\nconst char *const call_names[FTL_CALL_COUNT] = {\n"
    text += "".join(f"    [FTL_CALL_{c.name.upper()}] = \"{c.name}\",\n" for c in calls if not c.is_words)
    write(f"{directory}/calls.gen.c", text + "};\n")


def docs(calls, path):
    text = "# Kernel calls\n\nMade by `scripts/gencalls.py` from `user/lib/include/ftl/calls.def`: change it there.\n"
    text += "Every call can also return the errors of its handles: HANDLE_FORGED, HANDLE_CLOSED, HANDLE_STALE,\n"
    text += "WRONG_TYPE, MISSING_RIGHT; and BAD_ADDRESS for a pointer that is not accessible memory of the caller.\n"
    for call in calls:
        text += f"\n## {call.number}. {call.name}\n\n"
        if call.is_words:
            text += f"In registers: `{', '.join(f'{a.name}: {a.type}' for a in call.args)}`.\n"
        else:
            text += f"```c\n#include <ftl/{call.group}.h>\n{prototype(call)};\n```\n"
        text += "\n".join(call.doc) + "\n"
        if rights_text(call):
            text += f"\n{rights_text(call)}\n"
    write(path, text)


def tests(calls, path):
    """What tests, in the kernel or in a process, must know to try each call with every bad handle."""
    text = BANNER + """#ifndef CALLS_TABLE_GEN_H
#define CALLS_TABLE_GEN_H

#include <ftl/types.h>

struct call_argument {
    bool is_handle;
    bool is_pointer;
    unsigned type;       /* of a handle: FTL_OBJECT_ */
    ftl_rights_t rights; /* that it needs */
};

static const struct call_description {
    const char *name;
    unsigned number;
    bool returns;
    bool slow;      /* may stop the thread */
    unsigned count; /* of arguments */
    struct call_argument args[6];
} call_descriptions[] = {
"""
    for call in (c for c in calls if not c.is_words):
        returns, slow = ("false" if call.name in NO_RETURN else "true"), ("true" if call.slow else "false")
        text += f'    {{ "{call.name}", {call.number}, {returns}, {slow}, {len(call.args)}, {{\n'
        for arg in call.args:
            if arg.object:
                text += f"        {{ true, false, FTL_OBJECT_{arg.object.upper()}, {rights_mask(arg.rights)} }},\n"
            else:
                text += f"        {{ false, {'true' if arg.pointer else 'false'}, FTL_OBJECT_ANY, 0 }},\n"
        text += "    } },\n" if call.args else "        { false, false, FTL_OBJECT_ANY, 0 },\n    } },\n"
    write(path, text + "};\n\n#endif\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table")
    parser.add_argument("--headers")
    parser.add_argument("--stubs")
    parser.add_argument("--kernel")
    parser.add_argument("--docs")
    parser.add_argument("--tests")
    args = parser.parse_args()
    calls = parse(args.table)
    for option, make in ((args.headers, headers), (args.stubs, stubs), (args.kernel, kernel), (args.docs, docs),
                         (args.tests, tests)):
        if option:
            make(calls, option)


if __name__ == "__main__":
    main()
