/* The statuses of processes as wait() tells them. Runs on the host too, for unit tests. */
#include "children.h"

#define EXIT_SIGNAL_BASE 128
#define SIGNAL_MAX       31
#define CODE_SHIFT       8
#define CODE_MASK        0xff

int posix_wait_status(int32_t exit_status)
{
    if (exit_status > EXIT_SIGNAL_BASE && exit_status <= EXIT_SIGNAL_BASE + SIGNAL_MAX) {
        return exit_status - EXIT_SIGNAL_BASE;
    }
    return (int)(((uint32_t)exit_status & CODE_MASK) << CODE_SHIFT);
}
