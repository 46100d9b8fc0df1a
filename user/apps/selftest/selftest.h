/* The checks of selftest: each file has a table of them, selftest.c runs all. */
#ifndef SELFTEST_H
#define SELFTEST_H

#include <stdbool.h>

struct check {
    const char *name; /* what is the case when it passes */
    bool (*passes)(void);
};

/* Each ends with an entry without a name. */
extern const struct check language_checks[];
extern const struct check memory_checks[];
extern const struct check number_checks[];
extern const struct check process_checks[];
extern const struct check thread_checks[];

/* For a check: fails it, saying where. */
#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            report_failure(#condition, __FILE__, __LINE__);                                        \
            return false;                                                                          \
        }                                                                                          \
    } while (0)

void report_failure(const char *condition, const char *file, int line);

#endif
