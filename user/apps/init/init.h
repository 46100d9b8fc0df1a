/*
 * The first process: init.c starts and looks at what is there, services.c runs services, names.c
 * passes clients on to them, devices.c gives drivers what is theirs. One thread, one main loop.
 */
#ifndef INIT_H
#define INIT_H

#include <ftl/mainloop.h>
#include <ftl/server.h>
#include <ftl/spawn.h>

/* Whether a service runs. Changed by services.c alone. */
enum service_state {
    SERVICE_NOT_STARTED, /* the first client will have it started */
    SERVICE_RUNNING,
    SERVICE_WAITING, /* for the next start, which its timer brings */
    SERVICE_ENDED,   /* for good */
};

struct service {
    char app[FTL_NAME_MAX];
    char protocols[FTL_APP_TEXT_MAX]; /* apart by blanks; empty: no clients (the shell) */
    struct init *init;
    struct device *device; /* of a driver; else NULL */
    bool at_boot;          /* started without a client */
    enum service_state state;
    ftl_handle_t clients; /* where we send clients, or ... */
    ftl_handle_t listen;  /* ... where it gets them; ours until it is started */
    struct ftl_source process;
    uint64_t pid;
    ftl_nsec_t started;
    ftl_restart_t restart; /* as its manifest says, from the first start on */
    uint32_t restart_limit;
    uint32_t restarts;   /* in a row */
    uint32_t early_ends; /* of these, the last ones: it had hardly begun, or not at all */
    struct ftl_source timer;
};

struct init {
    struct ftl_mainloop loop;
    struct ftl_bootimage image;
    ftl_handle_t console;
    ftl_handle_t system;
    const char *const *bootargs;
    size_t bootarg_count;
    struct service *services; /* the shell is the first */
    size_t service_count;
    bool devices_found;
    struct device *devices; /* by address */
    size_t device_count;
    const void *tree; /* the device tree */
    struct ftl_server names;
};

/* ---- services.c ---- */

/* A service that was not started yet. */
void service_init(struct service *service, struct init *init, const char *app,
                  const char *protocols);

/* Starts it for the first time. If that fails, it is tried again as the manifest says. */
void service_start(struct service *service);

/*
 * Passes on a client that wants one of its protocols, starting the service if it never was, with
 * the limits of the client's app. Takes the handle. Errors: BAD_STATE (the service has ended),
 * WOULD_BLOCK (too many clients wait to be let in), those of channel_create.
 */
ftl_status_t service_connect(struct service *service, const char *protocol, const char *limits,
                             ftl_handle_t client);

/* ---- names.c ---- */

ftl_status_t names_open(struct init *init);

/* Makes a connection to the name service for the app, with what its manifest allows: `client` is
 * the app's end. */
ftl_status_t names_connection(struct init *init, const struct ftl_app *app, ftl_handle_t *client);

#endif
