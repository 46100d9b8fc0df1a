/*
 * Decodes the instructions that sandboxed code may contain, from the table in forms.def.
 * Freestanding: the kernel's verifier and the host's instrumenter share it.
 */
#ifndef KERNEL_SANDBOX_DECODE_H
#define KERNEL_SANDBOX_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sandbox_operands {
    SANDBOX_OPERANDS_NONE,
    SANDBOX_OPERANDS_R,
    SANDBOX_OPERANDS_FRM, /* R with a rounding mode in funct3 */
    SANDBOX_OPERANDS_I,
    SANDBOX_OPERANDS_S,
    SANDBOX_OPERANDS_B,
    SANDBOX_OPERANDS_U,
    SANDBOX_OPERANDS_J,
};

enum sandbox_destination {
    SANDBOX_DESTINATION_N,
    SANDBOX_DESTINATION_X,
    SANDBOX_DESTINATION_F,
};

/* What an instruction does, as far as the proof cares. */
enum sandbox_class {
    SANDBOX_CLASS_OTHER, /* any result */
    SANDBOX_CLASS_LUI,
    SANDBOX_CLASS_AUIPC,
    SANDBOX_CLASS_ADDI,
    SANDBOX_CLASS_ADDIW,
    SANDBOX_CLASS_ANDI,
    SANDBOX_CLASS_AT_MOST, /* unsigned, no more than either of rs1 and rs2 */
    SANDBOX_CLASS_SLLI,
    SANDBOX_CLASS_SRLI,
    SANDBOX_CLASS_SRLIW,
    SANDBOX_CLASS_ADD,
    SANDBOX_CLASS_SUB,
    SANDBOX_CLASS_SHADD,   /* (rs1 << argument) + rs2 */
    SANDBOX_CLASS_SHADDUW, /* (low 32 bits of rs1 << argument) + rs2 */
    SANDBOX_CLASS_RANGE,   /* an unsigned number of `argument` bits */
    SANDBOX_CLASS_LOAD,
    SANDBOX_CLASS_LOADU, /* zero-extending */
    SANDBOX_CLASS_STORE,
    SANDBOX_CLASS_AMO,
    SANDBOX_CLASS_LR,
    SANDBOX_CLASS_SC,
    SANDBOX_CLASS_BRANCH,
    SANDBOX_CLASS_JAL,
    SANDBOX_CLASS_JALR,
    SANDBOX_CLASS_FENCE,
    SANDBOX_CLASS_EBREAK,
    SANDBOX_CLASS_TRAP, /* an instruction that is illegal by definition */
};

/* The argument of conditional branches: what facts.c takes from one that was taken. */
enum sandbox_compare {
    SANDBOX_COMPARE_OTHER,
    SANDBOX_COMPARE_EQUAL,
    SANDBOX_COMPARE_NOT_LESS, /* as unsigned numbers */
};

struct sandbox_form {
    const char *name;
    uint32_t match;
    uint32_t mask;
    uint8_t operands;    /* enum sandbox_operands */
    uint8_t destination; /* enum sandbox_destination */
    uint8_t class;       /* enum sandbox_class */
    uint8_t argument;
};

extern const struct sandbox_form sandbox_forms[];
extern const size_t sandbox_form_count;

/*
 * A decoded instruction. imm is sign-extended; for U operands it is already shifted left by 12.
 * When the verifier decodes, imm_low == imm_high == the immediate. The instrumenter knows of a
 * symbolic immediate only the range.
 */
struct sandbox_insn {
    const struct sandbox_form *form;
    uint8_t rd;
    uint8_t rs1;
    uint8_t rs2;
    int64_t imm_low;
    int64_t imm_high;
};

#define SANDBOX_FORMS_MAX 255

/*
 * Lists of the forms a word can have by its opcode and funct3; in the last column, of those that
 * leave funct3 free. Entries are indices into sandbox_forms plus 1; 0 ends a list. Built once per
 * verification.
 */
struct sandbox_decoder {
    uint8_t first[32][9];
    uint8_t next[SANDBOX_FORMS_MAX];
};

void sandbox_decoder_init(struct sandbox_decoder *decoder);

/* Decodes word into *insn. False: no permitted form. */
bool sandbox_decode(const struct sandbox_decoder *decoder, uint32_t word,
                    struct sandbox_insn *insn);

/* The distance that a word goes which is known to be a conditional branch or jal. */
int64_t sandbox_branch_offset(uint32_t word);

#endif
