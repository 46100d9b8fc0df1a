/* Channels: messages, handles in them, calls, back-pressure, closing, rings. */
#include <ftl/channel.h>
#include <ftl/handle.h>
#include <ftl/notification.h>
#include <ftl/object.h>
#include <ftl/timer.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "ipctest.h"

#define MESSAGES 2000
#define CALLERS  4
#define CALLS    200

static struct ftl_message outgoing(const void *data, size_t size)
{
    return (struct ftl_message){ .data = (void *)(uintptr_t)data, .size = size };
}

static struct ftl_message incoming(void *data, size_t capacity)
{
    return (struct ftl_message){ .data = data, .capacity = capacity };
}

static ftl_status_t send(ftl_handle_t end, const void *data, size_t size)
{
    struct ftl_message message = outgoing(data, size);
    return ftl_channel_send(end, &message, 0);
}

static ftl_status_t send_handle(ftl_handle_t end, ftl_handle_t handle)
{
    struct ftl_message message = { .handles = &handle, .handle_count = 1 };
    return ftl_channel_send(end, &message, 0);
}

static uint32_t signals_of(ftl_handle_t end)
{
    struct ftl_wait_item item = { .handle = end, .interest = UINT32_MAX };
    size_t ready;
    ftl_status_t status = ftl_object_wait(&item, 1, after(MS), &ready);
    CHECK(status == FTL_OK || status == FTL_ERR_TIMED_OUT);
    return item.signals;
}

static void test_messages(ftl_handle_t a, ftl_handle_t b)
{
    char buffer[64];
    struct ftl_message message = incoming(buffer, sizeof(buffer));
    CHECK_EQUAL(signals_of(b), FTL_SIGNAL_WRITABLE);
    CHECK_OK(send(a, "first", 6));
    CHECK_OK(send(a, "second", 7));
    CHECK_EQUAL(signals_of(b), FTL_SIGNAL_WRITABLE | FTL_SIGNAL_READABLE);
    CHECK_OK(ftl_channel_recv(b, &message, FTL_TIME_INFINITE));
    CHECK_EQUAL(message.size, 6);
    CHECK_EQUAL(message.transaction, 0);
    CHECK_EQUAL(strcmp(buffer, "first"), 0);
    message.capacity = 6;
    CHECK_EQUAL(ftl_channel_recv(b, &message, 0), FTL_ERR_TOO_SMALL);
    CHECK_EQUAL(message.size, 7);
    message.capacity = sizeof(buffer);
    CHECK_OK(ftl_channel_recv(b, &message, 0));
    CHECK_EQUAL(strcmp(buffer, "second"), 0);
    CHECK_EQUAL(ftl_channel_recv(b, &message, 0), FTL_ERR_WOULD_BLOCK);
    CHECK_EQUAL(ftl_channel_recv(b, &message, after(MS)), FTL_ERR_TIMED_OUT);
}

static void test_large(ftl_handle_t a, ftl_handle_t b)
{
    unsigned char *data = malloc(FTL_MESSAGE_SIZE_MAX);
    unsigned char *copy = calloc(1, FTL_MESSAGE_SIZE_MAX);
    if (data == NULL || copy == NULL) {
        CHECK(false);
        free(data);
        free(copy);
        return;
    }
    for (size_t i = 0; i < FTL_MESSAGE_SIZE_MAX; i++) {
        data[i] = (unsigned char)(i * 7 >> 4);
    }
    struct ftl_message message = incoming(copy, FTL_MESSAGE_SIZE_MAX);
    size_t sent = 0;
    while (send(a, data, FTL_MESSAGE_SIZE_MAX) == FTL_OK) {
        sent++;
    }
    CHECK(sent >= 2); /* then it is full */
    CHECK_EQUAL(signals_of(a) & FTL_SIGNAL_WRITABLE, 0);
    struct ftl_message one_more = outgoing(data, FTL_MESSAGE_SIZE_MAX);
    CHECK_EQUAL(ftl_channel_send(a, &one_more, after(MS)), FTL_ERR_TIMED_OUT);
    for (; sent > 0; sent--) {
        CHECK_OK(ftl_channel_recv(b, &message, 0));
        CHECK_EQUAL(message.size, FTL_MESSAGE_SIZE_MAX);
        CHECK_EQUAL(memcmp(data, copy, FTL_MESSAGE_SIZE_MAX), 0);
    }
    CHECK_EQUAL(signals_of(a), FTL_SIGNAL_WRITABLE);
    CHECK_EQUAL(send(a, data, FTL_MESSAGE_SIZE_MAX + 1), FTL_ERR_INVALID_ARGUMENT);
    free(data);
    free(copy);
}

static void test_handles(ftl_handle_t a, ftl_handle_t b)
{
    ftl_handle_t notification = FTL_HANDLE_INVALID;
    ftl_handle_t got = FTL_HANDLE_INVALID;
    uint64_t bits = 0;
    CHECK_OK(ftl_notification_create(&notification));
    ftl_handle_t fixed = without(notification, FTL_RIGHT_TRANSFER);
    CHECK_EQUAL(send_handle(a, fixed), FTL_ERR_MISSING_RIGHT);
    CHECK_OK(ftl_notification_signal(notification, 5));
    CHECK_OK(send_handle(a, notification));
    CHECK_EQUAL(ftl_notification_signal(notification, 8), FTL_ERR_HANDLE_CLOSED);
    CHECK_EQUAL(send_handle(a, notification), FTL_ERR_HANDLE_CLOSED);
    struct ftl_message message = { .handles = &got, .handle_capacity = 1 };
    CHECK_OK(ftl_channel_recv(b, &message, 0));
    CHECK_EQUAL(message.handle_count, 1);
    CHECK_OK(ftl_notification_clear(got, UINT64_MAX, &bits));
    CHECK_EQUAL(bits, 5);
    CHECK_OK(ftl_handle_close(got));
    CHECK_OK(ftl_handle_close(fixed));
}

static void test_errors(ftl_handle_t a)
{
    char buffer[8];
    struct ftl_message message = incoming(buffer, sizeof(buffer));
    struct ftl_message bad = outgoing((void *)1, 8);
    ftl_handle_t mute = without(a, FTL_RIGHT_WRITE);
    ftl_handle_t deaf = without(a, FTL_RIGHT_READ);
    ftl_handle_t other = FTL_HANDLE_INVALID;
    CHECK_OK(ftl_timer_create(&other));
    CHECK_EQUAL(send(mute, "", 0), FTL_ERR_MISSING_RIGHT);
    CHECK_EQUAL(ftl_channel_recv(deaf, &message, 0), FTL_ERR_MISSING_RIGHT);
    CHECK_EQUAL(ftl_channel_call(mute, &message, &message, 1), FTL_ERR_MISSING_RIGHT);
    CHECK_EQUAL(ftl_channel_call(deaf, &message, &message, 1), FTL_ERR_MISSING_RIGHT);
    CHECK_EQUAL(ftl_channel_call(a, &message, &message, 0), FTL_ERR_INVALID_ARGUMENT);
    CHECK_EQUAL(ftl_channel_reply(mute, 1, &message), FTL_ERR_MISSING_RIGHT);
    CHECK_EQUAL(ftl_channel_reply(a, 1, &message), FTL_ERR_NOT_FOUND);
    CHECK_EQUAL(send(other, "", 0), FTL_ERR_WRONG_TYPE);
    CHECK_EQUAL(ftl_channel_send(a, &bad, 0), FTL_ERR_BAD_ADDRESS);
    CHECK_EQUAL(send_handle(a, a), FTL_ERR_BAD_STATE);
    CHECK_EQUAL(send_handle(a, 0), FTL_ERR_HANDLE_FORGED);
    CHECK_OK(ftl_handle_close(mute));
    CHECK_OK(ftl_handle_close(deaf));
    CHECK_OK(ftl_handle_close(other));
}

/* Ends in each other's queues: refused where they would be lost. */
static void test_ring(void)
{
    ftl_handle_t a[2];
    ftl_handle_t b[2];
    CHECK_OK(ftl_channel_create(&a[1], &a[0]));
    CHECK_OK(ftl_channel_create(&b[1], &b[0]));
    CHECK_OK(send_handle(a[0], b[1]));
    CHECK_EQUAL(send_handle(b[0], a[1]), FTL_ERR_BAD_STATE);
    CHECK_OK(ftl_handle_close(a[1]));
    CHECK_EQUAL(signals_of(b[0]), FTL_SIGNAL_PEER_CLOSED); /* went with the queue it lay in */
    CHECK_EQUAL(send(b[0], "", 0), FTL_ERR_PEER_CLOSED);
    CHECK_OK(ftl_handle_close(a[0]));
    CHECK_OK(ftl_handle_close(b[0]));
}

static void *send_sequence(void *argument)
{
    ftl_handle_t end = *(ftl_handle_t *)argument;
    for (uint64_t i = 0; i < MESSAGES; i++) {
        struct ftl_message message = outgoing(&i, sizeof(i));
        CHECK_OK(ftl_channel_send(end, &message, FTL_TIME_INFINITE));
    }
    CHECK_OK(ftl_handle_close(end));
    return NULL;
}

/* A thread sends more than fits and closes its end: all arrives, once and in order. */
static void test_sequence(void)
{
    pthread_t thread;
    ftl_handle_t ends[2];
    ftl_status_t status = FTL_OK;
    uint64_t count = 0;
    CHECK_OK(ftl_channel_create(&ends[1], &ends[0]));
    CHECK_EQUAL(pthread_create(&thread, NULL, send_sequence, &ends[0]), 0);
    while (status == FTL_OK) {
        uint64_t number = 0;
        struct ftl_message message = incoming(&number, sizeof(number));
        status = ftl_channel_recv(ends[1], &message, FTL_TIME_INFINITE);
        if (status == FTL_OK) {
            CHECK_EQUAL(number, count);
            count++;
        }
    }
    CHECK_EQUAL(status, FTL_ERR_PEER_CLOSED);
    CHECK_EQUAL(count, MESSAGES);
    CHECK_EQUAL(pthread_join(thread, NULL), 0);
    CHECK_OK(ftl_handle_close(ends[1]));
}

static ftl_handle_t client_end;

static void *call_server(void *argument)
{
    uint64_t base = (uintptr_t)argument;
    for (uint64_t i = 0; i < CALLS; i++) {
        uint64_t number = base + i;
        uint64_t answer = 0;
        struct ftl_message request = outgoing(&number, sizeof(number));
        struct ftl_message reply = incoming(&answer, sizeof(answer));
        CHECK_OK(ftl_channel_call(client_end, &request, &reply, FTL_TIME_INFINITE));
        CHECK_EQUAL(answer, number * 3);
        CHECK_EQUAL(reply.size, sizeof(answer));
    }
    return NULL;
}

/* Several threads call through one end; the server answers. */
static void test_calls(void)
{
    pthread_t threads[CALLERS];
    ftl_handle_t server_end = FTL_HANDLE_INVALID;
    uint64_t number = 0;
    CHECK_OK(ftl_channel_create(&server_end, &client_end));
    for (uintptr_t i = 0; i < CALLERS; i++) {
        void *base = (void *)(i * 1000000); // NOLINT: a number in disguise
        CHECK_EQUAL(pthread_create(&threads[i], NULL, call_server, base), 0);
    }
    for (int i = 0; i < CALLERS * CALLS; i++) {
        struct ftl_message request = incoming(&number, sizeof(number));
        CHECK_OK(ftl_channel_recv(server_end, &request, FTL_TIME_INFINITE));
        number *= 3;
        struct ftl_message reply = outgoing(&number, sizeof(number));
        CHECK_OK(ftl_channel_reply(server_end, request.transaction, &reply));
    }
    for (size_t i = 0; i < CALLERS; i++) {
        CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
    }
    struct ftl_message request = outgoing("", 0);
    struct ftl_message reply = incoming(&number, sizeof(number));
    CHECK_EQUAL(ftl_channel_call(client_end, &request, &reply, after(MS)), FTL_ERR_TIMED_OUT);
    CHECK_OK(ftl_handle_close(server_end));
    CHECK_EQUAL(ftl_channel_call(client_end, &request, &reply, after(MS)), FTL_ERR_PEER_CLOSED);
    CHECK_OK(ftl_handle_close(client_end));
}

void test_channel(void)
{
    ftl_handle_t ends[2];
    char buffer[8];
    struct ftl_message message = incoming(buffer, sizeof(buffer));
    CHECK_OK(ftl_channel_create(&ends[1], &ends[0]));
    test_errors(ends[0]);
    test_messages(ends[0], ends[1]);
    test_large(ends[0], ends[1]);
    test_handles(ends[1], ends[0]);
    CHECK_OK(send(ends[0], "last", 5));
    CHECK_OK(ftl_handle_close(ends[0]));
    CHECK_EQUAL(signals_of(ends[1]), FTL_SIGNAL_PEER_CLOSED | FTL_SIGNAL_READABLE);
    CHECK_OK(ftl_channel_recv(ends[1], &message, FTL_TIME_INFINITE));
    CHECK_EQUAL(ftl_channel_recv(ends[1], &message, FTL_TIME_INFINITE), FTL_ERR_PEER_CLOSED);
    CHECK_OK(ftl_handle_close(ends[1]));
    test_ring();
    test_sequence();
    test_calls();
}
