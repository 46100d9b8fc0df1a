/*
 * Servers on a main loop: a protocol, its table of handlers, any number of clients. What a server
 * knows of a client is in struct ftl_client, which is what handlers get as their context. Malformed
 * messages never reach a handler; a client that sends one-way messages which are malformed, or
 * larger than any of the protocol, loses its connection.
 */
#ifndef FTL_SERVER_H
#define FTL_SERVER_H

#include <ftl/ipc.h>
#include <ftl/mainloop.h>
#include <ftl/spawn.h>

struct ftl_client {
    struct ftl_client *next;  /* of the server's clients, in no order; only to be read */
    struct ftl_client **link; /* what points to it: the list's head, or the `next` before it */
    struct ftl_server *server;
    struct ftl_source source;  /* source.handle is the client's channel */
    uint64_t transaction;      /* of the call that is being handled: for answering it later */
    _Alignas(16) char state[]; /* server->state_size bytes, zero at first */
};

/* The upper members are set by the server's author, those below by ftl_server_open(). */
struct ftl_server {
    const struct ftl_protocol *protocol;
    const void *handlers; /* struct NAME_handlers; their context is the struct ftl_client */
    size_t state_size;
    size_t clients_max;      /* 0: as many as memory allows */
    struct ftl_server *also; /* another protocol that the same service provides; NULL: none */
    /* For services: takes the channel of a client that has come, to serve it in another way, on a
     * thread for one, within the limits that its app's manifest names; NULL: the server does. */
    ftl_status_t (*adopt)(struct ftl_server *server, ftl_handle_t channel, const char *limits);
    void (*opened)(struct ftl_client *client); /* a client has come; may be NULL */
    void (*closed)(struct ftl_client *client); /* a client has gone; may be NULL */

    struct ftl_mainloop *loop;
    struct ftl_client *clients;
    size_t client_count;
    struct ftl_message in; /* where messages are received, and replies encoded */
    struct ftl_message out;
};

/* Makes the server work on the loop, without clients. NO_MEMORY for its two buffers. */
ftl_status_t ftl_server_open(struct ftl_server *server, struct ftl_mainloop *loop);

/* Drops all clients and frees the buffers. `closed` must not drop others meanwhile. */
void ftl_server_close(struct ftl_server *server);

/*
 * Serves one more client through this end of a channel (rights READ, WRITE, WAIT). Takes the
 * handle, also on an error, when it is closed: LIMIT (clients_max), NO_MEMORY, those of poll_add.
 * `client` may be NULL.
 */
ftl_status_t ftl_server_add(struct ftl_server *server, ftl_handle_t channel,
                            struct ftl_client **client);

/* Closes the client's channel and forgets it; not from within one of its own handlers. */
void ftl_server_drop(struct ftl_client *client);

/*
 * The main function of a service that init has started: serves the clients that come through the
 * handle `service` of the environment, each by the server for its protocol (`server` or one of
 * those in `also`), until that is closed or stopped. NOT_FOUND: there is no such handle.
 */
ftl_status_t ftl_service_run(struct ftl_server *server);

/*
 * The same for a service with a main loop of its own: opens the servers on it, and `init`, a server
 * by which clients come, which stays where it is. The loop is stopped when there will be no more of
 * them.
 */
ftl_status_t ftl_service_open(struct ftl_server *init, struct ftl_server *server,
                              struct ftl_mainloop *loop);

/* Closes what open has opened. */
void ftl_service_close(struct ftl_server *init, struct ftl_server *server);

/*
 * For clients: connects to the service that provides the protocol, by way of the handle `names` of
 * the environment. The channel is the caller's. Errors: NOT_SUPPORTED without that handle, and
 * those of the name service (protocol `names`).
 */
ftl_status_t ftl_service_connect(const struct ftl_protocol *protocol, ftl_handle_t *channel);

/* The same for a service that runs already, and for those who start apps alone. BAD_STATE: it does
 * not run. */
ftl_status_t ftl_service_connect_running(const struct ftl_protocol *protocol,
                                         ftl_handle_t *channel);

/* The same for the device number `index`, from 0, of those whose drivers provide the protocol. */
ftl_status_t ftl_service_connect_device(const struct ftl_protocol *protocol, size_t index,
                                        ftl_handle_t *channel);

/*
 * For those who start apps: a connection to the name service for the app, to be granted as `names`;
 * FTL_HANDLE_INVALID when its manifest asks for none. `starter` is the caller's own connection.
 */
ftl_status_t ftl_service_names_for(ftl_handle_t starter, const struct ftl_app *app,
                                   ftl_handle_t *names);

#endif
