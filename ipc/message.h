/*
 * Messages of channels: bytes and handles on their way from one process to another. A message is
 * charged to its sender until it is freed; its handles belong to no process meanwhile.
 */
#ifndef IPC_MESSAGE_H
#define IPC_MESSAGE_H

#include <ftl/status.h>
#include <ftl/words.h>

#include "kernel/handle.h"
#include "kernel/list.h"
#include "mm/account.h"

struct message_handle {
    ftl_handle_t value;            /* the sender's, before it is taken */
    struct object *object;         /* a reference, from the beginning */
    struct handle_content content; /* once taken: a reference of its own */
};

struct message {
    struct list link; /* in a channel's queue, or its reaper's */
    struct account *account;
    uint64_t transaction; /* of a call; 0: no reply is expected */
    char *data;           /* behind the handles, or a piece of its own when large */
    size_t size;
    uint32_t handle_count;
    uint32_t channel_count; /* how many of the handles are channel ends */
    bool taken;             /* the handles have left the sender's table */
    struct message_handle handles[];
};

/*
 * Makes a message of what a struct ftl_message in the current process's memory describes: copies
 * its bytes and finds its handles, which the process keeps for now. Errors: INVALID_ARGUMENT (too
 * large, too many handles), BAD_STATE (a process that was not started), MISSING_RIGHT (TRANSFER)
 * and the other errors of handles, BAD_ADDRESS, LIMIT, NO_MEMORY.
 */
ftl_status_t message_make(vaddr_t address, struct message **made);

/* A message of the current process's message registers: `size` bytes of them. LIMIT, NO_MEMORY. */
ftl_status_t message_make_of_words(size_t size, struct message **made);

/* Whether the message fits into message registers, and putting it into the current thread's. */
static inline bool message_fits_words(const struct message *message)
{
    return message->size <= FTL_WORDS_SIZE && message->handle_count == 0;
}
void message_give_words(const struct message *message);

/* Takes the handles out of the current process's table: all or, on an error, none. */
ftl_status_t message_take_handles(struct message *message);

/*
 * Gives bytes and handles to the current process, as `how` says where (a copy of the caller's
 * struct at `address`, whose results are filled in). The message remains, to be freed; on an error
 * as it was. Errors: BAD_ADDRESS, LIMIT, NO_MEMORY.
 */
ftl_status_t message_give(struct message *message, const struct ftl_message *how, vaddr_t address);

/* Whether there is room for it. */
static inline bool message_fits(const struct message *message, const struct ftl_message *how)
{
    return message->size <= how->capacity && message->handle_count <= how->handle_capacity;
}

/*
 * Whether it fits; if not, fills in the sizes that are needed and returns TOO_SMALL (BAD_ADDRESS).
 */
ftl_status_t message_check_room(const struct message *message, const struct ftl_message *how,
                                vaddr_t address);

/*
 * Frees the message, closing its handles if it has taken them. Closing may free more messages,
 * which does not nest: they wait their turn. NULL is fine. Hold no locks.
 */
void message_free(struct message *message);

/* Frees all messages of a list, by their links. */
void message_free_all(struct list *messages);

#endif
