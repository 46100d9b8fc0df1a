/*
 * The name service (protocol `names`): every connection belongs to one app, and allows what that
 * app's manifest says. Clients make the channels that they connect through, so they pay for them.
 */
#include <ftl/channel.h>
#include <ftl/handle.h>
#include <ftl/protocols/names.h>
#include <stdlib.h>
#include <string.h>

#include "devices.h"

#define CONNECTIONS_MAX  1024
#define COMPATIBLE_SHOWN 63 /* bytes of it that a message has room for */

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
static bool is_starter(const struct ftl_app *app)
{
    return ftl_app_has_word(app->grants, "names");
}

/* Who can start apps, but may connect them only to what it uses itself. */
static bool is_lesser_starter(const struct ftl_app *app)
{
    return ftl_app_has_word(app->grants, "bootimage");
}

/* What is asked for: a protocol and, behind a colon, which of the devices that have it. */
struct wanted {
    char protocol[FTL_NAME_MAX];
    size_t index;
};

/* False: it is not well-formed. */
static bool parse_wanted(const char *text, struct wanted *wanted)
{
    const char *colon = strchr(text, ':');
    size_t length = colon != NULL ? (size_t)(colon - text) : strlen(text);
    char *end = NULL;
    if (length == 0 || length >= sizeof(wanted->protocol)) {
        return false;
    }
    memcpy(wanted->protocol, text, length);
    wanted->protocol[length] = '\0';
    wanted->index = colon != NULL ? strtoul(colon + 1, &end, 10) : 0;
    return colon == NULL || (end != colon + 1 && *end == '\0');
}

static struct service *find_service(struct init *init, const struct wanted *wanted)
{
    for (size_t i = 0; i < init->service_count && wanted->index == 0; i++) {
        if (ftl_app_has_word(init->services[i].protocols, wanted->protocol)) {
            return &init->services[i];
        }
    }
    return devices_service(init, wanted->protocol, wanted->index);
}

/* The service that a connection asks for, if it may. */
static ftl_status_t find_wanted(const struct connection *connection, const char *name,
                                struct wanted *wanted, struct service **service)
{
    if (!parse_wanted(name, wanted)) {
        return FTL_ERR_NOT_FOUND;
    }
    if (!is_starter(&connection->app) && !ftl_app_uses(&connection->app, wanted->protocol)) {
        return FTL_ERR_MISSING_RIGHT;
    }
    *service = find_service(connection->init, wanted);
    return *service != NULL ? FTL_OK : FTL_ERR_NOT_FOUND;
}

/* Passes the channel on, with what the app's manifest says of it. */
static ftl_status_t connect_service(const struct connection *connection, struct service *service,
                                    const char *protocol, ftl_handle_t *server)
{
    bool is_limited = !is_starter(&connection->app) && strcmp(protocol, "file") == 0;
    return service_connect(service, protocol, is_limited ? connection->app.files : "",
                           ftl_ipc_take(server));
}

static ftl_status_t connect(void *context, struct names_connect_request *request)
{
    struct service *service;
    struct wanted wanted;
    ftl_status_t status = find_wanted(connection_of(context), request->protocol, &wanted, &service);
    if (status != FTL_OK) {
        return status;
    }
    return connect_service(connection_of(context), service, wanted.protocol, &request->server);
}

static ftl_status_t connect_running(void *context, struct names_connect_running_request *request)
{
    const struct connection *connection = connection_of(context);
    struct service *service;
    struct wanted wanted;
    if (!is_starter(&connection->app)) {
        return FTL_ERR_MISSING_RIGHT;
    }
    ftl_status_t status = find_wanted(connection, request->protocol, &wanted, &service);
    if (status == FTL_OK && service->state != SERVICE_RUNNING) {
        status = FTL_ERR_BAD_STATE;
    }
    if (status != FTL_OK) {
        return status;
    }
    return connect_service(connection, service, wanted.protocol, &request->server);
}

/* ---- Devices ---- */

static enum names_device_state state_of(const struct device *device)
{
    static const enum names_device_state states[] = {
        [SERVICE_NOT_STARTED] = NAMES_DEVICE_STATE_IDLE,
        [SERVICE_RUNNING] = NAMES_DEVICE_STATE_RUNNING,
        [SERVICE_WAITING] = NAMES_DEVICE_STATE_WAITING,
        [SERVICE_ENDED] = NAMES_DEVICE_STATE_ENDED,
    };
    if (device->service.app[0] != '\0') {
        return states[device->service.state];
    }
    if (device->is_virtio && device->virtio_id == 0) {
        return NAMES_DEVICE_STATE_EMPTY;
    }
    return device_is_kernels(device) ? NAMES_DEVICE_STATE_KERNEL : NAMES_DEVICE_STATE_NO_DRIVER;
}

static ftl_status_t device(void *context, struct names_device_request *request,
                           struct names_device_reply *reply)
{
    const struct connection *connection = connection_of(context);
    struct init *init = connection->init;
    if (!is_starter(&connection->app)) {
        return FTL_ERR_MISSING_RIGHT;
    }
    devices_find(init);
    if (request->index >= init->device_count) {
        return FTL_ERR_NOT_FOUND;
    }
    const struct device *found = &init->devices[request->index];
    *reply = (struct names_device_reply){
        .node = found->node.path,
        .compatible =
            strlen(found->node.compatible) <= COMPATIBLE_SHOWN ? found->node.compatible : "",
        .driver = found->service.app,
        .protocol = found->service.protocols,
        .pid = found->service.state == SERVICE_RUNNING ? found->service.pid : 0,
        .interrupt = found->node.interrupt,
        .state = (uint8_t)state_of(found),
    };
    return FTL_OK;
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

/* Of two limits for files both hold; when they differ, there are no files at all. */
static bool limit_files(struct ftl_app *app, const struct ftl_app *starter)
{
    if (app->files[0] == '\0') {
        strcpy(app->files, starter->files);
    }
    return starter->files[0] == '\0' || strcmp(app->files, starter->files) == 0;
}

/* Who is no starter passes on what it may use itself, and nothing else. A starter of its making
 * uses what it does. */
static void attenuate(struct ftl_app *app, const struct ftl_app *starter)
{
    char kept[FTL_APP_TEXT_MAX] = "";
    char *rest = app->uses;
    char *word;
    bool has_files = limit_files(app, starter);
    if (is_starter(app)) {
        strcpy(app->uses, starter->uses);
    }
    while ((word = strsep(&rest, " ")) != NULL) {
        if (word[0] != '\0' && ftl_app_uses(starter, word) &&
            (has_files || strcmp(word, "file") != 0)) {
            strcat(kept, " "); /* all words were in the text, apart by blanks */
            strcat(kept, word);
        }
    }
    strcpy(app->uses, kept[0] != '\0' ? kept + 1 : kept);
    strcpy(app->grants, is_lesser_starter(app) ? "bootimage" : "");
}

static ftl_status_t open_for(void *context, struct names_open_for_request *request)
{
    const struct connection *connection = connection_of(context);
    struct ftl_app app;
    if (!is_starter(&connection->app) && !is_lesser_starter(&connection->app)) {
        return FTL_ERR_MISSING_RIGHT;
    }
    ftl_status_t status = ftl_app_find(&connection->init->image, request->app, &app);
    if (status != FTL_OK) {
        return status;
    }
    if (!is_starter(&connection->app)) {
        attenuate(&app, &connection->app);
    }
    return add_connection(connection->init, &app, ftl_ipc_take(&request->server));
}

ftl_status_t names_open(struct init *init)
{
    static const struct names_handlers handlers = {
        .connect = connect,
        .open_for = open_for,
        .device = device,
        .connect_running = connect_running,
    };
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
