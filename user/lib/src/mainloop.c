/* Main loops over the kernel's poll: see <ftl/mainloop.h>. The word of a poll's entry is the
 * address of its source. */
#include <ftl/handle.h>
#include <ftl/mainloop.h>
#include <ftl/poll.h>
#include <string.h>

ftl_status_t ftl_mainloop_init(struct ftl_mainloop *loop)
{
    memset(loop, 0, sizeof(*loop));
    return ftl_poll_create(&loop->poll);
}

void ftl_mainloop_destroy(struct ftl_mainloop *loop)
{
    ftl_handle_close(loop->poll);
    memset(loop, 0, sizeof(*loop));
}

ftl_status_t ftl_mainloop_add(struct ftl_mainloop *loop, struct ftl_source *source,
                              ftl_handle_t handle, uint32_t interest, ftl_source_handler_t handler,
                              void *context)
{
    *source = (struct ftl_source){
        .handle = handle,
        .handler = handler,
        .context = context,
        .loop = loop,
    };
    return ftl_poll_add(loop->poll, handle, interest, (uintptr_t)source, &source->entry);
}

ftl_status_t ftl_mainloop_modify(struct ftl_source *source, uint32_t interest)
{
    return ftl_poll_modify(source->loop->poll, source->entry, interest, (uintptr_t)source);
}

void ftl_mainloop_remove(struct ftl_source *source)
{
    struct ftl_mainloop *loop = source->loop;
    ftl_poll_remove(loop->poll, source->entry);
    for (size_t i = loop->next; i < loop->count; i++) { /* what was taken already */
        if (loop->events[i].word == (uintptr_t)source) {
            loop->events[i].word = 0;
        }
    }
}

ftl_status_t ftl_mainloop_step(struct ftl_mainloop *loop, ftl_nsec_t deadline)
{
    loop->next = 0;
    loop->count = 0;
    ftl_status_t status =
        ftl_poll_wait(loop->poll, loop->events, FTL_MAINLOOP_BATCH, deadline, &loop->count);
    while (loop->next < loop->count && !loop->stopped) {
        const struct ftl_poll_event *event = &loop->events[loop->next++];
        struct ftl_source *source = (struct ftl_source *)(uintptr_t)event->word;
        if (source != NULL) {
            source->handler(source, event->signals);
        }
    }
    return status;
}

ftl_status_t ftl_mainloop_run(struct ftl_mainloop *loop)
{
    ftl_status_t status = FTL_OK;
    loop->stopped = false;
    while (status == FTL_OK && !loop->stopped) {
        status = ftl_mainloop_step(loop, FTL_TIME_INFINITE);
    }
    return status;
}

void ftl_mainloop_stop(struct ftl_mainloop *loop)
{
    loop->stopped = true;
}
