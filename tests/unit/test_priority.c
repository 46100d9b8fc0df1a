/* Priorities of threads and their inheritance through loans, also while everything changes. */
#include "sim/core.h"

#include <ftl/call_numbers.h>

#include "kernel/hart.h"

#define RUNS    1500
#define THREADS 5
#define STEPS   40
#define LOW     8
#define MIDDLE  12
#define HIGH    20

static struct process *process;
static struct thread *threads[THREADS];
static unsigned finished;
static unsigned order[THREADS];

static bool exits(struct context *context, struct sim_call *call)
{
    (void)context;
    finished++;
    return core_make(call, FTL_CALL_THREAD_EXIT, 0, 0, 0, 0);
}

/* Notes its argument and ends. */
static bool notes(struct context *context, struct sim_call *call)
{
    order[finished] = (unsigned)context->x[REG_A0];
    return exits(context, call);
}

static void make_threads(sim_code code)
{
    finished = 0;
    process = core_process(FTL_ISOLATION_USER);
    for (unsigned i = 0; i < THREADS; i++) {
        ftl_status_t status;
        threads[i] = thread_create(process, SIM_PC(code), i, 0, 0, &status);
        assert_non_null(threads[i]);
    }
}

static void start_threads(void)
{
    for (unsigned i = 0; i < THREADS; i++) {
        thread_start(threads[i]);
    }
}

static void put_threads(void)
{
    for (unsigned i = 0; i < THREADS; i++) {
        object_put(&threads[i]->object);
    }
    if (finished != THREADS || process->state != FTL_PROCESS_EXITED) {
        sim_fail("%u threads finished", finished);
    }
    object_put(&process->object);
}

static int set_up(void **state)
{
    (void)state;
    make_threads(notes);
    return 0;
}

/* Lets the threads run, which all that a test has left behind must survive. */
static int tear_down(void **state)
{
    (void)state;
    start_threads();
    sim_run(&(struct sim_schedule){ 0 });
    put_threads();
    return 0;
}

static void set_priorities(uint8_t first, uint8_t second, uint8_t third)
{
    thread_set_priority(threads[0], first);
    thread_set_priority(threads[1], second);
    thread_set_priority(threads[2], third);
}

static void expect_priorities(uint8_t first, uint8_t second, uint8_t third)
{
    assert_int_equal(threads[0]->priority, first);
    assert_int_equal(threads[1]->priority, second);
    assert_int_equal(threads[2]->priority, third);
}

static void server_runs_with_the_priority_lent_to_it_until_it_is_returned(void **state)
{
    (void)state;
    set_priorities(LOW, HIGH, MIDDLE);
    thread_lend_priority(threads[1], threads[0]);
    expect_priorities(HIGH, HIGH, MIDDLE);
    thread_return_priority(threads[1]);
    expect_priorities(LOW, HIGH, MIDDLE);
    thread_return_priority(threads[1]); /* no loan: nothing */
    expect_priorities(LOW, HIGH, MIDDLE);
}

static void lower_priority_lent_takes_nothing_away(void **state)
{
    (void)state;
    set_priorities(HIGH, LOW, MIDDLE);
    thread_lend_priority(threads[1], threads[0]);
    expect_priorities(HIGH, LOW, MIDDLE);
    thread_set_priority(threads[0], 0);
    expect_priorities(LOW, LOW, MIDDLE);
    thread_return_priority(threads[1]);
    expect_priorities(0, LOW, MIDDLE);
}

static void highest_of_several_loans_counts(void **state)
{
    (void)state;
    set_priorities(LOW, MIDDLE, HIGH);
    thread_set_priority(threads[3], MIDDLE + 1);
    thread_lend_priority(threads[3], threads[0]);
    thread_lend_priority(threads[2], threads[0]);
    thread_lend_priority(threads[1], threads[0]);
    assert_int_equal(threads[0]->priority, HIGH);
    thread_return_priority(threads[2]);
    assert_int_equal(threads[0]->priority, MIDDLE + 1);
    thread_return_priority(threads[3]);
    assert_int_equal(threads[0]->priority, MIDDLE);
    thread_return_priority(threads[1]);
    assert_int_equal(threads[0]->priority, LOW);
}

static void loan_is_lent_on_along_a_chain(void **state)
{
    (void)state;
    set_priorities(LOW, MIDDLE, HIGH);
    thread_lend_priority(threads[1], threads[0]); /* first: nothing is lent to it yet */
    expect_priorities(MIDDLE, MIDDLE, HIGH);
    thread_lend_priority(threads[2], threads[1]);
    expect_priorities(HIGH, HIGH, HIGH);
    thread_set_priority(threads[2], HIGH + 1);
    expect_priorities(HIGH + 1, HIGH + 1, HIGH + 1);
    thread_return_priority(threads[2]);
    expect_priorities(MIDDLE, MIDDLE, HIGH + 1);
    thread_return_priority(threads[1]);
    expect_priorities(LOW, MIDDLE, HIGH + 1);
}

static void second_loan_ends_the_first(void **state)
{
    (void)state;
    set_priorities(LOW, LOW, HIGH);
    thread_lend_priority(threads[2], threads[0]);
    thread_lend_priority(threads[2], threads[1]);
    expect_priorities(LOW, HIGH, HIGH);
    thread_lend_priority(threads[2], threads[2]); /* waits for itself */
    expect_priorities(LOW, LOW, HIGH);
}

static void ring_of_loans_comes_to_rest(void **state)
{
    (void)state;
    set_priorities(LOW, MIDDLE, HIGH);
    thread_lend_priority(threads[0], threads[1]);
    thread_lend_priority(threads[1], threads[2]);
    thread_lend_priority(threads[2], threads[0]);
    expect_priorities(HIGH, HIGH, HIGH);
    for (unsigned i = 0; i < 3; i++) {
        thread_return_priority(threads[i]);
    }
    expect_priorities(LOW, MIDDLE, HIGH);
}

static void new_maximum_of_the_process_takes_its_threads_down(void **state)
{
    (void)state;
    set_priorities(LOW, MIDDLE, HIGH);
    process_set_priority_max(process, MIDDLE);
    expect_priorities(LOW, MIDDLE, MIDDLE);
    ftl_status_t status;
    struct thread *thread = thread_create(process, SIM_PC(exits), 0, 0, 0, &status);
    assert_int_equal(thread->priority, MIDDLE);
    thread_start(thread);
    object_put(&thread->object);
    sim_run(&(struct sim_schedule){ 0 });
    finished = 0;
}

/* --- Where threads wait and run. The test itself is hart 0 in an interrupt. --- */

static void waiting_thread_moves_up_when_it_is_lent_priority(void **state)
{
    (void)state;
    make_threads(notes);
    threads[4]->own_priority = threads[4]->priority = HIGH;
    for (unsigned i = 0; i < THREADS - 1; i++) {
        thread_set_affinity(threads[i], 1); /* on one queue, in this order */
        thread_start(threads[i]);
    }
    thread_lend_priority(threads[4], threads[2]);
    sim_run(&(struct sim_schedule){ 0 });
    const unsigned expected[] = { 2, 0, 1, 3 };
    assert_memory_equal(order, expected, sizeof(expected));
    thread_return_priority(threads[4]);
    thread_start(threads[4]);
    sim_run(&(struct sim_schedule){ 0 });
    put_threads();
}

/* Takes itself below the others, which wait. */
static bool sinks(struct context *context, struct sim_call *call)
{
    unsigned self = (unsigned)context->x[REG_A0];
    if (self == 0 && context->x[SIM_VAR(0)]++ == 0) {
        thread_set_priority(threads[0], LOW);
        return core_make(call, FTL_CALL_SYSTEM_NULL, 0, 0, 0, 0); /* as if that had been the call */
    }
    return notes(context, call);
}

static void running_thread_gives_way_when_its_priority_sinks(void **state)
{
    (void)state;
    make_threads(sinks);
    for (unsigned i = 0; i < THREADS; i++) {
        thread_set_affinity(threads[i], 1);
        thread_start(threads[i]);
    }
    sim_run(&(struct sim_schedule){ 0 });
    const unsigned expected[] = { 1, 2, 3, 4, 0 };
    assert_memory_equal(order, expected, sizeof(expected));
    put_threads();
}

/* --- Everything at once --- */

/*
 * Each thread lends to others, takes that back, changes its own priority, yields and sleeps; the
 * numbers follow from the thread and the step, so that a schedule is all there is to repeat.
 */
static bool bustles(struct context *context, struct sim_call *call)
{
    uint64_t step = context->x[SIM_VAR(0)]++;
    if (step == 0) {
        context->x[SIM_VAR(1)] = context->x[REG_A0]; /* which calls change */
    }
    uint64_t self = context->x[SIM_VAR(1)];
    uint64_t number = (step * 7 + self * 3) % 11;
    if (step == STEPS) {
        thread_return_priority(threads[self]);
        thread_set_priority(threads[self], (uint8_t)self);
        return exits(context, call);
    }
    switch (number) {
    case 0:
    case 4:
    case 7: thread_lend_priority(threads[self], threads[(self + number + 1) % THREADS]); break;
    case 2:
    case 5: thread_set_priority(threads[self], (uint8_t)(10 + (step + self) % 9)); break;
    case 8: return core_make(call, FTL_CALL_THREAD_YIELD, 0, 0, 0, 0);
    case 9: thread_return_priority(threads[self]); break;
    default: break;
    }
    return false;
}

static void set_up_bustle(void)
{
    make_threads(bustles);
    start_threads();
}

static void check_bustle(void)
{
    for (unsigned i = 0; i < THREADS; i++) {
        if (threads[i]->priority != i || !list_empty(&threads[i]->loans)) {
            sim_fail("thread %u has priority %u at the end", i, threads[i]->priority);
        }
    }
    put_threads();
}

static const struct core_scenario bustle = { set_up_bustle, check_bustle };

static void loans_and_changes_at_once_leave_each_thread_its_own_priority(void **state)
{
    (void)state;
    core_explore(&bustle, RUNS);
    core_explore_switches(&bustle, RUNS);
}

int main(void)
{
    sim_boot(3, 16 * MIB);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            server_runs_with_the_priority_lent_to_it_until_it_is_returned, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lower_priority_lent_takes_nothing_away, set_up, tear_down),
        cmocka_unit_test_setup_teardown(highest_of_several_loans_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(loan_is_lent_on_along_a_chain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(second_loan_ends_the_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ring_of_loans_comes_to_rest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(new_maximum_of_the_process_takes_its_threads_down, set_up,
                                        tear_down),
        cmocka_unit_test(waiting_thread_moves_up_when_it_is_lent_priority),
        cmocka_unit_test(running_thread_gives_way_when_its_priority_sinks),
        cmocka_unit_test(loans_and_changes_at_once_leave_each_thread_its_own_priority),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
