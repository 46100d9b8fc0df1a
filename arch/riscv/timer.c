/*
 * Clock and timer: the `time` CSR, and stimecmp (Sstc) or SBI for the interrupt. See arch/timer.h.
 */
#include "arch/timer.h"

#include "arch/csr.h"
#include "arch/internal.h"

#define NSEC_PER_SEC 1000000000UL
#define STIMECMP     0x14d /* not known to the assembler by name without Sstc */

struct arch_clock arch_clock;

static struct {
    uint64_t ticks_per_nsec; /* 0.64 fixed point, rounded up */
    bool sstc;
} comparator;

void timer_init(uint64_t frequency, bool sstc)
{
    arch_clock.nsec_per_tick = (NSEC_PER_SEC << 32) / frequency;
    comparator.ticks_per_nsec =
        frequency < NSEC_PER_SEC ? (UINT64_MAX / NSEC_PER_SEC + 1) * frequency : UINT64_MAX;
    comparator.sstc = sstc;
    arch_clock.start = csr_read(time);
}

void timer_set(nsec_t deadline)
{
    uint64_t ticks = UINT64_MAX;
    if (deadline < FTL_TIME_INFINITE) {
        /* From now on, not from the start: rounding must not add up over the uptime. Never early:
         * one tick more. */
        nsec_t wait = deadline - time_now();
        uint64_t distance = wait <= 0 ? 0 : (uint64_t)wait;
        ticks = csr_read(time) +
                (uint64_t)(((unsigned __int128)distance * comparator.ticks_per_nsec) >> 64) + 1;
    }
    if (comparator.sstc) {
        __asm__ volatile("csrw %0, %1" : : "i"(STIMECMP), "r"(ticks) : "memory");
    } else {
        sbi_set_timer(ticks);
    }
}
