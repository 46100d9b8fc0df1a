/* What the parts of the signals' implementation offer one another. */
#ifndef POSIX_SIGNALS_H
#define POSIX_SIGNALS_H

#include <stdbool.h>

#include <ftl/types.h>

/* signal.c: the calling thread is the main thread. */
void posix_signals_begin(void);

/* A signal from outside of the process, or of a timer: delivered in the calling thread, unless the
 * main thread blocks it. */
void posix_signal_from_elsewhere(int signal);

/* From now on handlers that run in other threads end the main thread's waits. False: no memory. */
bool posix_begin_interrupting(void);

/* What posix_interruption() is for the main thread. */
ftl_handle_t posix_interruption_of_main(void);

/* signal_watch.c: has the library wait for signals from elsewhere. False: it cannot. */
bool posix_watch_signals(void);

/* From now on signals from elsewhere are for the children alone. */
void posix_signals_to_children(void);

#endif
