/* Futexes: results, and no wake-up lost on any schedule the simulated machine tries. */
#include "sim/core.h"

#include <ftl/call_numbers.h>

#include "arch/timer.h"

#include "kernel/call.h"

#define RUNS   400
#define ROUNDS 6 /* of each thread in the mutex */

static struct process *process;
static vaddr_t word;    /* the mutex: 0 free, 1 taken, 2 taken and waited for */
static vaddr_t counter; /* protected by it */
static unsigned finished;
static unsigned timed_out;
static uint64_t woken;

static uint32_t *at(vaddr_t address)
{
    uint32_t *host = sim_access(address, FTL_MAP_WRITE);
    if (host == NULL) {
        sim_fail("memory is gone");
    }
    return host;
}

static bool exits(struct context *context, struct sim_call *call)
{
    (void)context;
    finished++;
    return core_make(call, FTL_CALL_THREAD_EXIT, 0, 0, 0, 0);
}

static void make_process(void)
{
    finished = 0;
    timed_out = 0;
    woken = 0;
    process = core_process(FTL_ISOLATION_USER);
    word = core_map(process, 2 * PAGE_SIZE);
    counter = word + PAGE_SIZE;
}

static void check_exited(unsigned threads)
{
    if (finished != threads || process->state != FTL_PROCESS_EXITED) {
        sim_fail("%u threads of %u finished", finished, threads);
    }
    object_put(&process->object);
}

/* --- A mutex (Drepper, "Futexes Are Tricky", mutex2) --- */

enum { LOCK, LOCKED, UNLOCKED };

/* Takes it, or waits until it may try again. */
static bool lock(struct context *context, struct sim_call *call, bool waited)
{
    uint32_t before = *at(word);
    *at(word) = before == 0 && !waited ? 1 : 2;
    if (before == 0) {
        context->x[SIM_VAR(0)] = LOCKED;
        context->x[SIM_VAR(2)] = *at(counter);
        return false;
    }
    context->x[SIM_VAR(3)] = true;
    return core_make(call, FTL_CALL_FUTEX_WAIT, word, 2, FTL_TIME_INFINITE, 0);
}

static bool uses_mutex(struct context *context, struct sim_call *call)
{
    switch (context->x[SIM_VAR(0)]) {
    case LOCK: return lock(context, call, context->x[SIM_VAR(3)] != 0);
    case LOCKED: {
        *at(counter) = (uint32_t)context->x[SIM_VAR(2)] + 1;
        context->x[SIM_VAR(0)] = UNLOCKED;
        context->x[SIM_VAR(3)] = false;
        uint32_t before = *at(word);
        *at(word) = 0;
        return before == 2 ? core_make(call, FTL_CALL_FUTEX_WAKE, word, 1, 0, 0) : false;
    }
    default:
        context->x[SIM_VAR(0)] = LOCK;
        return ++context->x[SIM_VAR(1)] == ROUNDS ? exits(context, call) : false;
    }
}

static void set_up_mutex(void)
{
    make_process();
    for (unsigned i = 0; i < 4; i++) {
        core_thread(process, uses_mutex, 0);
    }
    core_enter(process);
    *at(word) = 0;
    *at(counter) = 0;
    core_leave();
}

static struct vmo *shared; /* the memory, to look at when the process is gone */

static void check_mutex(void)
{
    check_exited(4);
    uint32_t count;
    if (vmo_read(shared, PAGE_SIZE, &count, sizeof(count)) != FTL_OK || count != 4 * ROUNDS) {
        sim_fail("counted %u", count);
    }
    object_put(&shared->object);
}

static void set_up_shared_mutex(void)
{
    set_up_mutex();
    struct mapping *mapping = LIST_ENTRY(process->vmspace->mappings.next, struct mapping, link);
    shared = mapping->vmo;
    object_get(&shared->object);
}

static const struct core_scenario mutex = { set_up_shared_mutex, check_mutex };

static void mutex_of_four_threads_loses_neither_wake_up_nor_count(void **state)
{
    (void)state;
    core_explore(&mutex, RUNS);
    core_explore_switches(&mutex, RUNS);
}

/* --- Wakes against deadlines --- */

static bool waits_with_deadline(struct context *context, struct sim_call *call)
{
    if (context->x[SIM_VAR(0)]++ == 0) {
        return core_make(call, FTL_CALL_FUTEX_WAIT, word, 0, (uint64_t)time_now() + 4000, 0);
    }
    int64_t status = (int64_t)context->x[REG_A0];
    if (status != FTL_OK && status != FTL_ERR_TIMED_OUT && status != FTL_ERR_WOULD_BLOCK) {
        sim_fail("futex_wait returned %ld", status);
    }
    timed_out += status == FTL_ERR_TIMED_OUT;
    return exits(context, call);
}

static bool wakes_all(struct context *context, struct sim_call *call)
{
    switch (context->x[SIM_VAR(0)]++) {
    case 0: return core_make(call, FTL_CALL_THREAD_SLEEP, (uint64_t)time_now() + 3500, 0, 0, 0);
    case 1: return core_make(call, FTL_CALL_FUTEX_WAKE, word, 100, 0, 0);
    default: woken = context->x[REG_A1]; return exits(context, call);
    }
}

static void set_up_deadlines(void)
{
    make_process();
    for (unsigned i = 0; i < 3; i++) {
        core_thread(process, waits_with_deadline, 0);
    }
    core_thread(process, wakes_all, 0);
}

static void check_deadlines(void)
{
    if (woken + timed_out != 3) {
        sim_fail("%lu woken, %u timed out", woken, timed_out);
    }
    check_exited(4);
}

static const struct core_scenario deadlines = { set_up_deadlines, check_deadlines };

static void every_waiter_is_woken_or_times_out_but_not_both(void **state)
{
    (void)state;
    core_explore(&deadlines, 4 * RUNS);
    core_explore_switches(&deadlines, 4 * RUNS);
}

/* --- thread_exit's word: join --- */

static bool exits_clearing(struct context *context, struct sim_call *call)
{
    (void)context;
    finished++;
    return core_make(call, FTL_CALL_THREAD_EXIT, word, 0, 0, 0);
}

static bool joins(struct context *context, struct sim_call *call)
{
    (void)context;
    return *at(word) == 0 ? exits(context, call)
                          : core_make(call, FTL_CALL_FUTEX_WAIT, word, 1, FTL_TIME_INFINITE, 0);
}

static void set_up_join(void)
{
    make_process();
    core_thread(process, exits_clearing, 0);
    core_thread(process, joins, 0);
    core_enter(process);
    *at(word) = 1;
    core_leave();
}

static void check_join(void)
{
    check_exited(2);
}

static const struct core_scenario join = { set_up_join, check_join };

static void join_ends_when_the_other_thread_has(void **state)
{
    (void)state;
    core_explore(&join, 2 * RUNS);
    core_explore_switches(&join, 2 * RUNS);
}

/* --- Results --- */

static int enter(void **state)
{
    (void)state;
    make_process();
    core_enter(process);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    core_leave();
    object_put(&process->object);
    return 0;
}

static int64_t futex_wait_status(vaddr_t address, uint32_t expected)
{
    return core_call(FTL_CALL_FUTEX_WAIT, address, expected, 0, 0, 0, 0).status;
}

static void wait_on_a_changed_word_would_block(void **state)
{
    (void)state;
    *at(word) = 5;
    assert_int_equal(futex_wait_status(word, 4), FTL_ERR_WOULD_BLOCK);
}

static void misaligned_words_are_refused(void **state)
{
    (void)state;
    assert_int_equal(futex_wait_status(word + 2, 0), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(core_call(FTL_CALL_FUTEX_WAKE, word + 1, 1, 0, 0, 0, 0).status,
                     FTL_ERR_INVALID_ARGUMENT);
}

static void wait_on_unmapped_memory_is_a_bad_address(void **state)
{
    (void)state;
    assert_int_equal(futex_wait_status(word + 2 * PAGE_SIZE, 0), FTL_ERR_BAD_ADDRESS);
    assert_int_equal(futex_wait_status(0, 0), FTL_ERR_BAD_ADDRESS);
    assert_int_equal(futex_wait_status(~(vaddr_t)3, 0), FTL_ERR_BAD_ADDRESS);
}

static void wake_without_waiters_wakes_nobody(void **state)
{
    (void)state;
    struct call_result result = core_call(FTL_CALL_FUTEX_WAKE, word, 9, 0, 0, 0, 0);
    assert_int_equal(result.status, FTL_OK);
    assert_int_equal(result.value, 0);
}

/* --- Kills of waiting threads against wakes --- */

#define VICTIMS 3

static struct thread *victims[VICTIMS];

/* Waits until it is woken or killed. */
static bool waits(struct context *context, struct sim_call *call)
{
    return context->x[SIM_VAR(0)]++ == 0
               ? core_make(call, FTL_CALL_FUTEX_WAIT, word, 0, FTL_TIME_INFINITE, 0)
               : exits(context, call);
}

static bool kills(struct context *context, struct sim_call *call)
{
    uint64_t step = context->x[SIM_VAR(0)]++;
    if (step == VICTIMS) {
        return exits(context, call);
    }
    thread_kill(victims[step]);
    return false;
}

static bool wakes_one(struct context *context, struct sim_call *call)
{
    return context->x[SIM_VAR(0)]++ == 0 ? core_make(call, FTL_CALL_FUTEX_WAKE, word, 1, 0, 0)
                                         : exits(context, call);
}

static void set_up_kills(void)
{
    make_process();
    for (unsigned i = 0; i < VICTIMS; i++) {
        ftl_status_t status;
        victims[i] = thread_create(process, SIM_PC(waits), 0, 0, 0, &status);
        assert_non_null(victims[i]);
        thread_start(victims[i]);
    }
    core_thread(process, kills, 0);
    core_thread(process, wakes_one, 0);
}

static void check_kills(void)
{
    for (unsigned i = 0; i < VICTIMS; i++) {
        if ((object_signals(&victims[i]->object) & FTL_SIGNAL_EXITED) == 0) {
            sim_fail("victim %u lives", i);
        }
        object_put(&victims[i]->object);
    }
    if (finished < 2 || process->state != FTL_PROCESS_EXITED) {
        sim_fail("%u threads ended by themselves", finished);
    }
    object_put(&process->object);
}

static const struct core_scenario killing = { set_up_kills, check_kills };

static void waiting_threads_that_are_killed_leave_nothing(void **state)
{
    (void)state;
    core_explore(&killing, RUNS);
    core_explore_switches(&killing, RUNS);
}

int main(void)
{
    sim_boot(3, 16 * MIB);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutex_of_four_threads_loses_neither_wake_up_nor_count),
        cmocka_unit_test(every_waiter_is_woken_or_times_out_but_not_both),
        cmocka_unit_test(join_ends_when_the_other_thread_has),
        cmocka_unit_test_setup_teardown(wait_on_a_changed_word_would_block, enter, leave),
        cmocka_unit_test_setup_teardown(misaligned_words_are_refused, enter, leave),
        cmocka_unit_test_setup_teardown(wait_on_unmapped_memory_is_a_bad_address, enter, leave),
        cmocka_unit_test_setup_teardown(wake_without_waiters_wakes_nobody, enter, leave),
        cmocka_unit_test(waiting_threads_that_are_killed_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
