/*
 * Explains the ebreak of a failed check in sandboxed code (trap flavour) by the instructions around it, so that a
 * report can name what the code was about to do, and where to.
 */
#ifndef KERNEL_SANDBOX_REPORT_H
#define KERNEL_SANDBOX_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#define SANDBOX_TRAP_BEFORE 4 /* words before the ebreak that are looked at */
#define SANDBOX_TRAP_AFTER  8 /* and behind it */
#define SANDBOX_TRAP_WORDS  (SANDBOX_TRAP_BEFORE + 1 + SANDBOX_TRAP_AFTER)

struct sandbox_trap {
    const char *what;          /* "load", "store", "jump" ... */
    unsigned address_register; /* x register that holds the bad address; 0: none */
    int64_t offset;            /* to add to it */
};

/*
 * code[SANDBOX_TRAP_BEFORE] is the word at the ebreak; words that could not be read are 0. False when it is not the trap
 * of a check.
 */
bool sandbox_decode_trap(const uint32_t code[SANDBOX_TRAP_WORDS], struct sandbox_trap *trap);

#endif
