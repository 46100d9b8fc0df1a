/* The device tree as init needs it: see devicetree.h. Relies on libfdt, which never reads outside
 * of the tree once its header has been checked. */
#include "devicetree.h"

#include <libfdt.h>
#include <string.h>

#define CELL             ((size_t)4)
#define CELLS_MAX        2u  /* of an address or a size that fits into 64 bits */
#define PHYSICAL_BITS    56u /* of an address (Privileged Architecture, 12.4.1) */
#define ADDRESS_CELLS    2u  /* where a node says nothing (Devicetree Specification, 2.3.5) */
#define SIZE_CELLS       1u
#define PLIC_CELLS       1u /* of an interrupt of the PLIC: its source */
#define COMPATIBLE_PLIC  "riscv,plic0"
#define COMPATIBLE_PLIC1 "sifive,plic-1.0.0"

ftl_status_t devicetree_open(struct devicetree *tree, const void *fdt, size_t size)
{
    if (size < sizeof(struct fdt_header) || fdt_check_header(fdt) != 0 ||
        fdt_totalsize(fdt) > size || fdt_off_dt_struct(fdt) % CELL != 0) {
        return FTL_ERR_BAD_FORMAT;
    }
    memset(tree, 0, sizeof(*tree));
    tree->fdt = fdt;
    tree->offset = -1;
    tree->depth = -1;
    return FTL_OK;
}

/* ---- Cells ---- */

static uint64_t take_cells(const unsigned char **at, uint32_t cells)
{
    uint64_t value = 0;
    for (size_t i = 0; i < cells * CELL; i++) {
        value = value << 8 | *(*at)++;
    }
    return value;
}

static bool cell_of(const void *fdt, int offset, const char *name, uint32_t *value)
{
    int size;
    const unsigned char *property = fdt_getprop(fdt, offset, name, &size);
    if (property == NULL || (size_t)size != CELL) {
        return false;
    }
    *value = (uint32_t)take_cells(&property, 1);
    return true;
}

bool devicetree_cell(const void *fdt, const struct devicetree_node *node, const char *name,
                     uint32_t *value)
{
    return cell_of(fdt, node->offset, name, value);
}

/* ---- Going down ---- */

/* Whether a property that is there is this string. */
static bool is_string(const char *value, int size, const char *string)
{
    return (size_t)size == strlen(string) + 1 && memcmp(value, string, (size_t)size) == 0;
}

static bool is_enabled(const void *fdt, int offset)
{
    int size;
    const char *status = fdt_getprop(fdt, offset, "status", &size);
    return status == NULL || is_string(status, size, "okay") || is_string(status, size, "ok");
}

/* Appends the node's name to its parent's path, as far as there is room. */
static void set_path(struct devicetree *tree, struct devicetree_level *level, size_t parent_size)
{
    int length;
    const char *name = fdt_get_name(tree->fdt, tree->offset, &length);
    level->path_size = parent_size;
    if (tree->depth == 0 || name == NULL || parent_size + 1 >= sizeof(tree->path)) {
        return;
    }
    size_t room = sizeof(tree->path) - parent_size - 2; /* the slash, the NUL */
    size_t size = (size_t)length < room ? (size_t)length : room;
    tree->path[parent_size] = '/';
    memcpy(tree->path + parent_size + 1, name, size);
    level->path_size = parent_size + 1 + size;
    tree->path[level->path_size] = '\0';
}

/* Makes the current node one on the way. */
static void enter(struct devicetree *tree)
{
    struct devicetree_level *level = &tree->levels[tree->depth];
    const struct devicetree_level *parent = tree->depth > 0 ? level - 1 : NULL;
    *level = (struct devicetree_level){
        .address_cells = ADDRESS_CELLS,
        .size_cells = SIZE_CELLS,
        .interrupt_parent = parent != NULL ? parent->interrupt_parent : 0,
        .enabled = (parent == NULL || parent->enabled) && is_enabled(tree->fdt, tree->offset),
    };
    cell_of(tree->fdt, tree->offset, "#address-cells", &level->address_cells);
    cell_of(tree->fdt, tree->offset, "#size-cells", &level->size_cells);
    cell_of(tree->fdt, tree->offset, "interrupt-parent", &level->interrupt_parent);
    level->ranges = fdt_getprop(tree->fdt, tree->offset, "ranges", &level->ranges_size);
    set_path(tree, level, parent != NULL ? parent->path_size : 0);
}

/* ---- Registers ---- */

static bool are_numbers(uint32_t address_cells, uint32_t size_cells)
{
    return address_cells != 0 && address_cells <= CELLS_MAX && size_cells != 0 &&
           size_cells <= CELLS_MAX;
}

/*
 * Translates an address of the bus's children to one of the bus's own parent. False: it has none.
 */
static bool translate_once(const struct devicetree_level *bus, uint32_t parent_cells,
                           uint64_t *address, uint64_t size)
{
    if (bus->ranges == NULL || parent_cells == 0 || parent_cells > CELLS_MAX ||
        !are_numbers(bus->address_cells, bus->size_cells)) {
        return false;
    }
    size_t entry = (bus->address_cells + parent_cells + bus->size_cells) * CELL;
    const unsigned char *at = bus->ranges;
    for (size_t left = (size_t)bus->ranges_size; left >= entry; left -= entry) {
        uint64_t child = take_cells(&at, bus->address_cells);
        uint64_t parent = take_cells(&at, parent_cells);
        uint64_t length = take_cells(&at, bus->size_cells);
        if (*address >= child && *address - child < length && size <= length - (*address - child)) {
            *address = parent + (*address - child);
            return true;
        }
    }
    return bus->ranges_size == 0; /* the addresses are the same */
}

/* The first entry of the current node's `reg`, as the CPU sees it. */
static void find_registers(const struct devicetree *tree, struct devicetree_node *node)
{
    const struct devicetree_level *bus = &tree->levels[tree->depth - 1];
    int length;
    const unsigned char *reg = fdt_getprop(tree->fdt, tree->offset, "reg", &length);
    if (reg == NULL || !are_numbers(bus->address_cells, bus->size_cells) ||
        (size_t)length < (bus->address_cells + bus->size_cells) * CELL) {
        return;
    }
    uint64_t address = take_cells(&reg, bus->address_cells);
    uint64_t size = take_cells(&reg, bus->size_cells);
    for (int depth = tree->depth - 1; depth > 0; depth--) {
        if (!translate_once(&tree->levels[depth], tree->levels[depth - 1].address_cells, &address,
                            size)) {
            return;
        }
    }
    if (size <= (uint64_t)1 << PHYSICAL_BITS && address <= ((uint64_t)1 << PHYSICAL_BITS) - size) {
        node->base = address;
        node->size = size;
    }
}

/* ---- Interrupts ---- */

/* Whether the phandle names the interrupt controller whose sources interrupt objects are for. */
static bool is_plic(struct devicetree *tree, uint32_t phandle)
{
    uint32_t cells = 0;
    if (phandle == 0 || phandle == tree->plic) {
        return phandle != 0;
    }
    int offset = fdt_node_offset_by_phandle(tree->fdt, phandle);
    if (offset < 0 || (fdt_node_check_compatible(tree->fdt, offset, COMPATIBLE_PLIC) != 0 &&
                       fdt_node_check_compatible(tree->fdt, offset, COMPATIBLE_PLIC1) != 0)) {
        return false;
    }
    if (!cell_of(tree->fdt, offset, "#interrupt-cells", &cells) || cells != PLIC_CELLS) {
        return false;
    }
    tree->plic = phandle;
    return true;
}

static void find_interrupt(struct devicetree *tree, struct devicetree_node *node)
{
    int length;
    uint32_t parent = tree->levels[tree->depth].interrupt_parent;
    const unsigned char *property =
        fdt_getprop(tree->fdt, tree->offset, "interrupts-extended", &length);
    if (property != NULL && (size_t)length >= 2 * CELL) {
        parent = (uint32_t)take_cells(&property, 1);
    } else {
        property = fdt_getprop(tree->fdt, tree->offset, "interrupts", &length);
        if (property == NULL || (size_t)length < CELL) {
            return;
        }
    }
    if (is_plic(tree, parent)) {
        node->interrupt = (uint32_t)take_cells(&property, 1);
    }
}

/* ---- The walk ---- */

static bool describe(struct devicetree *tree, struct devicetree_node *node)
{
    int size;
    const char *compatible = fdt_getprop(tree->fdt, tree->offset, "compatible", &size);
    if (tree->depth == 0 || !tree->levels[tree->depth].enabled || compatible == NULL || size == 0 ||
        compatible[size - 1] != '\0') {
        return false;
    }
    memset(node, 0, sizeof(*node));
    strcpy(node->path, tree->path);
    node->compatible = compatible;
    node->compatible_size = (size_t)size;
    node->offset = tree->offset;
    find_registers(tree, node);
    if (node->size != 0) {
        find_interrupt(tree, node);
    }
    return true;
}

bool devicetree_next(struct devicetree *tree, struct devicetree_node *node)
{
    for (;;) {
        tree->offset = fdt_next_node(tree->fdt, tree->offset, &tree->depth);
        if (tree->offset < 0 || tree->depth < 0) {
            return false;
        }
        if (tree->depth >= DEVICETREE_DEPTH_MAX) {
            continue;
        }
        enter(tree);
        if (describe(tree, node)) {
            return true;
        }
    }
}

bool devicetree_is_compatible(const struct devicetree_node *node, const char *name, size_t *rank)
{
    const char *end = node->compatible + node->compatible_size;
    *rank = 0;
    for (const char *at = node->compatible; at < end; at += strlen(at) + 1) {
        if (strcmp(at, name) == 0) {
            return true;
        }
        (*rank)++;
    }
    return false;
}
