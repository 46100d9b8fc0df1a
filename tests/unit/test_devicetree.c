/*
 * kernel/devicetree.h: real device trees of QEMU and of the VisionFive 2, single changes to them,
 * every way to cut them off, and random damage. Trees come from the build (DTB_DIR); each is parsed
 * in a heap block of its exact size, so that ASan sees any read beyond it. Damage is the same in
 * every run.
 */
#include "host/test.h"

#include "kernel/devicetree.h"
#include "kernel/isa.h"

#include <libfdt.h>
#include <stdio.h>

#define TREE_ADDRESS ((paddr_t)0x80f00000)
#define EDIT_ROOM    65536
#define MUTATIONS    4000 /* of each tree */
#define MAX_DAMAGE   8    /* changes of one mutation */

static const char *const tree_names[] = { "virt-1",    "virt-4",   "virt-8", "virt-initrd",
                                          "virt-numa", "sifive_u", "jh7110" };

/* A tree under edit; size is that of the buffer. */
struct tree {
    unsigned char *data;
    size_t size;
};

static struct boot_info info;
static struct boot_error error;

/* Loads a tree with room to edit it. */
static struct tree load(const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s.dtb", DTB_DIR, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail_msg("cannot open %s", path);
        abort();
    }
    struct tree tree = { .data = calloc(1, 2 * 1048576), .size = 2 * 1048576 };
    size_t size = fread(tree.data, 1, 1048576, file);
    fclose(file);
    assert_true(size >= sizeof(struct fdt_header));
    size = fdt_totalsize(tree.data);
    assert_int_equal(fdt_open_into(tree.data, tree.data, (int)size + EDIT_ROOM), 0);
    return tree;
}

static int node_at(const struct tree *tree, const char *path)
{
    int offset = fdt_path_offset(tree->data, path);
    if (offset < 0) {
        fail_msg("no node %s", path);
    }
    return offset;
}

static void set(struct tree *tree, const char *path, const char *name, const void *value,
                size_t size)
{
    assert_int_equal(fdt_setprop(tree->data, node_at(tree, path), name, value, (int)size), 0);
}

/* Sets a property of up to 8 cells. */
#define SET_CELLS(tree, path, name, ...)                                                           \
    set_cells(tree, path, name, (const uint32_t[]){ __VA_ARGS__ },                                 \
              sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)

static void set_cells(struct tree *tree, const char *path, const char *name, const uint32_t *cells,
                      size_t count)
{
    fdt32_t values[64];
    assert_true(count <= 64);
    for (size_t i = 0; i < count; i++) {
        values[i] = cpu_to_fdt32(cells[i]);
    }
    set(tree, path, name, values, count * sizeof(values[0]));
}

static void set_string(struct tree *tree, const char *path, const char *name, const char *value)
{
    set(tree, path, name, value, strlen(value) + 1);
}

static void delete_property(struct tree *tree, const char *path, const char *name)
{
    assert_int_equal(fdt_delprop(tree->data, node_at(tree, path), name), 0);
}

static void add_node(struct tree *tree, const char *parent, const char *name)
{
    assert_true(fdt_add_subnode(tree->data, node_at(tree, parent), name) >= 0);
}

static void delete_node(struct tree *tree, const char *path)
{
    assert_int_equal(fdt_del_node(tree->data, node_at(tree, path)), 0);
}

/* Parses `size` bytes in a block of their own. */
static bool parse_bytes(const void *data, size_t size)
{
    memset(&info, 0xa5, sizeof(info));
    memset(&error, 0xa5, sizeof(error));
    void *copy = malloc(size > 0 ? size : 1);
    memcpy(copy, data, size);
    bool good = devicetree_parse(copy, size, TREE_ADDRESS, &info, &error);
    free(copy);
    return good;
}

static bool parse(const struct tree *tree)
{
    return parse_bytes(tree->data, fdt_totalsize(tree->data));
}

/* Parses and frees a tree that must be good. */
static void parse_good(struct tree *tree)
{
    if (!parse(tree)) {
        fail_msg("refused: %s", error.text);
    }
    free(tree->data);
}

static void parse_good_named(const char *name)
{
    struct tree tree = load(name);
    parse_good(&tree);
}

/* Parses and frees a tree that must be refused with exactly this text. */
static void parse_refused(struct tree *tree, const char *text)
{
    assert_false(parse(tree));
    assert_string_equal(error.text, text);
    free(tree->data);
}

static bool has_warning(const char *text)
{
    for (size_t i = 0; i < info.warning_count; i++) {
        if (strcmp(info.warnings[i], text) == 0) {
            return true;
        }
    }
    return false;
}

static void assert_warning(const char *text)
{
    if (!has_warning(text)) {
        fail_msg("no warning '%s'; the first of %zu is '%s'", text, info.warning_count,
                 info.warning_count > 0 ? info.warnings[0] : "");
    }
}

static bool is_reserved(paddr_t start, paddr_t end, bool no_map)
{
    for (size_t i = 0; i < info.reserved_count; i++) {
        if (info.reserved[i].start == start && info.reserved[i].end == end &&
            info.reserved[i].no_map == no_map) {
            return true;
        }
    }
    return false;
}

/* --- What boot_info promises, for any tree --- */

static bool overlaps_memory(const struct boot_device *device)
{
    for (size_t i = 0; i < info.memory_count; i++) {
        if (device->base < info.memory[i].end &&
            info.memory[i].start < device->base + device->size) {
            return true;
        }
    }
    return false;
}

static void check_device(const struct boot_device *device)
{
    if (device->size == 0) {
        return;
    }
    assert_true(device->base + device->size > device->base);
    assert_true(device->base + device->size <= BOOT_PHYSICAL_LIMIT);
    assert_false(overlaps_memory(device));
    assert_true(device->irq == 0 ||
                (info.plic.device.size != 0 && device->irq <= info.plic.sources));
}

static void check_memory(void)
{
    assert_in_range(info.memory_count, 1, BOOT_MAX_MEMORY);
    for (size_t i = 0; i < info.memory_count; i++) {
        assert_true(info.memory[i].start < info.memory[i].end);
        assert_true(info.memory[i].end <= BOOT_PHYSICAL_LIMIT);
        assert_true(IS_ALIGNED(info.memory[i].start | info.memory[i].end, PAGE_SIZE));
        assert_true(i == 0 || info.memory[i - 1].end <= info.memory[i].start);
    }
    assert_true(info.reserved_count <= BOOT_MAX_RESERVED);
    for (size_t i = 1; i < info.reserved_count; i++) {
        assert_true(info.reserved[i - 1].start <= info.reserved[i].start);
    }
}

/* Free ranges ascend, are RAM, and touch nothing reserved. */
static void check_free(void)
{
    struct boot_range range;
    paddr_t cursor = 0;
    paddr_t last_end = 0;
    while (boot_next_free(&info, &cursor, &range)) {
        assert_true(range.start >= last_end && range.start < range.end);
        assert_true(boot_is_memory(&info, range.start, range.end));
        for (size_t i = 0; i < info.reserved_count; i++) {
            assert_true(info.reserved[i].end <= range.start || info.reserved[i].start >= range.end);
        }
        last_end = range.end;
    }
}

static void check_harts(void)
{
    assert_in_range(info.hart_count, 1, MAX_HARTS);
    assert_true(info.timebase_frequency != 0);
    for (size_t i = 0; i < info.hart_count; i++) {
        const struct boot_hart *hart = &info.harts[i];
        assert_true((hart->isa & info.isa_common) == info.isa_common);
        assert_true((hart->isa & BOOT_ISA_REQUIRED) == BOOT_ISA_REQUIRED);
        assert_true(hart->plic_context >= -1);
        assert_true(hart->plic_context < 0 ||
                    0x200000 + 0x1000 * ((uint64_t)hart->plic_context + 1) <=
                        info.plic.device.size);
    }
}

static void check_uart(void)
{
    const struct boot_uart *uart = &info.uart;
    if (uart->kind == BOOT_UART_NONE) {
        assert_int_equal(uart->device.size, 0);
        return;
    }
    assert_true(uart->reg_shift <= 3 && uart->reg_width <= 4);
    uint64_t registers = uart->kind == BOOT_UART_SIFIVE ? 7 : 8;
    assert_true(uart->reg_offset + (registers << uart->reg_shift) <= uart->device.size);
}

static void check_info(void)
{
    check_memory();
    check_free();
    check_harts();
    check_uart();
    check_device(&info.uart.device);
    check_device(&info.plic.device);
    check_device(&info.test_finisher);
    check_device(&info.rtc);
    assert_true(info.virtio_count <= BOOT_MAX_VIRTIO);
    for (size_t i = 0; i < info.virtio_count; i++) {
        assert_true(info.virtio[i].size != 0);
        check_device(&info.virtio[i]);
    }
    assert_true(info.initrd.end == 0 || boot_is_memory(&info, info.initrd.start, info.initrd.end));
    assert_non_null(memchr(info.bootargs, '\0', sizeof(info.bootargs)));
    assert_true(info.warning_count <= BOOT_MAX_WARNINGS);
    for (size_t i = 0; i < info.warning_count; i++) {
        size_t size = strnlen(info.warnings[i], BOOT_TEXT_SIZE);
        assert_in_range(size, 1, BOOT_TEXT_SIZE - 1);
    }
}

/* Parses any bytes; whatever comes out must keep the promises. Returns whether the tree was
 * accepted. */
static bool parse_any(const void *data, size_t size)
{
    if (parse_bytes(data, size)) {
        check_info();
        return true;
    }
    size_t text_size = strnlen(error.text, BOOT_TEXT_SIZE);
    assert_in_range(text_size, 1, BOOT_TEXT_SIZE - 1);
    return false;
}

/* --- Real trees --- */

static void check_virt(size_t harts)
{
    assert_int_equal(info.memory_count, 1);
    assert_int_equal(info.memory[0].start, 0x80000000);
    assert_int_equal(info.memory[0].end, 0x88000000);
    assert_int_equal(info.hart_count, harts);
    assert_int_equal(info.timebase_frequency, 10000000);
    for (size_t i = 0; i < harts; i++) {
        assert_int_equal(info.harts[i].plic_context, 2 * info.harts[i].id + 1);
    }
    uint32_t isa = BOOT_ISA_REQUIRED | BOOT_ISA_F | BOOT_ISA_D | BOOT_ISA_H | BOOT_ISA_ZBA |
                   BOOT_ISA_ZBB | BOOT_ISA_SSTC;
    assert_int_equal(info.isa_common, isa);
    assert_int_equal(info.uart.kind, BOOT_UART_NS16550A);
    assert_int_equal(info.uart.device.base, 0x10000000);
    assert_int_equal(info.uart.device.size, 0x100);
    assert_int_equal(info.uart.device.irq, 10);
    assert_int_equal(info.uart.clock, 3686400);
    assert_int_equal(info.uart.reg_shift, 0);
    assert_int_equal(info.uart.reg_width, 1);
    assert_int_equal(info.plic.device.base, 0xc000000);
    assert_int_equal(info.plic.sources, 96);
    assert_int_equal(info.test_finisher.base, 0x100000);
    assert_int_equal(info.rtc.base, 0x101000);
    assert_int_equal(info.rtc.irq, 11);
    assert_int_equal(info.virtio_count, 8);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(info.virtio[i].base, 0x10000000 + 0x1000 * info.virtio[i].irq);
        assert_int_equal(info.virtio[i].size, 0x1000);
    }
    assert_int_equal(info.warning_count, 0);
    check_info();
}

static void tree_of_qemu_virt_is_read_whole(void **state)
{
    (void)state;
    parse_good_named("virt-1");
    check_virt(1);
    assert_int_equal(info.initrd.end, 0);
    assert_string_equal(info.bootargs, "");
    parse_good_named("virt-4");
    check_virt(4);
    parse_good_named("virt-8");
    check_virt(8);
}

static void initrd_and_bootargs_are_read_and_the_initrd_is_reserved(void **state)
{
    (void)state;
    parse_good_named("virt-initrd");
    assert_string_equal(info.bootargs, "a=b \"c d\" ftl.isolation.hello=user");
    assert_int_equal(info.initrd.start, 0x84200000);
    assert_true(info.initrd.end > info.initrd.start);
    assert_true(is_reserved(0x84200000, ALIGN_UP(info.initrd.end, PAGE_SIZE), false));
    assert_false(boot_is_memory(&info, 0x80000000, 0x88001000));
    check_info();
}

static void adjacent_memory_nodes_become_one_range(void **state)
{
    (void)state;
    parse_good_named("virt-numa");
    assert_int_equal(info.memory_count, 1);
    assert_int_equal(info.memory[0].start, 0x80000000);
    assert_int_equal(info.memory[0].end, 0x90000000);
}

static void tree_of_sifive_u_leaves_the_hart_without_mmu_alone(void **state)
{
    (void)state;
    parse_good_named("sifive_u");
    assert_int_equal(info.hart_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(info.harts[i].id, i + 1);
        assert_int_equal(info.harts[i].plic_context, 2 * (i + 1));
        assert_int_equal(info.harts[i].isa, BOOT_ISA_REQUIRED | BOOT_ISA_F | BOOT_ISA_D);
    }
    assert_int_equal(info.timebase_frequency, 1000000);
    assert_int_equal(info.uart.kind, BOOT_UART_SIFIVE);
    assert_int_equal(info.uart.device.base, 0x10010000);
    assert_int_equal(info.uart.device.irq, 4);
    assert_int_equal(info.test_finisher.size, 0);
    assert_int_equal(info.virtio_count, 0);
    assert_int_equal(info.warning_count, 0);
    check_info();
}

static void tree_of_jh7110_is_read_whole(void **state)
{
    (void)state;
    parse_good_named("jh7110");
    assert_int_equal(info.memory[0].start, 0x40000000);
    assert_int_equal(info.memory[0].end, 0x140000000);
    assert_true(is_reserved(0x40000000, 0x40080000, true));
    assert_true(is_reserved(0x46000000, 0x46010000, false));
    assert_true(is_reserved(0x46100000, 0x46346000, false));
    assert_int_equal(info.initrd.end, 0x46345678);
    assert_int_equal(info.hart_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(info.harts[i].id, i + 1);
        assert_int_equal(info.harts[i].plic_context, 2 * (i + 1));
    }
    assert_int_equal(info.isa_common,
                     BOOT_ISA_REQUIRED | BOOT_ISA_F | BOOT_ISA_D | BOOT_ISA_ZBA | BOOT_ISA_ZBB);
    assert_int_equal(info.timebase_frequency, 4000000);
    assert_int_equal(info.uart.kind, BOOT_UART_DW_APB);
    assert_int_equal(info.uart.device.base, 0x10000000);
    assert_int_equal(info.uart.device.irq, 32);
    assert_int_equal(info.uart.reg_shift, 2);
    assert_int_equal(info.uart.reg_width, 4);
    assert_int_equal(info.uart.clock, 0);
    assert_int_equal(info.uart.speed, 115200);
    assert_int_equal(info.plic.sources, 136);
    assert_int_equal(info.warning_count, 0);
    check_info();
}

/* U-Boot writes how much RAM it found. */
static void jh7110_has_2_4_or_8_gib(void **state)
{
    (void)state;
    for (uint64_t gib = 2; gib <= 8; gib *= 2) {
        struct tree tree = load("jh7110");
        uint64_t size = gib * GIB;
        set_cells(&tree, "/memory@40000000", "reg",
                  (uint32_t[]){ 0, 0x40000000, (uint32_t)(size >> 32), (uint32_t)size }, 4);
        parse_good(&tree);
        assert_int_equal(info.memory_count, 1);
        assert_int_equal(info.memory[0].start, 0x40000000);
        assert_int_equal(info.memory[0].end, 0x40000000 + size);
        check_info();
    }
}

/* An older vendor's tree gives hart 0 an MMU that it has not, but not "okay" either. */
static void jh7110_hart_0_is_left_alone_whatever_its_mmu_type(void **state)
{
    (void)state;
    struct tree tree = load("jh7110");
    set_string(&tree, "/cpus/cpu@0", "mmu-type", "riscv,sv39");
    parse_good(&tree);
    assert_int_equal(info.hart_count, 4);
    assert_int_equal(info.harts[0].id, 1);
    tree = load("jh7110");
    set_string(&tree, "/cpus/cpu@0", "status", "okay");
    parse_good(&tree);
    assert_int_equal(info.hart_count, 4);
    assert_int_equal(info.harts[0].id, 1);
}

/* Harts 1 and 2 of the tree have both spellings, 3 and 4 the old one. */
static void jh7110_isa_is_read_in_either_spelling(void **state)
{
    (void)state;
    static const char extensions[] = "i\0m\0a\0f\0d\0c\0zba\0zbb";
    uint32_t isa = BOOT_ISA_REQUIRED | BOOT_ISA_F | BOOT_ISA_D | BOOT_ISA_ZBA | BOOT_ISA_ZBB;
    struct tree tree = load("jh7110");
    for (unsigned hart = 1; hart <= 4; hart++) {
        char path[32];
        snprintf(path, sizeof(path), "/cpus/cpu@%u", hart);
        delete_property(&tree, path, "riscv,isa");
        set_string(&tree, path, "riscv,isa-base", "rv64i");
        set(&tree, path, "riscv,isa-extensions", extensions, sizeof(extensions));
    }
    parse_good(&tree);
    assert_int_equal(info.isa_common, isa);
    tree = load("jh7110");
    delete_property(&tree, "/cpus/cpu@1", "riscv,isa-extensions");
    delete_property(&tree, "/cpus/cpu@1", "riscv,isa-base");
    delete_property(&tree, "/cpus/cpu@2", "riscv,isa-extensions");
    delete_property(&tree, "/cpus/cpu@2", "riscv,isa-base");
    parse_good(&tree);
    assert_int_equal(info.isa_common, isa);
    tree = load("jh7110");
    set_string(&tree, "/cpus/cpu@3", "riscv,isa", "rv64imafdc"); /* one hart lacks them */
    parse_good(&tree);
    assert_int_equal(info.isa_common, isa & ~(BOOT_ISA_ZBA | BOOT_ISA_ZBB));
}

static void tree_itself_is_reserved(void **state)
{
    (void)state;
    parse_good_named("virt-1");
    assert_int_equal(info.dtb.start, TREE_ADDRESS);
    assert_true(info.dtb.end > info.dtb.start);
    assert_true(is_reserved(TREE_ADDRESS, ALIGN_UP(info.dtb.end, PAGE_SIZE), false));
}

static void bytes_beyond_the_trees_own_size_are_not_needed_nor_read(void **state)
{
    (void)state;
    struct tree tree = load("virt-4");
    uint32_t size = fdt_totalsize(tree.data);
    memset(tree.data + size, 0xff, 4096);
    assert_true(parse_bytes(tree.data, size + 4096));
    assert_int_equal(info.dtb.end - info.dtb.start, size);
    free(tree.data);
}

/* --- Memory --- */

static void memory_is_sorted_and_trimmed_to_whole_pages(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    SET_CELLS(&tree, "/memory@80000000", "reg", 1, 0x00000800, 0, 0x2000, 0, 0x80000001, 0, 0x3000,
              0, 0x20000010, 0, 0xff0);
    parse_good(&tree);
    assert_int_equal(info.memory_count, 2);
    assert_int_equal(info.memory[0].start, 0x80001000);
    assert_int_equal(info.memory[0].end, 0x80003000);
    assert_int_equal(info.memory[1].start, 0x100001000);
    assert_int_equal(info.memory[1].end, 0x100002000);
    check_info();
}

static void overlapping_memory_counts_once(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    SET_CELLS(&tree, "/memory@80000000", "reg", 0, 0x80000000, 0, 0x3000, 0, 0x80006000, 0, 0x2000,
              0, 0x80002000, 0, 0x4000);
    parse_good(&tree);
    assert_int_equal(info.memory_count, 1);
    assert_int_equal(info.memory[0].start, 0x80000000);
    assert_int_equal(info.memory[0].end, 0x80008000);
}

static void memory_of_too_many_ranges_is_cut_with_a_warning(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    char name[32];
    for (unsigned i = 0; i <= BOOT_MAX_MEMORY; i++) {
        char path[40];
        snprintf(name, sizeof(name), "memory@%x", 0xa0000000 + i * 0x10000);
        snprintf(path, sizeof(path), "/%s", name);
        add_node(&tree, "/", name);
        set_string(&tree, path, "device_type", "memory");
        SET_CELLS(&tree, path, "reg", 0, 0xa0000000 + i * 0x10000, 0, 0x8000);
    }
    parse_good(&tree);
    assert_int_equal(info.memory_count, BOOT_MAX_MEMORY);
    assert_true(info.warning_count > 0);
    check_info();
}

static void memory_that_is_disabled_is_not_used(void **state)
{
    (void)state;
    struct tree tree = load("virt-numa");
    set_string(&tree, "/memory@88000000", "status", "disabled");
    parse_good(&tree);
    assert_int_equal(info.memory[0].end, 0x88000000);
}

static void memory_with_a_reg_of_odd_size_is_refused(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    SET_CELLS(&tree, "/memory@80000000", "reg", 0, 0x80000000, 0x8000000);
    parse_refused(&tree, "/memory@80000000: reg of 12 bytes is not a whole number of entries");
}

static void memory_beyond_56_bits_is_refused(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    SET_CELLS(&tree, "/memory@80000000", "reg", 0, 0x80000000, 0x1000000, 0);
    parse_refused(
        &tree, "/memory@80000000: reg of 16 bytes is not within the 56 bits of a physical address");
    tree = load("virt-1");
    SET_CELLS(&tree, "/memory@80000000", "reg", 0xffffffff, 0xfffff000, 0, 0x2000);
    parse_refused(
        &tree, "/memory@80000000: reg of 16 bytes is not within the 56 bits of a physical address");
}

static void tree_without_memory_is_refused(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    delete_node(&tree, "/memory@80000000");
    parse_refused(&tree, "/: there is no enabled memory node with a reg of a page or more");
}

static void bad_cells_of_the_root_are_refused_with_the_node_named(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    SET_CELLS(&tree, "/", "#address-cells", 3);
    parse_refused(&tree, "/memory@80000000: reg of 16 bytes cannot be read: its parent has a bad "
                         "#address-cells or #size-cells");
}

static void reservations_are_taken_from_both_places(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    assert_int_equal(fdt_add_mem_rsv(tree.data, 0x81000800, 0x1000), 0);
    add_node(&tree, "/", "reserved-memory");
    SET_CELLS(&tree, "/reserved-memory", "#address-cells", 2);
    SET_CELLS(&tree, "/reserved-memory", "#size-cells", 1);
    add_node(&tree, "/reserved-memory", "firmware@80000000");
    SET_CELLS(&tree, "/reserved-memory/firmware@80000000", "reg", 0, 0x80000000, 0x40000, 0,
              0x80080000, 0x10);
    set(&tree, "/reserved-memory/firmware@80000000", "no-map", "", 0);
    add_node(&tree, "/reserved-memory", "off@85000000");
    SET_CELLS(&tree, "/reserved-memory/off@85000000", "reg", 0, 0x85000000, 0x40000);
    set_string(&tree, "/reserved-memory/off@85000000", "status", "disabled");
    parse_good(&tree);
    assert_int_equal(info.reserved_count, 4);
    assert_true(is_reserved(0x81000000, 0x81002000, false));
    assert_true(is_reserved(0x80000000, 0x80040000, true));
    assert_true(is_reserved(0x80080000, 0x80081000, true));
    check_info();

    struct boot_range range;
    paddr_t cursor = 0;
    assert_true(boot_next_free(&info, &cursor, &range));
    assert_int_equal(range.start, 0x80040000);
    assert_int_equal(range.end, 0x80080000);
}

static void reservation_that_wraps_is_refused(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    assert_int_equal(fdt_add_mem_rsv(tree.data, 0xfffffffffffff000, 0x2000), 0);
    parse_refused(&tree, "/: memory reservation 0 is not within the physical addresses");
}

static void too_many_reservations_are_refused(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    for (unsigned i = 0; i < BOOT_MAX_RESERVED; i++) {
        assert_int_equal(fdt_add_mem_rsv(tree.data, 0x81000000 + i * 0x2000, 0x1000), 0);
    }
    parse_refused(&tree, "/: there are more than 64 reserved ranges");
}

static void boot_reserve_takes_whole_pages_and_refuses_nonsense(void **state)
{
    (void)state;
    parse_good_named("virt-1");
    size_t count = info.reserved_count;
    assert_true(boot_reserve(&info, 0x80200fff, 0x80201001, false));
    assert_true(is_reserved(0x80200000, 0x80202000, false));
    assert_true(boot_reserve(&info, 0x80300000, 0x80300000, false));
    assert_false(boot_reserve(&info, 0x80300001, 0x80300000, false));
    assert_false(boot_reserve(&info, 0, BOOT_PHYSICAL_LIMIT + 1, false));
    assert_int_equal(info.reserved_count, count + 1);
    check_info();
}

static void memory_that_is_reserved_whole_leaves_nothing_free(void **state)
{
    (void)state;
    struct boot_range range;
    paddr_t cursor = 0;
    parse_good_named("virt-1");
    assert_true(boot_reserve(&info, 0x80000000, 0x84000000, false));
    assert_true(boot_reserve(&info, 0x81000000, 0x82000000, false));
    assert_true(boot_reserve(&info, 0x83fff000, 0x90000000, false));
    assert_false(boot_next_free(&info, &cursor, &range));
}

/* --- /chosen --- */

static void initrd_may_be_given_in_64_bits(void **state)
{
    (void)state;
    struct tree tree = load("virt-initrd");
    SET_CELLS(&tree, "/chosen", "linux,initrd-start", 0, 0x81000000);
    SET_CELLS(&tree, "/chosen", "linux,initrd-end", 0, 0x81000123);
    parse_good(&tree);
    assert_int_equal(info.initrd.start, 0x81000000);
    assert_int_equal(info.initrd.end, 0x81000123);
    check_info();
}

static void initrd_outside_memory_is_ignored_with_a_warning(void **state)
{
    (void)state;
    struct tree tree = load("virt-initrd");
    SET_CELLS(&tree, "/chosen", "linux,initrd-start", 0x87fff000);
    SET_CELLS(&tree, "/chosen", "linux,initrd-end", 0x88000001);
    parse_good(&tree);
    assert_int_equal(info.initrd.end, 0);
    assert_warning("/: initrd 87fff000-88000001 is not within memory: ignored");
    tree = load("virt-initrd");
    SET_CELLS(&tree, "/chosen", "linux,initrd-start", 0x81002000);
    SET_CELLS(&tree, "/chosen", "linux,initrd-end", 0x81001000);
    parse_good(&tree);
    assert_warning("/: initrd 81002000-81001000 is not within memory: ignored");
}

static void half_an_initrd_is_ignored_with_a_warning(void **state)
{
    (void)state;
    struct tree tree = load("virt-initrd");
    delete_property(&tree, "/chosen", "linux,initrd-end");
    parse_good(&tree);
    assert_int_equal(info.initrd.start, 0);
    assert_warning(
        "/chosen: only one of linux,initrd-start and linux,initrd-end is there: no initrd");
}

static void bootargs_that_are_too_long_are_cut_with_a_warning(void **state)
{
    (void)state;
    char text[2000];
    memset(text, 'x', sizeof(text));
    text[1999] = '\0';
    struct tree tree = load("virt-1");
    set_string(&tree, "/chosen", "bootargs", text);
    parse_good(&tree);
    assert_int_equal(strlen(info.bootargs), BOOT_ARGS_SIZE - 1);
    assert_warning("/chosen: bootargs has 1999 bytes, cut to 1023");
}

static void bootargs_without_an_end_are_ignored_with_a_warning(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    set(&tree, "/chosen", "bootargs", "abc", 3);
    parse_good(&tree);
    assert_string_equal(info.bootargs, "");
    assert_warning("/chosen: bootargs has no end: ignored");
}

/* --- Harts --- */

static void hart_is_used_only_if_enabled_with_mmu_and_isa(void **state)
{
    (void)state;
    struct tree tree = load("virt-8");
    set_string(&tree, "/cpus/cpu@0", "status", "disabled");
    delete_property(&tree, "/cpus/cpu@1", "mmu-type");
    set_string(&tree, "/cpus/cpu@2", "mmu-type", "riscv,none");
    set_string(&tree, "/cpus/cpu@3", "riscv,isa", "rv32imac");
    set_string(&tree, "/cpus/cpu@4", "mmu-type", "riscv,sv57");
    SET_CELLS(&tree, "/cpus/cpu@5", "reg", 6);
    set_string(&tree, "/cpus/cpu@7", "riscv,isa", "rv64imac");
    parse_good(&tree);
    assert_int_equal(info.hart_count, 3);
    bool seen[8] = { false };
    for (size_t i = 0; i < 3; i++) {
        seen[info.harts[i].id] = true;
    }
    assert_true(seen[4] && seen[6] && seen[7]);
    assert_int_equal(info.isa_common, BOOT_ISA_REQUIRED);
    assert_warning("/cpus/cpu@3: its ISA is not known to be rv64imac: hart not used");
    assert_true(has_warning("/cpus/cpu@6: hart id 6 is there twice") ||
                has_warning("/cpus/cpu@5: hart id 6 is there twice"));
    check_info();
}

static void isa_in_the_new_spelling_wins_over_the_old(void **state)
{
    (void)state;
    static const char extensions[] = "i\0m\0a\0c\0zbb\0svpbmt\0svadu\0v";
    struct tree tree = load("virt-1");
    set_string(&tree, "/cpus/cpu@0", "riscv,isa-base", "rv64i");
    set(&tree, "/cpus/cpu@0", "riscv,isa-extensions", extensions, sizeof(extensions));
    parse_good(&tree);
    assert_int_equal(info.isa_common, BOOT_ISA_REQUIRED | BOOT_ISA_ZBB | BOOT_ISA_SVPBMT |
                                          BOOT_ISA_SVADU | BOOT_ISA_V);
}

static void isa_strings_are_read_in_all_spellings(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t isa;
    } cases[] = {
        { "rv64imac", BOOT_ISA_REQUIRED },
        { "RV64GC", BOOT_ISA_REQUIRED | BOOT_ISA_F | BOOT_ISA_D },
        { "rv64imafdc_zba_zbb",
          BOOT_ISA_REQUIRED | BOOT_ISA_F | BOOT_ISA_D | BOOT_ISA_ZBA | BOOT_ISA_ZBB },
        { "rv64i2p1_m2p0_a2p1_c2p0_v1p0_zba1p0_zbb1p0",
          BOOT_ISA_REQUIRED | BOOT_ISA_V | BOOT_ISA_ZBA | BOOT_ISA_ZBB },
        { "rv64imac2zba_sstc", BOOT_ISA_REQUIRED | BOOT_ISA_ZBA | BOOT_ISA_SSTC },
        { "rv64imach_xzba_zbaa_zb_svpbmt", BOOT_ISA_REQUIRED | BOOT_ISA_H | BOOT_ISA_SVPBMT },
        { "rv64imac__svadu_", BOOT_ISA_REQUIRED | BOOT_ISA_SVADU },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct tree tree = load("virt-1");
        set_string(&tree, "/cpus/cpu@0", "riscv,isa", cases[i].text);
        parse_good(&tree);
        assert_int_equal(info.harts[0].isa, cases[i].isa);
    }
}

static void isa_extensions_can_be_hidden_by_name(void **state)
{
    (void)state;
    uint32_t isa = BOOT_ISA_REQUIRED | BOOT_ISA_ZBA | BOOT_ISA_ZBB | BOOT_ISA_SSTC;
    assert_int_equal(isa_without(isa, ""), isa);
    assert_int_equal(isa_without(isa, "zb,unknown,,sst"), isa);
    assert_int_equal(isa_without(isa, "sstc"), isa & ~BOOT_ISA_SSTC);
    assert_int_equal(isa_without(isa, "zba,Zbb,"), isa & ~(BOOT_ISA_ZBA | BOOT_ISA_ZBB));
}

static void tree_without_a_usable_hart_is_refused(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    set_string(&tree, "/cpus/cpu@0", "mmu-type", "riscv,none");
    parse_refused(&tree, "/: none of 1 cpu nodes is enabled, rv64imac and has an mmu-type");
}

static void timebase_may_be_in_the_cpu_nodes_and_must_be_somewhere(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    delete_property(&tree, "/cpus", "timebase-frequency");
    SET_CELLS(&tree, "/cpus/cpu@0", "timebase-frequency", 0, 1234567);
    parse_good(&tree);
    assert_int_equal(info.timebase_frequency, 1234567);
    tree = load("virt-1");
    delete_property(&tree, "/cpus", "timebase-frequency");
    parse_refused(&tree, "/: timebase-frequency is missing or 0 in /cpus and in the cpu nodes");
}

static void harts_beyond_the_limit_are_left_alone_with_a_warning(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    for (unsigned i = 1; i <= MAX_HARTS; i++) {
        char name[16];
        char path[32];
        snprintf(name, sizeof(name), "cpu@%x", i);
        snprintf(path, sizeof(path), "/cpus/%s", name);
        add_node(&tree, "/cpus", name);
        SET_CELLS(&tree, path, "reg", i);
        set_string(&tree, path, "riscv,isa", "rv64gc");
        set_string(&tree, path, "mmu-type", "riscv,sv39");
    }
    parse_good(&tree);
    assert_int_equal(info.hart_count, MAX_HARTS);
    assert_int_equal(info.warning_count, 1);
    check_info();
}

/* --- Devices --- */

#define SERIAL "/soc/serial@10000000"

static void uart_layout_is_read(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    SET_CELLS(&tree, SERIAL, "reg-shift", 3);
    SET_CELLS(&tree, SERIAL, "reg-io-width", 2);
    SET_CELLS(&tree, SERIAL, "reg-offset", 0x40);
    SET_CELLS(&tree, SERIAL, "current-speed", 9600);
    parse_good(&tree);
    assert_int_equal(info.uart.reg_shift, 3);
    assert_int_equal(info.uart.reg_width, 2);
    assert_int_equal(info.uart.reg_offset, 0x40);
    assert_int_equal(info.uart.speed, 9600);
    check_info();
}

static void uart_that_cannot_be_used_gives_a_warning(void **state)
{
    (void)state;
    static const struct {
        const char *property;
        uint32_t value;
        const char *warning;
    } cases[] = {
        { "reg-shift", 4, SERIAL ": reg-shift is 4, not 0 to 3: device not used" },
        { "reg-io-width", 3, SERIAL ": reg-io-width is 3, not 1, 2 or 4: device not used" },
        { "reg-io-width", 4, SERIAL ": registers of 4 bytes are 1 bytes apart: device not used" },
        { "reg-offset", 0xfffffff0,
          SERIAL ": reg has room for 256 bytes of registers, not 4294967288: device not used" },
        { "reg", 0, SERIAL ": reg is not a whole number of entries: device not used" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct tree tree = load("virt-1");
        SET_CELLS(&tree, SERIAL, cases[i].property, cases[i].value);
        parse_good(&tree);
        assert_int_equal(info.uart.kind, BOOT_UART_NONE);
        assert_warning(cases[i].warning);
        assert_warning("/: there is no UART of a known kind");
        check_info();
    }
}

static void stdout_path_selects_the_uart(void **state)
{
    (void)state;
    struct tree tree = load("sifive_u");
    set_string(&tree, "/chosen", "stdout-path", "serial1:57600");
    parse_good(&tree);
    assert_int_equal(info.uart.device.base, 0x10011000);
    assert_int_equal(info.uart.device.irq, 5);
    assert_int_equal(info.uart.speed, 57600);
    tree = load("sifive_u");
    set_string(&tree, "/chosen", "stdout-path", "/soc/serial@10011000");
    parse_good(&tree);
    assert_int_equal(info.uart.device.base, 0x10011000);
    assert_int_equal(info.uart.speed, 0);
}

static void first_uart_is_used_when_stdout_path_is_of_no_use(void **state)
{
    (void)state;
    static const char *const paths[] = { "nowhere", "/nowhere", "",
                                         ":115200", "/chosen",  "serial9/x" };
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        struct tree tree = load("virt-1");
        set_string(&tree, "/chosen", "stdout-path", paths[i]);
        parse_good(&tree);
        assert_int_equal(info.uart.device.base, 0x10000000);
        assert_warning("/: stdout-path names no UART of a known kind: the first one is used");
    }
    struct tree tree = load("virt-1");
    delete_property(&tree, "/chosen", "stdout-path");
    parse_good(&tree);
    assert_int_equal(info.uart.device.base, 0x10000000);
    assert_int_equal(info.warning_count, 0);
}

static void alias_that_names_itself_ends(void **state)
{
    (void)state;
    struct tree tree = load("sifive_u");
    set_string(&tree, "/aliases", "serial0", "serial0");
    set_string(&tree, "/chosen", "stdout-path", "serial0");
    parse_good(&tree);
    assert_int_equal(info.uart.kind, BOOT_UART_SIFIVE);
    assert_int_equal(info.warning_count, 1);
}

static void device_that_overlaps_memory_is_not_used(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    SET_CELLS(&tree, SERIAL, "reg", 0, 0x7fffff80, 0, 0x100);
    SET_CELLS(&tree, "/soc/virtio_mmio@10008000", "reg", 0, 0x80000000, 0, 0x1000);
    SET_CELLS(&tree, "/soc/test@100000", "reg", 0, 0x87fff000, 0, 0x1000);
    parse_good(&tree);
    assert_warning("/: UART at 7fffff80 overlaps memory: device not used");
    assert_warning("/: virtio device at 80000000 overlaps memory: device not used");
    assert_warning("/: test finisher at 87fff000 overlaps memory: device not used");
    assert_int_equal(info.uart.kind, BOOT_UART_NONE);
    assert_int_equal(info.virtio_count, 7);
    assert_int_equal(info.test_finisher.size, 0);
    check_info();
}

static void disabled_devices_and_those_on_disabled_buses_are_not_used(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    set_string(&tree, "/soc/virtio_mmio@10008000", "status", "disabled");
    set_string(&tree, "/soc/virtio_mmio@10007000", "status", "ok");
    parse_good(&tree);
    assert_int_equal(info.virtio_count, 7);
    tree = load("virt-1");
    set_string(&tree, "/soc", "status", "disabled");
    parse_good(&tree);
    assert_int_equal(info.virtio_count, 0);
    assert_int_equal(info.plic.device.size, 0);
    assert_int_equal(info.harts[0].plic_context, -1);
}

static void addresses_are_translated_through_ranges(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    /* Bus address 0x1000_0000 up is CPU address 0x3_5000_0000 up, in the second of two windows. */
    SET_CELLS(&tree, "/soc", "ranges", 0, 0, 0, 0, 0, 0x10000000, 0, 0x10000000, 3, 0x50000000, 0,
              0x1000);
    parse_good(&tree);
    assert_int_equal(info.uart.device.base, 0x350000000);
    assert_int_equal(info.plic.device.base, 0xc000000);
    assert_int_equal(info.virtio_count, 0);
    assert_int_equal(info.warning_count, 8);
    assert_string_equal(info.warnings[0],
                        "/soc/virtio_mmio@10008000: reg is not mapped by the `ranges` of a "
                        "bus above: device not used");
    check_info();
}

static void ranges_of_nested_buses_add_up(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    add_node(&tree, "/soc", "bus@40000000");
    SET_CELLS(&tree, "/soc/bus@40000000", "#address-cells", 1);
    SET_CELLS(&tree, "/soc/bus@40000000", "#size-cells", 1);
    SET_CELLS(&tree, "/soc/bus@40000000", "ranges", 0x100, 0, 0x40000000, 0x10000);
    add_node(&tree, "/soc/bus@40000000", "serial@200");
    set_string(&tree, "/soc/bus@40000000/serial@200", "compatible", "ns16550");
    SET_CELLS(&tree, "/soc/bus@40000000/serial@200", "reg", 0x200, 0x100);
    set_string(&tree, "/chosen", "stdout-path", "/soc/bus@40000000/serial@200");
    parse_good(&tree);
    assert_int_equal(info.uart.device.base, 0x40000100);
    assert_int_equal(info.uart.device.irq, 0);
    check_info();
}

static void bus_without_ranges_is_not_addressable(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    delete_property(&tree, "/soc", "ranges");
    parse_good(&tree);
    assert_int_equal(info.uart.kind, BOOT_UART_NONE);
    assert_int_equal(info.plic.device.size, 0);
    assert_int_equal(info.warning_count, BOOT_MAX_WARNINGS);
    assert_true(info.warnings_lost > 0);
    check_info();
}

static void interrupt_parent_is_inherited_and_must_be_the_plic(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    const fdt32_t *plic = fdt_getprop(tree.data, node_at(&tree, SERIAL), "interrupt-parent", NULL);
    uint32_t phandle = fdt32_to_cpu(*plic);
    SET_CELLS(&tree, "/", "interrupt-parent", phandle);
    delete_property(&tree, SERIAL, "interrupt-parent");
    SET_CELLS(&tree, "/soc/rtc@101000", "interrupt-parent", phandle + 100);
    SET_CELLS(&tree, "/soc/virtio_mmio@10008000", "interrupts", 97);
    delete_property(&tree, "/soc/virtio_mmio@10007000", "interrupts");
    SET_CELLS(&tree, "/soc/virtio_mmio@10007000", "interrupts-extended", phandle, 55);
    parse_good(&tree);
    assert_int_equal(info.uart.device.irq, 10);
    assert_int_equal(info.rtc.irq, 0);
    assert_int_equal(info.virtio[0].irq, 0);
    assert_int_equal(info.virtio[1].irq, 55);
    assert_warning("/: virtio device at 10008000 has irq 97, the PLIC has 96: none used");
}

static void plic_context_beyond_its_registers_is_not_used(void **state)
{
    (void)state;
    struct tree tree = load("virt-4");
    SET_CELLS(&tree, "/soc/plic@c000000", "reg", 0, 0xc000000, 0, 0x204000);
    parse_good(&tree);
    size_t with_context = 0;
    for (size_t i = 0; i < info.hart_count; i++) {
        with_context += info.harts[i].plic_context >= 0;
    }
    assert_int_equal(with_context, 2);
    assert_int_equal(info.warning_count, 2);
    check_info();
}

static void plic_without_usable_numbers_is_not_used(void **state)
{
    (void)state;
    static const uint32_t numbers[] = { 0, 1024 };
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        struct tree tree = load("virt-1");
        SET_CELLS(&tree, "/soc/plic@c000000", "riscv,ndev", numbers[i]);
        parse_good(&tree);
        assert_int_equal(info.plic.device.size, 0);
        assert_int_equal(info.uart.device.irq, 0);
        check_info();
    }
}

/* --- Structure --- */

/* Sets a 32-bit field of the header. */
static void set_header(struct tree *tree, size_t offset, uint32_t value)
{
    fdt32_t cell = cpu_to_fdt32(value);
    memcpy(tree->data + offset, &cell, sizeof(cell));
}

static void header_that_is_no_device_trees_is_refused(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    set_header(&tree, offsetof(struct fdt_header, magic), 0xdeadbeef);
    parse_refused(&tree, "/: there is no device tree: the magic number is deadbeef");
    tree = load("virt-1");
    set_header(&tree, offsetof(struct fdt_header, version), 16);
    set_header(&tree, offsetof(struct fdt_header, last_comp_version), 16);
    parse_refused(&tree, "/: the device tree has version 16 (compatible with 16), not 17");
    tree = load("virt-1");
    set_header(&tree, offsetof(struct fdt_header, off_dt_struct), fdt_off_dt_struct(tree.data) + 2);
    parse_refused(&tree, "/: the structure or the reservation block is not aligned");
    tree = load("virt-1");
    set_header(&tree, offsetof(struct fdt_header, size_dt_strings), 0xffffff00);
    assert_false(parse(&tree));
    free(tree.data);
}

static void size_in_the_header_is_not_believed_beyond_the_limit(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    uint32_t size = fdt_totalsize(tree.data);
    set_header(&tree, offsetof(struct fdt_header, totalsize), size + 1);
    assert_false(parse_bytes(tree.data, size));
    assert_non_null(strstr(error.text, "is cut off after"));
    set_header(&tree, offsetof(struct fdt_header, totalsize), 0x80000000);
    assert_false(parse_bytes(tree.data, size));
    free(tree.data);
}

static void tree_at_an_odd_address_is_refused(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    size_t size = fdt_totalsize(tree.data);
    memmove(tree.data + 4, tree.data, size);
    assert_false(devicetree_parse(tree.data + 4, size, TREE_ADDRESS, &info, &error));
    assert_string_equal(error.text, "/: the device tree is not aligned to 8 bytes");
    assert_int_equal(devicetree_size(tree.data + 4), size);
    memmove(tree.data + 1, tree.data + 4, size);
    assert_int_equal(devicetree_size(tree.data + 1), size);
    assert_int_equal(devicetree_size(tree.data + 2), 0);
    free(tree.data);
}

static void nodes_nested_too_deep_are_refused(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    char path[256] = "/";
    for (int i = 0; i < 16; i++) {
        add_node(&tree, path, "deep");
        strcat(path, i == 0 ? "deep" : "/deep");
    }
    assert_false(parse(&tree));
    assert_non_null(strstr(error.text, "has nodes nested more than 16 deep"));
    free(tree.data);
}

/* The length makes libfdt's next offset this property again: an endless loop in fdt_check_full()
 * before 1.7. */
static void property_whose_length_wraps_is_refused(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    int offset = fdt_first_property_offset(tree.data, 0);
    assert_true(offset >= 0);
    for (uint32_t length = 0xffffffff; length > 0xfffffff0; length--) {
        set_header(&tree, fdt_off_dt_struct(tree.data) + (size_t)offset + 4, length);
        assert_false(parse(&tree));
        assert_non_null(strstr(error.text, "the structure block is broken or cut off at byte"));
    }
    free(tree.data);
}

static void unprintable_names_are_shown_as_question_marks(void **state)
{
    (void)state;
    struct tree tree = load("virt-1");
    int offset = node_at(&tree, "/memory@80000000");
    char *name = (char *)tree.data + fdt_off_dt_struct(tree.data) + offset + 4;
    name[7] = '\033';
    name[8] = '\n';
    SET_CELLS(&tree, "/memory@\033\n000000", "reg", 0);
    parse_refused(&tree, "/memory@??000000: reg of 4 bytes is not a whole number of entries");
}

/* --- Truncation and damage --- */

/* A tree without free room in it, in a buffer of its own size. */
static struct tree load_packed(const char *name)
{
    struct tree tree = load(name);
    assert_int_equal(fdt_pack(tree.data), 0);
    tree.size = fdt_totalsize(tree.data);
    return tree;
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(tree_names); i++) {
        struct tree tree = load_packed(tree_names[i]);
        assert_true(parse_any(tree.data, tree.size));
        for (size_t size = 0; size < tree.size; size++) {
            assert_false(parse_any(tree.data, size));
        }
        free(tree.data);
    }
}

/* As if the header had been written for what is left: nothing but the contents can tell. */
static void every_truncation_of_a_block_with_a_matching_header_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(tree_names); i++) {
        struct tree tree = load_packed(tree_names[i]);
        uint32_t size = fdt_size_dt_struct(tree.data);
        for (uint32_t cut = 0; cut < size; cut += 4) {
            set_header(&tree, offsetof(struct fdt_header, size_dt_struct), cut);
            assert_false(parse_any(tree.data, tree.size));
        }
        set_header(&tree, offsetof(struct fdt_header, size_dt_struct), size);
        size = fdt_size_dt_strings(tree.data);
        for (uint32_t cut = 0; cut < size; cut++) {
            set_header(&tree, offsetof(struct fdt_header, size_dt_strings), cut);
            set_header(&tree, offsetof(struct fdt_header, totalsize),
                       (uint32_t)tree.size - (size - cut));
            assert_false(parse_any(tree.data, tree.size - (size - cut)));
        }
        free(tree.data);
    }
}

static uint32_t interesting_word(struct host_random *random, const struct tree *tree)
{
    static const uint32_t words[] = { 0,          1,          2,          3,          4,
                                      8,          9,          0xff,       0x7fffffff, 0x80000000,
                                      0xffffffff, 0xfffffff4, 0xfffffff8, 0x10000,    0x1000000 };
    switch (host_random_below(random, 4)) {
    case 0: return (uint32_t)host_random(random);
    case 1: return (uint32_t)host_random_below(random, tree->size + 64);
    default: return words[host_random_below(random, ARRAY_SIZE(words))];
    }
}

/* Changes one thing: a bit, a byte, a word, a header field, or copies a piece over another. */
static void damage(struct host_random *random, struct tree *tree)
{
    size_t at = host_random_below(random, tree->size);
    size_t word_at = at / 4 * 4;
    size_t from = host_random_below(random, tree->size) / 4 * 4;
    size_t length = 4 * (1 + host_random_below(random, 16));
    fdt32_t word = cpu_to_fdt32(interesting_word(random, tree));
    switch (host_random_below(random, 6)) {
    case 0: tree->data[at] ^= (unsigned char)(1u << host_random_below(random, 8)); break;
    case 1: tree->data[at] = (unsigned char)host_random(random); break;
    case 2: memcpy(tree->data + host_random_below(random, 10) * 4, &word, sizeof(word)); break;
    case 3:
        if (from + length <= tree->size && word_at + length <= tree->size) {
            memmove(tree->data + word_at, tree->data + from, length);
        }
        break;
    default:
        if (word_at + 4 <= tree->size) {
            memcpy(tree->data + word_at, &word, sizeof(word));
        }
        break;
    }
}

static void damaged_trees_are_refused_or_give_sound_information(void **state)
{
    (void)state;
    struct host_random random = { .state = 0x4654c };
    size_t accepted = 0;
    size_t total = 0;
    for (size_t i = 0; i < ARRAY_SIZE(tree_names); i++) {
        struct tree tree = load_packed(tree_names[i]);
        struct tree mutant = { .data = malloc(tree.size), .size = tree.size };
        for (int n = 0; n < MUTATIONS; n++) {
            memcpy(mutant.data, tree.data, tree.size);
            size_t changes =
                1 + host_random_below(&random, 1 + host_random_below(&random, MAX_DAMAGE));
            for (size_t change = 0; change < changes; change++) {
                damage(&random, &mutant);
            }
            accepted += parse_any(mutant.data, mutant.size);
            total++;
        }
        free(mutant.data);
        free(tree.data);
    }
    print_message("%zu of %zu damaged trees accepted\n", accepted, total);
    /* The damage must reach all stages: neither is everything refused at the header, nor is nothing
     * noticed. */
    assert_in_range(accepted, total / 20, total * 19 / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tree_of_qemu_virt_is_read_whole),
        cmocka_unit_test(initrd_and_bootargs_are_read_and_the_initrd_is_reserved),
        cmocka_unit_test(adjacent_memory_nodes_become_one_range),
        cmocka_unit_test(tree_of_sifive_u_leaves_the_hart_without_mmu_alone),
        cmocka_unit_test(tree_of_jh7110_is_read_whole),
        cmocka_unit_test(jh7110_has_2_4_or_8_gib),
        cmocka_unit_test(jh7110_hart_0_is_left_alone_whatever_its_mmu_type),
        cmocka_unit_test(jh7110_isa_is_read_in_either_spelling),
        cmocka_unit_test(tree_itself_is_reserved),
        cmocka_unit_test(bytes_beyond_the_trees_own_size_are_not_needed_nor_read),
        cmocka_unit_test(memory_is_sorted_and_trimmed_to_whole_pages),
        cmocka_unit_test(overlapping_memory_counts_once),
        cmocka_unit_test(memory_of_too_many_ranges_is_cut_with_a_warning),
        cmocka_unit_test(memory_that_is_disabled_is_not_used),
        cmocka_unit_test(memory_with_a_reg_of_odd_size_is_refused),
        cmocka_unit_test(memory_beyond_56_bits_is_refused),
        cmocka_unit_test(tree_without_memory_is_refused),
        cmocka_unit_test(bad_cells_of_the_root_are_refused_with_the_node_named),
        cmocka_unit_test(reservations_are_taken_from_both_places),
        cmocka_unit_test(reservation_that_wraps_is_refused),
        cmocka_unit_test(too_many_reservations_are_refused),
        cmocka_unit_test(boot_reserve_takes_whole_pages_and_refuses_nonsense),
        cmocka_unit_test(memory_that_is_reserved_whole_leaves_nothing_free),
        cmocka_unit_test(initrd_may_be_given_in_64_bits),
        cmocka_unit_test(initrd_outside_memory_is_ignored_with_a_warning),
        cmocka_unit_test(half_an_initrd_is_ignored_with_a_warning),
        cmocka_unit_test(bootargs_that_are_too_long_are_cut_with_a_warning),
        cmocka_unit_test(bootargs_without_an_end_are_ignored_with_a_warning),
        cmocka_unit_test(hart_is_used_only_if_enabled_with_mmu_and_isa),
        cmocka_unit_test(isa_in_the_new_spelling_wins_over_the_old),
        cmocka_unit_test(isa_strings_are_read_in_all_spellings),
        cmocka_unit_test(isa_extensions_can_be_hidden_by_name),
        cmocka_unit_test(tree_without_a_usable_hart_is_refused),
        cmocka_unit_test(timebase_may_be_in_the_cpu_nodes_and_must_be_somewhere),
        cmocka_unit_test(harts_beyond_the_limit_are_left_alone_with_a_warning),
        cmocka_unit_test(uart_layout_is_read),
        cmocka_unit_test(uart_that_cannot_be_used_gives_a_warning),
        cmocka_unit_test(stdout_path_selects_the_uart),
        cmocka_unit_test(first_uart_is_used_when_stdout_path_is_of_no_use),
        cmocka_unit_test(alias_that_names_itself_ends),
        cmocka_unit_test(device_that_overlaps_memory_is_not_used),
        cmocka_unit_test(disabled_devices_and_those_on_disabled_buses_are_not_used),
        cmocka_unit_test(addresses_are_translated_through_ranges),
        cmocka_unit_test(ranges_of_nested_buses_add_up),
        cmocka_unit_test(bus_without_ranges_is_not_addressable),
        cmocka_unit_test(interrupt_parent_is_inherited_and_must_be_the_plic),
        cmocka_unit_test(plic_context_beyond_its_registers_is_not_used),
        cmocka_unit_test(plic_without_usable_numbers_is_not_used),
        cmocka_unit_test(header_that_is_no_device_trees_is_refused),
        cmocka_unit_test(size_in_the_header_is_not_believed_beyond_the_limit),
        cmocka_unit_test(tree_at_an_odd_address_is_refused),
        cmocka_unit_test(nodes_nested_too_deep_are_refused),
        cmocka_unit_test(property_whose_length_wraps_is_refused),
        cmocka_unit_test(unprintable_names_are_shown_as_question_marks),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_truncation_of_a_block_with_a_matching_header_is_refused),
        cmocka_unit_test(damaged_trees_are_refused_or_give_sound_information),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
