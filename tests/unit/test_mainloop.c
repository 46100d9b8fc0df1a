/*
 * user/lib/src/mainloop.c and server.c, over a fake kernel: handles with signals that the test
 * sets, a level-triggered poll, channels from which the test's messages are received.
 */
#include "host/test.h"

#include <ftl/channel.h>
#include <ftl/handle.h>
#include <ftl/poll.h>
#include <ftl/protocols/sample.h>
#include <ftl/server.h>

#define POLL      ((ftl_handle_t)1000)
#define HANDLES   40u /* 1 and on: what is watched */
#define QUEUE_MAX 4u

/* ---- The fake kernel ---- */

static struct {
    bool open[HANDLES];
    uint32_t signals[HANDLES];
    struct {
        bool used;
        ftl_handle_t handle;
        uint32_t interest;
        uint64_t word;
    } entries[HANDLES];
    size_t turn; /* the entry that is reported first */
    bool poll_open;
    ftl_status_t add_status;
    ftl_status_t wait_status; /* when nothing is ready */
    struct {
        char bytes[64];
        size_t size;
        uint64_t transaction;
    } queue[HANDLES][QUEUE_MAX];
    size_t queued[HANDLES];
    unsigned replies;
    ftl_status_t last_reply;
} fake;

ftl_status_t ftl_poll_create(ftl_handle_t *poll)
{
    assert_false(fake.poll_open);
    fake.poll_open = true;
    *poll = POLL;
    return FTL_OK;
}

ftl_status_t ftl_poll_add(ftl_handle_t poll, ftl_handle_t object, uint32_t interest, uint64_t word,
                          uint64_t *entry)
{
    assert_int_equal(poll, POLL);
    if (fake.add_status != FTL_OK) {
        return fake.add_status;
    }
    for (*entry = 0; fake.entries[*entry].used; ++*entry) {
    }
    fake.entries[*entry].used = true;
    fake.entries[*entry].handle = object;
    fake.entries[*entry].interest = interest;
    fake.entries[*entry].word = word;
    return FTL_OK;
}

ftl_status_t ftl_poll_modify(ftl_handle_t poll, uint64_t entry, uint32_t interest, uint64_t word)
{
    assert_int_equal(poll, POLL);
    assert_true(fake.entries[entry].used);
    assert_int_equal(fake.entries[entry].word, word);
    fake.entries[entry].interest = interest;
    return FTL_OK;
}

ftl_status_t ftl_poll_remove(ftl_handle_t poll, uint64_t entry)
{
    assert_int_equal(poll, POLL);
    assert_true(fake.entries[entry].used);
    fake.entries[entry].used = false;
    return FTL_OK;
}

ftl_status_t ftl_poll_wait(ftl_handle_t poll, struct ftl_poll_event *events, size_t capacity,
                           ftl_nsec_t deadline, size_t *count)
{
    (void)deadline;
    assert_int_equal(poll, POLL);
    *count = 0;
    for (size_t i = 0; i < HANDLES && *count < capacity; i++) {
        size_t at = (fake.turn + i) % HANDLES;
        uint32_t signals = fake.signals[fake.entries[at].handle] & fake.entries[at].interest;
        if (fake.entries[at].used && signals != 0) {
            events[(*count)++] = (struct ftl_poll_event){ fake.entries[at].word, signals, 0 };
        }
    }
    fake.turn++;
    return *count != 0 ? FTL_OK : fake.wait_status;
}

ftl_status_t ftl_handle_close(ftl_handle_t handle)
{
    if (handle == POLL) {
        assert_true(fake.poll_open);
        fake.poll_open = false;
        return FTL_OK;
    }
    assert_true(handle < HANDLES && fake.open[handle]);
    fake.open[handle] = false;
    fake.signals[handle] = 0;
    return FTL_OK;
}

ftl_status_t ftl_handle_check(ftl_handle_t handle, uint32_t type, ftl_rights_t rights)
{
    (void)handle;
    (void)type;
    (void)rights;
    return FTL_OK;
}

ftl_status_t ftl_channel_recv(ftl_handle_t channel, struct ftl_message *message,
                              ftl_nsec_t deadline)
{
    assert_int_equal(deadline, 0);
    if (fake.queued[channel] == 0) {
        bool closed = (fake.signals[channel] & FTL_SIGNAL_PEER_CLOSED) != 0;
        return closed ? FTL_ERR_PEER_CLOSED : FTL_ERR_WOULD_BLOCK;
    }
    size_t size = fake.queue[channel][0].size;
    if (size > message->capacity) {
        return FTL_ERR_TOO_SMALL;
    }
    memcpy(message->data, fake.queue[channel][0].bytes, size);
    message->size = size;
    message->handle_count = 0;
    message->transaction = fake.queue[channel][0].transaction;
    memmove(fake.queue[channel], fake.queue[channel] + 1,
            (QUEUE_MAX - 1) * sizeof(fake.queue[channel][0]));
    if (--fake.queued[channel] == 0) {
        fake.signals[channel] &= ~FTL_SIGNAL_READABLE;
    }
    return FTL_OK;
}

ftl_status_t ftl_channel_reply(ftl_handle_t channel, uint64_t transaction,
                               const struct ftl_message *message)
{
    (void)channel;
    const struct ftl_ipc_header *header = message->data;
    assert_int_not_equal(transaction, 0);
    fake.replies++;
    fake.last_reply = header->status;
    return FTL_OK;
}

ftl_status_t ftl_channel_send(ftl_handle_t channel, const struct ftl_message *message,
                              ftl_nsec_t deadline)
{
    (void)channel;
    (void)message;
    (void)deadline;
    fail();
    return FTL_OK;
}

ftl_status_t ftl_channel_call(ftl_handle_t channel, const struct ftl_message *request,
                              struct ftl_message *reply, ftl_nsec_t deadline)
{
    (void)reply;
    return ftl_channel_send(channel, request, deadline);
}

static ftl_handle_t make_handle(void)
{
    ftl_handle_t handle = 1;
    while (fake.open[handle]) {
        handle++;
    }
    assert_true(handle < HANDLES);
    fake.open[handle] = true;
    fake.queued[handle] = 0;
    return handle;
}

static size_t open_handles(void)
{
    size_t count = 0;
    for (size_t i = 0; i < HANDLES; i++) {
        count += fake.open[i];
    }
    return count;
}

static size_t entries(void)
{
    size_t count = 0;
    for (size_t i = 0; i < HANDLES; i++) {
        count += fake.entries[i].used;
    }
    return count;
}

static struct ftl_mainloop loop;

static int set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    fake.wait_status = FTL_ERR_TIMED_OUT;
    return ftl_mainloop_init(&loop);
}

static int tear_down(void **state)
{
    (void)state;
    ftl_mainloop_destroy(&loop);
    assert_false(fake.poll_open);
    return 0;
}

/* ---- Sources ---- */

struct counter {
    struct ftl_source source;
    unsigned calls;
    uint32_t signals;
    struct counter *remove; /* what the handler removes */
    bool stop;
};

static void count(struct ftl_source *source, uint32_t signals)
{
    struct counter *counter = source->context;
    assert_ptr_equal(&counter->source, source);
    counter->calls++;
    counter->signals = signals;
    if (counter->remove != NULL) {
        ftl_mainloop_remove(&counter->remove->source);
        memset(&counter->remove->source, 0xEE, sizeof(counter->remove->source));
        counter->remove = NULL;
    }
    if (counter->stop) {
        ftl_mainloop_stop(source->loop);
    }
}

static void add(struct counter *counter, uint32_t interest)
{
    memset(counter, 0, sizeof(*counter));
    assert_int_equal(
        ftl_mainloop_add(&loop, &counter->source, make_handle(), interest, count, counter), FTL_OK);
}

static void handlers_get_the_signals_they_are_interested_in(void **state)
{
    struct counter a;
    struct counter b;
    (void)state;
    add(&a, FTL_SIGNAL_READABLE | FTL_SIGNAL_PEER_CLOSED);
    add(&b, FTL_SIGNAL_READABLE);
    assert_int_equal(ftl_mainloop_step(&loop, 5), FTL_ERR_TIMED_OUT);
    fake.signals[a.source.handle] = FTL_SIGNAL_PEER_CLOSED | FTL_SIGNAL_WRITABLE;
    fake.signals[b.source.handle] = FTL_SIGNAL_PEER_CLOSED;
    assert_int_equal(ftl_mainloop_step(&loop, 5), FTL_OK);
    assert_int_equal(a.calls, 1);
    assert_int_equal(a.signals, FTL_SIGNAL_PEER_CLOSED);
    assert_int_equal(b.calls, 0);
    assert_int_equal(ftl_mainloop_step(&loop, 5), FTL_OK); /* still set: level-triggered */
    assert_int_equal(a.calls, 2);
}

static void a_silenced_source_is_not_handled(void **state)
{
    struct counter a;
    (void)state;
    add(&a, FTL_SIGNAL_READABLE);
    fake.signals[a.source.handle] = FTL_SIGNAL_READABLE;
    assert_int_equal(ftl_mainloop_modify(&a.source, 0), FTL_OK);
    assert_int_equal(ftl_mainloop_step(&loop, 5), FTL_ERR_TIMED_OUT);
    assert_int_equal(ftl_mainloop_modify(&a.source, FTL_SIGNAL_READABLE), FTL_OK);
    assert_int_equal(ftl_mainloop_step(&loop, 5), FTL_OK);
    assert_int_equal(a.calls, 1);
}

/* Whoever comes first removes the other, whose event has been taken from the kernel already. */
static void a_removed_source_is_not_handled_in_the_same_batch(void **state)
{
    struct counter a;
    struct counter b;
    (void)state;
    add(&a, FTL_SIGNAL_READABLE);
    add(&b, FTL_SIGNAL_READABLE);
    fake.signals[a.source.handle] = FTL_SIGNAL_READABLE;
    fake.signals[b.source.handle] = FTL_SIGNAL_READABLE;
    a.remove = &b;
    b.remove = &a;
    assert_int_equal(ftl_mainloop_step(&loop, 5), FTL_OK);
    assert_int_equal(a.calls + b.calls, 1);
    assert_int_equal(entries(), 1);
}

static void a_handler_can_remove_itself(void **state)
{
    struct counter a;
    (void)state;
    add(&a, FTL_SIGNAL_READABLE);
    fake.signals[a.source.handle] = FTL_SIGNAL_READABLE;
    a.remove = &a;
    assert_int_equal(ftl_mainloop_step(&loop, 5), FTL_OK);
    assert_int_equal(ftl_mainloop_step(&loop, 5), FTL_ERR_TIMED_OUT);
    assert_int_equal(a.calls, 1);
}

/* The place of a source that was removed in this batch gets a new one: it has not been ready. */
static struct counter *replaced;

static void replace(struct ftl_source *source, uint32_t signals)
{
    (void)signals;
    ftl_mainloop_remove(&replaced->source);
    add(replaced, FTL_SIGNAL_READABLE);
    ftl_mainloop_remove(source);
}

static void a_new_source_does_not_inherit_the_event_of_its_place(void **state)
{
    struct counter a;
    struct ftl_source replacer;
    (void)state;
    add(&a, FTL_SIGNAL_READABLE);
    fake.signals[a.source.handle] = FTL_SIGNAL_READABLE;
    assert_int_equal(
        ftl_mainloop_add(&loop, &replacer, make_handle(), FTL_SIGNAL_READABLE, replace, NULL),
        FTL_OK);
    fake.signals[replacer.handle] = FTL_SIGNAL_READABLE;
    fake.turn = 1; /* the replacer first */
    replaced = &a;
    assert_int_equal(ftl_mainloop_step(&loop, 5), FTL_OK);
    assert_int_equal(a.calls, 0);
}

static void run_ends_when_stopped_and_loses_nothing(void **state)
{
    struct counter a;
    struct counter b;
    (void)state;
    add(&a, FTL_SIGNAL_READABLE);
    add(&b, FTL_SIGNAL_READABLE);
    fake.signals[a.source.handle] = FTL_SIGNAL_READABLE;
    fake.signals[b.source.handle] = FTL_SIGNAL_READABLE;
    a.stop = b.stop = true;
    assert_int_equal(ftl_mainloop_run(&loop), FTL_OK);
    assert_int_equal(a.calls + b.calls, 1);
    assert_int_equal(ftl_mainloop_run(&loop), FTL_OK);
    assert_int_equal(a.calls + b.calls, 2);
    assert_true(a.calls == 1 && b.calls == 1);
}

static void an_error_of_the_kernel_ends_run(void **state)
{
    (void)state;
    fake.wait_status = FTL_ERR_CANCELLED;
    assert_int_equal(ftl_mainloop_run(&loop), FTL_ERR_CANCELLED);
}

static void many_sources_are_all_handled(void **state)
{
    struct counter counters[FTL_MAINLOOP_BATCH * 2];
    (void)state;
    for (size_t i = 0; i < FTL_MAINLOOP_BATCH * 2; i++) {
        add(&counters[i], FTL_SIGNAL_READABLE);
        fake.signals[counters[i].source.handle] = FTL_SIGNAL_READABLE;
    }
    for (unsigned round = 0; round < HANDLES; round++) {
        assert_int_equal(ftl_mainloop_step(&loop, 5), FTL_OK);
    }
    for (size_t i = 0; i < FTL_MAINLOOP_BATCH * 2; i++) {
        assert_true(counters[i].calls > 0);
    }
}

/* ---- Servers ---- */

static struct {
    unsigned calls, notes, opened, closed;
    uint64_t transaction;
    struct ftl_client *drop;
} seen;

static ftl_status_t on_nothing(void *context)
{
    struct ftl_client *client = context;
    unsigned *calls_of_client = (void *)client->state;
    seen.calls++;
    seen.transaction = client->transaction;
    assert_int_equal(++*calls_of_client, seen.calls);
    if (seen.drop != NULL) {
        ftl_server_drop(seen.drop);
    }
    return FTL_OK;
}

static void on_opened(struct ftl_client *client)
{
    (void)client;
    seen.opened++;
}

static void on_closed(struct ftl_client *client)
{
    (void)client;
    seen.closed++;
}

static const struct sample_handlers handlers = { .nothing = on_nothing };
static struct ftl_server server;

static int set_up_server(void **state)
{
    set_up(state);
    memset(&seen, 0, sizeof(seen));
    server = (struct ftl_server){
        .protocol = &sample_protocol,
        .handlers = &handlers,
        .state_size = sizeof(unsigned),
        .opened = on_opened,
        .closed = on_closed,
    };
    return ftl_server_open(&server, &loop);
}

static int tear_down_server(void **state)
{
    ftl_server_close(&server);
    assert_int_equal(open_handles(), 0);
    assert_int_equal(entries(), 0);
    assert_int_equal(seen.opened, seen.closed);
    return tear_down(state);
}

static struct ftl_client *add_client(void)
{
    struct ftl_client *client;
    assert_int_equal(ftl_server_add(&server, make_handle(), &client), FTL_OK);
    return client;
}

/* Queues a call of `nothing`, or a message of that size. */
static void queue(const struct ftl_client *client, size_t size, uint64_t transaction)
{
    ftl_handle_t channel = client->source.handle;
    struct ftl_message message = { .data = fake.queue[channel][fake.queued[channel]].bytes,
                                   .capacity = sizeof(fake.queue[0][0].bytes) };
    assert_int_equal(sample_nothing_request_encode(&message), FTL_OK);
    fake.queue[channel][fake.queued[channel]].size = size != 0 ? size : message.size;
    fake.queue[channel][fake.queued[channel]++].transaction = transaction;
    fake.signals[channel] |= FTL_SIGNAL_READABLE;
}

static void run_until_idle(void)
{
    while (ftl_mainloop_step(&loop, 0) == FTL_OK) {
    }
}

static void every_message_of_a_client_is_served(void **state)
{
    struct ftl_client *client = add_client();
    (void)state;
    for (uint64_t transaction = 1; transaction <= 3; transaction++) {
        queue(client, 0, transaction);
    }
    run_until_idle();
    assert_int_equal(seen.calls, 3);
    assert_int_equal(seen.transaction, 3);
    assert_int_equal(fake.replies, 3);
    assert_int_equal(fake.last_reply, FTL_OK);
}

static void a_client_that_closes_is_served_to_the_end_and_dropped(void **state)
{
    struct ftl_client *client = add_client();
    (void)state;
    queue(client, 0, 1);
    queue(client, 0, 2);
    fake.signals[client->source.handle] |= FTL_SIGNAL_PEER_CLOSED;
    run_until_idle();
    assert_int_equal(seen.calls, 2);
    assert_int_equal(seen.closed, 1);
    assert_int_equal(server.client_count, 0);
}

static void a_malformed_call_keeps_the_client(void **state)
{
    struct ftl_client *client = add_client();
    (void)state;
    queue(client, sizeof(struct ftl_ipc_header) + 8, 5);
    run_until_idle();
    assert_int_equal(fake.last_reply, FTL_ERR_BAD_FORMAT);
    assert_int_equal(server.client_count, 1);
}

static void a_malformed_one_way_message_loses_the_client(void **state)
{
    struct ftl_client *other = add_client();
    struct ftl_client *client = add_client();
    (void)state;
    queue(client, 3, 0);
    queue(client, 0, 1);
    queue(other, 0, 2);
    run_until_idle();
    assert_int_equal(fake.replies, 1);
    assert_int_equal(seen.closed, 1);
    assert_ptr_equal(server.clients, other);
}

static void a_message_larger_than_any_loses_the_client(void **state)
{
    struct ftl_client *client = add_client();
    (void)state;
    queue(client, SAMPLE_MESSAGE_MAX + 1, 1);
    run_until_idle();
    assert_int_equal(seen.closed, 1);
    assert_int_equal(fake.replies, 0);
}

static void more_clients_than_allowed_are_turned_away(void **state)
{
    (void)state;
    server.clients_max = 2;
    add_client();
    add_client();
    assert_int_equal(ftl_server_add(&server, make_handle(), NULL), FTL_ERR_LIMIT);
    assert_int_equal(open_handles(), 2);
    assert_int_equal(seen.opened, 2);
}

static void a_client_that_cannot_be_watched_is_turned_away(void **state)
{
    (void)state;
    fake.add_status = FTL_ERR_LIMIT;
    assert_int_equal(ftl_server_add(&server, make_handle(), NULL), FTL_ERR_LIMIT);
    assert_int_equal(open_handles(), 0);
    assert_int_equal(seen.opened, 0);
}

/* Both are ready at once; the one that is served first has the other dropped. */
static void a_handler_can_drop_another_client(void **state)
{
    struct ftl_client *first = add_client();
    struct ftl_client *second = add_client();
    (void)state;
    fake.turn = 0;
    queue(first, 0, 1);
    queue(second, 0, 2);
    seen.drop = second;
    assert_int_equal(ftl_mainloop_step(&loop, 0), FTL_OK);
    assert_int_equal(seen.calls, 1);
    assert_ptr_equal(server.clients, first);
    seen.drop = NULL;
    run_until_idle();
    assert_int_equal(seen.calls, 1);
}

static void closing_the_server_drops_all_clients(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        queue(add_client(), 0, i + 1);
    }
    ftl_server_drop(server.clients->next->next); /* from the middle */
    ftl_server_drop(server.clients);
    assert_int_equal(server.client_count, 8); /* the others: at the end of the test */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(handlers_get_the_signals_they_are_interested_in, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_silenced_source_is_not_handled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_removed_source_is_not_handled_in_the_same_batch, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_handler_can_remove_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_source_does_not_inherit_the_event_of_its_place,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(run_ends_when_stopped_and_loses_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_error_of_the_kernel_ends_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_sources_are_all_handled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_message_of_a_client_is_served, set_up_server,
                                        tear_down_server),
        cmocka_unit_test_setup_teardown(a_client_that_closes_is_served_to_the_end_and_dropped,
                                        set_up_server, tear_down_server),
        cmocka_unit_test_setup_teardown(a_malformed_call_keeps_the_client, set_up_server,
                                        tear_down_server),
        cmocka_unit_test_setup_teardown(a_malformed_one_way_message_loses_the_client, set_up_server,
                                        tear_down_server),
        cmocka_unit_test_setup_teardown(a_message_larger_than_any_loses_the_client, set_up_server,
                                        tear_down_server),
        cmocka_unit_test_setup_teardown(more_clients_than_allowed_are_turned_away, set_up_server,
                                        tear_down_server),
        cmocka_unit_test_setup_teardown(a_client_that_cannot_be_watched_is_turned_away,
                                        set_up_server, tear_down_server),
        cmocka_unit_test_setup_teardown(a_handler_can_drop_another_client, set_up_server,
                                        tear_down_server),
        cmocka_unit_test_setup_teardown(closing_the_server_drops_all_clients, set_up_server,
                                        tear_down_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
