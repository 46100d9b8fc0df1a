/*
 * Notifications on the simulated machine: no bit is lost and no notification outlived by a call at
 * work on it, on any schedule it tries. Results call by call: test_ipc_notification.c.
 */
#include "sim/core.h"

#include <ftl/call_numbers.h>

#include "arch/timer.h"

#include "calls.gen.h"
#include "kernel/call.h"
#include "kernel/handle.h"

#define RUNS     300
#define SWITCHES 400
#define ROUNDS   4
#define PATIENCE 20000 /* ns that a wait lasts */

static struct process *process;
static ftl_handle_t ping, pong;
static unsigned finished;

static bool exits(struct context *context, struct sim_call *call)
{
    (void)context;
    finished++;
    return core_make(call, FTL_CALL_THREAD_EXIT, 0, 0, 0, 0);
}

static void expect(const struct context *context, bool allowed)
{
    if (!allowed) {
        sim_fail("a call returned %ld, %lu", (long)context->x[REG_A0], context->x[REG_A1]);
    }
}

/* Signals the one and waits for the other, or the other way round, in turns. */
static bool plays(struct context *context, struct sim_call *call)
{
    bool first = context->x[SIM_VAR(0)] == 0;
    uint64_t step = context->x[SIM_VAR(1)]++;
    expect(context, step == 0 || context->x[REG_A0] == FTL_OK);
    if (step == 2 * (uint64_t)ROUNDS) {
        return exits(context, call);
    }
    if ((step % 2 == 0) == first) {
        return core_make(call, FTL_CALL_NOTIFICATION_SIGNAL, first ? ping : pong, 1, 0, 0);
    }
    return core_make(call, FTL_CALL_NOTIFICATION_WAIT, first ? pong : ping, 1, FTL_TIME_INFINITE,
                     0);
}

static bool plays_first(struct context *context, struct sim_call *call)
{
    context->x[SIM_VAR(0)] = 0;
    return plays(context, call);
}

static bool plays_second(struct context *context, struct sim_call *call)
{
    context->x[SIM_VAR(0)] = 1;
    return plays(context, call);
}

static bool signals_and_waits(struct sim_call *call, ftl_handle_t signalled, ftl_handle_t awaited,
                              ftl_nsec_t deadline)
{
    core_make(call, FTL_CALL_NOTIFICATION_SIGNAL_AND_WAIT, signalled, 1, awaited, 1);
    call->args[4] = (uint64_t)deadline;
    return true;
}

/* The same by one call for each turn, the last of which has nobody to wait for. */
static bool plays_in_one(struct context *context, struct sim_call *call, ftl_handle_t own,
                         ftl_handle_t other, bool begins)
{
    uint64_t step = context->x[SIM_VAR(1)]++;
    expect(context, step == 0 || (context->x[REG_A0] == FTL_OK &&
                                  (step > ROUNDS || context->x[REG_A1] == 1)));
    if (step == 0 && !begins) {
        return core_make(call, FTL_CALL_NOTIFICATION_WAIT, own, 1, FTL_TIME_INFINITE, 0);
    }
    if (step < ROUNDS) {
        return signals_and_waits(call, other, own, FTL_TIME_INFINITE);
    }
    return step == ROUNDS ? core_make(call, FTL_CALL_NOTIFICATION_SIGNAL, other, 1, 0, 0)
                          : exits(context, call);
}

static bool plays_in_one_first(struct context *context, struct sim_call *call)
{
    return plays_in_one(context, call, ping, pong, true);
}

static bool plays_in_one_second(struct context *context, struct sim_call *call)
{
    return plays_in_one(context, call, pong, ping, false);
}

static ftl_handle_t make_notification(void)
{
    struct call_result result = sys_notification_create();
    assert_int_equal(result.status, FTL_OK);
    return result.value;
}

static void make_process(void)
{
    finished = 0;
    process = core_process(FTL_ISOLATION_USER);
}

static void set_up_players(sim_code first, sim_code second)
{
    make_process();
    core_thread(process, first, 0);
    core_thread(process, second, 0);
    core_enter(process);
    ping = make_notification();
    pong = make_notification();
    core_leave();
}

static void set_up_game(void)
{
    set_up_players(plays_first, plays_second);
}

static void set_up_game_in_one(void)
{
    set_up_players(plays_in_one_first, plays_in_one_second);
}

static void check_game(void)
{
    if (finished != 2 || process->state != FTL_PROCESS_EXITED) {
        sim_fail("%u threads finished", finished);
    }
    object_put(&process->object);
}

static bool is_over(const struct context *context)
{
    return (int64_t)context->x[REG_A0] == FTL_ERR_HANDLE_CLOSED;
}

static bool signals_until_closed(struct context *context, struct sim_call *call)
{
    if (context->x[SIM_VAR(0)]++ != 0) {
        expect(context, context->x[REG_A0] == FTL_OK || is_over(context));
        if (is_over(context)) {
            return exits(context, call);
        }
    }
    return core_make(call, FTL_CALL_NOTIFICATION_SIGNAL, ping, 1, 0, 0);
}

static bool waits_until_closed(struct context *context, struct sim_call *call)
{
    if (context->x[SIM_VAR(0)]++ != 0) {
        bool timed_out = (int64_t)context->x[REG_A0] == FTL_ERR_TIMED_OUT;
        expect(context, context->x[REG_A0] == FTL_OK || timed_out || is_over(context));
        if (is_over(context)) {
            return exits(context, call);
        }
    }
    return core_make(call, FTL_CALL_NOTIFICATION_WAIT, ping, 1, (uint64_t)(time_now() + PATIENCE),
                     0);
}

static bool closes(struct context *context, struct sim_call *call)
{
    switch (context->x[SIM_VAR(0)]++) {
    case 0: return false;
    case 1: return core_make(call, FTL_CALL_THREAD_YIELD, 0, 0, 0, 0);
    case 2: return core_make(call, FTL_CALL_HANDLE_CLOSE, ping, 0, 0, 0);
    default: expect(context, context->x[REG_A0] == FTL_OK); return exits(context, call);
    }
}

/* Signals and waits for the same one, so that it may take what others or itself have set. */
static bool does_both_until_closed(struct context *context, struct sim_call *call)
{
    if (context->x[SIM_VAR(0)]++ != 0) {
        bool timed_out = (int64_t)context->x[REG_A0] == FTL_ERR_TIMED_OUT;
        expect(context, context->x[REG_A0] == FTL_OK || timed_out || is_over(context));
        if (is_over(context)) {
            return exits(context, call);
        }
    }
    return signals_and_waits(call, ping, ping, time_now() + PATIENCE);
}

/* The only handle is closed while the calls that were given it are at work. */
static void set_up_closing(void)
{
    make_process();
    core_thread(process, signals_until_closed, 0);
    core_thread(process, waits_until_closed, 0);
    core_thread(process, does_both_until_closed, 0);
    core_thread(process, closes, 0);
    core_enter(process);
    ping = make_notification();
    core_leave();
}

static void check_closing(void)
{
    if (finished != 4 || process->state != FTL_PROCESS_EXITED) {
        sim_fail("%u threads finished", finished);
    }
    object_put(&process->object);
}

static void notification_bits_are_never_lost(void **state)
{
    (void)state;
    static const struct core_scenario game = { set_up_game, check_game };
    core_explore(&game, RUNS);
    core_explore_switches(&game, SWITCHES);
}

static void notification_bits_are_never_lost_by_who_signals_and_waits_in_one_call(void **state)
{
    (void)state;
    static const struct core_scenario game = { set_up_game_in_one, check_game };
    core_explore(&game, RUNS);
    core_explore_switches(&game, SWITCHES);
}

static void notification_is_there_for_a_call_whose_handle_is_closed_meanwhile(void **state)
{
    (void)state;
    static const struct core_scenario closing = { set_up_closing, check_closing };
    core_explore(&closing, RUNS);
    core_explore_switches(&closing, SWITCHES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notification_bits_are_never_lost),
        cmocka_unit_test(notification_bits_are_never_lost_by_who_signals_and_waits_in_one_call),
        cmocka_unit_test(notification_is_there_for_a_call_whose_handle_is_closed_meanwhile),
    };
    sim_boot(3, 64 * MIB);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
