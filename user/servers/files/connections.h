/*
 * Who is served: connections to clients of the protocol `file`, with a thread each, which waits in
 * the client's channel, so that short calls need not go through the scheduler. A client's thread
 * does what it asks for while it has the one lock of the server.
 */
#ifndef FILES_CONNECTIONS_H
#define FILES_CONNECTIONS_H

#include <ftl/server.h>

/* `changed`, signalled with 1 when something is to be written back, stays the caller's. */
void connections_open(ftl_handle_t changed);

/*
 * Serves a client that has come, in a session of its own. `limits` is the directory that is its
 * root, and `ro` if it may only read there; empty: it sees the whole tree. Takes the channel.
 */
ftl_status_t connections_accept(struct ftl_server *server, ftl_handle_t channel,
                                const char *limits);

/* For all others: what is done between these two is done by one thread at a time. */
void connections_lock(void);
void connections_unlock(void);

#endif
