#!/usr/bin/env python3
"""Is each line of the proof needed? Weakens the verifier in one place at a time, and demands that a test notices.

    mutate.py COMPILER WORK_DIRECTORY [NUMBER...]

A mutation is a piece of kernel/sandbox/ that is replaced by another; the tests are test_verifier, test_facts and
soundness, in this order, the quick ones first. Whoever changes one of these pieces changes it here too.
"""
import concurrent.futures
import os
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SANDBOX = os.path.join(ROOT, "kernel", "sandbox")
SOURCES = ("verify.c", "claims.c", "decode.c", "disassemble.c", "facts.c")
FLAGS = ["-O1", "-g0", "-w", "-UFTL_RELEASE", "-DFTL_HOST_TEST=1"]
INCLUDES = ["user/lib/include", "tests/unit", "tests/sandbox", "tests/unit/host/include"]
MODEL = ["tests/sandbox/model/machine.c", "tests/sandbox/model/window.c"]
TESTS = (("test_verifier", ["tests/unit/test_verifier.c"], ["-lcmocka"], []),
         ("test_facts", ["tests/unit/test_facts.c"] + MODEL, ["-lcmocka"], ["1", "3000000"]),
         ("soundness", ["tests/sandbox/soundness.c"] + MODEL, [], ["6000000"]))

# File, the piece, what is put in its place.
MUTATIONS = (
    ("facts.c", "if (low < -SANDBOX_BOUND_MAX || high > SANDBOX_BOUND_MAX) {", "if (0) {"),
    ("facts.c", "if (number_of == SANDBOX_REG_ZERO) {\n        return;", "if (0) {\n        return;"),
    ("facts.c", "if (number_of == state->witness || number_of == state->other) {", "if (0) {"),
    ("facts.c", "number_of == state->witness || ", ""),
    ("facts.c", " || number_of == state->other", ""),
    ("facts.c", "at.low + insn->imm_low >= -SANDBOX_REACH", "1"),
    ("facts.c", "at.high + insn->imm_high + access_size(insn) <= SANDBOX_REACH", "1"),
    ("facts.c", "at.low >= -SANDBOX_SLACK", "1"),
    ("facts.c", "at.high <= SANDBOX_SLACK", "1"),
    ("facts.c", "insn->form->class != SANDBOX_CLASS_SC && ", ""),
    ("facts.c", "between(SANDBOX_VALUE_WINDOW, -insn->imm_high,", "between(SANDBOX_VALUE_WINDOW, 0,"),
    ("facts.c", "-insn->imm_low - access_size(insn))", "-access_size(insn))"),
    ("facts.c", "reg == SANDBOX_REG_BASE && is_unsigned(a, SPAN)", "reg == SANDBOX_REG_BASE"),
    ("facts.c", "reg == SANDBOX_REG_BASE && is_unsigned(a, SPAN)", "is_unsigned(a, SPAN)"),
    ("facts.c", "value.low >= 0 && value.high <= limit", "value.high <= limit"),
    ("facts.c", "value.low >= 0 && value.high <= limit", "value.low >= 0"),
    ("facts.c", "if (b.low == 0 && b.high == 0) {", "if (b.low == 0) {"),
    ("facts.c", "a.kind == SANDBOX_VALUE_IMAGE && b.low == b.high", "a.kind == SANDBOX_VALUE_IMAGE"),
    ("facts.c", "number(value.low * ((int64_t)1 << count), value.high * ((int64_t)1 << count))",
     "number(value.low, value.high)"),
    ("facts.c", "count == 0 ? number(INT32_MIN, INT32_MAX)", "count == 0 ? number(0, INT32_MAX)"),
    ("facts.c", "low_word(value).high >> count", "SPAN >> (count + 1)"),
    ("facts.c", "a_bounds && (!b_bounds || a.high < b.high)", "a_bounds || (!b_bounds || a.high < b.high)"),
    ("facts.c", "between(value.kind, value.low + mask + 1, value.high)", "between(value.kind, value.low, value.high)"),
    ("facts.c", "number(-b.high, -b.low)", "number(b.low, b.high)"),
    ("facts.c", "add_index(state, low_word(a), argument", "add_index(state, a, argument"),
    ("facts.c", "is_exact(base, SANDBOX_VALUE_IMAGE) && shift >= LOG2_WORD", "is_exact(base, SANDBOX_VALUE_IMAGE)"),
    ("facts.c", "is_exact(base, SANDBOX_VALUE_IMAGE) && shift", "shift"),
    ("facts.c", "number(0, ((int64_t)1 << (8u << argument)) - 1)", "number(0, ((int64_t)1 << (7u << argument)) - 1)"),
    ("facts.c", "insn->imm_low == 0 && insn->imm_high == 0", "1"),
    ("facts.c", "insn->rd == insn->rs1 || ", ""),
    ("facts.c", "insn->form->class == SANDBOX_CLASS_SUB && insn->rs2 == SANDBOX_REG_BASE",
     "insn->form->class == SANDBOX_CLASS_SUB"),
    ("facts.c", "state->relation == relation_to && state->witness == reg", "state->witness == reg"),
    ("facts.c", "state->relation == relation_to && state->witness == reg", "state->relation == relation_to"),
    ("facts.c", "is_witness(state, SANDBOX_RELATION_OFFSET, rs2) && is_unsigned(a, SPAN)",
     "is_witness(state, SANDBOX_RELATION_OFFSET, rs2)"),
    ("facts.c", "(rs1 == SANDBOX_REG_PAD && is_witness", "(is_witness"),
    ("facts.c", "(rs2 == SANDBOX_REG_PAD && is_witness", "(is_witness"),
    ("facts.c", "SANDBOX_REG_TLS] = whole_window", "SANDBOX_REG_TLS] = between(SANDBOX_VALUE_WINDOW, 0, 0)"),
    ("facts.c", "between(SANDBOX_VALUE_WINDOW, -GUARD, 0);", "between(SANDBOX_VALUE_WINDOW, 0, 0);"),
    ("facts.c", "SANDBOX_REG_SPAN] = number(SPAN, SPAN)", "SANDBOX_REG_SPAN] = number(0, 0)"),
    ("verify.c", "return (word_at(v, index) & SKIP_MASK) == SKIP_MATCH;",
     "return (word_at(v, index) & MAJOR_MASK) == MAJOR_BRANCH;"),
    ("verify.c", " && word_at(v, index + 1) == WORD_EBREAK", ""),
    ("verify.c", "(compare == FUNCT3_BEQ || compare == FUNCT3_BGEU) &&\n", ""),
    ("verify.c", "skips_one(v, index) && is_jump(v, index + 1)", "skips_one(v, index)"),
    ("verify.c", "if (target < v->count) {\n        v->joins", "if (0) {\n        v->joins"),
    ("verify.c", "__builtin_memcpy(v->joins, bits,", "__builtin_memset(v->joins, 0,"),
    ("verify.c", "size_t target = is_pad(v, index) ? index : v->count;", "size_t target = v->count;"),
    ("verify.c", "!pad || claims == SANDBOX_CLAIM_RA", "1"),
    ("verify.c", "(v->live && !check_leave(v, index, claims))", "0"),
    ("verify.c", "    sandbox_state_reset(&v->state);\n    sandbox_state_add", "    sandbox_state_add"),
    ("verify.c", "is_pad(v, index) || is_entry(v, index) ? SANDBOX_CLAIM_RA : 0", "0"),
    ("verify.c", " || is_entry(v, index) ? SANDBOX_CLAIM_RA", " ? SANDBOX_CLAIM_RA"),
    ("verify.c", "(insn->imm_low == 0 || insn->imm_low == (int64_t)INSN_SIZE)", "1"),
    ("verify.c", "(image && first == last && is_known_target", "(first == last && is_known_target"),
    ("verify.c", "(image && first == last && is_known_target", "(image && is_known_target"),
    ("verify.c", "image && first < last &&", "first < last &&"),
    ("verify.c", "first == address_of(v, *next) && ", ""),
    ("verify.c", "if (!is_jump(v, *next)) {", "if (*next >= v->count) {"),
    ("verify.c", " && insn->rd == SANDBOX_REG_ZERO) {", ") {"),
    ("verify.c", "if (!follow_aside(v, *next)) {", "if (*next == 0) {"),
    ("verify.c", "(SANDBOX_RESERVED >> insn.rd & 1) == 0", "insn.rd != SANDBOX_REG_BASE"),
    ("verify.c", "insn->rd == SANDBOX_REG_RA ? 0 : SANDBOX_CLAIM_RA", "0"),
    ("verify.c", "    v->state = state;\n", ""),
    ("verify.c", "if (jump && insn->rd == SANDBOX_REG_RA) {", "if (jump) {"),
    ("verify.c", "case SANDBOX_CLASS_EBREAK: v->live = false; return require(v, false, SANDBOX_RULE_TRAP, at);",
     "case SANDBOX_CLASS_EBREAK: v->live = false; return true;"),
    ("claims.c", "place <= load_word(table + (at - 1)", "place < load_word(table + (at - 1)"),
    ("claims.c", "& ~SANDBOX_CLAIM_ALL) != 0", "& ~SANDBOX_CLAIM_ALL) > 0xffffffffu"),
    ("claims.c", "place % 4 != 0 || ", ""),
    ("claims.c", "i == SANDBOX_REG_RA ? sandbox_is_pad(state, i)", "0 ? sandbox_is_pad(state, i)"),
    ("decode.c", "funct3 == ROUNDING_RESERVED_5", "0"),
    ("decode.c", "funct3 == ROUNDING_RESERVED_6", "0"),
)


def read(name):
    with open(os.path.join(SANDBOX, name), encoding="utf-8") as file:
        return file.read()


def build(compiler, directory, sources, test):
    name, files, libraries, _ = test
    program = os.path.join(directory, name)
    command = [compiler, *FLAGS, "-I" + ROOT, *("-I" + os.path.join(ROOT, path) for path in INCLUDES),
               *(os.path.join(ROOT, path) for path in files), *sources, *libraries, "-o", program]
    subprocess.run(command, check=True, cwd=ROOT)
    return program


def noticed_by(compiler, directory, sources):
    """The name of the first test that fails, or None."""
    for test in TESTS:
        program = build(compiler, directory, sources, test)
        result = subprocess.run([program, *test[3]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        if result.returncode != 0:
            return test[0]
    return None


def try_mutation(compiler, work, number):
    name, piece, instead = MUTATIONS[number]
    text = read(name)
    if text.count(piece) != 1:
        return f"{name} has {text.count(piece)} times, not once: {piece}"
    directory = os.path.join(work, str(number))
    os.makedirs(directory, exist_ok=True)
    mutant = os.path.join(directory, name)
    with open(mutant, "w", encoding="utf-8") as file:
        file.write(text.replace(piece, instead))
    sources = [mutant if source == name else os.path.join(SANDBOX, source) for source in SOURCES]
    found = noticed_by(compiler, directory, sources)
    print(f"{number:3} {name}: `{' '.join(piece.split())}` -> `{' '.join(instead.split())}`: {found or 'NOT NOTICED'}",
          flush=True)
    return None if found else f"mutation {number} of {name} is not noticed"


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    compiler, work = sys.argv[1:3]
    numbers = [int(word) for word in sys.argv[3:]] or range(len(MUTATIONS))
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        complaints = [text for text in pool.map(lambda n: try_mutation(compiler, work, n), numbers) if text]
    if complaints:
        sys.exit("\n".join(complaints))


if __name__ == "__main__":
    main()
