/*
 * Takes one line of canonical assembly apart. Canonical is what clang -S and llvm-mc print with
 * no-aliases: one statement a line, no pseudo-instructions but call and tail, ABI register names.
 */
#ifndef USER_TOOLCHAIN_ASM_TEXT_H
#define USER_TOOLCHAIN_ASM_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/sandbox/decode.h"

#define ASM_OPERANDS_MAX 6

enum asm_kind {
    ASM_BLANK,
    ASM_LABEL,
    ASM_DIRECTIVE,
    ASM_INSTRUCTION,
};

/* A piece of the input, not NUL-terminated. */
struct asm_span {
    const char *at;
    size_t length;
};

struct asm_line {
    enum asm_kind kind;
    struct asm_span whole; /* as it stands in the input, without the line end */
    struct asm_span name;  /* label, directive (with its dot) or mnemonic */
    struct asm_span
        rest; /* of a directive or instruction: what follows the name, without comment */
    struct asm_span operand[ASM_OPERANDS_MAX]; /* of an instruction */
    unsigned int operands;
};

/*
 * Takes the line at *text apart and moves *text behind it. False at the end of the input. A
 * statement with too many operands has operands == ASM_OPERANDS_MAX + 1.
 */
bool asm_next_line(const char **text, struct asm_line *line);

bool asm_is(struct asm_span span, const char *text);
bool asm_starts_with(struct asm_span span, const char *text);

/* Integer register number of an ABI name, or -1. */
int asm_register(struct asm_span span);

/*
 * Finds the next symbol name in *rest and moves *rest behind it. Relocation operators (%hi),
 * numbers and string contents are passed over. False if there is none.
 */
bool asm_next_symbol(struct asm_span *rest, struct asm_span *symbol);

/* True if span is a plain symbol name. */
bool asm_is_symbol(struct asm_span span);

/*
 * Decodes an instruction by its mnemonic and operands. *memory gets the index of the operand that
 * is an address "imm(register)", or -1. False if no permitted form has this mnemonic (and suffix
 * .aq, .rl, .aqrl for atomics), or the operands make no sense for it.
 */
bool asm_decode(const struct asm_line *line, struct sandbox_insn *insn, int *memory);

#endif
