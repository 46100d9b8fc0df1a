/* kernel/spinlock.c, with the lock-order check of debug builds (FTL_DEBUG). */
#include "host/test.h"

#include <pthread.h>
#include <sched.h>

#include "arch/hart.h"
#include "kernel/spinlock.h"

#define THREADS 4
#define TURNS   4000

static struct spinlock counter_lock = SPINLOCK_INIT(LOCK_RUN_QUEUE);
static unsigned long counter;

static void *count(void *argument)
{
    host_hart_index = (unsigned)(uintptr_t)argument;
    for (int i = 0; i < TURNS; i++) {
        spin_lock(&counter_lock);
        unsigned long seen = counter;
        if (i % 16 == 0) {
            sched_yield(); /* lets the others in, but for the lock */
        }
        counter = seen + 1;
        spin_unlock(&counter_lock);
    }
    spin_assert_none_held();
    return NULL;
}

static void spin_lock_excludes_other_harts(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count, (void *)(i + 1)), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(counter, THREADS * TURNS);
}

static void spin_try_lock_fails_on_a_held_lock(void **state)
{
    (void)state;
    struct spinlock lock;
    spin_init(&lock, LOCK_VMO);
    assert_true(spin_try_lock(&lock));
    assert_true(spin_is_held(&lock));
    host_hart_index = 1;
    assert_false(spin_try_lock(&lock));
    assert_false(spin_is_held(&lock)); /* not by this hart */
    host_hart_index = 0;
    spin_unlock(&lock);
    assert_false(spin_is_held(&lock));
    assert_true(spin_try_lock(&lock));
    spin_unlock(&lock);
}

static void spin_lock_twice_panics(void **state)
{
    (void)state;
    struct spinlock lock;
    spin_init(&lock, LOCK_VMO);
    spin_lock(&lock);
    assert_panics(spin_lock(&lock));
    spin_unlock(&lock);
}

static void spin_lock_against_the_order_panics(void **state)
{
    (void)state;
    struct spinlock outer;
    struct spinlock inner;
    struct spinlock same;
    spin_init(&outer, LOCK_PROCESS);
    spin_init(&inner, LOCK_SLAB);
    spin_init(&same, LOCK_SLAB);

    spin_lock(&outer);
    spin_lock(&inner);
    assert_panics(spin_lock(&same));
    spin_unlock(&outer); /* any order of release is fine */
    assert_panics(spin_lock(&outer));
    spin_unlock(&inner);
    spin_lock(&same);
    spin_unlock(&same);
    spin_assert_none_held();
}

static void spin_try_lock_may_break_the_order(void **state)
{
    (void)state;
    struct spinlock outer;
    struct spinlock inner;
    spin_init(&outer, LOCK_PROCESS);
    spin_init(&inner, LOCK_SLAB);
    spin_lock(&inner);
    assert_true(spin_try_lock(&outer));
    spin_unlock(&inner);
    spin_unlock(&outer);
    spin_assert_none_held();
}

static void spin_unlock_of_a_lock_of_another_hart_panics(void **state)
{
    (void)state;
    struct spinlock lock;
    spin_init(&lock, LOCK_VMO);
    spin_lock(&lock);
    host_hart_index = 1;
    assert_panics(spin_unlock(&lock));
    host_hart_index = 0;
    spin_unlock(&lock);
}

static void spin_assert_none_held_panics_with_a_lock_held(void **state)
{
    (void)state;
    struct spinlock lock;
    spin_init(&lock, LOCK_VMO);
    spin_lock(&lock);
    assert_panics(spin_assert_none_held());
    spin_unlock(&lock);
    spin_assert_none_held();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spin_lock_excludes_other_harts),
        cmocka_unit_test(spin_try_lock_fails_on_a_held_lock),
        cmocka_unit_test(spin_lock_twice_panics),
        cmocka_unit_test(spin_lock_against_the_order_panics),
        cmocka_unit_test(spin_try_lock_may_break_the_order),
        cmocka_unit_test(spin_unlock_of_a_lock_of_another_hart_panics),
        cmocka_unit_test(spin_assert_none_held_panics_with_a_lock_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
