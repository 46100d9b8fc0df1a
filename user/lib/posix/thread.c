/*
 * Threads: what musl's pthreads ask of the kernel. These functions take the place of musl's
 * assembly (clone, __unmapself, __set_thread_area): see musl/excluded.txt.
 */
#include "posix.h"

#include <errno.h>
#include <ftl/futex.h>
#include <ftl/handle.h>
#include <ftl/thread.h>
#include <ftl/vmspace.h>
#include <sched.h>
#include <stdarg.h>

#include "signals.h"

/* Operations of futex: Linux's numbers, as in musl's src/internal/futex.h. */
#define FUTEX_WAIT    0
#define FUTEX_WAKE    1
#define FUTEX_REQUEUE 3
#define FUTEX_PRIVATE 128

#define MAIN_THREAD_ID 1

/* The word to clear and wake at the thread's end. musl joins threads by it. */
static _Thread_local int *clear_word;

int __clone(int (*function)(void *), void *stack, int flags, void *argument, ...);
int __set_thread_area(void *tls);
_Noreturn void __unmapself(void *base, size_t size);

/* What a new thread finds at the top of its stack. */
struct thread_start {
    int (*function)(void *);
    void *argument;
    int *clear_word;
};

static _Noreturn void thread_main(struct thread_start *start)
{
    clear_word = start->clear_word;
    start->function(start->argument);
    posix_thread_exit();
}

/* Starts a thread for pthread_create: the only use of clone that FTL has. */
int __clone(int (*function)(void *), void *stack, int flags, void *argument, ...)
{
    static int last_id = MAIN_THREAD_ID;
    struct thread_start *start = (struct thread_start *)stack - 1;
    start = (struct thread_start *)((uintptr_t)start & ~(uintptr_t)15);
    ftl_handle_t thread;
    va_list rest;

    if ((flags & CLONE_THREAD) == 0) {
        return -ENOSYS;
    }
    va_start(rest, argument);
    int *id = va_arg(rest, int *);
    void *tls = va_arg(rest, void *);
    int *clear = va_arg(rest, int *);
    va_end(rest);

    *start = (struct thread_start){ function, argument, clear };
    *id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
    ftl_status_t status = ftl_thread_create((uintptr_t)thread_main, (uint64_t)(uintptr_t)start,
                                            (uintptr_t)start, (uintptr_t)tls, &thread);
    if (status != FTL_OK) {
        return (int)posix_error(status);
    }
    ftl_handle_close(thread);
    return *id;
}

/* The kernel keeps no such word: it gets it when the thread ends. Returns the main thread's id, who
 * asks. */
long sys_set_tid_address(int *clear)
{
    clear_word = clear;
    posix_signals_begin();
    return MAIN_THREAD_ID;
}

_Noreturn void posix_thread_exit(void)
{
    ftl_thread_exit((uintptr_t)clear_word);
}

int __set_thread_area(void *tls)
{
    return (int)posix_error(ftl_thread_set_tls((uintptr_t)tls));
}

/*
 * A detached thread frees its own stack: it must stand on another one meanwhile. The exiting thread
 * holds musl's thread list lock until the kernel clears it, so one such stack serves all.
 */
static struct {
    void *base;
    size_t size;
    int *clear_word; /* the exiting thread's: its TLS goes with its stack */
    _Alignas(16) char stack[1024];
} unmapper;

static _Noreturn void unmap_and_exit(void)
{
    ftl_vmspace_unmap(posix_vmspace(), (uintptr_t)unmapper.base, unmapper.size);
    ftl_thread_exit((uintptr_t)unmapper.clear_word);
}

_Noreturn void __unmapself(void *base, size_t size)
{
    unmapper.base = base;
    unmapper.size = size;
    unmapper.clear_word = clear_word;
    posix_vmspace(); /* now, while there is room on the stack */
    __asm__ volatile("mv sp, %0\n\tjr %1"
                     :
                     : "r"(unmapper.stack + sizeof(unmapper.stack)), "r"(unmap_and_exit)
                     : "memory");
    __builtin_unreachable();
}

static long futex_wait(int *word, int value, const struct timespec *timeout)
{
    ftl_nsec_t deadline = posix_deadline(timeout);
    if (deadline < 0) {
        return -EINVAL;
    }
    return posix_error(ftl_futex_wait((uintptr_t)word, (uint32_t)value, deadline));
}

static long futex_wake(int *word, uint32_t count)
{
    uint32_t woken = 0;
    ftl_status_t status = ftl_futex_wake((uintptr_t)word, count, &woken);
    return status == FTL_OK ? (long)woken : posix_error(status);
}

/*
 * Requeueing is waking: who is woken for nothing tries for the second word's lock and sleeps again.
 * Priority inheritance does not exist.
 */
long sys_futex(int *word, int operation, int value, const struct timespec *timeout, uint32_t value2)
{
    switch (operation & ~FUTEX_PRIVATE) {
    case FUTEX_WAIT: return futex_wait(word, value, timeout);
    case FUTEX_WAKE: return futex_wake(word, (uint32_t)value);
    case FUTEX_REQUEUE: return futex_wake(word, (uint32_t)value + value2);
    default: return -ENOSYS;
    }
}
