/* A member of the ring: sends numbered messages to the next, and checks those of the one before. */
#include <ftl/channel.h>
#include <ftl/environ.h>
#include <ftl/handle.h>
#include <ftl/notification.h>
#include <inttypes.h>
#include <stdio.h>

#include "ipcstress.h"

static int failed(const char *what, uint64_t sequence, ftl_status_t status)
{
    printf("member: %s %" PRIu64 ": %s\n", what, sequence, ftl_strerror(status));
    return MEMBER_FAILED;
}

/* PEER_CLOSED when the next member is gone, which is all the same to this one. */
static ftl_status_t send(ftl_handle_t out, uint64_t sequence)
{
    struct numbered numbered = { .sequence = sequence, .check = ~sequence };
    ftl_handle_t notification = FTL_HANDLE_INVALID;
    struct ftl_message message = { .data = &numbered, .size = sizeof(numbered) };
    if (sequence % HANDLE_EVERY == 0) {
        ftl_status_t status = ftl_notification_create(&notification);
        if (status == FTL_OK) {
            status = ftl_notification_signal(notification, sequence + 1);
        }
        if (status != FTL_OK) {
            return status;
        }
        message.handles = &notification;
        message.handle_count = 1;
    }
    ftl_status_t status = ftl_channel_send(out, &message, FTL_TIME_INFINITE);
    if (status != FTL_OK && message.handle_count != 0) {
        ftl_handle_close(notification); /* it stays the sender's */
    }
    return status;
}

/* Whether the message is the one that has to come next, with its handle, which is closed. */
static ftl_status_t check(const struct ftl_message *message, uint64_t sequence)
{
    const struct numbered *numbered = message->data;
    uint32_t handles = sequence % HANDLE_EVERY == 0 ? 1 : 0;
    if (message->size != sizeof(*numbered) || numbered->sequence != sequence ||
        numbered->check != ~sequence || message->handle_count != handles) {
        return FTL_ERR_BAD_FORMAT;
    }
    if (handles == 0) {
        return FTL_OK;
    }
    uint64_t bits = 0;
    ftl_status_t status = ftl_notification_clear(message->handles[0], UINT64_MAX, &bits);
    if (status == FTL_OK && bits != sequence + 1) {
        status = FTL_ERR_BAD_FORMAT;
    }
    ftl_handle_close(message->handles[0]);
    return status;
}

int member(void)
{
    ftl_handle_t in = ftl_environ_take(ftl_environ(), "in");
    ftl_handle_t out = ftl_environ_take(ftl_environ(), "out");
    struct numbered numbered;
    ftl_handle_t handle;
    for (uint64_t sequence = 0; sequence < ROUNDS; sequence++) {
        ftl_status_t status = send(out, sequence);
        if (status != FTL_OK && status != FTL_ERR_PEER_CLOSED) {
            return failed("sending", sequence, status);
        }
        struct ftl_message message = {
            .data = &numbered,
            .capacity = sizeof(numbered),
            .handles = &handle,
            .handle_capacity = 1,
        };
        status = ftl_channel_recv(in, &message, FTL_TIME_INFINITE);
        if (status == FTL_ERR_PEER_CLOSED) {
            return MEMBER_CUT;
        }
        if (status == FTL_OK) {
            status = check(&message, sequence);
        }
        if (status != FTL_OK) {
            return failed("receiving", sequence, status);
        }
    }
    return MEMBER_OK;
}
