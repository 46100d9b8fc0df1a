/*
 * Signals. A process cannot be interrupted at any place, so a handler is called where there is one:
 * for a signal that a thread sends, in that thread, before the call returns or, if the thread
 * blocks it, when it no longer does. Those that come from elsewhere are for signal_watch.c.
 *
 * A thread has its own mask, and its own pending signals (pthread_kill, raise); those of the
 * process (kill, and from elsewhere) pend for all threads. The main thread's mask tells whether a
 * signal from elsewhere is blocked.
 */
#include <errno.h>
#include <ftl/futex.h>
#include <ftl/handle.h>
#include <ftl/notification.h>
#include <ftl/object.h>
#include <ftl/process.h>
#include <ftl/thread.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "posix.h"
#include "signals.h"

#define SIGNALS (_NSIG - 1)
#define CANCEL_SIGNAL                                                                              \
    33 /* musl's SIGCANCEL: see musl/overlay/src/thread/riscv64/pthread_cancel.c */
#define SYNCCALL_SIGNAL  34 /* musl's SIGSYNCCALL */
#define EXIT_SIGNAL_BASE 128

/* `lock` guards the actions. All is 0 at the start: SIG_DFL, PTHREAD_MUTEX_INITIALIZER. */
static struct {
    pthread_mutex_t lock;
    struct k_sigaction actions[SIGNALS];
    uint64_t pending;          /* of the process; atomic */
    const uint64_t *main_mask; /* of the main thread; atomic */
    uint32_t handled;          /* counts the handlers that have run: a futex */
    uint32_t arrived;          /* counts what has come to be pending: a futex */
    ftl_handle_t interruption; /* a notification that is set when a handler has run elsewhere */
} signals;

static _Thread_local struct {
    uint64_t mask;
    uint64_t pending;
    bool is_main;
} own;

static uint64_t bit_of(int signal)
{
    return UINT64_C(1) << (signal - 1);
}

#define UNBLOCKABLE (bit_of(SIGKILL) | bit_of(SIGSTOP))

static void set_mask(uint64_t mask)
{
    __atomic_store_n(&own.mask, mask & ~UNBLOCKABLE, __ATOMIC_SEQ_CST); /* others look at it */
}

static bool is_ignored_by_default(int signal)
{
    return signal == SIGCHLD || signal == SIGCONT || signal == SIGURG || signal == SIGWINCH;
}

/* Takes the action for a signal that is being delivered. */
static struct k_sigaction take_action(int signal)
{
    pthread_mutex_lock(&signals.lock);
    struct k_sigaction *action = &signals.actions[signal - 1];
    struct k_sigaction taken = *action;
    if ((taken.flags & SA_RESETHAND) != 0 && taken.handler != SIG_IGN) {
        action->handler = SIG_DFL;
    }
    pthread_mutex_unlock(&signals.lock);
    return taken;
}

static void count(uint32_t *counter)
{
    uint32_t woken;
    __atomic_add_fetch(counter, 1, __ATOMIC_RELEASE);
    ftl_futex_wake((uintptr_t)counter, UINT32_MAX, &woken);
}

static void call_handler(int signal, const struct k_sigaction *action)
{
    uint64_t former = own.mask;
    siginfo_t info = { .si_signo = signal, .si_code = SI_USER };
    uint64_t mask = former | (uint64_t)action->mask[1] << 32 | action->mask[0];
    if ((action->flags & SA_NODEFER) == 0) {
        mask |= bit_of(signal);
    }
    set_mask(mask);
    if ((action->flags & SA_SIGINFO) != 0) {
        ((void (*)(int, siginfo_t *, void *))(void *)action->handler)(signal, &info, NULL);
    } else {
        action->handler(signal);
    }
    set_mask(former);
}

/* Does what the process does about this signal, in the calling thread; `interrupts`: when that is a
 * handler, it ends the main thread's wait. */
static void deliver(int signal, bool interrupts)
{
    struct k_sigaction action = take_action(signal);
    if (action.handler == SIG_IGN || (action.handler == SIG_DFL && is_ignored_by_default(signal))) {
        return;
    }
    if (action.handler == SIG_DFL) {
        ftl_process_exit(EXIT_SIGNAL_BASE + signal);
    }
    call_handler(signal, &action);
    if (interrupts && (action.flags & SA_RESTART) == 0) {
        ftl_notification_signal(signals.interruption, 1);
    }
    count(&signals.handled); /* sigsuspend() takes the interruption back, so it comes first */
}

/* The next signal that is pending and not blocked here, taken; 0: none. */
static int take_pending(uint64_t blocked)
{
    uint64_t ready = own.pending & ~blocked;
    if (ready != 0) {
        own.pending &= ~(ready & -ready);
        return __builtin_ctzll(ready) + 1;
    }
    uint64_t pending = __atomic_load_n(&signals.pending, __ATOMIC_RELAXED);
    while ((ready = pending & ~blocked) != 0) {
        if (__atomic_compare_exchange_n(&signals.pending, &pending, pending & ~(ready & -ready),
                                        false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            return __builtin_ctzll(ready) + 1;
        }
    }
    return 0;
}

static void deliver_pending(void)
{
    int signal;
    while ((signal = take_pending(own.mask)) != 0) {
        deliver(signal, false);
    }
}

/* Takes the signal back from those that are pending of the process. */
static bool take_back(int signal)
{
    uint64_t bit = bit_of(signal);
    return (__atomic_fetch_and(&signals.pending, ~bit, __ATOMIC_SEQ_CST) & bit) != 0;
}

static bool is_blocked_in_main(int signal)
{
    const uint64_t *mask = __atomic_load_n(&signals.main_mask, __ATOMIC_RELAXED);
    return (__atomic_load_n(mask, __ATOMIC_SEQ_CST) & bit_of(signal)) != 0;
}

/* It becomes pending before the mask is looked at: the main thread changes the mask, and looks for
 * what is pending then. */
void posix_signal_from_elsewhere(int signal)
{
    __atomic_fetch_or(&signals.pending, bit_of(signal), __ATOMIC_SEQ_CST);
    if (is_blocked_in_main(signal) || !take_back(signal)) {
        count(&signals.arrived);
        return;
    }
    deliver(signal, true);
}

/* ---- System calls ---- */

void posix_signals_begin(void)
{
    own.is_main = true;
    __atomic_store_n(&signals.main_mask, &own.mask, __ATOMIC_RELAXED);
}

long sys_sigaction(int signal, const struct k_sigaction *action, struct k_sigaction *former)
{
    if (signal < 1 || signal > SIGNALS || (action != NULL && (bit_of(signal) & UNBLOCKABLE) != 0)) {
        return -EINVAL;
    }
    pthread_mutex_lock(&signals.lock);
    struct k_sigaction *place = &signals.actions[signal - 1];
    struct k_sigaction old = *place;
    if (action != NULL) {
        *place = *action;
    }
    pthread_mutex_unlock(&signals.lock);
    if (former != NULL) {
        *former = old;
    }
    return 0;
}

long sys_sigprocmask(int how, const uint64_t *set, uint64_t *former)
{
    uint64_t old = own.mask;
    uint64_t mask = old;
    if (set != NULL) {
        switch (how) {
        case SIG_BLOCK: mask |= *set; break;
        case SIG_UNBLOCK: mask &= ~*set; break;
        case SIG_SETMASK: mask = *set; break;
        default: return -EINVAL;
        }
    }
    if (former != NULL) {
        *former = old;
    }
    set_mask(mask);
    deliver_pending();
    return 0;
}

long sys_sigpending(uint64_t *set)
{
    *set = (own.pending | __atomic_load_n(&signals.pending, __ATOMIC_RELAXED)) & own.mask;
    return 0;
}

/* Makes a signal pending, and delivers it if this thread does not block it. */
/* NOLINTNEXTLINE(readability-non-const-parameter): an atomic operation changes it */
static long send_to(uint64_t *pending, int signal)
{
    if (signal < 0 || signal > SIGNALS) {
        return -EINVAL;
    }
    switch (signal) {
    case 0: return 0;
    case CANCEL_SIGNAL:
    case SYNCCALL_SIGNAL: return -ENOSYS; /* they would have to interrupt another thread */
    default: break;
    }
    __atomic_fetch_or(pending, bit_of(signal), __ATOMIC_SEQ_CST);
    deliver_pending();
    return 0;
}

long sys_signal_self(int signal)
{
    return send_to(&own.pending, signal);
}

long sys_signal_process(int signal)
{
    long result = send_to(&signals.pending, signal);
    count(&signals.arrived);
    return result;
}

/* ---- Waiting for signals ---- */

static void wait_for_count(uint32_t *counter, uint32_t seen, ftl_nsec_t deadline)
{
    ftl_futex_wait((uintptr_t)counter, seen, deadline);
}

long posix_exchange_mask(const uint64_t *mask, uint64_t *former)
{
    uint32_t seen = __atomic_load_n(&signals.handled, __ATOMIC_ACQUIRE);
    sys_sigprocmask(SIG_SETMASK, mask, former);
    return __atomic_load_n(&signals.handled, __ATOMIC_ACQUIRE) != seen ? -EINTR : 0;
}

long sys_sigsuspend(const uint64_t *mask)
{
    uint64_t former;
    uint32_t seen = __atomic_load_n(&signals.handled, __ATOMIC_ACQUIRE);
    sys_sigprocmask(SIG_SETMASK, mask, &former);
    while (__atomic_load_n(&signals.handled, __ATOMIC_ACQUIRE) == seen) {
        wait_for_count(&signals.handled, seen, FTL_TIME_INFINITE);
    }
    sys_sigprocmask(SIG_SETMASK, &former, NULL);
    posix_take_interruption();
    return -EINTR;
}

long sys_pause(void)
{
    return sys_sigsuspend(&own.mask);
}

long sys_sigtimedwait(const uint64_t *set, siginfo_t *info, const struct timespec *timeout)
{
    ftl_nsec_t deadline = posix_deadline(timeout);
    if (deadline < 0) {
        return -EINVAL;
    }
    for (;;) {
        uint32_t seen = __atomic_load_n(&signals.arrived, __ATOMIC_ACQUIRE);
        int signal = take_pending(~*set);
        if (signal != 0) {
            if (info != NULL) {
                *info = (siginfo_t){ .si_signo = signal, .si_code = SI_USER };
            }
            return signal;
        }
        if (ftl_futex_wait((uintptr_t)&signals.arrived, seen, deadline) == FTL_ERR_TIMED_OUT) {
            return -EAGAIN;
        }
    }
}

/* ---- Waits that end for a handler ---- */

bool posix_begin_interrupting(void)
{
    return ftl_notification_create(&signals.interruption) == FTL_OK;
}

ftl_handle_t posix_interruption_of_main(void)
{
    return __atomic_load_n(&signals.interruption, __ATOMIC_RELAXED);
}

ftl_handle_t posix_interruption(void)
{
    return own.is_main ? posix_interruption_of_main() : FTL_HANDLE_INVALID;
}

bool posix_take_interruption(void)
{
    uint64_t former = 0;
    ftl_handle_t interruption = posix_interruption();
    return interruption != FTL_HANDLE_INVALID &&
           ftl_notification_clear(interruption, UINT64_MAX, &former) == FTL_OK && former != 0;
}

/* Waits for both that are handles. */
static ftl_status_t wait_for_either(struct ftl_wait_item items[2], ftl_nsec_t deadline)
{
    size_t ready;
    if (items[0].handle == FTL_HANDLE_INVALID) {
        return ftl_object_wait(items + 1, 1, deadline, &ready);
    }
    return ftl_object_wait(items, items[1].handle != FTL_HANDLE_INVALID ? 2 : 1, deadline, &ready);
}

long posix_wait_for(ftl_handle_t object, uint32_t wanted, ftl_nsec_t deadline)
{
    struct ftl_wait_item items[2] = {
        { .handle = object, .interest = wanted },
        { .handle = posix_interruption(), .interest = FTL_SIGNAL_READABLE },
    };
    ftl_status_t status = wait_for_either(items, deadline);
    if (status == FTL_ERR_TIMED_OUT) {
        return -EAGAIN;
    }
    if (status != FTL_OK) {
        return posix_error(status);
    }
    return (items[0].signals & wanted) == 0 && posix_take_interruption() ? -EINTR : 0;
}

long posix_sleep_until(ftl_nsec_t deadline)
{
    if (posix_interruption() == FTL_HANDLE_INVALID) {
        return posix_error(ftl_thread_sleep(deadline));
    }
    long result = posix_wait_for(FTL_HANDLE_INVALID, 0, deadline);
    return result == -EAGAIN ? 0 : result;
}
