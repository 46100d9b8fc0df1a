/*
 * Priorities of threads, and their inheritance: a thread runs with the highest of its own priority
 * and of those that the threads it serves have lent it, and lends that on to the one it waits for.
 *
 * A thread's lock protects what it runs with and whom it lends to; a hart holds one such lock at a
 * time, so that chains and even rings of loans cannot deadlock. What is lent on is therefore read
 * only under the borrower's lock: of several changes that run along a chain at once, the last to
 * take that lock sees the lender's latest priority.
 */
#include "kernel/assert.h"
#include "kernel/sched.h"
#include "kernel/thread.h"

static struct priority_loan *highest_loan(const struct thread *thread)
{
    return list_empty(&thread->loans) ? NULL
                                      : LIST_ENTRY(thread->loans.next, struct priority_loan, link);
}

/* Brings the thread's priority up to date; its lock is held. Returns whether it has changed. */
static bool update(struct thread *thread)
{
    ASSERT(spin_is_held(&thread->lock));
    const struct priority_loan *loan = highest_loan(thread);
    uint8_t priority = thread->own_priority;
    if (loan != NULL && loan->priority > priority) {
        priority = loan->priority;
    }
    if (priority == thread->priority) {
        return false;
    }
    __atomic_store_n(&thread->priority, priority, __ATOMIC_RELAXED);
    __atomic_store_n(&thread->priority_changed, 1, __ATOMIC_RELAXED);
    sched_update(thread);
    return true;
}

/* Puts the lender's loan, which is in no list, among the borrower's, whose lock is held. */
static void insert(struct thread *borrower, struct thread *lender)
{
    struct priority_loan *loan = &lender->loan;
    loan->priority = __atomic_load_n(&lender->priority, __ATOMIC_RELAXED);
    struct list *after = &borrower->loans;
    while (after->next != &borrower->loans &&
           LIST_ENTRY(after->next, struct priority_loan, link)->priority > loan->priority) {
        after = after->next;
    }
    list_push_front(after, &loan->link);
}

/* Whom the thread lends to, with a reference; NULL: nobody. */
static struct thread *borrower_of(struct thread *lender)
{
    spin_lock(&lender->lock);
    struct thread *borrower = lender->loan.borrower;
    if (borrower != NULL) {
        object_get(&borrower->object);
    }
    spin_unlock(&lender->lock);
    return borrower;
}

/* Lends the thread's latest priority, if it lends it to this one still. Returns whether that
 * changed the borrower's. */
static bool renew(struct thread *lender, struct thread *borrower)
{
    bool changed = false;
    spin_lock(&borrower->lock);
    /* In a list of loans it is in this one: it leaves one before it goes to the next. */
    if (__atomic_load_n(&lender->loan.borrower, __ATOMIC_RELAXED) == borrower &&
        !list_empty(&lender->loan.link)) {
        list_remove(&lender->loan.link);
        insert(borrower, lender);
        changed = update(borrower);
    }
    spin_unlock(&borrower->lock);
    return changed;
}

/* The thread's priority has changed: so has what it lends, and what is lent on. */
static void pass_on(struct thread *thread)
{
    struct thread *lender = thread;
    object_get(&lender->object);
    bool changed = true;
    while (changed) {
        lane_lend(lender);
        struct thread *borrower = borrower_of(lender);
        changed = borrower != NULL && renew(lender, borrower);
        object_put(&lender->object);
        lender = borrower;
    }
    if (lender != NULL) {
        object_put(&lender->object);
    }
}

void thread_set_priority(struct thread *thread, uint8_t priority)
{
    ASSERT(priority <= FTL_PRIORITY_MAX);
    spin_lock(&thread->lock);
    thread->own_priority = priority;
    bool changed = update(thread);
    spin_unlock(&thread->lock);
    if (changed) {
        pass_on(thread);
    }
}

void thread_limit_priority(struct thread *thread, uint8_t max)
{
    if (thread->own_priority > max) {
        thread_set_priority(thread, max);
    }
}

void thread_lend_priority(struct thread *lender, struct thread *server)
{
    if (__atomic_load_n(&lender->loan.borrower, __ATOMIC_RELAXED) == server) {
        return;
    }
    thread_return_priority(lender);
    if (lender == server) {
        return;
    }
    object_get(&server->object);
    spin_lock(&lender->lock);
    __atomic_store_n(&lender->loan.borrower, server, __ATOMIC_RELAXED);
    spin_unlock(&lender->lock);

    spin_lock(&server->lock);
    insert(server, lender);
    bool changed = update(server);
    spin_unlock(&server->lock);
    if (changed) {
        pass_on(server);
    }
}

void thread_begin_loan(struct thread *lender, struct thread *server)
{
    object_get(&server->object);
    spin_lock(&lender->lock);
    ASSERT(lender->loan.borrower == NULL);
    __atomic_store_n(&lender->loan.borrower, server, __ATOMIC_RELAXED);
    spin_unlock(&lender->lock);
    spin_lock(&server->lock);
    insert(server, lender);
    spin_unlock(&server->lock);
}

void thread_renew_loan(struct thread *lender)
{
    pass_on(lender);
}

void thread_return_priority(struct thread *lender)
{
    struct thread *borrower = __atomic_load_n(&lender->loan.borrower, __ATOMIC_RELAXED);
    if (borrower == NULL) {
        return;
    }
    spin_lock(&lender->lock);
    __atomic_store_n(&lender->loan.borrower, NULL, __ATOMIC_RELAXED);
    spin_unlock(&lender->lock);

    spin_lock(&borrower->lock);
    list_remove(&lender->loan.link);
    bool changed = update(borrower);
    spin_unlock(&borrower->lock);
    if (changed) {
        pass_on(borrower);
    }
    object_put(&borrower->object);
}
