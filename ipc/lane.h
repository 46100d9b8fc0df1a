/*
 * Lanes: the fast path's part of a channel. One leads from each end to the other, for calls whose
 * messages lie in registers. It holds at most one thread that waits at the other end to serve, or
 * has been called and serves, and the caller that waits for its reply; all others wait in the
 * channel's lists. While a server waits in a lane its end's queue is empty. Whoever takes the slow
 * path first moves those in the lane to the lists (lane_clear()), so that it knows lists alone.
 *
 * A thread gets at a lane through a port, which remembers the handle that it used last for this:
 * as long as that is in its slot, nothing has to be looked up. A port keeps the channel's memory,
 * not its end open.
 */
#ifndef IPC_LANE_H
#define IPC_LANE_H

#include <ftl/types.h>
#include <ftl/words.h>

#include "kernel/spinlock.h"

/* From the tag of a call to that of the next one, both without the size. */
#define LANE_TAG_STEP ((uint64_t)1 << FTL_WORDS_TAG_SHIFT)

struct channel;
struct channel_pair;
struct handle_slot;
struct thread;

struct lane {
    struct spinlock lock;  /* LOCK_LANE; the fast path tries it and takes no other */
    uint64_t tag;          /* the last call's transaction, at its place in a tag */
    struct thread *server; /* waits for a call, or serves the caller's; NULL: none */
    struct thread *caller; /* waits for the reply; NULL: none */
    struct thread *lender; /* the same, once its priority has changed: it gets a slow reply */
};

enum words_port_kind { PORT_CALLS, PORT_SERVES, PORT_COUNT };

struct words_port {
    const struct handle_slot *slot; /* of the process's table: holds the handle while it is good */
    struct lane *lane;
    struct channel_pair *pair; /* a reference; NULL: the port is closed */
};

/* What the port of a new thread is like: no handle opens it. */
void words_ports_init(struct thread *thread);

/*
 * Opens a port of the current thread for this handle of its process, unless it is open for it
 * already or the handle does not allow it: false. What it was open for before is left first.
 */
bool words_port_open(enum words_port_kind kind, ftl_handle_t handle);

/* Closes the current thread's ports, and takes it out of their lanes: all, or those of a pair. */
void words_ports_close(struct thread *thread);
void words_ports_close_for(const struct channel_pair *pair);

/*
 * Those in the lane of calls from this end go on waiting in the lists of their ends, a caller
 * lending its server its priority. The pair's lock is held.
 */
void lane_clear(struct channel *channel);

/* The transaction of a call from this end, whose lane is clear. The pair's lock is held. */
uint64_t lane_next_transaction(struct channel *channel);

/*
 * Prepares the current thread, which is in a words call, to wait in the lane for calls to this end;
 * thread_wait_commit() has to follow. False: it has to wait in a list. The pair's lock is held.
 */
bool lane_wait(struct channel *channel);

/*
 * The thread's priority has changed: if it waits in a lane for a reply, it lends it to its server
 * from now on; what that changes is left to the caller. Any lock before LOCK_LANE may be held.
 */
void lane_lend(struct thread *thread);

/* The same for the caller of the current thread, whose request it has just got. */
void lane_lend_to_current(void);

#endif
