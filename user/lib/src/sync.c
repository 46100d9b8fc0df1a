/*
 * Synchronization over futexes: see sync.h. A waiter announces itself in memory before it asks the
 * kernel to sleep while the word is unchanged; who changes the word looks for waiters afterwards.
 * Both in the order that all see, so that one of them sees the other.
 */
#include <ftl/sync.h>

#include <ftl/futex.h>

enum mutex_state {
    MUTEX_FREE,
    MUTEX_LOCKED,
    MUTEX_CONTENDED, /* locked, and somebody may wait for it */
};

enum once_state {
    ONCE_NEW,
    ONCE_RUNNING,
    ONCE_AWAITED, /* running, and somebody may wait for its end */
    ONCE_DONE,
};

/* Sleeps while the word has this value; only TIMED_OUT is not to be expected. */
static ftl_status_t sleep_while(const uint32_t *word, uint32_t value, ftl_nsec_t deadline)
{
    ftl_status_t status = ftl_futex_wait((uintptr_t)word, value, deadline);
    return status == FTL_ERR_TIMED_OUT ? status : FTL_OK;
}

static void wake(const uint32_t *word, uint32_t count)
{
    uint32_t woken;
    ftl_futex_wake((uintptr_t)word, count, &woken);
}

/* --- Mutex --- */

bool ftl_mutex_try_lock(ftl_mutex_t *mutex)
{
    uint32_t expected = MUTEX_FREE;
    return __atomic_compare_exchange_n(&mutex->state, &expected, MUTEX_LOCKED, false,
                                       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* Who has waited cannot know whether others still do: it locks the mutex as contended. */
static ftl_status_t lock_contended(ftl_mutex_t *mutex, ftl_nsec_t deadline)
{
    while (__atomic_exchange_n(&mutex->state, MUTEX_CONTENDED, __ATOMIC_ACQUIRE) != MUTEX_FREE) {
        ftl_status_t status = sleep_while(&mutex->state, MUTEX_CONTENDED, deadline);
        if (status != FTL_OK) {
            return status;
        }
    }
    return FTL_OK;
}

ftl_status_t ftl_mutex_lock_until(ftl_mutex_t *mutex, ftl_nsec_t deadline)
{
    return ftl_mutex_try_lock(mutex) ? FTL_OK : lock_contended(mutex, deadline);
}

void ftl_mutex_lock(ftl_mutex_t *mutex)
{
    ftl_mutex_lock_until(mutex, FTL_TIME_INFINITE);
}

void ftl_mutex_unlock(ftl_mutex_t *mutex)
{
    if (__atomic_exchange_n(&mutex->state, MUTEX_FREE, __ATOMIC_RELEASE) == MUTEX_CONTENDED) {
        wake(&mutex->state, 1);
    }
}

/* --- Condition variable --- */

ftl_status_t ftl_condition_wait_until(ftl_condition_t *condition, ftl_mutex_t *mutex,
                                      ftl_nsec_t deadline)
{
    __atomic_fetch_add(&condition->waiters, 1, __ATOMIC_SEQ_CST);
    uint32_t signals = __atomic_load_n(&condition->signals, __ATOMIC_SEQ_CST);
    ftl_mutex_unlock(mutex);
    ftl_status_t status = sleep_while(&condition->signals, signals, deadline);
    __atomic_fetch_sub(&condition->waiters, 1, __ATOMIC_RELAXED);
    ftl_mutex_lock(mutex);
    return status;
}

void ftl_condition_wait(ftl_condition_t *condition, ftl_mutex_t *mutex)
{
    ftl_condition_wait_until(condition, mutex, FTL_TIME_INFINITE);
}

static void let_go_on(ftl_condition_t *condition, uint32_t count)
{
    __atomic_fetch_add(&condition->signals, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&condition->waiters, __ATOMIC_SEQ_CST) != 0) {
        wake(&condition->signals, count);
    }
}

void ftl_condition_signal(ftl_condition_t *condition)
{
    let_go_on(condition, 1);
}

void ftl_condition_broadcast(ftl_condition_t *condition)
{
    let_go_on(condition, UINT32_MAX);
}

/* --- Semaphore --- */

bool ftl_semaphore_try_take(ftl_semaphore_t *semaphore)
{
    uint32_t count = __atomic_load_n(&semaphore->count, __ATOMIC_SEQ_CST);
    while (count != 0) {
        if (__atomic_compare_exchange_n(&semaphore->count, &count, count - 1, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
            return true;
        }
    }
    return false;
}

ftl_status_t ftl_semaphore_take_until(ftl_semaphore_t *semaphore, ftl_nsec_t deadline)
{
    if (ftl_semaphore_try_take(semaphore)) {
        return FTL_OK;
    }
    ftl_status_t status = FTL_OK;
    bool taken = false;
    __atomic_fetch_add(&semaphore->waiters, 1, __ATOMIC_SEQ_CST);
    while (!taken && status == FTL_OK) {
        status = sleep_while(&semaphore->count, 0, deadline);
        taken = ftl_semaphore_try_take(semaphore);
    }
    __atomic_fetch_sub(&semaphore->waiters, 1, __ATOMIC_RELAXED);
    return taken ? FTL_OK : status;
}

void ftl_semaphore_take(ftl_semaphore_t *semaphore)
{
    ftl_semaphore_take_until(semaphore, FTL_TIME_INFINITE);
}

ftl_status_t ftl_semaphore_give(ftl_semaphore_t *semaphore)
{
    uint32_t count = __atomic_load_n(&semaphore->count, __ATOMIC_RELAXED);
    do {
        if (count == FTL_SEMAPHORE_MAX) {
            return FTL_ERR_OUT_OF_RANGE;
        }
    } while (!__atomic_compare_exchange_n(&semaphore->count, &count, count + 1, false,
                                          __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    if (__atomic_load_n(&semaphore->waiters, __ATOMIC_SEQ_CST) != 0) {
        wake(&semaphore->count, 1);
    }
    return FTL_OK;
}

/* --- Lock for readers and writers --- */

#define ALONE UINT32_MAX /* the state of a lock that one has alone */

bool ftl_rwlock_try_lock_shared(ftl_rwlock_t *lock)
{
    uint32_t state = __atomic_load_n(&lock->state, __ATOMIC_SEQ_CST);
    while (state < ALONE - 1 && __atomic_load_n(&lock->writers, __ATOMIC_SEQ_CST) == 0) {
        if (__atomic_compare_exchange_n(&lock->state, &state, state + 1, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST)) {
            return true;
        }
    }
    return false;
}

bool ftl_rwlock_try_lock(ftl_rwlock_t *lock)
{
    uint32_t state = 0;
    return __atomic_compare_exchange_n(&lock->state, &state, ALONE, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

/* Something that waiters wait for may be so now. */
static void let_waiters_look(ftl_rwlock_t *lock)
{
    if (__atomic_load_n(&lock->waiters, __ATOMIC_SEQ_CST) != 0) {
        __atomic_fetch_add(&lock->changes, 1, __ATOMIC_SEQ_CST);
        wake(&lock->changes, UINT32_MAX);
    }
}

/* Waits until it can be locked in this way. */
static ftl_status_t lock_when_possible(ftl_rwlock_t *lock, bool (*try_lock)(ftl_rwlock_t *lock),
                                       ftl_nsec_t deadline)
{
    ftl_status_t status = FTL_OK;
    bool locked = false;
    __atomic_fetch_add(&lock->waiters, 1, __ATOMIC_SEQ_CST);
    while (!locked && status == FTL_OK) {
        uint32_t changes = __atomic_load_n(&lock->changes, __ATOMIC_SEQ_CST);
        locked = try_lock(lock);
        if (!locked) {
            status = sleep_while(&lock->changes, changes, deadline);
        }
    }
    __atomic_fetch_sub(&lock->waiters, 1, __ATOMIC_SEQ_CST);
    return status;
}

ftl_status_t ftl_rwlock_lock_shared_until(ftl_rwlock_t *lock, ftl_nsec_t deadline)
{
    return ftl_rwlock_try_lock_shared(lock)
               ? FTL_OK
               : lock_when_possible(lock, ftl_rwlock_try_lock_shared, deadline);
}

ftl_status_t ftl_rwlock_lock_until(ftl_rwlock_t *lock, ftl_nsec_t deadline)
{
    if (ftl_rwlock_try_lock(lock)) {
        return FTL_OK;
    }
    __atomic_fetch_add(&lock->writers, 1, __ATOMIC_SEQ_CST);
    ftl_status_t status = lock_when_possible(lock, ftl_rwlock_try_lock, deadline);
    __atomic_fetch_sub(&lock->writers, 1, __ATOMIC_SEQ_CST);
    if (status != FTL_OK) {
        let_waiters_look(lock); /* those who let this one go first */
    }
    return status;
}

void ftl_rwlock_lock_shared(ftl_rwlock_t *lock)
{
    ftl_rwlock_lock_shared_until(lock, FTL_TIME_INFINITE);
}

void ftl_rwlock_lock(ftl_rwlock_t *lock)
{
    ftl_rwlock_lock_until(lock, FTL_TIME_INFINITE);
}

void ftl_rwlock_unlock(ftl_rwlock_t *lock)
{
    /* Only who has it alone sees that it is. */
    uint32_t one = __atomic_load_n(&lock->state, __ATOMIC_RELAXED) == ALONE ? ALONE : 1;
    if (__atomic_sub_fetch(&lock->state, one, __ATOMIC_SEQ_CST) == 0) {
        let_waiters_look(lock);
    }
}

/* --- Once --- */

static void run_once(ftl_once_t *once, void (*function)(void))
{
    function();
    if (__atomic_exchange_n(&once->state, ONCE_DONE, __ATOMIC_RELEASE) == ONCE_AWAITED) {
        wake(&once->state, UINT32_MAX);
    }
}

void ftl_once(ftl_once_t *once, void (*function)(void))
{
    if (__atomic_load_n(&once->state, __ATOMIC_ACQUIRE) == ONCE_DONE) {
        return;
    }
    uint32_t state = ONCE_NEW;
    if (__atomic_compare_exchange_n(&once->state, &state, ONCE_RUNNING, false, __ATOMIC_ACQUIRE,
                                    __ATOMIC_ACQUIRE)) {
        run_once(once, function);
        return;
    }
    /* Another runs it: says, unless somebody has said so, that somebody waits. */
    if (state == ONCE_RUNNING) {
        __atomic_compare_exchange_n(&once->state, &state, ONCE_AWAITED, false, __ATOMIC_ACQUIRE,
                                    __ATOMIC_ACQUIRE);
    }
    while (__atomic_load_n(&once->state, __ATOMIC_ACQUIRE) != ONCE_DONE) {
        sleep_while(&once->state, ONCE_AWAITED, FTL_TIME_INFINITE);
    }
}
