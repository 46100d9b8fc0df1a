/* Encoding, decoding and serving of messages: see <ftl/ipc.h>. Runs on the host too, for tests. */
#include <ftl/channel.h>
#include <ftl/handle.h>
#include <ftl/ipc.h>
#include <string.h>

#define ALIGNMENT 8u /* of every part of a message */

static size_t padding_of(size_t size)
{
    return -size % ALIGNMENT;
}

/* ---- Decoding ---- */

const void *ftl_ipc_open(struct ftl_ipc_reader *reader, const struct ftl_message *message,
                         size_t fixed)
{
    const struct ftl_ipc_header *header = message->data;
    if (message->size < fixed || header->status != FTL_OK || header->reserved != 0) {
        return NULL;
    }
    *reader = (struct ftl_ipc_reader){
        .at = (const char *)message->data + fixed,
        .left = message->size - fixed,
        .handles = message->handles,
        .handles_left = message->handle_count,
        .status = FTL_OK,
    };
    return message->data;
}

void ftl_ipc_check_zero(struct ftl_ipc_reader *reader, const void *data, size_t size)
{
    const char *bytes = data;
    char any = 0;
    for (size_t i = 0; i < size; i++) {
        any |= bytes[i];
    }
    ftl_ipc_check(reader, any == 0);
}

/* Takes `size` bytes and the padding behind them; NULL after an error. */
static const char *take(struct ftl_ipc_reader *reader, size_t size)
{
    const char *taken = reader->at;
    ftl_ipc_check(reader, size <= reader->left && padding_of(size) <= reader->left - size);
    if (reader->status != FTL_OK) {
        return NULL;
    }
    ftl_ipc_check_zero(reader, taken + size, padding_of(size));
    reader->at += size + padding_of(size);
    reader->left -= size + padding_of(size);
    return taken;
}

const char *ftl_ipc_take_string(struct ftl_ipc_reader *reader, uint32_t size, uint32_t max)
{
    ftl_ipc_check(reader, size <= max);
    const char *string = take(reader, (size_t)size + 1);
    if (string != NULL) {
        ftl_ipc_check(reader, memchr(string, '\0', (size_t)size + 1) == string + size);
    }
    return string;
}

const void *ftl_ipc_take_items(struct ftl_ipc_reader *reader, uint32_t count, uint32_t max,
                               size_t item_size)
{
    ftl_ipc_check(reader, count <= max);
    return reader->status == FTL_OK ? take(reader, count * item_size) : NULL;
}

ftl_handle_t ftl_ipc_take_handle(struct ftl_ipc_reader *reader, ftl_object_type_t type,
                                 ftl_rights_t rights)
{
    ftl_ipc_check(reader, reader->handles_left != 0);
    if (reader->status != FTL_OK) {
        return FTL_HANDLE_INVALID;
    }
    reader->handles_left--;
    reader->status = ftl_handle_check(*reader->handles, type, rights);
    return *reader->handles++;
}

ftl_handle_t ftl_ipc_take_optional_handle(struct ftl_ipc_reader *reader, uint8_t given,
                                          ftl_object_type_t type, ftl_rights_t rights)
{
    ftl_ipc_check(reader, given <= 1);
    return given == 1 ? ftl_ipc_take_handle(reader, type, rights) : FTL_HANDLE_INVALID;
}

struct ftl_ipc_list ftl_ipc_list_begin(const struct ftl_ipc_reader *reader, uint32_t count)
{
    return (struct ftl_ipc_list){ .items = reader->at, .count = count };
}

void ftl_ipc_list_end(struct ftl_ipc_reader *reader, struct ftl_ipc_list *list, uint32_t max)
{
    size_t size = (size_t)(reader->at - list->items);
    ftl_ipc_check(reader, size <= max);
    list->size = (uint32_t)size;
}

bool ftl_ipc_next_begin(struct ftl_ipc_reader *reader, const struct ftl_ipc_list *list)
{
    *reader = (struct ftl_ipc_reader){
        .at = list->items,
        .left = list->size,
        .status = FTL_OK,
    };
    return list->count != 0;
}

bool ftl_ipc_next_end(const struct ftl_ipc_reader *reader, struct ftl_ipc_list *list)
{
    if (reader->status != FTL_OK) {
        return false;
    }
    list->items = reader->at;
    list->size = (uint32_t)reader->left;
    list->count--;
    return true;
}

ftl_status_t ftl_ipc_close(const struct ftl_ipc_reader *reader, struct ftl_message *message)
{
    if (reader->status != FTL_OK) {
        return reader->status;
    }
    if (reader->left != 0 || reader->handles_left != 0) {
        return FTL_ERR_BAD_FORMAT;
    }
    message->handle_count = 0;
    return FTL_OK;
}

/* ---- Encoding ---- */

/* Room for the fixed part at the start of `size` bytes, all zero; NULL: they are too few. */
static void *begin(struct ftl_ipc_writer *writer, void *start, size_t size, size_t fixed)
{
    if (size < fixed) {
        return NULL;
    }
    *writer = (struct ftl_ipc_writer){
        .start = start,
        .at = (char *)start + fixed,
        .left = size - fixed,
        .status = FTL_OK,
    };
    return memset(start, 0, fixed);
}

void *ftl_ipc_begin(struct ftl_ipc_writer *writer, const struct ftl_message *message, size_t fixed)
{
    void *wire = begin(writer, message->data, message->capacity, fixed);
    if (wire != NULL) {
        writer->handles = message->handles;
        writer->handle_capacity = message->handle_capacity;
    }
    return wire;
}

static void note(struct ftl_ipc_writer *writer, ftl_status_t error)
{
    if (writer->status == FTL_OK) {
        writer->status = error;
    }
}

static void put(struct ftl_ipc_writer *writer, const void *data, size_t size)
{
    size_t whole = size + padding_of(size);
    if (whole > writer->left) {
        note(writer, FTL_ERR_TOO_SMALL);
    } else if (size != 0) {
        memcpy(writer->at, data, size);
        memset(writer->at + size, 0, whole - size);
        writer->at += whole;
        writer->left -= whole;
    }
}

uint32_t ftl_ipc_put_string(struct ftl_ipc_writer *writer, const char *string, uint32_t max)
{
    if (string == NULL) { /* what was not filled in */
        string = "";
    }
    size_t size = strnlen(string, (size_t)max + 1);
    if (size > max) {
        note(writer, FTL_ERR_INVALID_ARGUMENT);
        return 0;
    }
    put(writer, string, size + 1);
    return (uint32_t)size;
}

uint32_t ftl_ipc_put_items(struct ftl_ipc_writer *writer, const void *items, uint32_t count,
                           uint32_t max, size_t item_size)
{
    if (count > max) {
        note(writer, FTL_ERR_INVALID_ARGUMENT);
        return 0;
    }
    put(writer, items, count * item_size);
    return count;
}

uint32_t ftl_ipc_put_list(struct ftl_ipc_writer *writer, const struct ftl_ipc_list *list,
                          uint32_t max)
{
    ftl_ipc_put_items(writer, list->items, list->size, max, 1);
    return list->count;
}

uint8_t ftl_ipc_put_optional_handle(struct ftl_ipc_writer *writer, ftl_handle_t handle)
{
    if (handle == FTL_HANDLE_INVALID) {
        return 0;
    }
    ftl_ipc_put_handle(writer, handle);
    return 1;
}

void ftl_ipc_put_handle(struct ftl_ipc_writer *writer, ftl_handle_t handle)
{
    if (writer->handle_count == writer->handle_capacity) {
        note(writer, FTL_ERR_TOO_SMALL);
        return;
    }
    writer->handles[writer->handle_count++] = handle;
}

ftl_status_t ftl_ipc_finish(const struct ftl_ipc_writer *writer, struct ftl_message *message)
{
    bool well = writer->status == FTL_OK;
    message->size = well ? (size_t)(writer->at - writer->start) : 0;
    message->handle_count = well ? writer->handle_count : 0;
    return writer->status;
}

void *ftl_ipc_append_begin(struct ftl_ipc_writer *writer, const struct ftl_ipc_list *list,
                           size_t fixed)
{
    return begin(writer, list->room, list->room_size, fixed);
}

ftl_status_t ftl_ipc_append_end(const struct ftl_ipc_writer *writer, struct ftl_ipc_list *list)
{
    if (writer->status == FTL_OK) {
        uint32_t size = (uint32_t)(writer->at - writer->start);
        list->room += size;
        list->room_size -= size;
        list->size += size;
        list->count++;
    }
    return writer->status;
}

/* ---- Handles ---- */

ftl_handle_t ftl_ipc_take(ftl_handle_t *handle)
{
    ftl_handle_t taken = *handle;
    *handle = FTL_HANDLE_INVALID;
    return taken;
}

void ftl_ipc_drop(ftl_handle_t *handle)
{
    if (*handle != FTL_HANDLE_INVALID) {
        ftl_handle_close(ftl_ipc_take(handle));
    }
}

void ftl_ipc_discard(struct ftl_message *message)
{
    while (message->handle_count != 0) {
        ftl_handle_close(message->handles[--message->handle_count]);
    }
}

/* ---- Calls and replies ---- */

ftl_status_t ftl_ipc_header_check(const struct ftl_protocol *protocol,
                                  const struct ftl_message *message)
{
    const struct ftl_ipc_header *header = message->data;
    if (message->size < sizeof(*header) || header->protocol != protocol->id ||
        header->reserved != 0) {
        return FTL_ERR_BAD_FORMAT;
    }
    bool is_known = header->major == protocol->major && header->minor <= protocol->minor;
    return is_known ? FTL_OK : FTL_ERR_WRONG_VERSION;
}

static bool is_bare(const struct ftl_message *message)
{
    return message->size == sizeof(struct ftl_ipc_header) && message->handle_count == 0;
}

/* The status of a reply: the server's, if the reply is well-formed so far. Errors are the same in
 * all versions. */
static ftl_status_t reply_status(const struct ftl_protocol *protocol, uint16_t ordinal,
                                 const struct ftl_message *reply)
{
    const struct ftl_ipc_header *header = reply->data;
    ftl_status_t status = ftl_ipc_header_check(protocol, reply);
    if (status == FTL_ERR_BAD_FORMAT || header->ordinal != ordinal || header->status > FTL_OK ||
        (header->status != FTL_OK && !is_bare(reply))) {
        return FTL_ERR_BAD_FORMAT;
    }
    return header->status != FTL_OK ? header->status : status;
}

ftl_status_t ftl_ipc_call(ftl_handle_t channel, const struct ftl_protocol *protocol,
                          uint16_t ordinal, const struct ftl_message *out, struct ftl_message *in,
                          ftl_nsec_t deadline)
{
    ftl_status_t status = ftl_channel_call(channel, out, in, deadline);
    if (status != FTL_OK) {
        return status;
    }
    return ftl_ipc_decoded(reply_status(protocol, ordinal, in), in);
}

ftl_status_t ftl_ipc_decoded(ftl_status_t status, struct ftl_message *message)
{
    if (status != FTL_OK) {
        ftl_ipc_discard(message);
    }
    return status;
}

static struct ftl_ipc_header bare_header(const struct ftl_protocol *protocol, uint16_t ordinal,
                                         ftl_status_t status)
{
    return (struct ftl_ipc_header){
        .protocol = protocol->id,
        .major = protocol->major,
        .minor = protocol->minor,
        .ordinal = ordinal,
        .status = status,
    };
}

ftl_status_t ftl_ipc_version(ftl_handle_t channel, const struct ftl_protocol *protocol,
                             uint8_t *major, uint8_t *minor, ftl_nsec_t deadline)
{
    struct ftl_ipc_header header = bare_header(protocol, FTL_IPC_ORDINAL_VERSION, FTL_OK);
    struct ftl_message out = { .data = &header, .size = sizeof(header) };
    struct ftl_message in = { .data = &header, .capacity = sizeof(header) };
    ftl_status_t status = ftl_channel_call(channel, &out, &in, deadline);
    if (status != FTL_OK) {
        return status;
    }
    status = ftl_ipc_header_check(protocol, &in);
    if (status == FTL_ERR_BAD_FORMAT || header.ordinal != FTL_IPC_ORDINAL_VERSION ||
        header.status != FTL_OK) {
        return FTL_ERR_BAD_FORMAT;
    }
    *major = header.major;
    *minor = header.minor;
    return FTL_OK;
}

/* Whether it is the call that asks for the server's version, in whatever version. */
static bool asks_for_version(const struct ftl_protocol *protocol, const struct ftl_message *in)
{
    const struct ftl_ipc_header *header = in->data;
    return is_bare(in) && in->transaction != 0 && header->protocol == protocol->id &&
           header->ordinal == FTL_IPC_ORDINAL_VERSION && header->status == FTL_OK &&
           header->reserved == 0;
}

ftl_status_t ftl_ipc_refuse(ftl_handle_t channel, uint64_t transaction,
                            const struct ftl_protocol *protocol, uint16_t ordinal,
                            ftl_status_t error)
{
    struct ftl_ipc_header header = bare_header(protocol, ordinal, error);
    struct ftl_message reply = { .data = &header, .size = sizeof(header) };
    return ftl_channel_reply(channel, transaction, &reply);
}

/* The message's ordinal, if it is long enough to have one. */
static uint16_t ordinal_of(const struct ftl_message *message)
{
    const struct ftl_ipc_header *header = message->data;
    return message->size >= sizeof(*header) ? header->ordinal : 0;
}

/* Makes `out` the reply that is only a header. */
static void put_header(struct ftl_message *out, const struct ftl_protocol *protocol,
                       uint16_t ordinal, ftl_status_t status)
{
    *(struct ftl_ipc_header *)out->data = bare_header(protocol, ordinal, status);
    out->size = sizeof(struct ftl_ipc_header);
    out->handle_count = 0;
}

ftl_status_t ftl_ipc_handle(const struct ftl_protocol *protocol, const void *handlers,
                            void *context, struct ftl_message *in, struct ftl_message *out)
{
    ftl_status_t status = ftl_ipc_header_check(protocol, in);
    if (asks_for_version(protocol, in)) {
        put_header(out, protocol, FTL_IPC_ORDINAL_VERSION, FTL_OK);
        status = FTL_OK;
    } else if (status == FTL_OK) {
        status = protocol->dispatch(handlers, context, in, out);
    }
    ftl_ipc_discard(in);
    if (in->transaction == 0 || status == FTL_IPC_LATER) {
        return status;
    }
    if (status != FTL_OK) {
        put_header(out, protocol, ordinal_of(in), status);
    }
    return FTL_OK;
}

ftl_status_t ftl_ipc_serve(const struct ftl_protocol *protocol, const void *handlers, void *context,
                           ftl_handle_t channel, struct ftl_message *in, struct ftl_message *out)
{
    ftl_status_t status = ftl_ipc_handle(protocol, handlers, context, in, out);
    if (in->transaction == 0) {
        return status;
    }
    if (status == FTL_IPC_LATER) {
        return FTL_OK;
    }
    status = ftl_channel_reply(channel, in->transaction, out);
    if (status != FTL_OK) {
        ftl_ipc_discard(out); /* they are still ours */
    }
    return status == FTL_ERR_NOT_FOUND ? FTL_OK : status; /* a caller that has gone is no problem */
}
