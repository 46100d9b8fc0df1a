/*
 * Main loops: one thread that waits for many objects and handles what happens to each. An object is
 * a source: a handle, the signals of interest, a handler, and the handler's own state. Sources are
 * level-triggered: a handler is called again and again while a signal is set, so it may take one
 * message at a time. Nothing here allocates: sources belong to the caller.
 */
#ifndef FTL_MAINLOOP_H
#define FTL_MAINLOOP_H

#include <ftl/status.h>
#include <ftl/types.h>

#define FTL_MAINLOOP_BATCH 16 /* events taken from the kernel at once */

struct ftl_source;

/* Called with the signals of interest that are set. May add and remove sources, this one too. */
typedef void (*ftl_source_handler_t)(struct ftl_source *source, uint32_t signals);

/* One object that is watched; all is set by ftl_mainloop_add(). */
struct ftl_source {
    ftl_handle_t handle; /* stays the caller's */
    ftl_source_handler_t handler;
    void *context; /* the handler's, e.g. the client that the source is for */
    struct ftl_mainloop *loop;
    uint64_t entry; /* of the kernel's poll */
};

/* Members are the loop's own. */
struct ftl_mainloop {
    ftl_handle_t poll;
    bool stopped;
    size_t next; /* events[next] to events[count - 1] are still to be handled */
    size_t count;
    struct ftl_poll_event events[FTL_MAINLOOP_BATCH];
};

/* Sets up a loop without sources. Errors: those of poll_create. */
ftl_status_t ftl_mainloop_init(struct ftl_mainloop *loop);

/* Frees what init made. The loop does not run, and its sources are watched no more. */
void ftl_mainloop_destroy(struct ftl_mainloop *loop);

/*
 * Watches `handle` (needs WAIT) for the FTL_SIGNAL_ bits in `interest`. The source stays where it
 * is until it is removed. Errors: those of poll_add; the source is then not in use.
 */
ftl_status_t ftl_mainloop_add(struct ftl_mainloop *loop, struct ftl_source *source,
                              ftl_handle_t handle, uint32_t interest, ftl_source_handler_t handler,
                              void *context);

/* Changes the interest; 0 silences the source. */
ftl_status_t ftl_mainloop_modify(struct ftl_source *source, uint32_t interest);

/* Stops watching: the handler will not be called any more, not even for what has happened already.
 * The caller may free the source, and close the handle before or after. */
void ftl_mainloop_remove(struct ftl_source *source);

/* Handles what happens until ftl_mainloop_stop() or an error of poll_wait. */
ftl_status_t ftl_mainloop_run(struct ftl_mainloop *loop);

/* Handles what has happened, waiting for it until the deadline: TIMED_OUT, with a deadline of 0
 * WOULD_BLOCK, when nothing has. */
ftl_status_t ftl_mainloop_step(struct ftl_mainloop *loop, ftl_nsec_t deadline);

/* Has run return FTL_OK once the current handler has. What else has happened is not lost: a later
 * run handles it. */
void ftl_mainloop_stop(struct ftl_mainloop *loop);

#endif
