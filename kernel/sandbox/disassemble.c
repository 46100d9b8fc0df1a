/*
 * Instructions as text, for refusals: see disassemble.h. Nothing is decided here.
 */
#include "kernel/sandbox/disassemble.h"

static uint32_t field(uint32_t word, unsigned int low, unsigned int count)
{
    return (word >> low) & ((1u << count) - 1);
}

static const char *const register_names[32] = {
    "zero", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0",
    "a1",   "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
    "s6",   "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
};

const char *sandbox_register_name(unsigned int number)
{
    return register_names[number & 31u];
}

/* A text being built in a fixed buffer; what does not fit is dropped. */
struct text {
    char *at;
    char *end; /* the last byte, kept for the NUL */
};

static void put(struct text *text, const char *string)
{
    while (*string != '\0' && text->at < text->end) {
        *text->at++ = *string++;
    }
    *text->at = '\0';
}

static void put_number(struct text *text, int64_t number, unsigned int base)
{
    char digits[24];
    char *digit = &digits[sizeof(digits) - 1];
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    *digit = '\0';
    do {
        *--digit = "0123456789abcdef"[rest % base];
        rest /= base;
    } while (rest != 0);
    if (base == 16) {
        *--digit = 'x';
        *--digit = '0';
    }
    if (number < 0) {
        *--digit = '-';
    }
    put(text, digit);
}

static void put_register(struct text *text, const char *separator, unsigned int number,
                         bool floating)
{
    put(text, separator);
    if (floating) {
        put(text, "f");
        put_number(text, number, 10);
    } else {
        put(text, sandbox_register_name(number));
    }
}

static void put_memory(struct text *text, const struct sandbox_insn *insn)
{
    put(text, ", ");
    if (insn->imm_low != 0) {
        put_number(text, insn->imm_low, 10);
    }
    put(text, "(");
    put(text, sandbox_register_name(insn->rs1));
    put(text, ")");
}

static bool is_load(unsigned int class)
{
    return class == SANDBOX_CLASS_LOAD || class == SANDBOX_CLASS_LOADU ||
           class == SANDBOX_CLASS_JALR;
}

static void put_operands(struct text *text, const struct sandbox_insn *insn, uint32_t word)
{
    unsigned int class = insn->form->class;
    bool atomic =
        class == SANDBOX_CLASS_AMO || class == SANDBOX_CLASS_SC || class == SANDBOX_CLASS_LR;
    bool floating = insn->form->destination == SANDBOX_DESTINATION_F;

    switch (insn->form->operands) {
    case SANDBOX_OPERANDS_R:
    case SANDBOX_OPERANDS_FRM:
        put_register(text, " ", field(word, 7, 5), floating);
        if (atomic) {
            if (class != SANDBOX_CLASS_LR) {
                put_register(text, ", ", insn->rs2, false);
            }
            put_memory(text, insn);
            return;
        }
        put_register(text, ", ", insn->rs1, floating);
        put_register(text, ", ", insn->rs2, floating);
        return;
    case SANDBOX_OPERANDS_I:
        put_register(text, " ", field(word, 7, 5), floating);
        if (is_load(class)) {
            put_memory(text, insn);
            return;
        }
        put_register(text, ", ", insn->rs1, false);
        put(text, ", ");
        put_number(text, insn->imm_low, 10);
        return;
    case SANDBOX_OPERANDS_S:
        put_register(text, " ", insn->rs2, (word & 0x7fu) == 0x27u); /* 0x27: STORE-FP */
        put_memory(text, insn);
        return;
    case SANDBOX_OPERANDS_B:
        put_register(text, " ", insn->rs1, false);
        put_register(text, ", ", insn->rs2, false);
        put(text, insn->imm_low < 0 ? ", ." : ", .+");
        put_number(text, insn->imm_low, 10);
        return;
    case SANDBOX_OPERANDS_U:
        put_register(text, " ", field(word, 7, 5), false);
        put(text, ", ");
        put_number(text, word >> 12, 16);
        return;
    case SANDBOX_OPERANDS_J:
        put_register(text, " ", field(word, 7, 5), false);
        put(text, insn->imm_low < 0 ? ", ." : ", .+");
        put_number(text, insn->imm_low, 10);
        return;
    default: return;
    }
}

void sandbox_disassemble(const struct sandbox_decoder *decoder, uint32_t word, char *text,
                         size_t size)
{
    struct text out = { text, text + size - 1 };
    struct sandbox_insn insn;

    if (size == 0) {
        return;
    }
    *text = '\0';
    if (!sandbox_decode(decoder, word, &insn)) {
        put(&out, ".word ");
        put_number(&out, word, 16);
        return;
    }
    put(&out, insn.form->name);
    put_operands(&out, &insn, word);
}
