/* Threads are killed in whatever they are, and leave nothing behind. */
#include <ftl/channel.h>
#include <ftl/futex.h>
#include <ftl/handle.h>
#include <ftl/notification.h>
#include <ftl/object.h>
#include <ftl/poll.h>
#include <ftl/thread.h>

#include "threadtest.h"

#define ROUNDS 20

static _Alignas(16) char stack[RAW_STACK_SIZE];
static ftl_handle_t notification, poll, channel, other_end;
static uint32_t word;

enum wait_kind {
    WAIT_SLEEP,
    WAIT_FUTEX,
    WAIT_NOTIFICATION,
    WAIT_OBJECT,
    WAIT_POLL,
    WAIT_RECEIVE,
    WAIT_CALL,
    WAIT_KINDS,
};

/* Waits in a call for what never comes. */
static _Noreturn void wait_for_ever(uint64_t kind)
{
    uint64_t bits;
    size_t count;
    struct ftl_wait_item item = { .handle = notification, .interest = FTL_SIGNAL_READABLE };
    struct ftl_poll_event event;
    struct ftl_message message = { 0 };
    struct ftl_message reply = { 0 };
    for (;;) {
        switch ((enum wait_kind)kind) {
        case WAIT_SLEEP: ftl_thread_sleep(FTL_TIME_INFINITE); break;
        case WAIT_FUTEX: ftl_futex_wait((uintptr_t)&word, 0, FTL_TIME_INFINITE); break;
        case WAIT_NOTIFICATION:
            ftl_notification_wait(notification, 1, FTL_TIME_INFINITE, &bits);
            break;
        case WAIT_OBJECT: ftl_object_wait(&item, 1, FTL_TIME_INFINITE, &count); break;
        case WAIT_POLL: ftl_poll_wait(poll, &event, 1, FTL_TIME_INFINITE, &count); break;
        case WAIT_RECEIVE: ftl_channel_recv(channel, &message, FTL_TIME_INFINITE); break;
        default: ftl_channel_call(channel, &message, &reply, FTL_TIME_INFINITE); break;
        }
    }
}

static void kill_waiting(uint64_t kind)
{
    ftl_handle_t thread = raw_start(wait_for_ever, kind, stack);
    await_state(thread, FTL_THREAD_WAITING);
    CHECK_OK(ftl_thread_kill(thread));
    join(thread);
}

static void kill_running(bool at_once)
{
    ftl_handle_t thread = raw_start(raw_spin, 0, stack);
    if (!at_once) {
        while (thread_info(thread).cpu_time == 0) {
            ftl_thread_yield();
        }
    }
    CHECK_OK(ftl_thread_kill(thread));
    CHECK_OK(ftl_thread_kill(thread)); /* without effect */
    join(thread);
}

/* The request of a killed caller stays sent: it is taken out here. */
static void drain(void)
{
    struct ftl_message message = { 0 };
    while (ftl_channel_recv(other_end, &message, 0) == FTL_OK) {
        CHECK_EQUAL(ftl_channel_reply(other_end, message.transaction, &message), FTL_ERR_NOT_FOUND);
    }
}

static void kill_all_kinds(void)
{
    for (uint64_t kind = 0; kind < WAIT_KINDS; kind++) {
        kill_waiting(kind);
    }
    drain();
    kill_running(true);
    kill_running(false);
}

static _Noreturn void kill_itself(uint64_t argument)
{
    ftl_handle_t self;
    if (ftl_thread_self(&self) == FTL_OK) {
        ftl_thread_kill(self);
    }
    raw_spin(argument); /* not reached, else the test hangs */
}

static void test_suicide(void)
{
    join(raw_start(kill_itself, 0, stack));
}

void test_kill(void)
{
    uint64_t entry;
    CHECK_OK(ftl_notification_create(&notification));
    CHECK_OK(ftl_poll_create(&poll));
    CHECK_OK(ftl_poll_add(poll, notification, FTL_SIGNAL_READABLE, 0, &entry));
    CHECK_OK(ftl_channel_create(&other_end, &channel));
    kill_all_kinds(); /* what stays is made by now */
    uint64_t before = process_info().memory_used;
    for (int i = 0; i < ROUNDS; i++) {
        kill_all_kinds();
    }
    CHECK_EQUAL(process_info().memory_used, before);
    CHECK_EQUAL(process_info().threads, 1);
    test_suicide();
    CHECK_OK(ftl_handle_close(channel));
    CHECK_OK(ftl_handle_close(other_end));
    CHECK_OK(ftl_handle_close(poll));
    CHECK_OK(ftl_handle_close(notification));
}
