/*
 * A service to try services out with: see user/protocols/echo.ipc and echo_stats.ipc. Its handlers
 * show what handlers can do: use a request in place, keep state for each client, use a handle,
 * answer later, send events and lists. The same in both isolation modes.
 */
#include <ftl/protocols/echo.h>
#include <ftl/protocols/echo_stats.h>
#include <ftl/server.h>
#include <ftl/vmo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS_MAX 200
#define LINES_KEPT  32
#define LINE_MAX    201 /* bytes of a text, NUL included */

/* What was shouted; line number n is in lines[n % LINES_KEPT]. */
static struct {
    char lines[LINES_KEPT][LINE_MAX];
    uint64_t count;
} history_kept;

/* A client's call of `listen` that was not answered yet; others it makes meanwhile are refused. */
struct state {
    uint64_t said;
    uint64_t listening; /* its transaction, 0: none */
};

static struct state *state_of(struct ftl_client *client)
{
    return (struct state *)(void *)client->state;
}

static ftl_status_t say(void *context, struct echo_say_request *request,
                        struct echo_say_reply *reply)
{
    static char reversed[ECHO_MESSAGE_MAX];
    size_t size = strlen(request->text);
    reply->text = request->text;
    if (request->order == ECHO_ORDER_BACKWARD) {
        for (size_t i = 0; i < size; i++) {
            reversed[i] = request->text[size - 1 - i];
        }
        reversed[size] = '\0';
        reply->text = reversed;
    }
    reply->count = ++state_of(context)->said;
    return FTL_OK;
}

static ftl_status_t total(void *context, struct echo_total_request *request,
                          struct echo_total_reply *reply)
{
    uint64_t sum = 0;
    (void)context;
    for (size_t i = 0; i < request->numbers_count; i++) {
        sum += (uint64_t)request->numbers[i];
    }
    reply->total = (int64_t)sum;
    return FTL_OK;
}

static ftl_status_t peek(void *context, struct echo_peek_request *request,
                         struct echo_peek_reply *reply)
{
    static char data[4096];
    (void)context;
    if (request->size > sizeof(data)) {
        return FTL_ERR_TOO_SMALL;
    }
    reply->data = data;
    reply->data_size = request->size;
    return ftl_vmo_read(request->memory, request->offset, data, request->size);
}

static ftl_status_t listen(void *context, struct echo_listen_reply *reply)
{
    struct ftl_client *client = context;
    struct state *state = state_of(client);
    (void)reply;
    if (state->listening != 0) {
        return FTL_ERR_BAD_STATE;
    }
    state->listening = client->transaction;
    return FTL_IPC_LATER;
}

/* Clients that do not receive their events miss them. */
static void shout(void *context, struct echo_shout_message *message)
{
    static struct echo_buffer buffer;
    struct ftl_client *shouter = context;
    strcpy(history_kept.lines[history_kept.count++ % LINES_KEPT], message->text);
    for (struct ftl_client *each = shouter->server->clients; each != NULL; each = each->next) {
        struct state *state = state_of(each);
        if (state->listening != 0) {
            struct echo_listen_reply reply = { .text = message->text };
            echo_listen_answer(each->source.handle, state->listening, &reply, &buffer);
            state->listening = 0;
        } else {
            struct echo_heard_event event = { .text = message->text };
            echo_heard(each->source.handle, &event, &buffer, 0);
        }
    }
}

static ftl_status_t history(void *context, struct echo_history_request *request,
                            struct echo_history_reply *reply)
{
    static _Alignas(8) char room[2000];
    uint64_t first = history_kept.count < LINES_KEPT ? 0 : history_kept.count - LINES_KEPT;
    uint64_t number = request->from > first ? request->from : first;
    (void)context;
    reply->lines = FTL_IPC_LIST(room);
    for (; number < history_kept.count; number++) {
        struct echo_line line = { number, history_kept.lines[number % LINES_KEPT] };
        if (echo_line_append(&reply->lines, &line) != FTL_OK) {
            break;
        }
    }
    reply->next = number;
    if (request->copy == FTL_HANDLE_INVALID || history_kept.count == 0) {
        return FTL_OK;
    }
    const char *last = history_kept.lines[(history_kept.count - 1) % LINES_KEPT];
    return ftl_vmo_write(request->copy, 0, last, strlen(last) + 1);
}

static struct ftl_server echo;

static ftl_status_t get(void *context, struct echo_stats_get_reply *reply)
{
    (void)context;
    reply->clients = (uint32_t)echo.client_count;
    reply->shouts = history_kept.count;
    return FTL_OK;
}

int main(void)
{
    static const struct echo_stats_handlers stats_handlers = { .get = get };
    static const struct echo_handlers handlers = {
        .say = say,
        .total = total,
        .peek = peek,
        .listen = listen,
        .shout = shout,
        .history = history,
    };
    struct ftl_server stats = {
        .protocol = &echo_stats_protocol,
        .handlers = &stats_handlers,
        .clients_max = CLIENTS_MAX,
    };
    echo = (struct ftl_server){
        .protocol = &echo_protocol,
        .handlers = &handlers,
        .state_size = sizeof(struct state),
        .clients_max = CLIENTS_MAX,
        .also = &stats,
    };
    ftl_status_t status = ftl_service_run(&echo);
    if (status != FTL_OK) {
        fprintf(stderr, "echo_server: %s\n", ftl_strerror(status));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
