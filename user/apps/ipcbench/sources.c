/* What a poll costs with few and with many sources: the same, if add, remove and wait are O(1). */
#include <ftl/handle.h>
#include <ftl/notification.h>
#include <ftl/poll.h>
#include <stdio.h>

#include "ipcbench.h"

#define ROUNDS      1000
#define SOURCES_FEW 10
#define SOURCES_MAX 10000

struct watched {
    ftl_handle_t poll;
    ftl_handle_t sources[SOURCES_MAX];
    uint64_t entries[SOURCES_MAX];
};

static void add(struct watched *watched, size_t index)
{
    require(ftl_poll_add(watched->poll, watched->sources[index], FTL_SIGNAL_READABLE, index,
                         &watched->entries[index]),
            "poll_add");
}

static uint64_t count_add_remove(struct watched *watched, size_t sources)
{
    uint64_t start = instructions();
    for (size_t i = 0; i < ROUNDS; i++) {
        size_t index = i % sources;
        require(ftl_poll_remove(watched->poll, watched->entries[index]), "poll_remove");
        add(watched, index);
    }
    return (instructions() - start) / ROUNDS;
}

/* One of the sources gets ready, is waited for, and cleared. */
static uint64_t count_wait(struct watched *watched, size_t sources)
{
    struct ftl_poll_event event = { 0 };
    uint64_t former;
    size_t count;
    uint64_t start = instructions();
    for (size_t i = 0; i < ROUNDS; i++) {
        require(ftl_notification_signal(watched->sources[i * 37 % sources], 1), "signal");
        require(ftl_poll_wait(watched->poll, &event, 1, 0, &count), "poll_wait");
        require(ftl_notification_clear(watched->sources[event.word], 1, &former), "clear");
    }
    return (instructions() - start) / ROUNDS;
}

static void measure_sources(struct watched *watched, size_t sources)
{
    char metric[40];
    require(ftl_poll_create(&watched->poll), "poll_create");
    for (size_t i = 0; i < sources; i++) {
        require(ftl_notification_create(&watched->sources[i]), "notification_create");
        add(watched, i);
    }
    snprintf(metric, sizeof(metric), "poll_remove_add_of_%zu", sources);
    print_metric("", metric, count_add_remove(watched, sources));
    snprintf(metric, sizeof(metric), "poll_signal_wait_clear_of_%zu", sources);
    print_metric("", metric, count_wait(watched, sources));
    for (size_t i = 0; i < sources; i++) {
        require(ftl_handle_close(watched->sources[i]), "close");
    }
    require(ftl_handle_close(watched->poll), "close");
}

void measure_poll(void)
{
    static struct watched watched;
    measure_sources(&watched, SOURCES_FEW);
    measure_sources(&watched, SOURCES_MAX);
}
