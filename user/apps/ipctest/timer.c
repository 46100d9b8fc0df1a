/* Timer objects: once, periodic, cancelled. */
#include <ftl/handle.h>
#include <ftl/notification.h>
#include <ftl/object.h>
#include <ftl/timer.h>

#include "ipctest.h"

#define FAR (INT64_C(3600000) * MS) /* later than any test ends, however slow the machine */

static void wait_readable(ftl_handle_t timer)
{
    struct ftl_wait_item item = { .handle = timer, .interest = FTL_SIGNAL_READABLE };
    size_t ready = 0;
    CHECK_OK(ftl_object_wait(&item, 1, FTL_TIME_INFINITE, &ready));
}

static uint64_t expired(ftl_handle_t timer)
{
    uint64_t count = UINT64_MAX;
    CHECK_OK(ftl_timer_read(timer, &count));
    return count;
}

static void test_once(ftl_handle_t timer)
{
    CHECK_OK(ftl_timer_set(timer, after(FAR), 0));
    CHECK_EQUAL(expired(timer), 0);
    ftl_nsec_t deadline = after(5 * MS);
    CHECK_OK(ftl_timer_set(timer, deadline, 0));
    wait_readable(timer);
    CHECK(after(0) >= deadline);
    CHECK_EQUAL(expired(timer), 1);
    CHECK_EQUAL(expired(timer), 0);
    CHECK_OK(ftl_timer_set(timer, 0, 0)); /* long past: at once */
    wait_readable(timer);
    CHECK_EQUAL(expired(timer), 1);
}

static void test_periodic(ftl_handle_t timer)
{
    ftl_nsec_t start = after(2 * MS);
    CHECK_OK(ftl_timer_set(timer, start, 2 * MS));
    uint64_t count = 0;
    while (count < 5) {
        wait_readable(timer);
        count += expired(timer);
    }
    CHECK(after(0) >= start + 8 * MS);
    CHECK_OK(ftl_timer_cancel(timer));
    CHECK_EQUAL(expired(timer), 0);
    struct ftl_wait_item item = { .handle = timer, .interest = FTL_SIGNAL_READABLE };
    size_t ready;
    CHECK_EQUAL(ftl_object_wait(&item, 1, after(6 * MS), &ready), FTL_ERR_TIMED_OUT);
}

static void test_errors(ftl_handle_t timer)
{
    uint64_t count;
    ftl_handle_t mute = without(timer, FTL_RIGHT_WRITE);
    ftl_handle_t deaf = without(timer, FTL_RIGHT_READ);
    ftl_handle_t other = FTL_HANDLE_INVALID;
    CHECK_OK(ftl_notification_create(&other));
    CHECK_EQUAL(ftl_timer_set(mute, 1, 0), FTL_ERR_MISSING_RIGHT);
    CHECK_EQUAL(ftl_timer_cancel(mute), FTL_ERR_MISSING_RIGHT);
    CHECK_EQUAL(ftl_timer_read(deaf, &count), FTL_ERR_MISSING_RIGHT);
    CHECK_EQUAL(ftl_timer_set(other, 1, 0), FTL_ERR_WRONG_TYPE);
    CHECK_EQUAL(ftl_timer_set(timer, 1, FTL_TIMER_PERIOD_MIN - 1), FTL_ERR_INVALID_ARGUMENT);
    CHECK_EQUAL(ftl_timer_set(timer, 1, -1), FTL_ERR_INVALID_ARGUMENT);
    CHECK_EQUAL(ftl_timer_set(timer, -1, 0), FTL_ERR_INVALID_ARGUMENT);
    CHECK_OK(ftl_handle_close(mute));
    CHECK_OK(ftl_handle_close(deaf));
    CHECK_OK(ftl_handle_close(other));
}

void test_timer(void)
{
    ftl_handle_t timer = FTL_HANDLE_INVALID;
    CHECK_OK(ftl_timer_create(&timer));
    test_errors(timer);
    test_once(timer);
    test_periodic(timer);
    CHECK_OK(ftl_timer_set(timer, after(MS), MS));
    CHECK_OK(ftl_handle_close(timer)); /* while set */
}
