/*
 * Takes as much of one kind of thing as it can get, says how much that was and why there was no
 * more, and keeps it until it is killed. The error must be that of the process alone: its memory
 * limit, its handle limit, or no room in its own address space.
 */
#include <ftl/channel.h>
#include <ftl/environ.h>
#include <ftl/handle.h>
#include <ftl/object.h>
#include <ftl/poll.h>
#include <ftl/process.h>
#include <ftl/spawn.h>
#include <ftl/thread.h>
#include <ftl/timer.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STACK_SIZE  4096
#define CHILD_SHARE 3 /* a child may have this part of what a process of the fork bomb may */
#define BACKLOG     ((size_t)32768)

static ftl_handle_t self_vmspace;

/* Each of these takes one more, or fails. */

static ftl_status_t take_vmo(void)
{
    ftl_handle_t vmo;
    ftl_status_t status = ftl_vmo_create(FTL_PAGE_SIZE, &vmo);
    return status == FTL_OK ? ftl_vmo_write(vmo, 0, "x", 1) : status;
}

static ftl_status_t take_memory(void)
{
    static ftl_handle_t vmo;
    static uint64_t next;
    if (vmo == FTL_HANDLE_INVALID) {
        ftl_status_t status = ftl_vmo_create(UINT64_C(1) << 32, &vmo);
        if (status != FTL_OK) {
            return status;
        }
    }
    ftl_status_t status = ftl_vmo_write(vmo, next, "x", 1);
    next += FTL_PAGE_SIZE;
    return status;
}

static ftl_status_t take_handle(void)
{
    ftl_handle_t copy;
    return ftl_handle_duplicate(self_vmspace, FTL_RIGHTS_SAME, &copy);
}

static void sleep_for_ever(uint64_t argument)
{
    (void)argument;
    for (;;) {
        ftl_thread_sleep(FTL_TIME_INFINITE);
    }
}

static ftl_status_t take_thread(void)
{
    static _Alignas(16) char stack[STACK_SIZE]; /* the same for all: they never return */
    ftl_handle_t thread;
    return ftl_thread_create((uintptr_t)sleep_for_ever, 0, (uintptr_t)stack + STACK_SIZE,
                             (uintptr_t)stack, &thread);
}

static ftl_status_t take_channel(void)
{
    ftl_handle_t ends[2];
    return ftl_channel_create(&ends[1], &ends[0]);
}

static ftl_status_t take_message(void)
{
    static char data[BACKLOG];
    static ftl_handle_t ends[2];
    struct ftl_message message = { .data = data, .size = sizeof(data) };
    ftl_status_t status = FTL_ERR_WOULD_BLOCK;
    if (ends[0] != FTL_HANDLE_INVALID) {
        status = ftl_channel_send(ends[0], &message, 0);
    }
    if (status != FTL_ERR_WOULD_BLOCK) {
        return status;
    }
    status = ftl_channel_create(&ends[1], &ends[0]); /* the next one, as the last is full */
    return status == FTL_OK ? ftl_channel_send(ends[0], &message, 0) : status;
}

static ftl_status_t take_poll_entry(void)
{
    static ftl_handle_t poll;
    uint64_t entry;
    if (poll == FTL_HANDLE_INVALID) {
        ftl_status_t status = ftl_poll_create(&poll);
        if (status != FTL_OK) {
            return status;
        }
    }
    return ftl_poll_add(poll, self_vmspace, FTL_SIGNAL_READABLE, 0, &entry);
}

static ftl_status_t take_timer(void)
{
    ftl_handle_t timer;
    ftl_status_t status = ftl_timer_create(&timer);
    return status == FTL_OK ? ftl_timer_set(timer, INT64_MAX - 1, 0) : status;
}

static ftl_status_t take_vmspace(void)
{
    ftl_handle_t vmspace;
    return ftl_vmspace_create(FTL_ISOLATION_USER, &vmspace);
}

static ftl_status_t take_window(void)
{
    ftl_handle_t vmspace;
    return ftl_vmspace_create(FTL_ISOLATION_SANDBOX, &vmspace);
}

static ftl_status_t take_mapping(void)
{
    static ftl_handle_t vmo;
    uintptr_t address;
    if (vmo == FTL_HANDLE_INVALID) {
        ftl_status_t status = ftl_vmo_create(FTL_PAGE_SIZE, &vmo);
        if (status != FTL_OK) {
            return status;
        }
    }
    return ftl_vmspace_map(self_vmspace, vmo, 0, FTL_PAGE_SIZE, FTL_MAP_READ, 0, &address);
}

/* A process that is never started. */
static ftl_status_t take_process(void)
{
    ftl_handle_t process;
    return ftl_process_create(self_vmspace, "bomb", 4, 16 * (uint64_t)FTL_PAGE_SIZE, &process);
}

/* ---- Processes that do the same ---- */

static uint64_t own_limit(ftl_handle_t self)
{
    struct ftl_process_info info;
    return ftl_process_info(self, &info) == FTL_OK ? info.memory_limit : 0;
}

/* Starts one more of itself, which ends when its parent does. */
static ftl_status_t take_fork(void)
{
    static const char *const args[] = { "bomb", "fork", "child" };
    static struct ftl_bootimage image;
    static struct ftl_app app;
    static ftl_handle_t self;
    const char *step;
    ftl_handle_t child;
    ftl_status_t status = FTL_OK;
    if (image.data == NULL) {
        status = ftl_bootimage_open(&image, ftl_environ_find(ftl_environ(), "bootimage"));
        status = status == FTL_OK ? ftl_app_find(&image, "bomb", &app) : status;
        status = status == FTL_OK ? ftl_process_self(&self) : status;
        app.memory_limit = own_limit(self) / CHILD_SHARE;
    }
    if (status != FTL_OK) {
        return status;
    }
    const struct ftl_spawn_handle handles[] = {
        { "console", ftl_environ_find(ftl_environ(), "console"), FTL_RIGHTS_SAME },
        { "bootimage", image.vmo, FTL_RIGHTS_SAME },
        { "parent", self, FTL_RIGHT_WAIT | FTL_RIGHT_DUPLICATE | FTL_RIGHT_TRANSFER },
    };
    const struct ftl_spawn_options options = {
        .isolation = FTL_ISOLATION_USER,
        .args = args,
        .arg_count = 3,
        .handles = handles,
        .handle_count = 3,
    };
    return ftl_spawn(&image, &app, &options, &child, &step);
}

static const struct kind {
    const char *name;
    ftl_status_t (*take)(void);
} kinds[] = {
    { "vmo", take_vmo },         { "memory", take_memory },   { "handle", take_handle },
    { "thread", take_thread },   { "channel", take_channel }, { "message", take_message },
    { "poll", take_poll_entry }, { "timer", take_timer },     { "vmspace", take_vmspace },
    { "window", take_window },   { "mapping", take_mapping }, { "process", take_process },
    { "fork", take_fork },
};
#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

static const struct kind *find_kind(const char *name)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

static void wait_for_parent(void)
{
    struct ftl_wait_item item = { .handle = ftl_environ_find(ftl_environ(), "parent"),
                                  .interest = FTL_SIGNAL_EXITED };
    size_t ready;
    ftl_object_wait(&item, 1, FTL_TIME_INFINITE, &ready);
}

/* All that the program writes but its stack and what it allocates (link.ld.in). */
extern volatile char __tls_image_start[];
extern volatile char __image_end[];

/*
 * Memory comes with its first use. What is used once there is none left must be there before: to
 * say how it went, the stack, and stdio's buffers; the stack of all threads, which may run late.
 */
static void bring_in_stack(void)
{
    volatile char stack[4 * FTL_PAGE_SIZE];
    for (size_t at = 0; at < sizeof(stack); at += FTL_PAGE_SIZE) {
        stack[at] = 1;
    }
}

static void bring_in_image(void)
{
    for (volatile char *at = __tls_image_start; at < __image_end; at += FTL_PAGE_SIZE) {
        *at = *at; /* the linker script has them begin with a page */
    }
}

int main(int argc, char **argv)
{
    const struct kind *kind = argc > 1 ? find_kind(argv[1]) : NULL;
    bool child = argc > 2;
    unsigned long count = 0;
    if (kind == NULL) {
        fprintf(stderr, "usage: bomb KIND, one of:");
        for (size_t i = 0; i < KIND_COUNT; i++) {
            fprintf(stderr, " %s", kinds[i].name);
        }
        fprintf(stderr, "\n");
        return EXIT_FAILURE;
    }
    if (!child) {
        printf("bomb: takes all it can get of kind %s\n", kind->name);
        bring_in_image();
    }
    bring_in_stack();
    ftl_status_t status = ftl_vmspace_self(&self_vmspace);
    while (status == FTL_OK) {
        status = kind->take();
        count += status == FTL_OK;
    }
    if (child) {
        wait_for_parent();
        return EXIT_SUCCESS;
    }
    printf("bomb: %lu of kind %s, then: %s\n", count, kind->name, ftl_strerror(status));
    printf("bomb: holding all %s\n", kind->name);
    sleep_for_ever(0);
}
