/* <ftl/sync.h> under many threads. */
#include <ftl/sync.h>
#include <ftl/thread.h>
#include <pthread.h>

#include "threadtest.h"

#define THREADS 8
#define ROUNDS  500
#define TURNS   50
#define PLACES  4

static pthread_t threads[THREADS];

static void run(unsigned count, void *(*function)(void *))
{
    for (uintptr_t i = 0; i < count; i++) {
        CHECK_EQUAL(pthread_create(&threads[i], NULL, function, (void *)i), 0);
    }
    for (unsigned i = 0; i < count; i++) {
        CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
    }
}

static ftl_mutex_t mutex = FTL_MUTEX_INIT;
static ftl_condition_t condition = FTL_CONDITION_INIT;
static unsigned shared; /* protected by the mutex */

static void *count_up(void *argument)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        ftl_mutex_lock(&mutex);
        unsigned seen = shared;
        if (i % 32 == 0) {
            ftl_thread_yield();
        }
        shared = seen + 1;
        ftl_mutex_unlock(&mutex);
    }
    return argument;
}

static void test_mutex(void)
{
    shared = 0;
    run(THREADS, count_up);
    CHECK_EQUAL(shared, THREADS * ROUNDS);
    CHECK_OK(ftl_mutex_lock_until(&mutex, 0));
    CHECK(!ftl_mutex_try_lock(&mutex));
    CHECK_EQUAL(ftl_mutex_lock_until(&mutex, after(MS)), FTL_ERR_TIMED_OUT);
    ftl_mutex_unlock(&mutex);
    CHECK(ftl_mutex_try_lock(&mutex));
    ftl_mutex_unlock(&mutex);
}

static void *take_turns(void *argument)
{
    unsigned self = (unsigned)(uintptr_t)argument;
    ftl_mutex_lock(&mutex);
    for (unsigned i = 0; i < TURNS; i++) {
        while (shared % THREADS != self) {
            ftl_condition_wait(&condition, &mutex);
        }
        shared++;
        ftl_condition_broadcast(&condition);
    }
    ftl_mutex_unlock(&mutex);
    return argument;
}

static void test_condition(void)
{
    shared = 0;
    run(THREADS, take_turns);
    CHECK_EQUAL(shared, THREADS * TURNS);
    ftl_mutex_lock(&mutex);
    CHECK_EQUAL(ftl_condition_wait_until(&condition, &mutex, after(MS)), FTL_ERR_TIMED_OUT);
    CHECK(!ftl_mutex_try_lock(&mutex));
    ftl_mutex_unlock(&mutex);
}

/* A buffer between makers and takers. */
static ftl_semaphore_t filled = FTL_SEMAPHORE_INIT(0);
static ftl_semaphore_t empty = FTL_SEMAPHORE_INIT(PLACES);
static unsigned buffer[PLACES];
static unsigned put_next, take_next; /* protected by the mutex */
static uint64_t taken;

static void put(unsigned value)
{
    ftl_semaphore_take(&empty);
    ftl_mutex_lock(&mutex);
    buffer[put_next++ % PLACES] = value;
    ftl_mutex_unlock(&mutex);
    CHECK_OK(ftl_semaphore_give(&filled));
}

static unsigned take(void)
{
    ftl_semaphore_take(&filled);
    ftl_mutex_lock(&mutex);
    unsigned value = buffer[take_next++ % PLACES];
    ftl_mutex_unlock(&mutex);
    CHECK_OK(ftl_semaphore_give(&empty));
    return value;
}

static void *make_or_take(void *argument)
{
    bool makes = (uintptr_t)argument % 2 == 0;
    for (unsigned i = 1; i <= ROUNDS; i++) {
        if (makes) {
            put(i);
        } else {
            __atomic_fetch_add(&taken, take(), __ATOMIC_RELAXED);
        }
    }
    return argument;
}

static void test_semaphore(void)
{
    taken = 0;
    run(THREADS, make_or_take);
    CHECK_EQUAL(taken, (uint64_t)THREADS / 2 * ROUNDS * (ROUNDS + 1) / 2);
    CHECK_EQUAL(ftl_semaphore_take_until(&filled, after(MS)), FTL_ERR_TIMED_OUT);
}

static ftl_once_t once;
static unsigned ran;

static void note_run(void)
{
    ftl_thread_yield();
    __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
}

static void *run_once(void *argument)
{
    ftl_once(&once, note_run);
    CHECK_EQUAL(__atomic_load_n(&ran, __ATOMIC_RELAXED), 1);
    return argument;
}

static void test_once(void)
{
    for (int i = 0; i < 20; i++) {
        once = (ftl_once_t)FTL_ONCE_INIT;
        ran = 0;
        run(THREADS, run_once);
    }
}

void test_sync(void)
{
    test_mutex();
    test_condition();
    test_semaphore();
    test_once();
}
