/*
 * The client's side of slots (<ftl/socket_memory.h>) and of the connection to the TCP/IP stack,
 * which all sockets of a process share. What the stack writes into a slot is checked, too. When the
 * stack has ended, its connection is dead, with all slots of it; the next socket makes a new one.
 */
#ifndef POSIX_SOCKET_SLOT_H
#define POSIX_SOCKET_SLOT_H

#include <stdbool.h>

#include <ftl/protocols/socket.h>
#include <ftl/socket_memory.h>

/* Members are this module's own, but for `channel`. */
struct socket_connection {
    ftl_handle_t channel; /* PEER_CLOSED when the stack has ended */
    ftl_handle_t doorbell;
    uint32_t users; /* slots in use, and calls going on */
    bool is_dead;
    struct socket_slot *slots; /* all of them */
    struct socket_slot *spare; /* those not in use; the stack may yet have to be done with them */
};

/* One end of both rings. Its socket has a lock for it. */
struct socket_slot {
    struct socket_connection *connection;
    struct ftl_socket_memory *memory;
    ftl_handle_t readable; /* notifications */
    ftl_handle_t writable;
    uint32_t number;
    uint32_t received;              /* our positions: bytes taken out of memory->received */
    uint32_t sent;                  /* bytes put into memory->sent */
    uint32_t uncredited;            /* bytes taken out since the stack was told */
    struct socket_slot *next;       /* of the connection */
    struct socket_slot *next_spare; /* of those not in use */
};

/* The connection, made if there is none, to be released. Errors: those of connecting. */
ftl_status_t socket_connection_get(struct socket_connection **connection);
void socket_connection_release(struct socket_connection *connection);

/* Whether the stack has ended. Who finds that out wakes all that wait for a slot. */
bool socket_connection_is_dead(struct socket_connection *connection);

/* A slot of the connection in which nothing is open. It goes back either after what was opened in
 * it was closed, or with nothing opened. */
ftl_status_t socket_slot_get(struct socket_connection *connection, struct socket_slot **slot);
void socket_slot_put(struct socket_slot *slot);
void socket_slot_spare(struct socket_slot *slot);

/* FTL_SOCKET_CONNECTED ... bits: LOST and ENDED too when the connection is dead. */
uint32_t socket_slot_state(const struct socket_slot *slot);

/* Bytes that can be taken out, and that can be put in; 0 too when the stack has written what cannot
 * be. */
uint32_t socket_slot_available(const struct socket_slot *slot);
uint32_t socket_slot_room(const struct socket_slot *slot);

/* Copies out of the ring, `offset` bytes behind the first; then takes bytes out. */
void socket_slot_copy(const struct socket_slot *slot, uint32_t offset, void *data, uint32_t size);
void socket_slot_take(struct socket_slot *slot, uint32_t size);

/* Copies into the ring, behind what was put in; then puts that in, and rings. */
void socket_slot_fill(const struct socket_slot *slot, uint32_t offset, const void *data,
                      uint32_t size);
void socket_slot_push(struct socket_slot *slot, uint32_t size);

/* The ready bits are cleared, so that the stack sets them anew; or set, for those who wait. */
void socket_slot_clear(const struct socket_slot *slot, uint32_t bits);
void socket_slot_set(const struct socket_slot *slot, uint32_t bits);

#endif
