/* What all kinds of sockets have in common: see socket.h. */
#include "socket.h"

#include <stdlib.h>
#include <string.h>

static size_t socket_count;

struct socket *socket_new(const struct socket_operations *operations, bool is_ipv6)
{
    if (socket_count >= SOCKETS_MAX) {
        return NULL;
    }
    struct socket *socket = calloc(1, sizeof(*socket));
    if (socket != NULL) {
        socket->operations = operations;
        socket->is_ipv6 = is_ipv6;
        socket->linger = -1;
        socket_count++;
    }
    return socket;
}

void socket_free(struct socket *socket)
{
    struct slot *slot = socket->slot;
    if (socket->early != NULL) {
        pbuf_free(socket->early);
    }
    free(socket);
    socket_count--;
    if (slot != NULL) {
        slot_close(slot);
    }
}

void socket_enter(struct socket *socket, struct slot *slot)
{
    socket->slot = slot;
    slot_open(slot, socket);
}

ftl_status_t socket_status(err_t error)
{
    switch (error) {
    case ERR_OK: return FTL_OK;
    case ERR_MEM:
    case ERR_BUF: return FTL_ERR_NO_MEMORY;
    case ERR_TIMEOUT: return FTL_ERR_TIMED_OUT;
    case ERR_RTE: return FTL_ERR_NOT_FOUND;
    case ERR_VAL:
    case ERR_ARG: return FTL_ERR_INVALID_ARGUMENT;
    case ERR_WOULDBLOCK:
    case ERR_INPROGRESS: return FTL_ERR_WOULD_BLOCK;
    case ERR_USE: return FTL_ERR_EXISTS;
    case ERR_ALREADY:
    case ERR_ISCONN:
    case ERR_CONN: return FTL_ERR_BAD_STATE;
    case ERR_ABRT:
    case ERR_RST:
    case ERR_CLSD: return FTL_ERR_PEER_CLOSED;
    default: return FTL_ERR_IO;
    }
}

bool socket_address_decode(const struct socket_address *from, ip_addr_t *to)
{
    memset(to, 0, sizeof(*to));
    switch ((enum socket_family)from->family) {
    case SOCKET_FAMILY_IPV4:
        memcpy(&ip_2_ip4(to)->addr, from->bytes, sizeof(ip_2_ip4(to)->addr));
        IP_SET_TYPE(to, IPADDR_TYPE_V4);
        return true;
    case SOCKET_FAMILY_IPV6:
        memcpy(ip_2_ip6(to)->addr, from->bytes, sizeof(ip_2_ip6(to)->addr));
        ip6_addr_set_zone(ip_2_ip6(to), (uint8_t)from->scope);
        IP_SET_TYPE(to, IPADDR_TYPE_V6);
        return from->scope <= UINT8_MAX;
    default: return false;
    }
}

const ip_addr_t *socket_any(const ip_addr_t *address, const ip_addr_t *local)
{
    return IP_IS_ANY_TYPE_VAL(*address) && !IP_IS_ANY_TYPE_VAL(*local) ? IP6_ADDR_ANY : address;
}

void socket_address_encode(const ip_addr_t *from, uint16_t port, struct socket_address *to)
{
    *to = (struct socket_address){ .port = port };
    if (!IP_IS_V4(from)) {
        to->family = SOCKET_FAMILY_IPV6;
        to->scope = ip6_addr_zone(ip_2_ip6(from));
        memcpy(to->bytes, ip_2_ip6(from)->addr, sizeof(ip_2_ip6(from)->addr));
    } else {
        to->family = SOCKET_FAMILY_IPV4;
        memcpy(to->bytes, &ip_2_ip4(from)->addr, sizeof(ip_2_ip4(from)->addr));
    }
}
