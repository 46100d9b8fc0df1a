/* mm/slab.h over calloc and free, with failures on demand. One thread at a time. */
#include "host/slab.h"

#include <stdlib.h>
#include <string.h>

#include "kernel/assert.h"

#define UNCLEARED_BYTE 0xa5

long host_alloc_budget = -1;
size_t host_alloc_bytes;
size_t host_alloc_pieces;

static struct list caches = LIST_INIT(caches);

/* Before each piece of memory; keeps the memory behind it aligned to 16. */
struct header {
    size_t size;
    size_t padding;
};

void *kalloc(size_t size)
{
    if (host_alloc_budget == 0) {
        return NULL;
    }
    host_alloc_budget -= host_alloc_budget > 0;
    struct header *header = calloc(1, sizeof(*header) + size);
    ASSERT(header != NULL);
    header->size = size;
    host_alloc_bytes += size;
    host_alloc_pieces++;
    return header + 1;
}

/* Filled with something, so that who relies on zeros fails. */
void *kalloc_unfilled(size_t size)
{
    void *memory = kalloc(size);
    return memory == NULL ? NULL : memset(memory, 0xa5, size);
}

void kfree(void *memory, size_t size)
{
    if (memory == NULL) {
        return;
    }
    struct header *header = (struct header *)memory - 1;
    ASSERT(header->size == size);
    host_alloc_bytes -= size;
    host_alloc_pieces--;
    free(header);
}

void slab_cache_init(struct slab_cache *cache, const char *name, size_t size, size_t align)
{
    memset(cache, 0, sizeof(*cache));
    spin_init(&cache->lock, LOCK_SLAB);
    cache->name = name;
    cache->object_size = ALIGN_UP(size, align);
    list_push_back(&caches, &cache->all);
}

void *slab_alloc(struct slab_cache *cache)
{
    void *object = kalloc(cache->object_size);
    cache->used += object != NULL;
    return object;
}

/* Full of what makes no sense, so that a member that nobody fills in is noticed. */
void *slab_alloc_uncleared(struct slab_cache *cache)
{
    void *object = slab_alloc(cache);
    return object == NULL ? NULL : memset(object, UNCLEARED_BYTE, cache->object_size);
}

void slab_free(struct slab_cache *cache, void *object)
{
    ASSERT(cache->used > 0);
    cache->used--;
    kfree(object, cache->object_size);
}

size_t slab_used(struct slab_cache *cache)
{
    return cache->used;
}

size_t slab_memory(struct slab_cache *cache)
{
    return cache->used * cache->object_size;
}

void slab_for_each(void (*visit)(struct slab_cache *cache, void *context), void *context)
{
    struct slab_cache *cache;
    LIST_FOR_EACH(cache, &caches, struct slab_cache, all)
    {
        visit(cache, context);
    }
}

void slab_trim(void)
{
}

void slab_init(void)
{
}
