/*
 * Sv39 page tables (privileged spec, "Sv39: Page-Based 39-bit Virtual-Memory System"): three levels
 * of 512 entries; level 0 has 4 KiB leaves, level 1 those of 2 MiB, level 2 (the root) of 1 GiB.
 * Pure table code: knows nothing of satp or TLBs. Entries are written whole, since harts may walk
 * the table meanwhile.
 */
#include "arch/mmu.h"
#include "kernel/assert.h"
#include "kernel/string.h"
#include "mm/page.h"

typedef uint64_t pte_t;

/* Page-table entry, "Sv39 page table entry" and "Addressing and Memory Protection". */
#define PTE_V         ((pte_t)1 << 0)
#define PTE_R         ((pte_t)1 << 1)
#define PTE_W         ((pte_t)1 << 2)
#define PTE_X         ((pte_t)1 << 3)
#define PTE_U         ((pte_t)1 << 4)
#define PTE_G         ((pte_t)1 << 5)
#define PTE_A         ((pte_t)1 << 6)
#define PTE_D         ((pte_t)1 << 7)
#define PTE_PPN_SHIFT 10
#define PTE_PPN_BITS  44
#define PTE_PPN_MASK  (((((pte_t)1) << PTE_PPN_BITS) - 1) << PTE_PPN_SHIFT)

#define LEVEL_BITS     9
#define LEVEL_ROOT     2u /* 1 GiB an entry */
#define ENTRY_COUNT    ((size_t)1 << LEVEL_BITS)
#define VA_BITS        39
#define ROOT_LOWER_END (ENTRY_COUNT / 2) /* entries from here on map the upper half */

_Static_assert(ENTRY_COUNT * sizeof(pte_t) == PAGE_SIZE, "a table is a page");

static inline size_t level_size(unsigned level)
{
    return PAGE_SIZE << (LEVEL_BITS * level);
}

static inline size_t level_index(vaddr_t va, unsigned level)
{
    return (va >> (PAGE_SHIFT + LEVEL_BITS * level)) % ENTRY_COUNT;
}

/* The part of [va, va + size) that one entry of the level covers. */
static inline size_t entry_part(vaddr_t va, size_t size, unsigned level)
{
    size_t to_end = level_size(level) - va % level_size(level);
    return size < to_end ? size : to_end;
}

static inline bool pte_is_valid(pte_t pte)
{
    return (pte & PTE_V) != 0;
}

static inline bool pte_is_leaf(pte_t pte)
{
    return (pte & (PTE_R | PTE_W | PTE_X)) != 0;
}

static inline paddr_t pte_address(pte_t pte)
{
    return (pte & PTE_PPN_MASK) >> PTE_PPN_SHIFT << PAGE_SHIFT;
}

static inline pte_t *pte_table(pte_t pte)
{
    return phys_to_virt(pte_address(pte));
}

static inline pte_t make_pte(paddr_t address, pte_t bits)
{
    return address >> PAGE_SHIFT << PTE_PPN_SHIFT | bits;
}

static inline pte_t *root_of(const struct page_table *table)
{
    return phys_to_virt(table->root);
}

/* Release: a walker that follows an entry to a new table finds it filled. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the builtin stores through it. */
static inline void set_pte(pte_t *entry, pte_t pte)
{
    __atomic_store_n(entry, pte, __ATOMIC_RELEASE);
}

static pte_t leaf_bits(unsigned permissions)
{
    ASSERT((permissions & (MMU_READ | MMU_EXEC)) != 0); /* else it is no leaf */
    ASSERT((permissions & MMU_WRITE) == 0 || (permissions & MMU_READ) != 0); /* reserved */
    ASSERT((permissions & MMU_WRITE) == 0 || (permissions & MMU_EXEC) == 0);
    pte_t bits = PTE_V | PTE_A | PTE_D;
    bits |= (permissions & MMU_READ) != 0 ? PTE_R : 0;
    bits |= (permissions & MMU_WRITE) != 0 ? PTE_W : 0;
    bits |= (permissions & MMU_EXEC) != 0 ? PTE_X : 0;
    bits |= (permissions & MMU_USER) != 0 ? PTE_U : 0;
    bits |= (permissions & MMU_GLOBAL) != 0 ? PTE_G : 0;
    return bits;
}

static unsigned leaf_permissions(pte_t pte)
{
    unsigned permissions = 0;
    permissions |= (pte & PTE_R) != 0 ? MMU_READ : 0;
    permissions |= (pte & PTE_W) != 0 ? MMU_WRITE : 0;
    permissions |= (pte & PTE_X) != 0 ? MMU_EXEC : 0;
    permissions |= (pte & PTE_U) != 0 ? MMU_USER : 0;
    permissions |= (pte & PTE_G) != 0 ? MMU_GLOBAL : 0;
    return permissions;
}

/* Canonical: the bits above the address are copies of its highest. */
static inline bool is_canonical(vaddr_t va)
{
    return (vaddr_t)((int64_t)(va << (64 - VA_BITS)) >> (64 - VA_BITS)) == va;
}

static void assert_range(vaddr_t va, size_t size)
{
    ASSERT(IS_ALIGNED(va, PAGE_SIZE) && IS_ALIGNED(size, PAGE_SIZE));
    ASSERT(size == 0 || va + size - 1 >= va);
    bool canonical = is_canonical(va) && is_canonical(va + size - (size != 0));
    ASSERT(canonical);
}

/* Allocates a table page, zeroed, on the table's account; 0 when there is none. */
static paddr_t alloc_table_page(struct account *account)
{
    if (!account_charge(account, PAGE_SIZE)) {
        return 0;
    }
    struct page *page = page_alloc_zeroed(0);
    if (page == NULL) {
        account_release(account, PAGE_SIZE);
        return 0;
    }
    return page_to_phys(page);
}

static void free_table_page(struct account *account, paddr_t address)
{
    page_free(phys_to_page(address), 0);
    account_release(account, PAGE_SIZE);
}

bool page_table_init(struct page_table *table, const struct page_table *kernel,
                     struct account *account)
{
    table->account = account;
    table->root = alloc_table_page(account);
    if (table->root == 0) {
        return false;
    }
    if (kernel != NULL) {
        memcpy(root_of(table) + ROOT_LOWER_END, root_of(kernel) + ROOT_LOWER_END,
               (ENTRY_COUNT - ROOT_LOWER_END) * sizeof(pte_t));
    }
    return true;
}

/*
 * Frees the tables that the first `count` entries, of this level, point to, and those below. The
 * tables of level 0 have leaves alone.
 */
static void free_tables(struct page_table *table, const pte_t *entries, size_t count,
                        unsigned level)
{
    for (size_t i = 0; i < count; i++) {
        if (!pte_is_valid(entries[i]) || pte_is_leaf(entries[i])) {
            continue;
        }
        if (level > 1) {
            free_tables(table, pte_table(entries[i]), ENTRY_COUNT, level - 1);
        }
        free_table_page(table->account, pte_address(entries[i]));
    }
}

void page_table_destroy(struct page_table *table)
{
    free_tables(table, root_of(table), ROOT_LOWER_END, LEVEL_ROOT);
    free_table_page(table->account, table->root);
    table->root = 0;
}

/* Returns the table below the entry, made if there is none; NULL when memory is out. */
static pte_t *table_below(struct page_table *table, pte_t *entry)
{
    if (!pte_is_valid(*entry)) {
        paddr_t page = alloc_table_page(table->account);
        if (page == 0) {
            return NULL;
        }
        set_pte(entry, make_pte(page, PTE_V));
    }
    ASSERT(!pte_is_leaf(*entry));
    return pte_table(*entry);
}

/* Maps on within the table of 4 KiB pages that the entry for va is in. Returns how much. */
static size_t map_pages(pte_t *entry, vaddr_t va, paddr_t pa, size_t size, pte_t bits)
{
    size_t part = entry_part(va, size, 1);
    for (size_t done = 0; done < part; done += PAGE_SIZE) {
        ASSERT(!pte_is_valid(*entry));
        set_pte(entry++, make_pte(pa + done, bits));
    }
    return part;
}

/* Maps the start of the range: a leaf, or what one table of 4 KiB pages takes. Returns how much; 0:
 * out of memory. */
static size_t map_some(struct page_table *table, vaddr_t va, paddr_t pa, size_t size, pte_t bits)
{
    pte_t *entries = root_of(table);
    for (unsigned level = LEVEL_ROOT; level > 0; level--) {
        pte_t *entry = &entries[level_index(va, level)];
        if (IS_ALIGNED(va | pa, level_size(level)) && size >= level_size(level) &&
            !pte_is_valid(*entry)) {
            set_pte(entry, make_pte(pa, bits));
            return level_size(level);
        }
        entries = table_below(table, entry);
        if (entries == NULL) {
            return 0;
        }
    }
    return map_pages(&entries[level_index(va, 0)], va, pa, size, bits);
}

bool page_table_map(struct page_table *table, vaddr_t va, paddr_t pa, size_t size,
                    unsigned permissions)
{
    assert_range(va, size);
    ASSERT(IS_ALIGNED(pa, PAGE_SIZE));
    pte_t bits = leaf_bits(permissions);
    for (size_t done = 0; done < size;) {
        size_t part = map_some(table, va + done, pa + done, size - done, bits);
        if (part == 0) {
            page_table_unmap(table, va, done, NULL, NULL); /* whole leaves: cannot fail */
            return false;
        }
        done += part;
    }
    return true;
}

/* Finds the entry that ends the walk to va: a leaf or an invalid one. */
static pte_t *walk(const struct page_table *table, vaddr_t va, unsigned *level)
{
    *level = LEVEL_ROOT;
    pte_t *entry = &root_of(table)[level_index(va, *level)];
    while (*level > 0 && pte_is_valid(*entry) && !pte_is_leaf(*entry)) {
        (*level)--;
        entry = &pte_table(*entry)[level_index(va, *level)];
    }
    return entry;
}

/* Replaces a leaf by a table of smaller leaves with the same meaning. False: out of memory. */
static bool split_leaf(struct page_table *table, pte_t *entry, unsigned level)
{
    paddr_t page = alloc_table_page(table->account);
    if (page == 0) {
        return false;
    }
    pte_t *entries = phys_to_virt(page);
    for (size_t i = 0; i < ENTRY_COUNT; i++) {
        entries[i] =
            make_pte(pte_address(*entry) + i * level_size(level - 1), *entry & ~PTE_PPN_MASK);
    }
    set_pte(entry, make_pte(page, PTE_V));
    return true;
}

/* Makes va a boundary between leaves; *level is then that of the entry for it. False: out of
 * memory. */
static bool split_at(struct page_table *table, vaddr_t va, unsigned *level)
{
    for (;;) {
        pte_t *entry = walk(table, va, level);
        if (!pte_is_valid(*entry) || IS_ALIGNED(va, level_size(*level))) {
            return true;
        }
        if (!split_leaf(table, entry, *level)) {
            return false;
        }
    }
}

/* va + size may be the end of the address space, 0, which is a boundary anyway. */
static bool split_ends(struct page_table *table, vaddr_t va, size_t size)
{
    unsigned level;
    return split_at(table, va, &level) && split_at(table, va + size, &level);
}

bool page_table_split(struct page_table *table, vaddr_t va)
{
    ASSERT(IS_ALIGNED(va, PAGE_SIZE) && is_canonical(va));
    unsigned level;
    return split_at(table, va, &level);
}

/* What to do with each leaf of a range. */
struct leaf_visitor {
    void (*visit)(const struct leaf_visitor *visitor, pte_t *entry, unsigned level);
    pte_t bits;
    void (*release)(paddr_t pa, size_t size, void *context);
    void *context;
};

/* Visits the leaves among `count` entries of a table. */
static void visit_entries(const struct leaf_visitor *visitor, pte_t *entries, size_t count,
                          unsigned level)
{
    for (size_t i = 0; i < count; i++) {
        if (pte_is_valid(entries[i])) {
            visitor->visit(visitor, &entries[i], level);
        }
    }
}

/* Visits the leaves in [va, va + size), a range that cuts through none. */
static void visit_leaves(const struct leaf_visitor *visitor, const struct page_table *table,
                         vaddr_t va, size_t size)
{
    while (size > 0) {
        unsigned level;
        pte_t *entry = walk(table, va, &level);
        size_t part = entry_part(va, size, level > 0 ? level : 1);
        visit_entries(visitor, entry, level > 0 ? 1 : part / PAGE_SIZE, level);
        va += part;
        size -= part;
    }
}

/* The same for any range: larger leaves that it cuts through are split first. False: out of memory;
 * nothing was visited. */
static bool split_and_visit(const struct leaf_visitor *visitor, struct page_table *table,
                            vaddr_t va, size_t size)
{
    if (size == 0) {
        return true;
    }
    unsigned level;
    pte_t *entry = walk(table, va, &level);
    if (level == 0 && entry_part(va, size, 1) == size) {
        visit_entries(visitor, entry, size / PAGE_SIZE, level); /* all in one table: the rule */
        return true;
    }
    if (!split_ends(table, va, size)) {
        return false;
    }
    visit_leaves(visitor, table, va, size);
    return true;
}

static void unmap_leaf(const struct leaf_visitor *visitor, pte_t *entry, unsigned level)
{
    paddr_t address = pte_address(*entry);
    set_pte(entry, 0);
    if (visitor->release != NULL) {
        visitor->release(address, level_size(level), visitor->context);
    }
}

bool page_table_unmap(struct page_table *table, vaddr_t va, size_t size,
                      void (*release)(paddr_t pa, size_t size, void *context), void *context)
{
    assert_range(va, size);
    struct leaf_visitor visitor = { .visit = unmap_leaf, .release = release, .context = context };
    if (size == PAGE_SIZE) {
        unsigned level;
        pte_t *entry = walk(table, va, &level);
        if (level == 0) { /* one page, mapped as such: the rule for one page */
            visit_entries(&visitor, entry, 1, level);
            return true;
        }
    }
    return split_and_visit(&visitor, table, va, size);
}

static void protect_leaf(const struct leaf_visitor *visitor, pte_t *entry, unsigned level)
{
    (void)level;
    set_pte(entry, (*entry & PTE_PPN_MASK) | visitor->bits);
}

bool page_table_protect(struct page_table *table, vaddr_t va, size_t size, unsigned permissions)
{
    assert_range(va, size);
    struct leaf_visitor visitor = { .visit = protect_leaf, .bits = leaf_bits(permissions) };
    return split_and_visit(&visitor, table, va, size);
}

bool page_table_locate(const struct page_table *table, vaddr_t va, struct page_place *place)
{
    place->entry = walk(table, va, &place->level);
    return pte_is_valid(*place->entry);
}

bool page_table_fill(struct page_table *table, const struct page_place *place, vaddr_t va,
                     paddr_t pa, unsigned permissions)
{
    if (unlikely(place->level > 0)) {
        return page_table_map(table, va, pa, PAGE_SIZE, permissions);
    }
    ASSERT(!pte_is_valid(*place->entry));
    set_pte(place->entry, make_pte(pa, leaf_bits(permissions)));
    return true;
}

bool page_table_query(const struct page_table *table, vaddr_t va, paddr_t *pa,
                      unsigned *permissions)
{
    unsigned level;
    pte_t pte = *walk(table, va, &level);
    if (!pte_is_valid(pte)) {
        return false;
    }
    *pa = pte_address(pte) + va % level_size(level);
    *permissions = leaf_permissions(pte);
    return true;
}

bool page_table_prepare_roots(struct page_table *table, vaddr_t va, size_t size)
{
    assert_range(va, size);
    while (size > 0) {
        if (table_below(table, &root_of(table)[level_index(va, LEVEL_ROOT)]) == NULL) {
            return false;
        }
        size_t part = entry_part(va, size, LEVEL_ROOT);
        va += part;
        size -= part;
    }
    return true;
}

void page_table_copy_roots(struct page_table *table, const struct page_table *from, vaddr_t va,
                           size_t size)
{
    assert_range(va, size);
    while (size > 0) {
        size_t index = level_index(va, LEVEL_ROOT);
        set_pte(&root_of(table)[index], root_of(from)[index]);
        size_t part = entry_part(va, size, LEVEL_ROOT);
        va += part;
        size -= part;
    }
}

void page_table_detach(struct page_table *table, vaddr_t va, size_t size, struct list *pages)
{
    assert_range(va, size);
    while (size > 0) {
        size_t part = entry_part(va, size, 1);
        pte_t root = root_of(table)[level_index(va, LEVEL_ROOT)];
        if (!pte_is_valid(root) || pte_is_leaf(root)) {
            part = entry_part(va, size, LEVEL_ROOT);
        } else {
            pte_t *entry = &pte_table(root)[level_index(va, 1)];
            if (part == level_size(1) && pte_is_valid(*entry)) {
                ASSERT(!pte_is_leaf(*entry));
                list_push_back(pages, &phys_to_page(pte_address(*entry))->link);
                set_pte(entry, 0);
            }
        }
        va += part;
        size -= part;
    }
}

void page_table_free_detached(struct page_table *table, struct list *pages)
{
    for (struct list *node = list_pop_front(pages); node != NULL; node = list_pop_front(pages)) {
        free_table_page(table->account, page_to_phys(LIST_ENTRY(node, struct page, link)));
    }
}
