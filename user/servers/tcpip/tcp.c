/*
 * Streams: sockets over lwIP's TCP connections. lwIP sends straight out of the ring in the slot:
 * what it was given stays there until the peer has acknowledged it, and a socket that is closed
 * stays in its slot for as long. What is received fits into the other ring always, since the window
 * that the peer has been offered is no larger than what is free there.
 */
#include <lwip/priv/tcp_priv.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/tcp.h>
#include <lwip/sys.h>
#include <lwip/tcp.h>

#include "socket.h"
#include "tcpip_hooks.h"

#define POLL_INTERVAL    2     /* half seconds */
#define LINGER_DEFAULT   60000 /* ms that a closed socket may take to send what is left */
#define LINGER_ABANDONED 5000  /* ms for those of clients that have ended */
#define WRITE_MAX        UINT16_MAX
#define MSEC_PER_SEC     1000

_Static_assert(TCP_WND <= FTL_SOCKET_RING_SIZE, "a window fits into a ring");

/* The connection whose callback is running: lwIP has to be told when that ends it. */
static struct {
    const struct tcp_pcb *pcb;
    bool aborted;
} current;

static const struct socket_operations operations;

/* ---- The connection's end ---- */

/* Lets go of the connection without ending it. */
static struct tcp_pcb *detach(struct socket *socket)
{
    struct tcp_pcb *pcb = socket->tcp;
    socket->tcp = NULL;
    tcp_arg(pcb, NULL);
    if (socket->listening) {
        tcp_accept(pcb, NULL);
    } else {
        tcp_recv(pcb, NULL);
        tcp_sent(pcb, NULL);
        tcp_poll(pcb, NULL, 0);
        tcp_err(pcb, NULL);
    }
    return pcb;
}

static void abort_connection(struct socket *socket)
{
    if (socket->tcp != NULL) {
        struct tcp_pcb *pcb = detach(socket);
        current.aborted |= pcb == current.pcb;
        tcp_abort(pcb);
    }
}

/* There is no connection any more: what the client sees of it. */
static void lose(struct socket *socket, ftl_status_t error)
{
    socket->ended = true;
    socket->queued = 0;
    if (socket->slot == NULL) {
        return;
    }
    if (error != FTL_OK) {
        slot_set_error(socket->slot, error);
    }
    slot_set_state(socket->slot, FTL_SOCKET_ENDED | FTL_SOCKET_LOST);
    slot_notify(socket->slot, FTL_SOCKET_READABLE | FTL_SOCKET_WRITABLE);
}

/* The client has written what cannot be. */
static void give_up(struct socket *socket)
{
    abort_connection(socket);
    lose(socket, FTL_ERR_BAD_FORMAT);
}

/* ---- Ports that are used again ---- */

/* The connection between these ends that has ended and is remembered yet; NULL: none. */
static struct tcp_pcb *find_remembered(const struct ip_hdr *ip, const struct tcp_hdr *tcp)
{
    struct tcp_pcb *pcb = tcp_tw_pcbs;
    while (pcb != NULL &&
           (pcb->remote_port != lwip_ntohs(tcp->src) || pcb->local_port != lwip_ntohs(tcp->dest) ||
            !IP_IS_V4_VAL(pcb->remote_ip) || ip_2_ip4(&pcb->remote_ip)->addr != ip->src.addr ||
            ip_2_ip4(&pcb->local_ip)->addr != ip->dest.addr)) {
        pcb = pcb->next;
    }
    return pcb;
}

/*
 * A client that begins a new connection from a port that it has used a moment ago, with a higher
 * sequence number, has that one forgotten (RFC 1122, 4.2.2.13). lwIP would not answer it for two
 * minutes.
 */
int tcpip_ip4_input(struct pbuf *packet)
{
    const struct ip_hdr *ip = packet->payload;
    if (packet->len < IP_HLEN || IPH_PROTO(ip) != IP_PROTO_TCP ||
        packet->len < IPH_HL_BYTES(ip) + TCP_HLEN) {
        return 0;
    }
    const struct tcp_hdr *tcp = (const void *)((const char *)ip + IPH_HL_BYTES(ip));
    if ((TCPH_FLAGS(tcp) & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN) {
        return 0;
    }
    struct tcp_pcb *pcb = find_remembered(ip, tcp);
    if (pcb != NULL && pcb->callback_arg == NULL &&
        TCP_SEQ_GT(lwip_ntohl(tcp->seqno), pcb->rcv_nxt)) {
        tcp_pcb_remove(&tcp_tw_pcbs, pcb);
        tcp_free(pcb);
    }
    return 0;
}

/* ---- Sending ---- */

/* Has lwIP send what the client has put into the ring, as far as it can take it. */
static void push(struct socket *socket)
{
    struct slot *slot = socket->slot;
    uint32_t available = slot_available(slot);
    if (slot->broken || available < socket->queued) {
        give_up(socket);
        return;
    }
    uint32_t left = available - socket->queued;
    uint32_t room = tcp_sndbuf(socket->tcp);
    left = left < room ? left : room;
    while (left != 0) {
        uint32_t size = left < WRITE_MAX ? left : WRITE_MAX;
        const char *data = slot_piece(slot, socket->queued, &size);
        uint8_t flags = size < left ? TCP_WRITE_FLAG_MORE : 0;
        if (tcp_write(socket->tcp, data, (uint16_t)size, flags) != ERR_OK) {
            break; /* lwIP's pools are used up: again when something was acknowledged, or later */
        }
        socket->queued += size;
        left -= size;
    }
}

/* Whether all that the client has written was acknowledged. */
static bool is_drained(struct socket *socket)
{
    return socket->queued == 0 && slot_available(socket->slot) == 0;
}

/* Whether all that the client has written was given to lwIP. */
static bool is_pushed(struct socket *socket)
{
    return slot_available(socket->slot) == socket->queued;
}

/*
 * Does what can be done now: sends, ends our direction, and lets go of a connection that lwIP may
 * end by itself from here on. A socket that is closed ends with it.
 */
static void settle(struct socket *socket)
{
    if (socket->tcp != NULL && socket->connected && !socket->fin_sent) {
        push(socket);
        if (socket->tcp != NULL && socket->fin_wanted && is_pushed(socket)) {
            socket->fin_sent = tcp_shutdown(socket->tcp, 0, 1) == ERR_OK;
        }
        if (socket->tcp != NULL) {
            tcp_output(socket->tcp);
        }
    }
    if (socket->tcp != NULL && socket->fin_sent && is_drained(socket)) {
        if (socket->ended) {
            detach(socket);
        } else if (socket->closing) {
            tcp_close(detach(socket));
        }
    }
    if (socket->closing && socket->tcp == NULL) {
        socket_free(socket);
    }
}

/* ---- What lwIP tells of a connection ---- */

static err_t leave_callback(void)
{
    bool aborted = current.aborted;
    current.pcb = NULL;
    current.aborted = false;
    return aborted ? ERR_ABRT : ERR_OK;
}

/* Keeps what comes before the connection is accepted, in memory of our own. */
static bool keep_early(struct socket *socket, struct pbuf *data)
{
    struct pbuf *copy = pbuf_clone(PBUF_RAW, PBUF_RAM, data);
    if (copy == NULL) {
        return false;
    }
    if (socket->early == NULL) {
        socket->early = copy;
    } else {
        pbuf_cat(socket->early, copy);
    }
    return true;
}

/* Puts what has come into the ring. False: it does not fit, which is the client's doing. */
static bool deliver(struct socket *socket, const struct pbuf *data)
{
    uint32_t offset = 0;
    if (slot_room(socket->slot) < data->tot_len) {
        return false;
    }
    for (const struct pbuf *part = data; part != NULL; part = part->next) {
        slot_write(socket->slot, offset, part->payload, part->len);
        offset += part->len;
    }
    slot_put(socket->slot, offset);
    slot_notify(socket->slot, FTL_SOCKET_READABLE);
    return true;
}

static err_t on_received(void *context, struct tcp_pcb *pcb, struct pbuf *data, err_t error)
{
    struct socket *socket = context;
    (void)error;
    current.pcb = pcb;
    if (data == NULL) {
        socket->ended = true;
        if (socket->slot != NULL) {
            slot_set_state(socket->slot, FTL_SOCKET_ENDED);
            slot_notify(socket->slot, FTL_SOCKET_READABLE);
            settle(socket);
        }
        return leave_callback();
    }
    if (socket->slot == NULL) {
        if (!keep_early(socket, data)) {
            current.pcb = NULL;
            return ERR_MEM; /* lwIP keeps it, and tries again */
        }
    } else if (socket->closing) {
        tcp_recved(pcb, data->tot_len); /* nobody wants it any more */
    } else if (!deliver(socket, data)) {
        give_up(socket);
    }
    pbuf_free(data);
    return leave_callback();
}

static err_t on_sent(void *context, struct tcp_pcb *pcb, uint16_t size)
{
    struct socket *socket = context;
    current.pcb = pcb;
    if (socket->slot != NULL) {
        socket->queued -= size;
        slot_take(socket->slot, size);
        slot_notify(socket->slot, FTL_SOCKET_WRITABLE);
        settle(socket);
    }
    return leave_callback();
}

static err_t on_poll(void *context, struct tcp_pcb *pcb)
{
    struct socket *socket = context;
    current.pcb = pcb;
    if (socket->closing && (int32_t)(sys_now() - socket->linger_until) >= 0) {
        abort_connection(socket);
    }
    if (socket->slot != NULL) {
        settle(socket);
    }
    return leave_callback();
}

static void leave_listener(struct socket *socket);

static void on_error(void *context, err_t error)
{
    struct socket *socket = context;
    ftl_status_t status = socket_status(error);
    socket->tcp = NULL; /* lwIP has freed it */
    if (error == ERR_RST && !socket->connected) {
        status = FTL_ERR_NOT_FOUND;
    } else if (error == ERR_ABRT) {
        status = FTL_ERR_TIMED_OUT; /* its timers gave up: we abort without being told */
    } else if (error == ERR_CLSD) {
        status = FTL_OK; /* in good order */
    }
    if (socket->listener != NULL) {
        leave_listener(socket);
        socket_free(socket);
    } else if (socket->closing) {
        socket_free(socket);
    } else {
        lose(socket, status);
    }
}

static void watch(struct socket *socket, struct tcp_pcb *pcb)
{
    socket->tcp = pcb;
    tcp_arg(pcb, socket);
    tcp_recv(pcb, on_received);
    tcp_sent(pcb, on_sent);
    tcp_poll(pcb, on_poll, POLL_INTERVAL);
    tcp_err(pcb, on_error);
}

/* ---- Making connections ---- */

ftl_status_t tcp_socket_open(enum socket_family family, struct socket **opened)
{
    bool is_ipv6 = family == SOCKET_FAMILY_IPV6;
    struct socket *socket = socket_new(&operations, is_ipv6);
    if (socket == NULL) {
        return FTL_ERR_LIMIT;
    }
    struct tcp_pcb *pcb = tcp_new_ip_type(is_ipv6 ? IPADDR_TYPE_ANY : IPADDR_TYPE_V4);
    if (pcb == NULL) {
        socket_free(socket);
        return FTL_ERR_LIMIT;
    }
    watch(socket, pcb);
    *opened = socket;
    return FTL_OK;
}

/* Whether the connection was not used for anything yet. */
static bool is_fresh(const struct socket *socket)
{
    return socket->tcp != NULL && !socket->listening && socket->tcp->state == CLOSED;
}

static ftl_status_t bind_stream(struct socket *socket, const ip_addr_t *address, uint16_t port)
{
    if (!is_fresh(socket) || socket->tcp->local_port != 0) { /* lwIP would list it twice */
        return FTL_ERR_BAD_STATE;
    }
    const ip_addr_t *any = socket_any(address, &socket->tcp->local_ip);
    return socket_status(tcp_bind(socket->tcp, any, port));
}

static err_t on_connected(void *context, struct tcp_pcb *pcb, err_t error)
{
    struct socket *socket = context;
    (void)error;
    current.pcb = pcb;
    socket->connected = true;
    slot_set_state(socket->slot, FTL_SOCKET_CONNECTED);
    slot_notify(socket->slot, FTL_SOCKET_WRITABLE);
    settle(socket);
    return leave_callback();
}

static ftl_status_t connect_stream(struct socket *socket, const ip_addr_t *address, uint16_t port)
{
    if (!is_fresh(socket)) {
        return FTL_ERR_BAD_STATE;
    }
    return socket_status(tcp_connect(socket->tcp, address, port, on_connected));
}

/* ---- Listening ---- */

static void leave_listener(struct socket *socket)
{
    struct socket *listener = socket->listener;
    struct socket **link = &listener->waiting;
    while (*link != socket) {
        link = &(*link)->next;
    }
    *link = socket->next;
    listener->waiting_count--;
    socket->listener = NULL;
    if (listener->waiting == NULL) {
        slot_clear_state(listener->slot, FTL_SOCKET_PENDING);
    }
}

static err_t on_accept(void *context, struct tcp_pcb *pcb, err_t error)
{
    struct socket *listener = context;
    if (error != ERR_OK || pcb == NULL || listener->waiting_count >= listener->backlog) {
        return ERR_MEM;
    }
    struct socket *socket = socket_new(&operations, listener->is_ipv6);
    if (socket == NULL) {
        return ERR_MEM;
    }
    struct socket **link = &listener->waiting;
    while (*link != NULL) {
        link = &(*link)->next;
    }
    *link = socket;
    listener->waiting_count++;
    socket->listener = listener;
    socket->connected = true;
    watch(socket, pcb);
    tcp_backlog_delayed(pcb);
    slot_set_state(listener->slot, FTL_SOCKET_PENDING);
    slot_notify(listener->slot, FTL_SOCKET_READABLE);
    return ERR_OK;
}

static ftl_status_t listen_stream(struct socket *socket, uint32_t backlog)
{
    err_t error = ERR_OK;
    uint8_t limit = backlog < UINT8_MAX ? (uint8_t)backlog : UINT8_MAX;
    socket->backlog = limit == 0 ? 1 : limit;
    if (socket->listening) {
        tcp_backlog_set(socket->tcp, (uint8_t)socket->backlog);
        return FTL_OK;
    }
    if (!is_fresh(socket)) {
        return FTL_ERR_BAD_STATE;
    }
    struct tcp_pcb *pcb =
        tcp_listen_with_backlog_and_err(socket->tcp, (uint8_t)socket->backlog, &error);
    if (pcb == NULL) {
        return socket_status(error);
    }
    socket->tcp = pcb; /* in place of the former one */
    socket->listening = true;
    tcp_arg(pcb, socket);
    tcp_accept(pcb, on_accept);
    return FTL_OK;
}

static ftl_status_t accept_stream(struct socket *listener, struct socket **accepted)
{
    struct socket *socket = listener->waiting;
    if (!listener->listening) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    if (socket == NULL) {
        return FTL_ERR_WOULD_BLOCK;
    }
    leave_listener(socket);
    tcp_backlog_accepted(socket->tcp);
    *accepted = socket;
    return FTL_OK;
}

void tcp_socket_entered(struct socket *socket)
{
    struct pbuf *early = socket->early;
    socket->early = NULL;
    slot_set_state(socket->slot, FTL_SOCKET_CONNECTED | (socket->ended ? FTL_SOCKET_ENDED : 0));
    if (early != NULL) {
        deliver(socket, early); /* it fits into the window, and so here */
        pbuf_free(early);
    } else if (socket->ended) {
        slot_notify(socket->slot, FTL_SOCKET_READABLE);
    }
}

/* ---- What the client does ---- */

static void rung(struct socket *socket)
{
    if (socket->tcp == NULL || socket->listening) {
        return;
    }
    uint32_t consumed = slot_consumed(socket->slot);
    if (socket->slot->broken) {
        give_up(socket);
        return;
    }
    while (consumed != 0) {
        uint16_t part = consumed < UINT16_MAX ? (uint16_t)consumed : UINT16_MAX;
        tcp_recved(socket->tcp, part);
        consumed -= part;
    }
    settle(socket);
}

static ftl_status_t shutdown_stream(struct socket *socket, enum socket_how how)
{
    if (!socket->connected || socket->listening) {
        return FTL_ERR_BAD_STATE;
    }
    if (how != SOCKET_HOW_READ) { /* reading is ended by the client's side alone */
        socket->fin_wanted = true;
        settle(socket);
    }
    return FTL_OK;
}

static void close_listener(struct socket *socket)
{
    while (socket->waiting != NULL) {
        struct socket *waiting = socket->waiting;
        leave_listener(waiting);
        abort_connection(waiting);
        socket_free(waiting);
    }
    tcp_close(detach(socket));
    socket_free(socket);
}

static void close_stream(struct socket *socket)
{
    if (socket->listening) {
        close_listener(socket);
        return;
    }
    socket->closing = true;
    socket->fin_wanted = true;
    socket->linger_until = sys_now() + (socket->abandoned ? LINGER_ABANDONED : LINGER_DEFAULT);
    if (socket->tcp != NULL && (!socket->connected || socket->linger == 0)) {
        abort_connection(socket);
    }
    if (socket->tcp != NULL && !socket->slot->broken) {
        uint32_t left = slot_consumed(socket->slot);
        if (left != 0 && !socket->slot->broken) {
            tcp_recved(socket->tcp, (uint16_t)left);
        }
    }
    settle(socket);
}

void socket_abandon(struct socket *socket)
{
    socket->abandoned = true;
    socket->linger_until = sys_now() + LINGER_ABANDONED;
}

static ftl_status_t name_stream(struct socket *socket, enum socket_end end,
                                struct socket_address *name)
{
    struct tcp_pcb *pcb = socket->tcp;
    if (pcb == NULL || (end == SOCKET_END_PEER && !socket->connected)) {
        return FTL_ERR_BAD_STATE;
    }
    if (end == SOCKET_END_PEER) {
        socket_address_encode(&pcb->remote_ip, pcb->remote_port, name);
    } else {
        socket_address_encode(&pcb->local_ip, pcb->local_port, name);
    }
    return FTL_OK;
}

/* ---- Options ---- */

/* The lwIP bit of an option that is one; 0: of another kind. */
static uint8_t option_bit(enum socket_option option)
{
    switch (option) {
    case SOCKET_OPTION_REUSE_ADDRESS: return SOF_REUSEADDR;
    case SOCKET_OPTION_KEEP_ALIVE: return SOF_KEEPALIVE;
    default: return 0;
    }
}

/* Where an option of so many seconds is kept in ms, or NULL. */
static uint32_t *option_time(struct tcp_pcb *pcb, enum socket_option option)
{
    switch (option) {
    case SOCKET_OPTION_KEEP_IDLE: return &pcb->keep_idle;
    case SOCKET_OPTION_KEEP_INTERVAL: return &pcb->keep_intvl;
    default: return NULL;
    }
}

static ftl_status_t set_connection_option(struct socket *socket, enum socket_option option,
                                          int32_t value)
{
    struct tcp_pcb *pcb = socket->tcp;
    uint32_t *time = option_time(pcb, option);
    if (time != NULL || option == SOCKET_OPTION_KEEP_COUNT) {
        if (value <= 0 || value > INT16_MAX) {
            return FTL_ERR_INVALID_ARGUMENT;
        }
        if (time != NULL) {
            *time = (uint32_t)value * MSEC_PER_SEC;
        } else {
            pcb->keep_cnt = (uint32_t)value;
        }
        return FTL_OK;
    }
    if (option != SOCKET_OPTION_NO_DELAY) {
        return FTL_ERR_NOT_SUPPORTED;
    }
    if (value != 0) {
        tcp_nagle_disable(pcb);
    } else {
        tcp_nagle_enable(pcb);
    }
    return FTL_OK;
}

static ftl_status_t set_stream_option(struct socket *socket, enum socket_option option,
                                      int32_t value)
{
    struct tcp_pcb *pcb = socket->tcp;
    if (pcb == NULL) {
        return FTL_ERR_BAD_STATE;
    }
    if (option_bit(option) != 0) {
        if (value != 0) {
            ip_set_option(pcb, option_bit(option));
        } else {
            ip_reset_option(pcb, option_bit(option));
        }
        return FTL_OK;
    }
    switch (option) {
    case SOCKET_OPTION_LINGER: socket->linger = value; return FTL_OK;
    case SOCKET_OPTION_TTL:
        if (value <= 0 || value > UINT8_MAX) {
            return FTL_ERR_INVALID_ARGUMENT;
        }
        pcb->ttl = (uint8_t)value;
        return FTL_OK;
    case SOCKET_OPTION_IPV6_ONLY:
        if (!socket->is_ipv6 || !is_fresh(socket) || pcb->local_port != 0) {
            return FTL_ERR_INVALID_ARGUMENT;
        }
        IP_SET_TYPE_VAL(pcb->local_ip, value != 0 ? IPADDR_TYPE_V6 : IPADDR_TYPE_ANY);
        return FTL_OK;
    default:
        return socket->listening ? FTL_ERR_NOT_SUPPORTED
                                 : set_connection_option(socket, option, value);
    }
}

static ftl_status_t get_stream_option(struct socket *socket, enum socket_option option,
                                      int32_t *value)
{
    struct tcp_pcb *pcb = socket->tcp;
    if (option == SOCKET_OPTION_ACCEPTING) {
        *value = socket->listening ? 1 : 0;
        return FTL_OK;
    }
    if (option == SOCKET_OPTION_LINGER) {
        *value = socket->linger;
        return FTL_OK;
    }
    if (pcb == NULL) {
        return FTL_ERR_BAD_STATE;
    }
    if (option_bit(option) != 0) {
        *value = ip_get_option(pcb, option_bit(option)) ? 1 : 0;
    } else if (option == SOCKET_OPTION_TTL) {
        *value = pcb->ttl;
    } else if (option == SOCKET_OPTION_IPV6_ONLY && socket->is_ipv6) {
        *value = IP_IS_ANY_TYPE_VAL(pcb->local_ip) ? 0 : 1;
    } else if (socket->listening) {
        return FTL_ERR_NOT_SUPPORTED;
    } else if (option == SOCKET_OPTION_NO_DELAY) {
        *value = tcp_nagle_disabled(pcb) ? 1 : 0;
    } else if (option == SOCKET_OPTION_KEEP_COUNT) {
        *value = (int32_t)pcb->keep_cnt;
    } else if (option_time(pcb, option) != NULL) {
        *value = (int32_t)(*option_time(pcb, option) / MSEC_PER_SEC);
    } else {
        return FTL_ERR_NOT_SUPPORTED;
    }
    return FTL_OK;
}

static const struct socket_operations operations = {
    .rung = rung,
    .close = close_stream,
    .bind = bind_stream,
    .listen = listen_stream,
    .accept = accept_stream,
    .connect = connect_stream,
    .shutdown = shutdown_stream,
    .name = name_stream,
    .set_option = set_stream_option,
    .get_option = get_stream_option,
};
