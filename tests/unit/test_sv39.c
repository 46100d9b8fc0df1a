/* arch/riscv/sv39.c: page tables, in the host's memory. */
#include "host/test.h"

#include "arch/mmu.h"
#include "host/memory.h"
#include "mm/page.h"

#define RAM_SIZE (32 * MIB)
#define RW       (MMU_READ | MMU_WRITE | MMU_USER)
#define RX       (MMU_READ | MMU_EXEC | MMU_USER)
#define BASE     GIGAPAGE_SIZE /* most tests map from here on */
#define PLENTY   RAM_SIZE

static struct account account;
static struct page_table table;
static size_t free_before;

static int setup(void **state)
{
    (void)state;
    host_memory_init(RAM_SIZE);
    account_init(&account, PLENTY);
    free_before = page_free_count();
    assert_true(page_table_init(&table, NULL, &account));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    host_memory_restore();
    if (table.root != 0) {
        page_table_destroy(&table);
    }
    assert_int_equal(account.used, 0);
    assert_int_equal(page_free_count(), free_before);
    host_memory_exit();
    return 0;
}

static void assert_mapped(vaddr_t va, paddr_t pa, unsigned permissions)
{
    paddr_t found_pa = 0;
    unsigned found_permissions = 0;
    assert_true(page_table_query(&table, va, &found_pa, &found_permissions));
    assert_int_equal(found_pa, pa);
    assert_int_equal(found_permissions, permissions);
}

static void assert_unmapped(vaddr_t va)
{
    paddr_t pa;
    unsigned permissions;
    assert_false(page_table_query(&table, va, &pa, &permissions));
}

/* What an unmap released. */
struct released {
    size_t count;
    size_t size;
    paddr_t first;
};

static void note_released(paddr_t pa, size_t size, void *context)
{
    struct released *released = context;
    if (released->count == 0) {
        released->first = pa;
    }
    released->count++;
    released->size += size;
}

static void mmu_new_table_maps_nothing(void **state)
{
    (void)state;
    static const vaddr_t places[] = { 0,           USER_BASE,  USER_END - 1, DIRECT_MAP_BASE,
                                      KERNEL_BASE, UINTPTR_MAX };
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        assert_unmapped(places[i]);
    }
    assert_int_equal(account.used, PAGE_SIZE);
}

static void mmu_maps_one_page(void **state)
{
    (void)state;
    assert_true(page_table_map(&table, BASE, 0x80001000, PAGE_SIZE, RW));
    assert_mapped(BASE, 0x80001000, RW);
    assert_mapped(BASE + PAGE_SIZE - 1, 0x80001fff, RW);
    assert_unmapped(BASE - 1);
    assert_unmapped(BASE + PAGE_SIZE);
    assert_int_equal(account.used, 3 * PAGE_SIZE);
}

static void mmu_entry_has_the_bits_of_the_spec(void **state)
{
    (void)state;
    assert_true(page_table_map(&table, BASE, GIB * 5, GIB, MMU_READ | MMU_EXEC | MMU_GLOBAL));
    const uint64_t *root = phys_to_virt(table.root);
    /* PPN << 10, D A G - X - R V */
    assert_int_equal(root[1], GIB * 5 >> 12 << 10 | 0xeb);
    assert_true(page_table_protect(&table, BASE, GIB, RW));
    assert_int_equal(root[1], GIB * 5 >> 12 << 10 | 0xd7);
    assert_int_equal(root[0], 0);
}

/* Counts the leaves below a table; each must be accessed and dirty from the start. */
static size_t check_leaves(paddr_t at, unsigned level)
{
    const uint64_t *entries = phys_to_virt(at);
    size_t count = 0;
    for (size_t i = 0; i < PAGE_SIZE / sizeof(*entries); i++) {
        bool leaf = (entries[i] & 0xe) != 0; /* R W X */
        if ((entries[i] & 1) == 0) {
            continue;
        }
        if (leaf) {
            assert_int_equal(entries[i] & 0xc0, 0xc0); /* D A */
            count++;
        } else {
            assert_int_not_equal(level, 0);
            count += check_leaves(entries[i] >> 10 << 12, level - 1);
        }
    }
    return count;
}

/* Harts may fault at a page that is not accessed or dirty, which nobody would handle. */
static void mmu_every_leaf_is_accessed_and_dirty(void **state)
{
    (void)state;
    assert_true(page_table_map(&table, BASE, GIB, GIB + MEGAPAGE_SIZE + PAGE_SIZE, RW));
    assert_int_equal(check_leaves(table.root, 2), 3);
    assert_true(page_table_protect(&table, BASE + PAGE_SIZE, PAGE_SIZE, RX));
    assert_true(page_table_split(&table, BASE + GIB + 5 * PAGE_SIZE));
    assert_true(page_table_unmap(&table, BASE + 2 * PAGE_SIZE, PAGE_SIZE, NULL, NULL));
    /*
     * A gigapage in megapages, one of them and the other megapage in pages, one of these missing.
     */
    assert_int_equal(check_leaves(table.root, 2), 511 + 512 + 512 + 1 - 1);
}

static void mmu_map_uses_the_largest_pages(void **state)
{
    (void)state;
    struct released released = { 0 };
    size_t size = PAGE_SIZE + MEGAPAGE_SIZE + GIGAPAGE_SIZE;
    vaddr_t va = 2 * BASE - MEGAPAGE_SIZE - PAGE_SIZE;
    paddr_t pa = 8 * GIB - MEGAPAGE_SIZE - PAGE_SIZE;
    assert_true(page_table_map(&table, va, pa, size, RW));
    assert_mapped(va, pa, RW);
    assert_mapped(va + size - 1, pa + size - 1, RW);
    assert_int_equal(account.used, 3 * PAGE_SIZE); /* root, one of each other level */
    assert_true(page_table_unmap(&table, va, size, note_released, &released));
    assert_int_equal(released.count, 3);
    assert_int_equal(released.size, size);
    assert_int_equal(released.first, pa);
}

static void mmu_map_of_misaligned_physical_uses_small_pages(void **state)
{
    (void)state;
    struct released released = { 0 };
    assert_true(page_table_map(&table, BASE, MEGAPAGE_SIZE + PAGE_SIZE, 2 * MEGAPAGE_SIZE, RX));
    assert_mapped(BASE + MEGAPAGE_SIZE + 5, 2 * MEGAPAGE_SIZE + PAGE_SIZE + 5, RX);
    assert_true(page_table_unmap(&table, BASE, 2 * MEGAPAGE_SIZE, note_released, &released));
    assert_int_equal(released.count, 2 * MEGAPAGE_SIZE / PAGE_SIZE);
}

static void mmu_maps_at_both_ends_of_the_address_space(void **state)
{
    (void)state;
    vaddr_t top = UINTPTR_MAX - 2 * PAGE_SIZE + 1;
    assert_true(page_table_map(&table, 0, 0, PAGE_SIZE, RW));
    assert_true(page_table_map(&table, USER_END - PAGE_SIZE, 0, PAGE_SIZE, RW));
    assert_true(page_table_map(&table, top, 4 * PAGE_SIZE, 2 * PAGE_SIZE, RW));
    assert_mapped(UINTPTR_MAX, 6 * PAGE_SIZE - 1, RW);
    assert_mapped(USER_END - 1, PAGE_SIZE - 1, RW);
    assert_true(page_table_protect(&table, top, 2 * PAGE_SIZE, RX));
    assert_mapped(UINTPTR_MAX, 6 * PAGE_SIZE - 1, RX);
    assert_true(page_table_unmap(&table, top, 2 * PAGE_SIZE, NULL, NULL));
    assert_unmapped(UINTPTR_MAX);
    assert_mapped(0, 0, RW);
    /* The upper half's tables are not destroy's to free: these were made for this test. */
    const uint64_t *root = phys_to_virt(table.root);
    paddr_t middle = root[511] >> 10 << 12;
    const uint64_t *entries = phys_to_virt(middle);
    page_free(phys_to_page(entries[511] >> 10 << 12), 0);
    page_free(phys_to_page(middle), 0);
    account_release(&account, 2 * PAGE_SIZE);
}

static void mmu_bad_arguments_panic(void **state)
{
    (void)state;
    assert_panics(page_table_map(&table, BASE + 1, 0, PAGE_SIZE, RW));
    assert_panics(page_table_map(&table, BASE, 1, PAGE_SIZE, RW));
    assert_panics(page_table_map(&table, BASE, 0, PAGE_SIZE + 1, RW));
    assert_panics(page_table_map(&table, USER_END, 0, PAGE_SIZE, RW)); /* not canonical */
    assert_panics(page_table_map(&table, USER_END - PAGE_SIZE, 0, 2 * PAGE_SIZE, RW));
    assert_panics(page_table_map(&table, BASE, 0, PAGE_SIZE, RW | MMU_EXEC));
    assert_panics(page_table_map(&table, BASE, 0, PAGE_SIZE, MMU_WRITE));
    assert_panics(page_table_map(&table, BASE, 0, PAGE_SIZE, 0));
    assert_true(page_table_map(&table, BASE, 0, PAGE_SIZE, RW));
    assert_panics(page_table_map(&table, BASE, 0, PAGE_SIZE, RW)); /* mapped already */
    assert_panics(page_table_protect(&table, BASE, PAGE_SIZE, RW | MMU_EXEC));
}

static void mmu_unmap_of_holes_does_nothing(void **state)
{
    (void)state;
    struct released released = { 0 };
    assert_true(page_table_unmap(&table, 0, USER_END, note_released, &released));
    assert_true(page_table_map(&table, BASE, 0, PAGE_SIZE, RW));
    assert_true(page_table_map(&table, 3 * BASE, 0, PAGE_SIZE, RW));
    assert_true(
        page_table_unmap(&table, BASE + PAGE_SIZE, 2 * BASE - PAGE_SIZE, note_released, &released));
    assert_int_equal(released.count, 0);
    assert_true(page_table_unmap(&table, 0, USER_END, note_released, &released));
    assert_int_equal(released.count, 2);
    assert_unmapped(BASE);
    assert_unmapped(3 * BASE);
}

static void mmu_unmap_splits_larger_pages(void **state)
{
    (void)state;
    struct released released = { 0 };
    assert_true(page_table_map(&table, BASE, 4 * GIB, GIB, RX | MMU_GLOBAL));
    vaddr_t hole = BASE + 7 * MEGAPAGE_SIZE + 9 * PAGE_SIZE;
    assert_true(page_table_unmap(&table, hole, PAGE_SIZE, note_released, &released));
    assert_int_equal(released.count, 1);
    assert_int_equal(released.first, 4 * GIB + 7 * MEGAPAGE_SIZE + 9 * PAGE_SIZE);
    assert_int_equal(released.size, PAGE_SIZE);
    assert_unmapped(hole);
    assert_mapped(hole - 1, 4 * GIB + hole - BASE - 1, RX | MMU_GLOBAL);
    assert_mapped(hole + PAGE_SIZE, 4 * GIB + hole + PAGE_SIZE - BASE, RX | MMU_GLOBAL);
    assert_mapped(BASE, 4 * GIB, RX | MMU_GLOBAL);
    assert_mapped(2 * BASE - 1, 5 * GIB - 1, RX | MMU_GLOBAL);
    assert_int_equal(account.used, 3 * PAGE_SIZE);
}

static void mmu_protect_splits_larger_pages(void **state)
{
    (void)state;
    assert_true(page_table_map(&table, BASE, 4 * GIB, GIB, RW));
    assert_true(page_table_protect(&table, BASE + MEGAPAGE_SIZE, MEGAPAGE_SIZE, RX));
    assert_int_equal(account.used, 2 * PAGE_SIZE);
    assert_true(page_table_protect(&table, BASE + 2 * MEGAPAGE_SIZE, PAGE_SIZE, MMU_READ));
    assert_mapped(BASE + MEGAPAGE_SIZE - 1, 4 * GIB + MEGAPAGE_SIZE - 1, RW);
    assert_mapped(BASE + MEGAPAGE_SIZE, 4 * GIB + MEGAPAGE_SIZE, RX);
    assert_mapped(BASE + 2 * MEGAPAGE_SIZE, 4 * GIB + 2 * MEGAPAGE_SIZE, MMU_READ);
    assert_mapped(BASE + 2 * MEGAPAGE_SIZE + PAGE_SIZE, 4 * GIB + 2 * MEGAPAGE_SIZE + PAGE_SIZE,
                  RW);
}

static void mmu_map_without_memory_maps_nothing(void **state)
{
    (void)state;
    /* Needs 4 tables: middle and leaf on both sides of a 1 GiB boundary. */
    vaddr_t va = 2 * BASE - 2 * PAGE_SIZE;
    for (size_t left = 0; left <= 4; left++) {
        host_memory_exhaust(left);
        bool mapped = page_table_map(&table, va, 0x80000000, 4 * PAGE_SIZE, RW);
        assert_int_equal(mapped, left == 4);
        for (size_t page = 0; page < 4; page++) {
            if (mapped) {
                assert_mapped(va + page * PAGE_SIZE, 0x80000000 + page * PAGE_SIZE, RW);
            } else {
                assert_unmapped(va + page * PAGE_SIZE);
            }
        }
        host_memory_restore();
        page_table_destroy(&table);
        assert_int_equal(account.used, 0);
        assert_true(page_table_init(&table, NULL, &account));
    }
}

static void mmu_tables_stay_within_the_account(void **state)
{
    (void)state;
    struct page_table refused;
    account.limit = 3 * PAGE_SIZE;
    assert_true(page_table_map(&table, BASE, 0, PAGE_SIZE, RW));
    assert_false(page_table_map(&table, 2 * BASE, 0, PAGE_SIZE, RW));
    assert_unmapped(2 * BASE);
    assert_false(page_table_init(&refused, NULL, &account));
    assert_true(page_table_map(&table, BASE + PAGE_SIZE, 0, PAGE_SIZE, RW));
    assert_int_equal(account.used, 3 * PAGE_SIZE);
}

static void mmu_split_without_memory_changes_nothing(void **state)
{
    (void)state;
    assert_true(page_table_map(&table, BASE, 0, 2 * GIB, RW));
    /* The range cuts both leaves: 2 tables for each end. */
    for (size_t left = 0; left < 4; left++) {
        host_memory_exhaust(left);
        assert_false(
            page_table_unmap(&table, BASE + PAGE_SIZE, 2 * GIB - 2 * PAGE_SIZE, NULL, NULL));
        assert_false(
            page_table_protect(&table, BASE + PAGE_SIZE, 2 * GIB - 2 * PAGE_SIZE, MMU_READ));
        for (size_t offset = 0; offset < 2 * GIB; offset += MEGAPAGE_SIZE - PAGE_SIZE) {
            assert_mapped(BASE + offset, offset, RW);
        }
        host_memory_restore();
        page_table_destroy(&table);
        assert_true(page_table_init(&table, NULL, &account));
        assert_true(page_table_map(&table, BASE, 0, 2 * GIB, RW));
    }
    assert_true(page_table_unmap(&table, BASE + PAGE_SIZE, 2 * GIB - 2 * PAGE_SIZE, NULL, NULL));
    assert_mapped(BASE, 0, RW);
    assert_mapped(BASE + 2 * GIB - PAGE_SIZE, 2 * GIB - PAGE_SIZE, RW);
    assert_unmapped(BASE + PAGE_SIZE);
}

static void mmu_new_table_shares_the_kernels_upper_half(void **state)
{
    (void)state;
    struct page_table user;
    struct account user_account;
    paddr_t pa;
    unsigned permissions;
    account_init(&user_account, PLENTY);
    assert_true(page_table_map(&table, DIRECT_MAP_BASE, 0, GIB, MMU_READ | MMU_GLOBAL));
    assert_true(page_table_map(&table, BASE, 0, PAGE_SIZE, RW)); /* lower half: not shared */
    assert_true(page_table_prepare_roots(&table, WINDOW_BASE, WINDOW_SIZE));
    assert_true(page_table_init(&user, &table, &user_account));

    assert_true(page_table_query(&user, DIRECT_MAP_BASE + 5, &pa, &permissions));
    assert_int_equal(pa, 5);
    assert_false(page_table_query(&user, BASE, &pa, &permissions));
    assert_true(page_table_map(&table, WINDOW_BASE, 0, PAGE_SIZE,
                               RW)); /* later, below a shared root entry */
    assert_true(page_table_query(&user, WINDOW_BASE, &pa, &permissions));

    size_t kernel_used = account.used;
    page_table_destroy(&user);
    assert_int_equal(user_account.used, 0);
    assert_int_equal(account.used, kernel_used);
    assert_mapped(WINDOW_BASE, 0, RW); /* destroy left the shared tables alone */

    /*
     * Destroy leaves the upper half's tables, so move them to the lower half, where it frees them.
     */
    uint64_t *root = phys_to_virt(table.root);
    memcpy(root + 64, root + (WINDOW_BASE >> 30) % 512, 4 * sizeof(root[0]));
}

static void mmu_copied_roots_share_what_is_below(void **state)
{
    (void)state;
    struct page_table other;
    paddr_t pa;
    unsigned permissions;
    assert_true(page_table_init(&other, NULL, NULL));
    host_memory_exhaust(1);
    assert_false(page_table_prepare_roots(&table, BASE, 2 * GIB)); /* needs two */
    host_memory_restore();
    assert_true(page_table_prepare_roots(&table, BASE, 2 * GIB));
    assert_true(page_table_prepare_roots(&table, BASE, 2 * GIB)); /* there already: nothing to do */
    assert_int_equal(account.used, 3 * PAGE_SIZE);
    page_table_copy_roots(&other, &table, BASE, 2 * GIB);
    assert_true(page_table_map(&table, 3 * BASE - PAGE_SIZE, PAGE_SIZE, PAGE_SIZE, RW));
    assert_true(page_table_query(&other, 3 * BASE - PAGE_SIZE, &pa, &permissions));
    assert_int_equal(pa, PAGE_SIZE);

    memset(phys_to_virt(other.root), 0, PAGE_SIZE); /* the tables below are the first table's */
    page_table_destroy(&other);
}

static bool takes_megapage(vaddr_t va)
{
    struct page_place place;
    return !page_table_locate(&table, va, &place) && page_place_takes_megapage(&place);
}

/* Pages that are filled in one by one, at the places found before. */
static void mmu_page_is_filled_at_its_place(void **state)
{
    (void)state;
    struct page_place place;
    assert_false(page_table_locate(&table, BASE, &place));
    assert_true(page_table_fill(&table, &place, BASE, 3 * PAGE_SIZE, RW)); /* makes the tables */
    assert_mapped(BASE, 3 * PAGE_SIZE, RW);
    assert_true(page_table_locate(&table, BASE, &place));
    assert_false(page_table_locate(&table, BASE + PAGE_SIZE, &place));
    assert_true(page_table_fill(&table, &place, BASE + PAGE_SIZE, PAGE_SIZE, MMU_READ));
    assert_mapped(BASE + PAGE_SIZE, PAGE_SIZE, MMU_READ);
    assert_mapped(BASE, 3 * PAGE_SIZE, RW);
}

static void mmu_megapage_is_taken_where_nothing_is(void **state)
{
    (void)state;
    assert_true(takes_megapage(BASE));
    assert_true(page_table_map(&table, BASE + 4 * PAGE_SIZE, 0, PAGE_SIZE, RW));
    assert_false(takes_megapage(BASE));
    assert_true(takes_megapage(BASE + MEGAPAGE_SIZE));
    assert_true(page_table_map(&table, BASE + MEGAPAGE_SIZE, 0, MEGAPAGE_SIZE, RW));
    assert_false(takes_megapage(BASE + MEGAPAGE_SIZE));
    /* An empty table is in the way until it is taken out: with all that it is for, only. */
    struct list pages = LIST_INIT(pages);
    assert_true(page_table_unmap(&table, BASE, MEGAPAGE_SIZE, NULL, NULL));
    assert_false(takes_megapage(BASE));
    page_table_detach(&table, BASE, MEGAPAGE_SIZE - PAGE_SIZE, &pages);
    assert_true(list_empty(&pages));
    page_table_detach(&table, BASE, MEGAPAGE_SIZE, &pages);
    page_table_free_detached(&table, &pages);
    assert_true(takes_megapage(BASE));
    assert_mapped(BASE + MEGAPAGE_SIZE, 0, RW);
}

static void mmu_split_makes_a_boundary_and_changes_no_meaning(void **state)
{
    (void)state;
    vaddr_t inside = BASE + MEGAPAGE_SIZE + 3 * PAGE_SIZE;
    assert_true(page_table_map(&table, BASE, 4 * GIB, 2 * MEGAPAGE_SIZE, RX));
    size_t used = account.used;
    assert_true(page_table_split(&table, BASE + MEGAPAGE_SIZE)); /* it is one */
    assert_true(page_table_split(&table, BASE - PAGE_SIZE));     /* nothing is there */
    assert_int_equal(account.used, used);
    host_memory_exhaust(0);
    assert_false(page_table_split(&table, inside));
    host_memory_restore();
    assert_true(page_table_split(&table, inside));
    assert_int_equal(account.used, used + PAGE_SIZE);
    for (vaddr_t va = BASE; va < BASE + 2 * MEGAPAGE_SIZE; va += PAGE_SIZE) {
        assert_mapped(va, 4 * GIB + va - BASE, RX);
    }
    host_memory_exhaust(0); /* cutting there needs none any more */
    assert_true(page_table_unmap(&table, inside, PAGE_SIZE, NULL, NULL));
    host_memory_restore();
}

static void mmu_detach_takes_all_tables_but_those_of_the_roots(void **state)
{
    (void)state;
    assert_true(page_table_map(&table, BASE + PAGE_SIZE, 0, 3 * MEGAPAGE_SIZE, RW));
    assert_true(page_table_map(&table, 3 * BASE, 0, PAGE_SIZE, RW));
    assert_true(page_table_unmap(&table, BASE, 2 * GIB, NULL, NULL));
    struct list pages = LIST_INIT(pages);
    page_table_detach(&table, BASE, 2 * GIB, &pages); /* the second has no table at all */
    assert_false(list_empty(&pages));
    page_table_free_detached(&table, &pages);
    assert_true(list_empty(&pages));
    assert_int_equal(account.used, (1 + 1 + 2) * PAGE_SIZE); /* root; the first's; 3 * BASE's */
    assert_unmapped(BASE + PAGE_SIZE);
    assert_mapped(3 * BASE, 0, RW);
    assert_true(page_table_map(&table, BASE, 0, MEGAPAGE_SIZE + PAGE_SIZE, RW));
    assert_mapped(BASE + MEGAPAGE_SIZE, MEGAPAGE_SIZE, RW);
}

/* A flat map of 2 GiB, the truth for random operations. */
#define MODEL_PAGES (2 * GIB / PAGE_SIZE)

struct model_page {
    paddr_t pa;
    unsigned permissions; /* 0: unmapped */
};

struct model {
    struct host_random random;
    struct model_page pages[MODEL_PAGES];
    size_t released; /* bytes, by the last unmap */
};

/* A range of pages: mostly small, often with large alignment. */
static void model_range(struct model *model, size_t *first, size_t *count)
{
    static const size_t sizes[] = { 1, 2, 7, 511, 512, 513, 1024, 3000, 262144 };
    size_t kind = host_random_below(&model->random, 200);
    *count = kind == 0 ? sizes[8] : sizes[kind % 8];
    *first = host_random_below(&model->random, MODEL_PAGES);
    if (host_random_below(&model->random, 2) == 0) {
        *first = ALIGN_DOWN(*first, *count >= 262144 ? (size_t)262144 : (size_t)512);
    }
    if (*count > MODEL_PAGES - *first) {
        *count = MODEL_PAGES - *first;
    }
}

static unsigned model_permissions(struct model *model)
{
    static const unsigned choices[] = { RW, RX, MMU_READ, MMU_EXEC | MMU_USER, RW | MMU_GLOBAL };
    return choices[host_random_below(&model->random, ARRAY_SIZE(choices))];
}

static void model_map(struct model *model, size_t first, size_t count)
{
    /* Shorten the range to what is not mapped, as map demands. */
    size_t size = 0;
    while (size < count && model->pages[first + size].permissions == 0) {
        size++;
    }
    /* Physical addresses equally aligned or not at all. */
    paddr_t pa = (host_random_below(&model->random, 16) * GIB) + first * PAGE_SIZE;
    pa += host_random_below(&model->random, 3) == 0 ? PAGE_SIZE : 0;
    unsigned permissions = model_permissions(model);
    assert_true(
        page_table_map(&table, BASE + first * PAGE_SIZE, pa, size * PAGE_SIZE, permissions));
    for (size_t i = 0; i < size; i++) {
        model->pages[first + i] = (struct model_page){ pa + i * PAGE_SIZE, permissions };
    }
}

static void model_release(paddr_t pa, size_t size, void *context)
{
    struct model *model = context;
    assert_true(IS_ALIGNED(pa, size));
    model->released += size;
}

static void model_unmap(struct model *model, size_t first, size_t count)
{
    size_t mapped = 0;
    model->released = 0;
    assert_true(page_table_unmap(&table, BASE + first * PAGE_SIZE, count * PAGE_SIZE, model_release,
                                 model));
    for (size_t i = first; i < first + count; i++) {
        mapped += model->pages[i].permissions != 0;
        model->pages[i].permissions = 0;
    }
    assert_int_equal(model->released, mapped * PAGE_SIZE);
}

static void model_protect(struct model *model, size_t first, size_t count)
{
    unsigned permissions = model_permissions(model);
    assert_true(
        page_table_protect(&table, BASE + first * PAGE_SIZE, count * PAGE_SIZE, permissions));
    for (size_t i = first; i < first + count; i++) {
        if (model->pages[i].permissions != 0) {
            model->pages[i].permissions = permissions;
        }
    }
}

static void model_check(const struct model *model, size_t index)
{
    const struct model_page *page = &model->pages[index];
    vaddr_t va = BASE + index * PAGE_SIZE + index % PAGE_SIZE;
    if (page->permissions == 0) {
        assert_unmapped(va);
    } else {
        assert_mapped(va, page->pa + index % PAGE_SIZE, page->permissions);
    }
}

static void mmu_random_operations_agree_with_a_flat_map(void **state)
{
    (void)state;
    static struct model model;
    memset(&model, 0, sizeof(model));
    model.random.state = 39;
    for (int turn = 0; turn < 4000; turn++) {
        size_t first;
        size_t count;
        model_range(&model, &first, &count);
        switch (host_random_below(&model.random, 4)) {
        case 0:
        case 1: model_map(&model, first, count); break;
        case 2: model_unmap(&model, first, count); break;
        default: model_protect(&model, first, count); break;
        }
        model_check(&model, first);
        model_check(&model, first + count - 1);
        model_check(&model, first > 0 ? first - 1 : 0);
        model_check(&model, first + count < MODEL_PAGES ? first + count : 0);
        for (int i = 0; i < 20; i++) {
            model_check(&model, host_random_below(&model.random, MODEL_PAGES));
        }
    }
    for (size_t i = 0; i < MODEL_PAGES; i++) {
        model_check(&model, i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(mmu_new_table_maps_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(mmu_maps_one_page, setup, teardown),
        cmocka_unit_test_setup_teardown(mmu_entry_has_the_bits_of_the_spec, setup, teardown),
        cmocka_unit_test_setup_teardown(mmu_every_leaf_is_accessed_and_dirty, setup, teardown),
        cmocka_unit_test_setup_teardown(mmu_map_uses_the_largest_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(mmu_map_of_misaligned_physical_uses_small_pages, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(mmu_maps_at_both_ends_of_the_address_space, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(mmu_bad_arguments_panic, setup, teardown),
        cmocka_unit_test_setup_teardown(mmu_unmap_of_holes_does_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(mmu_unmap_splits_larger_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(mmu_protect_splits_larger_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(mmu_map_without_memory_maps_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(mmu_tables_stay_within_the_account, setup, teardown),
        cmocka_unit_test_setup_teardown(mmu_split_without_memory_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(mmu_new_table_shares_the_kernels_upper_half, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(mmu_copied_roots_share_what_is_below, setup, teardown),
        cmocka_unit_test_setup_teardown(mmu_page_is_filled_at_its_place, setup, teardown),
        cmocka_unit_test_setup_teardown(mmu_megapage_is_taken_where_nothing_is, setup, teardown),
        cmocka_unit_test_setup_teardown(mmu_split_makes_a_boundary_and_changes_no_meaning, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(mmu_detach_takes_all_tables_but_those_of_the_roots, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(mmu_random_operations_agree_with_a_flat_map, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
