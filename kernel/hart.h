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
    struct arch_hart arch;     /* first: arch code finds it through tp */
    struct thread *current;    /* holds a reference; NULL while the hart has nothing to run */
    bool resched;              /* schedule before returning to a process */
    bool online;               /* read by all */
    uint32_t ipi;              /* IPI_ bits, set by other harts, atomic */
    struct run_queue queue;    /* its lock lets others in */
    struct timer_queue timers; /* its lock lets others in */
    uint8_t priority;          /* the current thread's, or the last one's; read by all */
    nsec_t slice_end; /* of the current thread's time slice; FTL_TIME_INFINITE while nobody waits */
    nsec_t run_start; /* when the current thread was put on */
    nsec_t timer_armed; /* deadline given to timer_set() */
    nsec_t idle_time;   /* spent idle until the last switch; read by all */
    uint64_t switches;  /* threads put on; read by all */
};

extern struct hart harts[MAX_HARTS];
extern unsigned hart_count; /* harts there are, online or not */

static inline struct hart *hart_self(void)
{
    return (struct hart *)arch_hart_self();
}

/* Handles this hart's software interrupt: what ipi bits ask for. */
void hart_handle_ipi(void);

/* Sets the bits for another hart and interrupts it. */
void hart_ipi(struct hart *hart, uint32_t bits);

#endif
