/*
 * Slots, from the stack's side: the memory that a client shares with it for one socket at a time
 * (<ftl/socket_memory.h>). Nothing that a client writes there is believed: its positions are read
 * once and checked. A slot whose client has written an impossible one is broken: nothing more is
 * put in or taken out until it is used anew.
 */
#ifndef TCPIP_SLOT_H
#define TCPIP_SLOT_H

#include <ftl/mainloop.h>
#include <ftl/socket_memory.h>

struct owner;
struct socket;

struct slot {
    struct owner *owner;
    struct ftl_socket_memory *memory;
    ftl_handle_t readable; /* notifications */
    ftl_handle_t writable;
    struct socket *socket;             /* what is open in it, or NULL: unused */
    void (*unused)(struct slot *slot); /* called when that has become NULL; may destroy the slot */
    uint32_t received;                 /* our positions: bytes put into memory->received */
    uint32_t credited;                 /* of these, taken out by the client as far as we know */
    uint32_t sent;                     /* bytes taken out of memory->sent */
    bool broken;
};

/*
 * Makes a slot of a client's memory object (READ, WRITE, MAP), of which all pages are made now, so
 * that no access can fail later. Takes the notifications, not `vmo`. INVALID_ARGUMENT: it is of
 * another size; errors of mapping and writing it.
 */
ftl_status_t slot_create(struct owner *owner, void (*unused)(struct slot *slot), ftl_handle_t vmo,
                         ftl_handle_t readable, ftl_handle_t writable, struct slot **slot);
void slot_destroy(struct slot *slot);

/* Gives it to a socket, empty; takes it back, and tells the client that it is unused. */
void slot_open(struct slot *slot, struct socket *socket);
void slot_close(struct slot *slot);

/* Sets FTL_SOCKET_READABLE ... bits, and wakes the client unless they were set. */
void slot_notify(struct slot *slot, uint32_t bits);

/* Sets FTL_SOCKET_CONNECTED ... bits of the state, or takes them away. Tells nobody. */
void slot_set_state(struct slot *slot, uint32_t bits);
void slot_clear_state(struct slot *slot, uint32_t bits);
void slot_set_error(struct slot *slot, ftl_status_t error);

/* Whether the client has rung since the last call. */
bool slot_rung(struct slot *slot);

/* Bytes that can be put in; how many the client has taken out since this was last asked. */
uint32_t slot_room(struct slot *slot);
uint32_t slot_consumed(struct slot *slot);

/* Copies bytes, for which there is room, to `offset` behind what was put in; then puts `size` of
 * them in. */
void slot_write(struct slot *slot, uint32_t offset, const void *data, uint32_t size);
void slot_put(struct slot *slot, uint32_t size);

/* Bytes that the client has sent and that were not taken out. */
uint32_t slot_available(struct slot *slot);

/* Where those from `offset` on lie: up to `size` of them that lie in one piece. The client can
 * still change them. */
const char *slot_piece(const struct slot *slot, uint32_t offset, uint32_t *size);
void slot_read(const struct slot *slot, uint32_t offset, void *data, uint32_t size);
void slot_take(struct slot *slot, uint32_t size);

#endif
