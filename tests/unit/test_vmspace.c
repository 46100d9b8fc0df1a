/*
 * vmspaces against a flat model of pages; charges; every failure of memory; TLBs of several harts.
 */
#include "sim/core.h"

#include <ftl/call_numbers.h>

#include "arch/uaccess.h"

#include "host/memory.h"
#include "mm/page.h"

#define PAGES          48 /* of the model's range */
#define VMOS           3
#define VMO_PAGES      16
#define STEPS          4000
#define TREE_NODE_SIZE 520 /* of a VMO's page tree */
#define CHECKS         6   /* accesses after each step */

/* What the model knows of a page of the range. */
struct model_page {
    bool mapped;
    unsigned vmo, vmo_page;
    unsigned permissions, permissions_max;
};

static struct process *process;
static struct vmspace *vmspace;
static struct vmo *vmos[VMOS];
static uint64_t contents[VMOS][VMO_PAGES];
static bool touched[VMOS][VMO_PAGES];
static struct model_page model[PAGES];
static vaddr_t base;
static struct host_random random_state;

static const unsigned permission_sets[] = { 0, FTL_MAP_READ, FTL_MAP_READ | FTL_MAP_WRITE,
                                            FTL_MAP_READ | FTL_MAP_EXEC };

static size_t below(size_t end)
{
    return host_random_below(&random_state, end);
}

static void set_up(ftl_isolation_t isolation)
{
    memset(contents, 0, sizeof(contents));
    memset(touched, 0, sizeof(touched));
    memset(model, 0, sizeof(model));
    process = core_process(isolation);
    core_enter(process);
    vmspace = process->vmspace;
    base = vmspace->start + 3 * MEGAPAGE_SIZE - 20 * PAGE_SIZE; /* over a boundary of tables */
    base = ALIGN_DOWN(base, MEGAPAGE_SIZE) - 20 * PAGE_SIZE;
    for (size_t i = 0; i < VMOS; i++) {
        vmos[i] = vmo_create(VMO_PAGES * PAGE_SIZE, process->account);
    }
}

static void tear_down(void)
{
    for (size_t i = 0; i < VMOS; i++) {
        object_put(&vmos[i]->object);
    }
    core_leave();
    object_put(&process->object);
}

/* --- The model --- */

static void try_map(size_t first, size_t count)
{
    unsigned vmo = (unsigned)below(VMOS);
    unsigned offset = (unsigned)below(VMO_PAGES);
    unsigned max = permission_sets[below(4)];
    max |= permission_sets[below(4)];
    unsigned permissions = permission_sets[below(4)] & max;
    struct map_request request = {
        .vmo = vmos[vmo],
        .offset = offset * PAGE_SIZE,
        .size = count * PAGE_SIZE,
        .address = base + first * PAGE_SIZE,
        .permissions = permissions,
        .permissions_max = max,
        .owner = process,
    };
    ftl_status_t expected = offset + count > VMO_PAGES ? FTL_ERR_OUT_OF_RANGE : FTL_OK;
    for (size_t i = first; i < first + count && expected == FTL_OK; i++) {
        expected = model[i].mapped ? FTL_ERR_EXISTS : FTL_OK;
    }
    vaddr_t mapped = 0;
    assert_int_equal(vmspace_map(vmspace, &request, &mapped), expected);
    for (size_t i = 0; i < count && expected == FTL_OK; i++) {
        assert_int_equal(mapped, request.address);
        model[first + i] = (struct model_page){ true, vmo, offset + (unsigned)i, permissions, max };
    }
}

static void try_unmap(size_t first, size_t count)
{
    assert_int_equal(vmspace_unmap(vmspace, base + first * PAGE_SIZE, count * PAGE_SIZE), FTL_OK);
    memset(&model[first], 0, count * sizeof(model[0]));
}

static void try_protect(size_t first, size_t count)
{
    unsigned permissions = permission_sets[below(4)];
    ftl_status_t expected = FTL_OK;
    for (size_t i = first; i < first + count && expected == FTL_OK; i++) {
        expected = !model[i].mapped                                 ? FTL_ERR_NOT_FOUND
                   : (permissions & ~model[i].permissions_max) != 0 ? FTL_ERR_MISSING_RIGHT
                                                                    : FTL_OK;
    }
    assert_int_equal(
        vmspace_protect(vmspace, base + first * PAGE_SIZE, count * PAGE_SIZE, permissions),
        expected);
    for (size_t i = first; i < first + count && expected == FTL_OK; i++) {
        model[i].permissions = permissions;
    }
}

/* Reads or writes a page as its process would; it must work when the model says so. */
static void try_access(size_t i)
{
    static const unsigned accesses[] = { FTL_MAP_READ, FTL_MAP_WRITE, FTL_MAP_EXEC };
    unsigned access = accesses[below(3)];
    struct model_page *page = &model[i];
    uint64_t *host = sim_access(base + i * PAGE_SIZE + 8, access);
    assert_int_equal(host != NULL, page->mapped && (page->permissions & access) != 0);
    if (host == NULL) {
        return;
    }
    uint64_t *content = &contents[page->vmo][page->vmo_page];
    touched[page->vmo][page->vmo_page] = true;
    assert_int_equal(*host, *content);
    if (access == FTL_MAP_WRITE) {
        *content = host_random(&random_state);
        *host = *content;
    }
}

/* Bytes that the process is charged for, but its page tables. */
static uint64_t charged_without_tables(void)
{
    uint64_t bytes = sizeof(struct process) + sizeof(struct vmspace) + sizeof(struct thread) +
                     VMOS * sizeof(struct vmo);
    struct mapping *mapping;
    LIST_FOR_EACH(mapping, &vmspace->mappings, struct mapping, link)
    {
        bytes += sizeof(*mapping);
    }
    for (size_t i = 0; i < VMOS; i++) {
        bool any = false;
        for (size_t j = 0; j < VMO_PAGES; j++) {
            bytes += touched[i][j] ? PAGE_SIZE : 0;
            any |= touched[i][j];
        }
        bytes += any ? TREE_NODE_SIZE : 0; /* the one there is */
    }
    return bytes;
}

static void step(void)
{
    size_t first = below(PAGES);
    size_t count = 1 + below(PAGES - first < 10 ? PAGES - first : 10);
    switch (below(4)) {
    case 0:
    case 1: try_map(first, count); break;
    case 2: try_unmap(first, count); break;
    default: try_protect(first, count);
    }
    for (size_t i = 0; i < CHECKS; i++) {
        try_access(below(PAGES));
    }
    sim_check_tlbs();
}

static void check_model(ftl_isolation_t isolation)
{
    struct core_counts before = core_count();
    set_up(isolation);
    uint64_t tables = 0;
    for (size_t i = 0; i < STEPS; i++) {
        step();
        uint64_t now = process->account->used - charged_without_tables();
        assert_int_equal(now % PAGE_SIZE, 0);
        assert_in_range(now, tables, 6 * PAGE_SIZE);
        tables = now;
    }
    tear_down();
    core_check_counts(&before);
}

static void vmspace_agrees_with_a_flat_model(void **state)
{
    (void)state;
    random_state.state = 99;
    object_put(&core_process(FTL_ISOLATION_SANDBOX)->object); /* makes the window's root entries */
    check_model(FTL_ISOLATION_USER);
    check_model(FTL_ISOLATION_SANDBOX);
}

/* --- Failures --- */

static ftl_status_t map_touch_protect_unmap(void)
{
    struct vmo *vmo = vmo_create(8 * PAGE_SIZE, process->account);
    if (vmo == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    struct map_request request = {
        .vmo = vmo,
        .size = 8 * PAGE_SIZE,
        .permissions = FTL_MAP_READ | FTL_MAP_WRITE,
        .permissions_max = FTL_MAP_READ | FTL_MAP_WRITE,
        .owner = process,
    };
    vaddr_t at;
    ftl_status_t status = vmspace_map(vmspace, &request, &at);
    object_put(&vmo->object);
    if (status != FTL_OK) {
        return status;
    }
    for (unsigned i = 0; i < 8 && status == FTL_OK; i++) {
        status = vmspace_fault(vmspace, at + i * PAGE_SIZE, FTL_MAP_WRITE);
    }
    if (status == FTL_OK) {
        status = vmspace_protect(vmspace, at + 2 * PAGE_SIZE, 2 * PAGE_SIZE, FTL_MAP_READ);
    }
    if (status == FTL_OK) {
        status = vmspace_unmap(vmspace, at + PAGE_SIZE, PAGE_SIZE);
    }
    if (status != FTL_OK) {
        return status;
    }
    return vmspace_unmap(vmspace, at, 8 * PAGE_SIZE);
}

/* A process of its own, in which all is done; it leaves nothing, whatever failed. */
static ftl_status_t try_all(ftl_isolation_t isolation, uint64_t limit)
{
    ftl_status_t status;
    struct account *account = account_create(limit);
    if (account == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    vmspace = vmspace_create(isolation, account, &status);
    account_put(account);
    if (vmspace == NULL) {
        assert_true(status == FTL_ERR_NO_MEMORY || status == FTL_ERR_LIMIT);
        return status;
    }
    process = process_create(vmspace, "test", NULL, limit, &status);
    object_put(&vmspace->object);
    if (process == NULL) {
        return status;
    }
    status = map_touch_protect_unmap();
    object_put(&process->object);
    return status;
}

static void every_failing_allocation_is_an_error_and_leaves_nothing(void **state)
{
    (void)state;
    for (unsigned isolation = 0; isolation < 2; isolation++) {
        assert_int_equal(try_all((ftl_isolation_t)isolation, 16 * MIB), FTL_OK);
        struct core_counts before = core_count();
        ftl_status_t status = FTL_ERR_NO_MEMORY;
        long budget;
        for (budget = 0; status != FTL_OK; budget++) {
            host_alloc_budget = budget;
            status = try_all((ftl_isolation_t)isolation, 16 * MIB);
            host_alloc_budget = -1;
            assert_true(status == FTL_OK || status == FTL_ERR_NO_MEMORY);
            core_check_counts(&before);
        }
        assert_true(budget > 6);
    }
}

static void every_missing_page_is_an_error_and_leaves_nothing(void **state)
{
    (void)state;
    for (unsigned isolation = 0; isolation < 2; isolation++) {
        struct core_counts before = core_count();
        ftl_status_t status = FTL_ERR_NO_MEMORY;
        size_t left;
        for (left = 0; status != FTL_OK; left++) {
            host_memory_exhaust(left);
            status = try_all((ftl_isolation_t)isolation, 16 * MIB);
            host_memory_restore();
            assert_true(status == FTL_OK || status == FTL_ERR_NO_MEMORY);
            core_check_counts(&before);
        }
        assert_true(left > 9);
    }
}

static void every_limit_is_an_error_and_leaves_nothing(void **state)
{
    (void)state;
    for (unsigned isolation = 0; isolation < 2; isolation++) {
        struct core_counts before = core_count();
        ftl_status_t status = FTL_ERR_NO_MEMORY;
        for (uint64_t limit = 0; status != FTL_OK; limit += 96) {
            status = try_all((ftl_isolation_t)isolation, limit);
            assert_true(status == FTL_OK || status == FTL_ERR_NO_MEMORY || status == FTL_ERR_LIMIT);
            core_check_counts(&before);
        }
    }
}

/* --- Arguments --- */

static ftl_status_t map_status(uint64_t offset, size_t size, vaddr_t address, unsigned permissions)
{
    struct map_request request = { .vmo = vmos[0],
                                   .offset = offset,
                                   .size = size,
                                   .address = address,
                                   .permissions = permissions,
                                   .permissions_max = permissions };
    vaddr_t mapped;
    return vmspace_map(vmspace, &request, &mapped);
}

static void bad_ranges_and_permissions_are_refused(void **state)
{
    (void)state;
    const unsigned read = FTL_MAP_READ;
    set_up(FTL_ISOLATION_SANDBOX);
    assert_int_equal(map_status(0, 0, base, read), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(map_status(0, 100, base, read), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(map_status(8, PAGE_SIZE, base, read), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(map_status(0, PAGE_SIZE, base + 8, read), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(map_status(0, PAGE_SIZE, base, FTL_MAP_WRITE | FTL_MAP_EXEC),
                     FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(map_status(0, PAGE_SIZE, base, 8), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(map_status(0, 17 * PAGE_SIZE, base, read), FTL_ERR_OUT_OF_RANGE);
    assert_int_equal(map_status(UINT64_MAX - PAGE_SIZE + 1, PAGE_SIZE, base, read),
                     FTL_ERR_OUT_OF_RANGE);
    assert_int_equal(map_status(PAGE_SIZE, SIZE_MAX - PAGE_SIZE + 1, base, read),
                     FTL_ERR_OUT_OF_RANGE);
    /* The guards of a window are never mapped. */
    assert_int_equal(map_status(0, PAGE_SIZE, vmspace->base, read), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(map_status(0, PAGE_SIZE, vmspace->start - PAGE_SIZE, read),
                     FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(map_status(0, 2 * PAGE_SIZE, vmspace->end - PAGE_SIZE, read),
                     FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(map_status(0, PAGE_SIZE, vmspace->end, read), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(map_status(0, PAGE_SIZE, vmspace->end - PAGE_SIZE, read), FTL_OK);
    assert_int_equal(vmspace_unmap(vmspace, base, SIZE_MAX - PAGE_SIZE + 1),
                     FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(vmspace_unmap(vmspace, DIRECT_MAP_BASE, PAGE_SIZE), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(vmspace_protect(vmspace, base, PAGE_SIZE, FTL_MAP_WRITE | FTL_MAP_EXEC),
                     FTL_ERR_INVALID_ARGUMENT);
    tear_down();
}

/* --- 2 MiB pages, and memory that is there --- */

static vaddr_t map_all(struct vmo *vmo, vaddr_t address)
{
    struct map_request request = { .vmo = vmo,
                                   .size = vmo_size(vmo),
                                   .address = address,
                                   .permissions = FTL_MAP_READ | FTL_MAP_WRITE,
                                   .permissions_max = FTL_MAP_READ | FTL_MAP_WRITE,
                                   .owner = process };
    vaddr_t mapped;
    assert_int_equal(vmspace_map(vmspace, &request, &mapped), FTL_OK);
    return mapped;
}

/* Whether one leaf maps the 2 MiB: only then are all of its pages there, one after the other. */
static bool is_one_piece(vaddr_t address)
{
    paddr_t first, pa;
    unsigned permissions;
    bool whole = page_table_query(&vmspace->table, address, &first, &permissions) &&
                 IS_ALIGNED(first, MEGAPAGE_SIZE);
    for (size_t offset = 0; whole && offset < MEGAPAGE_SIZE; offset += PAGE_SIZE) {
        whole = page_table_query(&vmspace->table, address + offset, &pa, &permissions) &&
                pa == first + offset;
    }
    return whole;
}

static void check_large_pages(ftl_isolation_t isolation)
{
    struct core_counts before = core_count();
    set_up(isolation);
    struct vmo *vmo = vmo_create(2 * MEGAPAGE_SIZE + PAGE_SIZE, process->account);
    vaddr_t at = map_all(vmo, 0);
    assert_true(IS_ALIGNED(at, MEGAPAGE_SIZE));
    *(char *)sim_access(at + MEGAPAGE_SIZE + 5, FTL_MAP_WRITE) = 1;
    assert_true(is_one_piece(at + MEGAPAGE_SIZE));
    assert_false(is_one_piece(at));
    *(char *)sim_access(at + 2 * MEGAPAGE_SIZE, FTL_MAP_WRITE) = 2; /* the odd page */

    /* A second mapping out of step sees the same memory in small pages. */
    vaddr_t second = map_all(vmo, at + 4 * MEGAPAGE_SIZE + PAGE_SIZE);
    assert_int_equal(*(char *)sim_access(second + MEGAPAGE_SIZE + 5, FTL_MAP_READ), 1);
    assert_int_equal(vmspace_unmap(vmspace, second, vmo_size(vmo)), FTL_OK);

    /* A hole in the large page leaves the rest as it is; protection can be for a part, too. */
    vaddr_t hole = at + MEGAPAGE_SIZE + 8 * PAGE_SIZE;
    *(char *)sim_access(hole + PAGE_SIZE, FTL_MAP_WRITE) = 3;
    assert_int_equal(vmspace_unmap(vmspace, hole, PAGE_SIZE), FTL_OK);
    assert_int_equal(vmspace_protect(vmspace, at + MEGAPAGE_SIZE, PAGE_SIZE, FTL_MAP_READ), FTL_OK);
    assert_null(sim_access(hole, FTL_MAP_READ));
    assert_null(sim_access(at + MEGAPAGE_SIZE + 5, FTL_MAP_WRITE));
    assert_int_equal(*(char *)sim_access(at + MEGAPAGE_SIZE + 5, FTL_MAP_READ), 1);
    assert_int_equal(*(char *)sim_access(hole + PAGE_SIZE, FTL_MAP_WRITE), 3);
    sim_check_tlbs();
    object_put(&vmo->object);
    tear_down();
    core_check_counts(&before);
}

static void large_pages_behave_as_small_ones(void **state)
{
    (void)state;
    check_large_pages(FTL_ISOLATION_USER);
    check_large_pages(FTL_ISOLATION_SANDBOX);
}

static void range_can_have_a_large_page_after_small_ones(void **state)
{
    (void)state;
    set_up(FTL_ISOLATION_USER);
    vaddr_t at = ALIGN_UP(base, MEGAPAGE_SIZE);
    struct vmo *vmo = vmo_create(MEGAPAGE_SIZE, process->account);
    map_all(vmos[0], at);
    assert_non_null(sim_access(at + PAGE_SIZE, FTL_MAP_WRITE));
    uint64_t used = process->account->used;
    assert_int_equal(vmspace_unmap(vmspace, at, MEGAPAGE_SIZE), FTL_OK);
    assert_int_equal(process->account->used, used - sizeof(struct mapping) - PAGE_SIZE);
    map_all(vmo, at);
    assert_non_null(sim_access(at + PAGE_SIZE, FTL_MAP_WRITE));
    assert_true(is_one_piece(at));
    object_put(&vmo->object);
    tear_down();
}

/* Whatever fails while a large page is cut, process and memory end well. */
static void cutting_a_large_page_without_memory_is_an_error(void **state)
{
    (void)state;
    struct core_counts before = core_count();
    for (size_t left = 0; left < 3; left++) {
        for (long budget = 0; budget < 4; budget++) {
            set_up(FTL_ISOLATION_USER);
            struct vmo *vmo = vmo_create(MEGAPAGE_SIZE, process->account);
            vaddr_t at = map_all(vmo, ALIGN_UP(base, MEGAPAGE_SIZE));
            assert_non_null(sim_access(at, FTL_MAP_WRITE));
            host_memory_exhaust(left);
            host_alloc_budget = budget;
            ftl_status_t status =
                vmspace_unmap(vmspace, at + 7 * PAGE_SIZE, MEGAPAGE_SIZE - 9 * PAGE_SIZE);
            host_alloc_budget = -1;
            host_memory_restore();
            assert_int_equal(status, left >= 1 && budget >= 2 ? FTL_OK : FTL_ERR_NO_MEMORY);
            assert_non_null(sim_access(at + 6 * PAGE_SIZE, FTL_MAP_READ));
            assert_int_equal(sim_access(at + 7 * PAGE_SIZE, FTL_MAP_READ) == NULL,
                             status == FTL_OK);
            object_put(&vmo->object);
            tear_down();
            core_check_counts(&before);
        }
    }
}

static void memory_that_is_there_is_mapped_at_once(void **state)
{
    (void)state;
    struct core_counts before = core_count();
    for (unsigned isolation = 0; isolation < 2; isolation++) {
        set_up((ftl_isolation_t)isolation);
        struct vmo *vmo = vmo_create_contiguous(MEGAPAGE_SIZE, process->account);
        vaddr_t at = map_all(vmo, 0);
        assert_true(is_one_piece(at));
        *(char *)sim_access(at + 5, FTL_MAP_WRITE) = 9;
        char byte;
        assert_int_equal(vmo_read(vmo, 5, &byte, 1), FTL_OK);
        assert_int_equal(byte, 9);
        struct vmo *device = vmo_create_device(0x101000, PAGE_SIZE, process->account);
        vaddr_t registers = map_all(device, 0);
        paddr_t pa;
        unsigned permissions;
        assert_true(page_table_query(&vmspace->table, registers, &pa, &permissions));
        assert_int_equal(pa, 0x101000);
        object_put(&device->object);
        object_put(&vmo->object);
        host_memory_exhaust(0);
        vmo = vmo_create_device(0x102000, PAGE_SIZE, process->account);
        struct map_request request = { .vmo = vmo,
                                       .size = PAGE_SIZE,
                                       .address = at + GIB, /* needs tables */
                                       .permissions = FTL_MAP_READ };
        assert_int_equal(vmspace_map(vmspace, &request, &registers), FTL_ERR_NO_MEMORY);
        host_memory_restore();
        object_put(&vmo->object);
        tear_down();
        core_check_counts(&before);
    }
}

static void mappings_are_listed_part_by_part(void **state)
{
    (void)state;
    set_up(FTL_ISOLATION_USER);
    const size_t count = FTL_MAPPING_LIST_MAX + 4;
    for (size_t i = 0; i < count; i++) { /* from the last to the first */
        struct map_request request = { .vmo = vmos[i % 2],
                                       .offset = i % VMO_PAGES * PAGE_SIZE,
                                       .size = PAGE_SIZE,
                                       .address = base + 2 * (count - 1 - i) * PAGE_SIZE,
                                       .permissions = FTL_MAP_READ,
                                       .permissions_max = FTL_MAP_READ | FTL_MAP_WRITE };
        vaddr_t mapped;
        assert_int_equal(vmspace_map(vmspace, &request, &mapped), FTL_OK);
    }
    struct ftl_mapping_list list = { 0 };
    vmspace_list(vmspace, &list);
    assert_int_equal(list.count, FTL_MAPPING_LIST_MAX);
    assert_int_equal(list.position, base + 2 * FTL_MAPPING_LIST_MAX * PAGE_SIZE);
    const struct ftl_mapping_info expected = { .address = base + 2 * PAGE_SIZE,
                                               .size = PAGE_SIZE,
                                               .offset = (count - 2) % VMO_PAGES * PAGE_SIZE,
                                               .vmo = object_id(&vmos[count % 2]->object),
                                               .kind = FTL_VMO_ANONYMOUS,
                                               .permissions = FTL_MAP_READ,
                                               .permissions_max = FTL_MAP_READ | FTL_MAP_WRITE };
    assert_memory_equal(&list.mappings[1], &expected, sizeof(expected));
    assert_int_not_equal(list.mappings[0].vmo, list.mappings[1].vmo);
    vmspace_list(vmspace, &list);
    assert_int_equal(list.count, count - FTL_MAPPING_LIST_MAX);
    assert_int_equal(list.position, 0);
    list.position = base + 2 * (count - 1) * PAGE_SIZE + 1; /* inside the last one */
    vmspace_list(vmspace, &list);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.mappings[0].address, base + 2 * (count - 1) * PAGE_SIZE);
    list.position = UINT64_MAX;
    vmspace_list(vmspace, &list);
    assert_int_equal(list.count, 0);
    assert_int_equal(list.position, 0);
    tear_down();
}

static void mappings_go_with_their_owner_and_stay_with_others(void **state)
{
    (void)state;
    set_up(FTL_ISOLATION_USER);
    struct process *other = core_process_in(vmspace);
    vaddr_t own = core_map(process, PAGE_SIZE);
    vaddr_t others = core_map(other, PAGE_SIZE);
    assert_non_null(sim_access(others, FTL_MAP_WRITE));
    object_put(&other->object);
    assert_null(sim_access(others, FTL_MAP_READ));
    assert_non_null(sim_access(own, FTL_MAP_READ));
    tear_down();
}

static void window_runs_out_and_comes_back(void **state)
{
    (void)state;
    struct process *all[WINDOW_COUNT];
    for (size_t i = 0; i < WINDOW_COUNT; i++) {
        all[i] = core_process(FTL_ISOLATION_SANDBOX);
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(all[i]->vmspace->base, all[j]->vmspace->base);
        }
    }
    ftl_status_t status;
    struct account *account = account_create(MIB);
    assert_null(vmspace_create(FTL_ISOLATION_SANDBOX, account, &status));
    assert_int_equal(status, FTL_ERR_NO_MEMORY);
    account_put(account);
    vaddr_t gone = all[7]->vmspace->base;
    object_put(&all[7]->object);
    all[7] = core_process(FTL_ISOLATION_SANDBOX);
    assert_int_equal(all[7]->vmspace->base, gone);
    for (size_t i = 0; i < WINDOW_COUNT; i++) {
        object_put(&all[i]->object);
    }
}

/* --- Several harts: one thread unmaps, maps and writes, others read. No stale byte is seen. --- */

static vaddr_t shared_page;
static uint64_t generation; /* what the page holds while it is mapped */
static ftl_handle_t vmspace_handle, vmo_handles[2];

#define REMAPS 12

static bool remaps(struct context *context, struct sim_call *call)
{
    uint64_t now = context->x[SIM_VAR(0)]++;
    if (now == 2 * REMAPS) {
        return core_make(call, FTL_CALL_PROCESS_EXIT, 0, 0, 0, 0);
    }
    if (now % 2 == 0) {
        return core_make(call, FTL_CALL_VMSPACE_UNMAP, vmspace_handle, shared_page, PAGE_SIZE, 0);
    }
    generation = (now / 2) % 2;
    *call = (struct sim_call){ .number = FTL_CALL_VMSPACE_MAP,
                               .args = { vmspace_handle, vmo_handles[generation], 0, PAGE_SIZE,
                                         FTL_MAP_READ | FTL_MAP_WRITE, shared_page } };
    return true;
}

static bool reads(struct context *context, struct sim_call *call)
{
    (void)call;
    context->x[SIM_VAR(0)]++;
    struct mapping *mapping;
    const struct vmo *mapped = NULL;
    const uint64_t *host = sim_access(shared_page, FTL_MAP_READ);
    LIST_FOR_EACH(mapping, &process->vmspace->mappings, struct mapping, link)
    {
        mapped = mapping->start == shared_page ? mapping->vmo : mapped;
    }
    /* A hart that is in the middle of its unmapping may not have told this one yet. */
    if (host != NULL && mapped != NULL && process->vmspace->lock.held == 0 &&
        *host != (mapped == vmos[0] ? 100 : 101)) {
        sim_fail("a stale page: %lu", *host);
    }
    return false;
}

static void set_up_remaps(void)
{
    process = core_process(FTL_ISOLATION_USER);
    for (uint64_t i = 0; i < 2; i++) {
        uint64_t content = 100 + i;
        vmos[i] = vmo_create(PAGE_SIZE, process->account);
        vmo_write(vmos[i], 0, &content, sizeof(content));
        vmo_handles[i] = core_handle(process, &vmos[i]->object, FTL_RIGHTS_ALL);
        object_put(&vmos[i]->object);
    }
    vmspace_handle = core_handle(process, &process->vmspace->object, FTL_RIGHTS_ALL);
    shared_page = USER_BASE + 4 * PAGE_SIZE;
    core_thread(process, remaps, 0);
    core_thread(process, reads, 0);
    core_thread(process, reads, 0);
}

static void check_remaps(void)
{
    if (process->state != FTL_PROCESS_EXITED) {
        sim_fail("not done");
    }
    object_put(&process->object);
}

static const struct core_scenario remapping = { set_up_remaps, check_remaps };

static void harts_never_read_through_what_was_unmapped(void **state)
{
    (void)state;
    core_explore(&remapping, 300);
    core_explore_switches(&remapping, 300);
}

/* From each byte around a page's end, to pages none of which is there. */
static void copies_fault_pages_in_wherever_they_begin(void **state)
{
    (void)state;
    char data[2 * UACCESS_STEP];
    char back[sizeof(data)];
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (char)(i + 1);
    }
    for (size_t before = 0; before <= sizeof(data); before++) {
        set_up(FTL_ISOLATION_USER);
        vaddr_t address = core_map(process, 2 * PAGE_SIZE) + PAGE_SIZE - before;
        assert_int_equal(copy_in(back, address, sizeof(back)), FTL_OK);
        assert_int_equal(back[sizeof(back) - 1], 0);
        tear_down();
        set_up(FTL_ISOLATION_USER);
        address = core_map(process, 2 * PAGE_SIZE) + PAGE_SIZE - before;
        assert_int_equal(copy_out(address, data, sizeof(data)), FTL_OK);
        assert_int_equal(copy_in(back, address, sizeof(back)), FTL_OK);
        assert_memory_equal(back, data, sizeof(data));
        tear_down();
    }
}

int main(void)
{
    sim_boot(3, 32 * MIB);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vmspace_agrees_with_a_flat_model),
        cmocka_unit_test(every_failing_allocation_is_an_error_and_leaves_nothing),
        cmocka_unit_test(every_missing_page_is_an_error_and_leaves_nothing),
        cmocka_unit_test(every_limit_is_an_error_and_leaves_nothing),
        cmocka_unit_test(bad_ranges_and_permissions_are_refused),
        cmocka_unit_test(large_pages_behave_as_small_ones),
        cmocka_unit_test(range_can_have_a_large_page_after_small_ones),
        cmocka_unit_test(cutting_a_large_page_without_memory_is_an_error),
        cmocka_unit_test(memory_that_is_there_is_mapped_at_once),
        cmocka_unit_test(copies_fault_pages_in_wherever_they_begin),
        cmocka_unit_test(mappings_are_listed_part_by_part),
        cmocka_unit_test(mappings_go_with_their_owner_and_stay_with_others),
        cmocka_unit_test(window_runs_out_and_comes_back),
        cmocka_unit_test(harts_never_read_through_what_was_unmapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
