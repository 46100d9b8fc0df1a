/* ipc/timer.c, and timers that stay in their queue (kernel/timer_queue.c). */
#include "ipc_fakes.h"

#include "arch/timer.h"

#include "calls.gen.h"

#include "host/slab.h"
#include "ipc/timer.h"

#define MS ((nsec_t)1000000)

static ftl_handle_t handle;
static struct timer_object *timer;

static int setup(void **state)
{
    fake_setup(state);
    host_time = 0;
    handle = fake_ok(sys_timer_create());
    timer = fake_object(handle);
    return 0;
}

/* The timer interrupt at this time. Returns the next deadline. */
static nsec_t interrupt_at(nsec_t now)
{
    host_time = now;
    return timer_queue_run(&fake_timers, now);
}

static bool is_readable(void)
{
    return (object_signals(&timer->object) & FTL_SIGNAL_READABLE) != 0;
}

static void timer_expires_once(void **state)
{
    (void)state;
    assert_status(sys_timer_set(timer, 10 * MS, 0), FTL_OK);
    assert_int_equal(interrupt_at(10 * MS - 1), 10 * MS);
    assert_false(is_readable());
    assert_value(sys_timer_read(timer), 0);
    assert_int_equal(interrupt_at(10 * MS), FTL_TIME_INFINITE);
    assert_true(is_readable());
    assert_value(sys_timer_read(timer), 1);
    assert_false(is_readable());
    assert_int_equal(interrupt_at(50 * MS), FTL_TIME_INFINITE);
    assert_value(sys_timer_read(timer), 0);
}

static void timer_periodic_counts_and_keeps_its_beat(void **state)
{
    (void)state;
    assert_status(sys_timer_set(timer, 10 * MS, 3 * MS), FTL_OK);
    assert_int_equal(interrupt_at(10 * MS), 13 * MS);
    assert_int_equal(interrupt_at(13 * MS + 1), 16 * MS);
    assert_value(sys_timer_read(timer), 2);
    assert_int_equal(interrupt_at(26 * MS), 28 * MS); /* late: 16, 19, 22, 25 */
    assert_value(sys_timer_read(timer), 4);
    assert_status(sys_timer_cancel(timer), FTL_OK);
    assert_int_equal(interrupt_at(40 * MS), FTL_TIME_INFINITE);
}

static void timer_whose_next_deadline_is_beyond_time_stops(void **state)
{
    (void)state;
    assert_status(sys_timer_set(timer, 10 * MS, INT64_MAX - MS), FTL_OK);
    assert_int_equal(interrupt_at(10 * MS), FTL_TIME_INFINITE);
    assert_value(sys_timer_read(timer), 1);
}

static void timer_set_forgets_what_was(void **state)
{
    (void)state;
    assert_status(sys_timer_set(timer, 10 * MS, 0), FTL_OK);
    interrupt_at(10 * MS);
    assert_status(sys_timer_set(timer, 20 * MS, 0), FTL_OK);
    assert_false(is_readable());
    assert_status(sys_timer_set(timer, 30 * MS, 0), FTL_OK);
    assert_int_equal(interrupt_at(20 * MS), 30 * MS);
    assert_value(sys_timer_read(timer), 0);
}

static void timer_cancelled_does_not_expire(void **state)
{
    (void)state;
    assert_status(sys_timer_set(timer, 10 * MS, MS), FTL_OK);
    interrupt_at(10 * MS);
    assert_status(sys_timer_cancel(timer), FTL_OK);
    assert_false(is_readable());
    assert_int_equal(interrupt_at(20 * MS), FTL_TIME_INFINITE);
    assert_value(sys_timer_read(timer), 0);
}

static void timer_period_too_short_is_refused(void **state)
{
    (void)state;
    assert_status(sys_timer_set(timer, MS, FTL_TIMER_PERIOD_MIN - 1), FTL_ERR_INVALID_ARGUMENT);
    assert_status(sys_timer_set(timer, MS, -1), FTL_ERR_INVALID_ARGUMENT);
    assert_status(sys_timer_set(timer, -1, 0), FTL_ERR_INVALID_ARGUMENT);
    assert_status(sys_timer_set(timer, MS, FTL_TIMER_PERIOD_MIN), FTL_OK);
}

static void timer_closed_while_set_leaves_the_queue(void **state)
{
    (void)state;
    assert_status(sys_timer_set(timer, 10 * MS, MS), FTL_OK);
    fake_close(handle);
    assert_null(fake_timers.root);
}

static void timers_expire_in_order_with_periodic_ones_between(void **state)
{
    (void)state;
    ftl_handle_t once = fake_ok(sys_timer_create());
    struct timer_object *other = fake_object(once);
    assert_status(sys_timer_set(timer, 2 * MS, 2 * MS), FTL_OK);
    assert_status(sys_timer_set(other, 5 * MS, 0), FTL_OK);
    for (nsec_t now = MS; now <= 10 * MS; now += MS) {
        interrupt_at(now);
        assert_int_equal(timer->expired, now / (2 * MS));
        assert_int_equal(other->expired, now >= 5 * MS);
    }
}

static void timer_create_without_memory_fails(void **state)
{
    (void)state;
    host_alloc_budget = 0;
    assert_status(sys_timer_create(), FTL_ERR_NO_MEMORY);
    host_alloc_budget = -1;
    fake_processes[0].account->limit = fake_processes[0].account->used;
    assert_status(sys_timer_create(), FTL_ERR_LIMIT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(timer_expires_once),
        TEST(timer_periodic_counts_and_keeps_its_beat),
        TEST(timer_whose_next_deadline_is_beyond_time_stops),
        TEST(timer_set_forgets_what_was),
        TEST(timer_cancelled_does_not_expire),
        TEST(timer_period_too_short_is_refused),
        TEST(timer_closed_while_set_leaves_the_queue),
        TEST(timers_expire_in_order_with_periodic_ones_between),
        TEST(timer_create_without_memory_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
