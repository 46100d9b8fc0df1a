/*
 * What the nodes of a device tree mean to the kernel: memory, reservations, harts, the boot
 * arguments and the devices it drives itself. See devicetree_internal.h for how it works with the
 * walk.
 */
#include "kernel/devicetree_internal.h"
#include "kernel/isa.h"
#include "kernel/log.h"

#include <libfdt.h>
#include <string.h>

#define IRQ_S_EXTERNAL 9 /* supervisor external interrupt (Privileged Architecture, table 22) */

/* Least sizes of register blocks, up to the last register used. */
#define UART_REGISTERS       8u    /* of a 16550, each 1 << reg-shift bytes */
#define UART_SIFIVE_SIZE     0x1cu /* up to div */
#define TEST_FINISHER_SIZE   4u
#define RTC_SIZE             0x20u
#define VIRTIO_SIZE          0x100u    /* up to the configuration space (virtio 1.2, 4.2.2) */
#define PLIC_CONTEXTS_OFFSET 0x200000u /* RISC-V PLIC specification 1.0, memory map */
#define PLIC_CONTEXT_SIZE    0x1000u
#define PLIC_MAX_SOURCES     1023u

/* --- Memory --- */

static bool visit_memory(struct dt_parser *parser)
{
    struct dt_value reg = parser->values[DT_REG];
    for (;;) {
        paddr_t start;
        uint64_t size;
        enum dt_reg_status status = dt_next_reg(parser, &reg, &start, &size);
        if (status == DT_REG_END) {
            return true;
        }
        if (status != DT_REG_OK) {
            return dt_fail(parser, "reg of %u bytes %s", parser->values[DT_REG].size,
                           dt_reg_text(status));
        }
        if (size != 0 && !boot_add_memory(parser->info, start, start + size)) {
            dt_warn(parser, "there are more than %d ranges of memory: one is not used",
                    BOOT_MAX_MEMORY);
        }
    }
}

/* A child of /reserved-memory; without `reg` it asks for memory anywhere, which is not for us to
 * give. */
static bool visit_reservation(struct dt_parser *parser)
{
    struct dt_value reg = parser->values[DT_REG];
    for (;;) {
        paddr_t start;
        uint64_t size;
        enum dt_reg_status status = dt_next_reg(parser, &reg, &start, &size);
        if (status == DT_REG_END || reg.data == NULL) {
            return true;
        }
        if (status != DT_REG_OK) {
            return dt_fail(parser, "reg of %u bytes %s", parser->values[DT_REG].size,
                           dt_reg_text(status));
        }
        if (!boot_reserve(parser->info, start, start + size, dt_has(parser, DT_NO_MAP))) {
            return dt_fail(parser, "there are more than %d reserved ranges", BOOT_MAX_RESERVED);
        }
    }
}

/* --- /chosen and /aliases --- */

static void copy_bootargs(struct dt_parser *parser)
{
    struct dt_value value = parser->values[DT_BOOTARGS];
    size_t size;
    const char *text = dt_next_string(&value, &size);
    if (text == NULL) {
        if (dt_has(parser, DT_BOOTARGS)) {
            dt_warn(parser, "bootargs has no end: ignored");
        }
        return;
    }
    if (size >= BOOT_ARGS_SIZE) {
        dt_warn(parser, "bootargs has %zu bytes, cut to %d", size, BOOT_ARGS_SIZE - 1);
        size = BOOT_ARGS_SIZE - 1;
    }
    memcpy(parser->info->bootargs, text, size);
    parser->info->bootargs[size] = '\0';
}

static void get_initrd(struct dt_parser *parser)
{
    struct boot_range *initrd = &parser->info->initrd;
    bool has_start = dt_get_u64(parser, DT_INITRD_START, &initrd->start);
    bool has_end = dt_get_u64(parser, DT_INITRD_END, &initrd->end);
    if (has_start != has_end) {
        dt_warn(parser, "only one of linux,initrd-start and linux,initrd-end is there: no initrd");
    }
    if (!has_start || !has_end) {
        *initrd = (struct boot_range){ 0 };
    }
}

static bool visit_chosen(struct dt_parser *parser)
{
    copy_bootargs(parser);
    get_initrd(parser);
    parser->stdout_path = parser->values[DT_STDOUT_PATH];
    return true;
}

static bool visit_aliases(struct dt_parser *parser)
{
    parser->aliases_offset = dt_current(parser)->offset;
    return true;
}

/* --- Harts --- */

static bool visit_cpus(struct dt_parser *parser)
{
    dt_get_u64(parser, DT_TIMEBASE_FREQUENCY, &parser->info->timebase_frequency);
    return true;
}

/*
 * Returns the BOOT_ISA_ bits, by the new pair of properties when it is there, else by the old one.
 */
static uint32_t get_isa(const struct dt_parser *parser)
{
    struct dt_value list = parser->values[DT_ISA];
    size_t size;
    const char *text;
    if (!dt_has(parser, DT_ISA_EXTENSIONS)) {
        text = dt_next_string(&list, &size);
        return text != NULL ? isa_parse_string(text, size) : 0;
    }
    if (!dt_value_is(parser->values[DT_ISA_BASE], "rv64i")) {
        return 0;
    }
    uint32_t isa = BOOT_ISA_I;
    list = parser->values[DT_ISA_EXTENSIONS];
    while ((text = dt_next_string(&list, &size)) != NULL) {
        isa |= isa_parse_extension(text, size);
    }
    return isa;
}

/* Sv48 and Sv57 imply Sv39 (Privileged Architecture, 12.5 and 12.6). */
static bool has_sv39(const struct dt_parser *parser)
{
    struct dt_value type = parser->values[DT_MMU_TYPE];
    return dt_value_is(type, "riscv,sv39") || dt_value_is(type, "riscv,sv48") ||
           dt_value_is(type, "riscv,sv57");
}

/* Reads a cpu's hart id: its `reg`, an address without a size. */
static bool get_hart_id(struct dt_parser *parser, hart_id_t *id)
{
    struct dt_value reg = parser->values[DT_REG];
    uint32_t cells = dt_parent(parser)->address_cells;
    if (cells == 0 || cells > 2 || reg.data == NULL || reg.size != cells * sizeof(fdt32_t)) {
        dt_warn(parser, "reg is not one address of #address-cells: hart not used");
        return false;
    }
    uint64_t number = dt_take_cells(&reg, cells);
    if (number > UINT32_MAX) {
        dt_warn(parser, "reg is no hart id: hart not used");
        return false;
    }
    *id = (hart_id_t)number;
    for (size_t i = 0; i < parser->info->hart_count; i++) {
        if (parser->info->harts[i].id == *id) {
            dt_warn(parser, "hart id %u is there twice", *id);
            return false;
        }
    }
    return true;
}

static bool visit_cpu(struct dt_parser *parser)
{
    struct boot_info *info = parser->info;
    parser->cpu_nodes++;
    if (info->timebase_frequency == 0) {
        dt_get_u64(parser, DT_TIMEBASE_FREQUENCY, &info->timebase_frequency);
    }
    hart_id_t id;
    if (!has_sv39(parser) || !get_hart_id(parser, &id)) {
        return true;
    }
    uint32_t isa = get_isa(parser);
    if ((isa & BOOT_ISA_REQUIRED) != BOOT_ISA_REQUIRED) {
        dt_warn(parser, "its ISA is not known to be rv64imac: hart not used");
        return true;
    }
    if (info->hart_count == MAX_HARTS) {
        dt_warn(parser, "there are more than %d harts: hart %u not used", MAX_HARTS, id);
        return true;
    }
    dt_current(parser)->hart = info->hart_count;
    info->harts[info->hart_count++] =
        (struct boot_hart){ .id = id, .isa = isa, .plic_context = -1 };
    return true;
}

/* A hart's own interrupt controller, whose phandle the PLIC names it by. */
static bool visit_cpu_intc(struct dt_parser *parser)
{
    size_t hart = dt_parent(parser)->hart;
    uint32_t cells = 0;
    if (hart < MAX_HARTS && dt_get_u32(parser, DT_INTERRUPT_CELLS, &cells) && cells == 1) {
        dt_get_u32(parser, DT_PHANDLE, &parser->intc_phandles[hart]);
    }
    return true;
}

/* --- Devices --- */

/* Reads the first interrupt: a cell for `interrupt-parent`, or a phandle and a cell. */
static void get_irq(struct dt_parser *parser, uint32_t *irq, uint32_t *irq_parent)
{
    struct dt_value extended = parser->values[DT_INTERRUPTS_EXTENDED];
    struct dt_value plain = parser->values[DT_INTERRUPTS];
    *irq = 0;
    *irq_parent = 0;
    if (extended.data != NULL && extended.size >= 2 * sizeof(fdt32_t)) {
        *irq_parent = (uint32_t)dt_take_cells(&extended, 1);
        *irq = (uint32_t)dt_take_cells(&extended, 1);
    } else if (plain.data != NULL && plain.size >= sizeof(fdt32_t)) {
        *irq_parent = dt_current(parser)->interrupt_parent;
        *irq = (uint32_t)dt_take_cells(&plain, 1);
    }
}

/* Reads the first register block and interrupt. Returns false, with a warning, when they are of no
 * use. */
static bool get_device(struct dt_parser *parser, uint64_t min_size, struct boot_device *device,
                       uint32_t *irq_parent)
{
    struct dt_value reg = parser->values[DT_REG];
    enum dt_reg_status status = dt_next_reg(parser, &reg, &device->base, &device->size);
    if (status != DT_REG_OK) {
        dt_warn(parser, "reg %s: device not used", dt_reg_text(status));
        return false;
    }
    if (device->size < min_size) {
        dt_warn(parser, "reg has room for %llu bytes of registers, not %llu: device not used",
                (unsigned long long)device->size, (unsigned long long)min_size);
        return false;
    }
    get_irq(parser, &device->irq, irq_parent);
    return true;
}

/* Reads how the registers of a 16550-like UART are laid out (bindings/serial/8250.yaml). */
static bool get_uart_layout(struct dt_parser *parser, struct boot_uart *uart)
{
    uart->reg_width = 1;
    dt_get_u32(parser, DT_REG_SHIFT, &uart->reg_shift);
    dt_get_u32(parser, DT_REG_IO_WIDTH, &uart->reg_width);
    dt_get_u32(parser, DT_REG_OFFSET, &uart->reg_offset);
    if (uart->reg_shift > 3) {
        dt_warn(parser, "reg-shift is %u, not 0 to 3: device not used", uart->reg_shift);
        return false;
    }
    if (uart->reg_width != 1 && uart->reg_width != 2 && uart->reg_width != 4) {
        dt_warn(parser, "reg-io-width is %u, not 1, 2 or 4: device not used", uart->reg_width);
        return false;
    }
    if (uart->reg_width > 1u << uart->reg_shift) {
        dt_warn(parser, "registers of %u bytes are %u bytes apart: device not used",
                uart->reg_width, 1u << uart->reg_shift);
        return false;
    }
    return true;
}

static void visit_uart(struct dt_parser *parser, enum boot_uart_kind kind)
{
    struct dt_uart uart = { .uart.kind = kind, .offset = dt_current(parser)->offset };
    uint64_t min_size = UART_SIFIVE_SIZE;
    if (kind == BOOT_UART_SIFIVE) {
        uart.uart.reg_shift = 2;
        uart.uart.reg_width = 4;
    } else {
        if (!get_uart_layout(parser, &uart.uart)) {
            return;
        }
        min_size = (uint64_t)uart.uart.reg_offset + (UART_REGISTERS << uart.uart.reg_shift);
    }
    if (!get_device(parser, min_size, &uart.uart.device, &uart.irq_parent)) {
        return;
    }
    dt_get_u32(parser, DT_CLOCK_FREQUENCY, &uart.uart.clock);
    dt_get_u32(parser, DT_CURRENT_SPEED, &uart.uart.speed);
    if (parser->uart_count < DT_MAX_UARTS) {
        parser->uarts[parser->uart_count++] = uart;
    }
}

static void visit_plic(struct dt_parser *parser, enum boot_uart_kind none)
{
    (void)none;
    struct boot_plic plic = { 0 };
    uint32_t irq_parent;
    uint32_t cells = 0;
    if (parser->info->plic.device.size != 0) {
        dt_warn(parser, "is a second PLIC: not used");
        return;
    }
    if (!get_device(parser, PLIC_CONTEXTS_OFFSET + PLIC_CONTEXT_SIZE, &plic.device, &irq_parent)) {
        return;
    }
    plic.device.irq = 0;
    if (!dt_get_u32(parser, DT_NDEV, &plic.sources) || plic.sources == 0 ||
        plic.sources > PLIC_MAX_SOURCES) {
        dt_warn(parser, "riscv,ndev is not there or not 1 to %u: device not used",
                PLIC_MAX_SOURCES);
        return;
    }
    if (!dt_get_u32(parser, DT_INTERRUPT_CELLS, &cells) || cells != 1) {
        dt_warn(parser, "#interrupt-cells is not 1: device not used");
        return;
    }
    dt_get_u32(parser, DT_PHANDLE, &parser->plic_phandle);
    parser->plic_contexts = parser->values[DT_INTERRUPTS_EXTENDED];
    parser->info->plic = plic;
}

static void visit_test_finisher(struct dt_parser *parser, enum boot_uart_kind none)
{
    (void)none;
    struct boot_device device;
    uint32_t irq_parent;
    if (get_device(parser, TEST_FINISHER_SIZE, &device, &irq_parent)) {
        device.irq = 0;
        parser->info->test_finisher = device;
    }
}

static void visit_rtc(struct dt_parser *parser, enum boot_uart_kind none)
{
    (void)none;
    struct boot_device device;
    if (get_device(parser, RTC_SIZE, &device, &parser->rtc_irq_parent)) {
        parser->info->rtc = device;
    }
}

static void visit_virtio(struct dt_parser *parser, enum boot_uart_kind none)
{
    (void)none;
    struct boot_info *info = parser->info;
    size_t i = info->virtio_count;
    if (i == BOOT_MAX_VIRTIO) {
        dt_warn(parser, "there are more than %d virtio devices: not used", BOOT_MAX_VIRTIO);
        return;
    }
    struct boot_device device;
    if (get_device(parser, VIRTIO_SIZE, &device, &parser->virtio_irq_parents[i])) {
        info->virtio[i] = device;
        info->virtio_count++;
    }
}

static const struct {
    const char *compatible;
    void (*visit)(struct dt_parser *parser, enum boot_uart_kind kind);
    enum boot_uart_kind kind;
} devices[] = {
    { "ns16550a", visit_uart, BOOT_UART_NS16550A },
    { "ns16550", visit_uart, BOOT_UART_NS16550A },
    { "snps,dw-apb-uart", visit_uart, BOOT_UART_DW_APB },
    { "sifive,uart0", visit_uart, BOOT_UART_SIFIVE },
    { "sifive,plic-1.0.0", visit_plic, BOOT_UART_NONE },
    { "riscv,plic0", visit_plic, BOOT_UART_NONE },
    { "starfive,jh7110-plic", visit_plic, BOOT_UART_NONE },
    { "thead,c900-plic", visit_plic, BOOT_UART_NONE },
    { "sifive,test1", visit_test_finisher, BOOT_UART_NONE },
    { "sifive,test0", visit_test_finisher, BOOT_UART_NONE },
    { "google,goldfish-rtc", visit_rtc, BOOT_UART_NONE },
    { "virtio,mmio", visit_virtio, BOOT_UART_NONE },
};

/* `compatible` goes from the most to the least specific: the first name we know decides. */
static bool visit_other(struct dt_parser *parser)
{
    struct dt_value list = parser->values[DT_COMPATIBLE];
    size_t size;
    const char *name;
    while ((name = dt_next_string(&list, &size)) != NULL) {
        for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
            if (strcmp(devices[i].compatible, name) == 0) {
                devices[i].visit(parser, devices[i].kind);
                return true;
            }
        }
    }
    return true;
}

/* --- What a node is --- */

/* Compares a node's name less its unit address. */
static bool is_named(const struct dt_node *node, const char *name)
{
    size_t size = strlen(name);
    return strncmp(node->name, name, size) == 0 &&
           (node->name[size] == '\0' || node->name[size] == '@');
}

static enum dt_role root_child_role(const struct dt_parser *parser, const struct dt_node *node)
{
    static const struct {
        const char *name;
        enum dt_role role;
    } roles[] = {
        { "aliases", DT_ROLE_ALIASES },
        { "chosen", DT_ROLE_CHOSEN },
        { "cpus", DT_ROLE_CPUS },
        { "reserved-memory", DT_ROLE_RESERVED_MEMORY },
    };
    for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
        if (is_named(node, roles[i].name)) {
            return roles[i].role;
        }
    }
    bool memory = dt_value_is(parser->values[DT_DEVICE_TYPE], "memory") || is_named(node, "memory");
    return memory ? DT_ROLE_MEMORY : DT_ROLE_OTHER;
}

static enum dt_role get_role(struct dt_parser *parser)
{
    const struct dt_node *node = dt_current(parser);
    const struct dt_node *parent = dt_parent(parser);
    if (parent == NULL) {
        return DT_ROLE_ROOT;
    }
    switch (parent->role) {
    case DT_ROLE_ROOT: return root_child_role(parser, node);
    case DT_ROLE_CPUS: return is_named(node, "cpu") ? DT_ROLE_CPU : DT_ROLE_OTHER;
    case DT_ROLE_CPU:
        return is_named(node, "interrupt-controller") ? DT_ROLE_CPU_INTC : DT_ROLE_OTHER;
    case DT_ROLE_RESERVED_MEMORY: return DT_ROLE_RESERVATION;
    default: return DT_ROLE_OTHER;
    }
}

bool devicetree_visit(struct dt_parser *parser)
{
    static bool (*const visit[DT_ROLE_COUNT])(struct dt_parser *parser) = {
        [DT_ROLE_OTHER] = visit_other,       [DT_ROLE_ALIASES] = visit_aliases,
        [DT_ROLE_CHOSEN] = visit_chosen,     [DT_ROLE_MEMORY] = visit_memory,
        [DT_ROLE_CPUS] = visit_cpus,         [DT_ROLE_CPU] = visit_cpu,
        [DT_ROLE_CPU_INTC] = visit_cpu_intc, [DT_ROLE_RESERVATION] = visit_reservation,
    };
    struct dt_node *node = dt_current(parser);
    node->role = get_role(parser);
    if (node->role == DT_ROLE_RESERVED_MEMORY && node->ranges.data == NULL) {
        /* It must have an empty `ranges`; where it is forgotten, what it protects is no less in
         * use. */
        node->ranges = (struct dt_value){ .data = "", .size = 0 };
    }
    if (!node->enabled || visit[node->role] == NULL) {
        return true;
    }
    return visit[node->role](parser);
}

/* --- What depends on the whole tree --- */

/* Trims the ranges of RAM to whole pages, and drops those that have none. */
static bool finish_memory(struct dt_parser *parser)
{
    struct boot_info *info = parser->info;
    size_t kept = 0;
    for (size_t i = 0; i < info->memory_count; i++) {
        struct boot_range range = {
            .start = ALIGN_UP(info->memory[i].start, PAGE_SIZE),
            .end = ALIGN_DOWN(info->memory[i].end, PAGE_SIZE),
        };
        if (range.start < range.end) {
            info->memory[kept++] = range;
        }
    }
    info->memory_count = kept;
    return kept > 0 ||
           dt_fail(parser, "there is no enabled memory node with a reg of a page or more");
}

static bool finish_initrd(struct dt_parser *parser)
{
    struct boot_info *info = parser->info;
    struct boot_range *initrd = &info->initrd;
    if (initrd->start == initrd->end) {
        *initrd = (struct boot_range){ 0 };
        return true;
    }
    if (!boot_is_memory(info, initrd->start, initrd->end)) {
        dt_warn(parser, "initrd %llx-%llx is not within memory: ignored",
                (unsigned long long)initrd->start, (unsigned long long)initrd->end);
        *initrd = (struct boot_range){ 0 };
        return true;
    }
    return boot_reserve(info, initrd->start, initrd->end, false) ||
           dt_fail(parser, "there are more than %d reserved ranges", BOOT_MAX_RESERVED);
}

static bool finish_harts(struct dt_parser *parser)
{
    struct boot_info *info = parser->info;
    if (info->hart_count == 0) {
        return dt_fail(parser, "none of %zu cpu nodes is enabled, rv64imac and has an mmu-type",
                       parser->cpu_nodes);
    }
    if (info->timebase_frequency == 0) {
        return dt_fail(parser, "timebase-frequency is missing or 0 in /cpus and in the cpu nodes");
    }
    info->isa_common = info->harts[0].isa;
    for (size_t i = 1; i < info->hart_count; i++) {
        info->isa_common &= info->harts[i].isa;
    }
    return true;
}

/* Registers that overlap RAM are a lie: a driver's stores would change somebody's memory. */
static void check_registers(struct dt_parser *parser, struct boot_device *device, const char *what)
{
    const struct boot_info *info = parser->info;
    for (size_t i = 0; i < info->memory_count; i++) {
        if (device->base < info->memory[i].end &&
            info->memory[i].start < device->base + device->size) {
            dt_warn(parser, "%s at %llx overlaps memory: device not used", what,
                    (unsigned long long)device->base);
            device->size = 0;
            return;
        }
    }
}

/* Keeps the irq only if it is one of the PLIC. */
static void check_irq(struct dt_parser *parser, struct boot_device *device, uint32_t irq_parent,
                      const char *what)
{
    const struct boot_plic *plic = &parser->info->plic;
    if (device->irq == 0) {
        return;
    }
    if (plic->device.size == 0 || irq_parent == 0 || irq_parent != parser->plic_phandle) {
        device->irq = 0;
    } else if (device->irq > plic->sources) {
        dt_warn(parser, "%s at %llx has irq %u, the PLIC has %u: none used", what,
                (unsigned long long)device->base, device->irq, plic->sources);
        device->irq = 0;
    }
}

/* A context is an entry of the PLIC's interrupts-extended, in order: <phandle of a hart's
 * controller, irq>. */
static void finish_plic(struct dt_parser *parser)
{
    struct boot_info *info = parser->info;
    struct dt_value contexts = parser->plic_contexts;
    check_registers(parser, &info->plic.device, "PLIC");
    if (info->plic.device.size == 0 || contexts.data == NULL) {
        return;
    }
    uint64_t room = (info->plic.device.size - PLIC_CONTEXTS_OFFSET) / PLIC_CONTEXT_SIZE;
    for (int32_t context = 0; contexts.size >= 2 * sizeof(fdt32_t); context++) {
        uint32_t phandle = (uint32_t)dt_take_cells(&contexts, 1);
        uint32_t irq = (uint32_t)dt_take_cells(&contexts, 1);
        for (size_t i = 0; irq == IRQ_S_EXTERNAL && i < info->hart_count; i++) {
            if (phandle == 0 || phandle != parser->intc_phandles[i]) {
                continue;
            }
            if ((uint64_t)context >= room) {
                dt_warn(parser, "PLIC context %d of hart %u is beyond its registers: not used",
                        context, info->harts[i].id);
                continue;
            }
            info->harts[i].plic_context = context;
        }
    }
}

static void finish_virtio(struct dt_parser *parser)
{
    struct boot_info *info = parser->info;
    size_t kept = 0;
    for (size_t i = 0; i < info->virtio_count; i++) {
        struct boot_device device = info->virtio[i];
        check_registers(parser, &device, "virtio device");
        check_irq(parser, &device, parser->virtio_irq_parents[i], "virtio device");
        if (device.size != 0) {
            info->virtio[kept++] = device;
        }
    }
    info->virtio_count = kept;
}

/* Reads the decimal number that the options after a ':' start with; 0: none. */
static uint32_t parse_speed(const char *text, size_t size)
{
    uint64_t speed = 0;
    for (size_t i = 0; i < size && text[i] >= '0' && text[i] <= '9' && speed <= UINT32_MAX; i++) {
        speed = speed * 10 + (uint64_t)(text[i] - '0');
    }
    return speed <= UINT32_MAX ? (uint32_t)speed : 0;
}

/*
 * Returns the offset of the node that stdout-path names, or a negative error. An alias must be a
 * path itself: libfdt before 1.7 follows an alias that names itself without end.
 */
static int find_stdout(struct dt_parser *parser, uint32_t *speed)
{
    struct dt_value value = parser->stdout_path;
    size_t size;
    const char *path = dt_next_string(&value, &size);
    if (path == NULL) {
        return -FDT_ERR_BADPATH;
    }
    const char *colon = memchr(path, ':', size);
    if (colon != NULL) {
        *speed = parse_speed(colon + 1, size - (size_t)(colon + 1 - path));
        size = (size_t)(colon - path);
    }
    if (size > 0 && path[0] != '/' && parser->aliases_offset >= 0) {
        int alias_size;
        value.data =
            fdt_getprop_namelen(parser->dtb, parser->aliases_offset, path, (int)size, &alias_size);
        value.size = value.data != NULL ? (uint32_t)alias_size : 0;
        path = dt_next_string(&value, &size);
    }
    if (path == NULL || size == 0 || path[0] != '/') {
        return -FDT_ERR_BADPATH;
    }
    return fdt_path_offset_namelen(parser->dtb, path, (int)size);
}

/*
 * Drops the UARTs that cannot be used, then takes the one that stdout-path names, else the first.
 */
static void finish_uart(struct dt_parser *parser)
{
    uint32_t speed = 0;
    int stdout_offset = find_stdout(parser, &speed);
    const struct dt_uart *chosen = NULL;
    bool named = false;
    for (size_t i = 0; i < parser->uart_count; i++) {
        struct dt_uart *uart = &parser->uarts[i];
        check_registers(parser, &uart->uart.device, "UART");
        if (uart->uart.device.size != 0 && (chosen == NULL || uart->offset == stdout_offset)) {
            chosen = uart;
            named = uart->offset == stdout_offset;
        }
    }
    if (chosen == NULL) {
        dt_warn(parser, "there is no UART of a known kind");
        return;
    }
    parser->info->uart = chosen->uart;
    check_irq(parser, &parser->info->uart.device, chosen->irq_parent, "UART");
    if (named) {
        parser->info->uart.speed = speed != 0 ? speed : chosen->uart.speed;
    } else if (parser->stdout_path.data != NULL) {
        dt_warn(parser, "stdout-path names no UART of a known kind: the first one is used");
    }
}

bool devicetree_finish(struct dt_parser *parser)
{
    if (!finish_memory(parser) || !finish_initrd(parser) || !finish_harts(parser)) {
        return false;
    }
    finish_plic(parser);
    finish_uart(parser);
    finish_virtio(parser);
    check_registers(parser, &parser->info->test_finisher, "test finisher");
    check_registers(parser, &parser->info->rtc, "RTC");
    check_irq(parser, &parser->info->rtc, parser->rtc_irq_parent, "RTC");
    return true;
}
