/*
 * Sockets: what the protocol `socket` opens in slots. socket.c is what all kinds have in common;
 * tcp.c makes streams of lwIP's connections, datagram.c the others. A socket is in a slot but for a
 * connection that waits to be accepted.
 */
#ifndef TCPIP_SOCKET_H
#define TCPIP_SOCKET_H

#include <lwip/ip_addr.h>
#include <lwip/pbuf.h>

#include <ftl/protocols/socket.h>

#include "slot.h"

/* What the kinds do differently. A NULL is not supported; `close` and `rung` are always there. */
struct socket_operations {
    void (*rung)(struct socket *socket);  /* the client has put in or taken out data */
    void (*close)(struct socket *socket); /* the client needs it no more; ends in socket_free() */
    ftl_status_t (*bind)(struct socket *socket, const ip_addr_t *address, uint16_t port);
    ftl_status_t (*listen)(struct socket *socket, uint32_t backlog);
    ftl_status_t (*accept)(struct socket *socket, struct socket **accepted);
    ftl_status_t (*connect)(struct socket *socket, const ip_addr_t *address, uint16_t port);
    ftl_status_t (*shutdown)(struct socket *socket, enum socket_how how);
    ftl_status_t (*name)(struct socket *socket, enum socket_end end, struct socket_address *name);
    ftl_status_t (*set_option)(struct socket *socket, enum socket_option option, int32_t value);
    ftl_status_t (*get_option)(struct socket *socket, enum socket_option option, int32_t *value);
};

struct tcp_pcb;
struct udp_pcb;
struct raw_pcb;

struct socket {
    const struct socket_operations *operations;
    struct slot *slot; /* NULL: it waits to be accepted */
    bool is_ipv6;
    union {
        struct tcp_pcb *tcp; /* NULL: there is no connection any more */
        struct udp_pcb *udp;
        struct raw_pcb *raw;
    };
    /* Streams. */
    bool listening;
    bool connected;
    bool ended;      /* the peer has ended its direction */
    bool fin_wanted; /* ours is to be ended behind what is in the ring */
    bool fin_sent;
    bool closing;          /* the client has closed it */
    bool abandoned;        /* and ended: its memory is kept for this alone */
    uint32_t queued;       /* bytes of the ring that lwIP has, and that were not acknowledged */
    uint32_t linger_until; /* sys_now() at which a closing one is given up */
    int32_t linger;        /* seconds; -1: as usual */
    struct pbuf *early;    /* what came before it was accepted */
    struct socket *listener;
    struct socket *waiting; /* of a listener: the connection that has waited longest */
    struct socket *next;    /* of those that wait */
    uint32_t waiting_count;
    uint32_t backlog;
    /* Echo sockets. */
    uint16_t identifier;
};

/* How many sockets there may be, those that wait to be accepted included. */
#define SOCKETS_MAX 2048

/* An empty socket; NULL: no memory, or too many. */
struct socket *socket_new(const struct socket_operations *operations, bool is_ipv6);

/* Ends it: its slot is unused from now on. */
void socket_free(struct socket *socket);

/* Puts it into an unused slot. */
void socket_enter(struct socket *socket, struct slot *slot);

/* Open a socket, to be put into a slot. LIMIT: lwIP has no room. */
ftl_status_t tcp_socket_open(enum socket_family family, struct socket **opened);
ftl_status_t udp_socket_open(enum socket_family family, struct socket **opened);
ftl_status_t echo_socket_open(enum socket_family family, struct socket **opened);

/* What an accepted socket does once it is in its slot. */
void tcp_socket_entered(struct socket *socket);

/* A client was there whose memory is gone with it: sends what is left without waiting for long. */
void socket_abandon(struct socket *socket);

/* The status for an lwIP error. */
ftl_status_t socket_status(err_t error);

/* Addresses of the protocol and lwIP's. False: it has no known family. */
bool socket_address_decode(const struct socket_address *from, ip_addr_t *to);
/* The address to bind to, when `address` is any one at all but the socket is for IPv6 alone. */
const ip_addr_t *socket_any(const ip_addr_t *address, const ip_addr_t *local);
void socket_address_encode(const ip_addr_t *from, uint16_t port, struct socket_address *to);

#endif
