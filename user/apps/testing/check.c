/* Checks of test programs: see check.h. */
#include <ftl/clock.h>
#include <ftl/handle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/apps/testing/check.h"

static unsigned long failures;
static unsigned long checks;

void check_equal(const char *file, int line, const char *what, int64_t value, int64_t expected)
{
    __atomic_fetch_add(&checks, 1, __ATOMIC_RELAXED);
    if (value != expected) {
        __atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
        printf("%s:%d: %s is %lld, not %lld\n", file, line, what, (long long)value,
               (long long)expected);
    }
}

unsigned long check_failures(void)
{
    return failures;
}

unsigned long check_count(void)
{
    return checks;
}

ftl_nsec_t after(ftl_nsec_t delay)
{
    ftl_nsec_t now = 0;
    CHECK_OK(ftl_clock_get(&now));
    return now + delay;
}

ftl_handle_t without(ftl_handle_t handle, ftl_rights_t rights)
{
    ftl_handle_t copy = FTL_HANDLE_INVALID;
    CHECK_OK(ftl_handle_duplicate(handle, FTL_RIGHTS_ALL & ~rights, &copy));
    return copy;
}

static bool is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return true;
        }
    }
    return argc <= 1;
}

int check_run(const struct check_part *parts, size_t count, int argc, char **argv)
{
    for (size_t i = 0; i < count; i++) {
        if (is_wanted(parts[i].name, argc, argv)) {
            parts[i].run();
            printf("%s: done\n", parts[i].name);
        }
    }
    printf("%lu failures\n", check_failures());
    return check_failures() == 0 && check_count() != 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
