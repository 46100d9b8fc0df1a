/*
 * Sessions: what a client of the file server has open, by number, and the memory that it shares
 * with us.
 */
#ifndef FILES_SESSION_H
#define FILES_SESSION_H

#include "memory.h"
#include "tree.h"

#define NUMBERS_MAX 1024u  /* open files of a session, its root included */
#define OPENED_MAX  16384u /* of all */

/* An open file. Several sessions may have it, with one position. */
struct opened {
    struct file *file;
    uint32_t access; /* FILE_ACCESS_ bits */
    uint32_t references;
    uint64_t position;
};

struct session {
    struct client_memory memory;
    bool is_read_only;       /* the client may not change anything */
    uint32_t free_from;      /* all numbers below are in use */
    uint32_t capacity;       /* of `numbers` */
    struct opened **numbers; /* NULL: not open. The first is the root, if there is one */
};

/* A session with this root, or none (NULL). NULL: no memory. */
struct session *session_create(struct opened *root);

/* Closes all that is open in it. */
void session_destroy(struct session *session);

/* What the number stands for; NULL: it is not open. */
struct opened *session_find(const struct session *session, uint32_t number);

/*
 * The lowest number from 1 on that is free, for session_put(). LIMIT, NO_MEMORY.
 */
ftl_status_t session_reserve(struct session *session, uint32_t *number);

/* Makes room for more numbers. LIMIT, NO_MEMORY. */
ftl_status_t session_grow(struct session *session);

/* Gives the free number, for which there is room, to an open file; a reference is added. */
void session_put(struct session *session, uint32_t number, struct opened *opened);
void session_remove(struct session *session, uint32_t number);

/* Opens a file, whose reference it takes over, also on an error: LIMIT, NO_MEMORY. Nobody refers
 * to what it gives yet: opened_discard() unless it is put somewhere. */
ftl_status_t opened_create(struct file *file, uint32_t access, struct opened **opened);
void opened_discard(struct opened *opened);

#endif
