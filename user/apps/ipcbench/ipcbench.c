/*
 * Prints what messages between processes cost in instructions, a line "metric number" each, for
 * servers of both isolation modes; scripts/bench ipc reads them. Counts with the hart's instruction
 * counter: exact under QEMU's -icount with one hart.
 *
 *   ipcbench           round trips and messages, and polls
 *   ipcbench pairs     round trips by several pairs at once: for several harts
 *   ipcbench serve     the server's part: started by the others, as is serve-words
 */
#include "ipcbench.h"

#include <ftl/channel.h>
#include <ftl/channel_word.h>
#include <ftl/clock.h>
#include <ftl/environ.h>
#include <ftl/spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 2000

void require(ftl_status_t status, const char *what)
{
    if (status != FTL_OK) {
        fprintf(stderr, "ipcbench: %s: %s\n", what, ftl_strerror(status));
        exit(EXIT_FAILURE);
    }
}

uint64_t instructions(void)
{
    uint64_t count = 0;
    ftl_clock_instructions(&count);
    return count;
}

void print_metric(const char *prefix, const char *metric, uint64_t number)
{
    printf("%s%s %llu\n", prefix, metric, (unsigned long long)number);
}

/* Instructions of one round trip with a request and a reply of `size` bytes. */
static uint64_t count_call(ftl_handle_t end, size_t size)
{
    static char data[MESSAGE_SIZE];
    uint64_t start = 0;
    for (unsigned i = 0; i <= ROUNDS; i++) {
        if (i == 1) {
            start = instructions(); /* the first round brought pages in */
        }
        struct ftl_message request = { .data = data, .size = size };
        struct ftl_message reply = { .data = data, .capacity = sizeof(data) };
        require(ftl_channel_call(end, &request, &reply, FTL_TIME_INFINITE), "channel_call");
    }
    return (instructions() - start) / ROUNDS;
}

/* Instructions of a message that goes one way, received before the last of ROUNDS returns. */
static uint64_t count_one_way(ftl_handle_t end, size_t size)
{
    static char data[MESSAGE_SIZE];
    struct ftl_message message = { .data = data, .size = size };
    uint64_t call = count_call(end, 0);
    uint64_t start = instructions();
    for (unsigned i = 0; i < ROUNDS; i++) {
        require(ftl_channel_send(end, &message, FTL_TIME_INFINITE), "channel_send");
    }
    count_call(end, 0); /* comes behind all of them */
    return (instructions() - start - call * (ROUNDS + 1)) / ROUNDS;
}

/* Instructions of a round trip of eight bytes in registers alone. */
static uint64_t count_word(ftl_handle_t end)
{
    uint64_t word = 1;
    uint64_t start = 0;
    for (unsigned i = 0; i <= ROUNDS; i++) {
        if (i == 1) {
            start = instructions();
        }
        require(ftl_channel_call_word(end, word, &word), "channel_call_word");
    }
    return (instructions() - start) / ROUNDS;
}

static void measure_server(const char *prefix, ftl_isolation_t isolation)
{
    ftl_handle_t end;
    ftl_handle_t server = server_start(isolation, "serve-words", &end, 1);
    print_metric(prefix, "call_reply_word", count_word(end));
    server_stop(server, &end, 1);
    server = server_start(isolation, "serve", &end, 1);
    print_metric(prefix, "call_reply_8", count_call(end, 8));
    print_metric(prefix, "call_reply_64", count_call(end, 64));
    print_metric(prefix, "call_reply_1024", count_call(end, 1024));
    print_metric(prefix, "call_reply_4096", count_call(end, MESSAGE_SIZE));
    print_metric(prefix, "one_way_8", count_one_way(end, 8));
    print_metric(prefix, "one_way_4096", count_one_way(end, MESSAGE_SIZE));
    server_stop(server, &end, 1);
}

static void measure_call(const char *prefix, ftl_isolation_t isolation)
{
    ftl_handle_t end;
    ftl_handle_t server = server_start(isolation, "serve", &end, 1);
    print_metric(prefix, "call_reply_8", count_call(end, 8));
    server_stop(server, &end, 1);
}

static void measure_server_pairs(const char *prefix, ftl_isolation_t isolation)
{
    ftl_handle_t ends[PAIRS_MAX];
    ftl_handle_t server = server_start(isolation, "serve", ends, PAIRS_MAX);
    measure_pairs(prefix, ends);
    server_stop(server, ends, PAIRS_MAX);
}

int main(int argc, char **argv)
{
    const char *part = argc > 1 ? argv[1] : "";
    if (strcmp(part, "serve") == 0 || strcmp(part, "serve-words") == 0) {
        return serve(strcmp(part, "serve-words") == 0);
    }
    if (strcmp(part, "pairs") == 0) {
        measure_server_pairs("to_user.", FTL_ISOLATION_USER);
        measure_server_pairs("to_sandbox.", FTL_ISOLATION_SANDBOX);
        return EXIT_SUCCESS;
    }
    if (strcmp(part, "call") == 0) { /* while messages are traced, for one */
        measure_call("to_user.", FTL_ISOLATION_USER);
        return EXIT_SUCCESS;
    }
    if (strcmp(part, "poll") != 0) {
        measure_server("to_user.", FTL_ISOLATION_USER);
        measure_server("to_sandbox.", FTL_ISOLATION_SANDBOX);
    }
    measure_poll();
    return EXIT_SUCCESS;
}
