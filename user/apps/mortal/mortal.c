/*
 * Services that end, for tests of restart policies, and their client. They are one program under
 * several names: what it does depends on that. The services speak `echo` under their own names.
 *
 *     mortal PROTOCOL TEXT    has the service say it back; "exit N" has it end with status N
 */
#include <ftl/protocols/echo.h>
#include <ftl/server.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_TEXT "exit "

static ftl_status_t say(void *context, struct echo_say_request *request,
                        struct echo_say_reply *reply)
{
    (void)context;
    if (strncmp(request->text, EXIT_TEXT, strlen(EXIT_TEXT)) == 0) {
        exit((int)strtol(request->text + strlen(EXIT_TEXT), NULL, 10));
    }
    reply->text = request->text;
    return FTL_OK;
}

static int serve(const char *name)
{
    static const struct echo_handlers handlers = { .say = say };
    struct ftl_protocol protocol = echo_protocol;
    struct ftl_server server = { .protocol = &protocol, .handlers = &handlers };
    protocol.name = name;
    if (strcmp(name, "mortal_at_once") == 0) {
        return EXIT_FAILURE;
    }
    return ftl_service_run(&server) == FTL_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int talk(const char *name, const char *text)
{
    struct echo_say_request request = { .text = text };
    struct echo_say_reply reply;
    struct echo_buffer buffer;
    const struct ftl_protocol protocol = { .name = name };
    ftl_handle_t channel;
    ftl_status_t status = ftl_service_connect(&protocol, &channel);
    if (status != FTL_OK) {
        printf("mortal: connecting: %s\n", ftl_strerror(status));
        return EXIT_FAILURE;
    }
    status = echo_say(channel, &request, &reply, &buffer, FTL_TIME_INFINITE);
    printf("mortal: %s\n", status == FTL_OK ? reply.text : ftl_strerror(status));
    return status == FTL_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (strcmp(argv[0], "mortal") != 0) {
        return serve(argv[0]);
    }
    if (argc != 3) {
        fputs("usage: mortal PROTOCOL TEXT\n", stderr);
        return 2;
    }
    return talk(argv[1], argv[2]);
}
