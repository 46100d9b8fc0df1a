/*
 * Tracing of messages: while it is on, every message that is sent leaves a record in a ring. The
 * switch is one flag of each hart, which the fast path's one comparison of places covers: it costs
 * nothing while it is off, and while it is on all messages take the slow path, which has the hooks.
 */
#ifndef IPC_TRACE_H
#define IPC_TRACE_H

#include "arch/hart.h"
#include "ipc/channel.h"
#include "ipc/message.h"

/* The rest of trace_message(). */
void trace_note(ftl_trace_kind_t kind, struct channel *end, const struct message *message,
                uint64_t transaction);

/* The current thread sends the message from this end of a channel. */
static inline void trace_message(ftl_trace_kind_t kind, struct channel *end,
                                 const struct message *message, uint64_t transaction)
{
    if (unlikely(arch_hart_self()->tracing)) {
        trace_note(kind, end, message, transaction);
    }
}

#endif
