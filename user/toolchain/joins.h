/*
 * What the instrumenter claims to hold at the labels where control flow joins. It starts with
 * claiming everything and takes back what some way to the label does not bring along, pass after
 * pass, until nothing changes: so claims may rest on each other around a loop.
 */
#ifndef USER_TOOLCHAIN_JOINS_H
#define USER_TOOLCHAIN_JOINS_H

#include <stdbool.h>
#include <stdint.h>

#include "user/toolchain/asm_text.h"
#include "user/toolchain/names.h"
#include "user/toolchain/program.h"

struct join {
    uint32_t claim;       /* a mask as in kernel/sandbox/claims.h */
    uint32_t anticipated; /* see lookahead.h */
    uint32_t brought;     /* what at least one way brings along without help, in the last pass */
    uint32_t seen;        /* the same, in this pass so far */
    bool entry;           /* stands right behind a function's pad */
};

struct joins {
    struct names index; /* of labels; flags: index into list, plus 1 */
    struct join *list;
    size_t count;
    bool changed;
};

/* Makes a join of each place with labels. Fills in the statements' `anticipated` on the way. */
void joins_init(struct joins *joins, struct program *program, const struct names *symbols);
void joins_free(struct joins *joins);

/* The join of a label; NULL if it is none of this file. Its address stays good. */
struct join *joins_find(const struct joins *joins, struct asm_span label);

/*
 * Notes that one way to the join brings `mask` along. Returns the registers for which a guard
 * should be put on this way, out of those in `insertable`; what else was claimed and is missing is
 * claimed no more. A guard is worth it if another way does without.
 */
uint32_t joins_arrive(struct joins *joins, struct join *join, uint32_t mask, uint32_t insertable);

/* Ends a pass. Returns whether another is needed. */
bool joins_next_pass(struct joins *joins);

#endif
