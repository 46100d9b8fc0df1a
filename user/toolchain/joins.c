/*
 * The search for claims: see joins.h.
 */
#include "user/toolchain/joins.h"

#include <stdlib.h>

#include "kernel/sandbox/claims.h"
#include "user/toolchain/lookahead.h"
#include "user/toolchain/symbols.h"

/* The instrumenter's own scratch registers hold nothing from one block to the next. */
#define CLAIMABLE (SANDBOX_CLAIM_ALL & ~(1u << SANDBOX_REG_SCRATCH | 1u << SANDBOX_REG_SCRATCH2))

/* Labels at one place, with no landing pad between them, are one join: they get one number. */
static void merge_labels(struct joins *joins, const struct program *program,
                         const struct names *symbols)
{
    uint32_t here = 0;

    for (size_t i = 0; i < program->count; i++) {
        const struct asm_line *line = &program->statements[i].line;
        struct name *label;

        if (line->kind == ASM_LABEL && !symbol_is_pad(symbols, line->name)) {
            label = names_add(&joins->index, line->name.at, line->name.length);
            here = here == 0 ? label->flags : here;
            label->flags = here;
        } else if (line->kind != ASM_BLANK &&
                   !(line->kind == ASM_DIRECTIVE && directive_is_neutral(line->name))) {
            here = 0;
        }
    }
}

void joins_init(struct joins *joins, struct program *program, const struct names *symbols)
{
    struct lookahead *lookahead;

    *joins = (struct joins){ .count = 0 };
    lookahead = lookahead_find(program, &joins->index);
    joins->count = joins->index.count;
    joins->list = xrealloc(NULL, (joins->count + 1) * sizeof(*joins->list));
    for (size_t i = 0; i < joins->count; i++) {
        joins->list[i] = (struct join){ .claim = lookahead[i].useful & CLAIMABLE,
                                        .anticipated = lookahead[i].anticipated,
                                        .brought = CLAIMABLE };
    }
    free(lookahead);
    merge_labels(joins, program, symbols);
}

void joins_free(struct joins *joins)
{
    names_free(&joins->index);
    free(joins->list);
    *joins = (struct joins){ .count = 0 };
}

struct join *joins_find(const struct joins *joins, struct asm_span label)
{
    uint32_t number = names_flags(&joins->index, label.at, label.length);

    return number == 0 ? NULL : &joins->list[number - 1];
}

static void take_back(struct joins *joins, struct join *join, uint32_t mask)
{
    if ((join->claim & mask) != 0) {
        join->claim &= ~mask;
        joins->changed = true;
    }
}

uint32_t joins_arrive(struct joins *joins, struct join *join, uint32_t mask, uint32_t insertable)
{
    uint32_t missing = join->claim & ~mask;
    uint32_t insert = missing & join->anticipated & join->brought & insertable;

    join->seen |= mask;
    take_back(joins, join, missing & ~insert);
    return insert;
}

bool joins_next_pass(struct joins *joins)
{
    bool changed;

    for (size_t i = 0; i < joins->count; i++) {
        struct join *join = &joins->list[i];

        take_back(joins, join, ~join->seen);
        join->brought = join->seen;
        join->seen = 0;
    }
    changed = joins->changed;
    joins->changed = false;
    return changed;
}
