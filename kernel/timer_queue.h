/*
 * Deadlines of one hart: an intrusive pairing heap (insert O(1), remove amortized O(log n)). The
 * callback runs on that hart in its timer interrupt, with the queue's lock held. A
 * callback that moves its timer's deadline past the present keeps it in the queue, until then.
 */
#ifndef KERNEL_TIMER_QUEUE_H
#define KERNEL_TIMER_QUEUE_H

#include "kernel/spinlock.h"
#include "kernel/types.h"

struct timer {
    nsec_t deadline;
    void (*expire)(struct timer *timer);
    struct timer_queue *queue; /* it is in, or NULL; changed under that queue's lock */
    struct timer *child;       /* first child */
    struct timer *next;        /* next sibling */
    struct timer *prev;        /* previous sibling, or parent of a first child */
};

struct timer_queue {
    struct spinlock lock; /* LOCK_TIMERS */
    struct timer *root;   /* earliest */
};

void timer_queue_init(struct timer_queue *queue);

/* Adds a timer that is in no queue. Returns whether it is now the earliest, so that the hart must
 * be told. */
bool timer_add(struct timer_queue *queue, struct timer *timer, nsec_t deadline);

/* Takes the timer out of its queue, on whatever hart; afterwards its callback neither runs nor
 * will. */
void timer_cancel(struct timer *timer);

/* Expires all that are due at `now`; returns the next deadline or FTL_TIME_INFINITE. */
nsec_t timer_queue_run(struct timer_queue *queue, nsec_t now);

/* The next deadline, or FTL_TIME_INFINITE. */
nsec_t timer_queue_next(struct timer_queue *queue);

#endif
