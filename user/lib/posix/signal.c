/*
 * Signals. A process cannot be interrupted at any place, so a handler is called where there is one:
 * for a signal that a thread sends, in that thread, before the call returns or, if the thread
 * blocks it, when it no longer does. Those that come from elsewhere are for signal_watch.c.
 *
 * A thread has its own mask, and its own pending signals (pthread_kill, raise); those of the
 * process (kill) pend for all threads.
 */
#include <errno.h>
#include <ftl/handle.h>
#include <ftl/notification.h>
#include <ftl/object.h>
#include <ftl/process.h>
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
    const uint64_t *main_mask; /* of the main thread */
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

static void call_handler(int signal, const struct k_sigaction *action)
{
    uint64_t former = own.mask;
    siginfo_t info = { .si_signo = signal, .si_code = SI_USER };
    own.mask |= (uint64_t)action->mask[1] << 32 | action->mask[0];
    if ((action->flags & SA_NODEFER) == 0) {
        own.mask |= bit_of(signal);
    }
    if ((action->flags & SA_SIGINFO) != 0) {
        ((void (*)(int, siginfo_t *, void *))(void *)action->handler)(signal, &info, NULL);
    } else {
        action->handler(signal);
    }
    own.mask = former;
}

bool posix_signal_deliver(int signal)
{
    struct k_sigaction action = take_action(signal);
    if (action.handler == SIG_IGN || (action.handler == SIG_DFL && is_ignored_by_default(signal))) {
        return false;
    }
    if (action.handler == SIG_DFL) {
        ftl_process_exit(EXIT_SIGNAL_BASE + signal);
    }
    call_handler(signal, &action);
    return (action.flags & SA_RESTART) == 0;
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
        posix_signal_deliver(signal);
    }
}

/* ---- System calls ---- */

void posix_signals_begin(void)
{
    own.is_main = true;
    signals.main_mask = &own.mask;
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
    own.mask = mask & ~UNBLOCKABLE;
    deliver_pending();
    return 0;
}

long sys_sigpending(uint64_t *set)
{
    *set = (own.pending | __atomic_load_n(&signals.pending, __ATOMIC_RELAXED)) & own.mask;
    return 0;
}

long sys_signal_self(int signal)
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
    own.pending |= bit_of(signal);
    deliver_pending();
    return 0;
}

/* ---- Waiting ---- */

bool posix_is_interruptible(void)
{
    return false;
}

long posix_wait_for(ftl_handle_t object, uint32_t signals_wanted, ftl_nsec_t deadline)
{
    struct ftl_wait_item item = { .handle = object, .interest = signals_wanted };
    size_t ready;
    ftl_status_t status = ftl_object_wait(&item, 1, deadline, &ready);
    return status == FTL_ERR_TIMED_OUT ? -EAGAIN : posix_error(status);
}
