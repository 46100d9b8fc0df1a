/*
 * Exercises every call on IPC objects, errors included, and says what is not as documented. With
 * names of parts as arguments: these alone.
 */
#include "ipctest.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    void (*run)(void);
} parts[] = {
    { "notification", test_notification },
    { "timer", test_timer },
    { "poll", test_poll },
    { "channel", test_channel },
};

static bool is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return true;
        }
    }
    return argc <= 1;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (is_wanted(parts[i].name, argc, argv)) {
            parts[i].run();
            printf("%s: done\n", parts[i].name);
        }
    }
    printf("%lu failures\n", check_failures());
    return check_failures() == 0 && check_count() != 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
