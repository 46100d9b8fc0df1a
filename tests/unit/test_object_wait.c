/* object_wait and console_read: results, and no signal or byte missed on any schedule tried. */
#include "sim/core.h"

#include <ftl/call_numbers.h>

#include "arch/timer.h"

#include "kernel/console.h"

#define RUNS    500
#define WATCHED 3 /* processes */
#define BYTES   6 /* typed */

static struct process *waiter, *watched[WATCHED];
static ftl_handle_t handles[WATCHED];
static ftl_handle_t console_handle;
static vaddr_t memory; /* the waiter's */
static unsigned seen;
static unsigned timed_out;
static unsigned typed, bytes_read;

static struct ftl_wait_item *items(void)
{
    struct ftl_wait_item *host = sim_access(memory, FTL_MAP_WRITE);
    if (host == NULL) {
        sim_fail("the waiter's memory is gone");
    }
    return host;
}

static bool exits(struct context *context, struct sim_call *call)
{
    (void)context;
    return core_make(call, FTL_CALL_THREAD_EXIT, 0, 0, 0, 0);
}

static void make_waiter(void)
{
    seen = 0;
    timed_out = 0;
    typed = 0;
    bytes_read = 0;
    waiter = core_process(FTL_ISOLATION_USER);
    memory = core_map(waiter, PAGE_SIZE);
    struct console *console = console_get();
    console_handle = core_handle(waiter, &console->object, FTL_RIGHTS_ALL);
    object_put(&console->object);
}

static void check_waiter(void)
{
    if (waiter->state != FTL_PROCESS_EXITED) {
        sim_fail("the waiter still waits: %u seen, %u bytes", seen, bytes_read);
    }
    object_put(&waiter->object);
}

/* --- Processes that exit --- */

static bool computes_and_exits(struct context *context, struct sim_call *call)
{
    return context->x[REG_A0]-- == 0 ? exits(context, call) : false;
}

/* Waits until one of those not yet seen exits; checks what the call reports. */
static bool waits_for_each(struct context *context, struct sim_call *call)
{
    struct ftl_wait_item *item = items();
    if (context->x[SIM_VAR(0)]++ != 0) {
        uint64_t ready = 0;
        for (unsigned i = 0; i < WATCHED; i++) {
            bool fired = (item[i].signals & item[i].interest) != 0;
            ready += fired;
            seen |= fired ? 1U << i : 0;
            item[i].interest = fired ? 0 : item[i].interest;
            if (fired && watched[i]->state != FTL_PROCESS_EXITED) {
                sim_fail("process %u is reported to have exited", i);
            }
        }
        if (context->x[REG_A0] != FTL_OK || ready == 0 || context->x[REG_A1] != ready) {
            sim_fail("status %ld, %lu ready, not %lu", (int64_t)context->x[REG_A0],
                     context->x[REG_A1], ready);
        }
        if (seen == (1U << WATCHED) - 1) {
            return exits(context, call);
        }
    }
    for (unsigned i = 0; i < WATCHED; i++) {
        item[i].handle = handles[i];
        item[i].interest = (seen >> i & 1) != 0 ? 0 : FTL_SIGNAL_EXITED;
    }
    return core_make(call, FTL_CALL_OBJECT_WAIT, memory, WATCHED, FTL_TIME_INFINITE, 0);
}

static void set_up_exits(void)
{
    make_waiter();
    for (unsigned i = 0; i < WATCHED; i++) {
        watched[i] = core_process(i % 2 == 0 ? FTL_ISOLATION_USER : FTL_ISOLATION_SANDBOX);
        handles[i] = core_handle(waiter, &watched[i]->object, FTL_RIGHT_WAIT);
        core_thread(watched[i], computes_and_exits, 3 * i);
    }
    core_thread(waiter, waits_for_each, 0);
}

static void check_exits(void)
{
    check_waiter();
    for (unsigned i = 0; i < WATCHED; i++) {
        object_put(&watched[i]->object);
    }
}

static const struct core_scenario exits_seen = { set_up_exits, check_exits };

static void every_exit_is_seen(void **state)
{
    (void)state;
    core_explore(&exits_seen, RUNS);
    core_explore_switches(&exits_seen, RUNS);
}

/* --- A deadline against the signal --- */

static bool waits_with_deadline(struct context *context, struct sim_call *call)
{
    struct ftl_wait_item *item = items();
    if (context->x[SIM_VAR(0)]++ == 0) {
        *item = (struct ftl_wait_item){ handles[0], FTL_SIGNAL_EXITED, 0 };
        return core_make(call, FTL_CALL_OBJECT_WAIT, memory, 1, (uint64_t)time_now() + 6000, 0);
    }
    bool fired = (item->signals & FTL_SIGNAL_EXITED) != 0;
    bool expired = (int64_t)context->x[REG_A0] == FTL_ERR_TIMED_OUT;
    if (fired == expired || (!expired && context->x[REG_A0] != FTL_OK)) {
        sim_fail("status %ld with signals %#x", (int64_t)context->x[REG_A0], item->signals);
    }
    seen += fired;
    timed_out += expired;
    return exits(context, call);
}

static void set_up_deadline(void)
{
    make_waiter();
    watched[0] = core_process(FTL_ISOLATION_USER);
    handles[0] = core_handle(waiter, &watched[0]->object, FTL_RIGHT_WAIT);
    core_thread(watched[0], computes_and_exits, 4);
    core_thread(waiter, waits_with_deadline, 0);
}

static void check_deadline(void)
{
    check_waiter();
    object_put(&watched[0]->object);
}

static const struct core_scenario deadline = { set_up_deadline, check_deadline };

static void wait_ends_by_the_signal_or_by_the_deadline(void **state)
{
    (void)state;
    core_explore(&deadline, 2 * RUNS);
    core_explore_switches(&deadline, 2 * RUNS);
}

/* --- The console --- */

static bool reads_all(struct context *context, struct sim_call *call)
{
    if (context->x[SIM_VAR(0)]++ != 0) {
        if (context->x[REG_A0] != FTL_OK || context->x[REG_A1] == 0) {
            sim_fail("console_read: status %ld, %lu bytes", (int64_t)context->x[REG_A0],
                     context->x[REG_A1]);
        }
        const char *text = (const char *)items() + 512;
        for (uint64_t i = 0; i < context->x[REG_A1]; i++) {
            if (text[i] != (char)('a' + bytes_read++)) {
                sim_fail("byte %u is '%c'", bytes_read - 1, text[i]);
            }
        }
        if (bytes_read == BYTES) {
            return exits(context, call);
        }
    }
    return core_make(call, FTL_CALL_CONSOLE_READ, console_handle, memory + 512, 4,
                     FTL_TIME_INFINITE);
}

/* Waits until there is input each time, and reads one byte of it, which must be there. */
static bool waits_and_reads(struct context *context, struct sim_call *call)
{
    if (context->x[SIM_VAR(0)]++ % 2 == 1) {
        return core_make(call, FTL_CALL_CONSOLE_READ, console_handle, memory + 512, 1, 0);
    }
    if (context->x[SIM_VAR(0)] > 1) {
        if (context->x[REG_A0] != FTL_OK || context->x[REG_A1] != 1) {
            sim_fail("readable, but console_read returned %ld", (int64_t)context->x[REG_A0]);
        }
        if (++bytes_read == BYTES) {
            return exits(context, call);
        }
    }
    items()[0] = (struct ftl_wait_item){ console_handle, FTL_SIGNAL_READABLE, 0 };
    return core_make(call, FTL_CALL_OBJECT_WAIT, memory, 1, FTL_TIME_INFINITE, 0);
}

/* The interrupt of a byte typed comes while this thread runs. */
static bool is_there_when_one_types(struct context *context, struct sim_call *call)
{
    static char text[2];
    if (typed == BYTES) {
        return exits(context, call);
    }
    text[0] = (char)('a' + typed++);
    sim_console_input(text);
    return false;
}

static sim_code reader;

static void set_up_console(void)
{
    make_waiter();
    core_thread(waiter, reader, 0);
    core_thread(waiter, is_there_when_one_types, 0);
}

static const struct core_scenario typing = { set_up_console, check_waiter };

static void every_byte_typed_is_read(void **state)
{
    (void)state;
    reader = reads_all;
    core_explore(&typing, RUNS);
    core_explore_switches(&typing, RUNS);
}

static void console_is_readable_as_long_as_there_is_input(void **state)
{
    (void)state;
    reader = waits_and_reads;
    core_explore(&typing, RUNS);
    core_explore_switches(&typing, RUNS);
}

/* --- Results --- */

static int enter(void **state)
{
    (void)state;
    make_waiter();
    core_enter(waiter);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    core_leave();
    object_put(&waiter->object);
    return 0;
}

static int64_t wait_status(vaddr_t address, size_t count)
{
    return core_call(FTL_CALL_OBJECT_WAIT, address, count, 0, 0, 0, 0).status;
}

static void counts_out_of_range_are_refused(void **state)
{
    (void)state;
    assert_int_equal(wait_status(memory, 0), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(wait_status(memory, FTL_WAIT_MAX + 1), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(wait_status(memory, SIZE_MAX), FTL_ERR_INVALID_ARGUMENT);
}

static void one_bad_handle_among_good_ones_fails_the_wait(void **state)
{
    (void)state;
    ftl_handle_t good = core_handle(waiter, &waiter->object, FTL_RIGHT_WAIT);
    ftl_handle_t blind = core_handle(waiter, &waiter->object, FTL_RIGHTS_ALL & ~FTL_RIGHT_WAIT);
    size_t pieces = host_alloc_pieces;
    for (unsigned bad = 0; bad < 3; bad++) {
        for (unsigned i = 0; i < 3; i++) {
            items()[i] = (struct ftl_wait_item){ i == bad ? blind : good, FTL_SIGNAL_EXITED, 0 };
        }
        assert_int_equal(wait_status(memory, 3), FTL_ERR_MISSING_RIGHT);
        items()[bad].handle = 0;
        assert_int_equal(wait_status(memory, 3), FTL_ERR_HANDLE_FORGED);
        assert_int_equal(host_alloc_pieces, pieces);
    }
}

static void items_must_be_the_process_own_memory(void **state)
{
    (void)state;
    assert_int_equal(wait_status(memory + PAGE_SIZE - 8, 1), FTL_ERR_BAD_ADDRESS);
    assert_int_equal(wait_status(DIRECT_MAP_BASE, 1), FTL_ERR_BAD_ADDRESS);
}

static void wait_without_memory_for_it_fails(void **state)
{
    (void)state;
    ftl_handle_t good = core_handle(waiter, &waiter->object, FTL_RIGHT_WAIT);
    for (unsigned i = 0; i < 2; i++) {
        items()[i] = (struct ftl_wait_item){ good, FTL_SIGNAL_EXITED, 0 };
    }
    host_alloc_budget = 0;
    int64_t status = wait_status(memory, 2);
    host_alloc_budget = -1;
    assert_int_equal(status, FTL_ERR_NO_MEMORY);
}

static void what_is_set_already_is_returned_at_once_and_one_object_needs_no_memory(void **state)
{
    (void)state;
    ftl_handle_t good = core_handle(waiter, &waiter->object, FTL_RIGHT_WAIT);
    object_signal(&waiter->object, 0, FTL_SIGNAL_READABLE);
    items()[0] = (struct ftl_wait_item){ good, FTL_SIGNAL_READABLE, 0 };
    items()[1] = (struct ftl_wait_item){ good, FTL_SIGNAL_EXITED, 0 };
    uint32_t refs = waiter->object.refs;
    struct call_result result = core_call(FTL_CALL_OBJECT_WAIT, memory, 2, 0, 0, 0, 0);
    assert_int_equal(result.status, FTL_OK);
    assert_int_equal(result.value, 1);
    host_alloc_budget = 0;
    result = core_call(FTL_CALL_OBJECT_WAIT, memory, 1, 0, 0, 0, 0);
    host_alloc_budget = -1;
    assert_int_equal(result.status, FTL_OK);
    assert_int_equal(result.value, 1);
    assert_int_equal(items()[0].signals & FTL_SIGNAL_READABLE, FTL_SIGNAL_READABLE);
    assert_int_equal(waiter->object.refs, refs);
}

int main(void)
{
    sim_boot(3, 16 * MIB);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_exit_is_seen),
        cmocka_unit_test(wait_ends_by_the_signal_or_by_the_deadline),
        cmocka_unit_test(every_byte_typed_is_read),
        cmocka_unit_test(console_is_readable_as_long_as_there_is_input),
        cmocka_unit_test_setup_teardown(counts_out_of_range_are_refused, enter, leave),
        cmocka_unit_test_setup_teardown(one_bad_handle_among_good_ones_fails_the_wait, enter,
                                        leave),
        cmocka_unit_test_setup_teardown(items_must_be_the_process_own_memory, enter, leave),
        cmocka_unit_test_setup_teardown(wait_without_memory_for_it_fails, enter, leave),
        cmocka_unit_test_setup_teardown(
            what_is_set_already_is_returned_at_once_and_one_object_needs_no_memory, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
