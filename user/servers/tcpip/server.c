/*
 * The service `socket`: checks what clients ask for, and passes it on to the socket in the slot
 * that they name. Slots belong to an owner, which is there as long as its client, and longer while
 * sockets in its slots have yet to send what was written.
 */
#include "server.h"

#include <ftl/handle.h>
#include <ftl/notification.h>
#include <ftl/protocols/socket.h>
#include <stdlib.h>
#include <string.h>

#include "interfaces.h"
#include "socket.h"

#define CLIENTS_MAX   256
#define SLOTS_MAX     512 /* of one client */
#define ALL_SLOTS_MAX 4096
#define BELL_BITS     64 /* of a notification */

struct owner {
    bool is_gone; /* the client */
    struct ftl_source doorbell;
    bool attached;
    uint32_t slot_count;
    uint32_t slots_left; /* of these, those that were not destroyed yet */
    struct slot *slots[SLOTS_MAX];
};

static uint32_t all_slots;

static struct owner **owner_in(struct ftl_client *client)
{
    return (struct owner **)(void *)client->state;
}

/* ---- Owners ---- */

/* Without memory for one, all that the client asks for is refused. */
static void opened(struct ftl_client *client)
{
    *owner_in(client) = calloc(1, sizeof(struct owner));
}

static void destroy_slot(struct slot *slot)
{
    struct owner *owner = slot->owner;
    slot_destroy(slot);
    all_slots--;
    if (--owner->slots_left == 0) {
        free(owner);
    }
}

static void slot_unused(struct slot *slot)
{
    if (slot->owner->is_gone) {
        destroy_slot(slot);
    }
}

static void end_slot(struct slot *slot)
{
    if (slot->socket == NULL) {
        destroy_slot(slot);
        return;
    }
    if (!slot->socket->closing) {
        slot->socket->abandoned = true;
        slot->socket->operations->close(slot->socket); /* which may destroy the slot */
    } else {
        socket_abandon(slot->socket);
    }
}

static void closed(struct ftl_client *client)
{
    struct owner *owner = *owner_in(client);
    if (owner == NULL) {
        return;
    }
    if (owner->attached) {
        ftl_mainloop_remove(&owner->doorbell);
        ftl_handle_close(owner->doorbell.handle);
    }
    owner->is_gone = true;
    owner->slots_left++; /* keeps it until the end of this */
    for (uint32_t i = 0; i < owner->slot_count; i++) {
        end_slot(owner->slots[i]);
    }
    if (--owner->slots_left == 0) {
        free(owner);
    }
}

/* ---- Slots ---- */

static void on_doorbell(struct ftl_source *source, uint32_t signals)
{
    struct owner *owner = source->context;
    uint64_t bits = 0;
    (void)signals;
    ftl_notification_clear(source->handle, UINT64_MAX, &bits);
    for (; bits != 0; bits &= bits - 1) {
        uint32_t first = (uint32_t)__builtin_ctzll(bits);
        for (uint32_t i = first; i < owner->slot_count; i += BELL_BITS) {
            struct slot *slot = owner->slots[i];
            if (slot->socket != NULL && slot_rung(slot)) {
                slot->socket->operations->rung(slot->socket);
            }
        }
    }
}

static ftl_status_t handle_attach(void *context, struct socket_attach_request *request)
{
    struct ftl_client *client = context;
    struct owner *owner = *owner_in(client);
    if (owner == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    if (owner->attached) {
        return FTL_ERR_BAD_STATE;
    }
    ftl_status_t status =
        ftl_mainloop_add(client->server->loop, &owner->doorbell, request->doorbell,
                         FTL_SIGNAL_READABLE, on_doorbell, owner);
    if (status == FTL_OK) {
        ftl_ipc_take(&request->doorbell);
        owner->attached = true;
    }
    return status;
}

static ftl_status_t handle_add_slot(void *context, struct socket_add_slot_request *request,
                                    struct socket_add_slot_reply *reply)
{
    struct owner *owner = *owner_in(context);
    if (owner == NULL || !owner->attached) {
        return FTL_ERR_BAD_STATE;
    }
    if (owner->slot_count == SLOTS_MAX || all_slots == ALL_SLOTS_MAX) {
        return FTL_ERR_LIMIT;
    }
    struct slot **slot = &owner->slots[owner->slot_count];
    ftl_status_t status =
        slot_create(owner, slot_unused, request->memory, ftl_ipc_take(&request->readable),
                    ftl_ipc_take(&request->writable), slot);
    if (status == FTL_OK) {
        reply->slot = owner->slot_count++;
        owner->slots_left++;
        all_slots++;
    }
    return status;
}

/* The client's slot of this number; NULL: there is none. */
static struct slot *find_slot(struct ftl_client *client, uint32_t number)
{
    const struct owner *owner = *owner_in(client);
    return owner != NULL && number < owner->slot_count ? owner->slots[number] : NULL;
}

/* The socket in it, which the client has not closed; NULL: there is none. */
static struct socket *find_socket(struct ftl_client *client, uint32_t number)
{
    const struct slot *slot = find_slot(client, number);
    return slot != NULL && slot->socket != NULL && !slot->socket->closing ? slot->socket : NULL;
}

/* FTL_OK, and the unused slot of this number. */
static ftl_status_t find_unused(struct ftl_client *client, uint32_t number, struct slot **slot)
{
    *slot = find_slot(client, number);
    if (*slot == NULL) {
        return FTL_ERR_NOT_FOUND;
    }
    return (*slot)->socket == NULL ? FTL_OK : FTL_ERR_BAD_STATE;
}

/* ---- Sockets ---- */

static ftl_status_t handle_open(void *context, struct socket_open_request *request)
{
    struct slot *slot;
    struct socket *socket;
    ftl_status_t status = find_unused(context, request->slot, &slot);
    if (status != FTL_OK) {
        return status;
    }
    if (request->family == SOCKET_FAMILY_UNSPECIFIED) {
        return FTL_ERR_NOT_SUPPORTED;
    }
    switch (request->kind) {
    case SOCKET_KIND_STREAM: status = tcp_socket_open(request->family, &socket); break;
    case SOCKET_KIND_DATAGRAM: status = udp_socket_open(request->family, &socket); break;
    default: status = echo_socket_open(request->family, &socket); break;
    }
    if (status == FTL_OK) {
        socket_enter(socket, slot);
    }
    return status;
}

static ftl_status_t handle_close(void *context, struct socket_close_request *request)
{
    struct socket *socket = find_socket(context, request->slot);
    if (socket == NULL) {
        return FTL_ERR_NOT_FOUND;
    }
    socket->operations->close(socket);
    return FTL_OK;
}

/* The address in lwIP's form; an unspecified one is any of the socket's family. */
static ftl_status_t local_address(const struct socket *socket, const struct socket_address *from,
                                  ip_addr_t *to)
{
    if (!socket_address_decode(from, to)) {
        if (from->family != SOCKET_FAMILY_UNSPECIFIED) {
            return FTL_ERR_INVALID_ARGUMENT;
        }
        *to = socket->is_ipv6 ? *IP_ANY_TYPE : *IP4_ADDR_ANY;
    }
    if (!socket->is_ipv6 && IP_IS_V6(to)) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    return IP_IS_ANY_TYPE_VAL(*to) || ip_addr_isany(to) || interfaces_have(to) ? FTL_OK
                                                                               : FTL_ERR_NOT_FOUND;
}

static ftl_status_t handle_bind(void *context, struct socket_bind_request *request)
{
    ip_addr_t address;
    struct socket *socket = find_socket(context, request->slot);
    if (socket == NULL) {
        return FTL_ERR_NOT_FOUND;
    }
    if (socket->operations->bind == NULL) {
        return FTL_ERR_NOT_SUPPORTED;
    }
    ftl_status_t status = local_address(socket, &request->address, &address);
    return status == FTL_OK ? socket->operations->bind(socket, &address, request->address.port)
                            : status;
}

static ftl_status_t handle_listen(void *context, struct socket_listen_request *request)
{
    struct socket *socket = find_socket(context, request->slot);
    if (socket == NULL) {
        return FTL_ERR_NOT_FOUND;
    }
    return socket->operations->listen != NULL ? socket->operations->listen(socket, request->backlog)
                                              : FTL_ERR_NOT_SUPPORTED;
}

static ftl_status_t handle_accept(void *context, struct socket_accept_request *request,
                                  struct socket_accept_reply *reply)
{
    struct slot *slot;
    struct socket *accepted;
    struct socket *socket = find_socket(context, request->slot);
    ftl_status_t status = find_unused(context, request->into, &slot);
    if (socket == NULL) {
        return FTL_ERR_NOT_FOUND;
    }
    if (status != FTL_OK) {
        return status;
    }
    if (socket->operations->accept == NULL) {
        return FTL_ERR_NOT_SUPPORTED;
    }
    status = socket->operations->accept(socket, &accepted);
    if (status == FTL_OK) {
        accepted->operations->name(accepted, SOCKET_END_PEER, &reply->peer);
        socket_enter(accepted, slot);
        tcp_socket_entered(accepted);
    }
    return status;
}

static ftl_status_t handle_connect(void *context, struct socket_connect_request *request)
{
    ip_addr_t address;
    struct socket *socket = find_socket(context, request->slot);
    if (socket == NULL) {
        return FTL_ERR_NOT_FOUND;
    }
    if (!socket_address_decode(&request->address, &address)) {
        bool dissolves = request->address.family == SOCKET_FAMILY_UNSPECIFIED &&
                         socket->operations->listen == NULL;
        return dissolves ? socket->operations->connect(socket, NULL, 0) : FTL_ERR_INVALID_ARGUMENT;
    }
    if (!socket->is_ipv6 && IP_IS_V6(&address)) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    return socket->operations->connect(socket, &address, request->address.port);
}

static ftl_status_t handle_shutdown(void *context, struct socket_shutdown_request *request)
{
    struct socket *socket = find_socket(context, request->slot);
    if (socket == NULL) {
        return FTL_ERR_NOT_FOUND;
    }
    return socket->operations->shutdown != NULL ? socket->operations->shutdown(socket, request->how)
                                                : FTL_ERR_NOT_SUPPORTED;
}

static ftl_status_t handle_name(void *context, struct socket_name_request *request,
                                struct socket_name_reply *reply)
{
    struct socket *socket = find_socket(context, request->slot);
    if (socket == NULL) {
        return FTL_ERR_NOT_FOUND;
    }
    return socket->operations->name != NULL
               ? socket->operations->name(socket, request->end, &reply->address)
               : FTL_ERR_NOT_SUPPORTED;
}

static ftl_status_t handle_set_option(void *context, struct socket_set_option_request *request)
{
    struct socket *socket = find_socket(context, request->slot);
    if (socket == NULL) {
        return FTL_ERR_NOT_FOUND;
    }
    return socket->operations->set_option(socket, request->option, request->value);
}

static ftl_status_t handle_get_option(void *context, struct socket_get_option_request *request,
                                      struct socket_get_option_reply *reply)
{
    struct socket *socket = find_socket(context, request->slot);
    if (socket == NULL) {
        return FTL_ERR_NOT_FOUND;
    }
    return socket->operations->get_option != NULL
               ? socket->operations->get_option(socket, request->option, &reply->value)
               : FTL_ERR_NOT_SUPPORTED;
}

static const struct socket_handlers handlers = {
    .attach = handle_attach,
    .add_slot = handle_add_slot,
    .open = handle_open,
    .close = handle_close,
    .bind = handle_bind,
    .listen = handle_listen,
    .accept = handle_accept,
    .connect = handle_connect,
    .shutdown = handle_shutdown,
    .name = handle_name,
    .set_option = handle_set_option,
    .get_option = handle_get_option,
    .resolvers = interfaces_resolvers,
    .interface = interfaces_describe,
};

struct ftl_server socket_server = {
    .protocol = &socket_protocol,
    .handlers = &handlers,
    .state_size = sizeof(struct owner *),
    .clients_max = CLIENTS_MAX,
    .opened = opened,
    .closed = closed,
};
