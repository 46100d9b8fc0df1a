/*
 * The pages of a VMO by number: a radix tree. In the place of 512 aligned pages it can have one
 * large page. What is in it, nodes too, is charged to an account. Callers serialize.
 */
#ifndef MM_PAGE_TREE_H
#define MM_PAGE_TREE_H

#include <ftl/status.h>

#include "mm/account.h"

#define PAGE_TREE_BITS      26 /* of a page's number */
#define PAGE_TREE_PAGES_MAX ((uint64_t)1 << PAGE_TREE_BITS)
#define LARGE_PAGE_ORDER    9
#define LARGE_PAGE_SIZE     (PAGE_SIZE << LARGE_PAGE_ORDER)

struct page_tree {
    void *root;              /* a slot, see page_tree.c */
    unsigned height;         /* levels of nodes */
    struct account *account; /* the owner's reference */
};

/* Boot: sets up the cache of nodes. */
void page_tree_boot(void);

/* An empty tree for no page. */
void page_tree_init(struct page_tree *tree, struct account *account);

/* Makes room for page numbers below `count`, at most PAGE_TREE_PAGES_MAX. Errors: NO_MEMORY, LIMIT;
 * never while the tree is empty. */
ftl_status_t page_tree_grow(struct page_tree *tree, uint64_t count);

/* The physical address of a page that is there; 0 when it is not. */
paddr_t page_tree_find(const struct page_tree *tree, uint64_t number);

/* The same, made and zeroed if need be. 0 with *status: NO_MEMORY, LIMIT. */
paddr_t page_tree_get(struct page_tree *tree, uint64_t number, ftl_status_t *status);

/*
 * The large page that starts at this number, made and zeroed if none of its pages is there, memory
 * has one, and the account keeps half of its limit. 0 when it is not to be.
 */
paddr_t page_tree_get_large(struct page_tree *tree, uint64_t number);

/* Frees the pages from a number on; of a large page that starts below it, the rest is zeroed. */
void page_tree_free_from(struct page_tree *tree, uint64_t number);

#endif
