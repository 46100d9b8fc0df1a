/* vmspaces: see vmspace.h. */
#include "mm/vmspace.h"

#include <ftl/sandbox_abi.h>

#include "arch/hart.h"
#include "arch/platform.h"
#include "arch/tlb.h"
#include "arch/uaccess.h"

#include "kernel/assert.h"
#include "kernel/hart.h"
#include "kernel/kasan.h"
#include "kernel/process.h"
#include "mm/slab.h"

static struct slab_cache vmspace_cache;
static struct slab_cache mapping_cache;

static struct {
    struct spinlock
        lock;      /* LOCK_VMSPACE_LIST; protects `used`, and root entries of the kernel's table */
    uint64_t used; /* windows in use, a bit each */
} windows = { .lock = SPINLOCK_INIT(LOCK_VMSPACE_LIST) };

void vmspace_init(void)
{
    slab_cache_init(&vmspace_cache, "vmspace", sizeof(struct vmspace), _Alignof(struct vmspace));
    slab_cache_init(&mapping_cache, "mapping", sizeof(struct mapping), _Alignof(struct mapping));
}

/* Returns the base of a free window whose root entries exist; 0: none, or no memory. */
static vaddr_t window_take(void)
{
    vaddr_t base = 0;
    spin_lock(&windows.lock);
    uint64_t free = ~windows.used & ((1UL << WINDOW_COUNT) - 1);
    if (free != 0) {
        unsigned index = (unsigned)__builtin_ctzl(free);
        vaddr_t candidate = WINDOW_BASE + index * WINDOW_SIZE;
        if (page_table_prepare_roots(&kernel_page_table, candidate, WINDOW_SIZE)) {
            windows.used |= 1UL << index;
            base = candidate;
        }
    }
    spin_unlock(&windows.lock);
    return base;
}

static void window_give_back(vaddr_t base)
{
    spin_lock(&windows.lock);
    windows.used &= ~(1UL << (base - WINDOW_BASE) / WINDOW_SIZE);
    spin_unlock(&windows.lock);
}

static bool init_user(struct vmspace *vmspace, struct account *account)
{
    vmspace->start = USER_BASE;
    vmspace->end = USER_END;
    return page_table_init(&vmspace->table, &kernel_page_table, account);
}

static bool init_window(struct vmspace *vmspace, struct account *account)
{
    vmspace->base = window_take();
    vmspace->start = vmspace->base + FTL_WINDOW_GUARD;
    vmspace->end = vmspace->base + WINDOW_SIZE - FTL_WINDOW_GUARD;
    vmspace->table = (struct page_table){ .root = kernel_page_table.root, .account = account };
    return vmspace->base != 0;
}

struct vmspace *vmspace_create(ftl_isolation_t isolation, struct account *account,
                               ftl_status_t *status)
{
    *status = FTL_ERR_LIMIT;
    if (!account_charge(account, sizeof(struct vmspace))) {
        return NULL;
    }
    if (isolation == FTL_ISOLATION_SANDBOX && !account_take_window(account, WINDOW_COUNT)) {
        goto release_account;
    }
    *status = FTL_ERR_NO_MEMORY;
    struct vmspace *vmspace = slab_alloc(&vmspace_cache);
    if (vmspace == NULL) {
        goto release_window;
    }
    if (!(isolation == FTL_ISOLATION_USER ? init_user : init_window)(vmspace, account)) {
        goto free_vmspace;
    }
    object_init(&vmspace->object, OBJECT_VMSPACE);
    vmspace->isolation = isolation;
    tlb_space_init(&vmspace->space, vmspace->table.root);
    vmspace->account = account_get(account);
    spin_init(&vmspace->lock, LOCK_VMSPACE);
    list_init(&vmspace->mappings);
    *status = FTL_OK;
    return vmspace;

free_vmspace:
    slab_free(&vmspace_cache, vmspace);
release_window:
    if (isolation == FTL_ISOLATION_SANDBOX) {
        account_release_window(account);
    }
release_account:
    account_release(account, sizeof(struct vmspace));
    return NULL;
}

/* Frees a mapping that has no VMO. */
static void mapping_discard(struct vmspace *vmspace, struct mapping *mapping)
{
    slab_free(&mapping_cache, mapping);
    account_release(vmspace->account, sizeof(*mapping));
}

static void mapping_free(struct vmspace *vmspace, struct mapping *mapping)
{
    vmo_unpin(mapping->vmo);
    mapping_discard(vmspace, mapping);
}

static void mappings_free(struct vmspace *vmspace, struct list *mappings)
{
    for (struct list *node = list_pop_front(mappings); node != NULL;
         node = list_pop_front(mappings)) {
        mapping_free(vmspace, LIST_ENTRY(node, struct mapping, link));
    }
}

/* Takes a mapping out of its vmspace. */
static void take_out(struct vmspace *vmspace, struct mapping *mapping)
{
    if (vmspace->last == mapping) {
        vmspace->last = NULL;
    }
    list_unlink(&mapping->link);
}

void vmspace_switch(struct vmspace *vmspace)
{
    struct tlb_space *space = vmspace == NULL ? &tlb_kernel_space : &vmspace->space;
    while (!tlb_try_load(space) && !tlb_try_enter(space)) {
        tlb_assign_id(space);
    }
    __atomic_store_n(&arch_hart_self()->vmspace, vmspace_tables(vmspace), __ATOMIC_RELAXED);
}

/* Harts that have the tables of a user vmspace loaded. */
static uint64_t harts_loaded(const struct vmspace *vmspace)
{
    uint64_t mask = 0;
    memory_barrier();
    for (unsigned i = 0; i < hart_count; i++) {
        if (tlb_is_loaded(&harts[i].arch, &vmspace->space)) {
            mask |= 1UL << i;
        }
    }
    return mask;
}

/* Harts that may run in the vmspace without entering it first. */
static uint64_t harts_inside(const struct vmspace *vmspace)
{
    return vmspace->isolation == FTL_ISOLATION_USER
               ? harts_loaded(vmspace)
               : __atomic_load_n(&vmspace->space.harts, __ATOMIC_SEQ_CST);
}

/*
 * TLBs forget a range whose tables have changed: those of harts that are inside now; others are
 * taken off the list of those that need not, and so forget all of the vmspace when they enter it. A
 * hart that enters meanwhile either sees that, or is seen by the second look; one that leaves
 * between the two looks stays on the list, and is told. Windows are never left in that sense: their
 * tables are the kernel's.
 */
static void flush(struct vmspace *vmspace, vaddr_t address, size_t size)
{
    uint64_t inside = harts_inside(vmspace);
    if ((__atomic_load_n(&vmspace->space.harts, __ATOMIC_RELAXED) & ~inside) != 0) {
        __atomic_fetch_and(&vmspace->space.harts, inside, __ATOMIC_SEQ_CST);
        inside |= harts_inside(vmspace);
    }
    tlb_flush(&vmspace->space, inside, address, size);
}

void vmspace_sync_code(const struct vmspace *vmspace)
{
    tlb_code_written();
    tlb_sync_code(harts_inside(vmspace)); /* the others catch up when they enter it */
}

/* Whether the hart is in the vmspace, or on its way in or out. */
static bool is_in(const struct hart *hart, const struct vmspace *vmspace)
{
    return __atomic_load_n(&hart->arch.vmspace, __ATOMIC_SEQ_CST) == vmspace ||
           (vmspace->isolation == FTL_ISOLATION_USER &&
            tlb_is_loaded(&hart->arch, &vmspace->space));
}

/*
 * A hart whose thread stopped keeps the vmspace loaded until it picks its next thread; other harts
 * may have woken and ended the stopped one before. Waits for such harts, which are in the kernel
 * and wait for nobody: one without a thread lets go of its vmspace before it waits here itself.
 */
static void wait_until_unused(const struct vmspace *vmspace)
{
    if (hart_self()->current == NULL) {
        vmspace_activate(NULL);
    }
    for (unsigned i = 0; i < hart_count; i++) {
        while (is_in(&harts[i], vmspace)) {
            arch_relax();
        }
    }
}

/* Takes everything out of a window, with its page tables: they end where its mappings did. */
static void clear_window(struct vmspace *vmspace)
{
    struct list tables = LIST_INIT(tables);
    if (vmspace->mapped_end == 0) {
        return;
    }
    size_t size = ALIGN_UP(vmspace->mapped_end, MEGAPAGE_SIZE) - vmspace->base;
    page_table_unmap(&vmspace->table, vmspace->base, size, NULL, NULL);
    page_table_detach(&vmspace->table, vmspace->base, size, &tables);
    flush(vmspace, vmspace->base, WINDOW_SIZE);
    page_table_free_detached(&vmspace->table, &tables);
}

void vmspace_destroy(struct object *object)
{
    struct vmspace *vmspace = (struct vmspace *)object;
    struct account *account = vmspace->account;
    ASSERT(vmspace->processes == 0);
    wait_until_unused(vmspace);
    if (vmspace->isolation == FTL_ISOLATION_SANDBOX) {
        clear_window(vmspace);
        window_give_back(vmspace->base);
        account_release_window(account);
    } else {
        page_table_destroy(&vmspace->table);
    }
    mappings_free(vmspace, &vmspace->mappings);
    slab_free(&vmspace_cache, vmspace);
    account_release(account, sizeof(*vmspace));
    account_put(account);
}

/* Bytes an empty vmspace is charged with. */
static size_t empty_size(const struct vmspace *vmspace)
{
    return sizeof(*vmspace) + (vmspace->isolation == FTL_ISOLATION_USER ? PAGE_SIZE : 0);
}

/* The vmspace's charges, with its window, go to this account. LIMIT, and nothing is changed. */
static ftl_status_t change_account(struct vmspace *vmspace, struct account *account)
{
    if (!account_charge(account, empty_size(vmspace))) {
        return FTL_ERR_LIMIT;
    }
    if (vmspace->isolation == FTL_ISOLATION_SANDBOX &&
        !account_move_window(vmspace->account, account, WINDOW_COUNT)) {
        account_release(account, empty_size(vmspace));
        return FTL_ERR_LIMIT;
    }
    vmspace->account = account_get(account);
    vmspace->table.account = account;
    return FTL_OK;
}

ftl_status_t vmspace_enter(struct vmspace *vmspace, struct account *account)
{
    struct account *former = NULL;
    ftl_status_t status = FTL_OK;
    spin_lock(&vmspace->lock);
    if (vmspace->processes == 0 && !vmspace->used) {
        struct account *before = vmspace->account;
        status = change_account(vmspace, account);
        former = status == FTL_OK ? before : NULL;
    }
    if (status == FTL_OK) {
        vmspace->processes++;
        vmspace->used = true;
    }
    spin_unlock(&vmspace->lock);
    if (former != NULL) {
        account_release(former, empty_size(vmspace));
        account_put(former);
    }
    return status;
}

/*
 * Whether the mapping ends when this process, the one that leaves, does. Code in a window stays as
 * long as anybody runs there: a thread of another process may hold the address of one of its
 * landing pads for checked, and must find no other code there.
 */
static bool ends_with(const struct vmspace *vmspace, const struct mapping *mapping,
                      const struct process *process)
{
    if (!mapping->code || vmspace->isolation != FTL_ISOLATION_SANDBOX) {
        return mapping->owner == process;
    }
    return vmspace->processes == 0;
}

void vmspace_leave(struct vmspace *vmspace, const struct process *process)
{
    struct list removed = LIST_INIT(removed);
    spin_lock(&vmspace->lock);
    vmspace->processes--;
    struct mapping *mapping;
    LIST_FOR_EACH(mapping, &vmspace->mappings, struct mapping, link)
    {
        if (ends_with(vmspace, mapping, process)) {
            take_out(vmspace, mapping);
            list_push_back(&removed, &mapping->link);
            /* Whole mappings: nothing has to be split, so it cannot fail. */
            page_table_unmap(&vmspace->table, mapping->start, mapping->end - mapping->start, NULL,
                             NULL);
        }
    }
    flush(vmspace, vmspace->start, vmspace->end - vmspace->start);
    spin_unlock(&vmspace->lock);
    mappings_free(vmspace, &removed);
}

/*
 * The mapping that holds the address, or the first one above it; NULL when there is none. Looks at
 * the one first that was found or made last.
 */
static struct mapping *find_at_or_above(struct vmspace *vmspace, vaddr_t address)
{
    struct mapping *mapping = vmspace->last;
    if (mapping != NULL && mapping->start <= address && address < mapping->end) {
        return mapping;
    }
    LIST_FOR_EACH(mapping, &vmspace->mappings, struct mapping, link)
    {
        if (address < mapping->end) {
            vmspace->last = mapping;
            return mapping;
        }
    }
    return NULL;
}

static struct mapping *find(struct vmspace *vmspace, vaddr_t address)
{
    struct mapping *mapping = find_at_or_above(vmspace, address);
    return mapping != NULL && mapping->start <= address ? mapping : NULL;
}

/* Page-aligned, not empty, inside the vmspace. */
static bool valid_range(const struct vmspace *vmspace, vaddr_t address, size_t size)
{
    return IS_ALIGNED(address | size, PAGE_SIZE) && size != 0 && address >= vmspace->start &&
           address < vmspace->end && size <= vmspace->end - address;
}

/* Whether `size` bytes with `guard` free after them fit between address and end. */
static bool fits(vaddr_t address, vaddr_t end, size_t size, size_t guard)
{
    return address < end && size <= end - address && guard <= end - address - size;
}

/*
 * The lowest free and aligned range of `size` with `guard` free on both sides, and the mapping
 * above it, if there is any; 0: there is none.
 */
static vaddr_t find_aligned(struct vmspace *vmspace, size_t size, size_t guard, size_t align,
                            struct mapping **above)
{
    vaddr_t candidate = ALIGN_UP(vmspace->start + guard, align);
    struct mapping *mapping;
    LIST_FOR_EACH(mapping, &vmspace->mappings, struct mapping, link)
    {
        if (fits(candidate, mapping->start, size, guard)) {
            *above = mapping;
            return candidate;
        }
        candidate = ALIGN_UP(mapping->end + guard, align);
    }
    *above = NULL;
    return fits(candidate, vmspace->end, size, guard) ? candidate : 0;
}

/* The same, aligned so that it may have 2 MiB pages if that can be. */
static vaddr_t find_room(struct vmspace *vmspace, size_t size, size_t guard, struct mapping **above)
{
    if (guard > vmspace->end - vmspace->start) {
        return 0;
    }
    vaddr_t found = 0;
    if (size >= MEGAPAGE_SIZE) {
        found = find_aligned(vmspace, size, guard, MEGAPAGE_SIZE, above);
    }
    return found != 0 ? found : find_aligned(vmspace, size, guard, PAGE_SIZE, above);
}

bool vmspace_find_room(struct vmspace *vmspace, size_t size, size_t guard, vaddr_t *address)
{
    struct mapping *above;
    spin_lock(&vmspace->lock);
    *address = find_room(vmspace, size, guard, &above);
    spin_unlock(&vmspace->lock);
    return *address != 0;
}

/* Puts a mapping before the one above it, if there is any. */
static void insert(struct vmspace *vmspace, struct mapping *mapping, struct mapping *above)
{
    struct list *next = above == NULL ? &vmspace->mappings : &above->link;
    list_insert_between(&mapping->link, next->prev, next);
}

/* One whose members are the caller's to fill in. */
static struct mapping *mapping_new(struct vmspace *vmspace)
{
    if (!account_charge(vmspace->account, sizeof(struct mapping))) {
        return NULL;
    }
    struct mapping *mapping = slab_alloc_uncleared(&mapping_cache);
    if (mapping == NULL) {
        account_release(vmspace->account, sizeof(*mapping));
    }
    return mapping;
}

static bool valid_permissions(unsigned permissions)
{
    return (permissions & ~(FTL_MAP_READ | FTL_MAP_WRITE | FTL_MAP_EXEC)) == 0 &&
           (permissions & (FTL_MAP_WRITE | FTL_MAP_EXEC)) != (FTL_MAP_WRITE | FTL_MAP_EXEC);
}

static unsigned mmu_permissions(const struct vmspace *vmspace, unsigned permissions)
{
    unsigned mmu = MMU_READ; /* code is readable, and write without read is reserved (Sv39) */
    mmu |= (permissions & FTL_MAP_WRITE) != 0 ? MMU_WRITE : 0;
    mmu |= (permissions & FTL_MAP_EXEC) != 0 ? MMU_EXEC : 0;
    mmu |= vmspace->isolation == FTL_ISOLATION_USER ? MMU_USER : 0;
    return mmu;
}

/* Memory that is there anyway, in one piece, is mapped at once, with the largest pages. */
static bool map_eagerly(struct vmspace *vmspace, const struct mapping *mapping)
{
    return mapping->vmo->kind == FTL_VMO_ANONYMOUS || mapping->permissions == 0 ||
           page_table_map(&vmspace->table, mapping->start, mapping->vmo->base + mapping->offset,
                          mapping->end - mapping->start,
                          mmu_permissions(vmspace, mapping->permissions));
}

/* The lock is held; on success the mapping takes over the caller's pin of the VMO. */
static ftl_status_t map_pinned(struct vmspace *vmspace, const struct map_request *request,
                               vaddr_t *mapped)
{
    vaddr_t address = request->address;
    struct mapping *above;
    if (address == 0) {
        address = find_room(vmspace, request->size, request->guard, &above);
        if (address == 0) {
            return FTL_ERR_NO_MEMORY;
        }
    } else if (!valid_range(vmspace, address, request->size)) {
        return FTL_ERR_INVALID_ARGUMENT;
    } else {
        above = find_at_or_above(vmspace, address);
        if (above != NULL && above->start < address + request->size) {
            return FTL_ERR_EXISTS;
        }
    }
    struct mapping *mapping = mapping_new(vmspace);
    if (mapping == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    mapping->start = address;
    mapping->end = address + request->size;
    mapping->vmo = request->vmo;
    mapping->offset = request->offset;
    mapping->permissions = (uint8_t)request->permissions;
    mapping->permissions_max = (uint8_t)request->permissions_max;
    mapping->code = request->code;
    mapping->owner = request->owner;
    if (!map_eagerly(vmspace, mapping)) {
        /* A thread may have used the part that was mapped for a moment. */
        flush(vmspace, mapping->start, request->size);
        mapping_discard(vmspace, mapping);
        return FTL_ERR_NO_MEMORY;
    }
    insert(vmspace, mapping, above);
    vmspace->last = mapping;
    vmspace->used = true;
    if (mapping->end > vmspace->mapped_end) {
        vmspace->mapped_end = mapping->end;
    }
    *mapped = address;
    return FTL_OK;
}

ftl_status_t vmspace_map(struct vmspace *vmspace, const struct map_request *request,
                         vaddr_t *mapped)
{
    if (!valid_permissions(request->permissions) ||
        !IS_ALIGNED(request->size | request->offset, PAGE_SIZE) || request->size == 0) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    ftl_status_t status = vmo_pin(request->vmo, request->offset, request->size);
    if (status != FTL_OK) {
        return status;
    }
    spin_lock(&vmspace->lock);
    status = map_pinned(vmspace, request, mapped);
    spin_unlock(&vmspace->lock);
    if (status != FTL_OK) {
        vmo_unpin(request->vmo);
    }
    return status;
}

/*
 * Cuts a mapping in two at an address inside it, so that the address starts a mapping; a 2 MiB page
 * there is cut too, since none may be in two mappings. False: no memory.
 */
static bool split(struct vmspace *vmspace, vaddr_t address)
{
    struct mapping *low = find(vmspace, address);
    if (low == NULL || low->start == address) {
        return true;
    }
    if (!page_table_split(&vmspace->table, address)) {
        return false;
    }
    struct mapping *high = mapping_new(vmspace);
    if (high == NULL) {
        return false;
    }
    *high = *low;
    vmo_pin_more(high->vmo);
    high->start = address;
    high->offset += address - low->start;
    low->end = address;
    list_insert_between(&high->link, &low->link, low->link.next);
    return true;
}

static bool has_code(struct vmspace *vmspace, vaddr_t address, vaddr_t end)
{
    struct mapping *mapping;
    LIST_FOR_EACH(mapping, &vmspace->mappings, struct mapping, link)
    {
        if (mapping->code && mapping->start < end && address < mapping->end) {
            return true;
        }
    }
    return false;
}

/* TLBs forget a range where nothing is mapped any more; tables for nothing else go. */
static void forget_range(struct vmspace *vmspace, vaddr_t address, size_t size)
{
    struct list tables = LIST_INIT(tables);
    bool may_hold_tables = size >= MEGAPAGE_SIZE;
    if (may_hold_tables) {
        page_table_detach(&vmspace->table, address, size, &tables);
    }
    flush(vmspace, address, size);
    if (may_hold_tables) {
        page_table_free_detached(&vmspace->table, &tables);
    }
}

/* Unmaps a range that may cut through mappings; those taken out go to `removed`. */
static ftl_status_t unmap_range(struct vmspace *vmspace, vaddr_t address, size_t size,
                                struct list *removed)
{
    vaddr_t end = address + size;
    if (has_code(vmspace, address, end)) {
        return FTL_ERR_BAD_STATE;
    }
    if (!split(vmspace, address) || !split(vmspace, end) ||
        !page_table_unmap(&vmspace->table, address, size, NULL, NULL)) {
        return FTL_ERR_NO_MEMORY;
    }
    struct mapping *mapping;
    LIST_FOR_EACH(mapping, &vmspace->mappings, struct mapping, link)
    {
        if (mapping->start >= address && mapping->end <= end) {
            take_out(vmspace, mapping);
            list_push_back(removed, &mapping->link);
        }
    }
    if (!list_empty(removed)) {
        forget_range(vmspace, address, size);
    }
    return FTL_OK;
}

ftl_status_t vmspace_unmap(struct vmspace *vmspace, vaddr_t address, size_t size)
{
    if (!valid_range(vmspace, address, size)) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    spin_lock(&vmspace->lock);
    struct mapping *mapping = find_at_or_above(vmspace, address);
    if (mapping != NULL && mapping->start == address && mapping->end - address == size &&
        !mapping->code) {
        /* As it was mapped: a whole mapping, in which nothing has to be split. */
        page_table_unmap(&vmspace->table, address, size, NULL, NULL);
        take_out(vmspace, mapping);
        forget_range(vmspace, address, size);
        spin_unlock(&vmspace->lock);
        mapping_free(vmspace, mapping);
        return FTL_OK;
    }
    struct list removed = LIST_INIT(removed);
    ftl_status_t status = unmap_range(vmspace, address, size, &removed);
    spin_unlock(&vmspace->lock);
    mappings_free(vmspace, &removed);
    return status;
}

/* Whether [address, end) is mapped without holes, each mapping allowing `permissions`. */
static ftl_status_t check_protect(struct vmspace *vmspace, vaddr_t address, vaddr_t end,
                                  unsigned permissions)
{
    while (address < end) {
        const struct mapping *mapping = find(vmspace, address);
        if (mapping == NULL) {
            return FTL_ERR_NOT_FOUND;
        }
        if (mapping->code) {
            return FTL_ERR_BAD_STATE;
        }
        if ((permissions & ~(unsigned)mapping->permissions_max) != 0) {
            return FTL_ERR_MISSING_RIGHT;
        }
        address = mapping->end;
    }
    return FTL_OK;
}

static bool apply_permissions(struct vmspace *vmspace, vaddr_t address, vaddr_t end,
                              unsigned permissions)
{
    if (permissions == 0) {
        /* No access at all: pages come back by faults, if ever. */
        return page_table_unmap(&vmspace->table, address, end - address, NULL, NULL);
    }
    return page_table_protect(&vmspace->table, address, end - address,
                              mmu_permissions(vmspace, permissions));
}

ftl_status_t vmspace_protect(struct vmspace *vmspace, vaddr_t address, size_t size,
                             unsigned permissions)
{
    if (!valid_range(vmspace, address, size) || !valid_permissions(permissions)) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    vaddr_t end = address + size;
    spin_lock(&vmspace->lock);
    ftl_status_t status = check_protect(vmspace, address, end, permissions);
    if (status != FTL_OK) {
        goto unlock;
    }
    if (!split(vmspace, address) || !split(vmspace, end) ||
        !apply_permissions(vmspace, address, end, permissions)) {
        status = FTL_ERR_NO_MEMORY;
        goto unlock;
    }
    struct mapping *mapping;
    LIST_FOR_EACH(mapping, &vmspace->mappings, struct mapping, link)
    {
        if (mapping->start >= address && mapping->end <= end) {
            mapping->permissions = (uint8_t)permissions;
        }
    }
    flush(vmspace, address, size);
unlock:
    spin_unlock(&vmspace->lock);
    return status;
}

bool vmspace_read_code(struct vmspace *vmspace, vaddr_t address, uint32_t *word)
{
    bool found = false;
    spin_lock(&vmspace->lock);
    const struct mapping *mapping = find(vmspace, address);
    if (mapping != NULL && mapping->code && IS_ALIGNED(address, sizeof(*word))) {
        uint64_t offset = mapping->offset + (address - mapping->start);
        found = vmo_read(mapping->vmo, offset, word, sizeof(*word)) == FTL_OK;
    }
    spin_unlock(&vmspace->lock);
    return found;
}

static void describe(const struct mapping *mapping, struct ftl_mapping_info *info)
{
    *info = (struct ftl_mapping_info){
        .address = mapping->start,
        .size = mapping->end - mapping->start,
        .offset = mapping->offset,
        .vmo = object_id(&mapping->vmo->object),
        .kind = mapping->vmo->kind,
        .permissions = mapping->permissions,
        .permissions_max = mapping->permissions_max,
        .code = mapping->code,
    };
}

void vmspace_list(struct vmspace *vmspace, struct ftl_mapping_list *list)
{
    vaddr_t from = list->position;
    *list = (struct ftl_mapping_list){ 0 };
    spin_lock(&vmspace->lock);
    struct mapping *mapping;
    LIST_FOR_EACH(mapping, &vmspace->mappings, struct mapping, link)
    {
        if (mapping->end <= from) {
            continue;
        }
        if (list->count == FTL_MAPPING_LIST_MAX) {
            list->position = mapping->start;
            break;
        }
        describe(mapping, &list->mappings[list->count++]);
    }
    spin_unlock(&vmspace->lock);
}

/* Maps the 2 MiB page around a place, where mapping, tables, VMO and memory allow one. */
static bool fault_in_large(struct vmspace *vmspace, const struct mapping *mapping, vaddr_t page,
                           const struct page_place *place)
{
    vaddr_t start = ALIGN_DOWN(page, MEGAPAGE_SIZE);
    if (start < mapping->start || mapping->end - start < MEGAPAGE_SIZE) {
        return false;
    }
    uint64_t offset = mapping->offset + (start - mapping->start);
    if (!IS_ALIGNED(offset, MEGAPAGE_SIZE) || !page_place_takes_megapage(place)) {
        return false;
    }
    paddr_t pa = vmo_large_page(mapping->vmo, offset);
    return pa != 0 && page_table_map(&vmspace->table, start, pa, MEGAPAGE_SIZE,
                                     mmu_permissions(vmspace, mapping->permissions));
}

/* Maps the page of a mapping at its place. */
static ftl_status_t fault_in_page(struct vmspace *vmspace, const struct mapping *mapping,
                                  vaddr_t page, const struct page_place *place)
{
    ftl_status_t status = FTL_OK;
    paddr_t pa = vmo_page(mapping->vmo, mapping->offset + (page - mapping->start), &status);
    if (status != FTL_OK) {
        return status;
    }
    bool mapped = page_table_fill(&vmspace->table, place, page, pa,
                                  mmu_permissions(vmspace, mapping->permissions));
    return mapped ? FTL_OK : FTL_ERR_NO_MEMORY;
}

static ftl_status_t fault_in(struct vmspace *vmspace, vaddr_t page, unsigned access)
{
    const struct mapping *mapping = find(vmspace, page);
    if (mapping == NULL || (mapping->permissions & access) == 0) {
        return FTL_ERR_BAD_ADDRESS;
    }
    struct page_place place;
    ftl_status_t status = FTL_OK;
    /* If it is present, another hart was first, or this one's TLB is behind. */
    if (!page_table_locate(&vmspace->table, page, &place) &&
        !fault_in_large(vmspace, mapping, page, &place)) {
        status = fault_in_page(vmspace, mapping, page, &place);
    }
    if (status == FTL_OK) {
        tlb_flush_local(page);
    }
    return status;
}

void vmspace_populate(struct vmspace *vmspace, vaddr_t address, size_t size)
{
    spin_lock(&vmspace->lock);
    const struct mapping *mapping = find(vmspace, address);
    vaddr_t end = address + (size < VMSPACE_POPULATE_MAX ? size : VMSPACE_POPULATE_MAX);
    bool more = mapping != NULL;
    for (vaddr_t page = address; more && page < end && page < mapping->end; page += PAGE_SIZE) {
        struct page_place place;
        paddr_t pa = vmo_find_page(mapping->vmo, mapping->offset + (page - mapping->start));
        if (pa != 0 && !page_table_locate(&vmspace->table, page, &place)) {
            more = page_table_fill(&vmspace->table, &place, page, pa,
                                   mmu_permissions(vmspace, mapping->permissions));
        }
    }
    spin_unlock(&vmspace->lock);
}

ftl_status_t vmspace_fault(struct vmspace *vmspace, vaddr_t address, unsigned access)
{
    if (address < vmspace->start || address >= vmspace->end) {
        return FTL_ERR_BAD_ADDRESS;
    }
    spin_lock(&vmspace->lock);
    ftl_status_t status = fault_in(vmspace, ALIGN_DOWN(address, PAGE_SIZE), access);
    spin_unlock(&vmspace->lock);
    return status;
}

static bool in_vmspace(const struct vmspace *vmspace, vaddr_t address, size_t size)
{
    return address >= vmspace->start && address <= vmspace->end && size <= vmspace->end - address;
}

/*
 * Goes on after a fault with `left` of `size` bytes to do; *progress says how many were left the
 * last time. The fault is at one of the next UACCESS_STEP bytes, which may lie in two pages.
 */
static ftl_status_t resolve(struct vmspace *vmspace, vaddr_t address, unsigned access, size_t left,
                            size_t *progress)
{
    /* The pages are there and the copy faults all the same: an access fault of the bus. */
    if (left == *progress) {
        return FTL_ERR_BAD_ADDRESS;
    }
    *progress = left;
    vaddr_t last = address + (left < UACCESS_STEP ? left : UACCESS_STEP) - 1;
    ftl_status_t status = vmspace_fault(vmspace, address, access);
    if (status == FTL_OK && last / PAGE_SIZE != address / PAGE_SIZE) {
        status = vmspace_fault(vmspace, last, access);
    }
    return status;
}

ftl_status_t copy_in(void *to, vaddr_t from, size_t size)
{
    struct vmspace *vmspace = process_current()->vmspace;
    if (!in_vmspace(vmspace, from, size)) {
        return FTL_ERR_BAD_ADDRESS;
    }
    kasan_check(to, size, true);
    size_t progress = SIZE_MAX;
    size_t left = uaccess_copy_in(to, from, size);
    while (left != 0) {
        size_t done = size - left;
        ftl_status_t status = resolve(vmspace, from + done, FTL_MAP_READ, left, &progress);
        if (status != FTL_OK) {
            return status;
        }
        left = uaccess_copy_in((char *)to + done, from + done, left);
    }
    return FTL_OK;
}

ftl_status_t copy_out(vaddr_t to, const void *from, size_t size)
{
    struct vmspace *vmspace = process_current()->vmspace;
    if (!in_vmspace(vmspace, to, size)) {
        return FTL_ERR_BAD_ADDRESS;
    }
    kasan_check(from, size, false);
    size_t progress = SIZE_MAX;
    size_t left = uaccess_copy_out(to, from, size);
    while (left != 0) {
        size_t done = size - left;
        ftl_status_t status = resolve(vmspace, to + done, FTL_MAP_WRITE, left, &progress);
        if (status != FTL_OK) {
            return status;
        }
        left = uaccess_copy_out(to + done, (const char *)from + done, left);
    }
    return FTL_OK;
}

ftl_status_t copy_in_word(uint32_t *word, vaddr_t from)
{
    if (!in_vmspace(process_current()->vmspace, from, sizeof(*word)) ||
        uaccess_copy_in(word, from, sizeof(*word)) != 0) {
        return FTL_ERR_BAD_ADDRESS;
    }
    return FTL_OK;
}
