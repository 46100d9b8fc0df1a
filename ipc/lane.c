/*
 * Lanes: see lane.h. Locks: the pair's, which serializes all but the fast path, then the lane's.
 * A thread in a lane has no clean-up: it leaves by itself when it ends (words_ports_close()).
 */
#include "ipc/lane.h"

#include <ftl/words.h>

#include "ipc/channel.h"
#include "ipc/fastpath.h"
#include "kernel/assert.h"
#include "kernel/process.h"
#include "kernel/thread.h"

/* What a closed port is open for: no handle, and a lane whose lock nobody gets. */
static const struct handle_slot no_slot;
static struct lane no_lane = { .lock = { .held = 1 } };

static void reset(struct words_port *port)
{
    *port = (struct words_port){ .slot = &no_slot, .lane = &no_lane };
}

void words_ports_init(struct thread *thread)
{
    for (size_t i = 0; i < PORT_COUNT; i++) {
        reset(&thread->ports[i]);
    }
}

/* The end whose calls go through the lane. */
static struct channel *callers_end(struct lane *lane)
{
    return CONTAINER_OF(lane, struct channel, lane);
}

/* A thread that is in no lane any more goes on waiting in a list. The pair's lock is held. */
static void wait_in_list(struct thread *thread, struct list *waiters,
                         const struct channel_wait *operation,
                         struct call_result (*resume)(struct thread *thread))
{
    struct wait *wait = &thread->wait;
    channel_pair_get(operation->channel->pair);
    wait->timed_out = false;
    wait->channel = *operation;
    wait->cleanup = channel_wait_cleanup;
    wait->resume = resume;
    context_set_words_call(&thread->context);
    list_push_back(waiters, &wait->channel.link);
}

static void caller_waits_in_list(struct channel *channel, struct thread *caller)
{
    const struct channel_wait operation = {
        .channel = channel,
        .is_call = true,
        .words = true,
        .transaction = channel->lane.tag >> FTL_WORDS_TAG_SHIFT,
        .deadline = FTL_TIME_INFINITE,
    };
    wait_in_list(caller, &channel->callers, &operation, channel_resume_call);
}

static void server_waits_in_list(struct channel *channel, struct thread *server)
{
    const struct channel_wait operation = {
        .channel = channel,
        .receiving = true,
        .words = true,
        .deadline = FTL_TIME_INFINITE,
    };
    wait_in_list(server, &channel->receivers, &operation, channel_resume_receive);
}

/* Takes all out of the lane, to be seen to. */
static struct lane empty(struct lane *lane)
{
    spin_lock(&lane->lock);
    struct lane former = *lane;
    lane->server = NULL;
    lane->caller = NULL;
    lane->lender = NULL;
    spin_unlock(&lane->lock);
    return former;
}

void lane_clear(struct channel *channel)
{
    struct lane lane = empty(&channel->lane);
    if (lane.lender != NULL) {
        caller_waits_in_list(channel, lane.lender);
    }
    if (lane.caller != NULL) {
        caller_waits_in_list(channel, lane.caller);
        thread_lend_priority(lane.caller, lane.server);
    } else if (lane.server != NULL) {
        server_waits_in_list(channel->peer, lane.server);
    }
}

uint64_t lane_next_transaction(struct channel *channel)
{
    channel->lane.tag += LANE_TAG_STEP;
    return channel->lane.tag >> FTL_WORDS_TAG_SHIFT;
}

bool lane_wait(struct channel *channel)
{
    struct lane *lane = &channel->peer->lane;
    if (thread_current()->ports[PORT_SERVES].lane != lane) {
        return false;
    }
    spin_lock(&lane->lock);
    bool is_free = lane->server == NULL && lane->caller == NULL && lane->lender == NULL;
    if (is_free) {
        thread_wait_begin(NULL, NULL);
        lane->server = thread_current();
    }
    spin_unlock(&lane->lock);
    return is_free;
}

/* --- Lending --- */

/* The lane's lock is held, and its caller is there. */
static void begin_loan(struct lane *lane)
{
    thread_begin_loan(lane->caller, lane->server);
    lane->lender = lane->caller;
    lane->caller = NULL;
    lane->server = NULL;
}

void lane_lend(struct thread *thread)
{
    struct words_port *port = &thread->ports[PORT_CALLS];
    spin_lock(&thread->lock);
    struct lane *lane = port->lane;
    struct channel_pair *pair = port->pair;
    if (pair != NULL) {
        channel_pair_get(pair);
    }
    spin_unlock(&thread->lock);
    if (pair == NULL) {
        return;
    }
    spin_lock(&lane->lock);
    if (lane->caller == thread) {
        begin_loan(lane);
    }
    spin_unlock(&lane->lock);
    channel_pair_put(pair);
}

void lane_lend_to_current(void)
{
    struct thread *server = thread_current();
    struct lane *lane = server->ports[PORT_SERVES].lane;
    struct thread *caller = NULL;
    if (server->ports[PORT_SERVES].pair == NULL) {
        return;
    }
    spin_lock(&lane->lock);
    if (lane->caller != NULL && lane->server == server &&
        __atomic_load_n(&lane->caller->priority_changed, __ATOMIC_RELAXED) != 0) {
        caller = lane->caller;
        object_get(&caller->object);
        begin_loan(lane);
    }
    spin_unlock(&lane->lock);
    if (caller != NULL) {
        thread_renew_loan(caller);
        object_put(&caller->object);
    }
}

/* --- Ports --- */

/* Takes the thread, which does not wait in it, out of the lane. The pair's lock is held. */
static void leave(struct lane *lane, struct thread *thread, bool ends)
{
    struct thread *caller = NULL; /* whom it serves */
    bool lends = false;
    spin_lock(&lane->lock);
    if (lane->server == thread || lane->caller == thread) {
        caller = lane->caller == thread ? NULL : lane->caller;
        lane->server = NULL;
        lane->caller = NULL;
    } else if (lane->lender == thread) {
        lane->lender = NULL;
        lends = true;
    }
    spin_unlock(&lane->lock);
    if (caller != NULL) {
        caller_waits_in_list(callers_end(lane), caller);
    }
    if (caller != NULL && !ends) {
        thread_lend_priority(caller, thread);
    }
    if (lends) {
        thread_return_priority(thread);
    }
}

static __attribute__((noinline)) void close_open_port(struct thread *thread,
                                                      struct words_port *port, bool ends)
{
    struct channel_pair *pair = port->pair;
    spin_lock(&pair->lock);
    leave(port->lane, thread, ends);
    spin_unlock(&pair->lock);
    spin_lock(&thread->lock);
    reset(port);
    spin_unlock(&thread->lock);
    channel_pair_put(pair);
}

static inline void close_port(struct thread *thread, struct words_port *port, bool ends)
{
    if (port->pair != NULL) {
        close_open_port(thread, port, ends);
    }
}

void words_ports_close(struct thread *thread)
{
    for (size_t i = 0; i < PORT_COUNT; i++) {
        close_port(thread, &thread->ports[i], true);
    }
}

void words_ports_close_for(const struct channel_pair *pair)
{
    struct thread *thread = thread_current();
    for (size_t i = 0; i < PORT_COUNT && thread != NULL; i++) {
        if (thread->ports[i].pair == pair) {
            close_port(thread, &thread->ports[i], false);
        }
    }
}

bool words_port_open(enum words_port_kind kind, ftl_handle_t handle)
{
    const ftl_rights_t rights = FTL_RIGHT_READ | FTL_RIGHT_WRITE;
    struct thread *thread = thread_current();
    struct words_port *port = &thread->ports[kind];
    struct handle_table *table = &thread->process->handles;
    struct channel *channel = NULL;
    if (port->slot->value == handle) {
        return false;
    }
    spin_lock(&table->lock);
    const struct handle_slot *slot = handle_find(table, handle);
    if (slot != NULL && slot->object->type == OBJECT_CHANNEL && handle_has_rights(handle, rights)) {
        channel = (struct channel *)slot->object;
        channel_pair_get(channel->pair);
    }
    spin_unlock(&table->lock);
    if (channel == NULL) {
        return false;
    }
    close_port(thread, port, false);
    spin_lock(&thread->lock);
    *port = (struct words_port){
        .slot = slot,
        .lane = kind == PORT_CALLS ? &channel->lane : &channel->peer->lane,
        .pair = channel->pair,
    };
    spin_unlock(&thread->lock);
    return true;
}
