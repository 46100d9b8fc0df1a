/*
 * Signals from a starter to a program, by a notification that is in the program's environment with
 * the name `signals/PID`, PID being the starter's. Both have all of it:
 *
 *   bit n - 1                 signal number n was sent (n up to FTL_SIGNALS_MAX)
 *   FTL_SIGNALS_WATCHED       the program looks at the bits, since it has installed a handler, or
 *                             ignores a signal; else signals do by default what they do
 *
 * A program that does not know of signals never sets FTL_SIGNALS_WATCHED, and is ended.
 */
#ifndef FTL_SIGNALS_H
#define FTL_SIGNALS_H

#include <ftl/status.h>
#include <ftl/types.h>

#define FTL_SIGNALS_PREFIX  "signals/"
#define FTL_SIGNALS_MAX     31
#define FTL_SIGNALS_BITS    ((UINT64_C(1) << FTL_SIGNALS_MAX) - 1)
#define FTL_SIGNALS_WATCHED (UINT64_C(1) << 63)

/* The name in the environment of a program that process `pid` starts. */
void ftl_signals_name(char name[FTL_NAME_MAX], uint64_t pid);

/*
 * Sends the program signal `number`, 1 to FTL_SIGNALS_MAX: tells it if it watches, else ends it
 * with status 128 + number, unless the signal does nothing by default. Number 9 (SIGKILL) always
 * ends it, and so does one that the program was told of before and has not looked at yet: it hangs.
 * Needs MANAGE for the process; `signals` may be FTL_HANDLE_INVALID.
 */
ftl_status_t ftl_signals_send(ftl_handle_t process, ftl_handle_t signals, int number);

#endif
