/* Threads without a C library: see threadtest.h. */
#include <ftl/handle.h>
#include <ftl/object.h>
#include <ftl/process.h>
#include <ftl/thread.h>

#include "threadtest.h"

ftl_handle_t raw_start(void (*function)(uint64_t argument), uint64_t argument, void *stack)
{
    ftl_handle_t thread = FTL_HANDLE_INVALID;
    uintptr_t top = (uintptr_t)stack + RAW_STACK_SIZE;
    CHECK_OK(ftl_thread_create((uintptr_t)function, argument, top, top, &thread));
    return thread;
}

_Noreturn void raw_spin(uint64_t argument)
{
    for (volatile uint64_t turns = argument;; turns++) {
    }
}

void join(ftl_handle_t thread)
{
    size_t ready;
    struct ftl_wait_item item = { .handle = thread, .interest = FTL_SIGNAL_EXITED };
    CHECK_OK(ftl_object_wait(&item, 1, FTL_TIME_INFINITE, &ready));
    CHECK_OK(ftl_handle_close(thread));
}

struct ftl_thread_info thread_info(ftl_handle_t thread)
{
    struct ftl_thread_info info = { 0 };
    CHECK_OK(ftl_thread_info(thread, &info));
    return info;
}

struct ftl_process_info process_info(void)
{
    struct ftl_process_info info = { 0 };
    ftl_handle_t self = FTL_HANDLE_INVALID;
    CHECK_OK(ftl_process_self(&self));
    CHECK_OK(ftl_process_info(self, &info));
    CHECK_OK(ftl_handle_close(self));
    return info;
}

void await_state(ftl_handle_t thread, uint32_t state)
{
    while (thread_info(thread).state != state) {
        ftl_thread_yield();
    }
}
