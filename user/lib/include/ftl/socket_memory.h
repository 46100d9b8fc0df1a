/*
 * A socket's slot: the memory that a client and the TCP/IP stack share for one socket at a time
 * (protocol `socket`, docs/network.md). A page of control words, and two rings of bytes. Streams
 * are bytes in the rings; other sockets pass records, each beginning with a struct
 * ftl_socket_record.
 *
 * Neither side trusts what the other writes here: each keeps its own position to itself, reads the
 * other's once, and checks it. Positions count bytes and wrap at 2^32.
 */
#ifndef FTL_SOCKET_MEMORY_H
#define FTL_SOCKET_MEMORY_H

#include <ftl/types.h>

#define FTL_SOCKET_RING_SIZE   65536u /* bytes; a power of two */
#define FTL_SOCKET_MEMORY_SIZE (FTL_PAGE_SIZE + 2 * FTL_SOCKET_RING_SIZE)

/*
 * In `ready`. The stack sets a bit, and signals the notification of that name if it was not set;
 * the client clears it there and here when it finds nothing to do, and looks again.
 */
#define FTL_SOCKET_READABLE 1u /* data, a connection to accept, an end or an error */
#define FTL_SOCKET_WRITABLE 2u /* room, a connection made, or an error */
#define FTL_SOCKET_UNUSED   4u /* the slot is unused again; there is no notification of it */

/* In `state`. */
#define FTL_SOCKET_CONNECTED 1u /* a stream's connection is made */
#define FTL_SOCKET_ENDED     2u /* the peer will send no more: behind what is in the ring */
#define FTL_SOCKET_PENDING   4u /* a connection waits to be accepted */
#define FTL_SOCKET_LOST      8u /* there is no connection any more: nothing more is sent either */

/* One direction. */
struct ftl_socket_positions {
    _Alignas(64) uint32_t head; /* the producer's: bytes put in */
    _Alignas(64) uint32_t tail; /* the consumer's: bytes taken out */
};

struct ftl_socket_memory {
    struct ftl_socket_positions received; /* the stack produces */
    struct ftl_socket_positions sent;     /* the client produces */
    _Alignas(64) uint32_t ready;          /* changed by both, atomically */
    uint32_t rung;                        /* 1: the stack has yet to look; changed atomically */
    _Alignas(64) uint32_t state;          /* the stack's */
    ftl_status_t error;                   /* the stack's: why there is no connection any more */
    _Alignas(4096) char received_data[FTL_SOCKET_RING_SIZE];
    char sent_data[FTL_SOCKET_RING_SIZE];
};

/* Of a datagram: where it comes from or goes to. `size` bytes follow, padded to 8. */
struct ftl_socket_record {
    uint32_t size;
    uint16_t port;
    uint8_t family; /* enum of the protocol `socket`; unspecified: to the connected peer */
    uint8_t reserved;
    uint8_t address[16];
    uint32_t scope;
    uint32_t reserved2;
};

/* Bytes of a datagram, so that two fit into a ring. */
#define FTL_SOCKET_DATAGRAM_MAX                                                                    \
    (FTL_SOCKET_RING_SIZE / 2 - (uint32_t)sizeof(struct ftl_socket_record))

/* Bytes of the ring that a record with so much data takes. */
static inline uint32_t ftl_socket_record_space(uint32_t size)
{
    return (uint32_t)sizeof(struct ftl_socket_record) + ((size + 7u) & ~7u);
}

#endif
