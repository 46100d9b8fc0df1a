/*
 * What comes: three backward analyses over a file, for the labels where control flow joins.
 * anticipated: registers that, on every way from a point, will be the base of an access before they
 * are written. A guard may be moved up to such a point: it stops no program that would not be
 * stopped anyway. A call ends it, as it need not return. useful: facts (a mask as in
 * kernel/sandbox/claims.h) that save a guard on at least one way. live: registers that may be read
 * before they are written.
 */
#ifndef USER_TOOLCHAIN_LOOKAHEAD_H
#define USER_TOOLCHAIN_LOOKAHEAD_H

#include <stdint.h>

#include "user/toolchain/names.h"
#include "user/toolchain/program.h"

struct lookahead {
    uint32_t anticipated;
    uint32_t useful;
    uint32_t live;
};

/*
 * Fills the statements' `anticipated`, `useful` and `live`, and *labels with all labels: each one's
 * flags are 1 plus its index in the array returned, which is to be freed.
 */
struct lookahead *lookahead_find(struct program *program, struct names *labels);

#endif
