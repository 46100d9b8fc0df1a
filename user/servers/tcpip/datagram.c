/*
 * Datagram sockets over lwIP's UDP, and echo sockets over its raw ICMP. Both pass records through
 * the rings: struct ftl_socket_record, then the data. What comes while the ring is full is lost, as
 * it may be on any network.
 */
#include <lwip/icmp.h>
#include <lwip/icmp6.h>
#include <lwip/inet_chksum.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/ip6.h>
#include <lwip/raw.h>
#include <lwip/udp.h>
#include <string.h>

#include "socket.h"

#define ECHO_SIZE_MIN 8 /* bytes of the header of an echo request */

static const struct socket_operations udp_operations;
static const struct socket_operations echo_operations;

/* ---- Receiving ---- */

/* Puts a record into the ring, with what is in `data` behind its first `skip` bytes. */
static void deliver(struct socket *socket, const struct pbuf *data, uint16_t skip,
                    const ip_addr_t *address, uint16_t port)
{
    struct slot *slot = socket->slot;
    uint32_t size = (uint32_t)data->tot_len - skip;
    struct ftl_socket_record record = { .size = size, .port = port };
    struct socket_address from;
    if (slot_room(slot) < ftl_socket_record_space(size)) {
        return;
    }
    socket_address_encode(address, port, &from);
    record.family = from.family;
    record.scope = from.scope;
    memcpy(record.address, from.bytes, sizeof(record.address));
    slot_write(slot, 0, &record, sizeof(record));
    uint32_t offset = sizeof(record);
    for (const struct pbuf *part = data; part != NULL; part = part->next) {
        uint16_t skipped = skip < part->len ? skip : part->len;
        slot_write(slot, offset, (const char *)part->payload + skipped, part->len - skipped);
        offset += part->len - skipped;
        skip = (uint16_t)(skip - skipped);
    }
    slot_put(slot, ftl_socket_record_space(size));
    slot_notify(slot, FTL_SOCKET_READABLE);
}

static void on_datagram(void *context, struct udp_pcb *pcb, struct pbuf *data,
                        const ip_addr_t *address, uint16_t port)
{
    (void)pcb;
    deliver(context, data, 0, address, port);
    pbuf_free(data);
}

/*
 * Answers to this socket's requests are delivered, from the ICMP header on; lwIP goes on with all.
 */
static uint8_t on_icmp(void *context, struct raw_pcb *pcb, struct pbuf *data,
                       const ip_addr_t *address)
{
    struct socket *socket = context;
    struct icmp_echo_hdr header;
    uint16_t skip = ip_current_header_tot_len();
    uint8_t wanted = socket->is_ipv6 ? ICMP6_TYPE_EREP : ICMP_ER;
    (void)pcb;
    if (pbuf_copy_partial(data, &header, sizeof(header), skip) != sizeof(header)) {
        return 0;
    }
    if (header.type == wanted && header.id == lwip_htons(socket->identifier)) {
        deliver(socket, data, skip, address, 0);
    }
    return 0;
}

/* ---- Sending ---- */

/* The bytes of the ring, as lwIP takes them; NULL: no memory. */
static struct pbuf *copy_out(const struct slot *slot, uint32_t offset, uint32_t size)
{
    struct pbuf *data = pbuf_alloc(PBUF_TRANSPORT, (uint16_t)size, PBUF_RAM);
    if (data != NULL) {
        slot_read(slot, offset, data->payload, size);
    }
    return data;
}

static void send_datagram(struct socket *socket, struct pbuf *data, const ip_addr_t *address,
                          uint16_t port)
{
    if (address == NULL) {
        udp_send(socket->udp, data);
    } else {
        udp_sendto(socket->udp, data, address, port);
    }
}

/* Echo requests are sent, with the socket's own identifier; all else is dropped. */
static void send_echo(struct socket *socket, struct pbuf *data, const ip_addr_t *address,
                      uint16_t port)
{
    struct icmp_echo_hdr *header = data->payload;
    uint8_t request = socket->is_ipv6 ? ICMP6_TYPE_EREQ : ICMP_ECHO;
    (void)port;
    if (data->len < ECHO_SIZE_MIN || header->type != request || header->code != 0) {
        return;
    }
    header->id = lwip_htons(socket->identifier);
    if (!socket->is_ipv6) { /* of ICMPv6, lwIP makes the checksum */
        header->chksum = 0;
        header->chksum = inet_chksum(data->payload, data->len);
    }
    if (address == NULL) {
        raw_send(socket->raw, data);
    } else {
        raw_sendto(socket->raw, data, address);
    }
}

/* Sends the next record of those in the first *available bytes; false: there is none. */
static bool send_next(struct socket *socket, uint32_t *available)
{
    struct slot *slot = socket->slot;
    struct ftl_socket_record record;
    struct socket_address to;
    ip_addr_t address;
    if (slot->broken || *available < sizeof(record)) {
        return false;
    }
    slot_read(slot, 0, &record, sizeof(record));
    if (record.size > FTL_SOCKET_DATAGRAM_MAX ||
        ftl_socket_record_space(record.size) > *available) {
        slot->broken = true;
        return false;
    }
    to = (struct socket_address){ .scope = record.scope, .family = record.family };
    memcpy(to.bytes, record.address, sizeof(to.bytes));
    bool has_address = socket_address_decode(&to, &address);
    struct pbuf *data = copy_out(slot, sizeof(record), record.size);
    slot_take(slot, ftl_socket_record_space(record.size));
    *available -= ftl_socket_record_space(record.size);
    if (data != NULL) {
        if (socket->operations == &udp_operations) {
            send_datagram(socket, data, has_address ? &address : NULL, record.port);
        } else {
            send_echo(socket, data, has_address ? &address : NULL, record.port);
        }
        pbuf_free(data);
    }
    return true;
}

static void rung(struct socket *socket)
{
    bool sent = false;
    uint32_t available =
        slot_available(socket->slot); /* what comes from now on is rung for again */
    while (send_next(socket, &available)) {
        sent = true;
    }
    if (socket->slot->broken) {
        slot_set_error(socket->slot, FTL_ERR_BAD_FORMAT);
        slot_set_state(socket->slot, FTL_SOCKET_ENDED | FTL_SOCKET_LOST);
        slot_notify(socket->slot, FTL_SOCKET_READABLE | FTL_SOCKET_WRITABLE);
    } else if (sent) {
        slot_notify(socket->slot, FTL_SOCKET_WRITABLE);
    }
}

/* ---- UDP ---- */

ftl_status_t udp_socket_open(enum socket_family family, struct socket **opened)
{
    bool is_ipv6 = family == SOCKET_FAMILY_IPV6;
    struct socket *socket = socket_new(&udp_operations, is_ipv6);
    if (socket == NULL) {
        return FTL_ERR_LIMIT;
    }
    socket->udp = udp_new_ip_type(is_ipv6 ? IPADDR_TYPE_ANY : IPADDR_TYPE_V4);
    if (socket->udp == NULL) {
        socket_free(socket);
        return FTL_ERR_LIMIT;
    }
    udp_recv(socket->udp, on_datagram, socket);
    *opened = socket;
    return FTL_OK;
}

static void udp_close(struct socket *socket)
{
    rung(socket); /* what was written is still sent */
    udp_remove(socket->udp);
    socket_free(socket);
}

static ftl_status_t udp_bind_socket(struct socket *socket, const ip_addr_t *address, uint16_t port)
{
    if (socket->udp->local_port != 0) {
        return FTL_ERR_BAD_STATE;
    }
    const ip_addr_t *any = socket_any(address, &socket->udp->local_ip);
    return socket_status(udp_bind(socket->udp, any, port));
}

static ftl_status_t udp_connect_socket(struct socket *socket, const ip_addr_t *address,
                                       uint16_t port)
{
    if (address == NULL) {
        udp_disconnect(socket->udp);
        slot_clear_state(socket->slot, FTL_SOCKET_CONNECTED);
        return FTL_OK;
    }
    ftl_status_t status = socket_status(udp_connect(socket->udp, address, port));
    if (status == FTL_OK) {
        slot_set_state(socket->slot, FTL_SOCKET_CONNECTED);
    }
    return status;
}

static ftl_status_t udp_name(struct socket *socket, enum socket_end end,
                             struct socket_address *name)
{
    const struct udp_pcb *pcb = socket->udp;
    if (end == SOCKET_END_LOCAL) {
        socket_address_encode(&pcb->local_ip, pcb->local_port, name);
        return FTL_OK;
    }
    if ((pcb->flags & UDP_FLAGS_CONNECTED) == 0) {
        return FTL_ERR_BAD_STATE;
    }
    socket_address_encode(&pcb->remote_ip, pcb->remote_port, name);
    return FTL_OK;
}

static uint8_t option_bit(enum socket_option option)
{
    switch (option) {
    case SOCKET_OPTION_REUSE_ADDRESS: return SOF_REUSEADDR;
    case SOCKET_OPTION_BROADCAST: return SOF_BROADCAST;
    default: return 0;
    }
}

static ftl_status_t udp_set_option(struct socket *socket, enum socket_option option, int32_t value)
{
    struct udp_pcb *pcb = socket->udp;
    if (option_bit(option) != 0) {
        if (value != 0) {
            ip_set_option(pcb, option_bit(option));
        } else {
            ip_reset_option(pcb, option_bit(option));
        }
        return FTL_OK;
    }
    if (option == SOCKET_OPTION_TTL && value > 0 && value <= UINT8_MAX) {
        pcb->ttl = (uint8_t)value;
        return FTL_OK;
    }
    if (option == SOCKET_OPTION_IPV6_ONLY && socket->is_ipv6 && pcb->local_port == 0) {
        IP_SET_TYPE_VAL(pcb->local_ip, value != 0 ? IPADDR_TYPE_V6 : IPADDR_TYPE_ANY);
        return FTL_OK;
    }
    return option == SOCKET_OPTION_TTL || option == SOCKET_OPTION_IPV6_ONLY
               ? FTL_ERR_INVALID_ARGUMENT
               : FTL_ERR_NOT_SUPPORTED;
}

static ftl_status_t udp_get_option(struct socket *socket, enum socket_option option, int32_t *value)
{
    const struct udp_pcb *pcb = socket->udp;
    if (option_bit(option) != 0) {
        *value = ip_get_option(pcb, option_bit(option)) ? 1 : 0;
    } else if (option == SOCKET_OPTION_TTL) {
        *value = pcb->ttl;
    } else if (option == SOCKET_OPTION_ACCEPTING) {
        *value = 0;
    } else if (option == SOCKET_OPTION_IPV6_ONLY && socket->is_ipv6) {
        *value = IP_IS_ANY_TYPE_VAL(pcb->local_ip) ? 0 : 1;
    } else {
        return FTL_ERR_NOT_SUPPORTED;
    }
    return FTL_OK;
}

static const struct socket_operations udp_operations = {
    .rung = rung,
    .close = udp_close,
    .bind = udp_bind_socket,
    .connect = udp_connect_socket,
    .name = udp_name,
    .set_option = udp_set_option,
    .get_option = udp_get_option,
};

/* ---- Echo ---- */

ftl_status_t echo_socket_open(enum socket_family family, struct socket **opened)
{
    static uint16_t next_identifier;
    bool is_ipv6 = family == SOCKET_FAMILY_IPV6;
    struct socket *socket = socket_new(&echo_operations, is_ipv6);
    if (socket == NULL) {
        return FTL_ERR_LIMIT;
    }
    socket->raw = is_ipv6 ? raw_new_ip_type(IPADDR_TYPE_V6, IP6_NEXTH_ICMP6)
                          : raw_new_ip_type(IPADDR_TYPE_V4, IP_PROTO_ICMP);
    if (socket->raw == NULL) {
        socket_free(socket);
        return FTL_ERR_LIMIT;
    }
    if (is_ipv6) {
        socket->raw->chksum_reqd = 1;
        socket->raw->chksum_offset = offsetof(struct icmp6_echo_hdr, chksum);
    }
    socket->identifier = ++next_identifier;
    raw_recv(socket->raw, on_icmp, socket);
    *opened = socket;
    return FTL_OK;
}

static void echo_close(struct socket *socket)
{
    rung(socket);
    raw_remove(socket->raw);
    socket_free(socket);
}

static ftl_status_t echo_connect(struct socket *socket, const ip_addr_t *address, uint16_t port)
{
    (void)port;
    if (address == NULL) {
        raw_disconnect(socket->raw);
        slot_clear_state(socket->slot, FTL_SOCKET_CONNECTED);
        return FTL_OK;
    }
    slot_set_state(socket->slot, FTL_SOCKET_CONNECTED);
    return socket_status(raw_connect(socket->raw, address));
}

static ftl_status_t echo_set_option(struct socket *socket, enum socket_option option, int32_t value)
{
    if (option != SOCKET_OPTION_TTL) {
        return FTL_ERR_NOT_SUPPORTED;
    }
    if (value <= 0 || value > UINT8_MAX) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    socket->raw->ttl = (uint8_t)value;
    return FTL_OK;
}

static const struct socket_operations echo_operations = {
    .rung = rung,
    .close = echo_close,
    .connect = echo_connect,
    .set_option = echo_set_option,
};
