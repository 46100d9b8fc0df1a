/*
 * Programs that this one has started, until they have been waited for. Part of programs that start
 * others.
 */
#ifndef POSIX_CHILDREN_H
#define POSIX_CHILDREN_H

#include <stdint.h>

#include <ftl/status.h>
#include <ftl/types.h>

/*
 * Around the start of one, with its children_add(): one thread does that at a time, and signals to
 * all children wait for it, so that none is left out.
 */
void children_begin_start(void);
void children_end_start(void);

/* One that was started, with the notification that gives it signals. Takes both handles, also on an
 * error: then the process is ended. */
ftl_status_t children_add(ftl_handle_t process, ftl_handle_t signals, long *pid);

/* What wait() tells of a process that ended with this status: 128 + n stands for signal n. */
int posix_wait_status(int32_t exit_status);

#endif
