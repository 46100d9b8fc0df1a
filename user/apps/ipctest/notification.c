/* Notifications: bits go to who waits for them. */
#include <ftl/handle.h>
#include <ftl/notification.h>
#include <ftl/object.h>
#include <ftl/timer.h>
#include <pthread.h>

#include "ipctest.h"

#define TURNS 1000

static ftl_handle_t ping;
static ftl_handle_t pong;

static void test_errors(ftl_handle_t notification)
{
    uint64_t bits;
    ftl_handle_t mute = without(notification, FTL_RIGHT_WRITE);
    ftl_handle_t deaf = without(notification, FTL_RIGHT_READ);
    ftl_handle_t other = FTL_HANDLE_INVALID;
    CHECK_OK(ftl_timer_create(&other));
    CHECK_EQUAL(ftl_notification_signal(mute, 1), FTL_ERR_MISSING_RIGHT);
    CHECK_EQUAL(ftl_notification_wait(deaf, 1, 0, &bits), FTL_ERR_MISSING_RIGHT);
    CHECK_EQUAL(ftl_notification_clear(deaf, 1, &bits), FTL_ERR_MISSING_RIGHT);
    CHECK_EQUAL(ftl_notification_signal(other, 1), FTL_ERR_WRONG_TYPE);
    CHECK_EQUAL(ftl_notification_wait(other, 1, 0, &bits), FTL_ERR_WRONG_TYPE);
    CHECK_EQUAL(ftl_notification_wait(notification, 0, 0, &bits), FTL_ERR_INVALID_ARGUMENT);
    CHECK_EQUAL(ftl_notification_wait(notification, 1, 0, &bits), FTL_ERR_WOULD_BLOCK);
    CHECK_EQUAL(ftl_notification_wait(notification, 1, after(MS), &bits), FTL_ERR_TIMED_OUT);
    CHECK_EQUAL(ftl_notification_wait(notification, 1, 1, &bits), FTL_ERR_TIMED_OUT);
    CHECK_OK(ftl_handle_close(mute));
    CHECK_OK(ftl_handle_close(deaf));
    CHECK_OK(ftl_handle_close(other));
    CHECK_EQUAL(ftl_notification_signal(mute, 1), FTL_ERR_HANDLE_CLOSED);
}

static void test_bits(ftl_handle_t notification)
{
    uint64_t bits = 0;
    struct ftl_wait_item item = { .handle = notification, .interest = FTL_SIGNAL_READABLE };
    size_t ready = 0;
    CHECK_OK(ftl_notification_signal(notification, 0xf000000000000001));
    CHECK_OK(ftl_object_wait(&item, 1, FTL_TIME_INFINITE, &ready));
    CHECK_EQUAL(ready, 1);
    CHECK_EQUAL(item.signals, FTL_SIGNAL_READABLE);
    CHECK_OK(ftl_notification_wait(notification, 3, FTL_TIME_INFINITE, &bits));
    CHECK_EQUAL(bits, 1);
    CHECK_OK(ftl_notification_clear(notification, 0x8000000000000000, &bits));
    CHECK_EQUAL(bits, 0xf000000000000000);
    CHECK_OK(ftl_notification_wait(notification, UINT64_MAX, 0, &bits));
    CHECK_EQUAL(bits, 0x7000000000000000);
    CHECK_EQUAL(ftl_object_wait(&item, 1, after(MS), &ready), FTL_ERR_TIMED_OUT);
}

static void *answer(void *argument)
{
    for (uint64_t i = 1; i <= TURNS; i++) {
        uint64_t bits = 0;
        CHECK_OK(ftl_notification_wait(ping, UINT64_MAX, FTL_TIME_INFINITE, &bits));
        CHECK_EQUAL(bits, i);
        CHECK_OK(ftl_notification_signal(pong, i));
    }
    return argument;
}

static ftl_status_t ask(uint64_t number, uint64_t *bits)
{
    ftl_status_t status = ftl_notification_signal(ping, number);
    return status == FTL_OK ? ftl_notification_wait(pong, UINT64_MAX, FTL_TIME_INFINITE, bits)
                            : status;
}

/* The same with one call for each turn. */
static void *answer_in_one_call(void *argument)
{
    uint64_t bits = 0;
    CHECK_OK(ftl_notification_wait(ping, UINT64_MAX, FTL_TIME_INFINITE, &bits));
    for (uint64_t i = 1; i <= TURNS; i++) {
        bool last = i == TURNS;
        CHECK_EQUAL(bits, i);
        CHECK_EQUAL(ftl_notification_signal_and_wait(pong, i, ping, UINT64_MAX,
                                                     last ? 1 : FTL_TIME_INFINITE, &bits),
                    last ? FTL_ERR_TIMED_OUT : FTL_OK);
    }
    return argument;
}

static ftl_status_t ask_in_one_call(uint64_t number, uint64_t *bits)
{
    return ftl_notification_signal_and_wait(ping, number, pong, UINT64_MAX, FTL_TIME_INFINITE,
                                            bits);
}

/* Two threads in turns: every signal arrives, whole. */
static void test_two_threads(void *(*answering)(void *),
                             ftl_status_t (*asking)(uint64_t, uint64_t *))
{
    pthread_t thread;
    CHECK_OK(ftl_notification_create(&pong));
    CHECK_EQUAL(pthread_create(&thread, NULL, answering, NULL), 0);
    for (uint64_t i = 1; i <= TURNS; i++) {
        uint64_t bits = 0;
        CHECK_OK(asking(i, &bits));
        CHECK_EQUAL(bits, i);
    }
    CHECK_EQUAL(pthread_join(thread, NULL), 0);
    CHECK_OK(ftl_handle_close(pong));
}

void test_notification(void)
{
    CHECK_OK(ftl_notification_create(&ping));
    test_errors(ping);
    test_bits(ping);
    test_two_threads(answer, ask);
    test_two_threads(answer_in_one_call, ask_in_one_call);
    CHECK_OK(ftl_handle_close(ping));
}
