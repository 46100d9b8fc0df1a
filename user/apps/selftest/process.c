/* Start and state of the process, time, and what the POSIX layer says to what it does not have. */
#define _GNU_SOURCE
#include "selftest.h"

#include <errno.h>
#include <fcntl.h>
#include <ftl/clock.h>
#include <ftl/handle.h>
#include <ftl/process.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_MSEC 1000000L

static int constructed;
static _Thread_local int in_tls = 11;
static _Thread_local char zeroed_tls[100];
static const char *const relocated[] = { "zero", "one" };

__attribute__((constructor)) static void construct(void)
{
    constructed++;
}

static bool start_up_code_ran(void)
{
    EXPECT(constructed == 1);
    EXPECT(in_tls == 11 && zeroed_tls[99] == 0);
    EXPECT(strcmp(relocated[1], "one") == 0);
    EXPECT(strcmp(program_invocation_short_name, "selftest") == 0);
    return true;
}

static __attribute__((noinline)) void jump_deep(jmp_buf *target, int depth)
{
    if (depth == 0) {
        longjmp(*target, 5);
    }
    jump_deep(target, depth - 1);
}

static bool long_jumps_land(void)
{
    jmp_buf target;
    volatile double kept = 1.5;
    int value = setjmp(target);
    if (value == 0) {
        kept *= 2;
        jump_deep(&target, 20);
    }
    EXPECT(value == 5 && kept == 3);
    return true;
}

static bool clocks_go_on(void)
{
    struct timespec before;
    struct timespec after;
    struct timespec pause = { .tv_nsec = 20 * NSEC_PER_MSEC };

    EXPECT(clock_gettime(CLOCK_MONOTONIC, &before) == 0);
    EXPECT(nanosleep(&pause, NULL) == 0);
    EXPECT(clock_gettime(CLOCK_MONOTONIC, &after) == 0);
    long passed =
        (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / NSEC_PER_MSEC;
    EXPECT(passed >= 19 && passed < 20000);
    EXPECT(clock() >= 0);
    EXPECT(clock_gettime((clockid_t)99, &after) == -1 && errno == EINVAL);
    return true;
}

static bool sleeping_until_a_past_time_returns_at_once(void)
{
    struct timespec past = { .tv_sec = 0, .tv_nsec = 1 };
    struct timespec wrong = { .tv_sec = 0, .tv_nsec = -1 };
    EXPECT(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &past, NULL) == 0);
    EXPECT(clock_nanosleep(CLOCK_MONOTONIC, 0, &wrong, NULL) == EINVAL);
    return true;
}

static bool the_process_knows_itself(void)
{
    struct ftl_process_info info;
    struct utsname name;
    ftl_handle_t self;
    EXPECT(ftl_process_self(&self) == FTL_OK);
    EXPECT(ftl_process_info(self, &info) == FTL_OK);
    EXPECT(ftl_handle_close(self) == FTL_OK);
    EXPECT(ftl_handle_close(self) == FTL_ERR_HANDLE_CLOSED);
    EXPECT((uint64_t)getpid() == info.pid && strcmp(info.name, "selftest") == 0);
    EXPECT(uname(&name) == 0 && strcmp(name.sysname, "FTL") == 0);
    return true;
}

static bool the_console_is_a_terminal(void)
{
    EXPECT(isatty(0) && isatty(1) && isatty(2) && !isatty(3));
    EXPECT(write(1, "", 0) == 0);
    EXPECT(lseek(1, 0, SEEK_CUR) == -1 && errno == ESPIPE);
    EXPECT(write(3, "x", 1) == -1 && errno == EBADF);
    EXPECT(close(3) == -1 && errno == EBADF);
    return true;
}

static bool what_does_not_exist_says_so(void)
{
    EXPECT(open("/etc/passwd", O_RDONLY) == -1 && errno == EACCES);
    EXPECT(open("file", O_CREAT | O_RDWR, 0600) == -1 && errno == EACCES);
    EXPECT(fork() == -1 && errno == ENOSYS);
    EXPECT(getenv("NO_SUCH_VARIABLE") == NULL);
    return true;
}

static bool statuses_have_texts(void)
{
    EXPECT(strcmp(ftl_strerror(FTL_OK), "success") == 0);
    EXPECT(strcmp(ftl_strerror(FTL_ERR_HANDLE_STALE), "unknown status") != 0);
    EXPECT(strcmp(ftl_strerror(-1000), "unknown status") == 0);
    return true;
}

const struct check process_checks[] = {
    { "start-up code ran", start_up_code_ran },
    { "long jumps land", long_jumps_land },
    { "clocks go on", clocks_go_on },
    { "sleeping until a past time returns at once", sleeping_until_a_past_time_returns_at_once },
    { "the process knows itself", the_process_knows_itself },
    { "the console is a terminal", the_console_is_a_terminal },
    { "what does not exist says so", what_does_not_exist_says_so },
    { "statuses have texts", statuses_have_texts },
    { 0 },
};
