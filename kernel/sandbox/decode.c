/*
 * Decoder for the permitted instructions: table-driven, see forms.def.
 * Freestanding C; relies on nothing.
 */
#include "kernel/sandbox/decode.h"

#define FORM(name, match, mask, operands, destination, class, argument)                            \
    { name,                                                                                        \
      match,                                                                                       \
      mask,                                                                                        \
      SANDBOX_OPERANDS_##operands,                                                                 \
      SANDBOX_DESTINATION_##destination,                                                           \
      SANDBOX_CLASS_##class,                                                                       \
      argument },
const struct sandbox_form sandbox_forms[] = {
#include "kernel/sandbox/forms.def"
};
#undef FORM
const size_t sandbox_form_count = sizeof(sandbox_forms) / sizeof(sandbox_forms[0]);
_Static_assert(sizeof(sandbox_forms) / sizeof(sandbox_forms[0]) < 256, "order[] holds bytes");

#define FUNCT3_MASK         0x7000u
#define BUCKETS_OF_OPCODE   8u
#define OPCODE_JUMP_BIT     0x08u /* tells jal from the conditional branches */
#define ROUNDING_RESERVED_5 5u    /* rounding modes 5 and 6 are reserved */
#define ROUNDING_RESERVED_6 6u

static uint32_t bits(uint32_t word, unsigned int low, unsigned int count)
{
    return (word >> low) & ((1u << count) - 1);
}

/* Sign-extends the low `count` bits of value. */
static int64_t extend(uint32_t value, unsigned int count)
{
    return (int64_t)(int32_t)(value << (32 - count)) >> (32 - count);
}

static unsigned int bucket_of(uint32_t word)
{
    return bits(word, 2, 5) << 3 | bits(word, 12, 3);
}

/* The last bucket of a form: its only one, unless all of funct3 is free. */
static unsigned int last_bucket(const struct sandbox_form *form)
{
    return bucket_of(form->match) + ((form->mask & FUNCT3_MASK) == 0 ? BUCKETS_OF_OPCODE - 1 : 0);
}

void sandbox_decoder_init(struct sandbox_decoder *decoder)
{
    unsigned int used = 0;

    for (unsigned int i = 0; i <= SANDBOX_BUCKETS; i++) {
        decoder->first[i] = 0;
    }
    for (size_t i = 0; i < sandbox_form_count; i++) { /* how many there are in each ... */
        const struct sandbox_form *form = &sandbox_forms[i];
        for (unsigned int at = bucket_of(form->match); at <= last_bucket(form); at++) {
            decoder->first[at + 1]++;
        }
    }
    for (unsigned int i = 0; i < SANDBOX_BUCKETS; i++) { /* ... so, where each ends, for now ... */
        used += decoder->first[i + 1];
        decoder->first[i + 1] = (uint16_t)used;
    }
    for (size_t i = sandbox_form_count; i-- > 0;) { /* ... and begins, when all are in place */
        const struct sandbox_form *form = &sandbox_forms[i];
        for (unsigned int at = bucket_of(form->match); at <= last_bucket(form); at++) {
            decoder->order[--decoder->first[at + 1]] = (uint8_t)i;
        }
    }
    for (unsigned int i = 0; i < SANDBOX_BUCKETS; i++) {
        decoder->first[i] = decoder->first[i + 1];
    }
    decoder->first[SANDBOX_BUCKETS] = (uint16_t)used;
}

static int64_t immediate(uint32_t word, unsigned int operands)
{
    switch (operands) {
    case SANDBOX_OPERANDS_I: return extend(word >> 20, 12);
    case SANDBOX_OPERANDS_S: return extend(bits(word, 25, 7) << 5 | bits(word, 7, 5), 12);
    case SANDBOX_OPERANDS_B:
        return extend(bits(word, 31, 1) << 12 | bits(word, 7, 1) << 11 | bits(word, 25, 6) << 5 |
                          bits(word, 8, 4) << 1,
                      13);
    case SANDBOX_OPERANDS_U: return (int64_t)(int32_t)(word & 0xfffff000u);
    case SANDBOX_OPERANDS_J:
        return extend(bits(word, 31, 1) << 20 | bits(word, 12, 8) << 12 | bits(word, 20, 1) << 11 |
                          bits(word, 21, 10) << 1,
                      21);
    default: return 0;
    }
}

int64_t sandbox_branch_offset(uint32_t word)
{
    return immediate(word, (word & OPCODE_JUMP_BIT) != 0 ? SANDBOX_OPERANDS_J : SANDBOX_OPERANDS_B);
}

static bool has_reserved_rounding(const struct sandbox_form *form, uint32_t word)
{
    uint32_t mode = bits(word, 12, 3);

    return form->operands == SANDBOX_OPERANDS_FRM &&
           (mode == ROUNDING_RESERVED_5 || mode == ROUNDING_RESERVED_6);
}

bool sandbox_decode(const struct sandbox_decoder *decoder, uint32_t word, struct sandbox_insn *insn)
{
    unsigned int bucket = bucket_of(word);
    const uint8_t *at = decoder->order + decoder->first[bucket];
    const uint8_t *end = decoder->order + decoder->first[bucket + 1];
    const struct sandbox_form *form;

    do {
        if (at == end) {
            return false;
        }
        form = &sandbox_forms[*at++];
    } while ((word & form->mask) != form->match);
    if (has_reserved_rounding(form, word)) {
        return false;
    }
    insn->form = form;
    insn->rd = (uint8_t)(form->destination == SANDBOX_DESTINATION_X ? bits(word, 7, 5) : 0);
    insn->rs1 = (uint8_t)bits(word, 15, 5);
    insn->rs2 = (uint8_t)bits(word, 20, 5);
    insn->imm_low = immediate(word, form->operands);
    insn->imm_high = insn->imm_low;
    return true;
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
        put_register(text, " ", bits(word, 7, 5), floating);
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
        put_register(text, " ", bits(word, 7, 5), floating);
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
        put_register(text, " ", bits(word, 7, 5), false);
        put(text, ", ");
        put_number(text, word >> 12, 16);
        return;
    case SANDBOX_OPERANDS_J:
        put_register(text, " ", bits(word, 7, 5), false);
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
