/*
 * Decoder for the permitted instructions: table-driven, see forms.def.
 * Freestanding; relies on nothing.
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
_Static_assert(sizeof(sandbox_forms) / sizeof(sandbox_forms[0]) <= SANDBOX_FORMS_MAX,
               "lists hold bytes");

#define FUNCT3_MASK         0x7000u
#define FUNCT3_ANY          8u    /* the column of forms that use funct3 otherwise */
#define OPCODE_JUMP_BIT     0x08u /* tells jal from the conditional branches */
#define ROUNDING_RESERVED_5 5u    /* rounding modes 5 and 6 are reserved */
#define ROUNDING_RESERVED_6 6u

static uint32_t bits(uint32_t word, unsigned int low, unsigned int count)
{
    return (word >> low) & ((1u << count) - 1);
}

/* The major opcode without its two lowest bits: these are set in all words of 32 bits. */
static unsigned int opcode_of(uint32_t word)
{
    return bits(word, 2, 5);
}

static unsigned int funct3_of(uint32_t word)
{
    return bits(word, 12, 3);
}

/* Sign-extends the low `count` bits of value. */
static int64_t extend(uint32_t value, unsigned int count)
{
    return (int64_t)(int32_t)(value << (32 - count)) >> (32 - count);
}

void sandbox_decoder_init(struct sandbox_decoder *decoder)
{
    *decoder = (struct sandbox_decoder){ .first = { { 0 } } };
    for (size_t i = sandbox_form_count; i-- > 0;) {
        const struct sandbox_form *form = &sandbox_forms[i];
        unsigned int column = form->mask & FUNCT3_MASK ? funct3_of(form->match) : FUNCT3_ANY;
        uint8_t *first = &decoder->first[opcode_of(form->match)][column];

        decoder->next[i] = *first;
        *first = (uint8_t)(i + 1);
    }
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

static const struct sandbox_form *find_form(const struct sandbox_decoder *decoder, uint32_t word,
                                            unsigned int column)
{
    unsigned int at = decoder->first[opcode_of(word)][column];

    while (at != 0 && (word & sandbox_forms[at - 1].mask) != sandbox_forms[at - 1].match) {
        at = decoder->next[at - 1];
    }
    return at == 0 ? NULL : &sandbox_forms[at - 1];
}

bool sandbox_decode(const struct sandbox_decoder *decoder, uint32_t word, struct sandbox_insn *insn)
{
    unsigned int funct3 = funct3_of(word);
    const struct sandbox_form *form = find_form(decoder, word, funct3);

    if (form == NULL) {
        form = find_form(decoder, word, FUNCT3_ANY);
    }
    if (form == NULL || (form->operands == SANDBOX_OPERANDS_FRM &&
                         (funct3 == ROUNDING_RESERVED_5 || funct3 == ROUNDING_RESERVED_6))) {
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
