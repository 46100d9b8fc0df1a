/*
 * What is killed: processes that stay in one state, a call or a loop of them, for ever. A call that
 * fails ends the process, with its kind as exit status: the killer would then find it ended by
 * itself.
 */
#include <ftl/channel.h>
#include <ftl/clock.h>
#include <ftl/console.h>
#include <ftl/environ.h>
#include <ftl/futex.h>
#include <ftl/handle.h>
#include <ftl/notification.h>
#include <ftl/object.h>
#include <ftl/poll.h>
#include <ftl/process.h>
#include <ftl/spawn.h>
#include <ftl/thread.h>
#include <ftl/timer.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <stdlib.h>

#include "lifetime.h"

#define READ_WRITE   (FTL_MAP_READ | FTL_MAP_WRITE)
#define STACK_SIZE   8192
#define AREA_SIZE    ((size_t)256 * 1024)
#define FAR_AWAY     (INT64_C(3600) * 1000000000)
#define CHILD_MEMORY (UINT64_C(1) << 20)
#define PERIOD       FTL_TIMER_PERIOD_MIN

static unsigned own_kind;

/* Victims say nothing, the console is the killer's. */
static void need(ftl_status_t status)
{
    if (status != FTL_OK) {
        ftl_process_exit((int32_t)own_kind);
    }
}

static ftl_nsec_t later(ftl_nsec_t time)
{
    ftl_nsec_t now = 0;
    ftl_clock_get(&now);
    return now + time;
}

/* ---- Waiting ---- */

static void waits_on_a_futex(void)
{
    static uint32_t word;
    ftl_futex_wait((uintptr_t)&word, 0, FTL_TIME_INFINITE);
}

static void waits_on_a_futex_until_a_deadline(void)
{
    static uint32_t word;
    ftl_futex_wait((uintptr_t)&word, 0, later(PERIOD));
}

static void sleeps(void)
{
    ftl_thread_sleep(later(FAR_AWAY));
}

static void yields(void)
{
    ftl_thread_yield();
}

static void computes(void)
{
    for (volatile unsigned i = 0; i < 100000; i++) {
    }
}

static void waits_for_objects(void)
{
    struct ftl_wait_item items[2] = { { .interest = FTL_SIGNAL_EXITED },
                                      { .interest = FTL_SIGNAL_READABLE } };
    size_t ready;
    need(ftl_process_self(&items[0].handle));
    need(ftl_timer_create(&items[1].handle));
    need(ftl_timer_set(items[1].handle, later(PERIOD), PERIOD));
    ftl_object_wait(items, 2, FTL_TIME_INFINITE, &ready);
    need(ftl_handle_close(items[0].handle));
    need(ftl_handle_close(items[1].handle));
}

static void waits_on_a_notification(void)
{
    ftl_handle_t notification;
    uint64_t bits;
    need(ftl_notification_create(&notification));
    ftl_notification_wait(notification, 1, FTL_TIME_INFINITE, &bits);
}

static void reads_the_console(void)
{
    char byte;
    size_t read;
    ftl_handle_t console = ftl_environ_find(ftl_environ(), "console");
    ftl_console_read(console, &byte, 1, FTL_TIME_INFINITE, &read);
}

static void polls(void)
{
    ftl_handle_t poll;
    ftl_handle_t timer;
    ftl_handle_t ends[2];
    uint64_t entry;
    size_t count;
    struct ftl_poll_event events[4];
    need(ftl_poll_create(&poll));
    need(ftl_timer_create(&timer));
    need(ftl_channel_create(&ends[1], &ends[0]));
    need(ftl_poll_add(poll, ends[0], FTL_SIGNAL_READABLE, 1, &entry));
    need(ftl_poll_add(poll, timer, FTL_SIGNAL_READABLE | FTL_POLL_EDGE, 2, &entry));
    need(ftl_timer_set(timer, later(PERIOD), PERIOD));
    for (int i = 0; i < 10; i++) {
        ftl_poll_wait(poll, events, 4, FTL_TIME_INFINITE, &count);
    }
    need(ftl_handle_close(timer)); /* stays in the poll */
    need(ftl_handle_close(poll));
    need(ftl_handle_close(ends[0]));
    need(ftl_handle_close(ends[1]));
}

/* ---- Channels ---- */

static void make_channel(ftl_handle_t ends[2])
{
    need(ftl_channel_create(&ends[1], &ends[0]));
}

static void receives(void)
{
    ftl_handle_t ends[2];
    char byte;
    struct ftl_message message = { .data = &byte, .capacity = 1 };
    make_channel(ends);
    ftl_channel_recv(ends[0], &message, FTL_TIME_INFINITE);
}

static void sends_until_there_is_no_room(void)
{
    static char data[4096];
    ftl_handle_t ends[2];
    struct ftl_message message = { .data = data, .size = sizeof(data) };
    make_channel(ends);
    while (ftl_channel_send(ends[0], &message, FTL_TIME_INFINITE) == FTL_OK) {
    }
}

static void calls_nobody(void)
{
    ftl_handle_t ends[2];
    char byte = 0;
    struct ftl_message request = { .data = &byte, .size = 1 };
    struct ftl_message reply = { .data = &byte, .capacity = 1 };
    make_channel(ends);
    ftl_channel_call(ends[0], &request, &reply, FTL_TIME_INFINITE);
}

/* Sends ends of channels with ends of channels in them to the killer, who never looks. */
static void sends_objects_in_objects(void)
{
    ftl_handle_t peer = ftl_environ_find(ftl_environ(), "peer");
    ftl_handle_t ends[2];
    ftl_handle_t inner[2];
    make_channel(ends);
    make_channel(inner);
    ftl_handle_t sent[2] = { inner[0], FTL_HANDLE_INVALID };
    need(ftl_vmo_create(AREA_SIZE, &sent[1]));
    need(ftl_vmo_write(sent[1], 0, "x", 1));
    struct ftl_message message = { .handles = sent, .handle_count = 2 };
    need(ftl_channel_send(ends[0], &message, 0));
    message = (struct ftl_message){ .handles = &ends[1], .handle_count = 1 };
    if (ftl_channel_send(peer, &message, 0) != FTL_OK) {
        ftl_handle_close(ends[1]); /* there is no room any more */
    }
    need(ftl_handle_close(ends[0]));
    need(ftl_handle_close(inner[1]));
}

/* ---- Threads ---- */

static ftl_handle_t served[2];

static void serves(uint64_t argument)
{
    (void)argument;
    char byte;
    for (;;) {
        struct ftl_message message = { .data = &byte, .capacity = 1 };
        if (ftl_channel_recv(served[1], &message, FTL_TIME_INFINITE) == FTL_OK) {
            struct ftl_message reply = { .data = &byte, .size = 1 };
            ftl_channel_reply(served[1], message.transaction, &reply);
        }
    }
}

static void ends_at_once(uint64_t argument)
{
    (void)argument;
    ftl_thread_exit(0);
}

static ftl_handle_t make_thread(void (*code)(uint64_t), char *stack)
{
    ftl_handle_t thread;
    need(ftl_thread_create((uintptr_t)code, 0, (uintptr_t)stack + STACK_SIZE, (uintptr_t)stack,
                           &thread));
    return thread;
}

static void calls_a_thread_of_its_own(void)
{
    static _Alignas(16) char stack[STACK_SIZE];
    char byte = 0;
    struct ftl_message request = { .data = &byte, .size = 1 };
    if (served[0] == FTL_HANDLE_INVALID) {
        make_channel(served);
        make_thread(serves, stack);
    }
    struct ftl_message reply = { .data = &byte, .capacity = 1 };
    need(ftl_channel_call(served[0], &request, &reply, FTL_TIME_INFINITE));
}

static void makes_threads(void)
{
    static _Alignas(16) char stack[STACK_SIZE];
    struct ftl_wait_item item = { .interest = FTL_SIGNAL_EXITED };
    size_t ready;
    item.handle = make_thread(ends_at_once, stack);
    need(ftl_object_wait(&item, 1, FTL_TIME_INFINITE, &ready));
    need(ftl_handle_close(item.handle));
}

/* ---- Memory ---- */

static void maps_and_touches(void)
{
    ftl_handle_t vmspace;
    ftl_handle_t vmo;
    uintptr_t address;
    need(ftl_vmspace_self(&vmspace));
    need(ftl_vmo_create(AREA_SIZE, &vmo));
    need(ftl_vmspace_map(vmspace, vmo, 0, AREA_SIZE, READ_WRITE, 0, &address));
    for (size_t at = 0; at < AREA_SIZE; at += FTL_PAGE_SIZE) {
        *(volatile char *)(address + at) = 1;
    }
    need(ftl_vmspace_protect(vmspace, address, AREA_SIZE / 2, FTL_MAP_READ));
    need(ftl_vmspace_unmap(vmspace, address + FTL_PAGE_SIZE, AREA_SIZE - FTL_PAGE_SIZE));
    need(ftl_vmspace_unmap(vmspace, address, FTL_PAGE_SIZE));
    need(ftl_handle_close(vmo));
    need(ftl_handle_close(vmspace));
}

static void copies(void)
{
    static char buffer[AREA_SIZE];
    ftl_handle_t vmo;
    need(ftl_vmo_create(AREA_SIZE, &vmo));
    need(ftl_vmo_write(vmo, 0, buffer, AREA_SIZE));
    need(ftl_vmo_read(vmo, 0, buffer, AREA_SIZE));
    need(ftl_handle_close(vmo));
}

static void duplicates_handles(void)
{
    ftl_handle_t handles[200];
    need(ftl_process_self(&handles[0]));
    for (int i = 1; i < 200; i++) {
        need(ftl_handle_duplicate(handles[0], FTL_RIGHTS_SAME, &handles[i]));
    }
    for (int i = 0; i < 200; i++) {
        need(ftl_handle_close(handles[i]));
    }
}

/* ---- Processes ---- */

static void loads_processes(void)
{
    static struct ftl_bootimage image;
    static struct ftl_app app;
    static const char *const args[] = { "nothing" };
    static struct ftl_spawn_options options = { .args = args, .arg_count = 1 };
    struct ftl_wait_item item = { .interest = FTL_SIGNAL_EXITED };
    const char *step;
    size_t ready;
    if (image.data == NULL) {
        need(ftl_bootimage_open(&image, ftl_environ_find(ftl_environ(), "bootimage")));
        need(ftl_app_find(&image, "nothing", &app));
        app.memory_limit = CHILD_MEMORY;
    }
    options.isolation =
        options.isolation == FTL_ISOLATION_USER ? FTL_ISOLATION_SANDBOX : FTL_ISOLATION_USER;
    need(ftl_spawn(&image, &app, &options, &item.handle, &step));
    need(ftl_object_wait(&item, 1, FTL_TIME_INFINITE, &ready));
    need(ftl_handle_close(item.handle));
}

/* Processes that never start, with handles to each other and to themselves in them. */
static void leaves_processes_unstarted(void)
{
    ftl_handle_t vmspace;
    ftl_handle_t processes[2];
    ftl_handle_t copy;
    ftl_handle_t granted;
    need(ftl_vmspace_create(FTL_ISOLATION_USER, &vmspace));
    for (int i = 0; i < 2; i++) {
        need(ftl_process_create(vmspace, "unstarted", 9, AREA_SIZE, &processes[i]));
    }
    need(ftl_handle_duplicate(processes[1], FTL_RIGHTS_SAME, &copy));
    need(ftl_process_grant(processes[0], copy, FTL_RIGHTS_SAME, &granted));
    need(ftl_handle_close(processes[0]));
    need(ftl_handle_close(processes[1]));
    need(ftl_handle_close(vmspace));
}

static void exits(void)
{
    ftl_process_exit(0);
}

static void (*const kinds[])(void) = {
    waits_on_a_futex,
    waits_on_a_futex_until_a_deadline,
    sleeps,
    yields,
    computes,
    waits_for_objects,
    waits_on_a_notification,
    reads_the_console,
    polls,
    receives,
    sends_until_there_is_no_room,
    calls_nobody,
    sends_objects_in_objects,
    calls_a_thread_of_its_own,
    makes_threads,
    maps_and_touches,
    copies,
    duplicates_handles,
    loads_processes,
    leaves_processes_unstarted,
    exits,
};
const unsigned victim_kinds = sizeof(kinds) / sizeof(kinds[0]);

_Noreturn void victim_main(unsigned kind)
{
    own_kind = kind;
    for (;;) {
        kinds[kind]();
    }
}
