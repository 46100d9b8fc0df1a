/* The fair lock of the file server, between threads of the host. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftl/futex.h>
#include <ftl/status.h>

#include "user/servers/files/turns.h"

#define THREADS 8
#define ROUNDS  20000

static struct turns turns;

/* ---- The kernel's part ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t woken = PTHREAD_COND_INITIALIZER;

ftl_status_t ftl_futex_wait(uintptr_t word, uint32_t expected, ftl_nsec_t deadline)
{
    (void)deadline;
    pthread_mutex_lock(&mutex);
    if (__atomic_load_n((uint32_t *)word, __ATOMIC_SEQ_CST) == expected) {
        pthread_cond_wait(&woken, &mutex); /* may end for nothing, as the kernel's may */
    }
    pthread_mutex_unlock(&mutex);
    return FTL_OK;
}

ftl_status_t ftl_futex_wake(uintptr_t word, uint32_t count, uint32_t *number)
{
    (void)word;
    (void)count;
    *number = 0;
    pthread_mutex_lock(&mutex);
    pthread_cond_broadcast(&woken);
    pthread_mutex_unlock(&mutex);
    return FTL_OK;
}

/* ---- Tests ---- */

static unsigned long counter; /* the lock guards it */

static void *count(void *argument)
{
    (void)argument;
    for (int i = 0; i < ROUNDS; i++) {
        turns_take(&turns);
        counter++;
        turns_pass(&turns);
    }
    return NULL;
}

static void one_thread_has_it_at_a_time_and_all_come_to_have_it(void **state)
{
    pthread_t threads[THREADS];
    (void)state;
    turns.next = turns.now = UINT32_MAX - 1000; /* numbers begin anew meanwhile */
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(counter, THREADS * ROUNDS);
}

static int order[THREADS];
static int arrived;

static void *note(void *argument)
{
    turns_take(&turns);
    order[arrived++] = *(int *)argument;
    turns_pass(&turns);
    return NULL;
}

static void it_goes_to_those_who_wait_in_the_order_of_their_coming(void **state)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];
    (void)state;
    turns_take(&turns);
    uint32_t first = turns.next;
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, note, &numbers[i]), 0);
        while (__atomic_load_n(&turns.next, __ATOMIC_SEQ_CST) != first + (uint32_t)i + 1) {
        }
    }
    turns_pass(&turns);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(order[i], i);
    }
}

static bool had_it;

static void *wait_once(void *argument)
{
    (void)argument;
    turns_take(&turns);
    had_it = true;
    turns_pass(&turns);
    return NULL;
}

static void who_is_always_busy_goes_ahead_of_who_waits_only_so_often(void **state)
{
    pthread_t thread;
    unsigned ahead = 0;
    (void)state;
    turns_take(&turns);
    assert_int_equal(pthread_create(&thread, NULL, wait_once, NULL), 0);
    while (__atomic_load_n(&turns.waiters, __ATOMIC_SEQ_CST) == 0) {
    }
    while (!had_it) {
        turns_pass(&turns);
        turns_take(&turns);
        ahead++;
    }
    turns_pass(&turns);
    pthread_join(thread, NULL);
    assert_in_range(ahead, 1, TURNS_AHEAD + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_has_it_at_a_time_and_all_come_to_have_it),
        cmocka_unit_test(who_is_always_busy_goes_ahead_of_who_waits_only_so_often),
        cmocka_unit_test(it_goes_to_those_who_wait_in_the_order_of_their_coming),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
