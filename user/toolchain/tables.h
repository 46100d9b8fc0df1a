/*
 * Switch tables. A compiler jumps through a table of addresses in data, which no verifier can
 * trust. In a sandbox the table becomes a row of jumps in the code, right behind an indirect jump
 * into it by an index whose range is known: see docs/sandbox.md, "Switch tables". Here is found out
 * which indirect jumps are such, so that the other passes know their targets.
 */
#ifndef USER_TOOLCHAIN_TABLES_H
#define USER_TOOLCHAIN_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/toolchain/asm_text.h"
#include "user/toolchain/program.h"

/*
 * Gives each indirect jump through a table that can be a row of jumps its `table`, and the
 * statements before it that look the address up their `lookup`. A table is used by all jumps of a
 * function or by none. False if there is a switch whose table is used by none: an indirect jump
 * would need a good return address in ra, where compilers may have anything.
 */
bool tables_find(struct program *program);

/* True if a part of a lookup need not be done, once the table is a row of jumps. */
bool table_part_is_dead(const struct statement *part, uint32_t live_behind);

/* The label that entry number `index` of the jump's table goes to; empty behind the last. */
struct asm_span table_entry(const struct program *program, const struct statement *jump,
                            size_t index);

/* The number of entries a row needs to have, so that a mask bounds its index: a power of two. */
size_t table_row(const struct statement *jump);

#endif
