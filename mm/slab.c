/*
 * Slab allocator. A slab is a block of pages cut into objects of one size; its books are kept in
 * the block's first struct page, so objects have all of the memory and any alignment. Free objects
 * of a slab are linked through their first word. Relies on mm/page.h: blocks are aligned to their
 * size, physically and in the direct map.
 */
#include "mm/slab.h"

#include "arch/phys.h"
#include "kernel/assert.h"
#include "kernel/kasan.h"
#include "kernel/string.h"
#include "mm/page.h"

#define SLAB_ORDER_MAX   3 /* of a slab's pages */
#define SLAB_WASTE_SHARE 8 /* a slab wastes at most the 8th part, if its order allows */

#define KALLOC_ALIGN 16
#define KALLOC_MAX   (PAGE_SIZE / 2) /* larger: whole pages */

#define FREED_BYTE 0xdf /* what debug builds fill freed objects with */

/* A free object. */
struct free_object {
    struct free_object *next;
};

/* The owner's fields of a slab's first struct page: refs counts used objects. */
#define slab_id(slab)         ((slab)->flags)
#define slab_used_count(slab) ((slab)->refs)
#define slab_free_list(slab)  ((slab)->owner)

static struct {
    struct spinlock lock; /* LOCK_SLAB; protects the rest */
    struct list caches;
    uint16_t next_id;
} slabs = {
    .lock = SPINLOCK_INIT(LOCK_SLAB),
    .caches = LIST_INIT(slabs.caches),
    .next_id = 1,
};

/* Sizes behind kalloc; object sizes between them waste less than a third. */
static const struct {
    uint16_t size;
    const char *name;
} kalloc_sizes[] = {
    { 16, "kalloc-16" },     { 32, "kalloc-32" },     { 48, "kalloc-48" },
    { 64, "kalloc-64" },     { 96, "kalloc-96" },     { 128, "kalloc-128" },
    { 192, "kalloc-192" },   { 256, "kalloc-256" },   { 384, "kalloc-384" },
    { 512, "kalloc-512" },   { 768, "kalloc-768" },   { 1024, "kalloc-1024" },
    { 1360, "kalloc-1360" }, { 2048, "kalloc-2048" },
};

static struct {
    struct slab_cache caches[ARRAY_SIZE(kalloc_sizes)];
    uint8_t class_of[KALLOC_MAX / KALLOC_ALIGN + 1]; /* index: size / KALLOC_ALIGN, rounded up */
} kalloc_state;

/* The smallest order whose slab does not waste too much, or the largest. */
static unsigned choose_order(size_t size)
{
    unsigned order = 0;
    while (order < SLAB_ORDER_MAX &&
           (PAGE_SIZE << order) % size > (PAGE_SIZE << order) / SLAB_WASTE_SHARE) {
        order++;
    }
    return order;
}

void slab_cache_init(struct slab_cache *cache, const char *name, size_t size, size_t align)
{
    ASSERT(size > 0 && align > 0 && (align & (align - 1)) == 0 && align <= PAGE_SIZE);
    if (align < _Alignof(struct free_object)) {
        align = _Alignof(struct free_object);
    }
    spin_init(&cache->lock, LOCK_SLAB);
    cache->name = name;
    cache->size = ALIGN_UP(size, align);
    cache->object_size = ALIGN_UP(cache->size + KASAN_REDZONE, align);
    cache->order = choose_order(cache->object_size);
    cache->per_slab = (unsigned)((PAGE_SIZE << cache->order) / cache->object_size);
    ASSERT(cache->per_slab > 0);
    list_init(&cache->partial);
    cache->spare = NULL;
    cache->used = 0;
    cache->slabs = 0;

    spin_lock(&slabs.lock);
    cache->id = slabs.next_id++;
    list_push_back(&slabs.caches, &cache->all);
    spin_unlock(&slabs.lock);
}

/* Makes an empty slab, in no list. The lock is held. */
static struct page *new_slab(struct slab_cache *cache)
{
    struct page *slab = page_alloc(cache->order);
    if (slab == NULL) {
        return NULL;
    }
    char *objects = page_to_virt(slab);
    struct free_object *first = NULL;
    for (size_t i = cache->per_slab; i-- > 0;) {
        struct free_object *object =
            (struct free_object *)(void *)(objects + i * cache->object_size);
        object->next = first;
        first = object;
    }
    kasan_poison(objects, PAGE_SIZE << cache->order, KASAN_OBJECT_FREE);
    slab_id(slab) = cache->id;
    slab_used_count(slab) = 0;
    slab_free_list(slab) = first;
    cache->slabs++;
    return slab;
}

/* Finds a slab with a free object and sees that it is in the partial list. The lock is held. */
static struct page *usable_slab(struct slab_cache *cache)
{
    if (likely(!list_empty(&cache->partial))) {
        return LIST_ENTRY(cache->partial.next, struct page, link);
    }
    struct page *slab = cache->spare;
    cache->spare = NULL;
    if (slab == NULL) {
        slab = new_slab(cache);
    }
    if (slab != NULL) {
        list_push_front(&cache->partial, &slab->link);
    }
    return slab;
}

void *slab_alloc_uncleared(struct slab_cache *cache)
{
    spin_lock(&cache->lock);
    struct page *slab = usable_slab(cache);
    if (unlikely(slab == NULL)) {
        spin_unlock(&cache->lock);
        return NULL;
    }
    struct free_object *object = slab_free_list(slab);
    slab_free_list(slab) = object->next;
    if (++slab_used_count(slab) == cache->per_slab) {
        list_remove(&slab->link);
    }
    cache->used++;
    spin_unlock(&cache->lock);
    kasan_allow(object, cache->size);
    kasan_poison((char *)object + cache->size, cache->object_size - cache->size, KASAN_OBJECT_END);
    return object;
}

void *slab_alloc(struct slab_cache *cache)
{
    void *object = slab_alloc_uncleared(cache);
    return unlikely(object == NULL) ? NULL : memset(object, 0, cache->size);
}

/* The slab an object is in; asserts that it is one of this cache's objects. */
static struct page *slab_of(const struct slab_cache *cache, const void *object)
{
    size_t slab_size = PAGE_SIZE << cache->order;
    struct page *slab = virt_to_page((const void *)ALIGN_DOWN((uintptr_t)object, slab_size));
    ASSERT(slab != NULL && slab_id(slab) == cache->id && slab_used_count(slab) > 0);
    ASSERT(((uintptr_t)object & (slab_size - 1)) % cache->object_size == 0);
    return slab;
}

#ifdef FTL_DEBUG
/* Debug builds look for the object in the slab's free list, and make its old contents useless. */
static void check_freed(const struct page *slab, void *object, size_t size)
{
    for (const struct free_object *at = slab_free_list(slab); at != NULL; at = at->next) {
        ASSERT(at != object);
    }
    memset(object, FREED_BYTE, size);
}
#else
static inline void check_freed(const struct page *slab, void *object, size_t size)
{
    (void)slab;
    (void)object;
    (void)size;
}
#endif

void slab_free(struct slab_cache *cache, void *object)
{
    struct page *surplus = NULL;
    kasan_check_free(object);
    spin_lock(&cache->lock);
    struct page *slab = slab_of(cache, object);
    check_freed(slab, object, cache->size);
    kasan_poison(object, cache->object_size, KASAN_OBJECT_FREE);
    ((struct free_object *)object)->next = slab_free_list(slab);
    slab_free_list(slab) = object;
    cache->used--;
    if (slab_used_count(slab)-- == cache->per_slab) {
        list_push_front(&cache->partial, &slab->link);
    }
    if (slab_used_count(slab) == 0) {
        list_remove(&slab->link);
        surplus = cache->spare;
        cache->spare = slab;
        cache->slabs -= surplus != NULL;
    }
    spin_unlock(&cache->lock);

    if (surplus != NULL) {
        page_free(surplus, cache->order);
    }
}

size_t slab_used(struct slab_cache *cache)
{
    spin_lock(&cache->lock);
    size_t used = cache->used;
    spin_unlock(&cache->lock);
    return used;
}

size_t slab_memory(struct slab_cache *cache)
{
    spin_lock(&cache->lock);
    size_t count = cache->slabs;
    spin_unlock(&cache->lock);
    return count * (PAGE_SIZE << cache->order);
}

void slab_for_each(void (*visit)(struct slab_cache *cache, void *context), void *context)
{
    /*
     * Caches are only ever added, at the end: the list may be walked without the lock, under which
     * `visit` could not take a cache's.
     */
    spin_lock(&slabs.lock);
    struct list *last = slabs.caches.prev;
    spin_unlock(&slabs.lock);
    for (struct list *node = &slabs.caches; node != last;) {
        node = node->next;
        visit(LIST_ENTRY(node, struct slab_cache, all), context);
    }
}

static void give_back_spare(struct slab_cache *cache, void *context)
{
    (void)context;
    spin_lock(&cache->lock);
    struct page *spare = cache->spare;
    cache->spare = NULL;
    cache->slabs -= spare != NULL;
    spin_unlock(&cache->lock);
    if (spare != NULL) {
        page_free(spare, cache->order);
    }
}

void slab_trim(void)
{
    slab_for_each(give_back_spare, NULL);
}

/* The first page of the cache's slab that the address is in; NULL: it is in none. */
static const struct page *slab_around(const struct slab_cache *cache, uintptr_t address)
{
    uintptr_t start = ALIGN_DOWN(address, PAGE_SIZE << cache->order);
    const struct page *slab = virt_to_page((const void *)start);
    bool found =
        slab != NULL && page_is_allocated(slab, cache->order) && slab_id(slab) == cache->id;
    return found ? slab : NULL;
}

bool slab_find(const void *address, struct slab_place *place)
{
    uintptr_t at = (uintptr_t)address;
    const struct slab_cache *cache;
    if (at - DIRECT_MAP_BASE >= DIRECT_MAP_SIZE) {
        return false;
    }
    LIST_FOR_EACH(cache, &slabs.caches, struct slab_cache, all)
    {
        const struct page *slab = slab_around(cache, at);
        if (slab != NULL) {
            size_t offset = at - (uintptr_t)page_to_virt(slab);
            *place = (struct slab_place){ cache->name, cache->size, offset % cache->object_size };
            return true;
        }
    }
    return false;
}

void slab_init(void)
{
    unsigned class = 0;
    for (size_t i = 0; i < ARRAY_SIZE(kalloc_state.class_of); i++) {
        if (i * KALLOC_ALIGN > kalloc_sizes[class].size) {
            class ++;
        }
        kalloc_state.class_of[i] = (uint8_t)class;
    }
    for (class = 0; class < ARRAY_SIZE(kalloc_sizes); class ++) {
        slab_cache_init(&kalloc_state.caches[class], kalloc_sizes[class].name,
                        kalloc_sizes[class].size, KALLOC_ALIGN);
    }
}

static struct slab_cache *kalloc_cache(size_t size)
{
    return &kalloc_state.caches[kalloc_state.class_of[(size + KALLOC_ALIGN - 1) / KALLOC_ALIGN]];
}

/* The smallest order of pages that hold `size` bytes, more than a page's half. */
static unsigned order_of(size_t size)
{
    unsigned order = 0;
    while ((PAGE_SIZE << order) < size) {
        order++;
    }
    return order;
}

void *kalloc_unfilled(size_t size)
{
    if (likely(size <= KALLOC_MAX)) {
        struct slab_cache *cache = kalloc_cache(size);
        char *object = slab_alloc_uncleared(cache);
        if (KASAN_REDZONE != 0 && object != NULL) {
            kasan_poison(object + size, cache->size - size, KASAN_OBJECT_END);
        }
        return object;
    }
    if (size > PAGE_SIZE << PAGE_MAX_ORDER) {
        return NULL;
    }
    struct page *page = page_alloc(order_of(size));
    if (page == NULL) {
        return NULL;
    }
    char *memory = page_to_virt(page);
    kasan_poison(memory + size, (PAGE_SIZE << order_of(size)) - size, KASAN_PAGES_END);
    return memory;
}

void *kalloc(size_t size)
{
    void *memory = kalloc_unfilled(size);
    return unlikely(memory == NULL) ? NULL : memset(memory, 0, size);
}

void kfree(void *memory, size_t size)
{
    if (memory == NULL) {
        return;
    }
    if (likely(size <= KALLOC_MAX)) {
        slab_free(kalloc_cache(size), memory);
        return;
    }
    page_free(virt_to_page(memory), order_of(size));
}
