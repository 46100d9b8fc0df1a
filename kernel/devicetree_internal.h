/*
 * Between devicetree.c, which walks the tree and decodes properties, and devicetree_nodes.c, which
 * knows what the nodes mean. One pass over the tree: nodes on the way down to the current one are
 * on a stack, the current one's properties in a table; what can only be judged once all nodes are
 * known is kept for devicetree_finish.
 */
#ifndef KERNEL_DEVICETREE_INTERNAL_H
#define KERNEL_DEVICETREE_INTERNAL_H

#include "kernel/devicetree.h"

#define DT_MAX_DEPTH 16         /* real trees have up to 8 levels */
#define DT_MAX_SIZE  0x1000000u /* 16 MiB; real trees are below 1 MiB */
#define DT_MAX_UARTS 16
#define DT_NO_CELLS  0xffu /* #address-cells or #size-cells is malformed */

/* Properties that matter; X(identifier, name). */
#define DT_PROPERTIES(X)                                                                           \
    X(ADDRESS_CELLS, "#address-cells")                                                             \
    X(SIZE_CELLS, "#size-cells")                                                                   \
    X(RANGES, "ranges")                                                                            \
    X(REG, "reg")                                                                                  \
    X(COMPATIBLE, "compatible")                                                                    \
    X(STATUS, "status")                                                                            \
    X(DEVICE_TYPE, "device_type")                                                                  \
    X(PHANDLE, "phandle")                                                                          \
    X(INTERRUPT_PARENT, "interrupt-parent")                                                        \
    X(INTERRUPT_CELLS, "#interrupt-cells")                                                         \
    X(INTERRUPTS, "interrupts")                                                                    \
    X(INTERRUPTS_EXTENDED, "interrupts-extended")                                                  \
    X(BOOTARGS, "bootargs")                                                                        \
    X(STDOUT_PATH, "stdout-path")                                                                  \
    X(INITRD_START, "linux,initrd-start")                                                          \
    X(INITRD_END, "linux,initrd-end")                                                              \
    X(NO_MAP, "no-map")                                                                            \
    X(TIMEBASE_FREQUENCY, "timebase-frequency")                                                    \
    X(MMU_TYPE, "mmu-type")                                                                        \
    X(ISA, "riscv,isa")                                                                            \
    X(ISA_BASE, "riscv,isa-base")                                                                  \
    X(ISA_EXTENSIONS, "riscv,isa-extensions")                                                      \
    X(NDEV, "riscv,ndev")                                                                          \
    X(REG_SHIFT, "reg-shift")                                                                      \
    X(REG_IO_WIDTH, "reg-io-width")                                                                \
    X(REG_OFFSET, "reg-offset")                                                                    \
    X(CLOCK_FREQUENCY, "clock-frequency")                                                          \
    X(CURRENT_SPEED, "current-speed")

enum dt_property_id {
#define DT_PROPERTY_ID(identifier, name) DT_##identifier,
    DT_PROPERTIES(DT_PROPERTY_ID)
#undef DT_PROPERTY_ID
        DT_PROPERTY_COUNT,
};

/* A property's value, inside the tree; data is NULL when the node has no such property. */
struct dt_value {
    const char *data;
    uint32_t size;
};

enum dt_role {
    DT_ROLE_OTHER = 0, /* a device or a bus */
    DT_ROLE_ROOT,
    DT_ROLE_ALIASES,
    DT_ROLE_CHOSEN,
    DT_ROLE_MEMORY,
    DT_ROLE_CPUS,
    DT_ROLE_CPU,
    DT_ROLE_CPU_INTC,
    DT_ROLE_RESERVED_MEMORY,
    DT_ROLE_RESERVATION,
    DT_ROLE_COUNT,
};

/* A node on the way from the root to the current one. */
struct dt_node {
    const char *name; /* with its unit address; inside the tree */
    int offset;       /* libfdt's */
    enum dt_role role;
    bool enabled;              /* its status and those of its ancestors are "okay" */
    uint32_t address_cells;    /* of its children */
    uint32_t size_cells;       /* of its children */
    struct dt_value ranges;    /* from its children's address space to its own */
    uint32_t interrupt_parent; /* phandle, its own or inherited; 0: none */
    size_t hart;               /* of a usable cpu node: its index in info->harts; else MAX_HARTS */
};

/* A device with the phandle of the controller that its irq belongs to. */
struct dt_device {
    struct boot_device device;
    uint32_t irq_parent;
};

struct dt_uart {
    struct boot_uart uart;
    uint32_t irq_parent;
    int offset; /* of its node */
};

struct dt_parser {
    const void *dtb;
    struct boot_info *info;
    struct boot_error *error;

    struct dt_node nodes[DT_MAX_DEPTH];
    size_t depth; /* nodes on the stack; the current one is the last */
    bool root_seen;
    bool collecting; /* the current node's properties are not complete yet */
    struct dt_value values[DT_PROPERTY_COUNT];

    /* Kept for devicetree_finish. */
    int aliases_offset; /* -1: none */
    struct dt_value stdout_path;
    struct dt_uart uarts[DT_MAX_UARTS];
    size_t uart_count;
    struct dt_value plic_contexts; /* its interrupts-extended */
    uint32_t plic_phandle;
    uint32_t intc_phandles[MAX_HARTS]; /* of the harts' interrupt controllers; 0: none */
    uint32_t virtio_irq_parents[BOOT_MAX_VIRTIO];
    uint32_t rtc_irq_parent;
    size_t cpu_nodes; /* usable or not */
};

/* Sets the error, "PATH: TEXT" of the current node. Returns false, for the caller to return. */
bool dt_fail(struct dt_parser *parser, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds a warning, in the same form. */
void dt_warn(struct dt_parser *parser, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct dt_node *dt_current(struct dt_parser *parser);
struct dt_node *dt_parent(struct dt_parser *parser); /* NULL for the root */

bool dt_has(const struct dt_parser *parser, enum dt_property_id id);

/* Whether the value is exactly this string. */
bool dt_value_is(struct dt_value value, const char *string);

/*
 * Takes the next string off the front of a list of NUL-terminated strings. Returns NULL at the end;
 * a last string without NUL does not count. *size is its length without NUL.
 */
const char *dt_next_string(struct dt_value *list, size_t *size);

/* Reads a property of one cell. Returns false when there is none, or, with a warning, when it has
 * another size. */
bool dt_get_u32(struct dt_parser *parser, enum dt_property_id id, uint32_t *number);

/* The same, of one or two cells. */
bool dt_get_u64(struct dt_parser *parser, enum dt_property_id id, uint64_t *number);

/* Takes `cells` big-endian cells off the front of the value, which must have them; the last two
 * count. */
uint64_t dt_take_cells(struct dt_value *value, uint32_t cells);

enum dt_reg_status {
    DT_REG_OK,
    DT_REG_END,          /* no entry left */
    DT_REG_BAD_CELLS,    /* the parent's #address-cells or #size-cells cannot describe an address */
    DT_REG_BAD_SIZE,     /* reg is not a whole number of entries */
    DT_REG_OUT_OF_RANGE, /* wraps or ends beyond BOOT_PHYSICAL_LIMIT */
    DT_REG_NOT_ADDRESSABLE, /* a bus above has no `ranges` for it */
};

/*
 * Takes the next entry off the front of a copy of the current node's `reg`, as physical addresses
 * of the CPU. After DT_REG_OUT_OF_RANGE or DT_REG_NOT_ADDRESSABLE the next entry can be taken;
 * *address and *size are undefined.
 */
enum dt_reg_status dt_next_reg(struct dt_parser *parser, struct dt_value *reg, paddr_t *address,
                               uint64_t *size);

/* The reason as text, after "reg". */
const char *dt_reg_text(enum dt_reg_status status);

/* devicetree_nodes.c: takes in the current node, all of whose properties are known. False: fatal,
 * error set. */
bool devicetree_visit(struct dt_parser *parser);

/* devicetree_nodes.c: judges what depends on the whole tree. False: fatal, error set. */
bool devicetree_finish(struct dt_parser *parser);

#endif
