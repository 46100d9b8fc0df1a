/* Signals: those that a process sends itself, and those that come from elsewhere. */
#define _GNU_SOURCE /* ppoll() */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proctest.h"

static volatile sig_atomic_t caught;
static volatile sig_atomic_t last_caught;

static void count_signal(int signal)
{
    caught++;
    last_caught = signal;
}

static void catch_with(int signal, unsigned flags)
{
    struct sigaction action = { .sa_handler = count_signal, .sa_flags = (int)flags };
    sigemptyset(&action.sa_mask);
    CHECK_EQUAL(sigaction(signal, &action, NULL), 0);
    caught = 0;
}

static sigset_t set_of(int signal)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    return set;
}

static void *told_signal;

static void note_info(int signal, siginfo_t *info, void *context)
{
    (void)context;
    caught++;
    told_signal = info->si_signo == signal ? &told_signal : NULL;
}

static void test_handlers(void)
{
    struct sigaction action = { .sa_sigaction = note_info, .sa_flags = SA_SIGINFO };
    struct sigaction former;
    catch_with(SIGUSR1, 0);
    CHECK_EQUAL(raise(SIGUSR1), 0);
    CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
    CHECK_EQUAL(caught, 2);
    CHECK_EQUAL(sigaction(SIGUSR1, &action, &former), 0);
    CHECK(former.sa_handler == count_signal);
    CHECK_EQUAL(raise(SIGUSR1), 0);
    CHECK_EQUAL(caught, 3);
    CHECK(told_signal == &told_signal);
    catch_with(SIGUSR1, SA_RESETHAND);
    CHECK_EQUAL(raise(SIGUSR1), 0);
    CHECK_EQUAL(sigaction(SIGUSR1, NULL, &former), 0);
    CHECK(former.sa_handler == SIG_DFL);
    CHECK_ERRNO(sigaction(SIGKILL, &action, NULL), EINVAL);
    CHECK_ERRNO(sigaction(0, &action, NULL), EINVAL);
    CHECK(signal(SIGUSR1, SIG_IGN) == SIG_DFL);
    CHECK_EQUAL(raise(SIGUSR1), 0);
    CHECK(signal(SIGUSR1, SIG_DFL) == SIG_IGN);
}

static void test_masks(void)
{
    sigset_t set = set_of(SIGUSR2);
    sigset_t former;
    sigset_t pending;
    catch_with(SIGUSR2, 0);
    CHECK_EQUAL(sigprocmask(SIG_BLOCK, &set, &former), 0);
    CHECK_EQUAL(sigismember(&former, SIGUSR2), 0);
    CHECK_EQUAL(raise(SIGUSR2), 0);
    CHECK_EQUAL(raise(SIGUSR2), 0);
    CHECK_EQUAL(caught, 0);
    CHECK_EQUAL(sigpending(&pending), 0);
    CHECK_EQUAL(sigismember(&pending, SIGUSR2), 1);
    CHECK_EQUAL(sigprocmask(SIG_SETMASK, &former, NULL), 0);
    CHECK_EQUAL(caught, 1);

    int number = 0;
    CHECK_EQUAL(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    CHECK_EQUAL(kill(getpid(), SIGUSR2), 0);
    CHECK_EQUAL(sigwait(&set, &number), 0);
    CHECK_EQUAL(number, SIGUSR2);
    CHECK_EQUAL(caught, 1);
    struct timespec soon = { .tv_nsec = 1000000 };
    CHECK_ERRNO(sigtimedwait(&set, NULL, &soon), EAGAIN);

    CHECK_EQUAL(raise(SIGUSR2), 0);
    CHECK_ERRNO(sigsuspend(&former), EINTR);
    CHECK_EQUAL(caught, 2);
    CHECK_EQUAL(raise(SIGUSR2), 0);
    CHECK_ERRNO(ppoll(NULL, 0, NULL, &former), EINTR);
    CHECK_EQUAL(caught, 3);
    CHECK_EQUAL(sigprocmask(SIG_SETMASK, &former, NULL), 0);
    CHECK(signal(SIGUSR2, SIG_DFL) == count_signal);
}

/* The timer's signal ends each kind of wait. */
static void set_timer(ftl_nsec_t delay)
{
    struct itimerval value = { .it_value.tv_usec = delay / 1000 };
    CHECK_EQUAL(setitimer(ITIMER_REAL, &value, NULL), 0);
}

static void *write_when_caught(void *argument)
{
    const int *end = argument;
    while (caught == 0) {
        sched_yield();
    }
    CHECK_EQUAL(write(*end, "!", 1), 1);
    return NULL;
}

static void test_interrupted(void)
{
    int ends[2];
    pthread_t writer;
    char byte;
    struct timespec day = { .tv_sec = 86400 };
    struct timespec left = { 0 };
    CHECK_EQUAL(pipe(ends), 0);
    struct pollfd item = { .fd = ends[0], .events = POLLIN };
    catch_with(SIGALRM, 0);
    set_timer(10 * MS);
    CHECK_ERRNO(read(ends[0], &byte, 1), EINTR);
    set_timer(10 * MS);
    CHECK_ERRNO(poll(&item, 1, -1), EINTR);
    set_timer(10 * MS);
    CHECK_ERRNO(nanosleep(&day, &left), EINTR);
    CHECK(left.tv_sec > 80000 && left.tv_sec < 86400);
    set_timer(10 * MS);
    CHECK_ERRNO(pause(), EINTR);
    CHECK_EQUAL(caught, 4);
    CHECK_EQUAL(last_caught, SIGALRM);

    /* With SA_RESTART a read goes on. */
    catch_with(SIGALRM, SA_RESTART);
    CHECK_EQUAL(pthread_create(&writer, NULL, write_when_caught, &ends[1]), 0);
    set_timer(10 * MS);
    CHECK_EQUAL(read(ends[0], &byte, 1), 1);
    CHECK_EQUAL(caught, 1);
    CHECK_EQUAL(pthread_join(writer, NULL), 0);
    CHECK_EQUAL(alarm(1000), 0);
    unsigned rest = alarm(0);
    CHECK(rest >= 999 && rest <= 1000);
    CHECK(signal(SIGALRM, SIG_DFL) == count_signal);
    CHECK_EQUAL(close(ends[0]), 0);
    CHECK_EQUAL(close(ends[1]), 0);
}

/* A child in `role`, which has written a line to say that it is ready. */
static pid_t start_ready(const char *role, int *output)
{
    int ends[2];
    char byte = 0;
    posix_spawn_file_actions_t actions;
    CHECK_EQUAL(pipe(ends), 0);
    CHECK_EQUAL(posix_spawn_file_actions_init(&actions), 0);
    CHECK_EQUAL(posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO), 0);
    pid_t pid = start_child(&actions, role, NULL);
    CHECK_EQUAL(posix_spawn_file_actions_destroy(&actions), 0);
    CHECK_EQUAL(close(ends[1]), 0);
    CHECK_EQUAL(read(ends[0], &byte, 1), 1);
    CHECK_EQUAL(byte, '.');
    *output = ends[0];
    return pid;
}

/* A child that has a handler is not ended by the signal, and its wait is; one that ignores it goes
 * on; and nothing helps against SIGKILL. */
static void test_to_children(void)
{
    int output;
    char byte = 0;
    pid_t pid = start_ready("catch", &output);
    CHECK_EQUAL(kill(pid, SIGTERM), 0);
    int status = status_of(pid);
    CHECK(WIFEXITED(status));
    CHECK_EQUAL(WEXITSTATUS(status), 15);
    CHECK_EQUAL(close(output), 0);

    pid = start_ready("ignore", &output);
    CHECK_EQUAL(kill(pid, SIGINT), 0);
    CHECK_EQUAL(kill(pid, SIGUSR1), 0); /* it answers this one */
    CHECK_EQUAL(read(output, &byte, 1), 1);
    CHECK_EQUAL(byte, '!');
    CHECK_EQUAL(kill(pid, SIGKILL), 0);
    status = status_of(pid);
    CHECK(WIFSIGNALED(status));
    CHECK_EQUAL(WTERMSIG(status), SIGKILL);
    CHECK_EQUAL(close(output), 0);
}

static void test_abort(void)
{
    int status = status_of(start_child(NULL, "abort", NULL));
    CHECK(WIFSIGNALED(status));
    CHECK_EQUAL(WTERMSIG(status), SIGABRT);
}

void test_signals(void)
{
    test_handlers();
    test_masks();
    test_interrupted();
    test_to_children();
    test_abort();
}
