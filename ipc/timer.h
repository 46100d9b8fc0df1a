/*
 * Timer objects: deadlines, once or periodic, that count how often they have expired. One lies in
 * the timer queue of the hart it was last set on (kernel/timer_queue.h).
 */
#ifndef IPC_TIMER_H
#define IPC_TIMER_H

#include "kernel/object.h"
#include "kernel/timer_queue.h"
#include "mm/account.h"

struct timer_object {
    struct object object;     /* first; its lock protects `expired` */
    struct account *account;  /* a reference; what it is charged to */
    struct spinlock set_lock; /* LOCK_TIMER_OBJECT; one at a time sets or cancels it */
    struct timer timer;       /* under set_lock while in no queue, else its queue's lock */
    nsec_t period;            /* 0: expires once. As `timer` */
    uint64_t expired;         /* times since last read or set */
};

/* Boot: sets up the cache of timer objects. */
void timer_object_init(void);

void timer_object_destroy(struct object *object);

#endif
