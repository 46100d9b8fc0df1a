/*
 * VMOs: memory as an object. Anonymous ones get zeroed pages on first use, charged to an account;
 * contiguous ones have all of it from the start, in one piece; physical ones name memory that
 * exists (the boot image, the gate page) or a device's registers.
 */
#ifndef MM_VMO_H
#define MM_VMO_H

#include "kernel/object.h"
#include "mm/account.h"
#include "mm/page_tree.h"

struct vmo {
    struct object object;    /* first */
    uint8_t kind;            /* ftl_vmo_kind_t; fixed */
    bool device;             /* physical, and not in the direct map; fixed */
    uint8_t order;           /* contiguous: of its block of pages; fixed */
    paddr_t base;            /* but for anonymous; fixed */
    struct account *account; /* a reference, or NULL */
    uint64_t size;           /* bytes, whole pages; changes under `lock`, atomic */
    struct spinlock lock;    /* LOCK_VMO; protects the rest */
    uint32_t mappings;       /* of it; while there are any it does not shrink; atomic */
    struct page_tree pages;  /* anonymous */
};

#define VMO_SIZE_MAX (PAGE_TREE_PAGES_MAX << PAGE_SHIFT)

/* Boot: sets up the cache of VMOs. */
void vmo_init(void);

/* One reference; NULL when the account or memory is exhausted. `size` is rounded up to pages; not
 * 0, at most VMO_SIZE_MAX. */
struct vmo *vmo_create(uint64_t size, struct account *account);
struct vmo *vmo_create_contiguous(uint64_t size, struct account *account);

/* The same for what is there: RAM in the direct map, or registers of a device, page-aligned. */
struct vmo *vmo_create_physical(paddr_t base, uint64_t size);
struct vmo *vmo_create_device(paddr_t base, uint64_t size, struct account *account);

static inline uint64_t vmo_size(const struct vmo *vmo)
{
    return __atomic_load_n(&vmo->size, __ATOMIC_RELAXED);
}

/* Whether the range is inside the VMO, now. */
static inline bool vmo_has_range(const struct vmo *vmo, uint64_t offset, uint64_t size)
{
    uint64_t whole = vmo_size(vmo);
    return offset <= whole && size <= whole - offset;
}

/*
 * Gives an anonymous VMO another size, rounded up to pages; not 0, at most VMO_SIZE_MAX. Errors:
 * NOT_SUPPORTED (of another kind), BAD_STATE (to shrink one that is mapped), NO_MEMORY, LIMIT.
 */
ftl_status_t vmo_resize(struct vmo *vmo, uint64_t size);

/*
 * Takes a reference for a mapping of the range: the VMO keeps it as long. OUT_OF_RANGE when it is
 * not inside. vmo_pin_more: one more for a part of a range that is pinned.
 */
ftl_status_t vmo_pin(struct vmo *vmo, uint64_t offset, uint64_t size);
void vmo_pin_more(struct vmo *vmo);
void vmo_unpin(struct vmo *vmo);

/*
 * Finds the page at a page-aligned offset, making it if need be. Returns its physical address, or 0
 * with *status set: OUT_OF_RANGE, NO_MEMORY, LIMIT.
 */
paddr_t vmo_page(struct vmo *vmo, uint64_t offset, ftl_status_t *status);

/* The same for a page that is there already; 0 when it is not. */
paddr_t vmo_find_page(struct vmo *vmo, uint64_t offset);

/*
 * The same for the LARGE_PAGE_SIZE bytes at an offset aligned to that, when they are, or may
 * become, one aligned piece of memory; 0 when not.
 */
paddr_t vmo_large_page(struct vmo *vmo, uint64_t offset);

/* Copies between kernel memory and the VMO. OUT_OF_RANGE, NO_MEMORY, LIMIT; NOT_SUPPORTED for
 * devices' registers. */
ftl_status_t vmo_read(struct vmo *vmo, uint64_t offset, void *data, size_t size);
ftl_status_t vmo_write(struct vmo *vmo, uint64_t offset, const void *data, size_t size);

void vmo_destroy(struct object *object);

#endif
