/*
 * A hostile client of every service, the name service included: messages of all protocols, changed
 * in all ways or not at all, and random bytes, one-way and as calls, with handles that they should
 * have, others, and none. Whatever it does, each server must answer a well-formed call afterwards.
 * Being a starter of apps, it may connect to everything.
 *
 *     ipcfuzz [ROUNDS [PROTOCOL...]]
 */
#include <ftl/channel.h>
#include <ftl/clock.h>
#include <ftl/environ.h>
#include <ftl/handle.h>
#include <ftl/protocols/names.h>
#include <ftl/server.h>
#include <stdio.h>

#include "ipc_contents.h"
#include "protocols.test.h"

#define MESSAGES  (sizeof(test_messages) / sizeof(test_messages[0]))
#define ROUNDS    500
#define CALL_TIME ((ftl_nsec_t)20000000)   /* a call that nobody answers is given up after it */
#define SEND_TIME ((ftl_nsec_t)2000000000) /* a server that takes no message for so long hangs */

/* A server under attack, and what has come of it. */
struct target {
    const struct ftl_protocol *protocol;
    ftl_handle_t channel;
    unsigned long done;    /* calls that it has done what they asked for */
    unsigned long refused; /* calls that it has answered with an error */
    unsigned long lost;    /* connections that it has closed */
};

static ftl_nsec_t after(ftl_nsec_t delay)
{
    ftl_nsec_t now = 0;
    ftl_clock_get(&now);
    return now + delay;
}

/* One more connection to the name service. */
static ftl_status_t connect_names(ftl_handle_t *channel)
{
    struct names_open_for_request request = { .app = "ipcfuzz" };
    struct names_buffer buffer;
    ftl_status_t status = ftl_channel_create(&request.server, channel);
    if (status == FTL_OK) {
        status = names_open_for(ftl_environ_find(ftl_environ(), "names"), &request, &buffer,
                                FTL_TIME_INFINITE);
    }
    return status;
}

static ftl_status_t connect(struct target *target)
{
    if (target->protocol == &names_protocol) {
        return connect_names(&target->channel);
    }
    return ftl_service_connect(target->protocol, &target->channel);
}

/* ---- Messages ---- */

static const unsigned char extremes[] = { 0, 1, 2, 3, 7, 8, 0x7f, 0x80, 0xfe, 0xff };

/* Any message of the protocol, as it should be. */
static void make_well_formed(const struct target *target, struct ftl_message *message)
{
    size_t index;
    do {
        index = test_below(MESSAGES);
    } while (test_messages[index].protocol != target->protocol);
    if (test_messages[index].fill(message) != FTL_OK) {
        message->size = 0;
        message->handle_count = 0;
    }
    test_forget();
}

static void change_bytes(struct ftl_message *message)
{
    char *bytes = message->data;
    for (size_t count = 1 + test_below(4); count > 0 && message->size != 0; count--) {
        size_t at = test_below(message->size);
        bytes[at] = test_below(2) == 0 ? (char)extremes[test_below(sizeof(extremes))]
                                       : (char)(bytes[at] ^ (1 << test_below(8)));
    }
}

static void change_size(struct ftl_message *message)
{
    size_t size =
        test_below(2) == 0 ? test_below(message->size + 1) : message->size + 1 + test_below(64);
    if (size > message->size && size <= message->capacity) {
        memset((char *)message->data + message->size, 0, size - message->size);
    }
    message->size = size <= message->capacity ? size : message->capacity;
}

static void change_handles(struct ftl_message *message)
{
    if (message->handle_count != 0 && test_below(2) == 0) {
        ftl_handle_close(message->handles[--message->handle_count]);
    }
    if (message->handle_count < message->handle_capacity && test_below(3) != 0) {
        message->handles[message->handle_count++] =
            test_handle((ftl_object_type_t)test_below(FTL_OBJECT_CHANNEL + 1), FTL_RIGHTS_ALL);
    }
}

static void randomize(struct ftl_message *message)
{
    char *bytes = message->data;
    for (size_t i = test_below(3) == 0 ? 0 : sizeof(struct ftl_ipc_header); i < message->size;
         i++) {
        bytes[i] = (char)test_number();
    }
}

static void make_message(const struct target *target, struct ftl_message *message)
{
    make_well_formed(target, message);
    switch (test_below(8)) {
    case 0: break;
    case 1: change_size(message); break;
    case 2: change_handles(message); break;
    case 3: randomize(message); break;
    default: change_bytes(message); break;
    }
}

static void close_all(const struct ftl_message *message)
{
    for (uint32_t i = 0; i < message->handle_count; i++) {
        ftl_handle_close(message->handles[i]);
    }
}

static void note_reply(struct target *target, const struct ftl_message *reply)
{
    const struct ftl_ipc_header *header = reply->data;
    if (reply->size >= sizeof(*header) && header->status == FTL_OK) {
        target->done++;
    } else {
        target->refused++;
    }
    close_all(reply);
}

static ftl_status_t send_one(struct target *target)
{
    static _Alignas(8) char bytes[FTL_MESSAGE_SIZE_MAX];
    static _Alignas(8) char reply_bytes[FTL_MESSAGE_SIZE_MAX];
    ftl_handle_t handles[FTL_MESSAGE_HANDLES_MAX];
    ftl_handle_t reply_handles[FTL_MESSAGE_HANDLES_MAX];
    struct ftl_message out = { .data = bytes,
                               .capacity = sizeof(bytes),
                               .handles = handles,
                               .handle_capacity = FTL_MESSAGE_HANDLES_MAX };
    struct ftl_message in = { .data = reply_bytes,
                              .capacity = sizeof(reply_bytes),
                              .handles = reply_handles,
                              .handle_capacity = FTL_MESSAGE_HANDLES_MAX };
    ftl_status_t status;
    make_message(target, &out);
    if (test_below(4) == 0) {
        status = ftl_channel_send(target->channel, &out, after(SEND_TIME));
    } else {
        status = ftl_channel_call(target->channel, &out, &in, after(CALL_TIME));
        if (status == FTL_OK) {
            note_reply(target, &in);
        }
    }
    if (status != FTL_OK) {
        close_all(&out); /* those that were not sent */
    }
    return status;
}

/* ---- Attacks ---- */

static ftl_status_t attack(struct target *target, unsigned long rounds)
{
    ftl_status_t status = FTL_OK;
    for (unsigned long i = 0; i < rounds && status == FTL_OK; i++) {
        if (send_one(target) == FTL_ERR_PEER_CLOSED) {
            ftl_handle_close(target->channel);
            target->lost++;
            status = connect(target);
        }
    }
    return status;
}

/* Whether the server answers a new client. */
static ftl_status_t try_well_formed(struct target *target)
{
    uint8_t major;
    uint8_t minor;
    ftl_handle_close(target->channel);
    ftl_status_t status = connect(target);
    if (status == FTL_OK) {
        status =
            ftl_ipc_version(target->channel, target->protocol, &major, &minor, FTL_TIME_INFINITE);
        ftl_handle_close(target->channel);
    }
    return status;
}

/* False: the server is not as it should be. */
static bool attack_service(const struct ftl_protocol *protocol, unsigned long rounds)
{
    struct target target = { .protocol = protocol };
    ftl_status_t status = connect(&target);
    if (status == FTL_ERR_NOT_FOUND) {
        printf("%s: nobody provides it\n", protocol->name);
        return true;
    }
    if (status == FTL_OK) {
        status = attack(&target, rounds);
    }
    if (status == FTL_OK) {
        status = try_well_formed(&target);
    }
    printf("%s: %s; %lu calls done, %lu refused, %lu connections lost\n", protocol->name,
           status == FTL_OK ? "well" : ftl_strerror(status), target.done, target.refused,
           target.lost);
    fflush(stdout);
    return status == FTL_OK;
}

static bool is_wanted(const char *name, int argc, char **argv)
{
    bool wanted = argc <= 2;
    for (int i = 2; i < argc; i++) {
        wanted |= strcmp(argv[i], name) == 0;
    }
    return wanted;
}

int main(int argc, char **argv)
{
    unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : ROUNDS;
    const struct ftl_protocol *last = NULL;
    bool well = true;
    for (size_t i = 0; i < MESSAGES; i++) { /* in the order of their protocols */
        const struct ftl_protocol *protocol = test_messages[i].protocol;
        if (protocol != last && is_wanted(protocol->name, argc, argv)) {
            well &= attack_service(protocol, rounds);
        }
        last = protocol;
    }
    return well ? EXIT_SUCCESS : EXIT_FAILURE;
}
