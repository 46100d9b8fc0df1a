/*
 * An assembly file taken apart, once, for the passes of the instrumenter.
 */
#ifndef USER_TOOLCHAIN_PROGRAM_H
#define USER_TOOLCHAIN_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/sandbox/decode.h"
#include "user/toolchain/asm_text.h"
#include "user/toolchain/names.h"

enum statement_kind {
    STATEMENT_OTHER, /* blank, label, directive: see line.kind */
    STATEMENT_CALL,  /* the pseudo-instructions */
    STATEMENT_TAIL,
    STATEMENT_PLAIN,   /* insn is valid */
    STATEMENT_UNKNOWN, /* an instruction that is not permitted or not understood */
};

/* What a statement does for a jump through a switch table: see tables.h. */
enum table_role {
    TABLE_NONE,
    TABLE_INDEX,  /* adds the index to the table's address */
    TABLE_LOOKUP, /* goes on to the target's address */
    TABLE_JUMP,
};

struct statement {
    struct asm_line line;
    enum statement_kind kind;
    struct sandbox_insn insn;
    int memory; /* index of the address operand, -1: none */
    enum table_role role;
    size_t jump;  /* of TABLE_INDEX and TABLE_LOOKUP: the statement that jumps */
    bool alone;   /* of them: nothing but the jump needs the result */
    size_t table; /* of TABLE_JUMP: the statement with the table's first entry */
    size_t entries;
    bool table_data; /* one of the entries of tables that jumps were found for */
    /* See lookahead.h; both from behind the statement. */
    uint32_t anticipated;
    uint32_t useful;
    uint32_t live;
};

struct program {
    struct statement *statements;
    size_t count;
};

/* Takes text apart; text must stay. Free with program_free(). */
void program_parse(struct program *program, const char *text);
void program_free(struct program *program);

/* The symbol that a direct jump, branch or call goes to; empty if the statement is none or it is no
 * plain symbol. */
struct asm_span statement_target(const struct statement *statement);

#endif
