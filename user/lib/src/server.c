/* Servers on a main loop: see <ftl/server.h>. */
#include <ftl/channel.h>
#include <ftl/handle.h>
#include <ftl/server.h>
#include <stdlib.h>

/* ---- Clients ---- */

static void link_client(struct ftl_client *client)
{
    struct ftl_server *server = client->server;
    client->next = server->clients;
    client->link = &server->clients;
    if (client->next != NULL) {
        client->next->link = &client->next;
    }
    server->clients = client;
    server->client_count++;
}

static void unlink_client(struct ftl_client *client)
{
    *client->link = client->next;
    if (client->next != NULL) {
        client->next->link = client->link;
    }
    client->server->client_count--;
}

void ftl_server_drop(struct ftl_client *client)
{
    struct ftl_server *server = client->server;
    ftl_mainloop_remove(&client->source);
    unlink_client(client);
    if (server->closed != NULL) {
        server->closed(client);
    }
    ftl_handle_close(client->source.handle);
    free(client);
}

/* ---- Messages ---- */

/* Receives and serves one message. An error means that the client is to be dropped. */
static ftl_status_t serve_one(struct ftl_client *client)
{
    struct ftl_server *server = client->server;
    struct ftl_message in = server->in;
    struct ftl_message out = server->out;
    ftl_status_t status = ftl_channel_recv(client->source.handle, &in, 0);
    if (status == FTL_ERR_WOULD_BLOCK) {
        return FTL_OK;
    }
    if (status != FTL_OK) {
        return status;
    }
    client->transaction = in.transaction;
    return ftl_ipc_serve(server->protocol, server->handlers, client, client->source.handle, &in,
                         &out);
}

static void on_client(struct ftl_source *source, uint32_t signals)
{
    struct ftl_client *client = source->context;
    ftl_status_t status = FTL_ERR_PEER_CLOSED;
    if ((signals & FTL_SIGNAL_READABLE) != 0) { /* the last messages come before the end */
        status = serve_one(client);
    }
    if (status != FTL_OK) {
        ftl_server_drop(client);
    }
}

ftl_status_t ftl_server_add(struct ftl_server *server, ftl_handle_t channel,
                            struct ftl_client **added)
{
    struct ftl_client *client = NULL;
    ftl_status_t status = FTL_ERR_LIMIT;
    if (server->clients_max != 0 && server->client_count >= server->clients_max) {
        goto fail;
    }
    status = FTL_ERR_NO_MEMORY;
    client = calloc(1, sizeof(*client) + server->state_size);
    if (client == NULL) {
        goto fail;
    }
    client->server = server;
    status = ftl_mainloop_add(server->loop, &client->source, channel,
                              FTL_SIGNAL_READABLE | FTL_SIGNAL_PEER_CLOSED, on_client, client);
    if (status != FTL_OK) {
        goto fail;
    }
    link_client(client);
    if (server->opened != NULL) {
        server->opened(client);
    }
    if (added != NULL) {
        *added = client;
    }
    return FTL_OK;

fail:
    free(client);
    ftl_handle_close(channel);
    return status;
}

/* ---- Servers ---- */

/* A message with room for any of the protocol; its two arrays are one piece of memory. */
static bool make_room(const struct ftl_protocol *protocol, struct ftl_message *message)
{
    size_t handles = protocol->handles_max + 1; /* so that one too many is seen by the decoder */
    ftl_handle_t *memory = malloc(handles * sizeof(*memory) + protocol->message_max);
    if (memory == NULL) {
        return false;
    }
    *message = (struct ftl_message){
        .data = memory + handles,
        .capacity = protocol->message_max,
        .handles = memory,
        .handle_capacity = (uint32_t)handles,
    };
    return true;
}

ftl_status_t ftl_server_open(struct ftl_server *server, struct ftl_mainloop *loop)
{
    server->loop = loop;
    server->clients = NULL;
    server->client_count = 0;
    if (!make_room(server->protocol, &server->in)) {
        return FTL_ERR_NO_MEMORY;
    }
    if (!make_room(server->protocol, &server->out)) {
        free(server->in.handles);
        return FTL_ERR_NO_MEMORY;
    }
    return FTL_OK;
}

void ftl_server_close(struct ftl_server *server)
{
    struct ftl_client *next;
    for (struct ftl_client *client = server->clients; client != NULL; client = next) {
        next = client->next;
        ftl_server_drop(client);
    }
    free(server->in.handles);
    free(server->out.handles);
}
