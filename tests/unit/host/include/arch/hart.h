/*
 * The host's harts: every thread of a test is one, with the index it gives itself (0 unless told).
 */
#ifndef ARCH_HART_H
#define ARCH_HART_H

#include <sched.h>

extern _Thread_local unsigned host_hart_index;

static inline unsigned hart_index(void)
{
    return host_hart_index;
}

static inline void arch_relax(void)
{
    sched_yield();
}

#endif
