/*
 * Prints what kernel operations cost in instructions, a line "metric number" each; scripts/bench
 * kernel reads them. Counts with the hart's instruction counter: exact under QEMU's -icount with
 * one hart.
 */
#include <ftl/clock.h>
#include <ftl/environ.h>
#include <ftl/futex.h>
#include <ftl/handle.h>
#include <ftl/notification.h>
#include <ftl/object.h>
#include <ftl/process.h>
#include <ftl/spawn.h>
#include <ftl/system.h>
#include <ftl/thread.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define ROUNDS_PROCESS 20
#define CHILD_MEMORY   ((uint64_t)1 << 20) /* what a process made here may take of ours */

void require(ftl_status_t status, const char *what)
{
    if (status != FTL_OK) {
        fprintf(stderr, "bench: %s: %s\n", what, ftl_strerror(status));
        exit(EXIT_FAILURE);
    }
}

uint64_t instructions(void)
{
    uint64_t count = 0;
    ftl_clock_instructions(&count);
    return count;
}

/* Instructions of all the rounds. */
static uint64_t count_rounds(unsigned rounds, void (*operation)(void *context), void *context)
{
    uint64_t start = instructions();
    for (unsigned i = 0; i < rounds; i++) {
        operation(context);
    }
    return instructions() - start;
}

static void nothing(void *context)
{
    (void)context;
}

void measure(const char *metric, unsigned rounds, void (*operation)(void *context), void *context)
{
    operation(context); /* brings pages in */
    uint64_t empty = count_rounds(rounds, nothing, NULL);
    uint64_t count = count_rounds(rounds, operation, context) - empty;
    printf("%s %llu\n", metric, (unsigned long long)(count / rounds));
}

static void null_call(void *context)
{
    (void)context;
    ftl_system_null();
}

static void clock_call(void *context)
{
    (void)context;
    ftl_nsec_t now;
    ftl_clock_get(&now);
}

static void handle_duplicate_close(void *context)
{
    ftl_handle_t copy;
    require(ftl_handle_duplicate(*(ftl_handle_t *)context, FTL_RIGHTS_SAME, &copy), "duplicate");
    require(ftl_handle_close(copy), "close");
}

/* ---- Threads ---- */

static void thread_nothing(uint64_t argument)
{
    (void)argument;
    ftl_thread_exit(0);
}

static void thread_create_join(void *context)
{
    char *stack = context;
    struct ftl_wait_item item = { .interest = FTL_SIGNAL_EXITED };
    size_t ready;
    require(ftl_thread_create((uintptr_t)thread_nothing, 0, (uintptr_t)stack + STACK_SIZE,
                              (uintptr_t)stack, &item.handle),
            "thread_create");
    require(ftl_object_wait(&item, 1, FTL_TIME_INFINITE, &ready), "object_wait");
    require(ftl_handle_close(item.handle), "close");
}

static atomic_bool stop;

static void *yielder(void *context)
{
    (void)context;
    while (!atomic_load(&stop)) {
        ftl_thread_yield();
    }
    return NULL;
}

static void yield(void *context)
{
    (void)context;
    ftl_thread_yield();
}

/* Yields between two threads: each round is two of them. */
static void measure_yield(void)
{
    pthread_t other;
    atomic_store(&stop, false);
    require(pthread_create(&other, NULL, yielder, NULL) == 0 ? FTL_OK : FTL_ERR_NO_MEMORY,
            "pthread_create");
    measure("yield_there_and_back", ROUNDS, yield, NULL);
    atomic_store(&stop, true);
    pthread_join(other, NULL);
}

static void *ponger(void *context)
{
    const struct ping_pong *pair = context;
    uint64_t bits;
    if (pair->harts != 0) {
        stay_on(pair->harts);
    }
    while (!atomic_load(&stop)) {
        require(ftl_notification_wait(pair->ping, 1, FTL_TIME_INFINITE, &bits),
                "notification_wait");
        require(ftl_notification_signal(pair->pong, 1), "notification_signal");
    }
    return NULL;
}

static void notify_there_and_back(void *context)
{
    const struct ping_pong *pair = context;
    uint64_t bits;
    require(ftl_notification_signal(pair->ping, 1), "notification_signal");
    require(ftl_notification_wait(pair->pong, 1, FTL_TIME_INFINITE, &bits), "notification_wait");
}

static void *ponger_in_one(void *context)
{
    const struct ping_pong *pair = context;
    uint64_t bits;
    require(ftl_notification_wait(pair->ping, 1, FTL_TIME_INFINITE, &bits), "notification_wait");
    while (!atomic_load(&stop)) {
        require(ftl_notification_signal_and_wait(pair->pong, 1, pair->ping, 1, FTL_TIME_INFINITE,
                                                 &bits),
                "notification_signal_and_wait");
    }
    return NULL;
}

static void notify_there_and_back_in_one(void *context)
{
    const struct ping_pong *pair = context;
    uint64_t bits;
    require(
        ftl_notification_signal_and_wait(pair->ping, 1, pair->pong, 1, FTL_TIME_INFINITE, &bits),
        "notification_signal_and_wait");
}

static void measure_pair(const char *metric, struct ping_pong *pair, void *(*pong)(void *),
                         void (*round)(void *))
{
    pthread_t other;
    require(ftl_notification_create(&pair->ping), "notification_create");
    require(ftl_notification_create(&pair->pong), "notification_create");
    atomic_store(&stop, false);
    require(pthread_create(&other, NULL, pong, pair) == 0 ? FTL_OK : FTL_ERR_NO_MEMORY,
            "pthread_create");
    measure(metric, ROUNDS, round, pair);
    atomic_store(&stop, true);
    require(ftl_notification_signal(pair->ping, 1), "notification_signal");
    pthread_join(other, NULL);
}

void measure_notification(const char *metric, struct ping_pong *pair)
{
    measure_pair(metric, pair, ponger, notify_there_and_back);
}

/* ---- Mappings ---- */

struct mapping {
    ftl_handle_t vmspace;
    size_t size;
};

/* What an allocator does for fresh memory: new object, map, touch, unmap. */
static void map_touch_unmap(void *context)
{
    const struct mapping *mapping = context;
    ftl_handle_t vmo;
    uintptr_t address;
    require(ftl_vmo_create(mapping->size, &vmo), "vmo_create");
    require(ftl_vmspace_map(mapping->vmspace, vmo, 0, mapping->size, FTL_MAP_READ | FTL_MAP_WRITE,
                            0, &address),
            "vmspace_map");
    for (size_t offset = 0; offset < mapping->size; offset += PAGE) {
        *(volatile char *)(address + offset) = 1;
    }
    require(ftl_vmspace_unmap(mapping->vmspace, address, mapping->size), "vmspace_unmap");
    require(ftl_handle_close(vmo), "close");
}

/* ---- Processes ---- */

struct process_start {
    struct ftl_bootimage image;
    struct ftl_app app;
    struct ftl_spawn_options options;
};

static void process_run(void *context)
{
    struct process_start *start = context;
    struct ftl_wait_item item = { .interest = FTL_SIGNAL_EXITED };
    size_t ready;
    const char *step;
    require(ftl_spawn(&start->image, &start->app, &start->options, &item.handle, &step), step);
    require(ftl_object_wait(&item, 1, FTL_TIME_INFINITE, &ready), "object_wait");
    require(ftl_handle_close(item.handle), "close");
}

static void measure_process(const char *metric, ftl_isolation_t isolation)
{
    static const char *const args[] = { "nothing" };
    static struct process_start start;
    start.options =
        (struct ftl_spawn_options){ .isolation = isolation, .args = args, .arg_count = 1 };
    require(ftl_bootimage_open(&start.image, ftl_environ_find(ftl_environ(), "bootimage")),
            "boot image");
    require(ftl_app_find(&start.image, "nothing", &start.app), "app 'nothing'");
    start.app.memory_limit = CHILD_MEMORY;
    measure(metric, ROUNDS_PROCESS, process_run, &start);
}

/* Starts this program again, in the same isolation and a vmspace of its own: it yields for ever. */
static ftl_handle_t start_yielding_process(void)
{
    static const char *const args[] = { "bench", "yields" };
    static struct process_start start;
    ftl_handle_t process;
    const char *step;
    start.options =
        (struct ftl_spawn_options){ .isolation = OWN_ISOLATION, .args = args, .arg_count = 2 };
    require(ftl_bootimage_open(&start.image, ftl_environ_find(ftl_environ(), "bootimage")),
            "boot image");
    require(ftl_app_find(&start.image, "bench", &start.app), "app 'bench'");
    start.app.memory_limit = CHILD_MEMORY;
    require(ftl_spawn(&start.image, &start.app, &start.options, &process, &step), step);
    return process;
}

/* Two yields between two processes, and what such a process, which waits, takes of memory. */
static void measure_second_process(void)
{
    struct ftl_process_info info;
    ftl_handle_t process = start_yielding_process();
    measure("yield_between_vmspaces_there_and_back", ROUNDS, yield, NULL);
    require(ftl_process_info(process, &info), "process_info");
    printf("bytes_per_process %llu\n", (unsigned long long)info.memory_used);
    require(ftl_process_kill(process, 0), "process_kill");
}

static void measure_operations(void)
{
    static _Alignas(16) char stack[STACK_SIZE];
    ftl_handle_t process;
    struct ping_pong pair = { .harts = 0 };
    struct mapping mapping = { .size = PAGE };
    require(ftl_process_self(&process), "process_self");
    require(ftl_vmspace_self(&mapping.vmspace), "vmspace_self");
    measure("null_call", ROUNDS, null_call, NULL);
    measure("clock_get", ROUNDS, clock_call, NULL);
    measure("handle_duplicate_close", ROUNDS, handle_duplicate_close, &process);
    measure("thread_create_exit_join", ROUNDS, thread_create_join, stack);
    measure_yield();
    measure_notification("notification_there_and_back", &pair);
    measure_pair("notification_there_and_back_in_one_call", &pair, ponger_in_one,
                 notify_there_and_back_in_one);
    measure("map_touch_unmap_4k", ROUNDS, map_touch_unmap, &mapping);
    mapping.size = 512 * PAGE;
    measure("map_touch_unmap_2m", 20, map_touch_unmap, &mapping);
    measure_process("process_run_user", FTL_ISOLATION_USER);
    measure_process("process_run_sandbox", FTL_ISOLATION_SANDBOX);
    measure_memory();
    measure_second_process();
}

/* bench: operations of one hart. bench harts N: what needs N of them. */
int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "yields") == 0) {
        for (;;) {
            ftl_thread_yield();
        }
    }
    if (argc == 3 && strcmp(argv[1], "harts") == 0) {
        measure_harts((unsigned)strtoul(argv[2], NULL, 10));
    } else {
        measure_operations();
    }
    return EXIT_SUCCESS;
}
