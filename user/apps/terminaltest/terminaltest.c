/*
 * terminaltest: sends all that comes in on a terminal back, until it ends in a line `end`. When the
 * driver ends, it goes on with the next one.
 */
#include <ftl/handle.h>
#include <ftl/protocols/terminal.h>
#include <ftl/server.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define END "end\n"

static ftl_handle_t terminal;

static void connect_terminal(void)
{
    ftl_status_t status = ftl_service_connect(&terminal_protocol, &terminal);
    if (status != FTL_OK) {
        printf("terminaltest: connect: %s\n", ftl_strerror(status));
        exit(EXIT_FAILURE);
    }
    printf("connected\n");
    fflush(stdout);
}

/* Reads once and sends that back. *ended: it was the end. */
static ftl_status_t echo(bool *ended)
{
    struct terminal_buffer in;
    struct terminal_buffer out;
    struct terminal_read_reply reply;
    ftl_status_t status = terminal_read(terminal, &reply, &in, FTL_TIME_INFINITE);
    if (status != FTL_OK) {
        return status;
    }
    size_t length = sizeof(END) - 1;
    *ended = reply.data_size >= length &&
             memcmp((const char *)reply.data + reply.data_size - length, END, length) == 0;
    struct terminal_write_request request = { .data = reply.data, .data_size = reply.data_size };
    return terminal_write(terminal, &request, &out, FTL_TIME_INFINITE);
}

int main(void)
{
    bool ended = false;
    connect_terminal();
    while (!ended) {
        ftl_status_t status = echo(&ended);
        if (status == FTL_ERR_PEER_CLOSED) {
            ftl_handle_close(terminal);
            connect_terminal();
        } else if (status != FTL_OK) {
            printf("terminaltest: %s\n", ftl_strerror(status));
            return EXIT_FAILURE;
        }
    }
    printf("ended\n");
    return EXIT_SUCCESS;
}
