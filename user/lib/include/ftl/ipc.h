/*
 * What the code that scripts/genipc.py makes of a protocol's definition needs, and what is the same
 * for all protocols: see docs/ipc.md. Nothing here allocates; decoded messages are used in place.
 *
 * A message is a header, fields of fixed size, and behind these the contents of strings, byte
 * arrays and arrays in the order of the definition, each padded with zeros to 8 bytes. Every value
 * has exactly one encoding, so a decoder accepts it or refuses the message. Decoders read memory
 * that belongs to the caller alone, into which the kernel has copied the message.
 */
#ifndef FTL_IPC_H
#define FTL_IPC_H

#include <ftl/status.h>
#include <ftl/types.h>

/* At the beginning of every message; of the same form in all protocols and versions. */
struct ftl_ipc_header {
    uint32_t protocol; /* NAME_PROTOCOL */
    uint8_t major;
    uint8_t minor;       /* the one that has brought the message; in an error the server's own */
    uint16_t ordinal;    /* which of the protocol's messages; a reply has its call's */
    ftl_status_t status; /* of a reply; an error has nothing behind the header */
    uint32_t reserved;   /* 0 */
};

/* A handler's result: the client waits on, and will be answered by NAME_CALL_answer(). */
#define FTL_IPC_LATER ((ftl_status_t)1)

/* No message has this one: in every protocol it is the call that asks for the server's version. */
#define FTL_IPC_ORDINAL_VERSION ((uint16_t)0)

/* What a server's or client's side needs to know of a protocol. Made by the generator. */
struct ftl_protocol {
    const char *name;
    uint32_t id;
    uint8_t major;
    uint8_t minor;
    uint32_t message_max; /* bytes of its largest message */
    uint32_t handles_max; /* handles of a message, at most */
    /* Decodes a message to the server, calls its handler, encodes the reply into `out`. */
    ftl_status_t (*dispatch)(const void *handlers, void *context, struct ftl_message *in,
                             struct ftl_message *out);
};

/*
 * For servers: has the message that was received from `channel` handled by the protocol's table of
 * handlers (struct NAME_handlers), and the reply sent. `out` has room for a message of the
 * protocol. A client whose call is malformed is told so: BAD_FORMAT, WRONG_VERSION, NOT_SUPPORTED,
 * or what is wrong with a handle in it. An error is returned when the client can be told nothing:
 * after a malformed one-way message, or when the reply cannot be sent. Then its channel is best
 * closed.
 */
ftl_status_t ftl_ipc_serve(const struct ftl_protocol *protocol, const void *handlers, void *context,
                           ftl_handle_t channel, struct ftl_message *in, struct ftl_message *out);

/*
 * The same, but for sending the reply, or the error: that is put into `out`, for servers that reply
 * and receive the next message in one (ftl_channel_reply_and_recv). FTL_IPC_LATER: there is no
 * reply yet. An error: the message was a malformed one-way one.
 */
ftl_status_t ftl_ipc_handle(const struct ftl_protocol *protocol, const void *handlers,
                            void *context, struct ftl_message *in, struct ftl_message *out);

/*
 * For clients: which version of the protocol the server at the other end has. Without this, too, a
 * client can talk to servers of any minor version, and gets WRONG_VERSION for calls that are newer
 * than the server. Errors: those of channel_call, BAD_FORMAT (the server has another protocol).
 */
ftl_status_t ftl_ipc_version(ftl_handle_t channel, const struct ftl_protocol *protocol,
                             uint8_t *major, uint8_t *minor, ftl_nsec_t deadline);

/* For servers: answers a call of this message with an error, later. */
ftl_status_t ftl_ipc_refuse(ftl_handle_t channel, uint64_t transaction,
                            const struct ftl_protocol *protocol, uint16_t ordinal,
                            ftl_status_t error);

/* Takes a handle out of a decoded message, which then will not be closed with the others. */
ftl_handle_t ftl_ipc_take(ftl_handle_t *handle);

/* Closes a handle of a decoded message, if it was not taken. */
void ftl_ipc_drop(ftl_handle_t *handle);

/* Closes all handles of a received message that was not decoded. */
void ftl_ipc_discard(struct ftl_message *message);

/*
 * A list of structs in a message, one behind the other as they are encoded. To send one, begin with
 * FTL_IPC_LIST and put structs in with NAME_STRUCT_append(); out of one that was received,
 * NAME_STRUCT_next() takes the first. Nothing is allocated: a list lies in the sender's buffer, or
 * in the received message.
 */
struct ftl_ipc_list {
    const char *items;
    uint32_t size; /* of all items, in bytes */
    uint32_t count;
    char *room; /* for more of them, behind the items; NULL: a list that was received */
    uint32_t room_size;
};

/* An empty list, to be filled in this array, which is aligned to 8 bytes. */
#define FTL_IPC_LIST(array)                                                                        \
    ((struct ftl_ipc_list){ .items = (array), .room = (array), .room_size = sizeof(array) })

/* ---- For generated code ---- */

/*
 * The call of a client's function: sends `out`, receives the reply into `in`, and checks its
 * header. Errors: those of channel_call, the server's, BAD_FORMAT and WRONG_VERSION for the reply.
 * After an error `in` has no handles.
 */
ftl_status_t ftl_ipc_call(ftl_handle_t channel, const struct ftl_protocol *protocol,
                          uint16_t ordinal, const struct ftl_message *out, struct ftl_message *in,
                          ftl_nsec_t deadline);

/* The status of a message's decoder; discards the message if that is an error. */
ftl_status_t ftl_ipc_decoded(ftl_status_t status, struct ftl_message *message);

/* BAD_FORMAT, or WRONG_VERSION for a message of another major version or of a newer minor one, or
 * FTL_OK. */
ftl_status_t ftl_ipc_header_check(const struct ftl_protocol *protocol,
                                  const struct ftl_message *message);

/* A message being decoded. The first error stays. */
struct ftl_ipc_reader {
    const char *at; /* what is behind the fixed part and was not taken yet */
    size_t left;
    const ftl_handle_t *handles;
    uint32_t handles_left;
    ftl_status_t status;
};

/*
 * The fixed part, of `fixed` bytes, header included; NULL when the message is shorter, or is an
 * error's reply. The message's data is 8-byte aligned.
 */
const void *ftl_ipc_open(struct ftl_ipc_reader *reader, const struct ftl_message *message,
                         size_t fixed);

/* Of `size` bytes, at most `max`, none of them NUL, and a NUL behind them. NULL after an error. */
const char *ftl_ipc_take_string(struct ftl_ipc_reader *reader, uint32_t size, uint32_t max);

/* `count` items, at most `max`, of `item_size` bytes each. NULL after an error. */
const void *ftl_ipc_take_items(struct ftl_ipc_reader *reader, uint32_t count, uint32_t max,
                               size_t item_size);

/* The next handle, which must name an object of this type, with these rights. */
ftl_handle_t ftl_ipc_take_handle(struct ftl_ipc_reader *reader, ftl_object_type_t type,
                                 ftl_rights_t rights);

/* The same if `given` is 1, FTL_HANDLE_INVALID if it is 0. */
ftl_handle_t ftl_ipc_take_optional_handle(struct ftl_ipc_reader *reader, uint8_t given,
                                          ftl_object_type_t type, ftl_rights_t rights);

/*
 * A list begins here; its items are taken by the caller; here it ends, having at most `max` bytes.
 */
struct ftl_ipc_list ftl_ipc_list_begin(const struct ftl_ipc_reader *reader, uint32_t count);
void ftl_ipc_list_end(struct ftl_ipc_reader *reader, struct ftl_ipc_list *list, uint32_t max);

/* Around the decoding of a list's first item; false: there is none, or it is malformed. */
bool ftl_ipc_next_begin(struct ftl_ipc_reader *reader, const struct ftl_ipc_list *list);
bool ftl_ipc_next_end(const struct ftl_ipc_reader *reader, struct ftl_ipc_list *list);

/* Notes BAD_FORMAT unless the condition holds. */
static inline void ftl_ipc_check(struct ftl_ipc_reader *reader, bool condition)
{
    if (!condition && reader->status == FTL_OK) {
        reader->status = FTL_ERR_BAD_FORMAT;
    }
}

void ftl_ipc_check_zero(struct ftl_ipc_reader *reader, const void *data, size_t size);

static inline bool ftl_ipc_is_well(const struct ftl_ipc_reader *reader)
{
    return reader->status == FTL_OK;
}

/* The result of decoding: also an error when something is left. On FTL_OK the handles have left
 * the message. */
ftl_status_t ftl_ipc_close(const struct ftl_ipc_reader *reader, struct ftl_message *message);

/* A message being encoded. */
struct ftl_ipc_writer {
    char *start;
    char *at;
    size_t left;
    ftl_handle_t *handles;
    uint32_t handle_count;
    uint32_t handle_capacity;
    ftl_status_t status;
};

/* Room for the fixed part, of `fixed` bytes, all zero, at the buffer's start; NULL: too small. */
void *ftl_ipc_begin(struct ftl_ipc_writer *writer, const struct ftl_message *message, size_t fixed);

/* Appends the contents; returns size or count. Notes INVALID_ARGUMENT when it is above `max`. */
uint32_t ftl_ipc_put_string(struct ftl_ipc_writer *writer, const char *string, uint32_t max);
uint32_t ftl_ipc_put_items(struct ftl_ipc_writer *writer, const void *items, uint32_t count,
                           uint32_t max, size_t item_size);
uint32_t ftl_ipc_put_list(struct ftl_ipc_writer *writer, const struct ftl_ipc_list *list,
                          uint32_t max);
void ftl_ipc_put_handle(struct ftl_ipc_writer *writer, ftl_handle_t handle);

/* Appends it unless it is FTL_HANDLE_INVALID; whether it was appended. */
uint8_t ftl_ipc_put_optional_handle(struct ftl_ipc_writer *writer, ftl_handle_t handle);

/* Fills in the sizes of the message. On an error it has no handles: the caller keeps them. */
ftl_status_t ftl_ipc_finish(const struct ftl_ipc_writer *writer, struct ftl_message *message);

/* Around the encoding of one more item of a list, as begin and finish are. */
void *ftl_ipc_append_begin(struct ftl_ipc_writer *writer, const struct ftl_ipc_list *list,
                           size_t fixed);
ftl_status_t ftl_ipc_append_end(const struct ftl_ipc_writer *writer, struct ftl_ipc_list *list);

#endif
