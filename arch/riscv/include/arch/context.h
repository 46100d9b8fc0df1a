/*
 * The registers of a thread while it does not run, and the ways in and out of it (entry.S). The
 * kernel keeps no stack per thread: all that a stopped thread is lies here.
 */
#ifndef ARCH_CONTEXT_H
#define ARCH_CONTEXT_H

#include "arch/hart.h"
#include "kernel/types.h"

struct fpu_state {
    uint64_t f[32];
    uint64_t fcsr;
    unsigned hart; /* index of the hart whose registers hold these values too, if it agrees */
};

struct context {
    uint64_t pc;
    uint64_t x[31];   /* x1 to x31 */
    uint64_t sstatus; /* to resume with */
    uint64_t call;    /* not 0: stopped in a call, where only the callee-saved registers matter */
    struct fpu_state *fpu; /* NULL until the thread first uses the FPU */
};

/* Registers by ABI name: context->x[REG_A0]. */
enum {
    REG_RA = 0,
    REG_SP = 1,
    REG_GP = 2,
    REG_TP = 3,
    REG_A0 = 9,
    REG_A1 = 10,
    REG_A2 = 11,
    REG_S8 = 23,
    REG_S11 = 26,
    REG_T3 = 27,
    REG_T6 = 30,
};

/*
 * A new thread's registers: these, the others stay zero, as `context` is. `sandbox_base` is 0 for
 * U-mode.
 */
void context_init(struct context *context, vaddr_t entry, uint64_t argument, vaddr_t stack,
                  vaddr_t tls, vaddr_t sandbox_base);

/* What the call in which the thread stopped returns. */
static inline void context_set_result(struct context *context, int64_t status, uint64_t value)
{
    context->x[REG_A0] = (uint64_t)status;
    context->x[REG_A1] = value;
}

/*
 * The message registers of a thread that is stopped in a words call (<ftl/words.h>), and the
 * address that it gave with them.
 */
static inline uint64_t *context_word(struct context *context, size_t index)
{
    return &context->x[index < 5 ? REG_A2 + index : REG_T3 + (index - 5)];
}

static inline vaddr_t context_words_address(const struct context *context)
{
    return context->x[REG_T6];
}

/*
 * The context, of a thread that the fast path of calls stopped, is resumed as any other from now
 * on: that path leaves it to this to say which registers are in it, and where a sandbox returns to.
 */
void context_set_words_call(struct context *context);

/* The rest of the next two, for a context that has used the FPU. */
void context_load_fpu(struct context *context);
void context_store_fpu(struct context *context);
/* Boot: behaves as on harts that do not track whether FP registers are dirty. */
void context_fpu_always_dirty(void);

/* Makes the context the one to resume on this hart: FP registers, and where entry.S saves to. */
static inline void context_activate(struct context *context)
{
    arch_hart_self()->context = context;
    if (context->fpu != NULL) {
        context_load_fpu(context);
    }
}

/* Whether this hart's FP registers are the context's already, or it has none. */
static inline bool context_is_loaded(const struct context *context)
{
    const struct arch_hart *hart = arch_hart_self();
    return likely(context->fpu == NULL) ||
           (hart->fpu_owner == context->fpu && context->fpu->hart == hart->index);
}

/*
 * Saves the active context's FP registers if they were changed: before another hart may run it.
 */
static inline void context_save_fpu(struct context *context)
{
    if (unlikely(context->fpu != NULL)) {
        context_store_fpu(context);
    }
}

/* Forgets an ended thread's FP state, which may still be in a hart's registers. */
void context_forget(struct context *context);

/* Leaves the kernel for the active context of this hart. */
_Noreturn void context_resume(struct context *context);

/* Writes the registers to the log. */
void context_log(const struct context *context);

#endif
