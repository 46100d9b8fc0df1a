/*
 * Starting an app as ftl_spawn() does, with what POSIX has children inherit besides: the caller's
 * descriptors that are not closed on exec, its current directory, and signals (<ftl/signals.h>).
 */
#ifndef FTL_INHERIT_SPAWN_H
#define FTL_INHERIT_SPAWN_H

#include <ftl/spawn.h>

/*
 * `signals`: a notification for ftl_signals_send(), the caller's. Otherwise as ftl_spawn(); what is
 * inherited counts as handles offered, too.
 */
ftl_status_t ftl_spawn_inheriting(struct ftl_bootimage *image, const struct ftl_app *app,
                                  const struct ftl_spawn_options *options, ftl_handle_t *process,
                                  ftl_handle_t *signals, const char **step);

#endif
