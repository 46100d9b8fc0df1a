/* What each type of object does at its end. */
#include "ipc/channel.h"
#include "ipc/interrupt.h"
#include "ipc/notification.h"
#include "ipc/poll.h"
#include "ipc/timer.h"
#include "kernel/assert.h"
#include "kernel/code.h"
#include "kernel/object.h"
#include "kernel/process.h"
#include "kernel/thread.h"
#include "mm/vmo.h"
#include "mm/vmspace.h"

static void never_destroyed(struct object *object)
{
    panic("the last reference to the one object of type %u is gone", object->type);
}

const struct object_ops object_ops[OBJECT_TYPE_COUNT] = {
    [OBJECT_ANY] = { .name = "any" },
    [OBJECT_PROCESS] = { .name = "process", .destroy = process_destroy },
    [OBJECT_THREAD] = { .name = "thread", .destroy = thread_destroy },
    [OBJECT_VMSPACE] = { .name = "vmspace", .destroy = vmspace_destroy },
    [OBJECT_VMO] = { .name = "vmo", .destroy = vmo_destroy },
    [OBJECT_CONSOLE] = { .name = "console", .destroy = never_destroyed },
    [OBJECT_SYSTEM] = { .name = "system", .destroy = never_destroyed },
    [OBJECT_NOTIFICATION] = { .name = "notification", .destroy = notification_destroy },
    [OBJECT_TIMER] = { .name = "timer", .destroy = timer_object_destroy },
    [OBJECT_POLL] = { .name = "poll", .destroy = poll_destroy },
    [OBJECT_CHANNEL] = { .name = "channel",
                         .destroy = channel_destroy,
                         .handle_made = channel_handle_made,
                         .handle_closed = channel_handle_closed },
    [OBJECT_CODE] = { .name = "code", .destroy = code_destroy },
    [OBJECT_INTERRUPT] = { .name = "interrupt", .destroy = interrupt_destroy },
};
