/*
 * Signals from elsewhere: from the starter (<ftl/signals.h>), and of the timer. FTL interrupts no
 * thread, so a thread of the library's own waits for them, and calls the handlers; then it ends the
 * wait that the main thread may be in (signal.c). It is started when it is needed: with the first
 * handler for such a signal, the first that is blocked or ignored, the first timer or child.
 *
 * Takes the place of musl's sigaction() and pthread_sigmask(), so that only programs that use them
 * contain this.
 */
#include <errno.h>
#include <ftl/clock.h>
#include <ftl/environ.h>
#include <ftl/notification.h>
#include <ftl/signals.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

#include "posix.h"
#include "signals.h"

#define TIMER_CHANGED (UINT64_C(1) << 62) /* the starter never sets it */
#define NSEC_PER_SEC  1000000000
#define NSEC_PER_USEC 1000
#define WATCHER_STACK 65536 /* handlers run on it */

/* musl's, in the file that this one takes the place of. */
int __libc_sigaction(int signal, const struct sigaction *restrict action,
                     struct sigaction *restrict former);
int __sigaction(int signal, const struct sigaction *restrict action,
                struct sigaction *restrict former);
void __get_handler_set(sigset_t *set);
volatile int
    __eintr_valid_flag; /* semaphores end their waits for signals: they would not be woken */

/* `lock` guards all; the watcher itself is started once. */
static struct {
    pthread_mutex_t lock;
    ftl_handle_t signals; /* of the environment, or our own: FTL_HANDLE_INVALID before the start */
    ftl_nsec_t deadline;  /* of ITIMER_REAL, 0: none */
    ftl_nsec_t interval;
    bool is_for_children; /* what comes; atomic */
} watcher;

/* ---- The timer ---- */

static ftl_nsec_t now(void)
{
    ftl_nsec_t time = 0;
    ftl_clock_get(&time);
    return time;
}

/* Whether the timer has expired. Then it is set to its next time. */
static bool take_expiry(void)
{
    pthread_mutex_lock(&watcher.lock);
    ftl_nsec_t time = now();
    bool has_expired = watcher.deadline != 0 && watcher.deadline <= time;
    if (has_expired) {
        watcher.deadline = watcher.interval != 0 ? time + watcher.interval : 0;
    }
    pthread_mutex_unlock(&watcher.lock);
    return has_expired;
}

static ftl_nsec_t next_expiry(void)
{
    pthread_mutex_lock(&watcher.lock);
    ftl_nsec_t deadline = watcher.deadline != 0 ? watcher.deadline : FTL_TIME_INFINITE;
    pthread_mutex_unlock(&watcher.lock);
    return deadline;
}

static struct timeval to_timeval(ftl_nsec_t interval)
{
    return (struct timeval){ .tv_sec = interval / NSEC_PER_SEC,
                             .tv_usec = interval % NSEC_PER_SEC / NSEC_PER_USEC };
}

/* False: it is not an interval. */
static bool from_timeval(const struct timeval *time, ftl_nsec_t *interval)
{
    if (time->tv_sec < 0 || time->tv_usec < 0 || time->tv_usec >= NSEC_PER_SEC / NSEC_PER_USEC ||
        __builtin_mul_overflow(time->tv_sec, NSEC_PER_SEC, interval)) {
        return false;
    }
    return !__builtin_add_overflow(*interval, time->tv_usec * NSEC_PER_USEC, interval);
}

/* The lock is held. */
static void get_timer(struct itimerval *value)
{
    ftl_nsec_t time = now();
    ftl_nsec_t left = 0;
    if (watcher.deadline != 0) {
        left = watcher.deadline > time ? watcher.deadline - time : NSEC_PER_USEC;
    }
    value->it_value = to_timeval(left);
    value->it_interval = to_timeval(watcher.interval);
}

/* Another errno than 0: what the call fails with. */
static int check_timer(int which, const struct itimerval *value, ftl_nsec_t *first,
                       ftl_nsec_t *interval)
{
    if (which != ITIMER_REAL) {
        return which == ITIMER_VIRTUAL || which == ITIMER_PROF ? ENOSYS : EINVAL;
    }
    bool is_valid = value == NULL || (from_timeval(&value->it_value, first) &&
                                      from_timeval(&value->it_interval, interval));
    return is_valid ? 0 : EINVAL;
}

int getitimer(int which, struct itimerval *value)
{
    ftl_nsec_t unused;
    int error = check_timer(which, NULL, &unused, &unused);
    if (error != 0) {
        errno = error;
        return -1;
    }
    pthread_mutex_lock(&watcher.lock);
    get_timer(value);
    pthread_mutex_unlock(&watcher.lock);
    return 0;
}

int setitimer(int which, const struct itimerval *restrict value, struct itimerval *restrict former)
{
    ftl_nsec_t first = 0;
    ftl_nsec_t interval = 0;
    int error = check_timer(which, value, &first, &interval);
    if (error == 0 && !posix_watch_signals()) {
        error = ENOMEM;
    }
    if (error != 0) {
        errno = error;
        return -1;
    }
    pthread_mutex_lock(&watcher.lock);
    if (former != NULL) {
        get_timer(former);
    }
    if (value != NULL) {
        ftl_nsec_t time = now();
        watcher.interval = interval;
        if (first == 0 || __builtin_add_overflow(time, first, &watcher.deadline)) {
            watcher.deadline = 0;
        }
    }
    pthread_mutex_unlock(&watcher.lock);
    ftl_notification_signal(watcher.signals, TIMER_CHANGED);
    return 0;
}

/* ---- The watcher ---- */

void posix_signals_to_children(void)
{
    __atomic_store_n(&watcher.is_for_children, true, __ATOMIC_RELAXED);
}

/* Children are told that Ctrl-C was typed, as they are of the same job. */
static void take_signal(int signal)
{
    bool is_for_children = __atomic_load_n(&watcher.is_for_children, __ATOMIC_RELAXED);
    if ((signal == SIGINT || signal == SIGQUIT || is_for_children) && posix_children != NULL) {
        posix_children->tell_all(signal);
    }
    if (!is_for_children) {
        posix_signal_from_elsewhere(signal);
    }
}

static void *watch(void *argument)
{
    uint64_t bits;
    (void)argument;
    for (;;) {
        ftl_status_t status = ftl_notification_wait(
            watcher.signals, FTL_SIGNALS_BITS | TIMER_CHANGED, next_expiry(), &bits);
        if (status != FTL_OK) {
            bits = 0;
        }
        for (uint64_t left = bits & FTL_SIGNALS_BITS; left != 0; left &= left - 1) {
            take_signal(__builtin_ctzll(left) + 1);
        }
        if (take_expiry()) {
            posix_signal_from_elsewhere(SIGALRM);
        }
        if (status != FTL_OK && status != FTL_ERR_TIMED_OUT) {
            return NULL; /* it can never be told of a signal */
        }
    }
}

/* The notification that the starter gave, or one of our own. */
static ftl_handle_t find_signals(void)
{
    const struct ftl_environ *env = ftl_environ();
    ftl_handle_t handle = FTL_HANDLE_INVALID;
    for (size_t i = 0; i < env->handle_count && handle == FTL_HANDLE_INVALID; i++) {
        const char *name = env->handles[i].name;
        if (strncmp(name, FTL_SIGNALS_PREFIX, strlen(FTL_SIGNALS_PREFIX)) == 0) {
            handle = ftl_environ_find(env, name);
        }
    }
    if (handle == FTL_HANDLE_INVALID) {
        ftl_notification_create(&handle);
    }
    return handle;
}

/* Starts the thread; the lock is held. */
static bool start(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    watcher.signals = find_signals();
    if (watcher.signals == FTL_HANDLE_INVALID || !posix_begin_interrupting()) {
        return false;
    }
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, WATCHER_STACK);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, watch, NULL) != 0) {
        return false;
    }
    return ftl_notification_signal(watcher.signals, FTL_SIGNALS_WATCHED) == FTL_OK;
}

bool posix_watch_signals(void)
{
    static bool is_started;
    pthread_mutex_lock(&watcher.lock);
    if (!is_started) {
        is_started = start();
    }
    bool started = is_started;
    pthread_mutex_unlock(&watcher.lock);
    return started;
}

/* ---- What takes the place of musl's functions ---- */

/* Signals that come from elsewhere only when somebody wants to end the program. */
static bool is_of_own_making(int signal)
{
    switch (signal) {
    case SIGABRT:
    case SIGBUS:
    case SIGCHLD:
    case SIGFPE:
    case SIGILL:
    case SIGPIPE:
    case SIGSEGV:
    case SIGSYS:
    case SIGTRAP: return true;
    default: return signal > FTL_SIGNALS_MAX;
    }
}

int __libc_sigaction(int signal, const struct sigaction *restrict action,
                     struct sigaction *restrict former)
{
    struct k_sigaction new = { 0 };
    struct k_sigaction old = { 0 };
    if (action != NULL) {
        new.handler = action->sa_handler;
        new.flags = (unsigned long)action->sa_flags;
        memcpy(new.mask, &action->sa_mask, sizeof(new.mask));
    }
    long result = sys_sigaction(signal, action != NULL ? &new : NULL, &old);
    if (result != 0) {
        errno = (int)-result;
        return -1;
    }
    if (former != NULL) {
        memset(&former->sa_mask, 0, sizeof(former->sa_mask));
        former->sa_handler = old.handler;
        former->sa_flags = (int)old.flags;
        memcpy(&former->sa_mask, old.mask, sizeof(old.mask));
    }
    if (action != NULL && new.handler != SIG_DFL && !is_of_own_making(signal) &&
        !posix_watch_signals()) {
        sys_sigaction(signal, &old, NULL);
        errno = EAGAIN;
        return -1;
    }
    return 0;
}

int __sigaction(int signal, const struct sigaction *restrict action,
                struct sigaction *restrict former)
{
    return __libc_sigaction(signal, action, former);
}

int sigaction(int signal, const struct sigaction *restrict action,
              struct sigaction *restrict former)
{
    return __libc_sigaction(signal, action, former);
}

/* For musl's posix_spawn(), whose place ours takes. */
void __get_handler_set(sigset_t *set)
{
    sigemptyset(set);
}

int pthread_sigmask(int how, const sigset_t *restrict set, sigset_t *restrict former)
{
    uint64_t old;
    long result = sys_sigprocmask(how, (const uint64_t *)(const void *)set, &old);
    if (result != 0) {
        return (int)-result;
    }
    if (former != NULL) {
        memset(former, 0, sizeof(*former));
        memcpy(former, &old, sizeof(old));
    }
    for (int signal = 1; set != NULL && how != SIG_UNBLOCK && signal <= FTL_SIGNALS_MAX; signal++) {
        if (sigismember(set, signal) && !is_of_own_making(signal)) {
            return posix_watch_signals() ? 0 : EAGAIN;
        }
    }
    return 0;
}
