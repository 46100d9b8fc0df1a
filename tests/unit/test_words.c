/*
 * Calls between processes on the simulated machine: by registers on the fast and on the slow path,
 * through memory, with deadlines, and with processes that are killed meanwhile. Whatever the
 * schedule, every request is served once and every reply is its request's own.
 */
#include "sim/core.h"

#include <ftl/call_numbers.h>
#include <ftl/words.h>

#include "arch/timer.h"

#include "calls.gen.h"

#include "ipc/channel.h"
#include "kernel/system.h"

#define RUNS       300
#define ROUNDS     5 /* calls of each client */
#define CLIENTS    3
#define SERVERS    2 /* threads */
#define KILL_AFTER 20000
#define LOW        (FTL_PRIORITY_DEFAULT - 4) /* of all threads where priorities change */
#define BOOSTS     12
#define WAIT_MAX   10000 /* pieces of code, in which all harts have got on */

enum { CLIENT_WORDS, CLIENT_MEMORY, CLIENT_HASTY };

static struct world {
    struct process *server;
    struct process *clients[CLIENTS];
    struct process *killer;
    ftl_handle_t server_end;
    ftl_handle_t client_ends[CLIENTS];
    ftl_handle_t victim;      /* the killer's handle */
    ftl_handle_t to_boost[2]; /* the booster's: threads of clients */
    bool boosts;              /* it is there */
    bool boosting;            /* and is in a call */
    unsigned waited; /* pieces of code of servers that wait for the priority that they are due */
    vaddr_t server_memory;
    vaddr_t memories[CLIENTS];
    unsigned kinds[CLIENTS];
    unsigned served[CLIENTS][ROUNDS];
    unsigned finished; /* threads */
    unsigned timed_out;
    bool kills;
} world;

static size_t fast_calls; /* of all runs */

/* What a client's memory holds. */
struct exchange {
    struct ftl_message request;
    struct ftl_message reply;
    uint64_t word;
    uint64_t answer;
};

static bool exits(struct context *context, struct sim_call *call)
{
    (void)context;
    world.finished++;
    return core_make(call, FTL_CALL_THREAD_EXIT, 0, 0, 0, 0);
}

static void *memory(vaddr_t address)
{
    void *host = sim_access(address, FTL_MAP_WRITE);
    if (host == NULL) {
        sim_fail("memory is gone");
    }
    return host;
}

enum { START, NEXT, DONE };

#define STEP   context->x[SIM_VAR(0)]
#define ROUND  context->x[SIM_VAR(1)]
#define ID     context->x[SIM_VAR(2)]
#define TAG    context->x[SIM_VAR(3)]
#define ANSWER context->x[SIM_VAR(4)]

static uint64_t request_of(uint64_t id, uint64_t round)
{
    return (id + 1) << 32 | round;
}

static uint64_t answer_to(uint64_t request)
{
    return request ^ 0xabcdef0000000000;
}

/* --- Clients --- */

static bool begin_call(struct context *context, struct sim_call *call)
{
    uint64_t request = request_of(ID, ROUND);
    STEP = DONE;
    if (world.kinds[ID] == CLIENT_WORDS) {
        *context_word(context, 0) = request;
        return core_make(call, FTL_CALL_CHANNEL_CALL_WORDS, world.client_ends[ID], 8, 0, 0);
    }
    vaddr_t at = world.memories[ID];
    struct exchange *exchange = memory(at);
    exchange->word = request;
    exchange->request = (struct ftl_message){
        .data = (void *)(at + offsetof(struct exchange, word)), /* NOLINT */
        .size = sizeof(request),
    };
    exchange->reply = (struct ftl_message){
        .data = (void *)(at + offsetof(struct exchange, answer)), /* NOLINT */
        .capacity = sizeof(request),
    };
    nsec_t deadline = world.kinds[ID] == CLIENT_HASTY ? time_now() + 3000 : FTL_TIME_INFINITE;
    return core_make(call, FTL_CALL_CHANNEL_CALL, world.client_ends[ID], at,
                     at + offsetof(struct exchange, reply), (uint64_t)deadline);
}

static bool end_call(struct context *context, struct sim_call *call)
{
    int64_t status = (int64_t)context->x[REG_A0];
    if (status == FTL_ERR_PEER_CLOSED && world.kills) {
        return exits(context, call);
    }
    if (status == FTL_ERR_TIMED_OUT && world.kinds[ID] == CLIENT_HASTY) {
        world.timed_out++;
    } else {
        bool words = world.kinds[ID] == CLIENT_WORDS;
        const struct exchange *exchange = words ? NULL : memory(world.memories[ID]);
        uint64_t answer = words ? *context_word(context, 0) : exchange->answer;
        if (status != FTL_OK || answer != answer_to(request_of(ID, ROUND)) ||
            (words && context->x[REG_A1] != 8)) {
            sim_fail("client %lu: call %lu returned %ld, %#lx", ID, ROUND, status, answer);
        }
    }
    STEP = NEXT;
    return ++ROUND == ROUNDS ? exits(context, call) : false;
}

static bool client(struct context *context, struct sim_call *call)
{
    switch (STEP) {
    case START:
        ID = context->x[REG_A0];
        STEP = NEXT;
        return false;
    case NEXT: return begin_call(context, call);
    default: return end_call(context, call);
    }
}

/* --- Servers --- */

static struct thread *first_thread(const struct process *process)
{
    return LIST_ENTRY(process->threads.next, struct thread, process_link);
}

/*
 * Whether the current thread, which serves this client, runs with its priority at least. If not,
 * another hart is about to lend it that.
 */
static bool has_priority_of(uint64_t id)
{
    if (!world.boosts || world.boosting ||
        thread_current()->priority >= first_thread(world.clients[id])->priority) {
        return true;
    }
    if (++world.waited > WAIT_MAX) {
        sim_fail("the server's priority is %u, its client's %u", thread_current()->priority,
                 first_thread(world.clients[id])->priority);
    }
    return false;
}

static bool end_serve(struct context *context, struct sim_call *call)
{
    int64_t status = (int64_t)context->x[REG_A0];
    if (status == FTL_ERR_PEER_CLOSED) {
        return exits(context, call);
    }
    TAG = context->x[REG_A1];
    uint64_t request = *context_word(context, 0);
    uint64_t id = (request >> 32) - 1;
    if (status != FTL_OK || id >= CLIENTS || (uint32_t)request >= ROUNDS ||
        (TAG & FTL_WORDS_SIZE_MASK) != 8 || TAG >> FTL_WORDS_TAG_SHIFT == 0) {
        sim_fail("serve_words returned %ld, tag %#lx, word %#lx", status, TAG, request);
    }
    if (!has_priority_of(id)) {
        return false;
    }
    world.waited = 0;
    world.served[id][(uint32_t)request]++;
    ANSWER = answer_to(request);
    STEP = NEXT;
    return false;
}

static bool server(struct context *context, struct sim_call *call)
{
    if (STEP == DONE) {
        return end_serve(context, call);
    }
    *context_word(context, 0) = ANSWER;
    STEP = DONE;
    return core_make(call, FTL_CALL_CHANNEL_SERVE_WORDS, world.server_end, TAG, 0, 0);
}

/* --- The killer --- */

static bool killer(struct context *context, struct sim_call *call)
{
    switch (STEP++) {
    case 0:
        return core_make(call, FTL_CALL_THREAD_SLEEP, (uint64_t)time_now() + context->x[REG_A0], 0,
                         0, 0);
    case 1: return core_make(call, FTL_CALL_PROCESS_KILL, world.victim, 7, 0, 0);
    default: return exits(context, call);
    }
}

/* --- The booster: changes the priorities of two clients again and again --- */

static bool booster(struct context *context, struct sim_call *call)
{
    world.boosting = false;
    if (STEP == BOOSTS) {
        return exits(context, call);
    }
    if (TAG++ % 2 == 0) {
        return core_make(call, FTL_CALL_THREAD_SLEEP, (uint64_t)time_now() + 1500, 0, 0, 0);
    }
    world.boosting = true;
    uint64_t step = STEP++;
    return core_make(call, FTL_CALL_THREAD_SET_PRIORITY, world.to_boost[step / 2 % 2],
                     step % 2 == 0 ? FTL_PRIORITY_DEFAULT : LOW, 0, 0);
}

/* --- Scenarios --- */

static void make_channel(void)
{
    vaddr_t second = world.server_memory;
    core_enter(world.server);
    struct call_result made = core_call(FTL_CALL_CHANNEL_CREATE, second, 0, 0, 0, 0, 0);
    ftl_handle_t other = *(ftl_handle_t *)memory(second);
    struct object *end;
    assert_int_equal(made.status, FTL_OK);
    world.server_end = made.value;
    assert_int_equal(handle_lookup(other, OBJECT_CHANNEL, 0, &end), FTL_OK);
    for (unsigned i = 0; i < CLIENTS; i++) {
        world.client_ends[i] = core_handle(world.clients[i], end, FTL_RIGHTS_ALL);
    }
    object_put(end);
    assert_int_equal(core_call(FTL_CALL_HANDLE_CLOSE, other, 0, 0, 0, 0, 0).status, FTL_OK);
    for (unsigned i = 0; i < SERVERS; i++) {
        core_thread(world.server, server, 0);
    }
    core_leave();
}

static void set_up(const unsigned kinds[CLIENTS], bool one_vmspace)
{
    memset(&world, 0, sizeof(world));
    world.server = core_process(FTL_ISOLATION_SANDBOX);
    world.server_memory = core_map(world.server, PAGE_SIZE);
    for (unsigned i = 0; i < CLIENTS; i++) {
        world.kinds[i] = kinds[i];
        world.clients[i] = one_vmspace && i == 0
                               ? core_process_in(world.server->vmspace)
                               : core_process(i == 1 ? FTL_ISOLATION_SANDBOX : FTL_ISOLATION_USER);
        world.memories[i] = core_map(world.clients[i], PAGE_SIZE);
    }
    make_channel();
    for (unsigned i = 0; i < CLIENTS; i++) {
        core_thread(world.clients[i], client, i);
    }
}

static void set_up_killer(struct process *victim, nsec_t after)
{
    world.kills = true;
    world.killer = core_process(FTL_ISOLATION_USER);
    world.victim = core_handle(world.killer, &victim->object, FTL_RIGHTS_ALL);
    core_thread(world.killer, killer, (uint64_t)after);
}

/* Has all threads run with the same priority, and some of the clients' change theirs. */
static void set_up_boosted(void)
{
    struct thread *thread;
    set_up((const unsigned[]){ CLIENT_WORDS, CLIENT_WORDS, CLIENT_MEMORY }, false);
    world.killer = core_process(FTL_ISOLATION_USER);
    for (unsigned i = 0; i < CLIENTS; i++) {
        thread = first_thread(world.clients[i]);
        thread_set_priority(thread, LOW);
        if (i < ARRAY_SIZE(world.to_boost)) {
            world.to_boost[i] = core_handle(world.killer, &thread->object, FTL_RIGHTS_ALL);
        }
    }
    LIST_FOR_EACH(thread, &world.server->threads, struct thread, process_link)
    {
        thread_set_priority(thread, LOW);
    }
    world.boosts = true;
    core_thread(world.killer, booster, 0);
}

static void put_world(void)
{
    fast_calls += sim_statistics.fast_words_calls;
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (world.clients[i]->state != FTL_PROCESS_EXITED) {
            sim_fail("client %u has not exited", i);
        }
        object_put(&world.clients[i]->object);
    }
    if (world.server->state != FTL_PROCESS_EXITED) {
        sim_fail("the server has not exited");
    }
    object_put(&world.server->object);
    if (world.killer != NULL) {
        object_put(&world.killer->object);
    }
}

static void check_all_served_once(void)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        for (unsigned round = 0; round < ROUNDS; round++) {
            if (world.served[i][round] != 1) {
                sim_fail("request %u of client %u served %u times", round, i,
                         world.served[i][round]);
            }
        }
    }
    if (world.finished != CLIENTS + SERVERS + (world.killer != NULL)) {
        sim_fail("%u threads finished", world.finished);
    }
    put_world();
}

static void check_none_served_twice(void)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        for (unsigned round = 0; round < ROUNDS; round++) {
            if (world.served[i][round] > 1) {
                sim_fail("request %u of client %u served twice", round, i);
            }
        }
    }
    put_world();
}

static void set_up_words(void)
{
    set_up((const unsigned[]){ CLIENT_WORDS, CLIENT_WORDS, CLIENT_WORDS }, false);
}

static void set_up_mixed(void)
{
    set_up((const unsigned[]){ CLIENT_WORDS, CLIENT_MEMORY, CLIENT_HASTY }, true);
}

static void set_up_server_killed(void)
{
    set_up((const unsigned[]){ CLIENT_WORDS, CLIENT_MEMORY, CLIENT_WORDS }, true);
    set_up_killer(world.server, KILL_AFTER);
}

static void set_up_client_killed(void)
{
    set_up((const unsigned[]){ CLIENT_WORDS, CLIENT_WORDS, CLIENT_MEMORY }, false);
    set_up_killer(world.clients[0], KILL_AFTER / 2);
}

static const struct core_scenario boosted = { set_up_boosted, check_all_served_once };
static const struct core_scenario words = { set_up_words, check_all_served_once };
static const struct core_scenario mixed = { set_up_mixed, check_all_served_once };
static const struct core_scenario server_killed = { set_up_server_killed, check_none_served_twice };
static const struct core_scenario client_killed = { set_up_client_killed, check_none_served_twice };

static void calls_by_registers_are_each_served_once(void **state)
{
    (void)state;
    fast_calls = 0;
    core_explore(&words, RUNS);
    core_explore_switches(&words, RUNS);
    assert_true(fast_calls > (size_t)2 * RUNS * ROUNDS);
}

static void calls_of_all_kinds_on_one_channel_are_each_served_once(void **state)
{
    (void)state;
    core_explore(&mixed, RUNS);
    core_explore_switches(&mixed, RUNS);
}

static void servers_run_with_the_priorities_of_their_callers(void **state)
{
    (void)state;
    fast_calls = 0;
    core_explore(&boosted, 3 * RUNS);
    core_explore_switches(&boosted, RUNS);
    assert_true(fast_calls > RUNS);
}

static void calls_to_a_server_that_is_killed_end(void **state)
{
    (void)state;
    core_explore(&server_killed, 2 * RUNS);
    core_explore_switches(&server_killed, RUNS);
}

static void calls_of_a_killed_client_leave_the_server_as_it_was(void **state)
{
    (void)state;
    core_explore(&client_killed, 2 * RUNS);
    core_explore_switches(&client_killed, RUNS);
}

static void set_up_traced(void)
{
    set_up_words();
    assert_int_equal(sys_system_trace(system_get(), 1).status, FTL_OK);
}

static void check_traced(void)
{
    assert_int_equal(sys_system_trace(system_get(), 0).status, FTL_OK);
    if (sim_statistics.fast_words_calls != 0) {
        sim_fail("the fast path was taken though messages are traced");
    }
    check_all_served_once();
}

static const struct core_scenario traced = { set_up_traced, check_traced };

static void calls_that_are_traced_take_the_slow_path(void **state)
{
    (void)state;
    core_explore(&traced, RUNS / 4);
}

int main(void)
{
    sim_boot(3, 32 * MIB);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_by_registers_are_each_served_once),
        cmocka_unit_test(calls_of_all_kinds_on_one_channel_are_each_served_once),
        cmocka_unit_test(servers_run_with_the_priorities_of_their_callers),
        cmocka_unit_test(calls_to_a_server_that_is_killed_end),
        cmocka_unit_test(calls_of_a_killed_client_leave_the_server_as_it_was),
        cmocka_unit_test(calls_that_are_traced_take_the_slow_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
