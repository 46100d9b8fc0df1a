/*
 * What kernel objects take of their memory limit. The table of handles has grown when the others
 * come.
 */
#include <ftl/handle.h>
#include <ftl/notification.h>
#include <ftl/process.h>
#include <ftl/thread.h>
#include <ftl/vmo.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"

#define COUNT 512 /* of each */

static uint64_t used(ftl_handle_t process)
{
    struct ftl_process_info info;
    require(ftl_process_info(process, &info), "process_info");
    return info.memory_used;
}

/* Ends its own thread. */
static void end(uint64_t argument)
{
    (void)argument;
    ftl_thread_exit(0);
}

static void make_handle(ftl_handle_t process, ftl_handle_t *handle)
{
    require(ftl_handle_duplicate(process, FTL_RIGHTS_SAME, handle), "duplicate");
}

static void make_vmo(ftl_handle_t process, ftl_handle_t *handle)
{
    (void)process;
    require(ftl_vmo_create(PAGE, handle), "vmo_create");
}

/* A thread that has not run yet, or has ended, is as large as any: all share one stack. */
static void make_thread(ftl_handle_t process, ftl_handle_t *handle)
{
    static _Alignas(16) char stack[STACK_SIZE];
    (void)process;
    require(ftl_thread_create((uintptr_t)end, 0, (uintptr_t)stack + STACK_SIZE, (uintptr_t)stack,
                              handle),
            "thread_create");
}

static void measure_kind(const char *metric, ftl_handle_t process,
                         void (*make)(ftl_handle_t process, ftl_handle_t *handle))
{
    static ftl_handle_t handles[COUNT];
    memset(handles, 0, sizeof(handles)); /* its pages count, too */
    uint64_t before = used(process);
    for (size_t i = 0; i < COUNT; i++) {
        make(process, &handles[i]);
    }
    printf("%s %llu\n", metric, (unsigned long long)((used(process) - before) / COUNT));
    for (size_t i = 0; i < COUNT; i++) {
        require(ftl_handle_close(handles[i]), "close");
    }
}

void measure_memory(void)
{
    ftl_handle_t process;
    require(ftl_process_self(&process), "process_self");
    measure_kind("bytes_per_handle", process, make_handle);
    measure_kind("bytes_per_vmo", process, make_vmo);
    measure_kind("bytes_per_thread", process, make_thread);
}
