/*
 * The page allocator. Below: a buddy allocator of blocks of 2^order pages with one lock. Above: per
 * hart a stack of single pages, filled from and spilled to the buddies in batches. A hart whose
 * cache and the buddies are empty takes back what the other caches hold, so pages cached elsewhere
 * are never out of reach; that is why caches have locks, though these are almost never contended.
 */
#include "mm/page.h"

#include "arch/hart.h"
#include "arch/phys.h"
#include "kernel/assert.h"
#include "kernel/kasan.h"
#include "kernel/spinlock.h"
#include "kernel/string.h"

#define ORDER_COUNT (PAGE_MAX_ORDER + 1)

/*
 * A chunk is the memory of a block of the largest order. Its part of the page array is cleared when
 * its first page is used, so that boot does not pay for RAM that nobody needs yet.
 */
#define CHUNK_PAGES ((size_t)1 << PAGE_MAX_ORDER)
#define CHUNK_SIZE  (CHUNK_PAGES << PAGE_SHIFT)
/* the first and the last may be partial */
#define CHUNK_COUNT      (DIRECT_MAP_SIZE / CHUNK_SIZE + 1)
#define CHUNK_WORD_BITS  64
#define CHUNK_WORD_COUNT ((CHUNK_COUNT + CHUNK_WORD_BITS - 1) / CHUNK_WORD_BITS)

#define CACHE_MAX   32 /* pages a hart's cache holds at most */
#define CACHE_BATCH 16 /* pages moved to or from the buddies at once */

/*
 * With fewer pages in the buddies than every hart's cache could take, caches neither fill nor keep
 * pages.
 */
#define SCARCE_COUNT ((size_t)MAX_HARTS * CACHE_MAX)

#define CACHE_LINE_SIZE 64

enum page_state {
    PAGE_OTHER,     /* inside a block, or not the allocator's */
    PAGE_FREE,      /* first page of a free block */
    PAGE_CACHED,    /* single page in a hart's cache */
    PAGE_ALLOCATED, /* first page of an allocation */
};

struct page_cache {
    struct spinlock lock; /* LOCK_PAGE_CACHE; protects the rest; taken before LOCK_PAGES */
    unsigned count;
    struct page *pages[CACHE_MAX];
} __attribute__((aligned(CACHE_LINE_SIZE)));

static struct {
    /* Fixed after page_init. */
    paddr_t base; /* physical address of array[0], aligned to the largest block */
    paddr_t start, end;
    struct page *array;

    struct spinlock lock; /* LOCK_PAGES; protects the blocks below and states of free pages */
    struct list free_blocks[ORDER_COUNT];
    unsigned orders;   /* bit n: free_blocks[n] is not empty */
    size_t free_count; /* pages in free_blocks; written under the lock, read anywhere */
    uint64_t given;    /* blocks ever given to free_blocks; written under the lock, read anywhere */
    size_t total_count;
    uint64_t chunk_used[CHUNK_WORD_COUNT]; /* bit n: chunk n's part of the array is cleared */

    struct page_cache caches[MAX_HARTS];
} pages;

size_t page_array_size(paddr_t start, paddr_t end)
{
    paddr_t size = ALIGN_UP(end, CHUNK_SIZE) - ALIGN_DOWN(start, CHUNK_SIZE);
    return (size >> PAGE_SHIFT) * sizeof(struct page);
}

void page_init(paddr_t start, paddr_t end, void *array)
{
    ASSERT(start < end && end - start <= DIRECT_MAP_SIZE);
    pages.base = ALIGN_DOWN(start, CHUNK_SIZE);
    pages.start = start;
    pages.end = end;
    pages.array = array;
    spin_init(&pages.lock, LOCK_PAGES);
    for (unsigned order = 0; order < ORDER_COUNT; order++) {
        list_init(&pages.free_blocks[order]);
    }
    pages.orders = 0;
    pages.free_count = 0;
    pages.given = 0;
    pages.total_count = 0;
    memset(pages.chunk_used, 0, sizeof(pages.chunk_used));
    for (unsigned hart = 0; hart < MAX_HARTS; hart++) {
        spin_init(&pages.caches[hart].lock, LOCK_PAGE_CACHE);
        pages.caches[hart].count = 0;
    }
}

static size_t index_of(const struct page *page)
{
    return (size_t)(page - pages.array);
}

paddr_t page_to_phys(const struct page *page)
{
    return pages.base + ((paddr_t)index_of(page) << PAGE_SHIFT);
}

struct page *phys_to_page(paddr_t address)
{
    if (address < pages.start || address >= pages.end) {
        return NULL;
    }
    return &pages.array[(address - pages.base) >> PAGE_SHIFT];
}

bool page_is_managed(paddr_t start, paddr_t end)
{
    return start < pages.end && pages.start < end;
}

bool page_is_allocated(const struct page *page, unsigned order)
{
    return __atomic_load_n(&page->state, __ATOMIC_RELAXED) == PAGE_ALLOCATED &&
           page->order == order;
}

void *page_to_virt(const struct page *page)
{
    return phys_to_virt(page_to_phys(page));
}

struct page *virt_to_page(const void *address)
{
    return phys_to_page(virt_to_phys(address));
}

/* The free count has one writer at a time, and readers without the lock who want a hint. */
static void add_free_count(size_t count)
{
    __atomic_store_n(&pages.free_count, pages.free_count + count, __ATOMIC_RELAXED);
}

static bool is_scarce(void)
{
    return __atomic_load_n(&pages.free_count, __ATOMIC_RELAXED) < SCARCE_COUNT;
}

static void clear_chunk_once(size_t index)
{
    size_t chunk = index / CHUNK_PAGES;
    uint64_t *word = &pages.chunk_used[chunk / CHUNK_WORD_BITS];
    uint64_t bit = (uint64_t)1 << chunk % CHUNK_WORD_BITS;
    if ((*word & bit) == 0) {
        *word |= bit;
        memset(&pages.array[chunk * CHUNK_PAGES], 0, CHUNK_PAGES * sizeof(struct page));
    }
}

/*
 * The state of a page whose buddy is freed is read by another hart, under the pages' lock; into and
 * out of PAGE_FREE it changes only under that lock, so nobody sees it wrongly free.
 */
static void set_state(struct page *page, enum page_state state)
{
    __atomic_store_n(&page->state, (uint8_t)state, __ATOMIC_RELAXED);
}

static bool is_free_block(const struct page *page, unsigned order)
{
    return __atomic_load_n(&page->state, __ATOMIC_RELAXED) == PAGE_FREE && page->order == order;
}

/* Puts a block on its free list as it is. */
static void link_block(struct page *page, unsigned order)
{
    page->order = (uint8_t)order;
    set_state(page, PAGE_FREE);
    list_push_front(&pages.free_blocks[order], &page->link);
    pages.orders |= 1u << order;
}

static void unlink_block(struct page *page, unsigned order)
{
    list_remove(&page->link);
    set_state(page, PAGE_OTHER);
    if (list_empty(&pages.free_blocks[order])) {
        pages.orders &= ~(1u << order);
    }
}

/* Makes a block free, merged with its free buddies. The lock is held. */
static void buddy_give(struct page *page, unsigned order)
{
    size_t index = index_of(page);
    add_free_count((size_t)1 << order);
    __atomic_store_n(&pages.given, pages.given + 1, __ATOMIC_RELEASE);
    set_state(page, PAGE_OTHER);
    /* Buddies of less than the largest order are in the same chunk: in the array, and cleared. */
    for (; order < PAGE_MAX_ORDER; order++) {
        struct page *buddy = &pages.array[index ^ (size_t)1 << order];
        if (!is_free_block(buddy, order)) {
            break;
        }
        unlink_block(buddy, order);
        index &= ~((size_t)1 << order);
    }
    link_block(&pages.array[index], order);
}

/* Takes a block out, splitting the smallest that will do, or NULL. The lock is held. */
static struct page *buddy_take(unsigned order)
{
    unsigned candidates = pages.orders >> order;
    if (candidates == 0) {
        return NULL;
    }
    unsigned from = order + (unsigned)__builtin_ctz(candidates);
    struct page *page = LIST_ENTRY(pages.free_blocks[from].next, struct page, link);
    unlink_block(page, from);
    if (from == PAGE_MAX_ORDER) {
        clear_chunk_once(index_of(page));
    }
    while (from > order) {
        from--;
        link_block(page + ((size_t)1 << from), from);
    }
    add_free_count(-((size_t)1 << order));
    return page;
}

/* Adds the largest block that starts at `index` and ends by `end`; returns the index after it. */
static size_t add_block(size_t index, size_t end)
{
    unsigned order = PAGE_MAX_ORDER;
    while (!IS_ALIGNED(index, (size_t)1 << order) || index + ((size_t)1 << order) > end) {
        order--;
    }
    if (order < PAGE_MAX_ORDER) {
        clear_chunk_once(index);
    }
    buddy_give(&pages.array[index], order);
    return index + ((size_t)1 << order);
}

void page_add_free(paddr_t start, paddr_t end)
{
    ASSERT(start <= end && start >= pages.start && end <= pages.end);
    size_t index = (ALIGN_UP(start, PAGE_SIZE) - pages.base) >> PAGE_SHIFT;
    size_t end_index = (end - pages.base) >> PAGE_SHIFT;

    kasan_poison(phys_to_virt(pages.base + (index << PAGE_SHIFT)),
                 (end_index - index) << PAGE_SHIFT, KASAN_PAGES_FREE);
    spin_lock(&pages.lock);
    while (index < end_index) {
        size_t next = add_block(index, end_index);
        pages.total_count += next - index;
        index = next;
    }
    spin_unlock(&pages.lock);
}

/* Fills an empty cache, by one page only when pages are scarce. The cache's lock is held. */
static void cache_fill(struct page_cache *cache)
{
    spin_lock(&pages.lock);
    unsigned wanted = is_scarce() ? 1 : CACHE_BATCH;
    while (cache->count < wanted) {
        struct page *page = buddy_take(0);
        if (page == NULL) {
            break;
        }
        set_state(page, PAGE_CACHED);
        cache->pages[cache->count++] = page;
    }
    spin_unlock(&pages.lock);
}

/* Gives the cache's longest unused pages back until `keep` are left. The cache's lock is held. */
static void cache_spill(struct page_cache *cache, unsigned keep)
{
    unsigned spilled = cache->count - keep;
    spin_lock(&pages.lock);
    for (unsigned i = 0; i < spilled; i++) {
        buddy_give(cache->pages[i], 0);
    }
    spin_unlock(&pages.lock);
    for (unsigned i = 0; i < keep; i++) {
        cache->pages[i] = cache->pages[i + spilled];
    }
    cache->count = keep;
}

static struct page *cache_take(void)
{
    struct page_cache *cache = &pages.caches[hart_index()];
    struct page *page = NULL;
    spin_lock(&cache->lock);
    if (unlikely(cache->count == 0)) {
        cache_fill(cache);
    }
    if (likely(cache->count > 0)) {
        page = cache->pages[--cache->count];
    }
    spin_unlock(&cache->lock);
    return page;
}

static void cache_give(struct page *page)
{
    struct page_cache *cache = &pages.caches[hart_index()];
    spin_lock(&cache->lock);
    if (unlikely(cache->count == CACHE_MAX)) {
        cache_spill(cache, CACHE_MAX - CACHE_BATCH);
    }
    set_state(page, PAGE_CACHED);
    cache->pages[cache->count++] = page;
    if (unlikely(is_scarce())) {
        cache_spill(cache, 0);
    }
    spin_unlock(&cache->lock);
}

/* Empties every hart's cache into the buddies. */
static void drain_caches(void)
{
    for (unsigned hart = 0; hart < MAX_HARTS; hart++) {
        struct page_cache *cache = &pages.caches[hart];
        spin_lock(&cache->lock);
        if (cache->count > 0) {
            cache_spill(cache, 0);
        }
        spin_unlock(&cache->lock);
    }
}

static struct page *try_alloc(unsigned order)
{
    if (likely(order == 0)) {
        return cache_take();
    }
    spin_lock(&pages.lock);
    struct page *page = buddy_take(order);
    spin_unlock(&pages.lock);
    return page;
}

/*
 * For when the easy way failed. Harts move pages between caches while these are drained one by one,
 * but when pages are scarce only by way of the buddies: there are none at all if nothing was given
 * to the buddies meanwhile. Blocks of several pages may be unavailable for being scattered, so for
 * these one more attempt must do.
 */
static struct page *alloc_from_caches(unsigned order)
{
    if (order > 0) {
        drain_caches();
        return try_alloc(order);
    }
    for (;;) {
        uint64_t given = __atomic_load_n(&pages.given, __ATOMIC_ACQUIRE);
        struct page *page = try_alloc(0);
        if (page != NULL) {
            return page;
        }
        drain_caches();
        if (__atomic_load_n(&pages.given, __ATOMIC_ACQUIRE) == given) {
            return NULL;
        }
    }
}

struct page *page_alloc(unsigned order)
{
    ASSERT(order <= PAGE_MAX_ORDER);
    struct page *page = try_alloc(order);
    if (unlikely(page == NULL)) {
        page = alloc_from_caches(order);
        if (page == NULL) {
            return NULL;
        }
    }
    list_init(&page->link);
    page->order = (uint8_t)order;
    set_state(page, PAGE_ALLOCATED);
    page->flags = 0;
    page->refs = 0;
    page->owner = NULL;
    kasan_allow(page_to_virt(page), PAGE_SIZE << order);
    return page;
}

/* memset for much memory: all but one instruction in thirty are stores. */
static void zero(void *memory, size_t size)
{
    volatile uint64_t *words = memory; /* volatile: else the compiler makes it a memset again */
#pragma clang loop unroll_count(64)
    for (size_t i = 0; i < size / sizeof(*words); i++) {
        words[i] = 0;
    }
}

struct page *page_alloc_zeroed(unsigned order)
{
    struct page *page = page_alloc(order);
    if (page != NULL) {
        zero(page_to_virt(page), PAGE_SIZE << order);
    }
    return page;
}

void page_free(struct page *page, unsigned order)
{
    ASSERT(page->state == PAGE_ALLOCATED && page->order == order);
    kasan_poison(page_to_virt(page), PAGE_SIZE << order, KASAN_PAGES_FREE);
    if (likely(order == 0)) {
        cache_give(page);
        return;
    }
    spin_lock(&pages.lock);
    buddy_give(page, order);
    spin_unlock(&pages.lock);
}

size_t page_free_count(void)
{
    size_t count = 0;
    for (unsigned hart = 0; hart < MAX_HARTS; hart++) {
        struct page_cache *cache = &pages.caches[hart];
        spin_lock(&cache->lock);
        count += cache->count;
        spin_unlock(&cache->lock);
    }
    spin_lock(&pages.lock);
    count += pages.free_count;
    spin_unlock(&pages.lock);
    return count;
}

size_t page_total_count(void)
{
    return pages.total_count;
}
