/*
 * Physical pages: a buddy allocator over all RAM the device tree gives, with a cache of single
 * pages per hart. Every page frame has a struct page. Relies on the direct map (arch/phys.h) to
 * reach them.
 */
#ifndef MM_PAGE_H
#define MM_PAGE_H

#include "kernel/list.h"
#include "kernel/types.h"

#define PAGE_MAX_ORDER 10 /* largest block: 4 MiB */

/*
 * One page frame. Allocation clears the owner's fields of the block's first page; those of the
 * others are zero or what the last owner left. Frames that were never free have no contents (see
 * page_init).
 */
struct page {
    struct list link; /* free list while free; the owner's afterwards */
    uint8_t order;    /* of the free block that starts here, or of the allocation */
    uint8_t state;    /* enum page_state, for the allocator's own checks */
    uint16_t flags;   /* the owner's */
    uint32_t refs;    /* the owner's: number of references, atomic */
    void *owner;      /* the owner's: e.g. the slab's free objects */
};

/*
 * Boot: tells the allocator of the physical range it manages as a whole (RAM from lowest to
 * highest, at most DIRECT_MAP_SIZE), and gives it the memory of the page array:
 * page_array_size(start, end) bytes, reachable through the direct map, contents undefined. No page
 * is free yet. The array is cleared later, in pieces of 4 MiB of RAM, when a piece is first split:
 * only frames that page_add_free has seen may be looked at.
 */
size_t page_array_size(paddr_t start, paddr_t end);
void page_init(paddr_t start, paddr_t end, void *array);

/* Boot: makes the whole pages inside [start, end) free. Ranges may touch but not overlap. */
void page_add_free(paddr_t start, paddr_t end);

/*
 * Returns 2^order pages, contiguous and aligned to their size, contents undefined; NULL when there
 * are none, in harts' caches neither. Takes LOCK_PAGE_CACHE and LOCK_PAGES.
 */
struct page *page_alloc(unsigned order);

/* The same, zeroed. */
struct page *page_alloc_zeroed(unsigned order);

/* Gives a block back, as one of the order it was allocated with. Takes the same locks. */
void page_free(struct page *page, unsigned order);

paddr_t page_to_phys(const struct page *page);
struct page *phys_to_page(paddr_t address);       /* NULL outside the managed range */
bool page_is_managed(paddr_t start, paddr_t end); /* whether any of the range is */
/* Whether it is the first page of a block of this order that is in use. */
bool page_is_allocated(const struct page *page, unsigned order);

void *page_to_virt(const struct page *page);
struct page *virt_to_page(const void *address); /* of a direct-map address; NULL as above */

/* Free pages now, those in harts' caches included; exact when nothing else allocates. */
size_t page_free_count(void);
size_t page_total_count(void); /* pages ever made free by page_add_free */

#endif
