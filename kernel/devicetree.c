/*
 * The walk over the flattened device tree: structure, properties, cells and addresses. See
 * devicetree.h for what it promises. Relies on libfdt for the header, the tokens and the strings.
 *
 * Why not fdt_check_full(): with libfdt before 1.7 a property of length 0xfffffff4 makes it loop
 * for ever, and it would walk the tree a second time. next_tag() has the missing check, and the
 * walk checks the rest.
 */
#include "kernel/devicetree_internal.h"
#include "kernel/log.h"

#include <libfdt.h>
#include <string.h>

#define FDT_HEADER_SIZE ((size_t)40) /* of version 17 */
#define FDT_MIN_VERSION 17u

static const char *const property_names[] = {
#define DT_PROPERTY_NAME(identifier, name) name,
    DT_PROPERTIES(DT_PROPERTY_NAME)
#undef DT_PROPERTY_NAME
};

static const uint8_t property_name_sizes[] = {
#define DT_PROPERTY_NAME_SIZE(identifier, name) sizeof(name) - 1,
    DT_PROPERTIES(DT_PROPERTY_NAME_SIZE)
#undef DT_PROPERTY_NAME_SIZE
};

/* --- Messages --- */

/* Writes the current node's path, unprintable bytes as '?', cut to the buffer. */
static void format_path(const struct dt_parser *parser, char *buffer, size_t size)
{
    size_t used = 0;
    if (parser->depth <= 1) {
        buffer[used++] = '/';
    }
    for (size_t i = 1; i < parser->depth; i++) {
        const char *name = parser->nodes[i].name;
        for (char c = '/'; c != '\0' && used + 1 < size; c = *name++) {
            buffer[used++] = c >= ' ' && c <= '~' ? c : '?';
        }
    }
    buffer[used] = '\0';
}

static void format_message(const struct dt_parser *parser, char *text, const char *format,
                           va_list args) __attribute__((format(printf, 3, 0)));

static void format_message(const struct dt_parser *parser, char *text, const char *format,
                           va_list args)
{
    char path[BOOT_TEXT_SIZE / 2];
    format_path(parser, path, sizeof(path));
    int used = format_text(text, BOOT_TEXT_SIZE, "%s: ", path);
    format_text_v(text + used, BOOT_TEXT_SIZE - (size_t)used, format, args);
}

bool dt_fail(struct dt_parser *parser, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    format_message(parser, parser->error->text, format, args);
    va_end(args);
    return false;
}

void dt_warn(struct dt_parser *parser, const char *format, ...)
{
    struct boot_info *info = parser->info;
    if (info->warning_count == BOOT_MAX_WARNINGS) {
        info->warnings_lost++;
        return;
    }
    va_list args;
    va_start(args, format);
    format_message(parser, info->warnings[info->warning_count++], format, args);
    va_end(args);
}

/* --- Properties --- */

struct dt_node *dt_current(struct dt_parser *parser)
{
    return &parser->nodes[parser->depth - 1];
}

struct dt_node *dt_parent(struct dt_parser *parser)
{
    return parser->depth >= 2 ? &parser->nodes[parser->depth - 2] : NULL;
}

bool dt_has(const struct dt_parser *parser, enum dt_property_id id)
{
    return parser->values[id].data != NULL;
}

bool dt_value_is(struct dt_value value, const char *string)
{
    size_t size = strlen(string) + 1;
    return value.data != NULL && value.size == size && memcmp(value.data, string, size) == 0;
}

const char *dt_next_string(struct dt_value *list, size_t *size)
{
    if (list->data == NULL || list->size == 0) {
        return NULL;
    }
    const char *string = list->data;
    const char *end = memchr(string, '\0', list->size);
    if (end == NULL) {
        return NULL;
    }
    *size = (size_t)(end - string);
    list->data = end + 1;
    list->size -= (uint32_t)(*size + 1);
    return string;
}

uint64_t dt_take_cells(struct dt_value *value, uint32_t cells)
{
    uint64_t number = 0;
    for (uint32_t i = 0; i < cells; i++) {
        fdt32_t cell;
        memcpy(&cell, value->data, sizeof(cell));
        number = number << 32 | fdt32_to_cpu(cell);
        value->data += sizeof(fdt32_t);
        value->size -= (uint32_t)sizeof(fdt32_t);
    }
    return number;
}

/* Reads a property of one to max_cells cells. */
static bool get_cells(struct dt_parser *parser, enum dt_property_id id, uint32_t max_cells,
                      uint64_t *number)
{
    struct dt_value value = parser->values[id];
    if (value.data == NULL) {
        return false;
    }
    uint32_t cells = value.size / (uint32_t)sizeof(fdt32_t);
    if (value.size % sizeof(fdt32_t) != 0 || cells == 0 || cells > max_cells) {
        dt_warn(parser, "%s has %u bytes, not 4%s", property_names[id], value.size,
                max_cells == 2 ? " or 8" : "");
        return false;
    }
    *number = dt_take_cells(&value, cells);
    return true;
}

bool dt_get_u32(struct dt_parser *parser, enum dt_property_id id, uint32_t *number)
{
    uint64_t wide;
    if (!get_cells(parser, id, 1, &wide)) {
        return false;
    }
    *number = (uint32_t)wide;
    return true;
}

bool dt_get_u64(struct dt_parser *parser, enum dt_property_id id, uint64_t *number)
{
    return get_cells(parser, id, 2, number);
}

/* --- Addresses --- */

static bool is_physical_range(uint64_t address, uint64_t size)
{
    return address < BOOT_PHYSICAL_LIMIT && size <= BOOT_PHYSICAL_LIMIT - address;
}

/*
 * Moves an address from the space of the bus's children to that of the bus itself, by its `ranges`
 * (Devicetree Specification, 2.3.8): absent, the children are not addressable from above; empty,
 * the spaces are one.
 */
static bool translate_up(const struct dt_node *bus, const struct dt_node *parent, uint64_t *address,
                         uint64_t size)
{
    struct dt_value ranges = bus->ranges;
    if (ranges.data == NULL) {
        return false;
    }
    if (ranges.size == 0) {
        return true;
    }
    if (bus->address_cells > 2 || parent->address_cells > 2 || bus->size_cells > 2) {
        return false;
    }
    uint32_t cells = bus->address_cells + parent->address_cells + bus->size_cells;
    while (cells != 0 && ranges.size >= cells * sizeof(fdt32_t)) {
        uint64_t child_start = dt_take_cells(&ranges, bus->address_cells);
        uint64_t parent_start = dt_take_cells(&ranges, parent->address_cells);
        uint64_t length = dt_take_cells(&ranges, bus->size_cells);
        uint64_t distance = *address - child_start;
        if (*address >= child_start && distance < length && size <= length - distance) {
            *address = parent_start + distance;
            return *address >= parent_start;
        }
    }
    return false;
}

/* From the current node's parent's space up to the CPU's, which is that of the root's children. */
static bool translate_to_cpu(const struct dt_parser *parser, uint64_t *address, uint64_t size)
{
    for (size_t i = parser->depth - 2; i > 0; i--) {
        if (!translate_up(&parser->nodes[i], &parser->nodes[i - 1], address, size)) {
            return false;
        }
    }
    return true;
}

enum dt_reg_status dt_next_reg(struct dt_parser *parser, struct dt_value *reg, paddr_t *address,
                               uint64_t *size)
{
    const struct dt_node *parent = dt_parent(parser);
    uint32_t address_cells = parent->address_cells;
    uint32_t size_cells = parent->size_cells;
    if (address_cells == 0 || address_cells > 2 || size_cells == 0 || size_cells > 2) {
        return DT_REG_BAD_CELLS;
    }
    if (reg->data == NULL || reg->size == 0) {
        return DT_REG_END;
    }
    if (reg->size % ((address_cells + size_cells) * sizeof(fdt32_t)) != 0) {
        return DT_REG_BAD_SIZE;
    }
    *address = dt_take_cells(reg, address_cells);
    *size = dt_take_cells(reg, size_cells);
    if (!translate_to_cpu(parser, address, *size)) {
        return DT_REG_NOT_ADDRESSABLE;
    }
    return is_physical_range(*address, *size) ? DT_REG_OK : DT_REG_OUT_OF_RANGE;
}

const char *dt_reg_text(enum dt_reg_status status)
{
    switch (status) {
    case DT_REG_OK: return "is good";
    case DT_REG_END: return "is missing or empty";
    case DT_REG_BAD_CELLS:
        return "cannot be read: its parent has a bad #address-cells or #size-cells";
    case DT_REG_BAD_SIZE: return "is not a whole number of entries";
    case DT_REG_OUT_OF_RANGE: return "is not within the 56 bits of a physical address";
    case DT_REG_NOT_ADDRESSABLE: return "is not mapped by the `ranges` of a bus above";
    }
    return "is bad";
}

/* --- The walk --- */

/* Reads #address-cells or #size-cells; both have defaults (Devicetree Specification, 2.3.5). */
static uint32_t get_cell_count(struct dt_parser *parser, enum dt_property_id id, uint32_t otherwise)
{
    uint32_t cells;
    if (!dt_has(parser, id)) {
        return otherwise;
    }
    return dt_get_u32(parser, id, &cells) ? cells : DT_NO_CELLS;
}

static bool is_okay(struct dt_value status)
{
    return status.data == NULL || dt_value_is(status, "okay") || dt_value_is(status, "ok");
}

/* The current node's properties are complete: sets what its children inherit, and takes it in. */
static bool complete_node(struct dt_parser *parser)
{
    if (!parser->collecting) {
        return true;
    }
    parser->collecting = false;
    struct dt_node *node = dt_current(parser);
    const struct dt_node *parent = dt_parent(parser);
    node->address_cells = get_cell_count(parser, DT_ADDRESS_CELLS, 2);
    node->size_cells = get_cell_count(parser, DT_SIZE_CELLS, 1);
    node->ranges = parser->values[DT_RANGES];
    node->enabled = (parent == NULL || parent->enabled) && is_okay(parser->values[DT_STATUS]);
    if (!dt_get_u32(parser, DT_INTERRUPT_PARENT, &node->interrupt_parent)) {
        node->interrupt_parent = parent != NULL ? parent->interrupt_parent : 0;
    }
    return devicetree_visit(parser);
}

static bool begin_node(struct dt_parser *parser, int offset)
{
    if (parser->depth > 0 && !complete_node(parser)) {
        return false;
    }
    if (parser->root_seen && parser->depth == 0) {
        return dt_fail(parser, "the tree has a second root");
    }
    parser->root_seen = true;
    if (parser->depth == DT_MAX_DEPTH) {
        return dt_fail(parser, "has nodes nested more than %d deep", DT_MAX_DEPTH);
    }
    struct dt_node *node = &parser->nodes[parser->depth++];
    memset(node, 0, sizeof(*node));
    /* next_tag() saw the NUL that ends the name. */
    node->name = fdt_offset_ptr(parser->dtb, offset + (int)FDT_TAGSIZE, 1);
    node->offset = offset;
    node->hart = MAX_HARTS;
    memset(parser->values, 0, sizeof(parser->values));
    parser->collecting = true;
    return true;
}

static bool end_node(struct dt_parser *parser)
{
    if (parser->depth == 0) {
        return dt_fail(parser, "the tree has more ends of nodes than nodes");
    }
    if (!complete_node(parser)) {
        return false;
    }
    parser->depth--;
    return true;
}

static bool end_tree(struct dt_parser *parser)
{
    if (parser->depth != 0) {
        return dt_fail(parser, "the tree ends inside this node");
    }
    return parser->root_seen || dt_fail(parser, "the tree is empty");
}

/* Keeps a property of the current node when it is one that matters; of two with one name, the
 * first. */
static bool add_property(struct dt_parser *parser, int offset)
{
    const struct fdt_property *property = fdt_offset_ptr(parser->dtb, offset, sizeof(*property));
    int size;
    const char *name = fdt_get_string(parser->dtb, (int)fdt32_to_cpu(property->nameoff), &size);
    if (name == NULL) {
        return dt_fail(parser, "a property's name is outside the strings block");
    }
    if (!parser->collecting) {
        return dt_fail(parser, "a property comes after a child node or outside of any node");
    }
    for (size_t id = 0; id < DT_PROPERTY_COUNT; id++) {
        if (property_name_sizes[id] == size &&
            memcmp(property_names[id], name, (size_t)size) == 0) {
            struct dt_value *value = &parser->values[id];
            if (value->data == NULL) {
                value->data = property->data;
                value->size = fdt32_to_cpu(property->len);
            }
            break;
        }
    }
    return true;
}

/*
 * fdt_next_tag(), which checks that the token lies inside the tree, with the one check that it
 * lacks before libfdt 1.7: that a property's length does not wrap. FDT_END with *next negative: the
 * structure is broken.
 */
static uint32_t next_tag(const void *dtb, int offset, int *next)
{
    const struct fdt_property *property = fdt_offset_ptr(dtb, offset, sizeof(*property));
    if (property != NULL && fdt32_to_cpu(property->tag) == FDT_PROP &&
        fdt32_to_cpu(property->len) > fdt_size_dt_struct(dtb)) {
        *next = -FDT_ERR_TRUNCATED;
        return FDT_END;
    }
    return fdt_next_tag(dtb, offset, next);
}

static bool walk(struct dt_parser *parser)
{
    int offset = 0;
    for (;;) {
        int next;
        bool good = true;
        uint32_t tag = next_tag(parser->dtb, offset, &next);
        if (next < 0) {
            return dt_fail(parser, "the structure block is broken or cut off at byte %d", offset);
        }
        switch (tag) {
        case FDT_BEGIN_NODE: good = begin_node(parser, offset); break;
        case FDT_PROP: good = add_property(parser, offset); break;
        case FDT_END_NODE: good = end_node(parser); break;
        case FDT_END: return end_tree(parser);
        default: break; /* FDT_NOP */
        }
        if (!good) {
            return false;
        }
        offset = next;
    }
}

/* --- The header --- */

/* Checks all that libfdt's readers rely on. Reads the header alone, after checking that it is
 * there. */
static bool check_header(struct dt_parser *parser, size_t limit)
{
    const void *dtb = parser->dtb;
    if ((uintptr_t)dtb % sizeof(uint64_t) != 0) {
        return dt_fail(parser, "the device tree is not aligned to 8 bytes");
    }
    if (limit < FDT_HEADER_SIZE) {
        return dt_fail(parser, "the device tree is cut off after %zu bytes", limit);
    }
    if (fdt_magic(dtb) != FDT_MAGIC) {
        return dt_fail(parser, "there is no device tree: the magic number is %08x", fdt_magic(dtb));
    }
    if (fdt_version(dtb) < FDT_MIN_VERSION || fdt_last_comp_version(dtb) > FDT_MIN_VERSION) {
        return dt_fail(parser, "the device tree has version %u (compatible with %u), not 17",
                       fdt_version(dtb), fdt_last_comp_version(dtb));
    }
    if (fdt_totalsize(dtb) > limit) {
        return dt_fail(parser, "the device tree of %u bytes is cut off after %zu",
                       fdt_totalsize(dtb), limit);
    }
    if (fdt_totalsize(dtb) > DT_MAX_SIZE) {
        return dt_fail(parser, "the device tree has %u bytes, over the limit of %u",
                       fdt_totalsize(dtb), DT_MAX_SIZE);
    }
    if (fdt_check_header(dtb) != 0) {
        return dt_fail(parser, "the header's offsets and sizes do not fit the tree's %u bytes",
                       fdt_totalsize(dtb));
    }
    if (fdt_off_dt_struct(dtb) % sizeof(uint32_t) != 0 ||
        fdt_off_mem_rsvmap(dtb) % sizeof(uint64_t) != 0) {
        return dt_fail(parser, "the structure or the reservation block is not aligned");
    }
    return true;
}

/* Takes in the memory reservation block (Devicetree Specification, 5.3), and the tree itself. */
static bool reserve_blocks(struct dt_parser *parser, paddr_t address)
{
    struct boot_info *info = parser->info;
    uint64_t size = fdt_totalsize(parser->dtb);
    if (!is_physical_range(address, size)) {
        return dt_fail(parser, "the device tree's own address is not a physical address");
    }
    info->dtb = (struct boot_range){ .start = address, .end = address + size };
    if (!boot_reserve(info, info->dtb.start, info->dtb.end, false)) {
        return dt_fail(parser, "there are too many reserved ranges");
    }
    for (int i = 0;; i++) {
        uint64_t start;
        if (fdt_get_mem_rsv(parser->dtb, i, &start, &size) != 0) {
            return dt_fail(parser, "the memory reservation block has no end");
        }
        if (size == 0) {
            return true;
        }
        if (!is_physical_range(start, size)) {
            return dt_fail(parser, "memory reservation %d is not within the physical addresses", i);
        }
        if (!boot_reserve(info, start, start + size, false)) {
            return dt_fail(parser, "there are more than %d reserved ranges", BOOT_MAX_RESERVED);
        }
    }
}

size_t devicetree_size(const void *dtb)
{
    fdt32_t words[2]; /* magic, totalsize */
    memcpy(words, dtb, sizeof(words));
    return fdt32_to_cpu(words[0]) == FDT_MAGIC ? fdt32_to_cpu(words[1]) : 0;
}

bool devicetree_parse(const void *dtb, size_t limit, paddr_t address, struct boot_info *info,
                      struct boot_error *error)
{
    struct dt_parser parser;
    memset(&parser, 0, sizeof(parser));
    memset(info, 0, sizeof(*info));
    parser.dtb = dtb;
    parser.info = info;
    parser.error = error;
    parser.aliases_offset = -1;
    error->text[0] = '\0';
    return check_header(&parser, limit) && reserve_blocks(&parser, address) && walk(&parser) &&
           devicetree_finish(&parser);
}
