/*
 * Handle tables. Slots live in chunks that never move; a directory of chunks doubles as needed. A
 * slot's generation counts the handles it has held, so that a handle tells whether it was issued,
 * closed or overtaken. Relies on kalloc and on object references.
 */
#include "kernel/handle.h"

#include "kernel/assert.h"
#include "kernel/string.h"
#include "mm/slab.h"

/* A slot whose next generation would be this one is never used again: after 2^40 handles. */
#define GENERATION_END (((uint64_t)1 << 40) - 1)

#define CHUNK_SIZE        (HANDLE_CHUNK_SLOTS * sizeof(struct handle_slot))
#define DIRECTORY_MIN     4u /* chunks a directory starts with */
#define DIRECTORY_SIZE(n) ((n) * sizeof(struct handle_slot *))

static struct handle_slot *slot_at(const struct handle_table *table, uint32_t index)
{
    return &table->chunks[index / HANDLE_CHUNK_SLOTS][index % HANDLE_CHUNK_SLOTS];
}

static ftl_handle_t make_handle(uint32_t index, uint64_t generation)
{
    return generation << HANDLE_INDEX_BITS | (index + 1);
}

void handle_table_init(struct handle_table *table, struct account *account, uint32_t limit)
{
    ASSERT(limit <= HANDLE_LIMIT_MAX);
    memset(table, 0, sizeof(*table));
    spin_init(&table->lock, LOCK_HANDLES);
    table->account = account;
    table->limit = limit;
}

ftl_status_t handle_table_set_limit(struct handle_table *table, uint32_t limit)
{
    if (limit > HANDLE_LIMIT_MAX) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    spin_lock(&table->lock);
    bool closed = table->closed;
    table->limit = limit;
    spin_unlock(&table->lock);
    return closed ? FTL_ERR_BAD_STATE : FTL_OK;
}

/* kalloc and kfree on an account. Errors: LIMIT, NO_MEMORY. */
static ftl_status_t charged_alloc(struct account *account, size_t size, void **memory)
{
    if (!account_charge(account, size)) {
        return FTL_ERR_LIMIT;
    }
    *memory = kalloc(size);
    if (*memory == NULL) {
        account_release(account, size);
        return FTL_ERR_NO_MEMORY;
    }
    return FTL_OK;
}

static void charged_free(struct account *account, void *memory, size_t size)
{
    kfree(memory, size);
    account_release(account, size);
}

static ftl_status_t grow_directory(struct handle_table *table)
{
    uint32_t capacity = table->chunk_capacity == 0 ? DIRECTORY_MIN : table->chunk_capacity * 2;
    void *chunks;
    ftl_status_t status = charged_alloc(table->account, DIRECTORY_SIZE(capacity), &chunks);
    if (status != FTL_OK) {
        return status;
    }
    if (table->chunks != NULL) {
        memcpy(chunks, table->chunks, DIRECTORY_SIZE(table->chunk_count));
        charged_free(table->account, table->chunks, DIRECTORY_SIZE(table->chunk_capacity));
    }
    table->chunks = chunks;
    table->chunk_capacity = capacity;
    return FTL_OK;
}

static ftl_status_t add_chunk(struct handle_table *table)
{
    if (table->chunk_count == table->chunk_capacity) {
        ftl_status_t status = grow_directory(table);
        if (status != FTL_OK) {
            return status;
        }
    }
    void *chunk;
    ftl_status_t status = charged_alloc(table->account, CHUNK_SIZE, &chunk);
    if (status != FTL_OK) {
        return status;
    }
    table->chunks[table->chunk_count++] = chunk;
    return FTL_OK;
}

/* Opens the next slot that was never used. */
static ftl_status_t open_slot(struct handle_table *table, uint32_t *index)
{
    if (table->opened == HANDLE_LIMIT_MAX) {
        return FTL_ERR_LIMIT;
    }
    if (table->opened == table->chunk_count * HANDLE_CHUNK_SLOTS) {
        ftl_status_t status = add_chunk(table);
        if (status != FTL_OK) {
            return status;
        }
    }
    *index = table->opened++;
    slot_at(table, *index)->generation = 1;
    return FTL_OK;
}

static ftl_status_t take_slot(struct handle_table *table, uint32_t *index)
{
    if (unlikely(table->used >= table->limit || table->closed)) {
        return FTL_ERR_LIMIT;
    }
    if (table->free_count == 0) {
        return open_slot(table, index);
    }
    *index = table->free_head;
    table->free_head = slot_at(table, *index)->next_free;
    table->free_count--;
    return FTL_OK;
}

/* Makes a slot's handle a closed one, and the slot the last to be used again. */
static void release_slot(struct handle_table *table, uint32_t index)
{
    struct handle_slot *slot = slot_at(table, index);
    slot->object = NULL;
    slot->rights = 0;
    slot->used = 0;
    slot->generation++;
    table->used--;
    if (slot->generation == GENERATION_END) {
        return;
    }
    if (table->free_count++ == 0) {
        table->free_head = index;
    } else {
        slot_at(table, table->free_tail)->next_free = index;
    }
    table->free_tail = index;
}

/*
 * Finds the slot a handle is in, and its index. Errors: HANDLE_FORGED, HANDLE_CLOSED, HANDLE_STALE.
 */
static ftl_status_t find_slot(const struct handle_table *table, ftl_handle_t handle,
                              uint32_t *index)
{
    *index = (uint32_t)(handle & HANDLE_INDEX_MASK) - 1; /* wraps for 0, past every slot */
    if (*index >= table->opened) {
        return FTL_ERR_HANDLE_FORGED;
    }
    const struct handle_slot *slot = slot_at(table, *index);
    uint64_t generation = handle >> HANDLE_INDEX_BITS;
    if (likely(slot->used && slot->generation == generation)) {
        return FTL_OK;
    }
    if (generation == 0 || generation >= slot->generation) {
        return FTL_ERR_HANDLE_FORGED;
    }
    if (!slot->used && generation == slot->generation - 1u) {
        return FTL_ERR_HANDLE_CLOSED;
    }
    return FTL_ERR_HANDLE_STALE;
}

/* Finds a slot as handle_table_lookup does. The lock is held. */
static ftl_status_t check_handle(const struct handle_table *table, ftl_handle_t handle,
                                 enum object_type type, ftl_rights_t rights, uint32_t *index)
{
    ftl_status_t status = find_slot(table, handle, index);
    if (status != FTL_OK) {
        return status;
    }
    const struct handle_slot *slot = slot_at(table, *index);
    if (type != OBJECT_ANY && slot->object->type != type) {
        return FTL_ERR_WRONG_TYPE;
    }
    if ((rights & ~(ftl_rights_t)slot->rights) != 0) {
        return FTL_ERR_MISSING_RIGHT;
    }
    return FTL_OK;
}

/* Puts a handle into a free slot; the reference is the caller's. The lock is held. */
static ftl_status_t insert_locked(struct handle_table *table, struct object *object,
                                  ftl_rights_t rights, ftl_handle_t *handle)
{
    uint32_t index;
    ftl_status_t status = take_slot(table, &index);
    if (status != FTL_OK) {
        return status;
    }
    struct handle_slot *slot = slot_at(table, index);
    slot->object = object;
    slot->rights = rights & FTL_RIGHTS_ALL;
    slot->used = 1;
    if (object_ops[object->type].handle_made != NULL) {
        object_ops[object->type].handle_made(object);
    }
    table->used++;
    *handle = make_handle(index, slot->generation);
    return FTL_OK;
}

ftl_status_t handle_insert(struct handle_table *table, struct object *object, ftl_rights_t rights,
                           ftl_handle_t *handle)
{
    ASSERT(object != NULL && (rights & ~FTL_RIGHTS_ALL) == 0);
    spin_lock(&table->lock);
    ftl_status_t status = insert_locked(table, object, rights, handle);
    spin_unlock(&table->lock);
    return status;
}

ftl_status_t handle_duplicate(struct handle_table *table, ftl_handle_t handle, ftl_rights_t rights,
                              ftl_handle_t *copy)
{
    uint32_t index;
    spin_lock(&table->lock);
    ftl_status_t status = check_handle(table, handle, OBJECT_ANY, FTL_RIGHT_DUPLICATE, &index);
    if (status == FTL_OK) {
        const struct handle_slot *slot = slot_at(table, index);
        ftl_rights_t wanted = rights == FTL_RIGHTS_SAME ? (ftl_rights_t)slot->rights : rights;
        status = (wanted & ~(ftl_rights_t)slot->rights) != 0
                     ? FTL_ERR_MISSING_RIGHT
                     : insert_locked(table, slot->object, wanted, copy);
        if (status == FTL_OK) {
            object_get(slot->object);
        }
    }
    spin_unlock(&table->lock);
    return status;
}

ftl_status_t handle_table_lookup(struct handle_table *table, ftl_handle_t handle,
                                 enum object_type type, ftl_rights_t rights, struct object **object)
{
    uint32_t index;
    spin_lock(&table->lock);
    ftl_status_t status = check_handle(table, handle, type, rights, &index);
    if (likely(status == FTL_OK)) {
        *object = slot_at(table, index)->object;
        object_get(*object);
    }
    spin_unlock(&table->lock);
    return status;
}

ftl_status_t handle_table_rights(struct handle_table *table, ftl_handle_t handle,
                                 ftl_rights_t *rights)
{
    uint32_t index;
    spin_lock(&table->lock);
    ftl_status_t status = check_handle(table, handle, OBJECT_ANY, 0, &index);
    if (status == FTL_OK) {
        *rights = slot_at(table, index)->rights;
    }
    spin_unlock(&table->lock);
    return status;
}

ftl_status_t handle_remove(struct handle_table *table, ftl_handle_t handle,
                           ftl_rights_t rights_needed, struct object **object, ftl_rights_t *rights)
{
    uint32_t index;
    spin_lock(&table->lock);
    ftl_status_t status = check_handle(table, handle, OBJECT_ANY, rights_needed, &index);
    if (status == FTL_OK) {
        *object = slot_at(table, index)->object;
        *rights = slot_at(table, index)->rights;
        release_slot(table, index);
    }
    spin_unlock(&table->lock);
    return status;
}

static void describe(const struct handle_slot *slot, uint32_t index, struct ftl_handle_info *info)
{
    const char *type = object_ops[slot->object->type].name;
    info->handle = make_handle(index, slot->generation);
    info->rights = slot->rights;
    info->object = object_id(slot->object);
    memcpy(info->type, type, strnlen(type, sizeof(info->type) - 1) + 1);
}

void handle_table_list(struct handle_table *table, struct ftl_handle_list *list)
{
    uint64_t at = list->position;
    *list = (struct ftl_handle_list){ 0 };
    spin_lock(&table->lock);
    uint64_t end = table->opened;
    for (unsigned looked = 0; at < end && looked < HANDLE_LIST_SLOTS; looked++) {
        if (list->count == FTL_HANDLE_LIST_MAX) {
            break;
        }
        const struct handle_slot *slot = slot_at(table, (uint32_t)at);
        if (slot->used) {
            describe(slot, (uint32_t)at, &list->handles[list->count++]);
        }
        at++;
    }
    list->position = at < end ? at : 0;
    spin_unlock(&table->lock);
}

/* Whether a handle is in the array twice. */
static bool has_twin(const ftl_handle_t *handles, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (handles[i] == handles[k]) {
                return true;
            }
        }
    }
    return false;
}

ftl_status_t handle_remove_all(struct handle_table *table, const ftl_handle_t *handles,
                               size_t count, ftl_rights_t rights_needed,
                               struct handle_content *contents)
{
    uint32_t index;
    ftl_status_t status = has_twin(handles, count) ? FTL_ERR_INVALID_ARGUMENT : FTL_OK;
    spin_lock(&table->lock);
    for (size_t i = 0; i < count && status == FTL_OK; i++) {
        status = check_handle(table, handles[i], OBJECT_ANY, rights_needed, &index);
    }
    for (size_t i = 0; i < count && status == FTL_OK; i++) {
        status = find_slot(table, handles[i], &index);
        ASSERT(status == FTL_OK);
        contents[i].object = slot_at(table, index)->object;
        contents[i].rights = slot_at(table, index)->rights;
        release_slot(table, index);
    }
    spin_unlock(&table->lock);
    return status;
}

void handle_table_destroy(struct handle_table *table)
{
    /*
     * Closing destroys objects, which takes earlier locks: first take all out, then close without
     * the lock.
     */
    spin_lock(&table->lock);
    struct handle_table old = *table;
    table->chunks = NULL;
    table->chunk_count = 0;
    table->chunk_capacity = 0;
    table->opened = 0;
    table->closed = true;
    table->used = 0;
    table->free_count = 0;
    spin_unlock(&table->lock);

    for (uint32_t index = 0; index < old.opened; index++) {
        struct handle_slot *slot = slot_at(&old, index);
        if (slot->used) {
            object_close(slot->object);
        }
    }
    for (uint32_t i = 0; i < old.chunk_count; i++) {
        charged_free(old.account, old.chunks[i], CHUNK_SIZE);
    }
    if (old.chunks != NULL) {
        charged_free(old.account, old.chunks, DIRECTORY_SIZE(old.chunk_capacity));
    }
}
