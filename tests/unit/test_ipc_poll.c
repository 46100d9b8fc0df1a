/* ipc/poll.c, over notifications. */
#include "ipc_fakes.h"

#include "calls.gen.h"

#include "host/slab.h"
#include "ipc/notification.h"
#include "ipc/poll.h"

#define MANY 10000u

static ftl_handle_t poll_handle;
static struct poll *poll;
static ftl_handle_t source_handles[3];
static struct notification *sources[3];
static struct ftl_poll_event events[FTL_POLL_EVENTS_MAX];

static int setup(void **state)
{
    fake_setup(state);
    poll_handle = fake_ok(sys_poll_create());
    poll = fake_object(poll_handle);
    for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
        source_handles[i] = fake_ok(sys_notification_create());
        sources[i] = fake_object(source_handles[i]);
    }
    return 0;
}

static uint64_t add(size_t source, uint32_t flags, uint64_t word)
{
    return fake_ok(sys_poll_add(poll, &sources[source]->object, FTL_SIGNAL_READABLE | flags, word));
}

static void set(size_t source)
{
    notification_signal(sources[source], 1);
}

static void unset(size_t source)
{
    spin_lock(&sources[source]->object.lock); /* as its decoder does */
    assert_value(sys_notification_clear(sources[source], 1), 1);
}

static struct call_result wait_until(nsec_t deadline)
{
    memset(events, 0xff, sizeof(events));
    return sys_poll_wait(poll, (vaddr_t)events, FTL_POLL_EVENTS_MAX, deadline);
}

/* What is ready is this one event. */
static void assert_event(uint64_t word)
{
    assert_value(wait_until(0), 1);
    assert_int_equal(events[0].word, word);
    assert_int_equal(events[0].signals, FTL_SIGNAL_READABLE);
    assert_int_equal(events[0].reserved, 0);
}

static void assert_nothing(void)
{
    assert_status(wait_until(0), FTL_ERR_WOULD_BLOCK);
}

static void poll_level_reports_as_long_as_the_signal_is_set(void **state)
{
    (void)state;
    add(0, 0, 7);
    assert_nothing();
    set(0);
    assert_event(7);
    assert_event(7);
    unset(0);
    assert_nothing();
    set(0);
    assert_event(7);
}

static void poll_edge_reports_once_each_time_it_is_set(void **state)
{
    (void)state;
    add(0, FTL_POLL_EDGE, 7);
    set(0);
    assert_event(7);
    assert_nothing();
    set(0); /* again, though set already */
    assert_event(7);
    assert_nothing();
    set(0);
    unset(0); /* and gone before anybody looked: nothing to report */
    assert_nothing();
    set(0);
    assert_event(7);
}

static void poll_add_reports_what_is_set_already(void **state)
{
    (void)state;
    set(0);
    set(1);
    add(0, 0, 1);
    assert_event(1);
    unset(0);
    add(1, FTL_POLL_EDGE, 2);
    assert_event(2);
    assert_nothing();
}

static void poll_signals_of_no_interest_are_not_reported(void **state)
{
    (void)state;
    fake_ok(sys_poll_add(poll, &sources[0]->object, FTL_SIGNAL_EXITED, 0));
    set(0);
    assert_nothing();
}

static void poll_modify_changes_interest_word_and_trigger(void **state)
{
    (void)state;
    uint64_t entry = add(0, FTL_POLL_EDGE, 1);
    set(0);
    assert_event(1);
    assert_status(sys_poll_modify(poll, entry, FTL_SIGNAL_READABLE | FTL_POLL_EDGE, 2), FTL_OK);
    assert_event(2); /* set now counts as set anew */
    assert_nothing();
    assert_status(sys_poll_modify(poll, entry, FTL_SIGNAL_READABLE, 3), FTL_OK);
    assert_event(3);
    assert_event(3);
    assert_status(sys_poll_modify(poll, entry, FTL_SIGNAL_EXITED, 4), FTL_OK);
    assert_nothing();
}

static void poll_removed_entry_reports_nothing_and_its_name_is_not_reused(void **state)
{
    (void)state;
    uint64_t entry = add(0, 0, 1);
    set(0);
    assert_status(sys_poll_remove(poll, entry), FTL_OK);
    assert_nothing();
    uint64_t next = add(1, 0, 2);
    assert_int_not_equal(entry, next);
    assert_status(sys_poll_remove(poll, entry), FTL_ERR_NOT_FOUND);
    assert_status(sys_poll_modify(poll, entry, 0, 0), FTL_ERR_NOT_FOUND);
    assert_status(sys_poll_remove(poll, UINT64_MAX), FTL_ERR_NOT_FOUND);
    assert_status(sys_poll_remove(poll, 0), FTL_ERR_NOT_FOUND);
    set(1);
    assert_event(2);
    assert_status(sys_poll_remove(poll, next), FTL_OK);
}

static void poll_may_watch_one_object_twice(void **state)
{
    (void)state;
    add(0, 0, 1);
    add(0, FTL_POLL_EDGE, 2);
    set(0);
    assert_value(wait_until(0), 2);
    assert_event(1);
}

static void poll_of_polls_is_refused(void **state)
{
    (void)state;
    assert_status(sys_poll_add(poll, &poll->object, FTL_SIGNAL_READABLE, 0), FTL_ERR_NOT_SUPPORTED);
}

static void poll_keeps_objects_alive_and_lets_go_of_them_at_its_end(void **state)
{
    (void)state;
    add(0, 0, 1);
    set(0);
    fake_close(source_handles[0]);
    assert_event(1);
    fake_close(poll_handle);
}

static void poll_wait_stops_until_something_is_ready(void **state)
{
    (void)state;
    add(0, 0, 5);
    assert_status(wait_until(FTL_TIME_INFINITE), CALL_STOPPED);
    fake_switch(1);
    set(0);
    assert_value(fake_run(0), 1);
    assert_int_equal(events[0].word, 5);
}

static void poll_wait_stops_again_when_another_was_faster(void **state)
{
    (void)state;
    add(0, FTL_POLL_EDGE, 5);
    assert_status(wait_until(FTL_TIME_INFINITE), CALL_STOPPED);
    fake_switch(1);
    set(0);
    assert_event(5);
    assert_status(fake_run(0), CALL_STOPPED);
    assert_false(fake_is_ready(0));
    set(0);
    assert_value(fake_run(0), 1);
}

static void poll_wait_times_out(void **state)
{
    (void)state;
    add(0, 0, 5);
    assert_status(wait_until(10), CALL_STOPPED);
    assert_status(fake_expire(0), FTL_ERR_TIMED_OUT);
    assert_status(wait_until(10), CALL_STOPPED);
    set(0);
    assert_value(fake_expire(0), 1); /* at the last moment */
}

static void poll_wakes_a_waiter_for_each_event(void **state)
{
    (void)state;
    add(0, FTL_POLL_EDGE, 1);
    add(1, FTL_POLL_EDGE, 2);
    for (unsigned i = 0; i < 3; i++) {
        fake_switch(i);
        assert_status(sys_poll_wait(poll, (vaddr_t)&events[i], 1, FTL_TIME_INFINITE), CALL_STOPPED);
    }
    set(0);
    assert_true(fake_is_ready(0));
    assert_false(fake_is_ready(1));
    set(1);
    assert_true(fake_is_ready(1));
    assert_value(fake_run(1), 1);
    assert_value(fake_run(0), 1);
    assert_int_equal(events[1].word, 1);
    assert_int_equal(events[0].word, 2);
}

static void poll_waiter_killed_after_its_wake_up_passes_it_on(void **state)
{
    (void)state;
    add(0, FTL_POLL_EDGE, 1);
    for (unsigned i = 0; i < 2; i++) {
        fake_switch(i);
        assert_status(wait_until(FTL_TIME_INFINITE), CALL_STOPPED);
    }
    set(0);
    assert_false(fake_is_ready(1));
    fake_kill(0);
    assert_true(fake_is_ready(1));
    assert_value(fake_run(1), 1);
}

static void poll_wait_needs_room_for_an_event(void **state)
{
    (void)state;
    assert_status(sys_poll_wait(poll, (vaddr_t)events, 0, 0), FTL_ERR_INVALID_ARGUMENT);
    add(0, 0, 1);
    set(0);
    assert_status(sys_poll_wait(poll, 0, 1, 0), FTL_ERR_BAD_ADDRESS);
}

static void poll_entries_take_turns_when_there_is_not_room_for_all(void **state)
{
    (void)state;
    unsigned seen[3] = { 0 };
    for (size_t i = 0; i < 3; i++) {
        add(i, 0, i);
        set(i);
    }
    for (int i = 0; i < 6; i++) {
        assert_value(sys_poll_wait(poll, (vaddr_t)events, 1, 0), 1);
        seen[events[0].word]++;
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(seen[i], 2);
    }
}

static void poll_of_many_sources_looks_at_the_ready_ones_only(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < MANY; i++) {
        add(i % 2 == 0 ? 0 : 1, FTL_POLL_EDGE, i);
    }
    uint64_t last = add(2, 0, MANY);
    set(2);
    assert_int_equal(poll->ready_count, 1);
    assert_event(MANY);
    assert_status(sys_poll_remove(poll, last), FTL_OK);
    set(1);
    bool *seen = calloc(MANY, sizeof(*seen));
    for (uint32_t left = MANY / 2; left > 0;) {
        uint64_t count = fake_ok(wait_until(0));
        for (uint64_t i = 0; i < count; i++) {
            assert_int_equal(events[i].word % 2, 1);
            assert_false(seen[events[i].word]);
            seen[events[i].word] = true;
        }
        left -= (uint32_t)count;
    }
    free(seen);
    assert_nothing();
}

static void poll_add_without_memory_fails_and_changes_nothing(void **state)
{
    (void)state;
    for (long budget = 0; budget < 2; budget++) {
        host_alloc_budget = budget;
        assert_status(sys_poll_add(poll, &sources[0]->object, 1, 0), FTL_ERR_NO_MEMORY);
    }
    host_alloc_budget = -1;
    for (size_t more = 0; more < 256; more += 128) {
        fake_processes[0].account->limit = fake_processes[0].account->used + more;
        assert_status(sys_poll_add(poll, &sources[0]->object, 1, 0), FTL_ERR_LIMIT);
    }
    fake_processes[0].account->limit = fake_processes[0].account->used;
    assert_status(sys_poll_create(), FTL_ERR_LIMIT);
    fake_processes[0].account->limit = UINT64_MAX;
    host_alloc_budget = 0;
    assert_status(sys_poll_create(), FTL_ERR_NO_MEMORY);
    host_alloc_budget = -1;
    add(0, 0, 9);
    set(0);
    assert_event(9);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(poll_level_reports_as_long_as_the_signal_is_set),
        TEST(poll_edge_reports_once_each_time_it_is_set),
        TEST(poll_add_reports_what_is_set_already),
        TEST(poll_signals_of_no_interest_are_not_reported),
        TEST(poll_modify_changes_interest_word_and_trigger),
        TEST(poll_removed_entry_reports_nothing_and_its_name_is_not_reused),
        TEST(poll_may_watch_one_object_twice),
        TEST(poll_of_polls_is_refused),
        TEST(poll_keeps_objects_alive_and_lets_go_of_them_at_its_end),
        TEST(poll_wait_stops_until_something_is_ready),
        TEST(poll_wait_stops_again_when_another_was_faster),
        TEST(poll_wait_times_out),
        TEST(poll_wakes_a_waiter_for_each_event),
        TEST(poll_waiter_killed_after_its_wake_up_passes_it_on),
        TEST(poll_wait_needs_room_for_an_event),
        TEST(poll_entries_take_turns_when_there_is_not_room_for_all),
        TEST(poll_of_many_sources_looks_at_the_ready_ones_only),
        TEST(poll_add_without_memory_fails_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
