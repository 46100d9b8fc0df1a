/*
 * Checks of programs that test the system from inside: each failure is a line on the console, and
 * counted.
 */
#ifndef TESTING_CHECK_H
#define TESTING_CHECK_H

#include <ftl/status.h>
#include <ftl/types.h>

#define MS ((ftl_nsec_t)1000000)

/* Notes a failure unless the values are equal. */
#define CHECK_EQUAL(value, expected)                                                               \
    check_equal(__FILE__, __LINE__, #value, (int64_t)(value), (int64_t)(expected))
#define CHECK(condition) CHECK_EQUAL((condition) != 0, 1)
#define CHECK_OK(call)   CHECK_EQUAL(call, FTL_OK)

void check_equal(const char *file, int line, const char *what, int64_t value, int64_t expected);

/* How many checks failed so far, of how many. */
unsigned long check_failures(void);
unsigned long check_count(void);

/* A part of a test program, which runs all or those named by its arguments. */
struct check_part {
    const char *name;
    void (*run)(void);
};

/* Runs the parts, a line for each; returns main()'s result. */
int check_run(const struct check_part *parts, size_t count, int argc, char **argv);

/* The time this many ns from now. */
ftl_nsec_t after(ftl_nsec_t delay);

/* A copy of the handle without these rights. */
ftl_handle_t without(ftl_handle_t handle, ftl_rights_t rights);

#endif
