/* The host's clock stands still until a test sets it. */
#ifndef ARCH_TIMER_H
#define ARCH_TIMER_H

#include "kernel/types.h"

extern nsec_t host_time;

static inline nsec_t time_now(void)
{
    return __atomic_load_n(&host_time, __ATOMIC_RELAXED);
}

/* The simulator's (sim/sim.h). */
void timer_set(nsec_t deadline);

#endif
