/* See fastpath.h: what the fast path leaves to be done, with the message registers stored. */
#include <ftl/call_numbers.h>
#include <ftl/words.h>

#include "ipc/fastpath.h"
#include "ipc/lane.h"
#include "kernel/hart.h"
#include "kernel/process.h"
#include "kernel/thread.h"

struct context *fastpath_finish(struct context *context)
{
    struct hart *hart = hart_self();
    struct thread *thread = hart->current;
    context_set_words_call(context);
    if (hart->killed != NULL) {
        struct thread *killed = hart->killed;
        hart->killed = NULL;
        sched_enqueue(killed); /* to end */
    }
    sched_switched();
    lane_lend_to_current();
    bool ends = __atomic_load_n(&thread->kill, __ATOMIC_SEQ_CST) != 0;
    return ends || hart->arch.resched ? sched_resume() : context;
}

static enum words_port_kind port_of(unsigned index)
{
    return index + FTL_FIRST_WORDS_CALL == FTL_CALL_CHANNEL_CALL_WORDS ? PORT_CALLS : PORT_SERVES;
}

/* The fast path, from and to messages in contexts. NULL: nothing was done. */
static struct context *try_again(unsigned index, uint64_t handle, uint64_t tag)
{
    struct context *from = &thread_current()->context;
    uint64_t words[FTL_WORDS_COUNT];
    for (size_t i = 0; i < FTL_WORDS_COUNT; i++) {
        words[i] = *context_word(from, i);
    }
    struct fastpath_result result = words_calls[index].fast(handle, tag);
    if (result.context == FASTPATH_SLOW) {
        return NULL;
    }
    struct context *to = &thread_current()->context;
    context_set_result(to, FTL_OK, result.tag);
    for (size_t i = 0; i < FTL_WORDS_COUNT; i++) {
        *context_word(to, i) = words[i];
    }
    return fastpath_finish(to);
}

struct context *fastpath_go_slow(unsigned index, uint64_t handle, uint64_t tag, vaddr_t address)
{
    struct context *next = NULL;
    context_set_words_call(&thread_current()->context);
    if (words_port_open(port_of(index), handle)) {
        next = try_again(index, handle, tag);
    }
    if (next == NULL) {
        next = call_finish(words_calls[index].slow(handle, tag, address, 0, 0, 0));
    }
    return next;
}
