/*
 * What the two protocols of the server ask for: file_service.c does what `file` says, in the
 * session of a client, mount_service.c what `mount` says. All that is in this directory, but for
 * connections.c, runs under one lock: one call at a time.
 */
#ifndef FILES_SERVICE_H
#define FILES_SERVICE_H

#include "session.h"

/* Their context is the struct session. */
extern const struct file_handlers file_handlers;

/* Its context is a client of the main loop, of whom nothing is known. */
extern const struct mount_handlers mount_handlers;

/* connections.c: serves the session through a new channel, to whose other end `client` is a handle.
 * LIMIT, NO_MEMORY, errors of channel_create: the session is still the caller's. */
ftl_status_t connections_add(struct session *session, ftl_handle_t *client);

#endif
