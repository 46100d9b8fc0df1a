/*
 * The device tree as init needs it: which devices there are, where their registers are, and which
 * interrupt is theirs. The tree is the firmware's, as the kernel got it; nothing in it is believed
 * unchecked, and what makes no sense gives a device without registers or without an interrupt.
 */
#ifndef INIT_DEVICETREE_H
#define INIT_DEVICETREE_H

#include <ftl/status.h>
#include <ftl/types.h>

#define DEVICETREE_PATH_MAX  128
#define DEVICETREE_DEPTH_MAX 16

/* A node that may be a device: enabled, and with `compatible`. */
struct devicetree_node {
    char path[DEVICETREE_PATH_MAX]; /* cut off when it is longer */
    const char *compatible;         /* strings one behind the other, best first; in the tree */
    size_t compatible_size;
    uint64_t base;      /* physical address of its registers: the first entry of `reg` */
    uint64_t size;      /* 0: none that the CPU can reach */
    uint32_t interrupt; /* source of the PLIC; 0: none */
    int offset;         /* libfdt's, for properties */
};

/* On the way to the current node: what is so for the children of a node. */
struct devicetree_level {
    uint32_t address_cells;
    uint32_t size_cells;
    uint32_t interrupt_parent; /* phandle */
    const void *ranges;        /* from the children's addresses to its own; NULL: none */
    int ranges_size;
    bool enabled;
    size_t path_size;
};

/* A walk over the tree. Members are its own. */
struct devicetree {
    const void *fdt;
    int offset;
    int depth;
    struct devicetree_level levels[DEVICETREE_DEPTH_MAX];
    char path[DEVICETREE_PATH_MAX];
    uint32_t plic; /* phandle that was found to be the PLIC's; 0: none yet */
};

/* Begins a walk over the tree of `size` bytes (8-byte aligned). BAD_FORMAT: it is none. */
ftl_status_t devicetree_open(struct devicetree *tree, const void *fdt, size_t size);

/* Goes on to the next device. False: there are no more. */
bool devicetree_next(struct devicetree *tree, struct devicetree_node *node);

/* Whether the node is compatible; *rank says by which of its strings, 0 being the best. */
bool devicetree_is_compatible(const struct devicetree_node *node, const char *name, size_t *rank);

/* A property of one cell. False: there is none. */
bool devicetree_cell(const void *fdt, const struct devicetree_node *node, const char *name,
                     uint32_t *value);

#endif
