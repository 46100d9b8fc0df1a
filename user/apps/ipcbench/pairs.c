/*
 * Round trips by 1, 2 and 4 clients at once, each with a channel and a server thread of its own.
 * What one costs stays the same when nothing on its way is shared. The counter is all harts'.
 */
#include <ftl/channel.h>
#include <pthread.h>
#include <stdio.h>

#include "ipcbench.h"

#define ROUNDS 1000

static void *client(void *argument)
{
    char data[8] = { 0 };
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct ftl_message request = { .data = data, .size = sizeof(data) };
        struct ftl_message reply = { .data = data, .capacity = sizeof(data) };
        require(
            ftl_channel_call(*(const ftl_handle_t *)argument, &request, &reply, FTL_TIME_INFINITE),
            "channel_call");
    }
    return NULL;
}

static uint64_t count_pairs(const ftl_handle_t ends[], unsigned pairs)
{
    pthread_t threads[PAIRS_MAX];
    uint64_t start = instructions();
    for (unsigned i = 0; i < pairs; i++) {
        int error = pthread_create(&threads[i], NULL, client, (void *)&ends[i]);
        require(error == 0 ? FTL_OK : FTL_ERR_NO_MEMORY, "pthread_create");
    }
    for (unsigned i = 0; i < pairs; i++) {
        pthread_join(threads[i], NULL);
    }
    return (instructions() - start) / ROUNDS / pairs;
}

void measure_pairs(const char *prefix, const ftl_handle_t ends[])
{
    count_pairs(ends, PAIRS_MAX); /* brings pages in */
    for (unsigned pairs = 1; pairs <= PAIRS_MAX; pairs *= 2) {
        char metric[32];
        snprintf(metric, sizeof(metric), "call_reply_8_pairs_%u", pairs);
        print_metric(prefix, metric, count_pairs(ends, pairs));
    }
}
