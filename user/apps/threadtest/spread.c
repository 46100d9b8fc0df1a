/*
 * No hart idles while work waits, and threads of one hart take turns: seen in the kernel's figures,
 * whatever time it takes.
 */
#include <ftl/environ.h>
#include <ftl/handle.h>
#include <ftl/system.h>
#include <ftl/thread.h>

#include "threadtest.h"

#define LOW         (FTL_PRIORITY_DEFAULT - 1) /* who looks on goes first */
#define HARTS_MAX   64
#define THREADS_MAX (2 * HARTS_MAX)
#define TURNS       1000 /* of each thread: some slices, or many */

static _Alignas(16) char stacks[THREADS_MAX][RAW_STACK_SIZE];
static ftl_handle_t threads[THREADS_MAX];
static uint64_t turns[THREADS_MAX];
static ftl_handle_t system_handle;

static _Noreturn void work(uint64_t self)
{
    for (;;) {
        __atomic_fetch_add(&turns[self], 1, __ATOMIC_RELAXED);
    }
}

static unsigned count_harts(void)
{
    struct ftl_hart_info info = { 0 };
    while (ftl_system_hart_info(system_handle, &info) == FTL_OK) {
        CHECK_EQUAL(info.online, 1);
        info.index++;
    }
    return info.index;
}

static struct ftl_hart_info hart_info(uint32_t index)
{
    struct ftl_hart_info info = { .index = index };
    CHECK_OK(ftl_system_hart_info(system_handle, &info));
    return info;
}

static void start(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        turns[i] = 0;
        threads[i] = raw_start(work, i, stacks[i]);
        CHECK_OK(ftl_thread_set_priority(threads[i], LOW));
    }
}

static void end(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        CHECK_OK(ftl_thread_kill(threads[i]));
        join(threads[i]);
    }
}

/* Whether every thread, and this one, runs on a hart of its own now. */
static bool all_run(ftl_handle_t self, unsigned count)
{
    uint64_t taken = UINT64_C(1) << thread_info(self).hart;
    for (unsigned i = 0; i < count; i++) {
        struct ftl_thread_info info = thread_info(threads[i]);
        if (info.state != FTL_THREAD_RUNNING || (taken >> info.hart & 1) != 0) {
            return false;
        }
        taken |= UINT64_C(1) << info.hart;
    }
    return true;
}

/* As many threads as harts, with this one, come to run all at once. */
static void test_one_for_each(unsigned harts)
{
    ftl_handle_t self = FTL_HANDLE_INVALID;
    CHECK_OK(ftl_thread_self(&self));
    start(harts - 1);
    while (!all_run(self, harts - 1)) {
    }
    end(harts - 1);
    CHECK_OK(ftl_handle_close(self));
}

static ftl_nsec_t idle_times(unsigned harts)
{
    ftl_nsec_t sum = 0;
    for (unsigned i = 0; i < harts; i++) {
        sum += hart_info(i).idle_time;
    }
    return sum;
}

/* Waits until each thread has had `more` turns. */
static void await_turns(unsigned count, uint64_t more)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t goal = __atomic_load_n(&turns[i], __ATOMIC_RELAXED) + more;
        while (__atomic_load_n(&turns[i], __ATOMIC_RELAXED) < goal) {
            ftl_thread_sleep(after(MS));
        }
    }
}

/*
 * With two busy threads for each hart none is idle from when all have work on, and all threads get
 * on: by preemption alone, since they make no calls.
 */
static void test_two_for_each(unsigned harts)
{
    unsigned count = 2 * harts;
    start(count);
    ftl_nsec_t idle;
    do {
        idle = idle_times(harts);
        await_turns(count, 1);
    } while (idle_times(harts) != idle);
    uint64_t switches[HARTS_MAX];
    for (unsigned i = 0; i < harts; i++) {
        switches[i] = hart_info(i).switches;
    }
    await_turns(count, TURNS);
    CHECK_EQUAL(idle_times(harts), idle);
    for (unsigned i = 0; i < harts; i++) {
        while (hart_info(i).switches == switches[i]) {
            ftl_thread_sleep(after(MS));
        }
    }
    CHECK_EQUAL(idle_times(harts), idle);
    end(count);
}

void test_spread(void)
{
    system_handle = ftl_environ_find(ftl_environ(), "system");
    unsigned harts = count_harts();
    CHECK(harts > 0 && harts <= HARTS_MAX);
    test_one_for_each(harts);
    test_two_for_each(harts);
}
