/* VMOs: see vmo.h. Pages of anonymous ones hang in a radix tree of 512-entry nodes, one page each,
 * of fixed height. */
#include "mm/vmo.h"

#include <ftl/status.h>

#include "arch/mmu.h"
#include "kernel/assert.h"
#include "kernel/string.h"
#include "mm/page.h"
#include "mm/slab.h"

#define NODE_SHIFT   9
#define NODE_ENTRIES ((size_t)1 << NODE_SHIFT)

/* Leaf entries are struct page pointers, others are nodes. */
struct vmo_node {
    void *entries[NODE_ENTRIES];
};
_Static_assert(sizeof(struct vmo_node) == PAGE_SIZE, "a node is a page");

static struct slab_cache vmo_cache;

void vmo_init(void)
{
    slab_cache_init(&vmo_cache, "vmo", sizeof(struct vmo), _Alignof(struct vmo));
}

static struct vmo *vmo_new(uint64_t size)
{
    if (size == 0 || size > VMO_SIZE_MAX) {
        return NULL;
    }
    struct vmo *vmo = slab_alloc(&vmo_cache);
    if (vmo != NULL) {
        object_init(&vmo->object, OBJECT_VMO);
        spin_init(&vmo->lock, LOCK_VMO);
        vmo->size = ALIGN_UP(size, PAGE_SIZE);
    }
    return vmo;
}

struct vmo *vmo_create(uint64_t size, struct account *account)
{
    if (!account_charge(account, sizeof(struct vmo))) {
        return NULL;
    }
    struct vmo *vmo = vmo_new(size);
    if (vmo == NULL) {
        account_release(account, sizeof(struct vmo));
        return NULL;
    }
    vmo->account = account_get(account);
    vmo->height = 1;
    while (vmo->size >> PAGE_SHIFT > (uint64_t)1 << (NODE_SHIFT * vmo->height)) {
        vmo->height++;
    }
    return vmo;
}

struct vmo *vmo_create_physical(paddr_t base, uint64_t size)
{
    struct vmo *vmo = vmo_new(size);
    if (vmo != NULL) {
        vmo->physical = true;
        vmo->base = base;
    }
    return vmo;
}

/* A zeroed page charged to the VMO's account. */
static struct page *charged_page(struct vmo *vmo, ftl_status_t *status)
{
    if (!account_charge(vmo->account, PAGE_SIZE)) {
        *status = FTL_ERR_LIMIT;
        return NULL;
    }
    struct page *page = page_alloc_zeroed(0);
    if (page == NULL) {
        account_release(vmo->account, PAGE_SIZE);
        *status = FTL_ERR_NO_MEMORY;
    }
    return page;
}

static paddr_t page_locked(struct vmo *vmo, uint64_t offset, ftl_status_t *status)
{
    void **slot = &vmo->tree;
    for (unsigned level = vmo->height; level > 0; level--) {
        if (*slot == NULL) {
            struct page *node = charged_page(vmo, status);
            if (node == NULL) {
                return 0;
            }
            *slot = page_to_virt(node);
        }
        size_t index = offset >> (PAGE_SHIFT + NODE_SHIFT * (level - 1)) & (NODE_ENTRIES - 1);
        slot = &((struct vmo_node *)*slot)->entries[index];
    }
    if (*slot == NULL) {
        *slot = charged_page(vmo, status);
    }
    return *slot == NULL ? 0 : page_to_phys(*slot);
}

paddr_t vmo_page(struct vmo *vmo, uint64_t offset, ftl_status_t *status)
{
    ASSERT(offset < vmo->size);
    if (vmo->physical) {
        return vmo->base + offset;
    }
    spin_lock(&vmo->lock);
    paddr_t address = page_locked(vmo, offset, status);
    spin_unlock(&vmo->lock);
    return address;
}

paddr_t vmo_find_page(struct vmo *vmo, uint64_t offset)
{
    ASSERT(offset < vmo->size);
    if (vmo->physical) {
        return vmo->base + offset;
    }
    spin_lock(&vmo->lock);
    void *slot = vmo->tree;
    for (unsigned level = vmo->height; slot != NULL && level > 0; level--) {
        size_t index = offset >> (PAGE_SHIFT + NODE_SHIFT * (level - 1)) & (NODE_ENTRIES - 1);
        slot = ((struct vmo_node *)slot)->entries[index];
    }
    spin_unlock(&vmo->lock);
    return slot == NULL ? 0 : page_to_phys(slot);
}

/* Calls `copy` with the kernel's address of each piece of the range that lies in one page. */
static ftl_status_t for_each_piece(struct vmo *vmo, uint64_t offset, char *data, size_t size,
                                   void (*copy)(char *page, char *data, size_t size))
{
    if (offset > vmo->size || size > vmo->size - offset) {
        return FTL_ERR_OUT_OF_RANGE;
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

/* Depth-first over the tree without recursion: at most four levels. */
static void free_tree(struct vmo *vmo)
{
    struct vmo_node *path[8];
    size_t index[8];
    unsigned depth = 0;
    if (vmo->tree == NULL) {
        return;
    }
    path[0] = vmo->tree;
    index[0] = 0;
    for (;;) {
        if (index[depth] == NODE_ENTRIES) {
            page_free(virt_to_page(path[depth]), 0);
            account_release(vmo->account, PAGE_SIZE);
            if (depth == 0) {
                return;
            }
            depth--;
            continue;
        }
        void *entry = path[depth]->entries[index[depth]++];
        if (entry == NULL) {
            continue;
        }
        if (depth + 1 == vmo->height) {
            page_free(entry, 0);
            account_release(vmo->account, PAGE_SIZE);
        } else {
            depth++;
            path[depth] = entry;
            index[depth] = 0;
        }
    }
}

void vmo_destroy(struct object *object)
{
    struct vmo *vmo = (struct vmo *)object;
    if (!vmo->physical) {
        free_tree(vmo);
        account_release(vmo->account, sizeof(*vmo));
        account_put(vmo->account);
    }
    slab_free(&vmo_cache, vmo);
}
