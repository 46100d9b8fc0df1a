/* See fastpath.h: what the fast path leaves to be done, with the message registers stored. */
#include "ipc/fastpath.h"

#include "kernel/hart.h"
#include "kernel/process.h"
#include "kernel/thread.h"

struct context *fastpath_finish(struct context *context)
{
    struct hart *hart = hart_self();
    struct thread *thread = hart->current;
    if (hart->killed != NULL) {
        struct thread *killed = hart->killed;
        hart->killed = NULL;
        sched_enqueue(killed); /* to end */
    }
    vmspace_activate(thread->process->vmspace);
    context_activate(&thread->context);
    bool ends = __atomic_load_n(&thread->kill, __ATOMIC_SEQ_CST) != 0;
    return ends ? sched_resume() : context;
}
