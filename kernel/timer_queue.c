/* Timer queues: see timer_queue.h. The heap's order is the only thing; ties are in no order. */
#include "kernel/timer_queue.h"

#include "kernel/assert.h"

void timer_queue_init(struct timer_queue *queue)
{
    spin_init(&queue->lock, LOCK_TIMERS);
    queue->root = NULL;
}

/* Makes one heap of two; both are roots without siblings, either may be NULL. */
static struct timer *meld(struct timer *a, struct timer *b)
{
    if (a == NULL || b == NULL) {
        return a == NULL ? b : a;
    }
    if (b->deadline < a->deadline) {
        struct timer *swap = a;
        a = b;
        b = swap;
    }
    b->next = a->child;
    b->prev = a;
    if (a->child != NULL) {
        a->child->prev = b;
    }
    a->child = b;
    return a;
}

static struct timer *detach_first(struct timer **list)
{
    struct timer *first = *list;
    if (first != NULL) {
        *list = first->next;
        first->next = NULL;
        first->prev = NULL;
    }
    return first;
}

/* Makes one heap of a list of siblings: pairs from the front, then all together from the back. */
static struct timer *meld_siblings(struct timer *list)
{
    struct timer *pairs = NULL;
    while (list != NULL) {
        struct timer *first = detach_first(&list);
        struct timer *pair = meld(first, detach_first(&list));
        pair->next = pairs;
        pairs = pair;
    }
    struct timer *root = NULL;
    while (pairs != NULL) {
        struct timer *pair = pairs;
        pairs = pair->next;
        pair->next = NULL;
        root = meld(root, pair);
    }
    return root;
}

static void insert_locked(struct timer_queue *queue, struct timer *timer)
{
    timer->child = NULL;
    timer->next = NULL;
    timer->prev = NULL;
    queue->root = meld(queue->root, timer);
}

/* Takes the timer out of the heap; it still counts as being in the queue. */
static void unlink_locked(struct timer_queue *queue, struct timer *timer)
{
    struct timer *children = meld_siblings(timer->child);
    if (queue->root == timer) {
        queue->root = children;
    } else {
        if (timer->prev->child == timer) {
            timer->prev->child = timer->next;
        } else {
            timer->prev->next = timer->next;
        }
        if (timer->next != NULL) {
            timer->next->prev = timer->prev;
        }
        queue->root = meld(queue->root, children);
    }
}

static void remove_locked(struct timer_queue *queue, struct timer *timer)
{
    unlink_locked(queue, timer);
    timer->child = NULL;
    timer->next = NULL;
    timer->prev = NULL;
    __atomic_store_n(&timer->queue, NULL, __ATOMIC_RELEASE);
}

bool timer_add(struct timer_queue *queue, struct timer *timer, nsec_t deadline)
{
    ASSERT(timer->queue == NULL);
    spin_lock(&queue->lock);
    timer->deadline = deadline;
    timer->queue = queue;
    insert_locked(queue, timer);
    bool earliest = queue->root == timer;
    spin_unlock(&queue->lock);
    return earliest;
}

void timer_cancel(struct timer *timer)
{
    /* Only its own hart adds it, and nobody adds it meanwhile: it can leave the queue, not change
     * it. */
    struct timer_queue *queue = __atomic_load_n(&timer->queue, __ATOMIC_ACQUIRE);
    if (queue == NULL) {
        return;
    }
    spin_lock(&queue->lock);
    if (timer->queue == queue) {
        remove_locked(queue, timer);
    }
    spin_unlock(&queue->lock);
}

nsec_t timer_queue_run(struct timer_queue *queue, nsec_t now)
{
    spin_lock(&queue->lock);
    while (queue->root != NULL && queue->root->deadline <= now) {
        struct timer *timer = queue->root;
        /*
         * Out of the queue only after its callback: until then timer_cancel() waits for the lock.
         */
        timer->expire(timer);
        if (timer->deadline > now) {
            unlink_locked(queue, timer);
            insert_locked(queue, timer);
        } else {
            remove_locked(queue, timer);
        }
    }
    nsec_t next = queue->root == NULL ? FTL_TIME_INFINITE : queue->root->deadline;
    spin_unlock(&queue->lock);
    return next;
}

nsec_t timer_queue_next(struct timer_queue *queue)
{
    spin_lock(&queue->lock);
    nsec_t next = queue->root == NULL ? FTL_TIME_INFINITE : queue->root->deadline;
    spin_unlock(&queue->lock);
    return next;
}
