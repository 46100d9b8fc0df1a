/* All that belongs to one hart. Only the hart itself touches its struct, except where a member says
 * otherwise. */
#ifndef KERNEL_HART_H
#define KERNEL_HART_H

#include "arch/hart.h"
#include "kernel/sched.h"
#include "kernel/timer_queue.h"

/* What an inter-processor interrupt asks for: bits of hart->ipi. */
#define IPI_RESCHEDULE (1u << 0)
#define IPI_HALT       (1u << 1)

struct thread;

struct hart {
    struct arch_hart arch; /* first: arch code finds it through tp */
    /* a reference; NULL while the hart has nothing to run; read by all */
    struct thread *current;
    struct thread *handed;     /* see sched_hand_over(); NULL: none */
    struct thread *killed;     /* stopped by the fast path, to be queued again; NULL: none */
    uint64_t messages;         /* sent from it; a call and its reply are one; read by all */
    uint64_t bit;              /* 1 << arch.index; fixed */
    bool online;               /* read by all */
    uint32_t ipi;              /* IPI_ bits, set by other harts, atomic */
    struct run_queue queue;    /* its lock lets others in */
    struct timer_queue timers; /* its lock lets others in */
    uint8_t priority;          /* the current thread's, or the last one's; read by all */
    /* of the current thread's time slice; FTL_TIME_INFINITE while nobody waits; read by all */
    nsec_t slice_end;
    nsec_t run_start;   /* when the current thread was put on, or the last one was taken off */
    nsec_t timer_armed; /* deadline given to timer_set() */
    nsec_t idle_time;   /* hart_idle_time() knows how to read it; by all */
    uint64_t switches;  /* threads put on; read by all */
    uint64_t steals;    /* of these, taken from other harts' queues; read by all */
};

extern struct hart harts[MAX_HARTS];
extern unsigned hart_count; /* harts there are, online or not */

static inline struct hart *hart_self(void)
{
    return (struct hart *)arch_hart_self();
}

/*
 * How long the hart has been idle, until now. While it is, idle_time has all bits of the time at
 * which it would have begun without a pause inverted: one word, so that readers need no lock.
 */
static inline nsec_t hart_idle_time(const struct hart *hart, nsec_t now)
{
    nsec_t idle_time = __atomic_load_n(&hart->idle_time, __ATOMIC_RELAXED);
    return idle_time >= 0 ? idle_time : now - ~idle_time;
}

/* Handles this hart's software interrupt: what ipi bits ask for. */
void hart_handle_ipi(void);

/* Sets the bits for another hart and interrupts it. */
void hart_ipi(struct hart *hart, uint32_t bits);

/*
 * Has all other harts stop for good at their next instruction outside of the kernel; does not wait
 * for them.
 */
void harts_halt_others(void);

#endif
