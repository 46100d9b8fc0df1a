/*
 * The fast path of calls between processes: a short request goes to a server that waits for one, a
 * short reply to its caller, and the hart goes straight from one thread to the other. The
 * conditions are checked first; if one does not hold, nothing has happened and the slow path, the
 * words calls of channel.c, does the same with all that there is to it.
 *
 * Called by entry.S with the caller's registers stored in its context, but for the message
 * registers: those stay where they are, all the way to the other thread. So fastpath.c, and the
 * little that it calls, are compiled with these registers reserved (kernel/CMakeLists.txt).
 */
#ifndef IPC_FASTPATH_H
#define IPC_FASTPATH_H

#include "kernel/call.h"

struct context;

struct fastpath_result {
    uintptr_t context; /* of the thread to go on with, which is current; 0: take the slow path */
    uint64_t tag;      /* what it gets in a1 */
};

/* Set in `context`: fastpath_finish() has to be called before it can go on. */
#define FASTPATH_UNFINISHED 1

typedef struct fastpath_result (*fastpath_fn)(uint64_t handle, uint64_t tag);

/* What is tried first, and what comes then; known to entry.S. In the order of calls.def. */
struct words_call {
    fastpath_fn fast;
    call_fn slow;
};
extern const struct words_call words_calls[];

struct fastpath_result fastpath_channel_call_words(uint64_t handle, uint64_t tag);
struct fastpath_result fastpath_channel_serve_words(uint64_t handle, uint64_t tag);

/*
 * What is rare in a change of threads: FP registers, a thread of another hart, a kill meanwhile.
 * Returns the context to go on with, which may be another one then.
 */
struct context *fastpath_finish(struct context *context);

#endif
