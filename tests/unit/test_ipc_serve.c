/*
 * user/lib/src/ipc.c together with generated client functions and dispatch (data/sample.ipc): calls
 * and messages that go through, and everything that a bad client or a bad server can do. The kernel
 * is a fake: a channel on which the server answers at once, and a count of handles.
 */
#include "host/test.h"

#include <ftl/channel.h>
#include <ftl/handle.h>
#include <ftl/protocols/sample.h>

#define CHANNEL     ((ftl_handle_t)7)
#define TRANSACTION UINT64_C(99)
#define HANDLES     64u
#define ENTRIES     100u /* that the server lists */

/* ---- Handles ---- */

static struct {
    ftl_object_type_t type; /* FTL_OBJECT_ANY: closed */
    ftl_rights_t rights;
} handles[HANDLES];

static ftl_handle_t make_handle(ftl_object_type_t type, ftl_rights_t rights)
{
    for (size_t i = 1; i < HANDLES; i++) {
        if (handles[i].type == FTL_OBJECT_ANY) {
            handles[i].type = type;
            handles[i].rights = rights;
            return i;
        }
    }
    fail_msg("too many handles");
    return FTL_HANDLE_INVALID;
}

static size_t open_handles(void)
{
    size_t count = 0;
    for (size_t i = 0; i < HANDLES; i++) {
        count += handles[i].type != FTL_OBJECT_ANY;
    }
    return count;
}

ftl_status_t ftl_handle_close(ftl_handle_t handle)
{
    assert_in_range(handle, 1, HANDLES - 1);
    assert_int_not_equal(handles[handle].type, FTL_OBJECT_ANY);
    handles[handle].type = FTL_OBJECT_ANY;
    return FTL_OK;
}

ftl_status_t ftl_handle_check(ftl_handle_t handle, uint32_t type, ftl_rights_t rights)
{
    assert_in_range(handle, 1, HANDLES - 1);
    if (type != FTL_OBJECT_ANY && handles[handle].type != type) {
        return FTL_ERR_WRONG_TYPE;
    }
    return (rights & ~handles[handle].rights) == 0 ? FTL_OK : FTL_ERR_MISSING_RIGHT;
}

/* ---- The server's handlers ---- */

static struct {
    unsigned calls;
    ftl_status_t result; /* of the next call */
    bool take;           /* handles of requests are taken */
    ftl_handle_t taken;
    bool bad_reply; /* the reply to `handles` breaks a bound */
    uint32_t note;
} server;

static ftl_status_t nothing(void *context)
{
    assert_ptr_equal(context, &server);
    server.calls++;
    return server.result;
}

static ftl_status_t fixed(void *context, struct sample_fixed_request *request,
                          struct sample_fixed_reply *reply)
{
    assert_ptr_equal(context, &server);
    server.calls++;
    assert_int_equal(request->small, 200);
    assert_true(request->flag);
    assert_int_equal(request->wide, UINT64_MAX - 5);
    assert_int_equal(request->when, INT64_MIN);
    assert_int_equal(request->half, -3);
    assert_int_equal(request->colour, SAMPLE_COLOUR_BLUE);
    assert_memory_equal(request->mac, "\1\2\3\4\5\6", 6);
    assert_int_equal(request->flags[0], 1);
    assert_int_equal(request->flags[1], 0);
    assert_int_equal(request->pair.pixel.x, -77);
    assert_int_equal(request->pair.after, 12);
    reply->negative = -request->half * 1000;
    return server.result;
}

static ftl_status_t variable(void *context, struct sample_variable_request *request,
                             struct sample_variable_reply *reply)
{
    (void)context;
    server.calls++;
    assert_int_equal(request->before, 4);
    assert_string_equal(request->name, "a name");
    assert_int_equal(request->data_size, 5);
    assert_memory_equal(request->data, "da\0ta", 5);
    assert_int_equal(request->words_count, 2);
    assert_int_equal(request->words[1], UINT64_C(1) << 40);
    assert_int_equal(request->bytes_count, 0);
    assert_int_equal(request->pixels_count, 1);
    assert_int_equal(request->pixels[0].colour, SAMPLE_COLOUR_GREEN);
    assert_int_equal(request->pixels[0].visible, 1);
    assert_string_equal(request->last, "");
    reply->name = request->name; /* out of the received message */
    return server.result;
}

static ftl_status_t with_handles(void *context, struct sample_handles_request *request,
                                 struct sample_handles_reply *reply)
{
    (void)context;
    server.calls++;
    assert_int_equal(handles[request->memory].type, FTL_OBJECT_VMO);
    assert_int_equal(handles[request->peer].type, FTL_OBJECT_CHANNEL);
    if (server.take) {
        server.taken = ftl_ipc_take(&request->memory);
    }
    reply->timer = make_handle(FTL_OBJECT_TIMER, FTL_RIGHTS_ALL);
    reply->text = server.bad_reply ? "longer than seven" : "yes";
    return server.result;
}

static void note(void *context, struct sample_note_message *message)
{
    (void)context;
    server.calls++;
    server.note = message->number;
    assert_int_equal(handles[message->signal].type, FTL_OBJECT_NOTIFICATION);
}

static ftl_status_t open_file(void *context, struct sample_open_request *request,
                              struct sample_open_reply *reply)
{
    (void)context;
    server.calls++;
    assert_int_equal(request->access, SAMPLE_ACCESS_READ | SAMPLE_ACCESS_APPEND);
    assert_int_equal(handles[request->memory].type, FTL_OBJECT_VMO);
    if (request->log == FTL_HANDLE_INVALID) {
        assert_int_equal(request->any, FTL_HANDLE_INVALID);
        reply->size = UINT64_C(1) << 40;
    } else {
        reply->file = ftl_ipc_take(&request->log);
    }
    return server.result;
}

/* Entries from `offset` on, as many as fit. */
static ftl_status_t list(void *context, struct sample_list_request *request,
                         struct sample_list_reply *reply)
{
    static _Alignas(8) char room[3000];
    static const uint32_t words[] = { 1, 2, 3 };
    struct sample_entry entry = {
        .kind = SAMPLE_COLOUR_RED,
        .name = "an entry",
        .words = words,
        .dot = { .colour = SAMPLE_COLOUR_GREEN },
    };
    (void)context;
    server.calls++;
    reply->entries = FTL_IPC_LIST(room);
    for (reply->next = request->offset; reply->next < ENTRIES; reply->next++) {
        entry.size = reply->next;
        entry.words_count = (uint32_t)(reply->next % 4);
        if (sample_entry_append(&reply->entries, &entry) != FTL_OK) {
            break;
        }
    }
    return server.result;
}

static const struct sample_handlers all_handlers = {
    .open = open_file,
    .list = list,
    .nothing = nothing,
    .fixed = fixed,
    .variable = variable,
    .handles = with_handles,
    .note = note,
};
static const struct sample_handlers no_handlers;

/* ---- The channel ---- */

static struct {
    struct ftl_protocol protocol; /* the server's version of it */
    const struct sample_handlers *handlers;
    void (*spoil_request)(struct ftl_message *request);
    void (*spoil_reply)(struct ftl_message *reply);
    uint64_t transaction;
    ftl_status_t reply_status; /* of channel_reply */
    ftl_status_t served;       /* what ftl_ipc_serve() returned */
    bool replied;
    struct sample_buffer reply_buffer; /* the reply on its way */
    struct ftl_message reply;
} fake;

static struct ftl_message room(struct sample_buffer *buffer)
{
    return (struct ftl_message){
        .data = buffer->bytes,
        .capacity = sizeof(buffer->bytes),
        .handles = buffer->handles,
        .handle_capacity = SAMPLE_HANDLES_MAX + 1,
    };
}

static void transfer(const struct ftl_message *from, struct ftl_message *to)
{
    assert_true(from->size <= to->capacity && from->handle_count <= to->handle_capacity);
    memcpy(to->data, from->data, from->size);
    if (from->handle_count != 0) {
        memcpy(to->handles, from->handles, from->handle_count * sizeof(to->handles[0]));
    }
    to->size = from->size;
    to->handle_count = from->handle_count;
}

static void serve(const struct ftl_message *message)
{
    static struct sample_buffer in_buffer;
    static struct sample_buffer out_buffer;
    struct ftl_message in = room(&in_buffer);
    struct ftl_message out = room(&out_buffer);
    transfer(message, &in);
    in.transaction = fake.transaction;
    if (fake.spoil_request != NULL) {
        fake.spoil_request(&in);
    }
    fake.served = ftl_ipc_serve(&fake.protocol, fake.handlers, &server, CHANNEL, &in, &out);
}

ftl_status_t ftl_channel_send(ftl_handle_t channel, const struct ftl_message *message,
                              ftl_nsec_t deadline)
{
    (void)deadline;
    assert_int_equal(channel, CHANNEL);
    serve(message);
    return FTL_OK;
}

ftl_status_t ftl_channel_call(ftl_handle_t channel, const struct ftl_message *request,
                              struct ftl_message *reply, ftl_nsec_t deadline)
{
    (void)deadline;
    assert_int_equal(channel, CHANNEL);
    if (fake.transaction == 0) {
        fake.transaction = TRANSACTION;
    }
    serve(request);
    if (!fake.replied) {
        return FTL_ERR_PEER_CLOSED;
    }
    if (fake.spoil_reply != NULL) {
        fake.spoil_reply(&fake.reply);
    }
    transfer(&fake.reply, reply);
    return FTL_OK;
}

ftl_status_t ftl_channel_reply(ftl_handle_t channel, uint64_t transaction,
                               const struct ftl_message *message)
{
    assert_int_equal(channel, CHANNEL);
    assert_int_equal(transaction, TRANSACTION);
    if (fake.reply_status != FTL_OK) {
        return fake.reply_status;
    }
    assert_false(fake.replied);
    fake.reply = room(&fake.reply_buffer);
    transfer(message, &fake.reply);
    fake.replied = true;
    return FTL_OK;
}

static int set_up(void **state)
{
    (void)state;
    memset(handles, 0, sizeof(handles));
    memset(&server, 0, sizeof(server));
    memset(&fake, 0, sizeof(fake));
    fake.protocol = sample_protocol;
    fake.handlers = &all_handlers;
    return 0;
}

/* ---- Clients ---- */

static struct sample_buffer buffer;

static ftl_status_t call_nothing(void)
{
    return sample_nothing(CHANNEL, &buffer, FTL_TIME_INFINITE);
}

static ftl_status_t call_handles(struct sample_handles_reply *reply)
{
    struct sample_handles_request request = {
        .memory = make_handle(FTL_OBJECT_VMO, FTL_RIGHTS_ALL),
        .count = 1,
        .peer = make_handle(FTL_OBJECT_CHANNEL, FTL_RIGHTS_ALL),
        .any = make_handle(FTL_OBJECT_THREAD, 0),
    };
    return sample_handles(CHANNEL, &request, reply, &buffer, FTL_TIME_INFINITE);
}

static ftl_status_t send_note(void)
{
    struct sample_note_message message = {
        .number = 17,
        .signal = make_handle(FTL_OBJECT_NOTIFICATION, FTL_RIGHT_WRITE),
    };
    return sample_note(CHANNEL, &message, &buffer, FTL_TIME_INFINITE);
}

static void a_call_without_fields_is_answered(void **state)
{
    (void)state;
    assert_int_equal(call_nothing(), FTL_OK);
    assert_int_equal(server.calls, 1);
    assert_int_equal(fake.served, FTL_OK);
}

static void fixed_fields_arrive(void **state)
{
    struct sample_fixed_request request = {
        .small = 200,
        .flag = true,
        .wide = UINT64_MAX - 5,
        .when = INT64_MIN,
        .half = -3,
        .colour = SAMPLE_COLOUR_BLUE,
        .mac = { 1, 2, 3, 4, 5, 6 },
        .flags = { 1, 0, 1 },
        .pair = { .pixel = { .x = -77, .colour = SAMPLE_COLOUR_RED }, .after = 12 },
    };
    struct sample_fixed_reply reply;
    (void)state;
    assert_int_equal(sample_fixed(CHANNEL, &request, &reply, &buffer, FTL_TIME_INFINITE), FTL_OK);
    assert_int_equal(reply.negative, 3000);
}

static void fields_of_variable_size_arrive(void **state)
{
    const uint64_t words[] = { 1, UINT64_C(1) << 40 };
    const struct sample_pixel pixels[] = { { .colour = SAMPLE_COLOUR_GREEN, .visible = 1 } };
    struct sample_variable_request request = {
        .before = 4,
        .name = "a name",
        .data = "da\0ta",
        .data_size = 5,
        .words = words,
        .words_count = 2,
        .pixels = pixels,
        .pixels_count = 1,
    };
    struct sample_variable_reply reply;
    (void)state;
    assert_int_equal(sample_variable(CHANNEL, &request, &reply, &buffer, FTL_TIME_INFINITE),
                     FTL_OK);
    assert_string_equal(reply.name, "a name");
}

static void what_breaks_a_bound_is_not_sent(void **state)
{
    struct sample_variable_request request = { .name = "a name of more than thirty-one bytes" };
    struct sample_variable_reply reply;
    (void)state;
    assert_int_equal(sample_variable(CHANNEL, &request, &reply, &buffer, FTL_TIME_INFINITE),
                     FTL_ERR_INVALID_ARGUMENT);
    request.name = "";
    request.words_count = 10;
    assert_int_equal(sample_variable(CHANNEL, &request, &reply, &buffer, FTL_TIME_INFINITE),
                     FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(server.calls, 0);
}

static ftl_status_t call_open(bool with_log, struct sample_open_reply *reply)
{
    struct sample_open_request request = {
        .access = SAMPLE_ACCESS_READ | SAMPLE_ACCESS_APPEND,
        .memory = make_handle(FTL_OBJECT_VMO, FTL_RIGHTS_ALL),
    };
    if (with_log) {
        request.log = make_handle(FTL_OBJECT_CHANNEL, FTL_RIGHTS_ALL);
    }
    return sample_open(CHANNEL, &request, reply, &buffer, FTL_TIME_INFINITE);
}

static void handles_may_be_missing(void **state)
{
    struct sample_open_reply reply;
    (void)state;
    assert_int_equal(call_open(false, &reply), FTL_OK);
    assert_int_equal(reply.file, FTL_HANDLE_INVALID);
    assert_int_equal(reply.size, UINT64_C(1) << 40);
    assert_int_equal(open_handles(), 0);
    fake.replied = false;
    assert_int_equal(call_open(true, &reply), FTL_OK);
    assert_int_equal(handles[reply.file].type, FTL_OBJECT_CHANNEL);
    assert_int_equal(open_handles(), 1);
}

static void unknown_bits_are_refused(void **state)
{
    struct sample_open_request request = {
        .access = SAMPLE_ACCESS_READ | 4,
        .memory = make_handle(FTL_OBJECT_VMO, FTL_RIGHTS_ALL),
    };
    struct sample_open_reply reply;
    (void)state;
    assert_int_equal(sample_open(CHANNEL, &request, &reply, &buffer, FTL_TIME_INFINITE),
                     FTL_ERR_BAD_FORMAT);
    assert_int_equal(server.calls, 0);
    assert_int_equal(open_handles(), 0);
}

/* As a directory is read: each reply has as many entries as fit, and says where to go on. */
static void lists_arrive_in_pieces(void **state)
{
    struct sample_list_request request = { 0 };
    struct sample_list_reply reply;
    struct sample_entry entry;
    uint64_t seen = 0;
    (void)state;
    while (request.offset < ENTRIES) {
        fake.replied = false;
        assert_int_equal(sample_list(CHANNEL, &request, &reply, &buffer, FTL_TIME_INFINITE),
                         FTL_OK);
        assert_true(reply.entries.count != 0 && reply.entries.size <= 3000);
        while (sample_entry_next(&reply.entries, &entry)) {
            assert_int_equal(entry.size, seen);
            assert_string_equal(entry.name, "an entry");
            assert_int_equal(entry.words_count, seen % 4);
            assert_true(entry.words_count == 0 || entry.words[entry.words_count - 1] == seen % 4);
            assert_int_equal(entry.dot.colour, SAMPLE_COLOUR_GREEN);
            seen++;
        }
        assert_int_equal(reply.entries.count, 0);
        assert_int_equal(reply.next, seen);
        request.offset = reply.next;
    }
    assert_true(server.calls > 1);
}

static void what_breaks_a_bound_is_not_put_into_a_list(void **state)
{
    _Alignas(8) char room[400];
    struct ftl_ipc_list entries = FTL_IPC_LIST(room);
    struct sample_entry entry = { .kind = SAMPLE_COLOUR_RED, .words_count = 4 };
    (void)state;
    assert_int_equal(sample_entry_append(&entries, &entry), FTL_ERR_INVALID_ARGUMENT);
    entry.words_count = 0;
    entry.name = "a name of more than forty bytes, which is too long";
    assert_int_equal(sample_entry_append(&entries, &entry), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(entries.count, 0);
    entry.name = "";
    assert_int_equal(sample_entry_append(&entries, &entry), FTL_OK);
    assert_int_equal(entries.count, 1);
    entries.room_size = 40; /* too little for one more */
    assert_int_equal(sample_entry_append(&entries, &entry), FTL_ERR_TOO_SMALL);
    assert_int_equal(entries.count, 1);
}

/* A list that does not say the truth about itself gives no item out of other memory. */
static void a_list_is_read_only_as_far_as_it_goes(void **state)
{
    _Alignas(8) char room[400];
    struct ftl_ipc_list entries = FTL_IPC_LIST(room);
    struct sample_entry entry = { .kind = SAMPLE_COLOUR_RED, .dot.colour = SAMPLE_COLOUR_RED };
    (void)state;
    assert_int_equal(sample_entry_append(&entries, &entry), FTL_OK);
    entries.count = 2;
    assert_true(sample_entry_next(&entries, &entry));
    assert_false(sample_entry_next(&entries, &entry));
    assert_false(sample_entry_next(&entries, &entry));
}

static void handles_that_nobody_takes_are_closed(void **state)
{
    struct sample_handles_reply reply;
    (void)state;
    assert_int_equal(call_handles(&reply), FTL_OK);
    assert_string_equal(reply.text, "yes");
    assert_int_equal(handles[reply.timer].type, FTL_OBJECT_TIMER);
    assert_int_equal(open_handles(), 1);
}

static void a_handle_that_was_taken_stays_open(void **state)
{
    struct sample_handles_reply reply;
    (void)state;
    server.take = true;
    assert_int_equal(call_handles(&reply), FTL_OK);
    assert_int_equal(handles[server.taken].type, FTL_OBJECT_VMO);
    assert_int_equal(open_handles(), 2);
}

static void a_handlers_error_is_the_clients(void **state)
{
    struct sample_handles_reply reply;
    (void)state;
    server.result = FTL_ERR_IO;
    assert_int_equal(call_nothing(), FTL_ERR_IO);
    fake.replied = false;
    assert_int_equal(call_handles(&reply), FTL_ERR_IO);
    assert_int_equal(open_handles(), 0); /* nor is the one in the reply left */
}

static void a_reply_that_breaks_a_bound_becomes_an_error(void **state)
{
    struct sample_handles_reply reply;
    (void)state;
    server.bad_reply = true;
    assert_int_equal(call_handles(&reply), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(open_handles(), 0);
}

static void what_has_no_handler_is_not_supported(void **state)
{
    struct sample_handles_reply reply;
    (void)state;
    fake.handlers = &no_handlers;
    assert_int_equal(call_nothing(), FTL_ERR_NOT_SUPPORTED);
    fake.replied = false;
    assert_int_equal(call_handles(&reply), FTL_ERR_NOT_SUPPORTED);
    fake.transaction = 0;
    assert_int_equal(send_note(), FTL_OK); /* dropped */
    assert_int_equal(fake.served, FTL_OK);
    assert_int_equal(open_handles(), 0);
}

static void one_way_messages_arrive(void **state)
{
    (void)state;
    assert_int_equal(send_note(), FTL_OK);
    assert_int_equal(server.note, 17);
    assert_int_equal(fake.served, FTL_OK);
    assert_false(fake.replied);
    assert_int_equal(open_handles(), 0);
}

/* ---- Bad clients ---- */

static struct ftl_ipc_header *header_of(struct ftl_message *message)
{
    return message->data;
}

static void other_version(struct ftl_message *message)
{
    header_of(message)->major++;
}

static void newer_version(struct ftl_message *message)
{
    header_of(message)->minor = SAMPLE_MINOR + 1;
}

static void other_protocol(struct ftl_message *message)
{
    header_of(message)->protocol ^= 1;
}

static void unknown_ordinal(struct ftl_message *message)
{
    header_of(message)->ordinal = 1000;
}

static void event_to_server(struct ftl_message *message)
{
    header_of(message)->ordinal = SAMPLE_CHANGED;
}

static void with_status(struct ftl_message *message)
{
    header_of(message)->status = FTL_ERR_IO;
}

static void with_reserved(struct ftl_message *message)
{
    header_of(message)->reserved = 1;
}

static void too_long(struct ftl_message *message)
{
    message->size += 8;
}

static void too_short(struct ftl_message *message)
{
    message->size = sizeof(struct ftl_ipc_header) - 1;
}

static void without_bytes(struct ftl_message *message)
{
    message->size = 0;
}

static void malformed_calls_are_told_what_is_wrong(void **state)
{
    static const struct {
        void (*spoil)(struct ftl_message *request);
        ftl_status_t error;
    } cases[] = {
        { other_version, FTL_ERR_WRONG_VERSION },   { newer_version, FTL_ERR_WRONG_VERSION },
        { other_protocol, FTL_ERR_BAD_FORMAT },     { unknown_ordinal, FTL_ERR_NOT_SUPPORTED },
        { event_to_server, FTL_ERR_NOT_SUPPORTED }, { with_status, FTL_ERR_BAD_FORMAT },
        { with_reserved, FTL_ERR_BAD_FORMAT },      { too_long, FTL_ERR_BAD_FORMAT },
    };
    struct sample_handles_reply reply;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        set_up(NULL);
        fake.spoil_request = cases[i].spoil;
        ftl_status_t status = call_handles(&reply);
        /* The client does not take an error for the answer to a call that it has not made. */
        bool other_call = cases[i].error == FTL_ERR_NOT_SUPPORTED;
        assert_int_equal(status, other_call ? FTL_ERR_BAD_FORMAT : cases[i].error);
        assert_int_equal(header_of(&fake.reply)->status, cases[i].error);
        assert_int_equal(fake.served, FTL_OK);
        assert_int_equal(server.calls, 0);
        assert_int_equal(open_handles(), 0);
    }
}

static void a_call_without_a_header_is_refused(void **state)
{
    (void)state;
    fake.spoil_request = too_short;
    assert_int_equal(call_nothing(), FTL_ERR_BAD_FORMAT);
    fake.replied = false;
    fake.spoil_request = without_bytes;
    assert_int_equal(call_nothing(), FTL_ERR_BAD_FORMAT);
    assert_int_equal(header_of(&fake.reply)->ordinal, 0);
    assert_int_equal(server.calls, 0);
}

static void after_a_malformed_one_way_message_the_client_is_to_go(void **state)
{
    (void)state;
    fake.spoil_request = too_long;
    assert_int_equal(send_note(), FTL_OK);
    assert_int_equal(fake.served, FTL_ERR_BAD_FORMAT);
    fake.spoil_request = other_version;
    assert_int_equal(send_note(), FTL_OK);
    assert_int_equal(fake.served, FTL_ERR_WRONG_VERSION);
    assert_int_equal(server.calls, 0);
    assert_int_equal(open_handles(), 0);
}

static void without_transaction(struct ftl_message *message)
{
    message->transaction = 0;
}

static void calls_must_be_called_and_messages_sent(void **state)
{
    (void)state;
    fake.spoil_request = without_transaction;
    assert_int_equal(call_nothing(), FTL_ERR_PEER_CLOSED);
    assert_int_equal(fake.served, FTL_ERR_BAD_FORMAT);
    fake.spoil_request = NULL;
    fake.transaction = TRANSACTION;
    assert_int_equal(send_note(), FTL_OK);
    assert_int_equal(fake.served, FTL_OK);
    assert_int_equal(header_of(&fake.reply)->status, FTL_ERR_BAD_FORMAT);
    assert_int_equal(server.calls, 0);
    assert_int_equal(open_handles(), 0);
}

static void wrong_handle(struct ftl_message *message)
{
    handles[message->handles[0]].type = FTL_OBJECT_POLL;
}

static void weak_handle(struct ftl_message *message)
{
    handles[message->handles[0]].rights &= ~FTL_RIGHT_MAP;
}

static void handles_are_checked(void **state)
{
    struct sample_handles_reply reply;
    (void)state;
    fake.spoil_request = wrong_handle;
    assert_int_equal(call_handles(&reply), FTL_ERR_WRONG_TYPE);
    fake.replied = false;
    fake.spoil_request = weak_handle;
    assert_int_equal(call_handles(&reply), FTL_ERR_MISSING_RIGHT);
    assert_int_equal(server.calls, 0);
    assert_int_equal(open_handles(), 0);
}

/* ---- Versions ---- */

static ftl_status_t call_list(void)
{
    struct sample_list_request request = { .offset = ENTRIES - 1 };
    struct sample_list_reply reply;
    fake.replied = false;
    return sample_list(CHANNEL, &request, &reply, &buffer, FTL_TIME_INFINITE);
}

static ftl_status_t ask_version(uint8_t *minor)
{
    uint8_t major = 0;
    fake.replied = false;
    ftl_status_t status =
        ftl_ipc_version(CHANNEL, &sample_protocol, &major, minor, FTL_TIME_INFINITE);
    assert_int_equal(major, status == FTL_OK ? SAMPLE_MAJOR : 0);
    return status;
}

/* To a server of version 7.9, which has brought more messages, this is an old client. */
static void a_client_can_be_older_than_the_server(void **state)
{
    uint8_t minor = 0;
    (void)state;
    fake.protocol.minor = 9;
    assert_int_equal(call_nothing(), FTL_OK);
    assert_int_equal(call_list(), FTL_OK);
    assert_int_equal(ask_version(&minor), FTL_OK);
    assert_int_equal(minor, 9);
    server.result = FTL_ERR_IO; /* errors carry the server's version, and are errors all the same */
    assert_int_equal(call_list(), FTL_ERR_IO);
    assert_int_equal(header_of(&fake.reply)->minor, 9);
}

/* A server of version 7.0 knows what was there then, and says of the rest that it is newer. */
static void a_client_can_be_newer_than_the_server(void **state)
{
    uint8_t minor = 9;
    (void)state;
    fake.protocol.minor = 0;
    assert_int_equal(call_nothing(), FTL_OK);
    assert_int_equal(server.calls, 1);
    assert_int_equal(call_list(), FTL_ERR_WRONG_VERSION);
    assert_int_equal(server.calls, 1);
    assert_int_equal(header_of(&fake.reply)->minor, 0);
    assert_int_equal(ask_version(&minor), FTL_OK);
    assert_int_equal(minor, 0);
    fake.protocol.major++; /* of that nothing is known */
    fake.replied = false;
    assert_int_equal(call_nothing(), FTL_ERR_WRONG_VERSION);
}

static void no_handler_sees_who_asks_for_the_version(void **state)
{
    uint8_t minor = 0;
    (void)state;
    fake.handlers = &no_handlers;
    assert_int_equal(ask_version(&minor), FTL_OK);
    assert_int_equal(minor, SAMPLE_MINOR);
    fake.spoil_request = too_long;
    assert_int_equal(ask_version(&minor), FTL_ERR_BAD_FORMAT);
    fake.spoil_request = with_reserved;
    assert_int_equal(ask_version(&minor), FTL_ERR_BAD_FORMAT);
    fake.spoil_request = NULL;
    fake.spoil_reply = other_protocol;
    assert_int_equal(ask_version(&minor), FTL_ERR_BAD_FORMAT);
    assert_int_equal(fake.served, FTL_OK);
}

/* An event that is newer than the client is none of its business. */
static void newer_events_are_dropped(void **state)
{
    const struct sample_event_handlers none = { .changed = NULL };
    struct sample_more_event event = { .number = 3 };
    struct ftl_message message = room(&buffer);
    (void)state;
    assert_int_equal(sample_more_event_encode(&event, &message), FTL_OK);
    assert_int_equal(header_of(&message)->minor, 2);
    assert_int_equal(sample_handle_event(&none, &server, &message), FTL_OK);
    newer_version(&message);
    assert_int_equal(sample_handle_event(&none, &server, &message), FTL_ERR_WRONG_VERSION);
}

/* ---- Replies ---- */

static void a_caller_that_has_gone_is_no_error(void **state)
{
    struct sample_handles_reply reply;
    (void)state;
    fake.reply_status = FTL_ERR_NOT_FOUND;
    assert_int_equal(call_handles(&reply), FTL_ERR_PEER_CLOSED);
    assert_int_equal(fake.served, FTL_OK);
    assert_int_equal(open_handles(), 0);
}

static void a_reply_that_cannot_be_sent_is_an_error(void **state)
{
    struct sample_handles_reply reply;
    (void)state;
    fake.reply_status = FTL_ERR_LIMIT;
    assert_int_equal(call_handles(&reply), FTL_ERR_PEER_CLOSED);
    assert_int_equal(fake.served, FTL_ERR_LIMIT);
    assert_int_equal(open_handles(), 0);
}

static void a_call_can_be_answered_later(void **state)
{
    struct sample_fixed_reply reply = { .negative = -9 };
    struct sample_fixed_reply decoded;
    (void)state;
    server.result = FTL_IPC_LATER;
    assert_int_equal(call_nothing(), FTL_ERR_PEER_CLOSED);
    assert_int_equal(fake.served, FTL_OK);
    assert_false(fake.replied);
    assert_int_equal(sample_fixed_answer(CHANNEL, TRANSACTION, &reply, &buffer), FTL_OK);
    assert_int_equal(sample_fixed_reply_decode(&fake.reply, &decoded), FTL_OK);
    assert_int_equal(decoded.negative, -9);
    fake.replied = false;
    assert_int_equal(
        ftl_ipc_refuse(CHANNEL, TRANSACTION, &sample_protocol, SAMPLE_FIXED, FTL_ERR_CANCELLED),
        FTL_OK);
    assert_int_equal(header_of(&fake.reply)->status, FTL_ERR_CANCELLED);
    assert_int_equal(header_of(&fake.reply)->ordinal, SAMPLE_FIXED);
}

static void other_ordinal(struct ftl_message *reply)
{
    header_of(reply)->ordinal = SAMPLE_VARIABLE;
}

static void positive_status(struct ftl_message *reply)
{
    header_of(reply)->status = FTL_IPC_LATER;
}

static void spoilt_replies_are_refused(void **state)
{
    static const struct {
        void (*spoil)(struct ftl_message *reply);
        ftl_status_t error;
    } cases[] = {
        { other_version, FTL_ERR_WRONG_VERSION }, { other_protocol, FTL_ERR_BAD_FORMAT },
        { other_ordinal, FTL_ERR_BAD_FORMAT },    { positive_status, FTL_ERR_BAD_FORMAT },
        { with_status, FTL_ERR_BAD_FORMAT }, /* an error with a body */
        { too_long, FTL_ERR_BAD_FORMAT },         { too_short, FTL_ERR_BAD_FORMAT },
        { wrong_handle, FTL_ERR_WRONG_TYPE },
    };
    struct sample_handles_reply reply;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        set_up(NULL);
        fake.spoil_reply = cases[i].spoil;
        assert_int_equal(call_handles(&reply), cases[i].error);
        assert_int_equal(server.calls, 1);
        assert_int_equal(open_handles(), 0);
    }
}

/* ---- Events ---- */

static void changed(void *context, struct sample_changed_event *event)
{
    assert_ptr_equal(context, &server);
    assert_string_equal(event->text, "new");
    server.taken = ftl_ipc_take(&event->memory);
    server.calls++;
}

static void events_are_handled(void **state)
{
    const struct sample_event_handlers handlers_of_events = { .changed = changed };
    const struct sample_event_handlers none = { .changed = NULL };
    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        struct sample_changed_event event = {
            .text = "new",
            .memory = make_handle(FTL_OBJECT_VMO, FTL_RIGHT_READ),
        };
        struct ftl_message message = room(&buffer);
        assert_int_equal(sample_changed_event_encode(&event, &message), FTL_OK);
        if (round == 2) {
            other_version(&message);
        }
        ftl_status_t status =
            sample_handle_event(round == 0 ? &handlers_of_events : &none, &server, &message);
        assert_int_equal(status, round == 2 ? FTL_ERR_WRONG_VERSION : FTL_OK);
    }
    assert_int_equal(server.calls, 1);
    assert_int_equal(open_handles(), 1);
    assert_int_equal(handles[server.taken].type, FTL_OBJECT_VMO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_call_without_fields_is_answered, set_up),
        cmocka_unit_test_setup(fixed_fields_arrive, set_up),
        cmocka_unit_test_setup(fields_of_variable_size_arrive, set_up),
        cmocka_unit_test_setup(what_breaks_a_bound_is_not_sent, set_up),
        cmocka_unit_test_setup(handles_may_be_missing, set_up),
        cmocka_unit_test_setup(unknown_bits_are_refused, set_up),
        cmocka_unit_test_setup(lists_arrive_in_pieces, set_up),
        cmocka_unit_test_setup(what_breaks_a_bound_is_not_put_into_a_list, set_up),
        cmocka_unit_test_setup(a_list_is_read_only_as_far_as_it_goes, set_up),
        cmocka_unit_test_setup(handles_that_nobody_takes_are_closed, set_up),
        cmocka_unit_test_setup(a_handle_that_was_taken_stays_open, set_up),
        cmocka_unit_test_setup(a_handlers_error_is_the_clients, set_up),
        cmocka_unit_test_setup(a_reply_that_breaks_a_bound_becomes_an_error, set_up),
        cmocka_unit_test_setup(what_has_no_handler_is_not_supported, set_up),
        cmocka_unit_test_setup(one_way_messages_arrive, set_up),
        cmocka_unit_test_setup(malformed_calls_are_told_what_is_wrong, set_up),
        cmocka_unit_test_setup(a_call_without_a_header_is_refused, set_up),
        cmocka_unit_test_setup(after_a_malformed_one_way_message_the_client_is_to_go, set_up),
        cmocka_unit_test_setup(calls_must_be_called_and_messages_sent, set_up),
        cmocka_unit_test_setup(handles_are_checked, set_up),
        cmocka_unit_test_setup(a_client_can_be_older_than_the_server, set_up),
        cmocka_unit_test_setup(a_client_can_be_newer_than_the_server, set_up),
        cmocka_unit_test_setup(no_handler_sees_who_asks_for_the_version, set_up),
        cmocka_unit_test_setup(newer_events_are_dropped, set_up),
        cmocka_unit_test_setup(a_caller_that_has_gone_is_no_error, set_up),
        cmocka_unit_test_setup(a_reply_that_cannot_be_sent_is_an_error, set_up),
        cmocka_unit_test_setup(a_call_can_be_answered_later, set_up),
        cmocka_unit_test_setup(spoilt_replies_are_refused, set_up),
        cmocka_unit_test_setup(events_are_handled, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
