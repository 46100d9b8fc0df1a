/*
 * The fast path of calls between processes: a short request goes to a server that waits for one, a
 * short reply to its caller, and the hart goes straight from one thread to the other. The
 * conditions are checked first; if one does not hold, nothing has happened and the slow path, the
 * words calls of channel.c, does the same with all that there is to it.
 *
 * The plain case is written in assembly, arch/riscv/words.S, in the same steps and with the same
 * orders of memory accesses as in fastpath.c, which has all cases, and is what tests run on the
 * simulated machine. Called with the caller's registers stored in its context, but for the message
 * registers: those stay where they are, all the way to the other thread. So fastpath.c, and the
 * little that it calls, are compiled with these registers reserved (kernel/CMakeLists.txt).
 */
#ifndef IPC_FASTPATH_H
#define IPC_FASTPATH_H

#include "kernel/call.h"

struct context;

struct fastpath_result {
    uintptr_t context; /* of the thread to go on with, which is current, and flags */
    uint64_t tag;      /* what it gets in a1 */
};

/* Flags in `context`; both: nothing was done, take the slow path. */
#define FASTPATH_UNFINISHED 1 /* fastpath_finish() has to be called before it can go on */
#define FASTPATH_SLOW       3
#define FASTPATH_FLAGS      3

typedef struct fastpath_result (*fastpath_fn)(uint64_t handle, uint64_t tag);

/* What is tried first, and what comes then; known to words.S. In the order of calls.def. */
struct words_call {
    fastpath_fn fast;
    call_fn slow;
};
extern const struct words_call words_calls[];

struct fastpath_result fastpath_channel_call_words(uint64_t handle, uint64_t tag);
struct fastpath_result fastpath_channel_serve_words(uint64_t handle, uint64_t tag);

/*
 * What is rare in a change of threads: FP registers, a thread of another hart, a kill or another
 * priority meanwhile. The new thread's result and message are in its context. Returns the context
 * to go on with, which may be another one then.
 */
struct context *fastpath_finish(struct context *context);

/*
 * The slow path of the words call of this index, with all that the current thread has in its
 * context. Opens the thread's port first, if that helps, and tries again. Returns what to go on
 * with.
 */
struct context *fastpath_go_slow(unsigned index, uint64_t handle, uint64_t tag, vaddr_t address);

#endif
