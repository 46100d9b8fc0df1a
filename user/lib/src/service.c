/* Services and init, from both sides: see <ftl/server.h>. */
#include <ftl/channel.h>
#include <ftl/environ.h>
#include <ftl/handle.h>
#include <ftl/protocols/names.h>
#include <ftl/protocols/service.h>
#include <ftl/server.h>
#include <stdio.h>
#include <string.h>

/* init is the one client of this little server: it brings those of the real ones. */
static void connected(void *context, struct service_connected_message *message)
{
    const struct ftl_client *init = context;
    struct ftl_server *server = *(struct ftl_server *const *)init->state;
    while (server != NULL && strcmp(server->protocol->name, message->protocol) != 0) {
        server = server->also;
    }
    if (server != NULL && server->adopt != NULL) {
        server->adopt(server, ftl_ipc_take(&message->client), message->limits);
        /* or the client sees its end closed, as it does when it is turned away */
    } else if (server != NULL) {
        ftl_server_add(server, ftl_ipc_take(&message->client), NULL);
    }
}

static void init_gone(struct ftl_client *init)
{
    ftl_mainloop_stop(init->server->loop);
}

/* Closes the servers before `end`. */
static void close_servers(struct ftl_server *server, const struct ftl_server *end)
{
    for (; server != end; server = server->also) {
        ftl_server_close(server);
    }
}

static ftl_status_t open_servers(struct ftl_server *servers, struct ftl_mainloop *loop)
{
    for (struct ftl_server *server = servers; server != NULL; server = server->also) {
        ftl_status_t status = ftl_server_open(server, loop);
        if (status != FTL_OK) {
            close_servers(servers, server);
            return status;
        }
    }
    return FTL_OK;
}

ftl_status_t ftl_service_open(struct ftl_server *init, struct ftl_server *server,
                              struct ftl_mainloop *loop)
{
    static const struct service_handlers handlers = { .connected = connected };
    struct ftl_client *connection;
    ftl_handle_t channel = ftl_environ_take(ftl_environ(), "service");
    if (channel == FTL_HANDLE_INVALID) {
        return FTL_ERR_NOT_FOUND;
    }
    *init = (struct ftl_server){
        .protocol = &service_protocol,
        .handlers = &handlers,
        .state_size = sizeof(struct ftl_server *),
        .closed = init_gone,
    };
    ftl_status_t status = open_servers(server, loop);
    if (status != FTL_OK) {
        goto close_channel;
    }
    status = ftl_server_open(init, loop);
    if (status != FTL_OK) {
        goto close_servers;
    }
    status = ftl_server_add(init, ftl_ipc_take(&channel), &connection);
    if (status != FTL_OK) {
        goto close_init;
    }
    *(struct ftl_server **)(void *)connection->state = server;
    return FTL_OK;

close_init:
    ftl_server_close(init);
close_servers:
    close_servers(server, NULL);
close_channel:
    ftl_ipc_drop(&channel);
    return status;
}

void ftl_service_close(struct ftl_server *init, struct ftl_server *server)
{
    ftl_server_close(init);
    close_servers(server, NULL);
}

ftl_status_t ftl_service_run(struct ftl_server *server)
{
    struct ftl_server init;
    struct ftl_mainloop loop;
    ftl_status_t status = ftl_mainloop_init(&loop);
    if (status != FTL_OK) {
        return status;
    }
    status = ftl_service_open(&init, server, &loop);
    if (status == FTL_OK) {
        status = ftl_mainloop_run(&loop);
        ftl_service_close(&init, server);
    }
    ftl_mainloop_destroy(&loop);
    return status;
}

/* Connects to what has this name for init, or only if it runs. */
static ftl_status_t connect_to(const char *name, bool running, ftl_handle_t *channel)
{
    struct names_connect_request request = { .protocol = name };
    struct names_buffer buffer;
    ftl_handle_t names = ftl_environ_find(ftl_environ(), "names");
    if (names == FTL_HANDLE_INVALID) {
        return FTL_ERR_NOT_SUPPORTED;
    }
    ftl_status_t status = ftl_channel_create(&request.server, channel);
    if (status != FTL_OK) {
        return status;
    }
    if (running) {
        struct names_connect_running_request same = { .protocol = name, .server = request.server };
        status = names_connect_running(names, &same, &buffer, FTL_TIME_INFINITE);
    } else {
        status = names_connect(names, &request, &buffer, FTL_TIME_INFINITE);
    }
    if (status != FTL_OK) {
        ftl_handle_close(request.server); /* unless it went with the message */
        ftl_ipc_drop(channel);
    }
    return status;
}

ftl_status_t ftl_service_connect(const struct ftl_protocol *protocol, ftl_handle_t *channel)
{
    return connect_to(protocol->name, false, channel);
}

ftl_status_t ftl_service_connect_running(const struct ftl_protocol *protocol, ftl_handle_t *channel)
{
    return connect_to(protocol->name, true, channel);
}

ftl_status_t ftl_service_connect_device(const struct ftl_protocol *protocol, size_t index,
                                        ftl_handle_t *channel)
{
    char name[FTL_NAME_MAX];
    int length = snprintf(name, sizeof(name), "%s:%zu", protocol->name, index);
    if (length < 0 || (size_t)length >= sizeof(name)) {
        return FTL_ERR_NOT_FOUND;
    }
    return connect_to(name, false, channel);
}

ftl_status_t ftl_service_names_for(ftl_handle_t starter, const struct ftl_app *app,
                                   ftl_handle_t *names)
{
    struct names_open_for_request request = { .app = app->name };
    struct names_buffer buffer;
    *names = FTL_HANDLE_INVALID;
    if (!ftl_app_is_granted(app, "names")) {
        return FTL_OK;
    }
    ftl_status_t status = ftl_channel_create(&request.server, names);
    if (status != FTL_OK) {
        return status;
    }
    status = names_open_for(starter, &request, &buffer, FTL_TIME_INFINITE);
    if (status != FTL_OK) {
        ftl_handle_close(request.server);
        ftl_ipc_drop(names);
    }
    return status;
}
