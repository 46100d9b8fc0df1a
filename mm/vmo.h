/*
 * VMOs: memory as an object. Anonymous ones get zeroed pages on first use, charged to an account;
 * physical ones name memory that exists (the boot image, the gate page, MMIO).
 */
#ifndef MM_VMO_H
#define MM_VMO_H

#include "kernel/object.h"
#include "mm/account.h"

struct vmo {
    struct object object; /* first */
    uint64_t size;        /* bytes, whole pages; fixed */
    bool physical;
    paddr_t base;            /* physical only */
    struct account *account; /* anonymous only; a reference */
    struct spinlock lock;    /* LOCK_VMO; protects the page tree */
    void *tree;              /* radix tree over page numbers, 512 entries per node */
    unsigned height;         /* of the tree, fixed */
};

#define VMO_SIZE_MAX ((uint64_t)1 << 38)

/* Boot: sets up the cache of VMOs. */
void vmo_init(void);

/* One reference; NULL when the account or memory is exhausted. `size` is rounded up to pages; not
 * 0, at most VMO_SIZE_MAX. */
struct vmo *vmo_create(uint64_t size, struct account *account);
struct vmo *vmo_create_physical(paddr_t base, uint64_t size);

/*
 * Finds the page at a page-aligned offset below size, making it if need be. Returns its physical
 * address, or 0 with *status set: NO_MEMORY or LIMIT.
 */
paddr_t vmo_page(struct vmo *vmo, uint64_t offset, ftl_status_t *status);

/* The same for a page that is there already; 0 when it is not. */
paddr_t vmo_find_page(struct vmo *vmo, uint64_t offset);

/* Copies between kernel memory and the VMO. OUT_OF_RANGE, NO_MEMORY, LIMIT. */
ftl_status_t vmo_read(struct vmo *vmo, uint64_t offset, void *data, size_t size);
ftl_status_t vmo_write(struct vmo *vmo, uint64_t offset, const void *data, size_t size);

void vmo_destroy(struct object *object);

#endif
