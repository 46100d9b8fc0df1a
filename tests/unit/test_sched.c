/* The scheduler of one hart: priorities, turns, sleep. Several: test_sched_harts.c. */
#include "sim/core.h"

#include <ftl/call_numbers.h>

#include "arch/timer.h"

#include "kernel/sched.h"

#define NOTES 6

static struct process *process;
static unsigned finished;
static nsec_t finish_time; /* of the last that finished */
static unsigned steps;     /* of threads that compute */
static unsigned urgent_at; /* steps that there had been when the urgent thread ran */
static unsigned order[NOTES];
static size_t order_count;

static int set_up(void **state)
{
    (void)state;
    finished = 0;
    steps = 0;
    order_count = 0;
    process = core_process(FTL_ISOLATION_USER);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    object_put(&process->object);
    return 0;
}

static bool exits(struct context *context, struct sim_call *call)
{
    (void)context;
    finished++;
    finish_time = time_now();
    return core_make(call, FTL_CALL_THREAD_EXIT, 0, 0, 0, 0);
}

/* Computes for as many steps as its argument says. */
static bool computes(struct context *context, struct sim_call *call)
{
    steps++;
    return context->x[REG_A0]-- == 0 ? exits(context, call) : false;
}

/* Notes who runs, when it is not who ran before. Returns whether that was enough. */
static bool note(unsigned self)
{
    if (order_count < NOTES && (order_count == 0 || order[order_count - 1] != self)) {
        order[order_count++] = self;
    }
    return order_count == NOTES;
}

static bool notes(struct context *context, struct sim_call *call)
{
    return note((unsigned)context->x[REG_A0]) ? exits(context, call) : false;
}

static bool notes_and_yields(struct context *context, struct sim_call *call)
{
    if (context->x[SIM_VAR(0)]++ == 0) {
        context->x[SIM_VAR(1)] = context->x[REG_A0]; /* which calls change */
    }
    return note((unsigned)context->x[SIM_VAR(1)])
               ? exits(context, call)
               : core_make(call, FTL_CALL_THREAD_YIELD, 0, 0, 0, 0);
}

/* Sleeps for as long as its argument says. */
static bool sleeps(struct context *context, struct sim_call *call)
{
    if (context->x[SIM_VAR(0)]++ == 0) {
        uint64_t deadline = (uint64_t)time_now() + context->x[REG_A0];
        return core_make(call, FTL_CALL_THREAD_SLEEP, deadline, 0, 0, 0);
    }
    urgent_at = steps;
    return exits(context, call);
}

static void start_urgent(sim_code code, uint64_t argument)
{
    ftl_status_t status;
    struct thread *thread = thread_create(process, SIM_PC(code), argument, 0, 0, &status);
    assert_non_null(thread);
    thread->priority = FTL_PRIORITY_DEFAULT + 1;
    thread_start(thread);
    object_put(&thread->object);
}

static void run(unsigned count)
{
    sim_run(&(struct sim_schedule){ 0 });
    assert_int_equal(finished, count);
    assert_int_equal(process->state, FTL_PROCESS_EXITED);
}

static void threads_of_one_priority_take_turns(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        core_thread(process, notes, i);
    }
    run(3);
    const unsigned expected[] = { 0, 1, 2, 0, 1, 2 };
    assert_memory_equal(order, expected, sizeof(expected));
}

static void yield_lets_the_others_of_its_priority_go_first(void **state)
{
    (void)state;
    nsec_t start = time_now();
    for (unsigned i = 0; i < 2; i++) {
        core_thread(process, notes_and_yields, i);
    }
    run(2);
    assert_true(finish_time - start < TIME_SLICE);
    for (unsigned i = 0; i < NOTES; i++) {
        assert_int_equal(order[i], i % 2);
    }
}

/* Notes once and ends. */
static bool notes_once(struct context *context, struct sim_call *call)
{
    order[order_count++] = (unsigned)context->x[REG_A0];
    return exits(context, call);
}

static void thread_of_higher_priority_goes_first(void **state)
{
    (void)state;
    core_thread(process, notes_once, 0);
    start_urgent(notes_once, 1);
    core_thread(process, notes_once, 2);
    run(3);
    const unsigned expected[] = { 1, 0, 2 };
    assert_memory_equal(order, expected, sizeof(expected));
}

static void thread_of_higher_priority_that_wakes_interrupts(void **state)
{
    (void)state;
    start_urgent(sleeps, 100000);
    core_thread(process, computes, 400);
    core_thread(process, computes, 400);
    run(3);
    assert_in_range(urgent_at, 50, 120); /* a step takes 1000 ns, a slice is longer than all */
}

static void sleep_lasts_to_its_deadline(void **state)
{
    (void)state;
    nsec_t start = time_now();
    core_thread(process, sleeps, 100000);
    run(1);
    assert_in_range(finish_time - start, 100000, 110000);
}

static void lone_thread_is_not_interrupted(void **state)
{
    (void)state;
    core_thread(process, computes, (uint64_t)(3 * TIME_SLICE / 1000));
    run(1);
    assert_int_equal(sim_statistics.leaps, 0);
    assert_int_equal(sim_statistics.timer_interrupts, 0);
}

/* --- Handing the hart over --- */

static struct thread *heir;

static void make_heir(sim_code code, uint64_t argument)
{
    ftl_status_t status;
    heir = thread_create(process, SIM_PC(code), argument, 0, 0, &status);
    assert_non_null(heir);
}

/* As a call would that wakes the heir. */
static void hand_over(void)
{
    sched_hand_over(heir); /* takes over the only reference */
}

/* Hands over, and ends. */
static bool hands_over(struct context *context, struct sim_call *call)
{
    order[order_count++] = (unsigned)context->x[REG_A0];
    hand_over();
    return exits(context, call);
}

/* Hands over in a call after which it goes on. */
static bool hands_over_and_goes_on(struct context *context, struct sim_call *call)
{
    if (context->x[SIM_VAR(0)]++ == 0) {
        hand_over();
        return core_make(call, FTL_CALL_SYSTEM_NULL, 0, 0, 0, 0);
    }
    order[order_count++] = 9;
    return exits(context, call);
}

static void thread_that_gets_the_hart_goes_before_its_equals(void **state)
{
    (void)state;
    make_heir(notes_once, 1);
    core_thread(process, hands_over, 0);
    core_thread(process, notes_once, 2);
    run(3);
    const unsigned expected[] = { 0, 1, 2 };
    assert_memory_equal(order, expected, sizeof(expected));
}

static void thread_that_gets_the_hart_waits_for_one_of_higher_priority(void **state)
{
    (void)state;
    make_heir(notes_once, 1);
    core_thread(process, hands_over, 0);
    heir->priority = FTL_PRIORITY_DEFAULT - 1;
    core_thread(process, notes_once, 2);
    run(3);
    const unsigned expected[] = { 0, 2, 1 };
    assert_memory_equal(order, expected, sizeof(expected));
}

static void hart_is_not_handed_over_when_the_giver_goes_on(void **state)
{
    (void)state;
    make_heir(notes_once, 1);
    core_thread(process, hands_over_and_goes_on, 0);
    run(2);
    const unsigned expected[] = { 9, 1 };
    assert_memory_equal(order, expected, sizeof(expected));
}

static bool notes_steps(struct context *context, struct sim_call *call)
{
    urgent_at = steps;
    return exits(context, call);
}

static void slice_goes_on_when_the_hart_is_handed_over(void **state)
{
    (void)state;
    const unsigned slice_steps = TIME_SLICE / 1000; /* a step takes 1000 ns */
    make_heir(computes, 3 * slice_steps);
    core_thread(process, hands_over, 0);
    core_thread(process, notes_steps, 0);
    run(3);
    assert_in_range(urgent_at, slice_steps - 10, slice_steps + 10);
}

int main(void)
{
    sim_boot(1, 16 * MIB);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(threads_of_one_priority_take_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(yield_lets_the_others_of_its_priority_go_first, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(thread_of_higher_priority_goes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(thread_of_higher_priority_that_wakes_interrupts, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(sleep_lasts_to_its_deadline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lone_thread_is_not_interrupted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(thread_that_gets_the_hart_goes_before_its_equals, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(thread_that_gets_the_hart_waits_for_one_of_higher_priority,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(hart_is_not_handed_over_when_the_giver_goes_on, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(slice_goes_on_when_the_hart_is_handed_over, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
