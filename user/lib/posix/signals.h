/* What the parts of the signals' implementation offer one another. */
#ifndef POSIX_SIGNALS_H
#define POSIX_SIGNALS_H

#include <stdbool.h>

/* The calling thread is the main thread. */
void posix_signals_begin(void);

/* Does what the process does about this signal, in the calling thread. True: a handler has run, and
 * calls that wait are to end for it. */
bool posix_signal_deliver(int signal);

#endif
