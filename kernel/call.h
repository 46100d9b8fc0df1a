/*
 * Kernel calls: what the generated dispatch (calls.gen.c, from calls.def) and the calls themselves
 * share. A call named X is implemented by sys_X(); it gets objects with a reference that the
 * decoder holds for the length of the call.
 */
#ifndef KERNEL_CALL_H
#define KERNEL_CALL_H

#include <ftl/status.h>

#include "kernel/types.h"

struct object;

/* Returned in a0 and a1. */
struct call_result {
    int64_t status; /* FTL_OK, FTL_ERR_..., or one of those below */
    uint64_t value; /* on success */
};

/*
 * Status inside the kernel only, together with sched_request(): the thread does not return to its
 * process now. It stops, as thread_wait_commit() said (in calls marked slow alone); or it returns
 * FTL_OK after those that wait for its hart and are not less urgent.
 */
#define CALL_STOPPED  1
#define CALL_GAVE_WAY 2

typedef struct call_result (*call_fn)(unsigned long a0, unsigned long a1, unsigned long a2,
                                      unsigned long a3, unsigned long a4, unsigned long a5);

extern const call_fn call_table[]; /* CALL_COUNT of them (call_count.gen.h, for entry.S) */

/*
 * Leaf calls have a second number, below 0, that leads to them on a shorter way: on the process's
 * own stack, of which they use nothing, and with few registers (kernel/leaf.c). LEAF_CALL_COUNT.
 */
typedef struct call_result (*leaf_call_fn)(void);
extern const leaf_call_fn leaf_calls[];
extern const char *const call_names[];

/*
 * Gives the current process a handle; its value is the result. Takes over the reference to the
 * object, also on failure (LIMIT, NO_MEMORY).
 */
struct call_result call_give_handle(struct object *object, ftl_rights_t rights);

static inline struct call_result call_status(ftl_status_t status)
{
    return (struct call_result){ .status = status };
}

static inline struct call_result call_value(uint64_t value)
{
    return (struct call_result){ .status = FTL_OK, .value = value };
}

static inline struct call_result call_stopped(void)
{
    return (struct call_result){ .status = CALL_STOPPED };
}

#endif
