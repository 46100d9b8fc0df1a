/*
 * Sv39 page tables (privileged spec, "Sv39: Page-Based 39-bit Virtual-Memory System") and the
 * kernel's address-space layout. Callers serialize changes of one table; TLB shoot-down is theirs
 * too.
 */
#ifndef ARCH_MMU_H
#define ARCH_MMU_H

#include "arch/phys.h" /* DIRECT_MAP_BASE, phys_to_virt, virt_to_phys */
#include "kernel/list.h"
#include "kernel/types.h"
#include "mm/account.h"

#define VMAP_BASE    0xffffffd000000000UL
#define VMAP_SIZE    (2UL << 30)
#define WINDOW_BASE  0xffffffd800000000UL
#define WINDOW_SIZE  (4UL << 30)
#define WINDOW_COUNT 39
#define KERNEL_BASE  0xffffffff80000000UL /* link address of the image */
#define USER_BASE    0x10000UL            /* lowest address mapped in a user vmspace */
#define USER_END     (1UL << 38)          /* end of the lower half */

#define MEGAPAGE_SIZE (2 * MIB)
#define GIGAPAGE_SIZE GIB

/*
 * What a leaf allows. A and D are always set beforehand: some harts trap instead of setting them.
 */
#define MMU_READ   (1u << 0)
#define MMU_WRITE  (1u << 1)
#define MMU_EXEC   (1u << 2)
#define MMU_USER   (1u << 3)
#define MMU_GLOBAL (1u << 4)

struct page_table {
    paddr_t root;
    struct account *account; /* charged PAGE_SIZE per table page; NULL for the kernel's */
};

/*
 * Makes an empty root (with the kernel's upper half shared, if `kernel` is not NULL). False: out of
 * memory.
 */
bool page_table_init(struct page_table *table, const struct page_table *kernel,
                     struct account *account);

/*
 * Frees the table pages of the lower half [0, USER_END) and the root. Leaves are the caller's to
 * free first.
 */
void page_table_destroy(struct page_table *table);

/*
 * Maps [va, va + size) to [pa, pa + size), with the largest pages that alignment allows (4 KiB, 2
 * MiB, 1 GiB). All page-aligned; the range must not be mapped. On failure (out of memory, account
 * limit) nothing stays mapped and false is returned; table pages made on the way stay. Permissions
 * need MMU_READ or MMU_EXEC; write without read, or with execute, is a bug of the caller
 * (asserted).
 */
bool page_table_map(struct page_table *table, vaddr_t va, paddr_t pa, size_t size,
                    unsigned permissions);

/*
 * Unmaps what is mapped in [va, va + size); holes are fine. Calls `release` (if not NULL) for each
 * leaf taken out, before the caller has flushed TLBs: it must only collect. Larger leaves partly in
 * the range are split first (false: no memory for that; nothing was changed). Empty table pages
 * inside the lower half are freed only by destroy.
 */
bool page_table_unmap(struct page_table *table, vaddr_t va, size_t size,
                      void (*release)(paddr_t pa, size_t size, void *context), void *context);

/*
 * Changes the permissions (as for map) of mapped pages in the range; holes are fine; larger leaves
 * are split as above.
 */
bool page_table_protect(struct page_table *table, vaddr_t va, size_t size, unsigned permissions);

/*
 * Makes va a boundary between leaves, splitting a larger one that maps it; false: no memory for
 * that.
 */
bool page_table_split(struct page_table *table, vaddr_t va);

/* Where a table says what a page is mapped to, as long as nobody changes the table. */
struct page_place {
    uint64_t *entry;
    unsigned level; /* of the entry: 0 for one of 4 KiB */
};

/* Finds the place of a page; true when something is mapped there. */
bool page_table_locate(const struct page_table *table, vaddr_t va, struct page_place *place);

/* Whether map would map the 2 MiB around a place, where nothing is mapped, by one leaf. */
static inline bool page_place_takes_megapage(const struct page_place *place)
{
    return place->level > 0;
}

/* Maps one page of 4 KiB at its place, where nothing is mapped; as page_table_map(). */
bool page_table_fill(struct page_table *table, const struct page_place *place, vaddr_t va,
                     paddr_t pa, unsigned permissions);

/*
 * Finds the leaf that maps va: its physical address for va and its permissions. False when
 * unmapped.
 */
bool page_table_query(const struct page_table *table, vaddr_t va, paddr_t *pa,
                      unsigned *permissions);

/*
 * Makes sure that the root entries of [va, va + size) exist, so that copies of the root share what
 * comes below them.
 */
bool page_table_prepare_roots(struct page_table *table, vaddr_t va, size_t size);

/*
 * Takes the tables of 4 KiB pages whose 2 MiB lie wholly in the range, where nothing may be mapped,
 * out of the table. The pages go back to the allocator by page_table_free_detached(), when no TLB
 * may hold a way to them any more.
 */
void page_table_detach(struct page_table *table, vaddr_t va, size_t size, struct list *pages);
void page_table_free_detached(struct page_table *table, struct list *pages);

/* Copies the root entries for [va, va + size) from another table. */
void page_table_copy_roots(struct page_table *table, const struct page_table *from, vaddr_t va,
                           size_t size);

#endif
