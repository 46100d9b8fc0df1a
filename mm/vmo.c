/* VMOs: see vmo.h. */
#include "mm/vmo.h"

#include <ftl/status.h>

#include "arch/phys.h"
#include "kernel/assert.h"
#include "kernel/string.h"
#include "mm/page.h"
#include "mm/slab.h"

static struct slab_cache vmo_cache;

void vmo_init(void)
{
    slab_cache_init(&vmo_cache, "vmo", sizeof(struct vmo), _Alignof(struct vmo));
    page_tree_boot();
}

/* A VMO without memory, charged to the account. */
static struct vmo *vmo_new(ftl_vmo_kind_t kind, uint64_t size, struct account *account)
{
    if (size == 0 || size > VMO_SIZE_MAX || !account_charge(account, sizeof(struct vmo))) {
        return NULL;
    }
    struct vmo *vmo = slab_alloc(&vmo_cache);
    if (vmo == NULL) {
        account_release(account, sizeof(*vmo));
        return NULL;
    }
    object_init(&vmo->object, OBJECT_VMO);
    spin_init(&vmo->lock, LOCK_VMO);
    vmo->kind = (uint8_t)kind;
    vmo->size = ALIGN_UP(size, PAGE_SIZE);
    vmo->account = account == NULL ? NULL : account_get(account);
    return vmo;
}

static void vmo_free(struct vmo *vmo)
{
    struct account *account = vmo->account;
    slab_free(&vmo_cache, vmo);
    if (account != NULL) {
        account_release(account, sizeof(*vmo));
        account_put(account);
    }
}

struct vmo *vmo_create(uint64_t size, struct account *account)
{
    struct vmo *vmo = vmo_new(FTL_VMO_ANONYMOUS, size, account);
    if (vmo != NULL) {
        page_tree_init(&vmo->pages, account);
        if (vmo->size > PAGE_SIZE) {
            page_tree_grow(&vmo->pages, vmo->size >> PAGE_SHIFT); /* empty: cannot fail */
        }
    }
    return vmo;
}

/* Gives a contiguous VMO its memory: a block, charged as a whole. False: there is none. */
static bool take_block(struct vmo *vmo)
{
    while (PAGE_SIZE << vmo->order < vmo->size) {
        vmo->order++;
    }
    if (vmo->order > PAGE_MAX_ORDER || !account_charge(vmo->account, PAGE_SIZE << vmo->order)) {
        return false;
    }
    struct page *block = page_alloc_zeroed(vmo->order);
    if (block == NULL) {
        account_release(vmo->account, PAGE_SIZE << vmo->order);
        return false;
    }
    vmo->base = page_to_phys(block);
    return true;
}

static void give_back_block(struct vmo *vmo)
{
    page_free(phys_to_page(vmo->base), vmo->order);
    account_release(vmo->account, PAGE_SIZE << vmo->order);
}

struct vmo *vmo_create_contiguous(uint64_t size, struct account *account)
{
    struct vmo *vmo = vmo_new(FTL_VMO_CONTIGUOUS, size, account);
    if (vmo != NULL && !take_block(vmo)) {
        vmo_free(vmo);
        return NULL;
    }
    return vmo;
}

struct vmo *vmo_create_physical(paddr_t base, uint64_t size)
{
    struct vmo *vmo = vmo_new(FTL_VMO_PHYSICAL, size, NULL);
    if (vmo != NULL) {
        vmo->base = base;
    }
    return vmo;
}

struct vmo *vmo_create_device(paddr_t base, uint64_t size, struct account *account)
{
    struct vmo *vmo = vmo_new(FTL_VMO_PHYSICAL, size, account);
    if (vmo != NULL) {
        vmo->device = true;
        vmo->base = base;
    }
    return vmo;
}

static ftl_status_t resize_locked(struct vmo *vmo, uint64_t size)
{
    if (size < vmo->size) {
        if (__atomic_load_n(&vmo->mappings, __ATOMIC_ACQUIRE) != 0) {
            return FTL_ERR_BAD_STATE;
        }
        page_tree_free_from(&vmo->pages, size >> PAGE_SHIFT);
    } else {
        ftl_status_t status = page_tree_grow(&vmo->pages, size >> PAGE_SHIFT);
        if (status != FTL_OK) {
            return status;
        }
    }
    __atomic_store_n(&vmo->size, size, __ATOMIC_RELAXED);
    return FTL_OK;
}

ftl_status_t vmo_resize(struct vmo *vmo, uint64_t size)
{
    ASSERT(size != 0 && size <= VMO_SIZE_MAX);
    if (vmo->kind != FTL_VMO_ANONYMOUS) {
        return FTL_ERR_NOT_SUPPORTED;
    }
    spin_lock(&vmo->lock);
    ftl_status_t status = resize_locked(vmo, ALIGN_UP(size, PAGE_SIZE));
    spin_unlock(&vmo->lock);
    return status;
}

ftl_status_t vmo_pin(struct vmo *vmo, uint64_t offset, uint64_t size)
{
    spin_lock(&vmo->lock);
    bool inside = offset <= vmo->size && size <= vmo->size - offset;
    if (inside) {
        vmo_pin_more(vmo);
    }
    spin_unlock(&vmo->lock);
    return inside ? FTL_OK : FTL_ERR_OUT_OF_RANGE;
}

void vmo_pin_more(struct vmo *vmo)
{
    __atomic_fetch_add(&vmo->mappings, 1, __ATOMIC_RELAXED);
    object_get(&vmo->object);
}

void vmo_unpin(struct vmo *vmo)
{
    __atomic_fetch_sub(&vmo->mappings, 1, __ATOMIC_RELEASE);
    object_put(&vmo->object);
}

paddr_t vmo_page(struct vmo *vmo, uint64_t offset, ftl_status_t *status)
{
    paddr_t address = 0;
    spin_lock(&vmo->lock);
    if (offset >= vmo->size) {
        *status = FTL_ERR_OUT_OF_RANGE;
    } else if (vmo->kind != FTL_VMO_ANONYMOUS) {
        address = vmo->base + offset;
    } else {
        address = page_tree_get(&vmo->pages, offset >> PAGE_SHIFT, status);
    }
    spin_unlock(&vmo->lock);
    return address;
}

paddr_t vmo_find_page(struct vmo *vmo, uint64_t offset)
{
    ASSERT(offset < vmo_size(vmo));
    if (vmo->kind != FTL_VMO_ANONYMOUS) {
        return vmo->base + offset;
    }
    spin_lock(&vmo->lock);
    paddr_t address = page_tree_find(&vmo->pages, offset >> PAGE_SHIFT);
    spin_unlock(&vmo->lock);
    return address;
}

paddr_t vmo_large_page(struct vmo *vmo, uint64_t offset)
{
    ASSERT(IS_ALIGNED(offset, LARGE_PAGE_SIZE));
    paddr_t address = 0;
    spin_lock(&vmo->lock);
    if (offset >= vmo->size || vmo->size - offset < LARGE_PAGE_SIZE) {
        address = 0;
    } else if (vmo->kind != FTL_VMO_ANONYMOUS) {
        address = IS_ALIGNED(vmo->base, LARGE_PAGE_SIZE) ? vmo->base + offset : 0;
    } else {
        address = page_tree_get_large(&vmo->pages, offset >> PAGE_SHIFT);
    }
    spin_unlock(&vmo->lock);
    return address;
}

/* Calls `copy` with the kernel's address of each piece of the range that lies in one page. */
static ftl_status_t for_each_piece(struct vmo *vmo, uint64_t offset, char *data, size_t size,
                                   void (*copy)(char *page, char *data, size_t size))
{
    uint64_t end = vmo_size(vmo);
    if (offset > end || size > end - offset) {
        return FTL_ERR_OUT_OF_RANGE;
    }
    if (vmo->device) {
        return FTL_ERR_NOT_SUPPORTED;
    }
    while (size > 0) {
        size_t in_page = offset & (PAGE_SIZE - 1);
        size_t piece = size < PAGE_SIZE - in_page ? size : PAGE_SIZE - in_page;
        ftl_status_t status = FTL_OK;
        paddr_t page = vmo_page(vmo, offset - in_page, &status);
        if (status != FTL_OK) {
            return status;
        }
        copy((char *)phys_to_virt(page) + in_page, data, piece);
        offset += piece;
        data += piece;
        size -= piece;
    }
    return FTL_OK;
}

static void copy_from_page(char *page, char *data, size_t size)
{
    memcpy(data, page, size);
}

static void copy_to_page(char *page, char *data, size_t size)
{
    memcpy(page, data, size);
}

ftl_status_t vmo_read(struct vmo *vmo, uint64_t offset, void *data, size_t size)
{
    return for_each_piece(vmo, offset, data, size, copy_from_page);
}

ftl_status_t vmo_write(struct vmo *vmo, uint64_t offset, const void *data, size_t size)
{
    /* copy_to_page only reads its data. */
    return for_each_piece(vmo, offset, (char *)(uintptr_t)data, size, copy_to_page);
}

void vmo_destroy(struct object *object)
{
    struct vmo *vmo = (struct vmo *)object;
    if (vmo->kind == FTL_VMO_ANONYMOUS) {
        page_tree_free_from(&vmo->pages, 0);
    } else if (vmo->kind == FTL_VMO_CONTIGUOUS) {
        give_back_block(vmo);
    }
    vmo_free(vmo);
}
