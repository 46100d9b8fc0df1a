/* ipc/notification.c */
#include "ipc_fakes.h"

#include "calls.gen.h"

#include "host/slab.h"
#include "ipc/notification.h"

static ftl_handle_t handle;
static struct notification *notification;

/* As its decoder gives it to a call. */
static struct notification *locked(void)
{
    spin_lock(&notification->object.lock);
    return notification;
}

static int setup(void **state)
{
    fake_setup(state);
    handle = fake_ok(sys_notification_create());
    notification = fake_object(handle);
    return 0;
}

static void notification_wait_takes_the_bits_of_its_mask(void **state)
{
    (void)state;
    assert_status(sys_notification_signal(locked(), 0xf0), FTL_OK);
    assert_int_equal(object_signals(&notification->object), FTL_SIGNAL_READABLE);
    assert_value(sys_notification_wait(locked(), 0x3f, FTL_TIME_INFINITE), 0x30);
    assert_int_equal(object_signals(&notification->object), FTL_SIGNAL_READABLE);
    assert_value(sys_notification_wait(locked(), UINT64_MAX, FTL_TIME_INFINITE), 0xc0);
    assert_int_equal(object_signals(&notification->object), 0);
}

static void notification_wait_for_nothing_is_refused(void **state)
{
    (void)state;
    assert_status(sys_notification_wait(locked(), 0, FTL_TIME_INFINITE), FTL_ERR_INVALID_ARGUMENT);
}

static void notification_wait_without_time_would_block(void **state)
{
    (void)state;
    assert_status(sys_notification_signal(locked(), 2), FTL_OK);
    assert_status(sys_notification_wait(locked(), 1, 0), FTL_ERR_WOULD_BLOCK);
    assert_value(sys_notification_wait(locked(), 2, 0), 2);
}

static void notification_signal_wakes_the_first_that_waits_for_the_bit(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        fake_switch(i);
        uint64_t mask = i == 0 ? 1 : 6;
        assert_status(sys_notification_wait(locked(), mask, FTL_TIME_INFINITE), CALL_STOPPED);
    }
    fake_switch(3);
    assert_status(sys_notification_signal(locked(), 2), FTL_OK);
    assert_false(fake_is_ready(0));
    assert_true(fake_is_ready(1));
    assert_false(fake_is_ready(2));
    assert_int_equal(object_signals(&notification->object), 0); /* taken at once */
    assert_status(sys_notification_signal(locked(), 5), FTL_OK);
    assert_value(fake_run(0), 1);
    assert_value(fake_run(1), 2);
    assert_value(fake_run(2), 4);
}

static void notification_wait_times_out(void **state)
{
    (void)state;
    assert_status(sys_notification_wait(locked(), 1, 5), CALL_STOPPED);
    assert_status(fake_expire(0), FTL_ERR_TIMED_OUT);
    assert_status(sys_notification_signal(locked(), 1), FTL_OK);
    assert_value(sys_notification_clear(locked(), 0), 1); /* nobody took it */
}

static void notification_bits_given_just_before_the_deadline_are_not_lost(void **state)
{
    (void)state;
    assert_status(sys_notification_wait(locked(), 1, 5), CALL_STOPPED);
    assert_status(sys_notification_signal(locked(), 1), FTL_OK);
    assert_value(fake_expire(0), 1);
}

static void notification_outlives_its_handle_while_waited_for(void **state)
{
    (void)state;
    assert_status(sys_notification_wait(locked(), 1, 5), CALL_STOPPED);
    fake_close(handle);
    assert_status(fake_expire(0), FTL_ERR_TIMED_OUT);
}

static void notification_waiter_may_be_killed(void **state)
{
    (void)state;
    assert_status(sys_notification_wait(locked(), 1, 5), CALL_STOPPED);
    fake_kill(0);
    fake_switch(1);
    assert_status(sys_notification_signal(locked(), 1), FTL_OK);
    assert_value(sys_notification_wait(locked(), 1, 0), 1);
}

static void notification_signal_and_wait_wakes_one_and_waits_for_the_other(void **state)
{
    (void)state;
    ftl_handle_t other = fake_ok(sys_notification_create());
    assert_status(sys_notification_wait(locked(), 6, FTL_TIME_INFINITE), CALL_STOPPED);
    fake_switch(1);
    assert_status(sys_notification_signal_and_wait(handle, 2, other, 1, FTL_TIME_INFINITE),
                  CALL_STOPPED);
    assert_value(fake_run(0), 2);
    assert_status(sys_notification_signal_and_wait(other, 5, handle, 1, 7), CALL_STOPPED);
    assert_value(fake_run(1), 1);
    assert_value(sys_notification_signal_and_wait(handle, 2, other, 4, FTL_TIME_INFINITE), 4);
    assert_status(fake_expire(0), FTL_ERR_TIMED_OUT);
    assert_value(sys_notification_signal_and_wait(handle, 1, handle, UINT64_MAX, 0), 3);
    fake_close(other);
}

static ftl_handle_t duplicate(ftl_rights_t rights)
{
    ftl_handle_t copy;
    assert_int_equal(handle_duplicate(&process_current()->handles, handle, rights, &copy), FTL_OK);
    return copy;
}

static void notification_signal_and_wait_does_nothing_when_it_is_refused(void **state)
{
    (void)state;
    ftl_handle_t mute = duplicate(FTL_RIGHT_READ);
    ftl_handle_t deaf = duplicate(FTL_RIGHT_WRITE);
    assert_status(sys_notification_signal_and_wait(mute, 1, handle, 1, 0), FTL_ERR_MISSING_RIGHT);
    assert_status(sys_notification_signal_and_wait(handle, 1, deaf, 1, 0), FTL_ERR_MISSING_RIGHT);
    assert_status(sys_notification_signal_and_wait(handle, 1, handle, 0, 0),
                  FTL_ERR_INVALID_ARGUMENT);
    assert_value(sys_notification_clear(locked(), UINT64_MAX), 0);
    assert_status(sys_notification_signal_and_wait(handle, 1, handle, 2, 0), FTL_ERR_WOULD_BLOCK);
    assert_value(sys_notification_clear(locked(), UINT64_MAX), 1);
    fake_close(mute);
    fake_close(deaf);
}

static void notification_clear_returns_the_former_word(void **state)
{
    (void)state;
    assert_status(sys_notification_signal(locked(), 0x8000000000000003), FTL_OK);
    assert_value(sys_notification_clear(locked(), 1), 0x8000000000000003);
    assert_value(sys_notification_clear(locked(), UINT64_MAX), 0x8000000000000002);
    assert_int_equal(object_signals(&notification->object), 0);
    assert_value(sys_notification_clear(locked(), UINT64_MAX), 0);
}

static void notification_create_without_memory_fails(void **state)
{
    (void)state;
    host_alloc_budget = 0;
    assert_status(sys_notification_create(), FTL_ERR_NO_MEMORY);
    host_alloc_budget = -1;
    fake_processes[0].account->limit = fake_processes[0].account->used;
    assert_status(sys_notification_create(), FTL_ERR_LIMIT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(notification_wait_takes_the_bits_of_its_mask),
        TEST(notification_wait_for_nothing_is_refused),
        TEST(notification_wait_without_time_would_block),
        TEST(notification_signal_wakes_the_first_that_waits_for_the_bit),
        TEST(notification_wait_times_out),
        TEST(notification_bits_given_just_before_the_deadline_are_not_lost),
        TEST(notification_outlives_its_handle_while_waited_for),
        TEST(notification_waiter_may_be_killed),
        TEST(notification_signal_and_wait_wakes_one_and_waits_for_the_other),
        TEST(notification_signal_and_wait_does_nothing_when_it_is_refused),
        TEST(notification_clear_returns_the_former_word),
        TEST(notification_create_without_memory_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
