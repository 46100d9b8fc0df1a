/*
 * What threads of processes in one vmspace synchronize with: mutex, condition variable, semaphore,
 * once, lock for readers and writers. Small words in memory over ftl_futex_wait() and
 * ftl_futex_wake(): whoever need not wait, and has nobody to wake, makes no kernel call. All bits
 * zero is the initial state of each; none needs to be destroyed. Deadlines are monotonic times,
 * FTL_TIME_INFINITE for none.
 *
 * The state of a thread that ends or is killed stays: what it had locked stays locked.
 */
#ifndef FTL_SYNC_H
#define FTL_SYNC_H

#include <ftl/status.h>
#include <ftl/types.h>

typedef struct {
    uint32_t state; /* enum in src/sync.c */
} ftl_mutex_t;

typedef struct {
    uint32_t signals; /* how many there were: changes when a waiter may go on */
    uint32_t waiters;
} ftl_condition_t;

typedef struct {
    uint32_t count;
    uint32_t waiters;
} ftl_semaphore_t;

typedef struct {
    uint32_t state;
} ftl_once_t;

typedef struct {
    uint32_t state;   /* how many have it locked shared, or that one has it alone */
    uint32_t waiters; /* of both kinds */
    uint32_t writers; /* of the waiters, those who want it alone */
    uint32_t changes; /* times that waiters had reason to look again */
} ftl_rwlock_t;

#define FTL_MUTEX_INIT        { 0 }
#define FTL_CONDITION_INIT    { 0 }
#define FTL_SEMAPHORE_INIT(n) { .count = (n) }
#define FTL_ONCE_INIT         { 0 }
#define FTL_RWLOCK_INIT       { 0 }
#define FTL_SEMAPHORE_MAX     UINT32_MAX

/* Locks the mutex, waiting for it. Not recursive. */
void ftl_mutex_lock(ftl_mutex_t *mutex);

/* The same until the deadline: TIMED_OUT. */
ftl_status_t ftl_mutex_lock_until(ftl_mutex_t *mutex, ftl_nsec_t deadline);

/* Locks it if it is free: whether it was. */
bool ftl_mutex_try_lock(ftl_mutex_t *mutex);

/* Unlocks a mutex that the caller has locked. Who waits longest is woken, but another may come
 * first. */
void ftl_mutex_unlock(ftl_mutex_t *mutex);

/*
 * Unlocks the mutex, waits for a signal that is given from then on, and locks it again. May return
 * without one: wait in a loop that looks at what the condition is about.
 */
void ftl_condition_wait(ftl_condition_t *condition, ftl_mutex_t *mutex);

/* The same until the deadline: TIMED_OUT. The mutex is locked again in any case. */
ftl_status_t ftl_condition_wait_until(ftl_condition_t *condition, ftl_mutex_t *mutex,
                                      ftl_nsec_t deadline);

/* Lets one that waits, or all, go on. With or without the mutex. */
void ftl_condition_signal(ftl_condition_t *condition);
void ftl_condition_broadcast(ftl_condition_t *condition);

/* Takes one from the count, waiting until it is not 0. */
void ftl_semaphore_take(ftl_semaphore_t *semaphore);

/* The same until the deadline: TIMED_OUT. */
ftl_status_t ftl_semaphore_take_until(ftl_semaphore_t *semaphore, ftl_nsec_t deadline);

/* Takes one if the count is not 0: whether it was not. */
bool ftl_semaphore_try_take(ftl_semaphore_t *semaphore);

/* Adds one to the count; OUT_OF_RANGE at FTL_SEMAPHORE_MAX. */
ftl_status_t ftl_semaphore_give(ftl_semaphore_t *semaphore);

/*
 * Locks it shared: with others who do, but with nobody who has it alone. Not recursive: one who
 * waits to have it alone goes before those who come later.
 */
void ftl_rwlock_lock_shared(ftl_rwlock_t *lock);

/* Locks it alone. */
void ftl_rwlock_lock(ftl_rwlock_t *lock);

/* The same until the deadline: TIMED_OUT. */
ftl_status_t ftl_rwlock_lock_shared_until(ftl_rwlock_t *lock, ftl_nsec_t deadline);
ftl_status_t ftl_rwlock_lock_until(ftl_rwlock_t *lock, ftl_nsec_t deadline);

/* The same if nobody has to be waited for: whether it is locked now. */
bool ftl_rwlock_try_lock_shared(ftl_rwlock_t *lock);
bool ftl_rwlock_try_lock(ftl_rwlock_t *lock);

/* Unlocks what the caller has locked, in either way. */
void ftl_rwlock_unlock(ftl_rwlock_t *lock);

/*
 * Calls the function unless a call with this `once` has returned before; calls at the same time
 * wait for the one that does. What the function did is seen by all whose call has returned.
 */
void ftl_once(ftl_once_t *once, void (*function)(void));

#endif
