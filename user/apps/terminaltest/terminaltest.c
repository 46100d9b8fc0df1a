/*
 * terminaltest [INDEX]: sends a greeting, then all that comes in on a terminal back, until it ends
 * in a line `end`. When the driver ends, it goes on with the next one.
 */
#include <ftl/handle.h>
#include <ftl/protocols/terminal.h>
#include <ftl/server.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GREETING "hello\n"
#define END      "end\n"

static ftl_handle_t terminal;

static void connect_terminal(size_t index)
{
    ftl_status_t status = ftl_service_connect_device(&terminal_protocol, index, &terminal);
    if (status != FTL_OK) {
        printf("terminaltest: connect: %s\n", ftl_strerror(status));
        exit(EXIT_FAILURE);
    }
    struct terminal_buffer buffer;
    struct terminal_write_request request = { .data = GREETING, .data_size = sizeof(GREETING) - 1 };
    status = terminal_write(terminal, &request, &buffer, FTL_TIME_INFINITE);
    printf("%s\n", status == FTL_OK ? "connected" : ftl_strerror(status));
    fflush(stdout);
}

/* Whether all that has come by now ends in END, which can come in parts. */
static bool note(const char *data, size_t size)
{
    static char last[sizeof(END) - 1];
    for (size_t i = 0; i < size; i++) {
        memmove(last, last + 1, sizeof(last) - 1);
        last[sizeof(last) - 1] = data[i];
    }
    return memcmp(last, END, sizeof(last)) == 0;
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
    *ended = note(reply.data, reply.data_size);
    struct terminal_write_request request = { .data = reply.data, .data_size = reply.data_size };
    return terminal_write(terminal, &request, &out, FTL_TIME_INFINITE);
}

int main(int argc, char **argv)
{
    bool ended = false;
    size_t index = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    connect_terminal(index);
    while (!ended) {
        ftl_status_t status = echo(&ended);
        if (status == FTL_ERR_PEER_CLOSED) {
            ftl_handle_close(terminal);
            connect_terminal(index);
        } else if (status != FTL_OK) {
            printf("terminaltest: %s\n", ftl_strerror(status));
            return EXIT_FAILURE;
        }
    }
    printf("ended\n");
    return EXIT_SUCCESS;
}
