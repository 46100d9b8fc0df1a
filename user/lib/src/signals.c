/* Signals to programs: see <ftl/signals.h>. */
#include <ftl/notification.h>
#include <ftl/process.h>
#include <ftl/signals.h>
#include <signal.h>
#include <stdio.h>

#include <inttypes.h>

#define EXIT_SIGNAL_BASE 128

void ftl_signals_name(char name[FTL_NAME_MAX], uint64_t pid)
{
    snprintf(name, FTL_NAME_MAX, FTL_SIGNALS_PREFIX "%" PRIu64, pid);
}

static bool does_nothing(int number)
{
    return number == SIGCHLD || number == SIGCONT || number == SIGURG || number == SIGWINCH;
}

ftl_status_t ftl_signals_send(ftl_handle_t process, ftl_handle_t signals, int number)
{
    uint64_t word = 0;
    if (number < 1 || number > FTL_SIGNALS_MAX) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    uint64_t bit = UINT64_C(1) << (number - 1);
    if (signals != FTL_HANDLE_INVALID) {
        ftl_status_t status = ftl_notification_clear(signals, 0, &word); /* only looks */
        if (status != FTL_OK) {
            return status;
        }
    }
    if (number != SIGKILL && (word & FTL_SIGNALS_WATCHED) != 0 && (word & bit) == 0) {
        return ftl_notification_signal(signals, bit);
    }
    return does_nothing(number) ? FTL_OK : ftl_process_kill(process, EXIT_SIGNAL_BASE + number);
}
