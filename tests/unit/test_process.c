/* Lifetime of processes and threads: killed in every state, started and loaded while others do the
 * same, on all schedules that the simulated machine tries. Nothing may be left. */
#include "sim/core.h"

#include <ftl/call_numbers.h>

#include "arch/timer.h"

#include "host/elf_file.h"
#include "kernel/code.h"
#include "kernel/console.h"
#include "kernel/handle.h"

#define RUNS 120

/* What the code of the processes knows. */
static struct {
    struct process *victim;
    struct process *killer;
    struct vmo *image;
    vaddr_t image_base;
    ftl_handle_t victim_handle; /* the killer's */
    ftl_handle_t image_handle;  /* the killer's */
    ftl_handle_t self_handle;   /* the victim's */
    ftl_handle_t console_handle;
    ftl_handle_t vmspace_handle;
    ftl_handle_t vmo_handle;
    vaddr_t memory; /* the victim's */
    vaddr_t killer_memory;
    unsigned loaded;
    unsigned load_errors;
    unsigned started;
    unsigned image_ran;
} world;

/* --- Code of the victim: each stays in its way until it is killed --- */

static bool waits_on_futex(struct context *context, struct sim_call *call)
{
    (void)context;
    return core_make(call, FTL_CALL_FUTEX_WAIT, world.memory, 0, FTL_TIME_INFINITE, 0);
}

static bool waits_on_futex_with_deadline(struct context *context, struct sim_call *call)
{
    (void)context;
    return core_make(call, FTL_CALL_FUTEX_WAIT, world.memory, 0, (uint64_t)time_now() + 5000, 0);
}

static bool waits_for_object(struct context *context, struct sim_call *call)
{
    (void)context;
    struct ftl_wait_item *items = sim_access(world.memory + 64, FTL_MAP_WRITE);
    if (items == NULL) {
        sim_fail("the victim's memory is gone");
    }
    items[0] = (struct ftl_wait_item){ world.self_handle, FTL_SIGNAL_EXITED, 0 };
    items[1] = (struct ftl_wait_item){ world.console_handle, FTL_SIGNAL_READABLE, 0 };
    return core_make(call, FTL_CALL_OBJECT_WAIT, world.memory + 64, 2, (uint64_t)time_now() + 20000,
                     0);
}

static bool reads_console(struct context *context, struct sim_call *call)
{
    (void)context;
    return core_make(call, FTL_CALL_CONSOLE_READ, world.console_handle, world.memory + 128, 8,
                     FTL_TIME_INFINITE);
}

static bool sleeps(struct context *context, struct sim_call *call)
{
    (void)context;
    return core_make(call, FTL_CALL_THREAD_SLEEP, (uint64_t)time_now() + 3000, 0, 0, 0);
}

static bool yields(struct context *context, struct sim_call *call)
{
    (void)context;
    return core_make(call, FTL_CALL_THREAD_YIELD, 0, 0, 0, 0);
}

/* Maps, touches, unmaps. */
static bool maps(struct context *context, struct sim_call *call)
{
    uint64_t step = context->x[SIM_VAR(0)]++;
    uint64_t mapped = context->x[SIM_VAR(1)];
    switch (step % 3) {
    case 0:
        *call = (struct sim_call){
            .number = FTL_CALL_VMSPACE_MAP,
            .args = { world.vmspace_handle, world.vmo_handle, 0, 2 * PAGE_SIZE,
                      FTL_MAP_READ | FTL_MAP_WRITE, 0 },
        };
        return true;
    case 1:
        context->x[SIM_VAR(1)] = context->x[REG_A1];
        if (context->x[REG_A0] == FTL_OK) {
            sim_access(context->x[REG_A1] + PAGE_SIZE, FTL_MAP_WRITE);
        }
        return false;
    default:
        return core_make(call, FTL_CALL_VMSPACE_UNMAP, world.vmspace_handle, mapped, 2 * PAGE_SIZE,
                         0);
    }
}

static bool exits(struct context *context, struct sim_call *call)
{
    (void)context;
    return core_make(call, FTL_CALL_THREAD_EXIT, world.memory + 8, 0, 0, 0);
}

static bool makes_threads(struct context *context, struct sim_call *call)
{
    if (context->x[SIM_VAR(0)]++ % 2 == 0) {
        return core_make(call, FTL_CALL_THREAD_CREATE, SIM_PC(exits), 0, 0, 0);
    }
    return core_make(call, FTL_CALL_HANDLE_CLOSE, context->x[REG_A1], 0, 0, 0);
}

static bool waits_on_notification(struct context *context, struct sim_call *call)
{
    if (context->x[SIM_VAR(0)]++ == 0) {
        return core_make(call, FTL_CALL_NOTIFICATION_CREATE, 0, 0, 0, 0);
    }
    if (context->x[SIM_VAR(0)] == 2) {
        context->x[SIM_VAR(1)] = context->x[REG_A1];
    }
    return core_make(call, FTL_CALL_NOTIFICATION_WAIT, context->x[SIM_VAR(1)], 1,
                     (uint64_t)time_now() + 9000, 0);
}

/* Polls itself and the console. */
static bool waits_on_poll(struct context *context, struct sim_call *call)
{
    uint64_t step = context->x[SIM_VAR(0)]++;
    uint64_t poll = context->x[SIM_VAR(1)];
    switch (step) {
    case 0: return core_make(call, FTL_CALL_POLL_CREATE, 0, 0, 0, 0);
    case 1:
        context->x[SIM_VAR(1)] = context->x[REG_A1];
        return core_make(call, FTL_CALL_POLL_ADD, context->x[REG_A1], world.self_handle,
                         FTL_SIGNAL_EXITED, 1);
    case 2:
        return core_make(call, FTL_CALL_POLL_ADD, poll, world.console_handle, FTL_SIGNAL_READABLE,
                         2);
    default:
        return core_make(call, FTL_CALL_POLL_WAIT, poll, world.memory + 256, 4,
                         (uint64_t)time_now() + 9000);
    }
}

/* Sets a timer again and again, and sleeps. */
static bool sets_timers(struct context *context, struct sim_call *call)
{
    uint64_t step = context->x[SIM_VAR(0)]++;
    if (step == 0) {
        return core_make(call, FTL_CALL_TIMER_CREATE, 0, 0, 0, 0);
    }
    if (step == 1) {
        context->x[SIM_VAR(1)] = context->x[REG_A1];
    }
    return step % 2 == 0
               ? sleeps(context, call)
               : core_make(call, FTL_CALL_TIMER_SET, context->x[SIM_VAR(1)],
                           (uint64_t)time_now() + 1000 * (step % 5), FTL_TIMER_PERIOD_MIN, 0);
}

static bool exits_process(struct context *context, struct sim_call *call)
{
    (void)context;
    return core_make(call, FTL_CALL_PROCESS_EXIT, 3, 0, 0, 0);
}

static const sim_code victim_codes[] = { waits_on_futex,
                                         waits_on_futex_with_deadline,
                                         waits_for_object,
                                         reads_console,
                                         sleeps,
                                         yields,
                                         maps,
                                         makes_threads,
                                         waits_on_notification,
                                         waits_on_poll,
                                         sets_timers };

/* --- Code of the killer --- */

/* Kills the victim and waits until it has exited; then ends. */
static bool kills(struct context *context, struct sim_call *call)
{
    uint64_t step = context->x[SIM_VAR(0)]++;
    struct ftl_wait_item *item;
    switch (step) {
    case 0: return core_make(call, FTL_CALL_THREAD_SLEEP, (uint64_t)time_now() + 2000, 0, 0, 0);
    case 1: return core_make(call, FTL_CALL_PROCESS_KILL, world.victim_handle, 7, 0, 0);
    case 2:
        item = sim_access(world.killer_memory, FTL_MAP_WRITE);
        *item = (struct ftl_wait_item){ world.victim_handle, FTL_SIGNAL_EXITED, 0 };
        return core_make(call, FTL_CALL_OBJECT_WAIT, world.killer_memory, 1, FTL_TIME_INFINITE, 0);
    default: return core_make(call, FTL_CALL_THREAD_EXIT, 0, 0, 0, 0);
    }
}

/* --- Worlds --- */

static void make_world(ftl_isolation_t isolation, ftl_isolation_t killer_isolation)
{
    memset(&world, 0, sizeof(world));
    world.victim = core_process(isolation);
    world.killer = core_process(killer_isolation);
    world.victim_handle = core_handle(world.killer, &world.victim->object, FTL_RIGHTS_ALL);
    world.killer_memory = core_map(world.killer, PAGE_SIZE);
}

static void make_victim(void)
{
    struct console *console = console_get();
    world.memory = core_map(world.victim, PAGE_SIZE);
    world.self_handle = core_handle(world.victim, &world.victim->object, FTL_RIGHTS_ALL);
    world.console_handle = core_handle(world.victim, &console->object, FTL_RIGHTS_ALL);
    object_put(&console->object);
    world.vmspace_handle =
        core_handle(world.victim, &world.victim->vmspace->object, FTL_RIGHTS_ALL);
    struct vmo *vmo = vmo_create(2 * PAGE_SIZE, world.victim->account);
    world.vmo_handle = core_handle(world.victim, &vmo->object, FTL_RIGHTS_ALL);
    object_put(&vmo->object);
}

static void check_both_exited(void)
{
    if (world.victim->state != FTL_PROCESS_EXITED || world.killer->state != FTL_PROCESS_EXITED) {
        sim_fail("victim in state %u, killer in state %u", world.victim->state,
                 world.killer->state);
    }
    object_put(&world.victim->object);
    object_put(&world.killer->object);
}

static ftl_isolation_t victim_isolation;
static sim_code only_code; /* NULL: all */

static void set_up_victim(void)
{
    make_world(victim_isolation, FTL_ISOLATION_USER);
    make_victim();
    for (size_t i = 0; i < ARRAY_SIZE(victim_codes); i++) {
        if (only_code == NULL || only_code == victim_codes[i]) {
            core_thread(world.victim, victim_codes[i], 0);
        }
    }
    core_thread(world.killer, kills, 0);
}

static void check_killed(void)
{
    if (world.victim->exit_status != 7) {
        sim_fail("exit status %d", world.victim->exit_status);
    }
    check_both_exited();
}

static const struct core_scenario victim_killed = { set_up_victim, check_killed };

static void kill_in_every_single_state_leaves_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(victim_codes); i++) {
        victim_isolation = i % 2 == 0 ? FTL_ISOLATION_USER : FTL_ISOLATION_SANDBOX;
        only_code = victim_codes[i];
        core_explore(&victim_killed, RUNS);
        core_explore_switches(&victim_killed, RUNS);
    }
}

static void kill_at_every_single_point_leaves_nothing(void **state)
{
    (void)state;
    static const sim_code codes[] = { waits_on_futex_with_deadline, yields, maps };
    victim_isolation = FTL_ISOLATION_USER;
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        only_code = codes[i];
        core_explore_switches(&victim_killed, SIZE_MAX / 1000);
    }
}

static void kill_of_many_threads_in_all_states_leaves_nothing(void **state)
{
    (void)state;
    only_code = NULL;
    for (unsigned isolation = 0; isolation < 2; isolation++) {
        victim_isolation = (ftl_isolation_t)isolation;
        core_explore(&victim_killed, RUNS);
    }
}

static void set_up_exit_race(void)
{
    make_world(FTL_ISOLATION_USER, FTL_ISOLATION_USER);
    make_victim();
    core_thread(world.victim, exits_process, 0);
    core_thread(world.victim, exits, 0);
    core_thread(world.victim, waits_on_futex, 0);
    core_thread(world.killer, kills, 0);
}

static const struct core_scenario exit_race = { set_up_exit_race, check_both_exited };

static void exit_and_kill_at_once_end_the_process_once(void **state)
{
    (void)state;
    core_explore(&exit_race, RUNS);
    core_explore_switches(&exit_race, RUNS);
}

/* --- Chains --- */

#define CHAIN 3000

static bool closes_first(struct context *context, struct sim_call *call)
{
    if (context->x[SIM_VAR(0)]++ == 0) {
        return core_make(call, FTL_CALL_HANDLE_CLOSE, world.victim_handle, 0, 0, 0);
    }
    return core_make(call, FTL_CALL_THREAD_EXIT, 0, 0, 0, 0);
}

/* Each holds the only handle to the next; a hart's stack is short. */
static void chain_of_processes_goes_without_deep_recursion(void **state)
{
    (void)state;
    struct core_counts before = core_count();
    world.killer = core_process(FTL_ISOLATION_USER);
    struct process *next = core_process_in(world.killer->vmspace);
    for (unsigned i = 0; i < CHAIN; i++) {
        struct process *process = core_process_in(world.killer->vmspace);
        core_handle(process, &next->object, FTL_RIGHTS_ALL);
        object_put(&next->object);
        next = process;
    }
    world.victim_handle = core_handle(world.killer, &next->object, FTL_RIGHTS_ALL);
    object_put(&next->object);
    core_thread(world.killer, closes_first, 0);
    sim_run(&(struct sim_schedule){ 0 });
    assert_int_equal(world.killer->state, FTL_PROCESS_EXITED);
    object_put(&world.killer->object);
    core_check_counts(&before);
}

/* --- Loading and starting --- */

static bool image_exits(struct context *context, struct sim_call *call)
{
    if (sim_access(context->pc, FTL_MAP_EXEC) == NULL) {
        sim_fail("the image runs at %#lx, where no code is", context->pc);
    }
    world.image_ran++;
    return core_make(call, FTL_CALL_PROCESS_EXIT, 7, 0, 0, 0);
}

/* Maps the victim's image. */
static bool loads(struct context *context, struct sim_call *call)
{
    if (context->x[SIM_VAR(0)]++ == 0) {
        bool sandbox = victim_isolation == FTL_ISOLATION_SANDBOX;
        *call = (struct sim_call){
            .number = sandbox ? FTL_CALL_PROCESS_MAP_CODE : FTL_CALL_PROCESS_MAP,
            .args = { world.victim_handle, world.image_handle, 0, CORE_ELF_SIZE,
                      FTL_MAP_READ | FTL_MAP_EXEC, world.image_base },
        };
        if (sandbox) {
            call->args[2] = world.image_base;
        }
        return true;
    }
    world.loaded += context->x[REG_A0] == FTL_OK;
    world.load_errors += context->x[REG_A0] != FTL_OK;
    return core_make(call, FTL_CALL_THREAD_EXIT, 0, 0, 0, 0);
}

#define START_TRIES 6

/* Tries to start, now and then, until the image is there; kills what does not start. */
static bool starts(struct context *context, struct sim_call *call)
{
    uint64_t tries = context->x[SIM_VAR(0)]++;
    bool tried = context->x[SIM_VAR(1)] != 0;
    context->x[SIM_VAR(1)] = 0;
    if (tried && context->x[REG_A0] == FTL_OK) {
        world.started++;
        tries = UINT64_MAX;
    }
    if (tries == START_TRIES) {
        return core_make(call, FTL_CALL_PROCESS_KILL, world.victim_handle, 7, 0, 0);
    }
    if (tries > START_TRIES) {
        return core_make(call, FTL_CALL_THREAD_EXIT, 0, 0, 0, 0);
    }
    if (world.loaded == 0 && (victim_isolation == FTL_ISOLATION_USER || tries % 2 == 0)) {
        return core_make(call, FTL_CALL_THREAD_SLEEP, (uint64_t)time_now() + 1000, 0, 0, 0);
    }
    context->x[SIM_VAR(1)] = 1;
    return core_make(call, FTL_CALL_PROCESS_START, world.victim_handle,
                     world.image_base + ELF_FILE_ENTRY, 0, 0);
}

static unsigned loader_count;
static bool kill_meanwhile;

/* The killer's handle to what `loads` maps: the file, or the code made of it. */
static ftl_handle_t image_handle(void)
{
    if (victim_isolation == FTL_ISOLATION_USER) {
        return core_handle(world.killer, &world.image->object, FTL_RIGHTS_ALL);
    }
    struct code *code = core_code(world.image, world.killer->account);
    ftl_handle_t handle = core_handle(world.killer, &code->object, FTL_RIGHTS_ALL);
    object_put(&code->object);
    return handle;
}

static void set_up_loading(void)
{
    make_world(victim_isolation, victim_isolation);
    world.image = core_elf(victim_isolation);
    world.image_base = world.victim->vmspace->start + MIB;
    world.image_handle = image_handle();
    sim_image_code = image_exits;
    for (unsigned i = 0; i < loader_count; i++) {
        core_thread(world.killer, loads, 0);
    }
    core_thread(world.killer, starts, 0);
    if (kill_meanwhile) {
        core_thread(world.killer, kills, 0);
    }
}

static void check_loading(void)
{
    if (world.loaded > 1 || world.image_ran > 1 || world.started > 1 ||
        world.loaded + world.load_errors != loader_count) {
        sim_fail("loaded %u times, %u errors; started %u times, ran %u times", world.loaded,
                 world.load_errors, world.started, world.image_ran);
    }
    if (!kill_meanwhile && world.started != world.image_ran) {
        sim_fail("started %u, but the image ran %u times", world.started, world.image_ran);
    }
    object_put(&world.image->object);
    check_both_exited();
}

static const struct core_scenario loading = { set_up_loading, check_loading };

static void explore_loading(void)
{
    for (unsigned isolation = 0; isolation < 2; isolation++) {
        victim_isolation = (ftl_isolation_t)isolation;
        core_explore(&loading, RUNS);
        core_explore_switches(&loading, RUNS);
    }
}

static void start_while_the_image_is_mapped_finds_all_of_its_code_or_none(void **state)
{
    (void)state;
    loader_count = 1;
    kill_meanwhile = false;
    explore_loading();
}

static void two_loads_at_one_place_leave_one_image(void **state)
{
    (void)state;
    loader_count = 2;
    kill_meanwhile = false;
    explore_loading();
}

static void kill_while_loading_or_starting_leaves_nothing(void **state)
{
    (void)state;
    loader_count = 1;
    kill_meanwhile = true;
    explore_loading();
}

int main(void)
{
    sim_boot(3, 32 * MIB);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kill_in_every_single_state_leaves_nothing),
        cmocka_unit_test(kill_at_every_single_point_leaves_nothing),
        cmocka_unit_test(kill_of_many_threads_in_all_states_leaves_nothing),
        cmocka_unit_test(exit_and_kill_at_once_end_the_process_once),
        cmocka_unit_test(chain_of_processes_goes_without_deep_recursion),
        cmocka_unit_test(start_while_the_image_is_mapped_finds_all_of_its_code_or_none),
        cmocka_unit_test(two_loads_at_one_place_leave_one_image),
        cmocka_unit_test(kill_while_loading_or_starting_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
