/* A thousand threads in one process, within the memory that every app may use. */
#include <ftl/futex.h>
#include <ftl/handle.h>
#include <ftl/sync.h>
#include <ftl/thread.h>
#include <pthread.h>
#include <stdio.h>

#include "threadtest.h"

#define THREADS   1000
#define BYTES_MAX 4096 /* of the kernel's for each, stacks are the process's own */
#define ROUNDS    3

static _Alignas(16) char stacks[THREADS][RAW_STACK_SIZE];
static ftl_handle_t threads[THREADS];
static uint32_t go;      /* futex word */
static uint32_t arrived; /* threads that wait for it */
static uint64_t sum;

static _Noreturn void add(uint64_t argument)
{
    __atomic_fetch_add(&arrived, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&go, __ATOMIC_ACQUIRE) == 0) {
        ftl_futex_wait((uintptr_t)&go, 0, FTL_TIME_INFINITE);
    }
    __atomic_fetch_add(&sum, argument, __ATOMIC_RELAXED);
    ftl_thread_exit(0);
}

/* Returns what a thread costs in the kernel. */
static uint64_t run_raw(void)
{
    uint64_t before = process_info().memory_used;
    go = 0;
    arrived = 0;
    sum = 0;
    for (uint64_t i = 0; i < THREADS; i++) {
        threads[i] = raw_start(add, i, stacks[i]);
    }
    while (__atomic_load_n(&arrived, __ATOMIC_RELAXED) < THREADS) {
        ftl_thread_yield();
    }
    CHECK_EQUAL(process_info().threads, 1 + THREADS);
    uint64_t each = (process_info().memory_used - before) / THREADS;
    uint32_t woken;
    __atomic_store_n(&go, 1, __ATOMIC_RELEASE);
    CHECK_OK(ftl_futex_wake((uintptr_t)&go, UINT32_MAX, &woken));
    for (uint64_t i = 0; i < THREADS; i++) {
        join(threads[i]);
    }
    CHECK_EQUAL(sum, (uint64_t)THREADS * (THREADS - 1) / 2);
    CHECK_EQUAL(process_info().threads, 1);
    return each;
}

static ftl_mutex_t mutex;
static ftl_condition_t changed;
static unsigned started; /* protected by the mutex */
static _Thread_local int own = 7;

/* Ends when all have started, each with its own variables. */
static void *meet(void *argument)
{
    own += (int)(uintptr_t)argument;
    ftl_mutex_lock(&mutex);
    if (++started == THREADS) {
        ftl_condition_broadcast(&changed);
    }
    while (started < THREADS) {
        ftl_condition_wait(&changed, &mutex);
    }
    ftl_mutex_unlock(&mutex);
    CHECK_EQUAL(own, 7 + (int)(uintptr_t)argument);
    return argument;
}

static void run_pthreads(void)
{
    static pthread_t made[THREADS];
    started = 0;
    for (uintptr_t i = 0; i < THREADS; i++) {
        CHECK_EQUAL(pthread_create(&made[i], NULL, meet, (void *)i), 0);
    }
    for (uintptr_t i = 0; i < THREADS; i++) {
        void *result = NULL;
        CHECK_EQUAL(pthread_join(made[i], &result), 0);
        CHECK_EQUAL((uintptr_t)result, i);
    }
    CHECK_EQUAL(own, 7);
}

void test_many(void)
{
    run_raw(); /* touches the stacks */
    uint64_t each = run_raw();
    printf("many: %llu bytes of the kernel's for each thread\n", (unsigned long long)each);
    CHECK(each > 0 && each < BYTES_MAX);
    uint64_t before = process_info().memory_used;
    for (int i = 0; i < ROUNDS; i++) {
        run_raw();
    }
    CHECK_EQUAL(process_info().memory_used, before);
    run_pthreads();
}
