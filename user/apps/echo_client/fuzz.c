/*
 * A hostile client: malformed messages of all kinds, one-way and as calls, with handles of all
 * kinds, to the service `echo` and to the name service itself. Each must answer well-formed calls
 * as before.
 */
#include "echo_client.h"

#include <ftl/channel.h>
#include <ftl/clock.h>
#include <ftl/environ.h>
#include <ftl/handle.h>
#include <ftl/notification.h>
#include <ftl/protocols/names.h>
#include <ftl/server.h>
#include <ftl/vmo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_MAX_SENT 6000u                  /* more than any message of the two protocols */
#define CALL_TIME     ((ftl_nsec_t)20000000) /* a call that nobody answers is given up after it */

static uint64_t random_state = 88172645463325252u;

static size_t random_below(size_t end)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)(random_state >> 16) % end;
}

/*
 * The connection that messages go through. A server that cannot tell a client what is wrong closes
 * its connection, so the name service, to which there is but one, gets only what it will answer.
 */
struct target {
    const struct ftl_protocol *protocol;
    ftl_handle_t channel;
    bool reconnects;
};

static ftl_handle_t random_handle(void)
{
    ftl_handle_t handle = FTL_HANDLE_INVALID;
    ftl_handle_t other;
    switch (random_below(3)) {
    case 0: ftl_vmo_create(FTL_PAGE_SIZE, &handle); break;
    case 1: ftl_notification_create(&handle); break;
    default:
        if (ftl_channel_create(&handle, &other) == FTL_OK) {
            ftl_handle_close(other);
        }
        break;
    }
    return handle;
}

/* A well-formed header, mostly, and behind it bytes that are often small numbers. */
static void make_bytes(const struct target *target, char *bytes, size_t size)
{
    struct ftl_ipc_header header = {
        .protocol = target->protocol->id,
        .major = target->protocol->major,
        .minor = (uint8_t)random_below(target->protocol->minor + 1u),
        .ordinal = (uint16_t)random_below(8),
    };
    for (size_t i = 0; i < size; i++) {
        bytes[i] = random_below(3) == 0 ? (char)random_below(256) : (char)(random_below(12) / 10);
    }
    if (random_below(16) != 0) {
        memcpy(bytes, &header, size < sizeof(header) ? size : sizeof(header));
    }
}

/* One message; FTL_OK when the server has got it. */
static ftl_status_t send_one(const struct target *target)
{
    static _Alignas(8) char bytes[SIZE_MAX_SENT];
    static struct echo_buffer buffer;
    ftl_handle_t handles[FTL_MESSAGE_HANDLES_MAX];
    size_t size_max = target->reconnects ? SIZE_MAX_SENT : target->protocol->message_max;
    uint32_t handles_max = target->reconnects ? 4 : target->protocol->handles_max + 1;
    struct ftl_message out = {
        .data = bytes,
        .size = random_below(8) == 0 ? random_below(size_max + 1) : random_below(96),
        .handles = handles,
        .handle_count = random_below(2) == 0 ? 0 : (uint32_t)random_below(handles_max + 1),
    };
    out.size = out.size < size_max ? out.size : size_max;
    struct ftl_message in = { .data = buffer.bytes, .capacity = sizeof(buffer.bytes) };
    ftl_nsec_t deadline = 0;
    make_bytes(target, bytes, out.size);
    for (uint32_t i = 0; i < out.handle_count; i++) {
        handles[i] = random_handle();
    }
    ftl_status_t status;
    if (target->reconnects && random_below(2) == 0) {
        status = ftl_channel_send(target->channel, &out, FTL_TIME_INFINITE);
    } else {
        ftl_clock_get(&deadline);
        status = ftl_channel_call(target->channel, &out, &in, deadline + CALL_TIME);
    }
    for (uint32_t i = 0; i < out.handle_count; i++) {
        ftl_handle_close(handles[i]); /* if it was not sent */
    }
    return status;
}

static unsigned long attack(struct target *target, unsigned long rounds)
{
    unsigned long lost = 0;
    for (unsigned long i = 0; i < rounds; i++) {
        ftl_status_t status = send_one(target);
        if (status == FTL_ERR_PEER_CLOSED && target->reconnects) {
            ftl_handle_close(target->channel);
            target->channel = connect_or_exit();
            lost++;
        }
    }
    return lost;
}

int run_fuzz(const char *rounds)
{
    static struct echo_buffer buffer;
    struct target echo = { &echo_protocol, connect_or_exit(), true };
    struct target names = { &names_protocol, ftl_environ_find(ftl_environ(), "names"), false };
    struct echo_say_request request = { .text = "well" };
    struct echo_say_reply reply;

    unsigned long lost = attack(&echo, strtoul(rounds, NULL, 10));
    attack(&names, strtoul(rounds, NULL, 10));
    ftl_handle_close(echo.channel);
    echo.channel = connect_or_exit(); /* by way of the name service */
    require(echo_say(echo.channel, &request, &reply, &buffer, FTL_TIME_INFINITE), "say");
    printf("%s; %s\n", reply.text, lost > 0 ? "connections were lost" : "no connection was lost");
    return EXIT_SUCCESS;
}
