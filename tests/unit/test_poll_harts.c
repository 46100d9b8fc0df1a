/*
 * Polls on the simulated machine: one thread waits while others signal what it watches, change,
 * remove and add entries, close channels, and kill. On no schedule an event is lost, and none is
 * reported that did not happen, be entries level- or edge-triggered.
 */
#include "sim/core.h"

#include <ftl/call_numbers.h>

#define RUNS    400
#define SOURCES 3
#define ROUNDS  5 /* signals of each source: bits 0 and on of a notification */
#define CHANGES 6 /* of an entry */

#define ALL_BITS ((UINT64_C(1) << ROUNDS) - 1)
/* of source i, after its entry has changed n times */
#define WORD(n, i)  ((uint64_t)(n) << 8 | (i))
#define SOURCE(w)   ((w) & 0xff)
#define SEQUENCE(w) ((w) >> 8)

static struct process *process; /* of all threads but those to be killed */
static struct process *victim;
static ftl_handle_t poll;
static ftl_handle_t sources[SOURCES];
static uint64_t entries[SOURCES];
static uint32_t trigger; /* FTL_POLL_EDGE or 0 */
static vaddr_t memory;   /* of the process: events */
static uint64_t collected[SOURCES];
static uint64_t removed; /* changes so far, that have returned, of entry 0 */
static unsigned sets, reports;
static bool is_last_set;

static uint64_t make(unsigned number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
    struct call_result result = core_call(number, a0, a1, a2, a3, 0, 0);
    if (result.status != FTL_OK) {
        sim_fail("call %u: status %ld", number, (long)result.status);
    }
    return result.value;
}

static bool exits(struct context *context, struct sim_call *call)
{
    (void)context;
    return core_make(call, FTL_CALL_THREAD_EXIT, 0, 0, 0, 0);
}

static void require_ok(const struct context *context, const char *what)
{
    if (context->x[REG_A0] != FTL_OK) {
        sim_fail("%s: status %ld", what, (long)context->x[REG_A0]);
    }
}

static void make_process(void)
{
    memset(collected, 0, sizeof(collected));
    removed = 0;
    sets = 0;
    reports = 0;
    is_last_set = false;
    victim = NULL;
    process = core_process(FTL_ISOLATION_USER);
    memory = core_map(process, PAGE_SIZE);
}

/* Notifications, watched. The test is in the process. */
static void make_sources(void)
{
    poll = make(FTL_CALL_POLL_CREATE, 0, 0, 0, 0);
    for (unsigned i = 0; i < SOURCES; i++) {
        sources[i] = make(FTL_CALL_NOTIFICATION_CREATE, 0, 0, 0, 0);
        entries[i] =
            make(FTL_CALL_POLL_ADD, poll, sources[i], FTL_SIGNAL_READABLE | trigger, WORD(0, i));
    }
}

static void check_exited(void)
{
    if (process->state != FTL_PROCESS_EXITED) {
        sim_fail("the waiter still waits: %#lx %#lx %#lx, %u reports", collected[0], collected[1],
                 collected[2], reports);
    }
    object_put(&process->object);
    if (victim != NULL) {
        object_put(&victim->object);
    }
}

/* ---- Threads ---- */

/* Sets the bits of source number a0, one after the other. */
static bool signals_all(struct context *context, struct sim_call *call)
{
    uint64_t round = context->x[SIM_VAR(0)]++;
    if (round == 0) {
        context->x[SIM_VAR(1)] = context->x[REG_A0];
    } else {
        require_ok(context, "notification_signal");
    }
    if (round == ROUNDS) {
        return exits(context, call);
    }
    return core_make(call, FTL_CALL_NOTIFICATION_SIGNAL, sources[context->x[SIM_VAR(1)]],
                     UINT64_C(1) << round, 0, 0);
}

static struct ftl_poll_event *event(void)
{
    struct ftl_poll_event *host = sim_access(memory, FTL_MAP_WRITE);
    if (host == NULL) {
        sim_fail("the waiter's memory is gone");
    }
    return host;
}

static bool is_all_collected(void)
{
    for (unsigned i = 0; i < SOURCES; i++) {
        if (collected[i] != ALL_BITS) {
            return false;
        }
    }
    return true;
}

enum { WAIT, WAITED, CLEARED };

/* Waits, clears what is reported, and notes the bits, until it has seen all. */
static bool collects(struct context *context, struct sim_call *call)
{
    switch (context->x[SIM_VAR(0)]) {
    case WAIT:
        context->x[SIM_VAR(0)] = WAITED;
        context->x[SIM_VAR(1)] = removed;
        return core_make(call, FTL_CALL_POLL_WAIT, poll, memory, 1, FTL_TIME_INFINITE);
    case WAITED:
        require_ok(context, "poll_wait");
        if (SOURCE(event()->word) >= SOURCES || event()->signals != FTL_SIGNAL_READABLE) {
            sim_fail("word %#lx, signals %#x", event()->word, event()->signals);
        }
        if (SOURCE(event()->word) == 0 && SEQUENCE(event()->word) < context->x[SIM_VAR(1)]) {
            sim_fail("word %lu reported after change %lu", SEQUENCE(event()->word),
                     context->x[SIM_VAR(1)]);
        }
        context->x[SIM_VAR(0)] = CLEARED;
        context->x[SIM_VAR(2)] = SOURCE(event()->word);
        return core_make(call, FTL_CALL_NOTIFICATION_CLEAR, sources[context->x[SIM_VAR(2)]],
                         UINT64_MAX, 0, 0);
    default:
        require_ok(context, "notification_clear");
        if (context->x[REG_A1] == 0) { /* nobody else clears */
            sim_fail("source %lu was reported with nothing set", context->x[SIM_VAR(2)]);
        }
        collected[context->x[SIM_VAR(2)]] |= context->x[REG_A1];
        context->x[SIM_VAR(0)] = WAIT;
        return is_all_collected() ? exits(context, call) : false;
    }
}

/* Changes entry 0 again and again: silent, edge, level, ...; in the end as it was at first. */
static bool modifies(struct context *context, struct sim_call *call)
{
    static const uint32_t interests[] = { 0, FTL_SIGNAL_READABLE | FTL_POLL_EDGE,
                                          FTL_SIGNAL_READABLE };
    uint64_t change = context->x[SIM_VAR(0)]++;
    if (change != 0) {
        require_ok(context, "poll_modify");
        removed = change;
    }
    if (change == CHANGES) {
        return exits(context, call);
    }
    bool is_last = change + 1 == CHANGES;
    return core_make(call, FTL_CALL_POLL_MODIFY, poll, entries[0],
                     is_last ? FTL_SIGNAL_READABLE | trigger
                             : interests[change % ARRAY_SIZE(interests)],
                     WORD(change + 1, 0));
}

/* Removes entry 0 and adds it again, several times. */
static bool removes_and_adds(struct context *context, struct sim_call *call)
{
    uint64_t step = context->x[SIM_VAR(0)]++;
    if (step != 0) {
        require_ok(context, step % 2 == 1 ? "poll_remove" : "poll_add");
    }
    if (step % 2 == 1) {
        removed = step / 2 + 1;
        return core_make(call, FTL_CALL_POLL_ADD, poll, sources[0], FTL_SIGNAL_READABLE | trigger,
                         WORD(step / 2 + 1, 0));
    }
    if (step != 0) {
        entries[0] = context->x[REG_A1];
    }
    return step == 2 * CHANGES ? exits(context, call)
                               : core_make(call, FTL_CALL_POLL_REMOVE, poll, entries[0], 0, 0);
}

/* ---- Signals ---- */

static sim_code changer; /* of entry 0, or NULL */

static void set_up_collecting(void)
{
    make_process();
    core_enter(process);
    make_sources();
    for (unsigned i = 0; i < SOURCES; i++) {
        core_thread(process, signals_all, i);
    }
    core_thread(process, collects, 0);
    if (changer != NULL) {
        core_thread(process, changer, 0);
    }
    core_leave();
}

static const struct core_scenario collecting = { set_up_collecting, check_exited };

static void explore_with(sim_code code)
{
    static const uint32_t triggers[] = { 0, FTL_POLL_EDGE };
    changer = code;
    for (size_t i = 0; i < ARRAY_SIZE(triggers); i++) {
        trigger = triggers[i];
        core_explore(&collecting, RUNS);
        core_explore_switches(&collecting, RUNS);
    }
}

static void no_signal_is_lost_and_none_made_up(void **state)
{
    (void)state;
    explore_with(NULL);
}

static void no_signal_is_lost_while_the_entry_is_modified(void **state)
{
    (void)state;
    explore_with(modifies);
}

static void no_signal_is_lost_while_the_entry_is_removed_and_added(void **state)
{
    (void)state;
    explore_with(removes_and_adds);
}

/* ---- Edges ---- */

/* Sets and clears source 0 several times, and leaves it set; then wakes who counts for good. */
static bool makes_edges(struct context *context, struct sim_call *call)
{
    uint64_t step = context->x[SIM_VAR(0)]++;
    if (step != 0) {
        require_ok(context, "signal or clear");
    }
    if (step == 2 * ROUNDS - 1) {
        is_last_set = true; /* and its event is there, or was taken */
        return core_make(call, FTL_CALL_NOTIFICATION_SIGNAL, sources[1], 1, 0, 0);
    }
    if (step == 2 * ROUNDS) {
        return exits(context, call);
    }
    if (step % 2 == 1) {
        return core_make(call, FTL_CALL_NOTIFICATION_CLEAR, sources[0], 1, 0, 0);
    }
    sets++;
    return core_make(call, FTL_CALL_NOTIFICATION_SIGNAL, sources[0], 1, 0, 0);
}

/* Counts events of source 0 without clearing it, until that of source 1 comes. */
static bool counts_edges(struct context *context, struct sim_call *call)
{
    if (context->x[SIM_VAR(0)]++ != 0) {
        require_ok(context, "poll_wait");
        if (event()->word == WORD(0, 1)) {
            return exits(context, call);
        }
        if (++reports > sets) {
            sim_fail("%u events of %u times that it was set", reports, sets);
        }
    }
    return core_make(call, FTL_CALL_POLL_WAIT, poll, memory, 1, FTL_TIME_INFINITE);
}

static void set_up_edges(void)
{
    make_process();
    core_enter(process);
    make_sources();
    core_thread(process, makes_edges, 0);
    core_thread(process, counts_edges, 0);
    core_leave();
}

/* The last edge was before the end was signalled, and stays set: it must have been reported. */
static void check_edges(void)
{
    if (!is_last_set || reports == 0) {
        sim_fail("%u reports", reports);
    }
    check_exited();
}

static const struct core_scenario edges = { set_up_edges, check_edges };

static void an_edge_is_reported_once_at_most_and_the_last_one_always(void **state)
{
    (void)state;
    trigger = FTL_POLL_EDGE;
    core_explore(&edges, 2 * RUNS);
    core_explore_switches(&edges, 2 * RUNS);
}

/* ---- Peers that close, and are killed ---- */

static ftl_handle_t far_end; /* the peer's */

static bool closes(struct context *context, struct sim_call *call)
{
    return context->x[SIM_VAR(0)]++ != 0 ? exits(context, call)
                                         : core_make(call, FTL_CALL_HANDLE_CLOSE, far_end, 0, 0, 0);
}

static bool waits_for_the_peer(struct context *context, struct sim_call *call)
{
    if (context->x[SIM_VAR(0)]++ != 0) {
        require_ok(context, "poll_wait");
        if (event()->signals == FTL_SIGNAL_PEER_CLOSED && ++reports == 1) {
            return exits(context, call);
        }
        sim_fail("signals %#x, %u reports", event()->signals, reports);
    }
    return core_make(call, FTL_CALL_POLL_WAIT, poll, memory, 1, FTL_TIME_INFINITE);
}

static bool computes_for_ever(struct context *context, struct sim_call *call)
{
    (void)context;
    return core_make(call, FTL_CALL_THREAD_YIELD, 0, 0, 0, 0);
}

static ftl_handle_t victim_handle;

static bool kills(struct context *context, struct sim_call *call)
{
    return context->x[SIM_VAR(0)]++ != 0
               ? exits(context, call)
               : core_make(call, FTL_CALL_PROCESS_KILL, victim_handle, (uint64_t)-1, 0, 0);
}

static void make_channel(void)
{
    vaddr_t second = memory + 512;
    core_enter(process);
    poll = make(FTL_CALL_POLL_CREATE, 0, 0, 0, 0);
    ftl_handle_t first = make(FTL_CALL_CHANNEL_CREATE, second, 0, 0, 0);
    far_end = *(uint64_t *)sim_access(second, FTL_MAP_READ);
    make(FTL_CALL_POLL_ADD, poll, first, FTL_SIGNAL_PEER_CLOSED | trigger, 0);
}

static void set_up_closing(void)
{
    make_process();
    make_channel();
    core_thread(process, waits_for_the_peer, 0);
    core_thread(process, closes, 0);
    core_leave();
}

static const struct core_scenario closing = { set_up_closing, check_exited };

/* The far end belongs to a process that is killed. */
static void set_up_killing(void)
{
    make_process();
    victim = core_process(FTL_ISOLATION_USER);
    make_channel();
    victim_handle = core_handle(process, &victim->object, FTL_RIGHTS_ALL);
    make(FTL_CALL_PROCESS_GRANT, victim_handle, far_end, FTL_RIGHTS_SAME, 0);
    core_thread(process, waits_for_the_peer, 0);
    core_thread(process, kills, 0);
    core_leave();
    core_thread(victim, computes_for_ever, 0);
}

static const struct core_scenario killing = { set_up_killing, check_exited };

static void the_end_of_a_peer_is_reported(void **state)
{
    static const uint32_t triggers[] = { 0, FTL_POLL_EDGE };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(triggers); i++) {
        trigger = triggers[i];
        core_explore(&closing, RUNS);
        core_explore_switches(&closing, RUNS);
        core_explore(&killing, RUNS);
        core_explore_switches(&killing, RUNS);
    }
}

/* ---- Waiters that are killed, polls that are closed ---- */

static ftl_handle_t victims_poll;

static bool waits_for_nothing_more(struct context *context, struct sim_call *call)
{
    if (context->x[SIM_VAR(0)]++ == 0) {
        return core_make(call, FTL_CALL_POLL_WAIT, victims_poll, memory, 1, FTL_TIME_INFINITE);
    }
    return computes_for_ever(context, call); /* with the event, if it got one, until it is killed */
}

static bool signals_once(struct context *context, struct sim_call *call)
{
    return context->x[SIM_VAR(0)]++ != 0
               ? exits(context, call)
               : core_make(call, FTL_CALL_NOTIFICATION_SIGNAL, sources[0], 1, 0, 0);
}

/* Is satisfied with one event, which it leaves as it is. */
static bool waits_once(struct context *context, struct sim_call *call)
{
    if (context->x[SIM_VAR(0)]++ == 0) {
        return core_make(call, FTL_CALL_POLL_WAIT, poll, memory, 1, FTL_TIME_INFINITE);
    }
    require_ok(context, "poll_wait");
    return exits(context, call);
}

/* The other waits on the same poll, and may be killed with the only wake-up in its hands. */
static void set_up_killed_waiter(void)
{
    make_process();
    victim = core_process_in(process->vmspace);
    core_enter(process);
    make_sources();
    victim_handle = core_handle(process, &victim->object, FTL_RIGHTS_ALL);
    ftl_handle_t copy = make(FTL_CALL_HANDLE_DUPLICATE, poll, FTL_RIGHTS_SAME, 0, 0);
    victims_poll = make(FTL_CALL_PROCESS_GRANT, victim_handle, copy, FTL_RIGHTS_SAME, 0);
    core_thread(victim, waits_for_nothing_more, 0);
    core_thread(process, waits_once, 0);
    core_thread(process, signals_once, 0);
    core_thread(process, kills, 0);
    core_leave();
}

static const struct core_scenario killed_waiter = { set_up_killed_waiter, check_exited };

static void a_level_is_seen_by_another_when_a_waiter_is_killed(void **state)
{
    (void)state;
    trigger = 0;
    core_explore(&killed_waiter, 4 * RUNS);
    core_explore_switches(&killed_waiter, 4 * RUNS);
}

static void set_up_two_waiters(void)
{
    make_process();
    core_enter(process);
    make_sources();
    core_thread(process, waits_once, 0);
    core_thread(process, waits_once, 0);
    core_thread(process, signals_once, 0);
    core_leave();
}

static const struct core_scenario two_waiters = { set_up_two_waiters, check_exited };

static void a_level_is_seen_by_all_waiters(void **state)
{
    (void)state;
    trigger = 0;
    core_explore(&two_waiters, RUNS);
    core_explore_switches(&two_waiters, RUNS);
}

/* Closes the poll's handle when the waiter may be waiting; then signals. */
static bool closes_the_poll(struct context *context, struct sim_call *call)
{
    switch (context->x[SIM_VAR(0)]++) {
    case 0: return core_make(call, FTL_CALL_HANDLE_CLOSE, poll, 0, 0, 0);
    case 1: return core_make(call, FTL_CALL_NOTIFICATION_SIGNAL, sources[2], 1, 0, 0);
    default: return exits(context, call);
    }
}

/* Who waits already gets the event; who comes later is told that there is no such handle. */
static bool waits_on_a_closed_poll(struct context *context, struct sim_call *call)
{
    if (context->x[SIM_VAR(0)]++ == 0) {
        return core_make(call, FTL_CALL_POLL_WAIT, poll, memory, 1, FTL_TIME_INFINITE);
    }
    if ((int64_t)context->x[REG_A0] != FTL_ERR_HANDLE_CLOSED) {
        require_ok(context, "poll_wait");
        if (event()->word != WORD(0, 2)) {
            sim_fail("word %#lx", event()->word);
        }
    }
    return exits(context, call);
}

static void set_up_closed_poll(void)
{
    make_process();
    core_enter(process);
    make_sources();
    core_thread(process, waits_on_a_closed_poll, 0);
    core_thread(process, closes_the_poll, 0);
    core_leave();
}

static const struct core_scenario closed_poll = { set_up_closed_poll, check_exited };

static void a_poll_that_is_closed_serves_who_waits(void **state)
{
    (void)state;
    trigger = 0;
    core_explore(&closed_poll, RUNS);
    core_explore_switches(&closed_poll, RUNS);
}

int main(void)
{
    sim_boot(3, 16 * MIB);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_signal_is_lost_and_none_made_up),
        cmocka_unit_test(no_signal_is_lost_while_the_entry_is_modified),
        cmocka_unit_test(no_signal_is_lost_while_the_entry_is_removed_and_added),
        cmocka_unit_test(an_edge_is_reported_once_at_most_and_the_last_one_always),
        cmocka_unit_test(the_end_of_a_peer_is_reported),
        cmocka_unit_test(a_level_is_seen_by_another_when_a_waiter_is_killed),
        cmocka_unit_test(a_level_is_seen_by_all_waiters),
        cmocka_unit_test(a_poll_that_is_closed_serves_who_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
