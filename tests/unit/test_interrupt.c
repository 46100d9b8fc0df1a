/* Interrupt objects (ipc/interrupt.c) over the simulated interrupt controller. */
#include "sim/core.h"

#include <ftl/call_numbers.h>

#include "host/memory.h"
#include "ipc/interrupt.h"
#include "ipc/notification.h"
#include "kernel/system.h"

#define SOURCE 3
#define BITS   0x30

static struct core_counts before;
static struct process *process;
static ftl_handle_t system_handle, handle, notification;

static struct call_result call(unsigned number, uint64_t a0, uint64_t a1, uint64_t a2)
{
    return core_call(number, a0, a1, a2, 0, 0, 0);
}

static ftl_handle_t made(struct call_result result)
{
    assert_int_equal(result.status, FTL_OK);
    return result.value;
}

static int set_up(void **state)
{
    (void)state;
    before = core_count();
    process = core_process(FTL_ISOLATION_USER);
    core_enter(process);
    system_handle = core_handle(process, &system_get()->object, FTL_RIGHTS_ALL);
    handle = made(call(FTL_CALL_INTERRUPT_CREATE, system_handle, SOURCE, 0));
    notification = made(call(FTL_CALL_NOTIFICATION_CREATE, 0, 0, 0));
    return 0;
}

/* The process ends with all its handles. */
static int tear_down(void **state)
{
    (void)state;
    core_leave();
    object_put(&process->object);
    assert_false(sim_interrupt(SOURCE));
    core_check_counts(&before);
    return 0;
}

static bool is_readable(void)
{
    struct object *object;
    assert_int_equal(handle_lookup(handle, OBJECT_INTERRUPT, 0, &object), FTL_OK);
    bool readable = (object_signals(object) & FTL_SIGNAL_READABLE) != 0;
    object_put(object);
    return readable;
}

static uint64_t notified(void)
{
    return call(FTL_CALL_NOTIFICATION_CLEAR, notification, UINT64_MAX, 0).value;
}

static void interrupt_is_masked_until_it_is_acknowledged(void **state)
{
    (void)state;
    assert_false(is_readable());
    for (unsigned i = 0; i < 3; i++) {
        assert_true(sim_interrupt(SOURCE));
        assert_true(is_readable());
        assert_false(sim_interrupt(SOURCE));
        assert_int_equal(call(FTL_CALL_INTERRUPT_ACK, handle, 0, 0).status, FTL_OK);
        assert_false(is_readable());
    }
    assert_true(sim_interrupt(SOURCE));
}

static void source_has_one_owner_until_the_last_handle_is_closed(void **state)
{
    (void)state;
    assert_int_equal(call(FTL_CALL_INTERRUPT_CREATE, system_handle, SOURCE, 0).status,
                     FTL_ERR_EXISTS);
    assert_int_equal(call(FTL_CALL_INTERRUPT_CREATE, system_handle, 0, 0).status,
                     FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(call(FTL_CALL_INTERRUPT_CREATE, system_handle, SIM_SOURCES, 0).status,
                     FTL_ERR_INVALID_ARGUMENT);
    ftl_handle_t second = made(call(FTL_CALL_HANDLE_DUPLICATE, handle, FTL_RIGHTS_SAME, 0));
    assert_true(sim_interrupt(SOURCE)); /* and it is closed unacknowledged */
    call(FTL_CALL_HANDLE_CLOSE, handle, 0, 0);
    assert_int_equal(call(FTL_CALL_INTERRUPT_CREATE, system_handle, SOURCE, 0).status,
                     FTL_ERR_EXISTS);
    call(FTL_CALL_HANDLE_CLOSE, second, 0, 0);
    assert_false(sim_interrupt(SOURCE));
    handle = made(call(FTL_CALL_INTERRUPT_CREATE, system_handle, SOURCE, 0));
    assert_true(sim_interrupt(SOURCE));
    assert_true(is_readable());
}

static void bound_notification_gets_its_bits_each_time(void **state)
{
    (void)state;
    assert_int_equal(call(FTL_CALL_INTERRUPT_BIND, handle, notification, 0).status,
                     FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(call(FTL_CALL_INTERRUPT_BIND, handle, notification, BITS).status, FTL_OK);
    assert_int_equal(call(FTL_CALL_INTERRUPT_BIND, handle, notification, BITS).status,
                     FTL_ERR_BAD_STATE);
    assert_int_equal(notified(), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(sim_interrupt(SOURCE));
        assert_int_equal(notified(), BITS);
        call(FTL_CALL_INTERRUPT_ACK, handle, 0, 0);
    }
    call(FTL_CALL_HANDLE_CLOSE, notification, 0, 0); /* the binding keeps it */
    assert_true(sim_interrupt(SOURCE));
}

static void interrupt_that_waits_is_told_when_it_is_bound(void **state)
{
    (void)state;
    assert_true(sim_interrupt(SOURCE));
    assert_int_equal(call(FTL_CALL_INTERRUPT_BIND, handle, notification, BITS).status, FTL_OK);
    assert_int_equal(notified(), BITS);
}

static void failures_leave_the_source_free(void **state)
{
    (void)state;
    call(FTL_CALL_HANDLE_CLOSE, handle, 0, 0);
    uint64_t used = process->account->used;
    host_alloc_budget = 0;
    assert_int_equal(call(FTL_CALL_INTERRUPT_CREATE, system_handle, SOURCE, 0).status,
                     FTL_ERR_NO_MEMORY);
    host_alloc_budget = -1;
    uint64_t limit = process->account->limit;
    process->account->limit = used;
    assert_int_equal(call(FTL_CALL_INTERRUPT_CREATE, system_handle, SOURCE, 0).status,
                     FTL_ERR_LIMIT);
    process->account->limit = limit;
    process->handles.limit = process->handles.used;
    assert_int_equal(call(FTL_CALL_INTERRUPT_CREATE, system_handle, SOURCE, 0).status,
                     FTL_ERR_LIMIT);
    process->handles.limit = HANDLE_LIMIT_DEFAULT;
    assert_int_equal(process->account->used, used);
    assert_false(sim_interrupt(SOURCE));
}

int main(void)
{
    sim_boot(1, 32 * MIB);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(interrupt_is_masked_until_it_is_acknowledged, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(source_has_one_owner_until_the_last_handle_is_closed,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(bound_notification_gets_its_bits_each_time, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(interrupt_that_waits_is_told_when_it_is_bound, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(failures_leave_the_source_free, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
