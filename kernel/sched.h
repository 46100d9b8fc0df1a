/*
 * Scheduling: fixed priorities, round robin inside one, a run queue per hart, idle harts take from
 * others. A hart without competition for its thread sets no timer. See docs/ARCHITECTURE.md for the
 * life of a thread.
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include "arch/hart.h"

#include "kernel/call.h"
#include "kernel/list.h"
#include "kernel/spinlock.h"
#include "kernel/types.h"

#define PRIORITY_COUNT (FTL_PRIORITY_MAX + 1)
#define TIME_SLICE     10000000 /* ns */

struct context;
struct hart;
struct thread;
struct timer;

struct run_queue {
    struct spinlock lock; /* LOCK_RUN_QUEUE; protects everything below */
    uint32_t present;     /* bit per priority that has threads; read by others without the lock */
    uint32_t length;
    uint8_t last_priority; /* with which a thread was last put on it */
    /* harts that may have a use for one of the threads, perhaps more; as above */
    uint64_t wanted_by;
    struct list ready[PRIORITY_COUNT];
};

/* Boot: sets up the scheduler's part of a hart. */
void sched_init_hart(struct hart *hart);

/* Puts a thread that is on no queue and does not run on a hart's run queue, and wakes that hart if
 * need be. */
void sched_enqueue(struct thread *thread);

/*
 * The thread's priority or affinity has just been changed, by who holds its lock: a waiting thread
 * moves to its new place, one that runs goes on only if it still may.
 */
void sched_update(struct thread *thread);

/* What to resume on this hart: the current thread's context, or another's when it must or should
 * not go on. */
struct context *sched_resume(void);

/*
 * The current thread's call has returned this and left something to the scheduler, and its
 * registers are stored (entry.S): what to resume. One that returned call_stopped() stops now, for
 * others to wake and put on any hart, unless it has been notified already.
 */
struct context *call_finish(struct call_result result);

/*
 * Takes the current thread off this hart: accounts its time, saves its FP registers. Until
 * something enqueues it again, it runs nowhere. The hart then has no current thread.
 */
void sched_stop_current(void);

/*
 * Gives the rest of this hart's time to a thread that is on no queue and does not run (the caller
 * woke it): it goes on as soon as the current thread stops in the call that it is in, without a
 * queue, within the current one's time slice if their priorities are equal. Should the current
 * thread go on after all, or one of greater priority wait here, the thread is enqueued. Of several
 * threads in one call the last goes on so.
 */
void sched_hand_over(struct thread *thread);

/*
 * The fast path of calls has made another thread current, of the same priority, in whose context
 * all is stored: what there is to a switch besides.
 */
void sched_switched(void);

/* Before this hart returns to a process, the scheduler is to look who should run. */
static inline void sched_request(void)
{
    arch_hart_self()->resched = true;
}

/* A timer interrupt: expires deadlines, ends the time slice. */
void sched_timer_interrupt(void);

/* Adds a timer that is in no queue to this hart's, whose timer interrupt will come in time. */
void sched_add_timer(struct timer *timer, nsec_t deadline);

/* Harts that are online: bits are hart indices. None leaves again. */
uint64_t harts_online(void);

/* Harts that have nothing to run: bits are hart indices. */
uint64_t sched_idle_mask(void);

#endif
