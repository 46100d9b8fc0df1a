/*
 * Locks of ranges of files, as POSIX has them: shared or exclusive, by owner; those of one owner
 * never conflict, and what it sets takes the place of what it had.
 */
#ifndef FILES_LOCK_H
#define FILES_LOCK_H

#include "tree.h"

struct lock_range {
    struct lock_range *next;
    const void *owner;
    bool is_exclusive;
    uint64_t start;
    uint64_t last; /* the last byte in it */
};

/* All locks of all files together. */
#define LOCKS_MAX 16384u

/*
 * Sets the owner's lock on a range, `last` being the last byte, or takes it away (NONE).
 * WOULD_BLOCK: another's is in the way. LIMIT, NO_MEMORY: nothing has changed.
 */
ftl_status_t locks_set(struct file *file, const void *owner, enum file_lock lock, uint64_t start,
                       uint64_t last);

/* The first lock of another owner that is in the way of such a one, or NULL. */
const struct lock_range *locks_find(const struct file *file, const void *owner, enum file_lock lock,
                                    uint64_t start, uint64_t last);

/* Takes away all locks of an owner; of everybody. */
void locks_drop(struct file *file, const void *owner);
void locks_free(struct file *file);

#endif
