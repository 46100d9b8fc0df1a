/*
 * The name service (protocol `names`): every connection belongs to one app, and allows what that
 * app's manifest says. Clients make the channels that they connect through, so they pay for them.
 */
#include <ftl/channel.h>
#include <ftl/handle.h>
#include <ftl/protocols/names.h>
#include <string.h>

#include "init.h"

#define CONNECTIONS_MAX 1024

/* What init knows of a connection. */
struct connection {
    struct init *init;
    struct ftl_app app;
};

static struct connection *connection_of(struct ftl_client *client)
{
    return (struct connection *)(void *)client->state;
}

/* Who starts apps may connect to everything, and connect others. */
static bool is_starter(const struct connection *connection)
{
    struct ftl_app grants_alone = connection->app;
    grants_alone.uses[0] = '\0';
    return ftl_app_is_granted(&grants_alone, "names");
}

static struct service *find_service(const struct init *init, const char *protocol)
{
    for (size_t i = 0; i < init->service_count; i++) {
        if (ftl_app_has_word(init->services[i].protocols, protocol)) {
            return &init->services[i];
        }
    }
    return NULL;
}

static ftl_status_t connect(void *context, struct names_connect_request *request)
{
    const struct connection *connection = connection_of(context);
    if (!is_starter(connection) && !ftl_app_uses(&connection->app, request->protocol)) {
        return FTL_ERR_MISSING_RIGHT;
    }
    struct service *service = find_service(connection->init, request->protocol);
    if (service == NULL) {
        return FTL_ERR_NOT_FOUND;
    }
    return service_connect(service, request->protocol, ftl_ipc_take(&request->server));
}

/* Takes the channel. */
static ftl_status_t add_connection(struct init *init, const struct ftl_app *app,
                                   ftl_handle_t channel)
{
    struct ftl_client *client;
    ftl_status_t status = ftl_server_add(&init->names, channel, &client);
    if (status == FTL_OK) {
        *connection_of(client) = (struct connection){ .init = init, .app = *app };
    }
    return status;
}

static ftl_status_t open_for(void *context, struct names_open_for_request *request)
{
    const struct connection *connection = connection_of(context);
    struct ftl_app app;
    if (!is_starter(connection)) {
        return FTL_ERR_MISSING_RIGHT;
    }
    ftl_status_t status = ftl_app_find(&connection->init->image, request->app, &app);
    if (status != FTL_OK) {
        return status;
    }
    return add_connection(connection->init, &app, ftl_ipc_take(&request->server));
}

ftl_status_t names_open(struct init *init)
{
    static const struct names_handlers handlers = { .connect = connect, .open_for = open_for };
    init->names = (struct ftl_server){
        .protocol = &names_protocol,
        .handlers = &handlers,
        .state_size = sizeof(struct connection),
        .clients_max = CONNECTIONS_MAX,
    };
    return ftl_server_open(&init->names, &init->loop);
}

ftl_status_t names_connection(struct init *init, const struct ftl_app *app, ftl_handle_t *client)
{
    ftl_handle_t server;
    ftl_status_t status = ftl_channel_create(&server, client);
    if (status != FTL_OK) {
        return status;
    }
    status = add_connection(init, app, server);
    if (status != FTL_OK) {
        ftl_ipc_drop(client);
    }
    return status;
}
