/*
 * Reads guards backwards: see report.h. The guards are those of user/toolchain/rewrite.c:
 *     add.uw s9, r, gp; beq s9, r, .+8; ebreak; <access through r>           (flavour trap)
 *     add.uw s9, t, gp; lw s10, 0(s9); beq s10, s11, .+8; ebreak; jalr ...
 * Without Zba, the first is sub s9, r, gp; bgeu s8, s9, .+8; ebreak, and add.uw elsewhere and, add.
 */
#include "kernel/sandbox/report.h"

#include "kernel/sandbox/decode.h"
#include "kernel/sandbox/facts.h"

#define CHECK_SKIP 8

struct reader {
    struct sandbox_decoder decoder;
    const uint32_t *code;
    size_t count;
};

static bool insn_at(const struct reader *reader, size_t index, struct sandbox_insn *insn)
{
    return index < reader->count && sandbox_decode(&reader->decoder, reader->code[index], insn);
}

static bool class_at(const struct reader *reader, size_t index, enum sandbox_class class,
                     struct sandbox_insn *insn)
{
    return insn_at(reader, index, insn) && insn->form->class == class;
}

/*
 * If the instructions that end before index mask a register into s9, returns that register and sets
 * *offset to what was added to it first.
 */
static unsigned int masked_register(const struct reader *reader, size_t index, int64_t *offset)
{
    struct sandbox_insn insn;
    size_t first;

    if (index >= 1 && class_at(reader, index - 1, SANDBOX_CLASS_SHADDUW, &insn)) {
        first = index - 1;
    } else if (index >= 2 && class_at(reader, index - 2, SANDBOX_CLASS_AT_MOST, &insn)) {
        first = index - 2;
    } else {
        return SANDBOX_REG_SCRATCH;
    }
    if (insn.rs1 == SANDBOX_REG_SCRATCH && first >= 1 &&
        class_at(reader, first - 1, SANDBOX_CLASS_ADDI, &insn)) {
        *offset = insn.imm_low;
    }
    return insn.rs1;
}

/* The check that a word loaded from a jump's target is a landing pad; load is the index of the
 * load. */
static bool explain_jump(const struct reader *reader, size_t load, struct sandbox_report *report)
{
    struct sandbox_insn insn;

    if (!class_at(reader, load, SANDBOX_CLASS_LOAD, &insn) || insn.rd != SANDBOX_REG_SCRATCH2) {
        return false;
    }
    report->stop = insn.rs1 == SANDBOX_REG_RA ? SANDBOX_STOP_RETURN : SANDBOX_STOP_JUMP;
    report->offset = 0;
    report->reg = insn.rs1;
    if (insn.rs1 == SANDBOX_REG_SCRATCH) {
        report->reg = (uint8_t)masked_register(reader, load, &report->offset);
    }
    return true;
}

static bool explain_access(const struct sandbox_insn *insn, struct sandbox_report *report)
{
    if (!sandbox_is_access(insn)) {
        return false;
    }
    switch (insn->form->class) {
    case SANDBOX_CLASS_LOAD:
    case SANDBOX_CLASS_LOADU: report->stop = SANDBOX_STOP_LOAD; break;
    case SANDBOX_CLASS_STORE: report->stop = SANDBOX_STOP_STORE; break;
    default: report->stop = SANDBOX_STOP_ATOMIC; break;
    }
    report->reg = insn->rs1;
    report->offset = insn->imm_low;
    report->size = (uint8_t)(1u << insn->form->argument);
    return true;
}

/* The ebreak at index: what the check before it compared says what was wrong. */
static bool explain_check(const struct reader *reader, size_t index, struct sandbox_report *report)
{
    struct sandbox_insn check, offset, next;
    unsigned int reg;

    if (index < 2 || !class_at(reader, index - 1, SANDBOX_CLASS_BRANCH, &check) ||
        check.imm_low != CHECK_SKIP) {
        return false;
    }
    if (check.rs2 == SANDBOX_REG_PAD) {
        return explain_jump(reader, index - 2, report);
    }
    reg = check.rs2;
    if (check.rs1 == SANDBOX_REG_SPAN) {
        if (!class_at(reader, index - 2, SANDBOX_CLASS_SUB, &offset)) {
            return false;
        }
        reg = offset.rs1;
    }
    report->size = 0;
    if (insn_at(reader, index + 1, &next) && (next.rs1 == check.rs1 || next.rs1 == reg) &&
        explain_access(&next, report)) {
        report->reg = (uint8_t)reg;
        return true;
    }
    report->stop = SANDBOX_STOP_STACK;
    report->reg = (uint8_t)reg;
    report->offset = 0;
    return reg == SANDBOX_REG_SP;
}

bool sandbox_explain(const uint32_t *code, size_t count, size_t index,
                     struct sandbox_report *report)
{
    struct reader reader = { .code = code, .count = count };
    struct sandbox_insn insn;

    *report = (struct sandbox_report){ .size = 0 };
    sandbox_decoder_init(&reader.decoder);
    if (!insn_at(&reader, index, &insn)) {
        return false;
    }
    switch (insn.form->class) {
    case SANDBOX_CLASS_EBREAK: return explain_check(&reader, index, report);
    case SANDBOX_CLASS_TRAP: report->stop = SANDBOX_STOP_CHECK; return true;
    default: return explain_jump(&reader, index, report) || explain_access(&insn, report);
    }
}

const char *sandbox_stop_name(enum sandbox_stop stop)
{
    switch (stop) {
    case SANDBOX_STOP_LOAD: return "load";
    case SANDBOX_STOP_STORE: return "store";
    case SANDBOX_STOP_ATOMIC: return "atomic access";
    case SANDBOX_STOP_JUMP: return "jump";
    case SANDBOX_STOP_RETURN: return "return";
    case SANDBOX_STOP_STACK: return "stack pointer";
    case SANDBOX_STOP_CHECK: return "failed check";
    }
    return "access";
}
