/*
 * The radix tree: see page_tree.h. A slot is NULL or, by the height that it is at: a node; at
 * height 0 a struct page; at LARGE_HEIGHT it may be a large page instead, which is told by its
 * lowest bit. A tree of one page is that page alone.
 */
#include "mm/page_tree.h"

#include "kernel/assert.h"
#include "kernel/string.h"
#include "mm/page.h"
#include "mm/slab.h"

#define NODE_ENTRIES 64
#define LARGE_HEIGHT 2
#define LARGE_FLAG   1UL
#define LARGE_SHARE  2 /* large pages are made up to this part of an account's limit */

/* A slot at height n is for 2^span_bits[n] pages. */
static const uint8_t span_bits[] = { 0, 6, LARGE_PAGE_ORDER, 15, 21, PAGE_TREE_BITS };

struct node {
    uint64_t used; /* bit n: entries[n] may be other than NULL */
    void *entries[NODE_ENTRIES];
};

static struct slab_cache node_cache;

void page_tree_boot(void)
{
    slab_cache_init(&node_cache, "vmo-node", sizeof(struct node), _Alignof(struct node));
}

void page_tree_init(struct page_tree *tree, struct account *account)
{
    *tree = (struct page_tree){ .account = account };
}

static bool is_large(const void *slot)
{
    return ((uintptr_t)slot & LARGE_FLAG) != 0;
}

static struct page *large_page(const void *slot)
{
    return (struct page *)((uintptr_t)slot & ~LARGE_FLAG);
}

static paddr_t address_in_large(const void *slot, uint64_t number)
{
    uint64_t index = number % ((uint64_t)1 << LARGE_PAGE_ORDER);
    return page_to_phys(large_page(slot)) + (index << PAGE_SHIFT);
}

/* The part of a number that chooses an entry of a node at this height. */
static size_t entry_index(uint64_t number, unsigned height)
{
    size_t entries = (size_t)1 << (span_bits[height] - span_bits[height - 1]);
    return (number >> span_bits[height - 1]) & (entries - 1);
}

static struct node *new_node(struct account *account, ftl_status_t *status)
{
    if (!account_charge(account, sizeof(struct node))) {
        *status = FTL_ERR_LIMIT;
        return NULL;
    }
    struct node *node = slab_alloc(&node_cache);
    if (node == NULL) {
        account_release(account, sizeof(*node));
        *status = FTL_ERR_NO_MEMORY;
    }
    return node;
}

/* A zeroed block of pages charged to the account. */
static struct page *new_pages(struct account *account, unsigned order, ftl_status_t *status)
{
    if (!account_charge(account, PAGE_SIZE << order)) {
        *status = FTL_ERR_LIMIT;
        return NULL;
    }
    struct page *page = page_alloc_zeroed(order);
    if (page == NULL) {
        account_release(account, PAGE_SIZE << order);
        *status = FTL_ERR_NO_MEMORY;
    }
    return page;
}

static void free_pages(struct account *account, struct page *page, unsigned order)
{
    page_free(page, order);
    account_release(account, PAGE_SIZE << order);
}

ftl_status_t page_tree_grow(struct page_tree *tree, uint64_t count)
{
    ASSERT(count <= PAGE_TREE_PAGES_MAX);
    for (; count > (uint64_t)1 << span_bits[tree->height]; tree->height++) {
        if (tree->root == NULL) {
            continue;
        }
        ftl_status_t status;
        struct node *node = new_node(tree->account, &status);
        if (node == NULL) {
            return status;
        }
        node->used = 1;
        node->entries[0] = tree->root;
        tree->root = node;
    }
    return FTL_OK;
}

paddr_t page_tree_find(const struct page_tree *tree, uint64_t number)
{
    const void *slot = tree->root;
    for (unsigned height = tree->height; slot != NULL && height > 0; height--) {
        if (is_large(slot)) {
            return address_in_large(slot, number);
        }
        slot = ((const struct node *)slot)->entries[entry_index(number, height)];
    }
    return slot == NULL ? 0 : page_to_phys(slot);
}

/*
 * The slot for a number at height `low`, with the nodes above it made; or the slot of the large
 * page that holds it. NULL: a node could not be made.
 */
static void **make_slot(struct page_tree *tree, uint64_t number, unsigned low, ftl_status_t *status)
{
    void **slot = &tree->root;
    for (unsigned height = tree->height; height > low && !is_large(*slot); height--) {
        if (*slot == NULL) {
            *slot = new_node(tree->account, status);
            if (*slot == NULL) {
                return NULL;
            }
        }
        struct node *node = *slot;
        size_t index = entry_index(number, height);
        node->used |= (uint64_t)1 << index;
        slot = &node->entries[index];
    }
    return slot;
}

paddr_t page_tree_get(struct page_tree *tree, uint64_t number, ftl_status_t *status)
{
    void **slot = tree->height == 0 ? &tree->root : make_slot(tree, number, 0, status);
    if (slot == NULL) {
        return 0;
    }
    if (is_large(*slot)) {
        return address_in_large(*slot, number);
    }
    if (*slot == NULL) {
        *slot = new_pages(tree->account, 0, status);
    }
    return *slot == NULL ? 0 : page_to_phys(*slot);
}

static bool can_afford_large(const struct account *account)
{
    return account == NULL || __atomic_load_n(&account->used, __ATOMIC_RELAXED) + LARGE_PAGE_SIZE <=
                                  account->limit / LARGE_SHARE;
}

paddr_t page_tree_get_large(struct page_tree *tree, uint64_t number)
{
    ftl_status_t status;
    if (tree->height < LARGE_HEIGHT) {
        return 0;
    }
    void **slot = make_slot(tree, number, LARGE_HEIGHT, &status);
    if (slot == NULL) {
        return 0;
    }
    if (*slot == NULL && can_afford_large(tree->account)) {
        struct page *page = new_pages(tree->account, LARGE_PAGE_ORDER, &status);
        *slot = page == NULL ? NULL : (void *)((uintptr_t)page | LARGE_FLAG);
    }
    return is_large(*slot) ? address_in_large(*slot, number) : 0;
}

/* Frees a large page, or zeroes its rest from the page `first` on. */
static void free_large(struct page_tree *tree, void **slot, uint64_t first)
{
    struct page *page = large_page(*slot);
    if (first != 0) {
        size_t kept = first << PAGE_SHIFT;
        memset((char *)page_to_virt(page) + kept, 0, LARGE_PAGE_SIZE - kept);
        return;
    }
    free_pages(tree->account, page, LARGE_PAGE_ORDER);
    *slot = NULL;
}

/* Frees what a slot that is not NULL holds, from its page `first` on. */
static void free_slot(struct page_tree *tree, void **slot, unsigned height, uint64_t first)
{
    if (is_large(*slot)) {
        free_large(tree, slot, first);
        return;
    }
    if (height == 0) {
        free_pages(tree->account, *slot, 0);
        *slot = NULL;
        return;
    }
    struct node *node = *slot;
    size_t first_index = entry_index(first, height);
    uint64_t used = node->used & (~(uint64_t)0 << first_index);
    for (; used != 0; used &= used - 1) {
        size_t index = (size_t)__builtin_ctzl(used);
        uint64_t below = ((uint64_t)1 << span_bits[height - 1]) - 1;
        if (node->entries[index] != NULL) {
            free_slot(tree, &node->entries[index], height - 1,
                      index == first_index ? first & below : 0);
        }
    }
    if (first == 0) {
        slab_free(&node_cache, node);
        account_release(tree->account, sizeof(*node));
        *slot = NULL;
    }
}

void page_tree_free_from(struct page_tree *tree, uint64_t number)
{
    if (tree->root == NULL) {
        return;
    }
    if (tree->height == 0 && number == 0) {
        free_pages(tree->account, tree->root, 0);
        tree->root = NULL;
    } else if (number >> span_bits[tree->height] == 0) {
        free_slot(tree, &tree->root, tree->height, number);
    }
}
