/*
 * Parsing of whole files: see program.h.
 */
#include "user/toolchain/program.h"

#include <stdlib.h>

#define FIRST_CAPACITY 1024

static enum statement_kind kind_of(struct statement *statement)
{
    const struct asm_line *line = &statement->line;

    statement->memory = -1;
    if (line->kind != ASM_INSTRUCTION) {
        return STATEMENT_OTHER;
    }
    if (asm_is(line->name, "call")) {
        return STATEMENT_CALL;
    }
    if (asm_is(line->name, "tail")) {
        return STATEMENT_TAIL;
    }
    return asm_decode(line, &statement->insn, &statement->memory) ? STATEMENT_PLAIN
                                                                  : STATEMENT_UNKNOWN;
}

void program_parse(struct program *program, const char *text)
{
    struct statement statement = { .role = TABLE_NONE };
    size_t capacity = 0;

    *program = (struct program){ NULL, 0 };
    while (asm_next_line(&text, &statement.line)) {
        if (program->count == capacity) {
            capacity = capacity == 0 ? FIRST_CAPACITY : capacity * 2;
            program->statements =
                xrealloc(program->statements, capacity * sizeof(*program->statements));
        }
        statement.kind = kind_of(&statement);
        program->statements[program->count++] = statement;
    }
}

void program_free(struct program *program)
{
    free(program->statements);
    *program = (struct program){ NULL, 0 };
}

static struct asm_span without_plt(struct asm_span symbol)
{
    static const struct asm_span suffix = { "@plt", 4 };

    if (symbol.length > suffix.length &&
        asm_is((struct asm_span){ symbol.at + symbol.length - suffix.length, suffix.length },
               suffix.at)) {
        symbol.length -= suffix.length;
    }
    return symbol;
}

struct asm_span statement_target(const struct statement *statement)
{
    const struct asm_line *line = &statement->line;
    struct asm_span symbol = { line->whole.at, 0 };
    bool direct = statement->kind == STATEMENT_CALL || statement->kind == STATEMENT_TAIL;

    if (statement->kind == STATEMENT_PLAIN) {
        direct = statement->insn.form->class == SANDBOX_CLASS_BRANCH ||
                 statement->insn.form->class == SANDBOX_CLASS_JAL;
    }
    if (direct && line->operands > 0 && line->operands <= ASM_OPERANDS_MAX) {
        symbol = without_plt(line->operand[line->operands - 1]);
    }
    if (!asm_is_symbol(symbol)) {
        symbol.length = 0;
    }
    return symbol;
}
