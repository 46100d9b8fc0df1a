/*
 * The scheduler of several harts: stealing, wake-ups across harts, nobody idles while work waits.
 */
#include "sim/core.h"

#include <ftl/call_numbers.h>

#include "arch/timer.h"

#include "kernel/hart.h"

#define RUNS    2000
#define WORKERS 3
#define STARTED 8 /* threads by one of them */

static struct process *process;
static unsigned finished;
static unsigned steps; /* of all that compute */

static bool exits(struct context *context, struct sim_call *call)
{
    (void)context;
    finished++;
    return core_make(call, FTL_CALL_THREAD_EXIT, 0, 0, 0, 0);
}

/* Computes for as many steps as its argument says. */
static bool computes(struct context *context, struct sim_call *call)
{
    steps++;
    return context->x[REG_A0]-- == 0 ? exits(context, call) : false;
}

/* Computes and sleeps in turn. */
static bool computes_and_sleeps(struct context *context, struct sim_call *call)
{
    uint64_t step = context->x[SIM_VAR(0)]++;
    if (step == 40) {
        return exits(context, call);
    }
    if (step % 4 != 3) {
        return false;
    }
    return core_make(call, FTL_CALL_THREAD_SLEEP, (uint64_t)time_now() + 500 * (step % 7), 0, 0, 0);
}

/* Computes and starts short threads in turn. */
static bool computes_and_starts(struct context *context, struct sim_call *call)
{
    uint64_t step = context->x[SIM_VAR(0)]++;
    if (step == 3 * STARTED) {
        return exits(context, call);
    }
    switch (step % 3) {
    case 0: return core_make(call, FTL_CALL_THREAD_CREATE, SIM_PC(computes), 2, 0, 0);
    case 1: return core_make(call, FTL_CALL_HANDLE_CLOSE, context->x[REG_A1], 0, 0, 0);
    default: return false;
    }
}

static void set_up_workers(void)
{
    finished = 0;
    process = core_process(FTL_ISOLATION_USER);
    for (unsigned i = 0; i < WORKERS; i++) {
        static const sim_code codes[] = { computes, computes_and_sleeps, computes_and_starts };
        core_thread(process, codes[i % ARRAY_SIZE(codes)], 30);
    }
}

static void check_workers(void)
{
    if (finished != WORKERS + STARTED || process->state != FTL_PROCESS_EXITED) {
        sim_fail("%u threads finished", finished);
    }
    if (sim_statistics.lazy != 0) {
        sim_fail("a hart slept %zu times while a thread waited", sim_statistics.lazy);
    }
    object_put(&process->object);
}

static const struct core_scenario workers = { set_up_workers, check_workers };

static void no_hart_sleeps_while_a_thread_waits(void **state)
{
    (void)state;
    core_explore(&workers, RUNS);
    core_explore_switches(&workers, RUNS);
}

/* Hands its hart to a new thread, in a call after which it sleeps, goes on, or ends. */
static bool hands_over(struct context *context, struct sim_call *call)
{
    ftl_status_t status;
    struct thread *heir = thread_create(process, SIM_PC(computes), 3, 0, 0, &status);
    sched_hand_over(heir); /* takes over the only reference */
    uint64_t step = context->x[SIM_VAR(0)]++;
    if (step == STARTED - 1) {
        return exits(context, call);
    }
    return step % 2 == 0
               ? core_make(call, FTL_CALL_THREAD_SLEEP, (uint64_t)time_now() + 500, 0, 0, 0)
               : core_make(call, FTL_CALL_SYSTEM_NULL, 0, 0, 0, 0);
}

static void set_up_heirs(void)
{
    finished = 0;
    process = core_process(FTL_ISOLATION_USER);
    core_thread(process, hands_over, 0);
    core_thread(process, computes, 30);
    core_thread(process, computes_and_sleeps, 0);
}

static const struct core_scenario heirs = { set_up_heirs, check_workers };

static void no_hart_sleeps_while_a_thread_that_was_given_one_waits(void **state)
{
    (void)state;
    core_explore(&heirs, RUNS);
    core_explore_switches(&heirs, RUNS);
}

static struct thread *urgent, *rival;
static unsigned urgent_started, urgent_ran; /* steps there had been by then */

static void start_on_hart_1(struct thread *thread)
{
    thread->hart = 1;
    thread_start(thread);
    object_put(&thread->object);
}

/*
 * Gives hart 1 a second thread, so that its slices end, and then the urgent one; and computes on.
 */
static bool starts_urgent(struct context *context, struct sim_call *call)
{
    uint64_t step = context->x[SIM_VAR(0)]++;
    if (step == 1000) {
        start_on_hart_1(rival);
    } else if (step == 2500) {
        urgent_started = steps;
        start_on_hart_1(urgent);
    }
    return step == 4000 ? exits(context, call) : false;
}

static bool is_urgent(struct context *context, struct sim_call *call)
{
    urgent_ran = steps;
    return exits(context, call);
}

static void thread_of_higher_priority_interrupts_another_hart(void **state)
{
    (void)state;
    ftl_status_t status;
    process = core_process(FTL_ISOLATION_USER);
    rival = thread_create(process, SIM_PC(computes), 6000, 0, 0, &status);
    urgent = thread_create(process, SIM_PC(is_urgent), 0, 0, 0, &status);
    urgent->priority = FTL_PRIORITY_DEFAULT + 1;
    core_thread(process, starts_urgent, 0);
    for (unsigned i = 1; i < hart_count; i++) {
        core_thread(process, computes, 6000);
    }
    sim_run(&(struct sim_schedule){ 0 });
    assert_in_range(urgent_ran - urgent_started, 0, 1000);
    object_put(&process->object);
}

#define SHARERS 6     /* two for each hart */
#define SHARE   60000 /* steps of each: some slices */

static unsigned steps_at_first_end; /* of all together */

static bool computes_its_share(struct context *context, struct sim_call *call)
{
    steps++;
    if (context->x[SIM_VAR(0)]++ < SHARE) {
        return false;
    }
    if (finished == 0) {
        steps_at_first_end = steps;
    }
    return exits(context, call);
}

static void busy_harts_share_the_threads_there_are(void **state)
{
    (void)state;
    finished = 0;
    steps = 0;
    process = core_process(FTL_ISOLATION_USER);
    for (unsigned i = 0; i < SHARERS; i++) {
        core_thread(process, computes_its_share, 0);
    }
    sim_run(&(struct sim_schedule){ 0 });
    assert_int_equal(finished, SHARERS);
    /* One that had a hart for itself would be done when a half is. */
    assert_in_range(steps_at_first_end, SHARERS * SHARE * 3 / 4, SHARERS * SHARE);
    object_put(&process->object);
}

/* --- Affinity --- */

#define PINNED 5

static struct thread *pinned[PINNED];

static void check_place(const struct thread *thread)
{
    if ((thread->affinity >> hart_index() & 1) == 0) {
        sim_fail("a thread for harts %#lx runs on another", thread->affinity);
    }
}

/* Computes and sleeps in turn, where it may. */
static bool stays(struct context *context, struct sim_call *call)
{
    check_place(thread_current());
    return computes_and_sleeps(context, call);
}

static void set_up_pinned(void)
{
    finished = 0;
    process = core_process(FTL_ISOLATION_USER);
    for (unsigned i = 0; i < PINNED; i++) {
        ftl_status_t status;
        pinned[i] = thread_create(process, SIM_PC(stays), 0, 0, 0, &status);
        assert_non_null(pinned[i]);
        thread_set_affinity(pinned[i], i == 0 ? UINT64_MAX : 1UL << i % hart_count);
        thread_start(pinned[i]);
    }
}

static void check_pinned(void)
{
    for (unsigned i = 0; i < PINNED; i++) {
        object_put(&pinned[i]->object);
    }
    if (finished != PINNED || process->state != FTL_PROCESS_EXITED) {
        sim_fail("%u threads finished", finished);
    }
    if (sim_statistics.lazy != 0) {
        sim_fail("a hart slept %zu times while a thread waited for it", sim_statistics.lazy);
    }
    object_put(&process->object);
}

static const struct core_scenario pinning = { set_up_pinned, check_pinned };

static void thread_runs_where_its_affinity_lets_it_alone(void **state)
{
    (void)state;
    core_explore(&pinning, RUNS);
    core_explore_switches(&pinning, RUNS);
}

/*
 * Sends the others from hart to hart, wherever they are. One that runs is seen off its old hart
 * soon, not at once: it does not check its place.
 */
static bool moves_others(struct context *context, struct sim_call *call)
{
    uint64_t step = context->x[SIM_VAR(0)]++;
    if (step == 24) {
        return exits(context, call);
    }
    thread_set_affinity(pinned[1 + step % (PINNED - 1)], 1UL << (step / 2) % hart_count);
    return false;
}

static void set_up_moving(void)
{
    finished = 0;
    process = core_process(FTL_ISOLATION_USER);
    for (unsigned i = 0; i < PINNED; i++) {
        ftl_status_t status;
        pinned[i] = thread_create(process, SIM_PC(i == 0 ? moves_others : computes_and_sleeps), 0,
                                  0, 0, &status);
        assert_non_null(pinned[i]);
        thread_start(pinned[i]);
    }
}

static const struct core_scenario moving = { set_up_moving, check_pinned };

static void change_of_affinity_finds_the_thread_wherever_it_is(void **state)
{
    (void)state;
    core_explore(&moving, RUNS);
    core_explore_switches(&moving, RUNS);
}

static bool moved; /* the thread has come to where it was sent */

/* Computes until it is on hart 2. */
static bool arrives(struct context *context, struct sim_call *call)
{
    moved |= hart_index() == 2;
    return moved ? exits(context, call) : false;
}

static bool sends(struct context *context, struct sim_call *call)
{
    if (context->x[SIM_VAR(0)]++ == 0) {
        return false; /* the other runs by now */
    }
    thread_set_affinity(pinned[0], 1UL << 2);
    return exits(context, call);
}

static void running_thread_goes_where_its_affinity_sends_it(void **state)
{
    (void)state;
    ftl_status_t status;
    finished = 0;
    moved = false;
    process = core_process(FTL_ISOLATION_USER);
    pinned[0] = thread_create(process, SIM_PC(arrives), 0, 0, 0, &status);
    thread_set_affinity(pinned[0], 1UL << 1);
    thread_start(pinned[0]);
    core_thread(process, sends, 0);
    sim_run(&(struct sim_schedule){ 0 });
    assert_true(moved);
    assert_int_equal(finished, 2);
    object_put(&pinned[0]->object);
    object_put(&process->object);
}

int main(void)
{
    sim_boot(3, 16 * MIB);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_hart_sleeps_while_a_thread_waits),
        cmocka_unit_test(no_hart_sleeps_while_a_thread_that_was_given_one_waits),
        cmocka_unit_test(thread_of_higher_priority_interrupts_another_hart),
        cmocka_unit_test(busy_harts_share_the_threads_there_are),
        cmocka_unit_test(thread_runs_where_its_affinity_lets_it_alone),
        cmocka_unit_test(change_of_affinity_finds_the_thread_wherever_it_is),
        cmocka_unit_test(running_thread_goes_where_its_affinity_sends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
