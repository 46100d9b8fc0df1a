/* Threads and what they synchronize with. */
#define _GNU_SOURCE
#include "selftest.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>

#define THREADS      8
#define INCREMENTS   2000
#define GENERATIONS  50
#define ROUNDS       200
#define NSEC_PER_SEC 1000000000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int shared;
static _Thread_local int own = 3;

static void *increment(void *argument)
{
    for (int i = 0; i < INCREMENTS; i++) {
        pthread_mutex_lock(&mutex);
        int seen = shared;
        if (i % 16 == 0) {
            sched_yield();
        }
        shared = seen + 1;
        pthread_mutex_unlock(&mutex);
        own++;
    }
    *(int *)argument = own;
    return argument;
}

static bool a_mutex_excludes(void)
{
    pthread_t threads[THREADS];
    int results[THREADS];
    void *result;

    shared = 0;
    for (int i = 0; i < THREADS; i++) {
        EXPECT(pthread_create(&threads[i], NULL, increment, &results[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        EXPECT(pthread_join(threads[i], &result) == 0 && result == &results[i]);
        EXPECT(results[i] == 3 + INCREMENTS);
    }
    EXPECT(shared == THREADS * INCREMENTS && own == 3);
    return true;
}

/* Waits for its turn among all, passes the turn on. */
static void *take_turns(void *argument)
{
    int mine = (int)(intptr_t)argument;
    pthread_mutex_lock(&mutex);
    for (int round = 0; round < GENERATIONS; round++) {
        while (shared % THREADS != mine) {
            pthread_cond_wait(&changed, &mutex);
        }
        shared++;
        pthread_cond_broadcast(&changed);
    }
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static bool a_condition_wakes_all_that_wait(void)
{
    pthread_t threads[THREADS];
    shared = 0;
    for (int i = 0; i < THREADS; i++) {
        EXPECT(pthread_create(&threads[i], NULL, take_turns, (void *)(intptr_t)i) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }
    EXPECT(shared == THREADS * GENERATIONS);
    return true;
}

static bool waiting_ends_at_its_deadline(void)
{
    struct timespec deadline;
    EXPECT(clock_gettime(CLOCK_REALTIME, &deadline) == 0);
    deadline.tv_nsec += 10000000;
    if (deadline.tv_nsec >= NSEC_PER_SEC) {
        deadline.tv_nsec -= NSEC_PER_SEC;
        deadline.tv_sec++;
    }
    pthread_mutex_lock(&mutex);
    int error = pthread_cond_timedwait(&changed, &mutex, &deadline);
    pthread_mutex_unlock(&mutex);
    EXPECT(error == ETIMEDOUT);
    return true;
}

static sem_t finished;

static void *finish(void *argument)
{
    sem_post(&finished);
    return argument;
}

/* More stacks than fit into the process's memory: each must be given back by its own thread. */
static bool detached_threads_free_their_stacks(void)
{
    pthread_attr_t attributes;
    EXPECT(sem_init(&finished, 0, 0) == 0);
    EXPECT(pthread_attr_init(&attributes) == 0);
    EXPECT(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0);
    for (int i = 0; i < GENERATIONS; i++) {
        pthread_t thread;
        EXPECT(pthread_create(&thread, &attributes, finish, NULL) == 0);
        EXPECT(sem_wait(&finished) == 0);
    }
    EXPECT(pthread_attr_destroy(&attributes) == 0 && sem_destroy(&finished) == 0);
    return true;
}

static pthread_key_t key;
static int destroyed;

static void destroy(void *value)
{
    destroyed += *(int *)value;
}

static void *use_key(void *argument)
{
    pthread_setspecific(key, argument);
    return pthread_getspecific(key) == argument ? argument : NULL;
}

static bool thread_specific_values_are_destroyed(void)
{
    pthread_t thread;
    int value = 9;
    void *result;
    EXPECT(pthread_key_create(&key, destroy) == 0);
    EXPECT(pthread_create(&thread, NULL, use_key, &value) == 0);
    EXPECT(pthread_join(thread, &result) == 0 && result == &value);
    EXPECT(destroyed == 9 && pthread_getspecific(key) == NULL);
    EXPECT(pthread_key_delete(key) == 0);
    return true;
}

static void *wait_for_cancel(void *argument)
{
    struct timespec pause = { .tv_nsec = 1000000 };
    for (;;) {
        nanosleep(&pause, argument);
    }
}

static bool a_thread_can_be_cancelled(void)
{
    pthread_t thread;
    void *result;
    EXPECT(pthread_create(&thread, NULL, wait_for_cancel, NULL) == 0);
    EXPECT(pthread_cancel(thread) == 0);
    EXPECT(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
    return true;
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static int written; /* even, but while somebody has the lock alone */

static void *read_and_write(void *argument)
{
    intptr_t odd = 0;
    for (int i = 0; i < ROUNDS; i++) {
        if (i % 4 == 0) {
            pthread_rwlock_wrlock(&rwlock);
            written++;
            sched_yield();
            written++;
        } else {
            pthread_rwlock_rdlock(&rwlock);
            odd += written % 2;
        }
        pthread_rwlock_unlock(&rwlock);
    }
    (void)argument;
    return (void *)odd;
}

static bool a_lock_lets_many_read_or_one_write(void)
{
    pthread_t threads[THREADS];
    EXPECT(pthread_rwlock_rdlock(&rwlock) == 0 && pthread_rwlock_tryrdlock(&rwlock) == 0);
    EXPECT(pthread_rwlock_trywrlock(&rwlock) == EBUSY);
    EXPECT(pthread_rwlock_unlock(&rwlock) == 0 && pthread_rwlock_unlock(&rwlock) == 0);
    EXPECT(pthread_rwlock_trywrlock(&rwlock) == 0 && pthread_rwlock_tryrdlock(&rwlock) == EBUSY);
    EXPECT(pthread_rwlock_unlock(&rwlock) == 0);
    for (int i = 0; i < THREADS; i++) {
        EXPECT(pthread_create(&threads[i], NULL, read_and_write, NULL) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *odd;
        EXPECT(pthread_join(threads[i], &odd) == 0 && odd == NULL);
    }
    EXPECT(written == THREADS * 2 * ((ROUNDS + 3) / 4));
    return true;
}

static int return_double(void *argument)
{
    return *(int *)argument * 2;
}

static bool threads_of_c11_work(void)
{
    thrd_t thread;
    int value = 21;
    int result = 0;
    EXPECT(thrd_create(&thread, return_double, &value) == thrd_success);
    EXPECT(thrd_join(thread, &result) == thrd_success && result == 42);
    return true;
}

const struct check thread_checks[] = {
    { "a mutex excludes", a_mutex_excludes },
    { "a condition wakes all that wait", a_condition_wakes_all_that_wait },
    { "waiting ends at its deadline", waiting_ends_at_its_deadline },
    { "detached threads free their stacks", detached_threads_free_their_stacks },
    { "thread-specific values are destroyed", thread_specific_values_are_destroyed },
    { "a thread can be cancelled", a_thread_can_be_cancelled },
    { "a lock lets many read or one write", a_lock_lets_many_read_or_one_write },
    { "threads of C11 work", threads_of_c11_work },
    { 0 },
};
