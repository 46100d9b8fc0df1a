/*
 * Priority inheritance through calls, on one hart: a server of low priority has to go first while
 * it serves a caller of high priority, whatever a thread in between computes.
 */
#include <ftl/channel.h>
#include <ftl/handle.h>
#include <ftl/object.h>
#include <ftl/poll.h>
#include <ftl/thread.h>
#include <pthread.h>
#include <stdatomic.h>

#include "ipctest.h"

#define HIGH   FTL_PRIORITY_DEFAULT
#define MIDDLE (FTL_PRIORITY_DEFAULT - 4)
#define LOW    (FTL_PRIORITY_DEFAULT - 8)

#define PATIENCE (20000 * MS) /* a server that does not get to run would take for ever */
#define WORK     100000       /* turns of a loop that the server takes for a request */

static ftl_handle_t client_end;
static ftl_handle_t server_end;
static ftl_handle_t caller;  /* the thread */
static atomic_bool stop;     /* the thread in between ends */
static atomic_bool computes; /* it has begun */
static atomic_bool serves;   /* the server has got a request */
static atomic_bool go_on;    /* it may answer */

static void set_own_priority(uint32_t priority)
{
    ftl_handle_t self;
    CHECK_OK(ftl_thread_self(&self));
    CHECK_OK(ftl_thread_set_affinity(self, 1));
    CHECK_OK(ftl_thread_set_priority(self, priority));
    CHECK_OK(ftl_handle_close(self));
}

static void *hog(void *argument)
{
    (void)argument;
    set_own_priority(MIDDLE);
    computes = true;
    while (!stop) {
    }
    return NULL;
}

static void *server(void *argument)
{
    uint64_t data[8]; /* as much as registers hold: the fast path asks for it */
    struct ftl_message message = { .data = data, .capacity = sizeof(data) };
    (void)argument;
    set_own_priority(LOW);
    for (;;) {
        ftl_status_t status = ftl_channel_reply_and_recv(server_end, message.transaction, &message,
                                                         &message, FTL_TIME_INFINITE);
        if (status != FTL_OK) {
            CHECK_EQUAL(status, FTL_ERR_PEER_CLOSED);
            return NULL;
        }
        serves = true;
        for (volatile unsigned turn = 0; turn < WORK; turn++) {
        }
        while (!go_on) {
        }
    }
}

static ftl_status_t call(ftl_nsec_t deadline)
{
    uint64_t word = 1;
    struct ftl_message request = { .data = &word, .size = sizeof(word) };
    struct ftl_message reply = { .data = &word, .capacity = sizeof(word) };
    return ftl_channel_call(client_end, &request, &reply, deadline);
}

static void *low_caller(void *argument)
{
    (void)argument;
    set_own_priority(LOW);
    CHECK_OK(ftl_thread_self(&caller));
    for (unsigned i = 0; i < 3; i++) { /* the last one by the fast path */
        serves = false;
        go_on = i < 2;
        CHECK_OK(call(FTL_TIME_INFINITE));
    }
    return NULL;
}

/* Sleeps, so that threads of lower priority have the hart, until the flag is set. */
static bool await(atomic_bool *flag)
{
    ftl_nsec_t end = after(PATIENCE);
    while (!*flag && after(0) < end) {
        ftl_thread_sleep(after(MS));
    }
    return *flag;
}

static pthread_t start(void *(*code)(void *argument))
{
    pthread_t thread = { 0 };
    CHECK_EQUAL(pthread_create(&thread, NULL, code, NULL), 0);
    return thread;
}

static void test_call_of_a_high_caller(void)
{
    go_on = true;
    CHECK_OK(call(FTL_TIME_INFINITE)); /* the server waits by then, or nearly */
    pthread_t between = start(hog);
    CHECK(await(&computes));
    for (unsigned i = 0; i < 3; i++) {
        CHECK_OK(call(i == 0 ? after(PATIENCE) : FTL_TIME_INFINITE));
    }
    stop = true;
    pthread_join(between, NULL);
}

/* The caller waits for the reply already when its priority is raised. */
static void test_caller_that_is_raised(void)
{
    stop = false;
    computes = false;
    caller = FTL_HANDLE_INVALID;
    go_on = true;
    pthread_t low = start(low_caller);
    while (caller == FTL_HANDLE_INVALID || go_on || !serves) {
        ftl_thread_sleep(after(MS));
    }
    pthread_t between = start(hog);
    CHECK(await(&computes));
    go_on = true; /* but the server does not get to see it */
    ftl_thread_sleep(after(20 * MS));
    CHECK_OK(ftl_thread_set_priority(caller, HIGH));
    pthread_join(low, NULL); /* for ever, if the server does not go first now */
    stop = true;
    pthread_join(between, NULL);
    CHECK_OK(ftl_handle_close(caller));
}

/*
 * A server of many clients, each with a channel of its own, is busy with one of low priority when
 * another of high priority calls.
 */
static ftl_handle_t many_client_ends[2];
static ftl_handle_t many_server_ends[2];

static void serve_first_message(ftl_handle_t end)
{
    uint64_t word = 0;
    struct ftl_message message = { .data = &word, .capacity = sizeof(word) };
    ftl_status_t status = ftl_channel_recv(end, &message, 0);
    if (status == FTL_ERR_WOULD_BLOCK) {
        return;
    }
    CHECK_OK(status);
    serves = true;
    while (!go_on) {
    }
    CHECK_OK(ftl_channel_reply(end, message.transaction, &message));
}

static void *server_of_many(void *argument)
{
    ftl_handle_t poll;
    struct ftl_poll_event event;
    uint64_t entry;
    size_t count;
    (void)argument;
    set_own_priority(LOW);
    CHECK_OK(ftl_poll_create(&poll));
    for (size_t i = 0; i < 2; i++) {
        CHECK_OK(ftl_poll_add(poll, many_server_ends[i],
                              FTL_SIGNAL_READABLE | FTL_SIGNAL_PEER_CLOSED, i, &entry));
    }
    do {
        CHECK_OK(ftl_poll_wait(poll, &event, 1, FTL_TIME_INFINITE, &count));
        if ((event.signals & FTL_SIGNAL_READABLE) != 0) {
            serve_first_message(many_server_ends[event.word]);
        }
    } while ((event.signals & FTL_SIGNAL_PEER_CLOSED) == 0);
    CHECK_OK(ftl_handle_close(poll));
    return NULL;
}

static ftl_status_t call_one_of_many(size_t client)
{
    uint64_t word = 1;
    struct ftl_message request = { .data = &word, .size = sizeof(word) };
    struct ftl_message reply = { .data = &word, .capacity = sizeof(word) };
    return ftl_channel_call(many_client_ends[client], &request, &reply, after(PATIENCE));
}

static void *low_client(void *argument)
{
    (void)argument;
    set_own_priority(LOW);
    CHECK_OK(call_one_of_many(0));
    return NULL;
}

static void test_busy_server(void)
{
    for (size_t i = 0; i < 2; i++) {
        CHECK_OK(ftl_channel_create(&many_client_ends[i], &many_server_ends[i]));
    }
    go_on = true;
    pthread_t serving = start(server_of_many);
    CHECK_OK(call_one_of_many(1)); /* so that it is known who serves */
    go_on = false;
    serves = false;
    pthread_t low = start(low_client);
    CHECK(await(&serves));
    stop = false;
    computes = false;
    pthread_t between = start(hog);
    CHECK(await(&computes));
    go_on = true; /* but the server does not get to see it before it is lent priority */
    CHECK_OK(call_one_of_many(1));
    stop = true;
    pthread_join(between, NULL);
    pthread_join(low, NULL);
    CHECK_OK(ftl_handle_close(many_client_ends[1]));
    pthread_join(serving, NULL);
    CHECK_OK(ftl_handle_close(many_client_ends[0]));
    for (size_t i = 0; i < 2; i++) {
        CHECK_OK(ftl_handle_close(many_server_ends[i]));
    }
}

void test_inheritance(void)
{
    ftl_handle_t self;
    struct ftl_thread_info info;
    CHECK_OK(ftl_thread_self(&self));
    CHECK_OK(ftl_thread_info(self, &info));
    CHECK_OK(ftl_channel_create(&client_end, &server_end));
    set_own_priority(HIGH);
    pthread_t thread = start(server);
    test_call_of_a_high_caller();
    test_caller_that_is_raised();
    CHECK_OK(ftl_handle_close(client_end));
    pthread_join(thread, NULL);
    CHECK_OK(ftl_handle_close(server_end));
    test_busy_server();
    CHECK_OK(ftl_thread_set_affinity(self, info.affinity));
    CHECK_OK(ftl_handle_close(self));
}
