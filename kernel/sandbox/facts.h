/*
 * What is known of the integer registers at one point of sandboxed code, and what one instruction
 * makes of it. The verifier trusts nothing but this and its own rules; the instrumenter uses the
 * same functions to find out which guards are needed. See docs/sandbox.md, "Facts". Freestanding:
 * shared by the kernel and the host tools.
 */
#ifndef KERNEL_SANDBOX_FACTS_H
#define KERNEL_SANDBOX_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/sandbox/decode.h"

enum sandbox_register {
    SANDBOX_REG_ZERO = 0,
    SANDBOX_REG_RA = 1,
    SANDBOX_REG_SP = 2,
    SANDBOX_REG_BASE = 3,      /* gp: the window's first address */
    SANDBOX_REG_TLS = 4,       /* tp: inside the window */
    SANDBOX_REG_SPAN = 24,     /* s8: FTL_SANDBOX_SPAN, the last offset in a window */
    SANDBOX_REG_SCRATCH = 25,  /* s9 */
    SANDBOX_REG_SCRATCH2 = 26, /* s10 */
    SANDBOX_REG_PAD = 27,      /* s11: the landing-pad word */
};

/* The registers that sandboxed code never writes, as a mask. */
#define SANDBOX_RESERVED                                                                           \
    (1u << SANDBOX_REG_BASE | 1u << SANDBOX_REG_TLS | 1u << SANDBOX_REG_SPAN |                     \
     1u << SANDBOX_REG_PAD)

enum sandbox_value_kind {
    SANDBOX_VALUE_ANY,    /* nothing is known */
    SANDBOX_VALUE_NUMBER, /* low <= value <= high, as a signed 64-bit number */
    SANDBOX_VALUE_IMAGE,  /* the image's base + one of low, low + 4, ... high */
    SANDBOX_VALUE_WINDOW, /* first mappable + low <= value <= last mappable + 1 + high */
    SANDBOX_VALUE_PAD,    /* the address of a landing pad */
};

/*
 * "Mappable" is the window without its guard zones. Bounds never pass SANDBOX_BOUND_MAX: sums
 * cannot overflow.
 */
struct sandbox_value {
    enum sandbox_value_kind kind;
    int64_t low;
    int64_t high;
};

/* What the value of one register says about another. */
enum sandbox_relation {
    SANDBOX_RELATION_NONE,
    SANDBOX_RELATION_WORD,   /* it is the word at 0(other) */
    SANDBOX_RELATION_OFFSET, /* it is other - BASE */
};

struct sandbox_state {
    uint64_t image_size; /* set by the owner */
    struct sandbox_value reg[32];
    uint32_t known; /* bit r: reg[r] is valid; else nothing is known of r */
    /* One relation is remembered: that of `witness` to `other`. */
    enum sandbox_relation relation;
    uint8_t witness;
    uint8_t other;
};

/*
 * At least this much is unmapped below the first and above the last mappable address: the window's
 * own guard zone and as much again behind the window's end. An access may lie there: it faults.
 */
#define SANDBOX_REACH     (2 * (int64_t)FTL_WINDOW_GUARD)
#define SANDBOX_BOUND_MAX ((int64_t)1 << 33)
/*
 * How far outside of the mappable part sp, or a register claimed, may be where control flow joins.
 */
#define SANDBOX_SLACK ((int64_t)FTL_WINDOW_GUARD + 0x10000)

/*
 * What holds at every branch target: of the general registers nothing; gp, tp, s8, s11 and sp
 * always.
 */
void sandbox_state_reset(struct sandbox_state *state);

/* What is known of register number. */
struct sandbox_value sandbox_get(const struct sandbox_state *state, unsigned int number);

/* True if insn's access stays in window or guard zones. */
bool sandbox_access_fits(const struct sandbox_state *state, const struct sandbox_insn *insn);

/* True if register number lies within SANDBOX_SLACK of the mappable part. */
bool sandbox_is_near(const struct sandbox_state *state, unsigned int number);

/* True if register number is the address of a landing pad. */
static inline bool sandbox_is_pad(const struct sandbox_state *state, unsigned int number)
{
    return sandbox_get(state, number).kind == SANDBOX_VALUE_PAD;
}

/* True for instructions that access memory through rs1. */
static inline bool sandbox_is_access(const struct sandbox_insn *insn)
{
    return insn->form->class >= SANDBOX_CLASS_LOAD && insn->form->class <= SANDBOX_CLASS_SC;
}

/*
 * Changes *state to what holds after insn (at image-relative address pc), which is no control
 * transfer. A memory access must have been checked before.
 */
void sandbox_step(struct sandbox_state *state, const struct sandbox_insn *insn, uint64_t pc);

/*
 * Changes *state to what holds when a conditional branch of this kind was taken: of registers that
 * are equal the same is known; a word loaded from a register that equals s11 proves a landing pad;
 * an offset from BASE that is no larger than a known one proves an address of the window.
 */
void sandbox_assume(struct sandbox_state *state, enum sandbox_compare compare, unsigned int rs1,
                    unsigned int rs2);

/* Sets what is known of register number (a call or a branch wrote it). x0 stays zero. */
void sandbox_set(struct sandbox_state *state, unsigned int number, struct sandbox_value value);

#endif
