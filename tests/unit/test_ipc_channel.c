/*
 * ipc/channel.c and ipc/message.c. The test's threads 0 to 2 share a process, thread 3 has another.
 */
#include "ipc_fakes.h"

#include <pthread.h>

#include "calls.gen.h"

#include "host/slab.h"
#include "ipc/channel.h"

#define BOTH         (FTL_SIGNAL_READABLE | FTL_SIGNAL_WRITABLE)
#define QUEUE_LENGTH 128u /* messages a queue takes */
#define SMALL_STACK  (256 * KIB)

static ftl_handle_t handles[2];
static struct channel *ends[2];
static char large[FTL_MESSAGE_SIZE_MAX];
static char received[FTL_MESSAGE_SIZE_MAX];
static ftl_handle_t received_handles[FTL_MESSAGE_HANDLES_MAX];

static ftl_handle_t make_pair(ftl_handle_t *second)
{
    return fake_ok(sys_channel_create((vaddr_t)second));
}

static int setup(void **state)
{
    fake_setup(state);
    handles[0] = make_pair(&handles[1]);
    for (size_t i = 0; i < 2; i++) {
        ends[i] = fake_object(handles[i]);
    }
    return 0;
}

static struct call_result send_handles(struct channel *from, const char *text, size_t size,
                                       ftl_handle_t *moved, uint32_t count, nsec_t deadline)
{
    struct ftl_message message = {
        .data = (void *)(uintptr_t)text,
        .size = size,
        .handles = moved,
        .handle_count = count,
    };
    return sys_channel_send(from, (vaddr_t)&message, deadline);
}

static struct call_result send_text(struct channel *from, const char *text, nsec_t deadline)
{
    return send_handles(from, text, strlen(text) + 1, NULL, 0, deadline);
}

/* Sends one handle. */
static ftl_status_t send_one(struct channel *from, ftl_handle_t handle)
{
    return (ftl_status_t)send_handles(from, "", 0, &handle, 1, 0).status;
}

static struct ftl_message room(void)
{
    memset(received, 0x55, sizeof(received));
    memset(received_handles, 0, sizeof(received_handles));
    return (struct ftl_message){
        .data = received,
        .capacity = sizeof(received),
        .handles = received_handles,
        .handle_capacity = FTL_MESSAGE_HANDLES_MAX,
    };
}

static void assert_receives(struct channel *at, const char *text)
{
    struct ftl_message message = room();
    assert_status(sys_channel_recv(at, (vaddr_t)&message, 0), FTL_OK);
    assert_int_equal(message.size, strlen(text) + 1);
    assert_string_equal(received, text);
}

static void assert_receive_fails(struct channel *at, ftl_status_t status)
{
    struct ftl_message message = room();
    assert_status(sys_channel_recv(at, (vaddr_t)&message, 0), status);
}

static uint32_t signals(size_t end)
{
    return object_signals(&ends[end]->object);
}

static void channel_delivers_in_order_both_ways(void **state)
{
    (void)state;
    assert_int_equal(signals(0), FTL_SIGNAL_WRITABLE);
    assert_status(send_text(ends[0], "one", 0), FTL_OK);
    assert_status(send_text(ends[0], "two", 0), FTL_OK);
    assert_status(send_text(ends[1], "back", 0), FTL_OK);
    assert_int_equal(signals(1), BOTH);
    assert_receives(ends[1], "one");
    assert_receives(ends[1], "two");
    assert_int_equal(signals(1), FTL_SIGNAL_WRITABLE);
    assert_receive_fails(ends[1], FTL_ERR_WOULD_BLOCK);
    assert_receives(ends[0], "back");
}

static void channel_carries_messages_of_every_size(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 1, 1023, 1024, 1025, 4096, FTL_MESSAGE_SIZE_MAX };
    for (size_t i = 0; i < sizeof(large); i++) {
        large[i] = (char)(i * 31 >> 3);
    }
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct ftl_message message = room();
        assert_status(send_handles(ends[0], large, sizes[i], NULL, 0, 0), FTL_OK);
        assert_status(sys_channel_recv(ends[1], (vaddr_t)&message, 0), FTL_OK);
        assert_int_equal(message.size, sizes[i]);
        assert_memory_equal(received, large, sizes[i]);
    }
    assert_status(send_handles(ends[0], large, FTL_MESSAGE_SIZE_MAX + 1, NULL, 0, 0),
                  FTL_ERR_INVALID_ARGUMENT);
    assert_status(send_handles(ends[0], NULL, 1, NULL, 0, 0), FTL_ERR_BAD_ADDRESS);
    assert_status(sys_channel_send(ends[0], 0, 0), FTL_ERR_BAD_ADDRESS);
    assert_status(sys_channel_recv(ends[0], 0, 0), FTL_ERR_BAD_ADDRESS);
}

static void channel_moves_handles_to_the_receiver(void **state)
{
    (void)state;
    ftl_handle_t moved[2] = { fake_ok(sys_notification_create()),
                              fake_ok(sys_notification_create()) };
    void *objects[2] = { fake_object(moved[0]), fake_object(moved[1]) };
    struct ftl_message message = room();
    struct object *gone;
    assert_status(send_handles(ends[0], "x", 1, moved, 2, 0), FTL_OK);
    assert_int_equal(handle_lookup(moved[0], OBJECT_ANY, 0, &gone), FTL_ERR_HANDLE_CLOSED);
    fake_switch(3); /* the other process */
    assert_status(sys_channel_recv(ends[1], (vaddr_t)&message, 0), FTL_OK);
    assert_int_equal(message.handle_count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_ptr_equal(fake_object(received_handles[i]), objects[i]);
    }
}

static void channel_send_takes_all_handles_or_none(void **state)
{
    (void)state;
    ftl_handle_t good = fake_ok(sys_notification_create());
    ftl_handle_t rightless;
    struct object *object = fake_object(good);
    object_get(object);
    handle_insert(&process_current()->handles, object, FTL_RIGHTS_ALL & ~FTL_RIGHT_TRANSFER,
                  &rightless);
    ftl_handle_t lists[3][2] = { { good, rightless }, { good, 99 }, { good, good } };
    assert_status(send_handles(ends[0], "", 0, lists[0], 2, 0), FTL_ERR_MISSING_RIGHT);
    assert_status(send_handles(ends[0], "", 0, lists[1], 2, 0), FTL_ERR_HANDLE_FORGED);
    assert_status(send_handles(ends[0], "", 0, lists[2], 2, 0), FTL_ERR_INVALID_ARGUMENT);
    assert_status(send_handles(ends[0], "", 0, lists[0], FTL_MESSAGE_HANDLES_MAX + 1, 0),
                  FTL_ERR_INVALID_ARGUMENT);
    assert_status(send_handles(ends[0], "", 0, NULL, 1, 0), FTL_ERR_BAD_ADDRESS);
    assert_ptr_equal(fake_object(good), object);
    assert_receive_fails(ends[1], FTL_ERR_WOULD_BLOCK);
    assert_int_equal(signals(0), FTL_SIGNAL_WRITABLE);
}

static void channel_receive_without_room_leaves_the_message(void **state)
{
    (void)state;
    ftl_handle_t moved = fake_ok(sys_notification_create());
    assert_status(send_handles(ends[0], "four", 5, &moved, 1, 0), FTL_OK);
    struct ftl_message message = room();
    message.capacity = 4;
    assert_status(sys_channel_recv(ends[1], (vaddr_t)&message, 0), FTL_ERR_TOO_SMALL);
    assert_int_equal(message.size, 5);
    assert_int_equal(message.handle_count, 1);
    message = room();
    message.handle_capacity = 0;
    assert_status(sys_channel_recv(ends[1], (vaddr_t)&message, 0), FTL_ERR_TOO_SMALL);
    assert_receives(ends[1], "four");
}

static void channel_receive_that_fails_puts_the_message_back(void **state)
{
    (void)state;
    struct ftl_message message = room();
    ftl_handle_t pair[2];
    pair[0] = make_pair(&pair[1]);
    assert_status(send_handles(ends[0], "first", 6, pair, 2, 0), FTL_OK);
    assert_status(send_text(ends[0], "second", 0), FTL_OK);
    uint32_t before = process_current()->handles.used;
    message.data = NULL;
    assert_status(sys_channel_recv(ends[1], (vaddr_t)&message, 0), FTL_ERR_BAD_ADDRESS);
    message = room();
    message.handles = NULL;
    assert_status(sys_channel_recv(ends[1], (vaddr_t)&message, 0), FTL_ERR_BAD_ADDRESS);
    message = room();
    process_current()->handles.limit = before + 1;
    assert_status(sys_channel_recv(ends[1], (vaddr_t)&message, 0), FTL_ERR_LIMIT);
    assert_int_equal(process_current()->handles.used, before);
    process_current()->handles.limit = HANDLE_LIMIT_DEFAULT;
    assert_receives(ends[1], "first");
    assert_int_equal(process_current()->handles.used, before + 2);
    assert_receives(ends[1], "second");
}

static void channel_closed_end_leaves_its_messages_readable(void **state)
{
    (void)state;
    assert_status(send_text(ends[0], "last words", 0), FTL_OK);
    fake_close(handles[0]);
    assert_int_equal(signals(1), FTL_SIGNAL_READABLE | FTL_SIGNAL_PEER_CLOSED);
    assert_status(send_text(ends[1], "anybody?", 0), FTL_ERR_PEER_CLOSED);
    assert_receives(ends[1], "last words");
    assert_receive_fails(ends[1], FTL_ERR_PEER_CLOSED);
    assert_int_equal(signals(1), FTL_SIGNAL_PEER_CLOSED);
}

static void channel_end_stays_open_until_its_last_handle_is_closed(void **state)
{
    (void)state;
    ftl_handle_t copy;
    object_get(&ends[0]->object);
    handle_insert(&process_current()->handles, &ends[0]->object, FTL_RIGHTS_ALL, &copy);
    fake_close(handles[0]);
    assert_int_equal(signals(1), FTL_SIGNAL_WRITABLE);
    fake_close(copy);
    assert_int_equal(signals(1), FTL_SIGNAL_PEER_CLOSED);
}

static void channel_receive_waits_for_a_message(void **state)
{
    (void)state;
    struct ftl_message message = room();
    assert_status(sys_channel_recv(ends[1], (vaddr_t)&message, FTL_TIME_INFINITE), CALL_STOPPED);
    fake_switch(1);
    assert_status(send_text(ends[0], "hello", 0), FTL_OK);
    assert_status(fake_run(0), FTL_OK);
    assert_string_equal(received, "hello");
    assert_status(sys_channel_recv(ends[1], (vaddr_t)&message, 9), CALL_STOPPED);
    assert_status(fake_expire(0), FTL_ERR_TIMED_OUT);
    assert_status(sys_channel_recv(ends[1], (vaddr_t)&message, 9), CALL_STOPPED);
    fake_close(handles[0]);
    assert_status(fake_run(0), FTL_ERR_PEER_CLOSED);
}

static void channel_receiver_whose_own_end_is_closed_is_told(void **state)
{
    (void)state;
    struct ftl_message message = room();
    assert_status(sys_channel_recv(ends[1], (vaddr_t)&message, FTL_TIME_INFINITE), CALL_STOPPED);
    fake_switch(1);
    fake_close(handles[1]);
    assert_true(fake_is_ready(0));
    assert_status(fake_run(0), FTL_ERR_HANDLE_CLOSED);
}

static void channel_receiver_killed_after_its_wake_up_passes_it_on(void **state)
{
    (void)state;
    struct ftl_message message = room();
    for (unsigned i = 0; i < 2; i++) {
        fake_switch(i);
        assert_status(sys_channel_recv(ends[1], (vaddr_t)&message, FTL_TIME_INFINITE),
                      CALL_STOPPED);
    }
    fake_switch(2);
    assert_status(send_text(ends[0], "x", 0), FTL_OK);
    assert_false(fake_is_ready(1));
    fake_kill(0);
    assert_status(fake_run(1), FTL_OK);
}

static void fill(void)
{
    for (uint32_t i = 0; i < QUEUE_LENGTH; i++) {
        assert_status(send_text(ends[0], "fill", 0), FTL_OK);
    }
    assert_int_equal(signals(0), 0);
    assert_status(send_text(ends[0], "more", 0), FTL_ERR_WOULD_BLOCK);
}

static void channel_full_makes_senders_wait_in_line(void **state)
{
    (void)state;
    fill();
    for (unsigned i = 0; i < 2; i++) {
        fake_switch(i);
        assert_status(send_text(ends[0], i == 0 ? "a" : "b", FTL_TIME_INFINITE), CALL_STOPPED);
    }
    fake_switch(2);
    assert_receives(ends[1], "fill");
    assert_true(fake_is_ready(0));
    assert_false(fake_is_ready(1));
    assert_status(send_text(ends[0], "pushy", 0), FTL_ERR_WOULD_BLOCK);
    assert_receives(ends[1], "fill");
    assert_status(fake_run(0), FTL_OK);
    assert_status(fake_run(1), FTL_OK);
    for (uint32_t i = 2; i < QUEUE_LENGTH; i++) {
        assert_receives(ends[1], "fill");
    }
    assert_int_equal(signals(0), FTL_SIGNAL_WRITABLE);
    assert_receives(ends[1], "a");
    assert_receives(ends[1], "b");
}

static void channel_is_bounded_in_bytes_too(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_status(send_handles(ends[0], large, sizeof(large), NULL, 0, 0), FTL_OK);
    }
    assert_int_equal(signals(0), 0);
    assert_status(send_handles(ends[0], large, 1, NULL, 0, 0), FTL_ERR_WOULD_BLOCK);
    assert_status(send_handles(ends[0], large, 0, NULL, 0, 0), FTL_OK);
}

static void channel_sender_granted_room_and_killed_gives_it_back(void **state)
{
    (void)state;
    fill();
    for (unsigned i = 0; i < 2; i++) {
        fake_switch(i);
        assert_status(send_text(ends[0], "waits", FTL_TIME_INFINITE), CALL_STOPPED);
    }
    fake_switch(2);
    assert_receives(ends[1], "fill");
    assert_false(fake_is_ready(1));
    fake_kill(0);
    assert_true(fake_is_ready(1));
    assert_status(fake_run(1), FTL_OK);
    assert_int_equal(ends[1]->queued, QUEUE_LENGTH);
}

static void channel_sender_that_waits_keeps_its_handles_until_there_is_room(void **state)
{
    (void)state;
    fill();
    ftl_handle_t moved = fake_ok(sys_notification_create());
    assert_status(send_handles(ends[0], "", 0, &moved, 1, 7), CALL_STOPPED);
    fake_object(moved);
    assert_status(fake_expire(0), FTL_ERR_TIMED_OUT);
    fake_object(moved);
    assert_status(send_handles(ends[0], "", 0, &moved, 1, 7), CALL_STOPPED);
    fake_close(moved); /* by another thread */
    fake_switch(1);
    assert_receives(ends[1], "fill");
    assert_status(fake_run(0), FTL_ERR_HANDLE_CLOSED);
    assert_int_equal(ends[1]->queued, QUEUE_LENGTH - 1);
}

static void channel_sender_that_waits_is_told_when_the_peer_closes(void **state)
{
    (void)state;
    fill();
    assert_status(send_text(ends[0], "x", FTL_TIME_INFINITE), CALL_STOPPED);
    fake_switch(1);
    fake_close(handles[1]);
    assert_status(fake_run(0), FTL_ERR_PEER_CLOSED);
}

static struct call_result call_text(const char *text, struct ftl_message *reply, nsec_t deadline)
{
    struct ftl_message request = { .data = (void *)(uintptr_t)text, .size = strlen(text) + 1 };
    *reply = room();
    return sys_channel_call(ends[0], (vaddr_t)&request, (vaddr_t)reply, deadline);
}

static uint64_t receive_call(const char *text)
{
    static char buffer[64];
    struct ftl_message message = { .data = buffer, .capacity = sizeof(buffer) };
    assert_status(sys_channel_recv(ends[1], (vaddr_t)&message, 0), FTL_OK);
    assert_string_equal(buffer, text);
    assert_int_not_equal(message.transaction, 0);
    return message.transaction;
}

static struct call_result reply_text(uint64_t transaction, const char *text)
{
    struct ftl_message message = { .data = (void *)(uintptr_t)text, .size = strlen(text) + 1 };
    return sys_channel_reply(ends[1], transaction, (vaddr_t)&message);
}

static void channel_calls_get_their_own_replies(void **state)
{
    (void)state;
    struct ftl_message replies[2];
    for (unsigned i = 0; i < 2; i++) {
        fake_switch(i);
        assert_status(call_text(i == 0 ? "a?" : "b?", &replies[i], FTL_TIME_INFINITE),
                      CALL_STOPPED);
    }
    fake_switch(2);
    uint64_t a = receive_call("a?");
    uint64_t b = receive_call("b?");
    assert_status(reply_text(b, "b!"), FTL_OK);
    assert_status(fake_run(1), FTL_OK);
    assert_string_equal(received, "b!");
    assert_int_equal(replies[1].size, 3);
    assert_status(reply_text(a, "a!"), FTL_OK);
    assert_status(reply_text(a, "again"), FTL_ERR_NOT_FOUND);
    assert_status(fake_run(0), FTL_OK);
    assert_string_equal(received, "a!");
    assert_status(reply_text(0, "nobody"), FTL_ERR_NOT_FOUND);
}

static void channel_call_lends_its_priority_from_receipt_to_reply(void **state)
{
    (void)state;
    struct ftl_message reply;
    assert_status(call_text("a?", &reply, FTL_TIME_INFINITE), CALL_STOPPED);
    fake_switch(1);
    assert_status(call_text("b?", &reply, 5), CALL_STOPPED);
    fake_switch(2);
    uint64_t a = receive_call("a?");
    assert_ptr_equal(fake_threads[0].loan.borrower, &fake_threads[2]);
    assert_null(fake_threads[1].loan.borrower);
    assert_status(reply_text(a, "a!"), FTL_OK);
    assert_null(fake_threads[0].loan.borrower);
    assert_status(fake_run(0), FTL_OK);
    fake_switch(2);
    receive_call("b?");
    assert_ptr_equal(fake_threads[1].loan.borrower, &fake_threads[2]);
    assert_status(fake_expire(1), FTL_ERR_TIMED_OUT);
    assert_null(fake_threads[1].loan.borrower);
}

static void channel_call_lends_its_priority_to_who_is_busy_with_another(void **state)
{
    (void)state;
    struct ftl_message replies[2];
    assert_status(call_text("a?", &replies[0], FTL_TIME_INFINITE), CALL_STOPPED);
    fake_switch(2);
    uint64_t a = receive_call("a?");
    fake_switch(1);
    assert_status(call_text("b?", &replies[1], FTL_TIME_INFINITE), CALL_STOPPED);
    assert_ptr_equal(fake_threads[1].loan.borrower, &fake_threads[2]);
    fake_switch(2);
    assert_status(reply_text(a, "a!"), FTL_OK);
    assert_ptr_equal(fake_threads[1].loan.borrower, &fake_threads[2]);
    assert_status(fake_run(0), FTL_OK);
    uint64_t b = receive_call("b?"); /* another thread than before */
    assert_ptr_equal(fake_threads[1].loan.borrower, &fake_threads[0]);
    assert_status(reply_text(b, "b!"), FTL_OK);
    assert_null(fake_threads[1].loan.borrower);
    assert_status(fake_run(1), FTL_OK);
}

static void channel_call_that_gave_up_is_not_found(void **state)
{
    (void)state;
    struct ftl_message reply;
    assert_status(call_text("?", &reply, 0), FTL_ERR_INVALID_ARGUMENT);
    assert_status(call_text("?", &reply, 5), CALL_STOPPED);
    assert_status(fake_expire(0), FTL_ERR_TIMED_OUT);
    assert_status(reply_text(receive_call("?"), "!"), FTL_ERR_NOT_FOUND);
}

static void channel_call_killed_with_its_reply_frees_it(void **state)
{
    (void)state;
    struct ftl_message reply;
    assert_status(call_text("?", &reply, FTL_TIME_INFINITE), CALL_STOPPED);
    fake_switch(1);
    assert_status(reply_text(receive_call("?"), "!"), FTL_OK);
    fake_kill(0);
}

static void channel_call_ends_when_the_server_does(void **state)
{
    (void)state;
    struct ftl_message reply;
    assert_status(call_text("?", &reply, FTL_TIME_INFINITE), CALL_STOPPED);
    fake_switch(1);
    fake_close(handles[1]);
    assert_status(fake_run(0), FTL_ERR_PEER_CLOSED);
}

static void channel_reply_given_before_the_server_ended_arrives(void **state)
{
    (void)state;
    struct ftl_message reply;
    assert_status(call_text("?", &reply, FTL_TIME_INFINITE), CALL_STOPPED);
    fake_switch(1);
    assert_status(reply_text(receive_call("?"), "bye"), FTL_OK);
    fake_close(handles[1]);
    assert_status(fake_run(0), FTL_OK);
    assert_string_equal(received, "bye");
}

static void channel_end_is_not_sent_through_its_own_channel(void **state)
{
    (void)state;
    assert_int_equal(send_one(ends[0], handles[0]), FTL_ERR_BAD_STATE);
    assert_int_equal(send_one(ends[0], handles[1]), FTL_ERR_BAD_STATE);
}

static void channel_ends_are_not_sent_in_a_ring(void **state)
{
    (void)state;
    ftl_handle_t b[2];
    ftl_handle_t c[2];
    b[0] = make_pair(&b[1]);
    c[0] = make_pair(&c[1]);
    struct channel *to_b = fake_object(b[0]);
    struct channel *to_c = fake_object(c[0]);
    assert_int_equal(send_one(ends[0], b[1]), FTL_OK);
    assert_int_equal(send_one(to_b, c[1]), FTL_OK);
    assert_int_equal(send_one(to_c, handles[1]), FTL_ERR_BAD_STATE); /* it would hold itself */
    assert_int_equal(send_one(to_b, handles[1]), FTL_ERR_BAD_STATE);
    fake_close(handles[1]); /* takes all that hangs from it along */
    assert_int_equal(object_signals(&to_b->object), FTL_SIGNAL_PEER_CLOSED);
    assert_int_equal(object_signals(&to_c->object), FTL_SIGNAL_PEER_CLOSED);
}

static void channel_end_in_a_lost_message_is_closed_though_it_is_watched(void **state)
{
    (void)state;
    ftl_handle_t b[2];
    b[0] = make_pair(&b[1]);
    struct channel *kept = fake_object(b[0]);
    struct poll *poll = fake_object(fake_ok(sys_poll_create()));
    fake_ok(sys_poll_add(poll, fake_object(b[1]), FTL_SIGNAL_READABLE, 0)); /* a reference */
    assert_int_equal(send_one(ends[0], b[1]), FTL_OK);
    assert_int_equal(object_signals(&kept->object), FTL_SIGNAL_WRITABLE);
    fake_close(handles[1]);
    assert_int_equal(object_signals(&kept->object), FTL_SIGNAL_PEER_CLOSED);
}

static void *close_handle_of(void *handle)
{
    fake_close(*(ftl_handle_t *)handle);
    return NULL;
}

/* Closes the handle on a stack where recursion per message does not fit. */
static void close_on_a_small_stack(ftl_handle_t handle)
{
    pthread_attr_t attributes;
    pthread_t thread;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, SMALL_STACK), 0);
    assert_int_equal(pthread_create(&thread, &attributes, close_handle_of, &handle), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attributes);
}

static void channel_ends_in_messages_are_freed_without_nesting(void **state)
{
    (void)state;
    ftl_handle_t outer[2];
    outer[0] = make_pair(&outer[1]);
    ftl_handle_t bottom = outer[0];
    ftl_handle_t top = outer[1];
    for (int i = 0; i < 20000; i++) { /* a new end into the queue of the one sent before */
        ftl_handle_t next[2];
        next[0] = make_pair(&next[1]);
        assert_int_equal(send_one(fake_object(bottom), next[1]), FTL_OK);
        fake_close(bottom);
        bottom = next[0];
    }
    close_on_a_small_stack(top);
    assert_int_equal(object_signals(&((struct channel *)fake_object(bottom))->object),
                     FTL_SIGNAL_PEER_CLOSED);
}

static void channel_ends_nested_too_deep_to_look_through_are_refused(void **state)
{
    (void)state;
    ftl_status_t status = FTL_OK;
    ftl_handle_t inner = handles[1];
    int depth = 0;
    while (status == FTL_OK && depth < 1000) { /* the last end into the queue of a new one */
        ftl_handle_t next[2];
        next[0] = make_pair(&next[1]);
        status = send_one(fake_object(next[0]), inner);
        inner = next[1];
        depth++;
    }
    assert_int_equal(status, FTL_ERR_LIMIT);
    assert_true(depth > 10);
}

static void channel_process_that_was_not_started_is_not_sent(void **state)
{
    (void)state;
    struct process *process = &fake_processes[1];
    object_get(&process->object);
    ftl_handle_t handle;
    handle_insert(&process_current()->handles, &process->object, FTL_RIGHTS_ALL, &handle);
    process->state = FTL_PROCESS_NEW;
    assert_int_equal(send_one(ends[0], handle), FTL_ERR_BAD_STATE);
    process->state = FTL_PROCESS_RUNNING;
    assert_int_equal(send_one(ends[0], handle), FTL_OK);
}

static void channel_messages_are_charged_to_the_sender_until_received(void **state)
{
    (void)state;
    struct account *account = process_current()->account;
    uint64_t before = account->used;
    assert_status(send_handles(ends[0], large, sizeof(large), NULL, 0, 0), FTL_OK);
    assert_true(account->used > before + sizeof(large));
    account->limit = account->used + 100;
    assert_status(send_handles(ends[0], large, 1000, NULL, 0, 0), FTL_ERR_LIMIT);
    struct ftl_message message = room();
    fake_switch(3);
    assert_status(sys_channel_recv(ends[1], (vaddr_t)&message, 0), FTL_OK);
    assert_int_equal(account->used, before);
}

static void channel_without_memory_fails_and_changes_nothing(void **state)
{
    (void)state;
    ftl_handle_t second;
    host_alloc_budget = 0;
    assert_status(sys_channel_create((vaddr_t)&second), FTL_ERR_NO_MEMORY);
    assert_status(send_text(ends[0], "x", 0), FTL_ERR_NO_MEMORY);
    host_alloc_budget = 1;
    assert_status(send_handles(ends[0], large, sizeof(large), NULL, 0, 0), FTL_ERR_NO_MEMORY);
    host_alloc_budget = -1;
    assert_status(sys_channel_create(0), FTL_ERR_BAD_ADDRESS);
    fake_processes[0].account->limit = fake_processes[0].account->used;
    assert_status(sys_channel_create((vaddr_t)&second), FTL_ERR_LIMIT);
    assert_int_equal(process_current()->handles.used, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(channel_delivers_in_order_both_ways),
        TEST(channel_carries_messages_of_every_size),
        TEST(channel_moves_handles_to_the_receiver),
        TEST(channel_send_takes_all_handles_or_none),
        TEST(channel_receive_without_room_leaves_the_message),
        TEST(channel_receive_that_fails_puts_the_message_back),
        TEST(channel_closed_end_leaves_its_messages_readable),
        TEST(channel_end_stays_open_until_its_last_handle_is_closed),
        TEST(channel_receive_waits_for_a_message),
        TEST(channel_receiver_whose_own_end_is_closed_is_told),
        TEST(channel_receiver_killed_after_its_wake_up_passes_it_on),
        TEST(channel_full_makes_senders_wait_in_line),
        TEST(channel_is_bounded_in_bytes_too),
        TEST(channel_sender_granted_room_and_killed_gives_it_back),
        TEST(channel_sender_that_waits_keeps_its_handles_until_there_is_room),
        TEST(channel_sender_that_waits_is_told_when_the_peer_closes),
        TEST(channel_calls_get_their_own_replies),
        TEST(channel_call_lends_its_priority_from_receipt_to_reply),
        TEST(channel_call_lends_its_priority_to_who_is_busy_with_another),
        TEST(channel_call_that_gave_up_is_not_found),
        TEST(channel_call_killed_with_its_reply_frees_it),
        TEST(channel_call_ends_when_the_server_does),
        TEST(channel_reply_given_before_the_server_ended_arrives),
        TEST(channel_end_is_not_sent_through_its_own_channel),
        TEST(channel_ends_are_not_sent_in_a_ring),
        TEST(channel_end_in_a_lost_message_is_closed_though_it_is_watched),
        TEST(channel_ends_in_messages_are_freed_without_nesting),
        TEST(channel_ends_nested_too_deep_to_look_through_are_refused),
        TEST(channel_process_that_was_not_started_is_not_sent),
        TEST(channel_messages_are_charged_to_the_sender_until_received),
        TEST(channel_without_memory_fails_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
