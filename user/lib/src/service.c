/* Services and init, from both sides: see <ftl/server.h>. */
#include <ftl/channel.h>
#include <ftl/environ.h>
#include <ftl/handle.h>
#include <ftl/protocols/names.h>
#include <ftl/protocols/service.h>
#include <ftl/server.h>

/* init is the one client of this little server: it brings those of the real one. */
static void connected(void *context, struct service_connected_message *message)
{
    const struct ftl_client *init = context;
    struct ftl_server *server = *(struct ftl_server *const *)init->state;
    ftl_server_add(server, ftl_ipc_take(&message->client), NULL); /* or it sees its end closed */
}

static void init_gone(struct ftl_client *init)
{
    ftl_mainloop_stop(init->server->loop);
}

static ftl_status_t run(struct ftl_server *server, struct ftl_server *init, ftl_handle_t channel)
{
    struct ftl_client *connection;
    ftl_status_t status = ftl_server_add(init, channel, &connection);
    if (status != FTL_OK) {
        return status;
    }
    *(struct ftl_server **)(void *)connection->state = server;
    return ftl_mainloop_run(server->loop);
}

ftl_status_t ftl_service_run(struct ftl_server *server)
{
    static const struct service_handlers handlers = { .connected = connected };
    struct ftl_server init = {
        .protocol = &service_protocol,
        .handlers = &handlers,
        .state_size = sizeof(struct ftl_server *),
        .closed = init_gone,
    };
    struct ftl_mainloop loop;
    ftl_handle_t channel = ftl_environ_take(ftl_environ(), "service");
    if (channel == FTL_HANDLE_INVALID) {
        return FTL_ERR_NOT_FOUND;
    }
    ftl_status_t status = ftl_mainloop_init(&loop);
    if (status != FTL_OK) {
        goto close_channel;
    }
    status = ftl_server_open(server, &loop);
    if (status != FTL_OK) {
        goto destroy_loop;
    }
    status = ftl_server_open(&init, &loop);
    if (status != FTL_OK) {
        goto close_server;
    }
    status = run(server, &init, ftl_ipc_take(&channel));
    ftl_server_close(&init);
close_server:
    ftl_server_close(server);
destroy_loop:
    ftl_mainloop_destroy(&loop);
close_channel:
    ftl_ipc_drop(&channel);
    return status;
}

ftl_status_t ftl_service_connect(const struct ftl_protocol *protocol, ftl_handle_t *channel)
{
    struct names_connect_request request = { .protocol = protocol->name };
    struct names_buffer buffer;
    ftl_handle_t names = ftl_environ_find(ftl_environ(), "names");
    if (names == FTL_HANDLE_INVALID) {
        return FTL_ERR_NOT_SUPPORTED;
    }
    ftl_status_t status = ftl_channel_create(&request.server, channel);
    if (status != FTL_OK) {
        return status;
    }
    status = names_connect(names, &request, &buffer, FTL_TIME_INFINITE);
    if (status != FTL_OK) {
        ftl_handle_close(request.server); /* unless it went with the message */
        ftl_ipc_drop(channel);
    }
    return status;
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
