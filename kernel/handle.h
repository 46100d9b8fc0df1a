/*
 * Handle tables: what a process can name. A handle value is slot index (low 24 bits, plus one so
 * that no valid handle is 0), the handle's rights (8 bits) and the slot's generation (32 bits, from
 * 1). The slot holds the same value, so that one comparison tells whether a handle is good. Free
 * slots are reused in the order they were freed. The table grows up to its limit; its memory is
 * charged to the process's account.
 */
#ifndef KERNEL_HANDLE_H
#define KERNEL_HANDLE_H

#include <ftl/status.h>

#include "kernel/object.h"
#include "mm/account.h"

#define HANDLE_LIMIT_DEFAULT 65536u
#define HANDLE_LIMIT_MAX     FTL_HANDLE_LIMIT_MAX

#define HANDLE_INDEX_BITS       24
#define HANDLE_INDEX_MASK       ((1u << HANDLE_INDEX_BITS) - 1)
#define HANDLE_RIGHTS_SHIFT     HANDLE_INDEX_BITS
#define HANDLE_GENERATION_SHIFT 32

/* Slots come in chunks of this many, so that the table grows without moving any. */
#define HANDLE_CHUNK_SLOTS 64u

struct handle_slot {
    union {
        struct object *object; /* in use: a reference */
        uint32_t next_free;    /* free: index of the next free slot, if it is not the last */
    };
    ftl_handle_t value; /* the handle in it; free: only the generation of the next one */
};
_Static_assert(FTL_RIGHTS_ALL >> (HANDLE_GENERATION_SHIFT - HANDLE_RIGHTS_SHIFT) == 0,
               "rights do not fit into handles");

/* The rights of a handle, and whether they are all of these. */
static inline ftl_rights_t handle_rights(ftl_handle_t handle)
{
    return (ftl_rights_t)(handle >> HANDLE_RIGHTS_SHIFT) & FTL_RIGHTS_ALL;
}

static inline bool handle_has_rights(ftl_handle_t handle, ftl_rights_t rights)
{
    ftl_handle_t wanted = (ftl_handle_t)rights << HANDLE_RIGHTS_SHIFT;
    return (wanted & ~handle) == 0;
}

struct handle_table {
    struct spinlock lock; /* LOCK_HANDLES; protects everything below */
    struct account *account;
    struct handle_slot **chunks;   /* of HANDLE_CHUNK_SLOTS each; the first ones exist */
    uint32_t chunk_count;          /* chunks there are */
    uint32_t chunk_capacity;       /* length of `chunks` */
    uint32_t opened;               /* slots that have ever been used: the first ones */
    uint32_t limit;                /* most handles it takes */
    uint32_t used;                 /* handles */
    uint32_t free_count;           /* slots in the queue of free ones */
    uint32_t free_head, free_tail; /* its ends, if it is not empty */
    bool closed;                   /* destroyed: takes no more handles */
};

/* Limit: at most HANDLE_LIMIT_MAX. No memory is taken before the first handle. */
void handle_table_init(struct handle_table *table, struct account *account, uint32_t limit);

/*
 * Closes every handle and frees the slots. The table stays usable, but is empty for ever.
 * Destroys objects: hold no locks.
 */
void handle_table_destroy(struct handle_table *table);

/* Handles that are there already stay. INVALID_ARGUMENT (more than HANDLE_LIMIT_MAX), BAD_STATE
 * (destroyed). */
ftl_status_t handle_table_set_limit(struct handle_table *table, uint32_t limit);

/*
 * Tells of the handles in slots from list->position on, and where to go on: see struct
 * ftl_handle_list. Looks at HANDLE_LIST_SLOTS slots at most.
 */
void handle_table_list(struct handle_table *table, struct ftl_handle_list *list);
#define HANDLE_LIST_SLOTS 256u

/*
 * Makes a handle with these rights; takes over the caller's reference to the object on success
 * only. Errors: LIMIT (account or handle limit), NO_MEMORY.
 */
ftl_status_t handle_insert(struct handle_table *table, struct object *object, ftl_rights_t rights,
                           ftl_handle_t *handle);

/*
 * Makes another handle to the object of one that has the right DUPLICATE, with these rights of it,
 * or FTL_RIGHTS_SAME. Errors: as for handle_table_lookup and handle_insert; MISSING_RIGHT for
 * rights that the handle does not have, too.
 */
ftl_status_t handle_duplicate(struct handle_table *table, ftl_handle_t handle, ftl_rights_t rights,
                              ftl_handle_t *copy);

/* Rights of a handle; errors as above. */
ftl_status_t handle_table_rights(struct handle_table *table, ftl_handle_t handle,
                                 ftl_rights_t *rights);

/*
 * Takes the handle out, which must have all of `rights_needed`; the caller gets its reference and
 * rights. To close it, go on with object_close(). Errors as above; on one nothing changes.
 */
ftl_status_t handle_remove(struct handle_table *table, ftl_handle_t handle,
                           ftl_rights_t rights_needed, struct object **object,
                           ftl_rights_t *rights);

/* What a handle was, out of any table. */
struct handle_content {
    struct object *object; /* a reference */
    ftl_rights_t rights;
};

/*
 * Takes all of the handles out, or none. Errors as for handle_remove, and INVALID_ARGUMENT when one
 * is named twice. `count` is small: every one is compared with every other.
 */
ftl_status_t handle_remove_all(struct handle_table *table, const ftl_handle_t *handles,
                               size_t count, ftl_rights_t rights_needed,
                               struct handle_content *contents);

/*
 * The slot of a handle that is good; NULL: see handle_table_lookup for why not. The caller holds
 * the table's lock.
 */
static inline struct handle_slot *handle_find(const struct handle_table *table, ftl_handle_t handle)
{
    uint32_t index = (uint32_t)(handle & HANDLE_INDEX_MASK) - 1; /* 0 wraps, past every slot */
    if (unlikely(index >= table->opened)) {
        return NULL;
    }
    struct handle_slot *slot =
        &table->chunks[index / HANDLE_CHUNK_SLOTS][index % HANDLE_CHUNK_SLOTS];
    return likely(slot->value == handle) ? slot : NULL;
}

/* The same, unless the object is of another type or the handle lacks one of the rights. */
static inline struct handle_slot *handle_find_for(const struct handle_table *table,
                                                  ftl_handle_t handle, enum object_type type,
                                                  ftl_rights_t rights)
{
    struct handle_slot *slot = handle_find(table, handle);
    if (unlikely(slot == NULL)) {
        return NULL;
    }
    if (unlikely(type != OBJECT_ANY && slot->object->type != type)) {
        return NULL;
    }
    return likely(handle_has_rights(handle, rights)) ? slot : NULL;
}

/* The end of a look-up that fails: says why, and releases the table's lock. */
ftl_status_t handle_lookup_failed(struct handle_table *table, ftl_handle_t handle,
                                  enum object_type type, ftl_rights_t rights);

/*
 * Finds the object, which must be of the type (OBJECT_ANY: of any) and the handle have all of
 * `rights`; returns a new reference in *object. Errors, checked in this order: HANDLE_FORGED,
 * HANDLE_CLOSED, HANDLE_STALE, WRONG_TYPE, MISSING_RIGHT.
 */
static inline ftl_status_t handle_table_lookup(struct handle_table *table, ftl_handle_t handle,
                                               enum object_type type, ftl_rights_t rights,
                                               struct object **object)
{
    spin_lock(&table->lock);
    const struct handle_slot *slot = handle_find_for(table, handle, type, rights);
    if (unlikely(slot == NULL)) {
        ftl_status_t status = handle_lookup_failed(table, handle, type, rights);
        __builtin_assume(status != FTL_OK);
        return status;
    }
    *object = slot->object;
    object_get(*object);
    spin_unlock(&table->lock);
    return FTL_OK;
}

/*
 * The same, but the object comes with its lock held instead of a reference, for a call that does
 * all under that lock. The object is there as long: who destroys one of such a type takes the lock
 * first. Its references may be gone meanwhile, and come back no more (object_try_get). NULL: the
 * table's lock is held, for handle_lookup_failed() to say why.
 */
static inline struct object *handle_table_lock(struct handle_table *table, ftl_handle_t handle,
                                               enum object_type type, ftl_rights_t rights)
{
    spin_lock(&table->lock);
    const struct handle_slot *slot = handle_find_for(table, handle, type, rights);
    if (unlikely(slot == NULL)) {
        return NULL;
    }
    struct object *object = slot->object;
    spin_lock(&object->lock);
    spin_unlock(&table->lock);
    return object;
}

/*
 * handle_table_lookup in the current process's table: what generated decoders call
 * (kernel/process.c).
 */
ftl_status_t handle_lookup(ftl_handle_t handle, enum object_type type, ftl_rights_t rights,
                           struct object **object);

#endif
