/*
 * The search for claims: see joins.h.
 */
#include "user/toolchain/joins.h"

#include <stdlib.h>

#include "kernel/sandbox/claims.h"
#include "user/toolchain/lookahead.h"

/* The instrumenter's own scratch registers hold nothing from one block to the next. */
#define CLAIMABLE (SANDBOX_CLAIM_ALL & ~(1u << SANDBOX_REG_SCRATCH) & ~(1u << SANDBOX_REG_SCRATCH2))

void joins_init(struct joins *joins, struct program *program)
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
