/*
 * Checks the language, the C library and the POSIX layer under it from inside a process. One line
 * per check.
 */
#include "selftest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void report_failure(const char *condition, const char *file, int line)
{
    printf("  %s:%d: not so: %s\n", file, line, condition);
}

static unsigned int run_checks(const struct check *checks)
{
    unsigned int failed = 0;
    for (; checks->name != NULL; checks++) {
        bool passed = checks->passes();
        printf("%s %s\n", passed ? "ok    " : "FAILED", checks->name);
        failed += !passed;
    }
    return failed;
}

int main(void)
{
    unsigned int failed = run_checks(language_checks) + run_checks(memory_checks) +
                          run_checks(number_checks) + run_checks(process_checks) +
                          run_checks(thread_checks);
    printf("selftest: %u failed\n", failed);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
