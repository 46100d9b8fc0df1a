/*
 * The clock and the per-hart timer interrupt (Sstc's stimecmp where there, SBI's set_timer else).
 */
#ifndef ARCH_TIMER_H
#define ARCH_TIMER_H

#include "kernel/types.h"

/* Boot: `frequency` is the device tree's timebase in Hz; `sstc` when every usable hart has Sstc. */
void timer_init(uint64_t frequency, bool sstc);

/* Set by timer_init(). */
struct arch_clock {
    uint64_t start;         /* ticks at timer_init() */
    uint64_t nsec_per_tick; /* 32.32 fixed point */
};
extern struct arch_clock arch_clock;

/* Monotonic nanoseconds since timer_init. */
static inline nsec_t time_now(void)
{
    uint64_t ticks;
    __asm__ volatile("rdtime %0" : "=r"(ticks));
    return (nsec_t)(((unsigned __int128)(ticks - arch_clock.start) * arch_clock.nsec_per_tick) >>
                    32);
}

/* Asks for one timer interrupt on this hart at or soon after the deadline; FTL_TIME_INFINITE for
 * none. */
void timer_set(nsec_t deadline);

#endif
