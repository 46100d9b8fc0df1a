/*
 * The clock and the per-hart timer interrupt (Sstc's stimecmp where there, SBI's set_timer else).
 */
#ifndef ARCH_TIMER_H
#define ARCH_TIMER_H

#include "kernel/types.h"

/* Boot: `frequency` is the device tree's timebase in Hz; `sstc` when every usable hart has Sstc. */
void timer_init(uint64_t frequency, bool sstc);

/* Monotonic nanoseconds since timer_init. */
nsec_t time_now(void);

/* Asks for one timer interrupt on this hart at or soon after the deadline; FTL_TIME_INFINITE for
 * none. */
void timer_set(nsec_t deadline);

#endif
