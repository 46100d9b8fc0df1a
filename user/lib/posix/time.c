/*
 * Clocks. CLOCK_REALTIME is the monotonic clock plus what a driver has told the kernel. On a
 * machine without a clock it counts from 1970 at boot: differences are right and dates are not.
 */
#include "posix.h"

#include <errno.h>
#include <ftl/clock.h>
#include <ftl/handle.h>
#include <ftl/process.h>

#define NSEC_PER_SEC 1000000000

static struct timespec to_timespec(ftl_nsec_t time)
{
    return (struct timespec){ .tv_sec = time / NSEC_PER_SEC, .tv_nsec = time % NSEC_PER_SEC };
}

/* False when it is not a time at all; what lies beyond the end of FTL's time is its end. */
static bool from_timespec(const struct timespec *time, ftl_nsec_t *nsec)
{
    if (time->tv_sec < 0 || time->tv_nsec < 0 || time->tv_nsec >= NSEC_PER_SEC) {
        return false;
    }
    if (__builtin_mul_overflow(time->tv_sec, NSEC_PER_SEC, nsec) ||
        __builtin_add_overflow(*nsec, time->tv_nsec, nsec)) {
        *nsec = FTL_TIME_INFINITE;
    }
    return true;
}

static ftl_nsec_t now_plus(ftl_nsec_t interval)
{
    ftl_nsec_t deadline;
    if (ftl_clock_get(&deadline) != FTL_OK ||
        __builtin_add_overflow(deadline, interval, &deadline)) {
        return FTL_TIME_INFINITE;
    }
    return deadline;
}

/* The monotonic time of a time since 1970; 0, which has passed, when that was before boot. */
static ftl_nsec_t to_monotonic(ftl_nsec_t time)
{
    ftl_nsec_t offset = 0;
    ftl_clock_offset(&offset);
    if (time == FTL_TIME_INFINITE) {
        return time;
    }
    return time > offset ? time - offset : 0;
}

/* The deadline `timeout` from now; none when it is NULL; -1 when it is not a valid interval. */
ftl_nsec_t posix_deadline(const struct timespec *timeout)
{
    ftl_nsec_t interval;
    if (timeout == NULL) {
        return FTL_TIME_INFINITE;
    }
    return from_timespec(timeout, &interval) ? now_plus(interval) : -1;
}

static ftl_status_t cpu_time(ftl_nsec_t *time)
{
    struct ftl_process_info info;
    ftl_handle_t self;
    ftl_status_t status = ftl_process_self(&self);
    if (status != FTL_OK) {
        return status;
    }
    status = ftl_process_info(self, &info);
    ftl_handle_close(self);
    *time = info.cpu_time;
    return status;
}

static ftl_status_t real_time(ftl_nsec_t *time)
{
    ftl_nsec_t offset = 0;
    ftl_clock_offset(&offset);
    ftl_status_t status = ftl_clock_get(time);
    if (__builtin_add_overflow(*time, offset, time)) {
        *time = FTL_TIME_INFINITE;
    }
    return status;
}

long sys_clock_gettime(clockid_t clock, struct timespec *now)
{
    ftl_nsec_t time = 0;
    ftl_status_t status;

    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE: status = real_time(&time); break;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME: status = ftl_clock_get(&time); break;
    case CLOCK_PROCESS_CPUTIME_ID: status = cpu_time(&time); break;
    default: return -EINVAL;
    }
    if (status == FTL_OK) {
        *now = to_timespec(time);
    }
    return posix_error(status);
}

long sys_clock_getres(clockid_t clock, struct timespec *resolution)
{
    struct timespec now;
    long error = sys_clock_gettime(clock, &now);
    if (error == 0 && resolution != NULL) {
        *resolution = (struct timespec){ .tv_nsec = 1 };
    }
    return error;
}

long sys_clock_nanosleep(clockid_t clock, int flags, const struct timespec *request,
                         struct timespec *left)
{
    ftl_nsec_t time;
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME) {
        return -EINVAL;
    }
    if (!from_timespec(request, &time)) {
        return -EINVAL;
    }
    if ((flags & TIMER_ABSTIME) == 0) {
        time = now_plus(time);
    } else if (clock == CLOCK_REALTIME) {
        time = to_monotonic(time);
    }
    long error = posix_sleep_until(time);
    if (error == -EINTR && left != NULL && (flags & TIMER_ABSTIME) == 0) {
        ftl_nsec_t now = now_plus(0);
        *left = to_timespec(time > now ? time - now : 0);
    }
    return error;
}
