/* Connections to clients: see connections.h. */
#include "connections.h"

#include <ftl/channel.h>
#include <ftl/handle.h>
#include <ftl/notification.h>
#include <ftl/protocols/file.h>
#include <ftl/spawn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "path.h"
#include "service.h"
#include "turns.h"

#define CONNECTIONS_MAX 256u
#define STACK_SIZE      131072u
#define HANDLES         2 /* room for one more than there may be, so that it is seen */

struct connection {
    struct session *session;
    ftl_handle_t channel;
    struct ftl_message in;
    struct ftl_message out;
    ftl_handle_t in_handles[HANDLES];
    ftl_handle_t out_handles[HANDLES];
    _Alignas(8) char in_data[FILE_MESSAGE_MAX];
    _Alignas(8) char out_data[FILE_MESSAGE_MAX];
};
_Static_assert(FILE_HANDLES_MAX < HANDLES, "room for one handle more");

static struct {
    struct turns lock; /* of all there is but the channels */
    ftl_handle_t changed;
    bool is_dirty; /* `changed` was signalled, and the tree has not been written back since */
    uint32_t count;
} connections;

void connections_open(ftl_handle_t changed)
{
    connections.changed = changed;
}

void connections_lock(void)
{
    turns_take(&connections.lock);
}

void connections_unlock(void)
{
    bool was_dirty = connections.is_dirty;
    connections.is_dirty = tree_is_dirty();
    bool is_news = connections.is_dirty && !was_dirty;
    turns_pass(&connections.lock);
    if (is_news) {
        ftl_notification_signal(connections.changed, 1);
    }
}

/* ---- A connection's thread ---- */

static void destroy(struct connection *connection)
{
    ftl_handle_close(connection->channel);
    free(connection);
}

/* Serves until the client has gone, or breaks the rules. */
static void serve(struct connection *connection)
{
    struct ftl_message *in = &connection->in;
    struct ftl_message *out = &connection->out;
    ftl_status_t status = ftl_channel_recv(connection->channel, in, FTL_TIME_INFINITE);
    while (status == FTL_OK) {
        connections_lock();
        status = ftl_ipc_handle(&file_protocol, &file_handlers, connection->session, in, out);
        connections_unlock();
        if (status == FTL_OK) {
            status = ftl_channel_reply_and_recv(connection->channel, in->transaction, out, in,
                                                FTL_TIME_INFINITE);
        }
    }
    ftl_ipc_discard(out); /* a reply that was not sent */
}

static void *run(void *argument)
{
    struct connection *connection = argument;
    serve(connection);
    connections_lock();
    session_destroy(connection->session);
    connections.count--;
    connections_unlock();
    destroy(connection);
    return NULL;
}

static ftl_status_t start(struct connection *connection)
{
    pthread_t thread;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) {
        return FTL_ERR_NO_MEMORY;
    }
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int error = pthread_create(&thread, &attributes, run, connection);
    pthread_attr_destroy(&attributes);
    return error == 0 ? FTL_OK : FTL_ERR_NO_MEMORY;
}

/* Takes the channel and, without an error, the session. */
static ftl_status_t add(struct session *session, ftl_handle_t channel)
{
    ftl_status_t status = FTL_ERR_LIMIT;
    struct connection *connection = NULL;
    if (connections.count < CONNECTIONS_MAX) {
        status = FTL_ERR_NO_MEMORY;
        connection = malloc(sizeof(*connection));
    }
    if (connection == NULL) {
        ftl_handle_close(channel);
        return status;
    }
    connection->session = session;
    connection->channel = channel;
    connection->in = (struct ftl_message){
        .data = connection->in_data,
        .capacity = sizeof(connection->in_data),
        .handles = connection->in_handles,
        .handle_capacity = HANDLES,
    };
    connection->out = (struct ftl_message){
        .data = connection->out_data,
        .capacity = sizeof(connection->out_data),
        .handles = connection->out_handles,
        .handle_capacity = HANDLES,
    };
    status = start(connection);
    if (status != FTL_OK) {
        destroy(connection);
        return status;
    }
    connections.count++;
    return FTL_OK;
}

/* ---- New ones ---- */

ftl_status_t connections_add(struct session *session, ftl_handle_t *client)
{
    ftl_handle_t channel;
    ftl_status_t status = ftl_channel_create(&channel, client);
    if (status != FTL_OK) {
        return status;
    }
    status = add(session, channel);
    if (status != FTL_OK) {
        ftl_ipc_drop(client);
    }
    return status;
}

/* The directory that the limits name. */
static ftl_status_t find_root(const char *path, struct file **root)
{
    struct place top = place_of_root(tree_root());
    struct walk walk;
    ftl_status_t status = walk_to(&walk, top, top, path, true);
    if (status != FTL_OK) {
        return status;
    }
    if (walk.attributes.kind != FILE_KIND_DIRECTORY) {
        walk_end(&walk);
        return FTL_ERR_NOT_DIRECTORY;
    }
    status = file_at(&walk.found, FILE_KIND_DIRECTORY, root);
    walk_end(&walk);
    return status;
}

static ftl_status_t new_session(const char *path, struct session **session)
{
    struct file *root;
    struct opened *opened;
    ftl_status_t status = find_root(path, &root);
    if (status == FTL_OK) {
        status = opened_create(root, 0, &opened);
    }
    if (status != FTL_OK) {
        return status;
    }
    *session = session_create(opened);
    if (*session == NULL) {
        opened_discard(opened);
        return FTL_ERR_NO_MEMORY;
    }
    return FTL_OK;
}

/* A session within these limits. */
static ftl_status_t new_limited_session(const char *limits, struct session **session)
{
    char path[FTL_APP_TEXT_MAX];
    size_t size = strcspn(limits, " ");
    const char *rest = limits + size;
    bool is_read_only = strcmp(rest, " ro") == 0;
    if (size >= sizeof(path) || (rest[0] != '\0' && !is_read_only)) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    memcpy(path, limits, size);
    path[size] = '\0';
    ftl_status_t status = new_session(path, session);
    if (status == FTL_OK) {
        (*session)->is_read_only = is_read_only;
    } else {
        fprintf(stderr, "files: no access for an app that is limited to %s: %s\n", path,
                ftl_strerror(status));
    }
    return status;
}

ftl_status_t connections_accept(struct ftl_server *server, ftl_handle_t channel, const char *limits)
{
    struct session *session;
    (void)server;
    connections_lock();
    ftl_status_t status = new_limited_session(limits, &session);
    if (status != FTL_OK) {
        ftl_handle_close(channel);
    } else {
        status = add(session, channel);
        if (status != FTL_OK) {
            session_destroy(session);
        }
    }
    connections_unlock();
    return status;
}
