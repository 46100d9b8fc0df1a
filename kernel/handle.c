/*
 * Handle tables. Slots live in chunks that never move; a directory of chunks doubles as needed. A
 * slot's generation counts the handles it has held, so that a handle tells whether it was issued,
 * closed or overtaken. Relies on kalloc and on object references.
 */
#include "kernel/handle.h"

#include "kernel/assert.h"
#include "kernel/string.h"
#include "mm/slab.h"

/* A slot whose next generation would be this one is never used again: after 2^32 handles. */
#define GENERATION_END (((uint64_t)1 << 32) - 1)

#define CHUNK_SIZE        (HANDLE_CHUNK_SLOTS * sizeof(struct handle_slot))
#define DIRECTORY_MIN     4u /* chunks a directory starts with */
#define DIRECTORY_SIZE(n) ((n) * sizeof(struct handle_slot *))

static struct handle_slot *slot_at(const struct handle_table *table, uint32_t index)
{
    return &table->chunks[index / HANDLE_CHUNK_SLOTS][index % HANDLE_CHUNK_SLOTS];
}

static ftl_handle_t make_handle(uint32_t index, ftl_rights_t rights, uint64_t generation)
{
    return generation << HANDLE_GENERATION_SHIFT | (ftl_handle_t)rights << HANDLE_RIGHTS_SHIFT |
           (index + 1);
}

static uint64_t generation_of(ftl_handle_t handle)
{
    return handle >> HANDLE_GENERATION_SHIFT;
}

static bool in_use(const struct handle_slot *slot)
{
    return (slot->value & HANDLE_INDEX_MASK) != 0;
}

/* Makes the slot a free one, whose next handle has this generation. */
static void set_free(struct handle_slot *slot, uint64_t generation)
{
    slot->value = generation << HANDLE_GENERATION_SHIFT;
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
    set_free(slot_at(table, *index), 1);
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
static void release_slot(struct handle_table *table, struct handle_slot *slot)
{
    uint32_t index = (uint32_t)(slot->value & HANDLE_INDEX_MASK) - 1;
    uint64_t next = generation_of(slot->value) + 1;
    slot->object = NULL;
    set_free(slot, next);
    table->used--;
    if (next == GENERATION_END) {
        return;
    }
    if (table->free_count++ == 0) {
        table->free_head = index;
    } else {
        slot_at(table, table->free_tail)->next_free = index;
    }
    table->free_tail = index;
}

/* Why a handle is in no slot: HANDLE_FORGED, HANDLE_CLOSED, HANDLE_STALE. */
static ftl_status_t why_not_found(const struct handle_table *table, ftl_handle_t handle)
{
    uint32_t index = (uint32_t)(handle & HANDLE_INDEX_MASK) - 1; /* wraps for 0, past every slot */
    if (index >= table->opened) {
        return FTL_ERR_HANDLE_FORGED;
    }
    const struct handle_slot *slot = slot_at(table, index);
    uint64_t generation = generation_of(handle);
    if (generation == 0 || generation >= generation_of(slot->value)) {
        return FTL_ERR_HANDLE_FORGED;
    }
    if (!in_use(slot) && generation == generation_of(slot->value) - 1) {
        return FTL_ERR_HANDLE_CLOSED;
    }
    return FTL_ERR_HANDLE_STALE;
}

/* Finds a handle's slot with the checks of handle_table_lookup. The lock is held. */
static ftl_status_t check_handle(const struct handle_table *table, ftl_handle_t handle,
                                 enum object_type type, ftl_rights_t rights,
                                 struct handle_slot **slot)
{
    *slot = handle_find(table, handle);
    if (unlikely(*slot == NULL)) {
        return why_not_found(table, handle);
    }
    if (type != OBJECT_ANY && (*slot)->object->type != type) {
        return FTL_ERR_WRONG_TYPE;
    }
    return handle_has_rights(handle, rights) ? FTL_OK : FTL_ERR_MISSING_RIGHT;
}

ftl_status_t handle_lookup_failed(struct handle_table *table, ftl_handle_t handle,
                                  enum object_type type, ftl_rights_t rights)
{
    struct handle_slot *slot;
    ftl_status_t status = check_handle(table, handle, type, rights, &slot);
    spin_unlock(&table->lock);
    return status;
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
    slot->value = make_handle(index, rights, generation_of(slot->value));
    if (object_ops[object->type].handle_made != NULL) {
        object_ops[object->type].handle_made(object);
    }
    table->used++;
    *handle = slot->value;
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
    struct handle_slot *slot;
    spin_lock(&table->lock);
    ftl_status_t status = check_handle(table, handle, OBJECT_ANY, FTL_RIGHT_DUPLICATE, &slot);
    if (status == FTL_OK) {
        ftl_rights_t wanted = rights == FTL_RIGHTS_SAME ? handle_rights(handle) : rights;
        status = (wanted & ~handle_rights(handle)) != 0
                     ? FTL_ERR_MISSING_RIGHT
                     : insert_locked(table, slot->object, wanted, copy);
        if (status == FTL_OK) {
            object_get(slot->object);
        }
    }
    spin_unlock(&table->lock);
    return status;
}

ftl_status_t handle_table_rights(struct handle_table *table, ftl_handle_t handle,
                                 ftl_rights_t *rights)
{
    struct handle_slot *slot;
    spin_lock(&table->lock);
    ftl_status_t status = check_handle(table, handle, OBJECT_ANY, 0, &slot);
    if (status == FTL_OK) {
        *rights = handle_rights(handle);
    }
    spin_unlock(&table->lock);
    return status;
}

ftl_status_t handle_remove(struct handle_table *table, ftl_handle_t handle,
                           ftl_rights_t rights_needed, struct object **object, ftl_rights_t *rights)
{
    struct handle_slot *slot;
    spin_lock(&table->lock);
    ftl_status_t status = check_handle(table, handle, OBJECT_ANY, rights_needed, &slot);
    if (status == FTL_OK) {
        *object = slot->object;
        *rights = handle_rights(handle);
        release_slot(table, slot);
    }
    spin_unlock(&table->lock);
    return status;
}

static void describe(const struct handle_slot *slot, struct ftl_handle_info *info)
{
    const char *type = object_ops[slot->object->type].name;
    info->handle = slot->value;
    info->rights = handle_rights(slot->value);
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
        if (in_use(slot)) {
            describe(slot, &list->handles[list->count++]);
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
    struct handle_slot *slot;
    ftl_status_t status = has_twin(handles, count) ? FTL_ERR_INVALID_ARGUMENT : FTL_OK;
    spin_lock(&table->lock);
    for (size_t i = 0; i < count && status == FTL_OK; i++) {
        status = check_handle(table, handles[i], OBJECT_ANY, rights_needed, &slot);
    }
    for (size_t i = 0; i < count && status == FTL_OK; i++) {
        slot = handle_find(table, handles[i]);
        ASSERT(slot != NULL);
        contents[i].object = slot->object;
        contents[i].rights = handle_rights(handles[i]);
        release_slot(table, slot);
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
        if (in_use(slot)) {
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
