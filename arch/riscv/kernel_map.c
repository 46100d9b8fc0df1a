/*
 * The kernel's own address space: RAM at the direct map, the image section by section, devices and
 * stacks in the vmap area. W^X holds for physical memory too: what is executable or constant is
 * read-only in the direct map.
 */
#include "arch/csr.h"
#include "arch/internal.h"
#include "arch/offsets.h"
#include "arch/platform.h"
#include "arch/tlb.h"

#include "kernel/assert.h"
#include "kernel/hart.h"
#include "kernel/log.h"
#include "mm/page.h"

struct page_table kernel_page_table;
static paddr_t image_load_address;

static struct {
    struct spinlock lock; /* LOCK_KERNEL_MAP; protects next and the vmap part of the tables */
    vaddr_t next;         /* first address of the vmap area that was never used */
    struct boot_range devices[MAP_DEVICE_MAX]; /* of map_device(): whole pages */
    size_t device_count;
} vmap = { .lock = SPINLOCK_INIT(LOCK_KERNEL_MAP), .next = VMAP_BASE };

void kernel_image_set(paddr_t load_address)
{
    image_load_address = load_address;
}

uintptr_t boot_stack_top(void)
{
    return (uintptr_t)__boot_stack_top;
}

paddr_t image_to_phys(const void *address)
{
    return (paddr_t)((uintptr_t)address - KERNEL_BASE) + image_load_address;
}

paddr_t kernel_to_phys(const void *address, size_t *size)
{
    vaddr_t va = (vaddr_t)address;
    if (va >= KERNEL_BASE) {
        return image_to_phys(address);
    }
    if (va < VMAP_BASE) {
        return virt_to_phys(address);
    }
    size_t in_page = PAGE_SIZE - va % PAGE_SIZE;
    *size = *size < in_page ? *size : in_page;
    paddr_t pa = 0;
    unsigned permissions;
    bool mapped = page_table_query(&kernel_page_table, va, &pa, &permissions);
    ASSERT(mapped);
    return pa;
}

paddr_t kernel_image_start(void)
{
    return image_load_address;
}

paddr_t kernel_image_end(void)
{
    return image_to_phys(__image_end);
}

paddr_t gate_page(void)
{
    return image_to_phys(__gate_page);
}

static void map_or_panic(vaddr_t va, paddr_t pa, size_t size, unsigned permissions)
{
    if (size != 0 && !page_table_map(&kernel_page_table, va, pa, size, permissions | MMU_GLOBAL)) {
        panic("boot: no memory to map %#zx bytes at %#lx", size, (unsigned long)va);
    }
}

static void map_image(const char *start, const char *end, unsigned permissions)
{
    map_or_panic((vaddr_t)start, image_to_phys(start), (size_t)(end - start), permissions);
}

/* Maps a piece of RAM writable, but the read-only part of the image, which is not. */
static void map_direct(paddr_t start, paddr_t end)
{
    paddr_t constant_start = image_load_address;
    paddr_t constant_end = image_to_phys(__rodata_end);
    if (end <= constant_start || constant_end <= start) {
        map_or_panic((vaddr_t)phys_to_virt(start), start, end - start, MMU_READ | MMU_WRITE);
        return;
    }
    if (start < constant_start) {
        map_or_panic((vaddr_t)phys_to_virt(start), start, constant_start - start,
                     MMU_READ | MMU_WRITE);
    }
    map_or_panic((vaddr_t)phys_to_virt(constant_start), constant_start,
                 constant_end - constant_start, MMU_READ);
    if (constant_end < end) {
        map_or_panic((vaddr_t)phys_to_virt(constant_end), constant_end, end - constant_end,
                     MMU_READ | MMU_WRITE);
    }
}

/* Maps a range of RAM but for its no-map reservations, which are sorted and may overlap. */
static void map_memory(const struct boot_info *info, const struct boot_range *range)
{
    paddr_t start = range->start;
    for (size_t i = 0; i < info->reserved_count; i++) {
        const struct boot_reserved *reserved = &info->reserved[i];
        if (!reserved->no_map || reserved->end <= start || reserved->start >= range->end) {
            continue;
        }
        if (reserved->start > start) {
            map_direct(start, reserved->start);
        }
        start = reserved->end;
    }
    if (start < range->end) {
        map_direct(start, range->end);
    }
}

void kernel_map_init(const struct boot_info *info)
{
    if (!page_table_init(&kernel_page_table, NULL, NULL)) {
        panic("boot: no memory for the kernel's page table");
    }
    for (size_t i = 0; i < info->memory_count; i++) {
        map_memory(info, &info->memory[i]);
    }
    map_image(__image_start, __text_end, MMU_READ | MMU_EXEC);
    map_image(__text_end, __rodata_end, MMU_READ);
    map_image(__rodata_end, __boot_stack_guard, MMU_READ | MMU_WRITE);
    map_image(__boot_stack, __image_end, MMU_READ | MMU_WRITE);
    if (!page_table_prepare_roots(&kernel_page_table, VMAP_BASE, VMAP_SIZE)) {
        panic("boot: no memory for the vmap area");
    }
    tlb_space_init(&tlb_kernel_space, kernel_page_table.root);
    satp_write(tlb_kernel_space.satp);
    sfence_all();
    tlb_init_hart();
}

/* Takes addresses from the vmap area, for good, with an unmapped page below. 0: it is full. */
static vaddr_t vmap_take(size_t size)
{
    if (size > VMAP_BASE + VMAP_SIZE - vmap.next - PAGE_SIZE) {
        return 0;
    }
    vaddr_t va = vmap.next + PAGE_SIZE;
    vmap.next = va + size;
    return va;
}

volatile void *map_device(paddr_t address, size_t size)
{
    paddr_t start = ALIGN_DOWN(address, PAGE_SIZE);
    size_t length = ALIGN_UP(address + size, PAGE_SIZE) - start;
    spin_lock(&vmap.lock);
    vaddr_t va = vmap.device_count < MAP_DEVICE_MAX ? vmap_take(length) : 0;
    bool mapped = va != 0 && page_table_map(&kernel_page_table, va, start, length,
                                            MMU_READ | MMU_WRITE | MMU_GLOBAL);
    if (mapped) {
        vmap.devices[vmap.device_count++] = (struct boot_range){ start, start + length };
    }
    spin_unlock(&vmap.lock);
    if (!mapped) {
        return NULL;
    }
    tlb_flush_local(va);
    return (volatile void *)(va + (address - start));
}

bool kernel_uses(paddr_t address, uint64_t size)
{
    paddr_t end = address + size;
    bool used = page_is_managed(address, end);
    spin_lock(&vmap.lock);
    for (size_t i = 0; i < vmap.device_count; i++) {
        used |= address < vmap.devices[i].end && vmap.devices[i].start < end;
    }
    spin_unlock(&vmap.lock);
    return used;
}

uintptr_t map_stack(void)
{
    unsigned order = (unsigned)__builtin_ctzl(HART_STACK_SIZE / PAGE_SIZE);
    struct page *pages = page_alloc(order);
    if (pages == NULL) {
        return 0;
    }
    spin_lock(&vmap.lock);
    vaddr_t va = vmap_take(HART_STACK_SIZE);
    bool mapped = va != 0 && page_table_map(&kernel_page_table, va, page_to_phys(pages),
                                            HART_STACK_SIZE, MMU_READ | MMU_WRITE | MMU_GLOBAL);
    spin_unlock(&vmap.lock);
    if (!mapped) {
        page_free(pages, order);
        return 0;
    }
    return va + HART_STACK_SIZE;
}
