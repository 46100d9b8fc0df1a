/*
 * First pass of the instrumenter: which labels are landing pads, and which are branch targets.
 */
#ifndef USER_TOOLCHAIN_SYMBOLS_H
#define USER_TOOLCHAIN_SYMBOLS_H

#include <stdbool.h>

#include "user/toolchain/asm_text.h"
#include "user/toolchain/names.h"
#include "user/toolchain/program.h"

#define SYMBOL_LABEL    (1u << 0) /* defined here as a label in executable code */
#define SYMBOL_PAD      (1u << 1) /* may be reached indirectly: needs a landing pad */
#define SYMBOL_TARGET   (1u << 2) /* a branch or jump here names it */
#define SYMBOL_FUNCTION (1u << 3) /* entered with a return address */

#define SECTION_EXECUTABLE (1u << 0)
#define SECTION_OPEN       (1u << 1) /* code that goes on behind what was last put there */

#define SECTION_STACK_MAX 16

/* Follows section directives through the file. */
struct sections {
    struct names all;        /* by name; flags: SECTION_ */
    struct asm_span current; /* the directive that chose the section, empty: the initial .text */
    struct asm_span previous;
    struct asm_span stack[SECTION_STACK_MAX];
    unsigned int depth;
};

/* Takes notice of a directive. True if it chose another section. */
bool sections_follow(struct sections *sections, const struct asm_line *line);
bool sections_in_code(struct sections *sections);
/* The flags of the current section, to read and change. */
uint32_t *sections_flags(struct sections *sections);
/* The section's name in the operands of the directive that chose it; .text if there was none. */
struct asm_span sections_name(struct asm_span directive);
/* True if the section is one the program itself never sees, such as .debug_info. */
bool sections_in_debug(const struct sections *sections);
void sections_free(struct sections *sections);

/* Fills symbols from the whole program, whose tables have been found. */
void symbols_collect(struct names *symbols, const struct program *program);

/* True if the symbol stands before a landing pad: so does all that is not ours. */
bool symbol_is_pad(const struct names *symbols, struct asm_span symbol);

/* True for the kernel's gate, which is no landing pad. */
bool symbol_is_gate(struct asm_span symbol);

/* True if whoever jumps to the symbol must have a return address in ra. */
bool symbol_needs_return_address(const struct names *symbols, struct asm_span symbol);

/* True for directives that change neither section nor position. */
bool directive_is_neutral(struct asm_span name);

/* True for directives that put bytes into the section. */
bool directive_is_data(struct asm_span name);

#endif
