/*
 * The host's harts: every thread of a test is one, with the index it gives itself (0 unless told);
 * or they are fibers of one thread (sim/sim.h), which has the functions below.
 */
#ifndef ARCH_HART_H
#define ARCH_HART_H

#include "kernel/types.h"

struct context;
struct fpu_state;

#define NOT_PLAIN UINT8_MAX

struct arch_hart {
    struct context *context; /* of the thread that runs */
    union {
        struct {
            bool resched;
            bool tracing;
            uint8_t priority;
            uint8_t plain_priority;
            unsigned index;
        };
        uint64_t place;
    };
    hart_id_t id;
    uint64_t satp;
    uint64_t next_satp;
    uint64_t code_generation;
    const void *vmspace;
    struct fpu_state *fpu_owner;
};

extern _Thread_local unsigned host_hart_index;

/* What waiting for another hart is; the default lets another thread of the host run. */
extern void (*host_relax)(void);

struct arch_hart *arch_hart_self(void);
void hart_wait_for_interrupt(void);
void hart_send_ipi(uint64_t hart_mask);
_Noreturn void hart_halt(void);
uint64_t hart_instructions(void);

static inline unsigned hart_index(void)
{
    return host_hart_index;
}

static inline void arch_relax(void)
{
    host_relax();
}

static inline void memory_barrier(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif
