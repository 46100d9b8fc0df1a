/* Information, names, priorities and affinity of threads. */
#include <ftl/futex.h>
#include <ftl/handle.h>
#include <ftl/process.h>
#include <ftl/thread.h>
#include <string.h>

#include "threadtest.h"

#define LOW (FTL_PRIORITY_DEFAULT - 4)

static _Alignas(16) char stacks[2][RAW_STACK_SIZE];
static uint32_t go;      /* futex word */
static uint64_t counted; /* by count() */

/* Counts once `go` is set, until it is killed. */
static _Noreturn void count(uint64_t argument)
{
    while (__atomic_load_n(&go, __ATOMIC_ACQUIRE) == 0) {
        ftl_futex_wait((uintptr_t)&go, 0, FTL_TIME_INFINITE);
    }
    for (;;) {
        __atomic_fetch_add(&counted, argument, __ATOMIC_RELAXED);
    }
}

static void set_go(void)
{
    uint32_t woken;
    __atomic_store_n(&go, 1, __ATOMIC_RELEASE);
    CHECK_OK(ftl_futex_wake((uintptr_t)&go, UINT32_MAX, &woken));
}

static void await_count(uint64_t more)
{
    uint64_t goal = __atomic_load_n(&counted, __ATOMIC_RELAXED) + more;
    while (__atomic_load_n(&counted, __ATOMIC_RELAXED) < goal) {
        ftl_thread_yield();
    }
}

static void end(ftl_handle_t thread)
{
    CHECK_OK(ftl_thread_kill(thread));
    join(thread);
}

static void test_info(ftl_handle_t self)
{
    struct ftl_thread_info info = thread_info(self);
    CHECK(info.tid != 0);
    CHECK_EQUAL(info.state, FTL_THREAD_RUNNING);
    CHECK_EQUAL(info.priority, FTL_PRIORITY_DEFAULT);
    CHECK_EQUAL(info.effective_priority, FTL_PRIORITY_DEFAULT);
    CHECK((info.affinity >> info.hart & 1) != 0);
    CHECK_EQUAL(info.name[0], 0);
    ftl_nsec_t before = info.cpu_time;
    while (thread_info(self).cpu_time == before) {
    }
    CHECK(thread_info(self).cpu_time > before);
}

static void test_name(ftl_handle_t self)
{
    char longest[FTL_THREAD_NAME_MAX] = "123456789012345";
    CHECK_OK(ftl_thread_set_name(self, longest, sizeof(longest) - 1));
    CHECK_EQUAL(strcmp(thread_info(self).name, longest), 0);
    CHECK_OK(ftl_thread_set_name(self, "main", 4));
    CHECK_EQUAL(strcmp(thread_info(self).name, "main"), 0);
    CHECK_EQUAL(ftl_thread_set_name(self, "x", 0), FTL_ERR_INVALID_ARGUMENT);
    CHECK_EQUAL(ftl_thread_set_name(self, longest, sizeof(longest)), FTL_ERR_INVALID_ARGUMENT);
    CHECK_EQUAL(ftl_thread_set_name(self, "a\n", 2), FTL_ERR_INVALID_ARGUMENT);
    CHECK_EQUAL(strcmp(thread_info(self).name, "main"), 0);
}

static void test_errors(ftl_handle_t self)
{
    struct ftl_thread_info info;
    ftl_handle_t plain = without(self, FTL_RIGHT_MANAGE);
    ftl_handle_t blind = without(self, FTL_RIGHT_READ);
    CHECK_EQUAL(ftl_thread_info(blind, &info), FTL_ERR_MISSING_RIGHT);
    CHECK_EQUAL(ftl_thread_set_name(plain, "x", 1), FTL_ERR_MISSING_RIGHT);
    CHECK_EQUAL(ftl_thread_set_priority(plain, 0), FTL_ERR_MISSING_RIGHT);
    CHECK_EQUAL(ftl_thread_set_affinity(plain, 1), FTL_ERR_MISSING_RIGHT);
    CHECK_EQUAL(ftl_thread_kill(plain), FTL_ERR_MISSING_RIGHT);
    CHECK_EQUAL(ftl_thread_set_priority(self, FTL_PRIORITY_MAX + 1), FTL_ERR_INVALID_ARGUMENT);
    CHECK_EQUAL(ftl_thread_set_priority(self, FTL_PRIORITY_DEFAULT + 1), FTL_ERR_LIMIT);
    CHECK_EQUAL(ftl_thread_set_affinity(self, 0), FTL_ERR_INVALID_ARGUMENT);
    CHECK_EQUAL(ftl_thread_set_affinity(self, UINT64_C(1) << 63), FTL_ERR_INVALID_ARGUMENT);
    CHECK_OK(ftl_handle_close(plain));
    CHECK_OK(ftl_handle_close(blind));
}

/* A process that gave up its right to a priority cannot get it back. */
static void test_maximum(ftl_handle_t self)
{
    ftl_handle_t process = FTL_HANDLE_INVALID;
    CHECK_OK(ftl_process_self(&process));
    CHECK_EQUAL(ftl_process_set_priority_max(process, FTL_PRIORITY_MAX + 1),
                FTL_ERR_INVALID_ARGUMENT);
    CHECK_EQUAL(ftl_process_set_priority_max(process, FTL_PRIORITY_DEFAULT + 1), FTL_ERR_LIMIT);
    CHECK_OK(ftl_process_set_priority_max(process, FTL_PRIORITY_DEFAULT));
    CHECK_EQUAL(thread_info(self).priority, FTL_PRIORITY_DEFAULT);
    CHECK_OK(ftl_handle_close(process));
}

static void test_enumeration(ftl_handle_t self)
{
    ftl_handle_t process = FTL_HANDLE_INVALID;
    ftl_handle_t seen = FTL_HANDLE_INVALID;
    uint64_t tid = thread_info(self).tid;
    ftl_handle_t other = raw_start(count, 1, stacks[0]);
    uint64_t other_tid = thread_info(other).tid;
    CHECK(other_tid > tid);
    CHECK_OK(ftl_process_self(&process));
    CHECK_OK(ftl_process_next_thread(process, 0, &seen));
    CHECK_EQUAL(thread_info(seen).tid, tid);
    CHECK_OK(ftl_handle_close(seen));
    CHECK_OK(ftl_process_next_thread(process, tid, &seen));
    CHECK_EQUAL(thread_info(seen).tid, other_tid);
    CHECK_OK(ftl_thread_set_name(seen, "x", 1)); /* MANAGE, as the process handle has */
    CHECK_OK(ftl_handle_close(seen));
    ftl_handle_t weak = without(process, FTL_RIGHT_MANAGE);
    CHECK_OK(ftl_process_next_thread(weak, tid, &seen));
    CHECK_EQUAL(ftl_thread_kill(seen), FTL_ERR_MISSING_RIGHT);
    CHECK_EQUAL(ftl_process_next_thread(process, other_tid, &weak), FTL_ERR_NOT_FOUND);
    end(other);
    CHECK_EQUAL(thread_info(seen).state, FTL_THREAD_EXITED);
    CHECK_EQUAL(ftl_process_next_thread(process, tid, &weak), FTL_ERR_NOT_FOUND);
    CHECK_OK(ftl_handle_close(seen));
    CHECK_OK(ftl_handle_close(weak));
    CHECK_OK(ftl_handle_close(process));
}

/* On one hart with a thread of higher priority, one of lower priority has no turn. */
static void test_priorities(ftl_handle_t self)
{
    go = 0;
    uint64_t affinity = thread_info(self).affinity;
    CHECK_OK(ftl_thread_set_affinity(self, 1));
    ftl_handle_t low = raw_start(count, 1, stacks[0]);
    CHECK_OK(ftl_thread_set_affinity(low, 1));
    CHECK_OK(ftl_thread_set_priority(low, LOW));
    CHECK_EQUAL(thread_info(low).priority, LOW);
    set_go();
    counted = 0;
    ftl_nsec_t until = after(50 * MS);
    while (after(0) < until) {
        ftl_thread_yield();
    }
    CHECK_EQUAL(counted, 0);
    CHECK_OK(ftl_thread_set_priority(low, FTL_PRIORITY_DEFAULT));
    await_count(100);
    CHECK_OK(ftl_thread_set_priority(low, LOW)); /* it waits: it goes to the end */
    counted = 0;
    ftl_thread_yield();
    CHECK_EQUAL(counted, 0);
    CHECK_OK(ftl_thread_set_priority(self, LOW)); /* which lets the other have its turns */
    await_count(100);
    CHECK_OK(ftl_thread_set_priority(self, FTL_PRIORITY_DEFAULT));
    end(low);
    CHECK_OK(ftl_thread_set_affinity(self, affinity));
}

/* A thread goes from hart to hart as its affinity says, while it computes. */
static void test_affinity(ftl_handle_t self)
{
    uint64_t online = thread_info(self).affinity;
    ftl_handle_t thread = raw_start(count, 1, stacks[0]);
    set_go();
    for (uint32_t hart = 0; (online >> hart & 1) != 0; hart++) {
        CHECK_OK(ftl_thread_set_affinity(thread, UINT64_C(1) << hart));
        CHECK_EQUAL(thread_info(thread).affinity, UINT64_C(1) << hart);
        while (thread_info(thread).hart != hart) {
            ftl_thread_yield();
        }
        await_count(100);
        CHECK_EQUAL(thread_info(thread).hart, hart);
        CHECK_OK(ftl_thread_set_affinity(self, UINT64_C(1) << hart));
        ftl_thread_yield();
        CHECK_EQUAL(thread_info(self).hart, hart);
    }
    CHECK_OK(ftl_thread_set_affinity(self, UINT64_MAX));
    CHECK_EQUAL(thread_info(self).affinity, online);
    end(thread);
}

void test_calls(void)
{
    ftl_handle_t self = FTL_HANDLE_INVALID;
    CHECK_OK(ftl_thread_self(&self));
    test_info(self);
    test_errors(self);
    test_name(self);
    test_maximum(self);
    test_enumeration(self);
    test_priorities(self);
    test_affinity(self);
    CHECK_OK(ftl_handle_close(self));
}
