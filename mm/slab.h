/*
 * Slab caches for kernel objects, and sized allocations on top of them. Objects of one cache share
 * pages; allocation and release are O(1); empty slabs go back to the page allocator (one is kept
 * per cache).
 */
#ifndef MM_SLAB_H
#define MM_SLAB_H

#include "kernel/list.h"
#include "kernel/spinlock.h"
#include "kernel/types.h"

struct page;

struct slab_cache {
    struct spinlock lock; /* LOCK_SLAB; protects what is below the fixed members */
    const char *name;     /* fixed from here ... */
    size_t size;          /* bytes of an object that its user has */
    size_t object_size;  /* rounded up to the alignment, with what nobody may use between objects */
    unsigned order;      /* of a slab's pages */
    unsigned per_slab;   /* objects */
    uint16_t id;         /* tells slabs of this cache from others' */
    struct list all;     /* ... to here: in the list of all caches */
    struct list partial; /* slabs with free and used objects */
    struct page *spare;  /* an empty slab, or NULL */
    size_t used;         /* objects handed out */
    size_t slabs;        /* there are */
};

/*
 * Sets up a cache for objects of `size` bytes aligned to `align` (a power of two, at most a page).
 * Caches are for ever. `name` is kept. A slab takes at most 8 pages.
 */
void slab_cache_init(struct slab_cache *cache, const char *name, size_t size, size_t align);

/* Returns a zeroed object, or NULL when memory is out. */
void *slab_alloc(struct slab_cache *cache);
/* The same with contents undefined, for who fills in every member. */
void *slab_alloc_uncleared(struct slab_cache *cache);
void slab_free(struct slab_cache *cache, void *object);

/* Objects handed out by the cache now. */
size_t slab_used(struct slab_cache *cache);

/* Bytes of memory the cache takes now. */
size_t slab_memory(struct slab_cache *cache);

/*
 * Gives back the empty slabs that caches keep, so that the free pages can be counted exactly.
 */
void slab_trim(void);

/* Calls `visit` for every cache, in the order they were set up. */
void slab_for_each(void (*visit)(struct slab_cache *cache, void *context), void *context);

/* Where an address lies in the slabs. False: in none. For reports: no lock is taken. */
struct slab_place {
    const char *cache;
    size_t size;   /* of its objects */
    size_t offset; /* from the start of the object that it is in, or behind */
};
bool slab_find(const void *address, struct slab_place *place);

/* Boot, once, before any other function here: sets up the caches behind kalloc. */
void slab_init(void);

/*
 * Zeroed memory of `size` bytes (16-byte aligned; above half a page: whole pages, a power of two of
 * them, at most 4 MiB), or NULL.
 */
void *kalloc(size_t size);
/* The same without the zeros, for who fills all of it before anybody else sees it. */
void *kalloc_unfilled(size_t size);
/* `size` as it was allocated. NULL is allowed. */
void kfree(void *memory, size_t size);

#endif
