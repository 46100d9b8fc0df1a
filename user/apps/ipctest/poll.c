/* Polls: level and edge, many sources, several threads. */
#include <ftl/handle.h>
#include <ftl/notification.h>
#include <ftl/poll.h>
#include <ftl/timer.h>
#include <pthread.h>
#include <stdlib.h>

#include "ipctest.h"

#define SOURCES 10000
#define ROUNDS  200

static ftl_handle_t poll;

static size_t wait_for(struct ftl_poll_event *events, size_t capacity, ftl_nsec_t deadline)
{
    size_t count = 0;
    CHECK_OK(ftl_poll_wait(poll, events, capacity, deadline, &count));
    return count;
}

static void test_errors(ftl_handle_t source, uint64_t entry)
{
    struct ftl_poll_event event;
    size_t count;
    uint64_t added;
    ftl_handle_t mute = without(poll, FTL_RIGHT_WRITE);
    ftl_handle_t deaf = without(poll, FTL_RIGHT_READ);
    ftl_handle_t unwatched = without(source, FTL_RIGHT_WAIT);
    CHECK_EQUAL(ftl_poll_add(mute, source, 1, 0, &added), FTL_ERR_MISSING_RIGHT);
    CHECK_EQUAL(ftl_poll_add(poll, unwatched, 1, 0, &added), FTL_ERR_MISSING_RIGHT);
    CHECK_EQUAL(ftl_poll_add(poll, poll, 1, 0, &added), FTL_ERR_NOT_SUPPORTED);
    CHECK_EQUAL(ftl_poll_add(source, source, 1, 0, &added), FTL_ERR_WRONG_TYPE);
    CHECK_EQUAL(ftl_poll_modify(mute, entry, 1, 0), FTL_ERR_MISSING_RIGHT);
    CHECK_EQUAL(ftl_poll_modify(poll, entry + 1, 1, 0), FTL_ERR_NOT_FOUND);
    CHECK_EQUAL(ftl_poll_remove(mute, entry), FTL_ERR_MISSING_RIGHT);
    CHECK_EQUAL(ftl_poll_remove(poll, UINT64_MAX), FTL_ERR_NOT_FOUND);
    CHECK_EQUAL(ftl_poll_wait(deaf, &event, 1, 0, &count), FTL_ERR_MISSING_RIGHT);
    CHECK_EQUAL(ftl_poll_wait(poll, &event, 0, 0, &count), FTL_ERR_INVALID_ARGUMENT);
    CHECK_EQUAL(ftl_poll_wait(poll, &event, 1, 0, &count), FTL_ERR_WOULD_BLOCK);
    CHECK_EQUAL(ftl_poll_wait(poll, &event, 1, after(MS), &count), FTL_ERR_TIMED_OUT);
    CHECK_OK(ftl_handle_close(mute));
    CHECK_OK(ftl_handle_close(deaf));
    CHECK_OK(ftl_handle_close(unwatched));
}

static void test_triggers(ftl_handle_t source, uint64_t entry)
{
    struct ftl_poll_event event = { 0 };
    uint64_t bits;
    size_t count;
    CHECK_OK(ftl_notification_signal(source, 1));
    CHECK_EQUAL(wait_for(&event, 1, FTL_TIME_INFINITE), 1);
    CHECK_EQUAL(event.word, 42);
    CHECK_EQUAL(event.signals, FTL_SIGNAL_READABLE);
    CHECK_EQUAL(wait_for(&event, 1, 0), 1); /* level: still there */
    CHECK_OK(ftl_poll_modify(poll, entry, FTL_SIGNAL_READABLE | FTL_POLL_EDGE, 43));
    CHECK_EQUAL(wait_for(&event, 1, 0), 1);
    CHECK_EQUAL(event.word, 43);
    CHECK_EQUAL(ftl_poll_wait(poll, &event, 1, 0, &count), FTL_ERR_WOULD_BLOCK);
    CHECK_OK(ftl_notification_signal(source, 1));
    CHECK_EQUAL(wait_for(&event, 1, 0), 1);
    CHECK_OK(ftl_notification_clear(source, 1, &bits));
    CHECK_EQUAL(ftl_poll_wait(poll, &event, 1, 0, &count), FTL_ERR_WOULD_BLOCK);
    CHECK_OK(ftl_poll_remove(poll, entry));
    CHECK_OK(ftl_notification_signal(source, 1));
    CHECK_EQUAL(ftl_poll_wait(poll, &event, 1, 0, &count), FTL_ERR_WOULD_BLOCK);
    CHECK_EQUAL(ftl_poll_remove(poll, entry), FTL_ERR_NOT_FOUND);
}

static void test_timer_in_poll(void)
{
    struct ftl_poll_event event = { 0 };
    ftl_handle_t timer = FTL_HANDLE_INVALID;
    uint64_t entry = 0;
    uint64_t count = 0;
    CHECK_OK(ftl_timer_create(&timer));
    CHECK_OK(ftl_poll_add(poll, timer, FTL_SIGNAL_READABLE, 9, &entry));
    CHECK_OK(ftl_timer_set(timer, after(2 * MS), 0));
    CHECK_EQUAL(wait_for(&event, 1, FTL_TIME_INFINITE), 1);
    CHECK_EQUAL(event.word, 9);
    CHECK_OK(ftl_timer_read(timer, &count));
    CHECK_EQUAL(count, 1);
    CHECK_OK(ftl_handle_close(timer));
    CHECK_OK(ftl_poll_remove(poll, entry));
}

static void *signal_all(void *sources)
{
    for (size_t round = 0; round < ROUNDS; round++) {
        CHECK_OK(ftl_notification_signal(((ftl_handle_t *)sources)[round * 37 % SOURCES], 1));
    }
    return NULL;
}

/* Another thread sets some of many sources: each is seen, and none twice. */
static void test_many(void)
{
    pthread_t thread;
    ftl_handle_t *sources = calloc(SOURCES, sizeof(*sources));
    CHECK(sources != NULL);
    if (sources == NULL) {
        return;
    }
    for (size_t i = 0; i < SOURCES; i++) {
        uint64_t entry;
        CHECK_OK(ftl_notification_create(&sources[i]));
        CHECK_OK(ftl_poll_add(poll, sources[i], FTL_SIGNAL_READABLE | FTL_POLL_EDGE, i, &entry));
    }
    CHECK_EQUAL(pthread_create(&thread, NULL, signal_all, sources), 0);
    for (size_t seen = 0; seen < ROUNDS;) {
        struct ftl_poll_event events[16];
        size_t count = wait_for(events, 16, after(10000 * MS));
        for (size_t i = 0; i < count; i++) {
            uint64_t bits = 0;
            CHECK_OK(ftl_notification_clear(sources[events[i].word], 1, &bits));
            CHECK_EQUAL(bits, 1);
        }
        seen += count;
        if (count == 0) {
            break;
        }
    }
    CHECK_EQUAL(pthread_join(thread, NULL), 0);
    for (size_t i = 0; i < SOURCES; i++) {
        CHECK_OK(ftl_handle_close(sources[i]));
    }
    free(sources);
}

void test_poll(void)
{
    ftl_handle_t source = FTL_HANDLE_INVALID;
    uint64_t entry = 0;
    CHECK_OK(ftl_poll_create(&poll));
    CHECK_OK(ftl_notification_create(&source));
    CHECK_OK(ftl_poll_add(poll, source, FTL_SIGNAL_READABLE, 42, &entry));
    test_errors(source, entry);
    test_triggers(source, entry);
    CHECK_OK(ftl_handle_close(source));
    test_timer_in_poll();
    test_many();
    CHECK_OK(ftl_handle_close(poll)); /* with 10,000 entries */
}
