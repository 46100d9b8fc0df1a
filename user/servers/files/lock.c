/*
 * Locks of ranges: see lock.h. A file's locks are a list by start. Those of one owner do not
 * overlap, so that a byte has at most one lock of each owner.
 */
#include "lock.h"

#include <assert.h>
#include <stdlib.h>

static uint32_t lock_count;

static bool overlaps(const struct lock_range *range, uint64_t start, uint64_t last)
{
    return range->start <= last && start <= range->last;
}

const struct lock_range *locks_find(const struct file *file, const void *owner, enum file_lock lock,
                                    uint64_t start, uint64_t last)
{
    const struct lock_range *range = lock != FILE_LOCK_NONE ? file->locks : NULL;
    while (range != NULL && (range->owner == owner || !overlaps(range, start, last) ||
                             (lock == FILE_LOCK_SHARED && !range->is_exclusive))) {
        range = range->next;
    }
    return range;
}

static void insert(struct file *file, struct lock_range *range)
{
    struct lock_range **link = &file->locks;
    while (*link != NULL && (*link)->start < range->start) {
        link = &(*link)->next;
    }
    range->next = *link;
    *link = range;
}

static void free_range(struct lock_range *range)
{
    lock_count--;
    free(range);
}

/* Up to `count` new ones in a list; NULL: no memory. */
static ftl_status_t allocate(size_t count, struct lock_range **list)
{
    *list = NULL;
    while (count-- != 0) {
        struct lock_range *range =
            lock_count < LOCKS_MAX ? calloc(1, sizeof(struct lock_range)) : NULL;
        if (range == NULL) {
            ftl_status_t status = lock_count < LOCKS_MAX ? FTL_ERR_NO_MEMORY : FTL_ERR_LIMIT;
            while (*list != NULL) {
                range = *list;
                *list = range->next;
                free_range(range);
            }
            return status;
        }
        lock_count++;
        range->next = *list;
        *list = range;
    }
    return FTL_OK;
}

static struct lock_range *take(struct lock_range **list)
{
    struct lock_range *range = *list;
    assert(range != NULL);
    *list = range->next;
    return range;
}

/*
 * Takes the owner's locks out of a range. One that reaches over it on both sides, of which there
 * can be one alone, becomes two, for which the second is taken from `spare`.
 */
static void cut(struct file *file, const void *owner, uint64_t start, uint64_t last,
                struct lock_range **spare)
{
    struct lock_range **link = &file->locks;
    while (*link != NULL) {
        struct lock_range *range = *link;
        if (range->owner != owner || !overlaps(range, start, last)) {
            link = &range->next;
        } else if (range->start < start && range->last > last) {
            struct lock_range *behind = take(spare);
            *behind = *range;
            behind->start = last + 1;
            range->last = start - 1;
            insert(file, behind);
        } else if (range->start < start) {
            range->last = start - 1;
        } else if (range->last > last) { /* starts later from now on: into its place again */
            *link = range->next;
            range->start = last + 1;
            insert(file, range);
        } else {
            *link = range->next;
            free_range(range);
        }
    }
}

/* Whether `second` begins where `first` ends. */
static bool adjoins(const struct lock_range *first, const struct lock_range *second)
{
    return second->start != 0 && first->last == second->start - 1;
}

/*
 * Joins a range that is not in the list with those of the owner, of the same kind, that touch it.
 */
static void join(struct file *file, struct lock_range *joined)
{
    struct lock_range **link = &file->locks;
    while (*link != NULL) {
        struct lock_range *range = *link;
        if (range->owner != joined->owner || range->is_exclusive != joined->is_exclusive ||
            !(adjoins(range, joined) || adjoins(joined, range))) {
            link = &range->next;
            continue;
        }
        joined->start = range->start < joined->start ? range->start : joined->start;
        joined->last = range->last > joined->last ? range->last : joined->last;
        *link = range->next;
        free_range(range);
    }
}

ftl_status_t locks_set(struct file *file, const void *owner, enum file_lock lock, uint64_t start,
                       uint64_t last)
{
    struct lock_range *spare;
    if (locks_find(file, owner, lock, start, last) != NULL) {
        return FTL_ERR_WOULD_BLOCK;
    }
    ftl_status_t status = allocate(2, &spare); /* so that nothing can fail halfway */
    if (status != FTL_OK) {
        return status;
    }
    cut(file, owner, start, last, &spare);
    if (lock != FILE_LOCK_NONE) {
        struct lock_range *range = take(&spare);
        *range = (struct lock_range){
            .owner = owner,
            .is_exclusive = lock == FILE_LOCK_EXCLUSIVE,
            .start = start,
            .last = last,
        };
        join(file, range);
        insert(file, range);
    }
    while (spare != NULL) {
        free_range(take(&spare));
    }
    return FTL_OK;
}

void locks_drop(struct file *file, const void *owner)
{
    struct lock_range **link = &file->locks;
    while (*link != NULL) {
        struct lock_range *range = *link;
        if (range->owner == owner) {
            *link = range->next;
            free_range(range);
        } else {
            link = &range->next;
        }
    }
}

void locks_free(struct file *file)
{
    while (file->locks != NULL) {
        free_range(take(&file->locks));
    }
}
