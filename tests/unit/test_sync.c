/*
 * Mutex, condition variable, semaphore, once and rwlock of the user library, by threads of the host
 * over a stand-in for the kernel's futex, which counts its calls.
 */
#include <ftl/sync.h>

#include <pthread.h>
#include <sched.h>

#include <ftl/futex.h>

#include "host/test.h"

#define THREADS 4
#define ROUNDS  3000

/* The kernel: one lock for all words; waiters look whether theirs was woken. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t woken;
    struct waiter {
        struct waiter *next;
        uintptr_t word;
        bool woken;
    } *waiters;        /* the longest first */
    unsigned sleeping; /* of them, not woken */
    unsigned waits;    /* calls that slept */
    unsigned calls;
    bool expired; /* deadlines have passed */
} kernel = { .lock = PTHREAD_MUTEX_INITIALIZER, .woken = PTHREAD_COND_INITIALIZER };

static void enlist(struct waiter *waiter)
{
    struct waiter **last = &kernel.waiters;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = waiter;
    kernel.sleeping++;
}

static void delist(struct waiter *waiter)
{
    struct waiter **at = &kernel.waiters;
    while (*at != waiter) {
        at = &(*at)->next;
    }
    *at = waiter->next;
    kernel.sleeping--;
}

ftl_status_t ftl_futex_wait(uintptr_t word, uint32_t expected, ftl_nsec_t deadline)
{
    struct waiter self = { .word = word };
    ftl_status_t status = FTL_OK;
    pthread_mutex_lock(&kernel.lock);
    kernel.calls++;
    if (__atomic_load_n((uint32_t *)word, __ATOMIC_SEQ_CST) != expected) {
        status = FTL_ERR_WOULD_BLOCK;
    } else {
        kernel.waits++;
        enlist(&self);
        while (!self.woken && !(kernel.expired && deadline != FTL_TIME_INFINITE)) {
            pthread_cond_wait(&kernel.woken, &kernel.lock);
        }
        if (!self.woken) {
            delist(&self);
            status = FTL_ERR_TIMED_OUT;
        }
    }
    pthread_mutex_unlock(&kernel.lock);
    return status;
}

ftl_status_t ftl_futex_wake(uintptr_t word, uint32_t count, uint32_t *woken)
{
    *woken = 0;
    pthread_mutex_lock(&kernel.lock);
    kernel.calls++;
    for (struct waiter *waiter = kernel.waiters; waiter != NULL && *woken < count;) {
        struct waiter *next = waiter->next;
        if (waiter->word == word) {
            waiter->woken = true;
            delist(waiter);
            (*woken)++;
        }
        waiter = next;
    }
    pthread_cond_broadcast(&kernel.woken);
    pthread_mutex_unlock(&kernel.lock);
    return FTL_OK;
}

/* Deadlines pass now. */
static void expire(void)
{
    pthread_mutex_lock(&kernel.lock);
    kernel.expired = true;
    pthread_cond_broadcast(&kernel.woken);
    pthread_mutex_unlock(&kernel.lock);
}

/* Waits until so many threads sleep in the kernel. */
static void await_sleepers(unsigned count)
{
    for (;;) {
        pthread_mutex_lock(&kernel.lock);
        bool enough = kernel.sleeping == count;
        pthread_mutex_unlock(&kernel.lock);
        if (enough) {
            return;
        }
        sched_yield();
    }
}

static ftl_mutex_t mutex;
static ftl_condition_t condition;
static ftl_semaphore_t semaphore;
static ftl_once_t once;
static ftl_rwlock_t rwlock;
static unsigned shared; /* protected by the mutex */
static unsigned ran;    /* times that the function of `once` ran */

static int set_up(void **state)
{
    (void)state;
    assert_null(kernel.waiters);
    kernel.calls = 0;
    kernel.waits = 0;
    kernel.expired = false;
    mutex = (ftl_mutex_t)FTL_MUTEX_INIT;
    condition = (ftl_condition_t)FTL_CONDITION_INIT;
    semaphore = (ftl_semaphore_t)FTL_SEMAPHORE_INIT(0);
    once = (ftl_once_t)FTL_ONCE_INIT;
    rwlock = (ftl_rwlock_t)FTL_RWLOCK_INIT;
    shared = 0;
    ran = 0;
    return 0;
}

static pthread_t threads[THREADS];

static void start(unsigned count, void *(*function)(void *))
{
    for (uintptr_t i = 0; i < count; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, function, (void *)i), 0);
    }
}

static void join(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

/* --- Without competition --- */

static void count_run(void)
{
    __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
}

static void nobody_who_need_not_wait_calls_the_kernel(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        ftl_mutex_lock(&mutex);
        assert_false(ftl_mutex_try_lock(&mutex));
        ftl_mutex_unlock(&mutex);
        assert_true(ftl_mutex_try_lock(&mutex));
        ftl_mutex_unlock(&mutex);
        assert_int_equal(ftl_mutex_lock_until(&mutex, 0), FTL_OK);
        ftl_condition_signal(&condition);
        ftl_condition_broadcast(&condition);
        ftl_mutex_unlock(&mutex);
        assert_false(ftl_semaphore_try_take(&semaphore));
        assert_int_equal(ftl_semaphore_give(&semaphore), FTL_OK);
        assert_int_equal(ftl_semaphore_give(&semaphore), FTL_OK);
        ftl_semaphore_take(&semaphore);
        assert_true(ftl_semaphore_try_take(&semaphore));
        ftl_once(&once, count_run);
        ftl_rwlock_lock_shared(&rwlock);
        assert_true(ftl_rwlock_try_lock_shared(&rwlock));
        assert_false(ftl_rwlock_try_lock(&rwlock));
        ftl_rwlock_unlock(&rwlock);
        ftl_rwlock_unlock(&rwlock);
        ftl_rwlock_lock(&rwlock);
        assert_false(ftl_rwlock_try_lock_shared(&rwlock));
        assert_false(ftl_rwlock_try_lock(&rwlock));
        ftl_rwlock_unlock(&rwlock);
    }
    assert_int_equal(ran, 1);
    assert_int_equal(kernel.calls, 0);
}

static void semaphore_does_not_overflow(void **state)
{
    (void)state;
    semaphore = (ftl_semaphore_t)FTL_SEMAPHORE_INIT(FTL_SEMAPHORE_MAX);
    assert_int_equal(ftl_semaphore_give(&semaphore), FTL_ERR_OUT_OF_RANGE);
    ftl_semaphore_take(&semaphore);
    assert_int_equal(ftl_semaphore_give(&semaphore), FTL_OK);
}

/* --- Deadlines --- */

static void *wait_in_vain(void *argument)
{
    switch ((uintptr_t)argument) {
    case 0: assert_int_equal(ftl_mutex_lock_until(&mutex, 1), FTL_ERR_TIMED_OUT); break;
    case 1: assert_int_equal(ftl_semaphore_take_until(&semaphore, 1), FTL_ERR_TIMED_OUT); break;
    default: {
        static ftl_mutex_t other = FTL_MUTEX_INIT;
        ftl_mutex_lock(&other);
        assert_int_equal(ftl_condition_wait_until(&condition, &other, 1), FTL_ERR_TIMED_OUT);
        assert_false(ftl_mutex_try_lock(&other));
        ftl_mutex_unlock(&other);
    }
    }
    return NULL;
}

static void waiting_ends_at_the_deadline(void **state)
{
    (void)state;
    ftl_mutex_lock(&mutex);
    start(3, wait_in_vain);
    await_sleepers(3);
    expire();
    join(3);
    ftl_mutex_unlock(&mutex);
    assert_true(ftl_mutex_try_lock(&mutex));
    ftl_mutex_unlock(&mutex);
    assert_int_equal(semaphore.waiters, 0);
    assert_int_equal(condition.waiters, 0);
}

/* --- With competition --- */

static void *count_up(void *argument)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        ftl_mutex_lock(&mutex);
        unsigned seen = shared;
        if (i % 64 == 0) {
            sched_yield();
        }
        shared = seen + 1;
        ftl_mutex_unlock(&mutex);
    }
    return argument;
}

static void mutex_excludes(void **state)
{
    (void)state;
    start(THREADS, count_up);
    join(THREADS);
    assert_int_equal(shared, THREADS * ROUNDS);
    assert_int_equal(mutex.state, 0);
}

static void *hold_and_count(void *argument)
{
    ftl_mutex_lock(&mutex);
    shared++;
    ftl_mutex_unlock(&mutex);
    return argument;
}

static void unlock_wakes_one_after_the_other(void **state)
{
    (void)state;
    ftl_mutex_lock(&mutex);
    start(THREADS, hold_and_count);
    await_sleepers(THREADS);
    ftl_mutex_unlock(&mutex);
    join(THREADS);
    assert_int_equal(shared, THREADS);
    assert_int_equal(kernel.waits, THREADS); /* nobody was woken for nothing */
}

static void *await_shared(void *argument)
{
    ftl_mutex_lock(&mutex);
    while (shared == 0) {
        ftl_condition_wait(&condition, &mutex);
    }
    shared--;
    ftl_mutex_unlock(&mutex);
    return argument;
}

static void signal_lets_one_go_on_and_broadcast_all(void **state)
{
    (void)state;
    start(THREADS, await_shared);
    await_sleepers(THREADS);
    ftl_mutex_lock(&mutex);
    shared = 1;
    ftl_mutex_unlock(&mutex);
    ftl_condition_signal(&condition);
    await_sleepers(THREADS - 1);
    ftl_mutex_lock(&mutex);
    while (shared != 0) { /* it has what it waited for */
        ftl_mutex_unlock(&mutex);
        sched_yield();
        ftl_mutex_lock(&mutex);
    }
    shared = THREADS - 1;
    ftl_mutex_unlock(&mutex);
    ftl_condition_broadcast(&condition);
    join(THREADS);
    assert_int_equal(shared, 0);
    assert_int_equal(condition.waiters, 0);
}

/* Each waits for its turn and passes it on. */
static void *take_turns(void *argument)
{
    unsigned self = (unsigned)(uintptr_t)argument;
    ftl_mutex_lock(&mutex);
    for (unsigned i = 0; i < ROUNDS / 10; i++) {
        while (shared % THREADS != self) {
            ftl_condition_wait(&condition, &mutex);
        }
        shared++;
        ftl_condition_broadcast(&condition);
    }
    ftl_mutex_unlock(&mutex);
    return NULL;
}

static void no_signal_is_lost(void **state)
{
    (void)state;
    start(THREADS, take_turns);
    join(THREADS);
    assert_int_equal(shared, THREADS * (ROUNDS / 10));
}

static unsigned in_use; /* things that the semaphore counts */
static unsigned in_use_max;

static void *use(void *argument)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        ftl_semaphore_take(&semaphore);
        unsigned now = __atomic_add_fetch(&in_use, 1, __ATOMIC_SEQ_CST);
        unsigned max = __atomic_load_n(&in_use_max, __ATOMIC_RELAXED);
        if (now > max) {
            __atomic_store_n(&in_use_max, now, __ATOMIC_RELAXED);
        }
        if (i % 64 == 0) {
            sched_yield();
        }
        __atomic_fetch_sub(&in_use, 1, __ATOMIC_SEQ_CST);
        ftl_semaphore_give(&semaphore);
    }
    return argument;
}

static void semaphore_lets_as_many_in_as_it_counts(void **state)
{
    (void)state;
    in_use_max = 0;
    semaphore = (ftl_semaphore_t)FTL_SEMAPHORE_INIT(2);
    start(THREADS, use);
    join(THREADS);
    assert_in_range(in_use_max, 1, 2);
    assert_int_equal(semaphore.count, 2);
    assert_int_equal(semaphore.waiters, 0);
}

static void *take_one(void *argument)
{
    ftl_semaphore_take(&semaphore);
    return argument;
}

static void give_wakes_one_that_waits(void **state)
{
    (void)state;
    start(THREADS, take_one);
    await_sleepers(THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(ftl_semaphore_give(&semaphore), FTL_OK);
    }
    join(THREADS);
    assert_int_equal(semaphore.count, 0);
}

/* Returns only when the others wait for it. */
static void run_slowly(void)
{
    count_run();
    await_sleepers(THREADS - 1);
}

static void *do_once(void *argument)
{
    ftl_once(&once, run_slowly);
    assert_int_equal(__atomic_load_n(&ran, __ATOMIC_RELAXED), 1);
    return argument;
}

static void once_runs_once_and_the_others_wait_for_it(void **state)
{
    (void)state;
    start(THREADS, do_once);
    join(THREADS);
    assert_int_equal(ran, 1);
}

/* --- Readers and writers --- */

static unsigned readers; /* that have the lock */

/* One thread in two writes now and then; all see either all of a change or nothing. */
static void *read_and_write(void *argument)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (i % 4 == 0 && (uintptr_t)argument % 2 == 0) {
            ftl_rwlock_lock(&rwlock);
            assert_int_equal(__atomic_load_n(&readers, __ATOMIC_RELAXED), 0);
            shared++;
            sched_yield();
            shared++;
            ftl_rwlock_unlock(&rwlock);
        } else {
            ftl_rwlock_lock_shared(&rwlock);
            __atomic_fetch_add(&readers, 1, __ATOMIC_RELAXED);
            assert_int_equal(shared % 2, 0);
            __atomic_fetch_sub(&readers, 1, __ATOMIC_RELAXED);
            ftl_rwlock_unlock(&rwlock);
        }
    }
    return argument;
}

static void writers_have_the_lock_alone(void **state)
{
    (void)state;
    start(THREADS, read_and_write);
    join(THREADS);
    assert_int_equal(shared, 2 * (THREADS / 2) * (ROUNDS / 4));
    assert_int_equal(rwlock.state, 0);
    assert_int_equal(rwlock.waiters, 0);
    assert_int_equal(rwlock.writers, 0);
}

static void *write_once(void *argument)
{
    ftl_rwlock_lock(&rwlock);
    shared++;
    ftl_rwlock_unlock(&rwlock);
    return argument;
}

static void *read_once(void *argument)
{
    ftl_rwlock_lock_shared(&rwlock);
    ftl_rwlock_unlock(&rwlock);
    return argument;
}

static void writer_that_waits_goes_before_readers_that_come_later(void **state)
{
    (void)state;
    ftl_rwlock_lock_shared(&rwlock);
    start(1, write_once);
    await_sleepers(1);
    assert_false(ftl_rwlock_try_lock_shared(&rwlock));
    ftl_rwlock_unlock(&rwlock);
    join(1);
    assert_int_equal(shared, 1);
    ftl_rwlock_lock(&rwlock);
    start(3, read_once);
    await_sleepers(3);
    ftl_rwlock_unlock(&rwlock);
    join(3);
}

static void *write_in_vain(void *argument)
{
    assert_int_equal(ftl_rwlock_lock_until(&rwlock, 1), FTL_ERR_TIMED_OUT);
    return argument;
}

static void *read_in_vain(void *argument)
{
    assert_int_equal(ftl_rwlock_lock_shared_until(&rwlock, 1), FTL_ERR_TIMED_OUT);
    return argument;
}

static void writer_that_gives_up_lets_readers_in(void **state)
{
    (void)state;
    pthread_t writer;
    ftl_rwlock_lock_shared(&rwlock);
    assert_int_equal(pthread_create(&writer, NULL, write_in_vain, NULL), 0);
    await_sleepers(1);
    start(2, read_once); /* which wait for the writer, without a deadline */
    await_sleepers(3);
    expire();
    pthread_join(writer, NULL);
    join(2);
    ftl_rwlock_unlock(&rwlock);
    ftl_rwlock_lock(&rwlock);
    start(1, read_in_vain);
    join(1);
    ftl_rwlock_unlock(&rwlock);
    assert_int_equal(rwlock.state, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nobody_who_need_not_wait_calls_the_kernel, set_up),
        cmocka_unit_test_setup(semaphore_does_not_overflow, set_up),
        cmocka_unit_test_setup(waiting_ends_at_the_deadline, set_up),
        cmocka_unit_test_setup(mutex_excludes, set_up),
        cmocka_unit_test_setup(unlock_wakes_one_after_the_other, set_up),
        cmocka_unit_test_setup(signal_lets_one_go_on_and_broadcast_all, set_up),
        cmocka_unit_test_setup(no_signal_is_lost, set_up),
        cmocka_unit_test_setup(semaphore_lets_as_many_in_as_it_counts, set_up),
        cmocka_unit_test_setup(give_wakes_one_that_waits, set_up),
        cmocka_unit_test_setup(once_runs_once_and_the_others_wait_for_it, set_up),
        cmocka_unit_test_setup(writers_have_the_lock_alone, set_up),
        cmocka_unit_test_setup(writer_that_waits_goes_before_readers_that_come_later, set_up),
        cmocka_unit_test_setup(writer_that_gives_up_lets_readers_in, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
