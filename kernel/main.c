/* From the first line of C to the first process: kernel_main() on the boot hart, hart_main() on the
 * others. */
#include <ftl/sandbox_abi.h>

#include "arch/context.h"
#include "arch/errata.h"
#include "arch/hart.h"
#include "arch/platform.h"
#include "arch/timer.h"
#include "arch/tlb.h"

#include "ipc/channel.h"
#include "ipc/futex.h"
#include "ipc/interrupt.h"
#include "ipc/notification.h"
#include "ipc/poll.h"
#include "ipc/timer.h"
#include "kernel/assert.h"
#include "kernel/bootimage.h"
#include "kernel/code.h"
#include "kernel/console.h"
#include "kernel/devicetree.h"
#include "kernel/first_process.h"
#include "kernel/hart.h"
#include "kernel/isa.h"
#include "kernel/kasan.h"
#include "kernel/loader.h"
#include "kernel/log.h"
#include "kernel/process.h"
#include "kernel/string.h"
#include "kernel/system.h"
#include "kernel/thread.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "mm/vmo.h"
#include "mm/vmspace.h"

#define DTB_SIZE_MAX       (2 * MIB)  /* as in kernel.ld */
#define HART_START_TIMEOUT 3000000000 /* ns for all harts together */
#define EMERGENCY_ORDER    1U         /* pages of a hart's emergency stack */

/* Called by boot.S: the hart's id, physical addresses of the DTB and of the image, instructions
 * retired until then. */
_Noreturn void kernel_main(hart_id_t hart, paddr_t dtb, paddr_t load_address,
                           uint64_t instructions);

static struct boot_info boot_info;

/*
 * A tree lies at a multiple of 8 by specification; one that does not is moved to behind the image,
 * where the image's header asks loaders for DTB_SIZE_MAX of room. Returns its address.
 */
static paddr_t align_device_tree(paddr_t dtb)
{
    paddr_t behind = kernel_image_end();
    if (IS_ALIGNED(dtb, sizeof(uint64_t))) {
        return dtb;
    }
    size_t size = devicetree_size(phys_to_virt(dtb));
    memmove(phys_to_virt(behind), phys_to_virt(dtb), size < DTB_SIZE_MAX ? size : DTB_SIZE_MAX);
    return behind;
}

static void parse_device_tree(paddr_t dtb)
{
    struct boot_error error;
    if (dtb >= DIRECT_MAP_SIZE - DTB_SIZE_MAX) {
        panic("boot: the device tree's address %#lx is out of reach", (unsigned long)dtb);
    }
    dtb = align_device_tree(dtb);
    if (!devicetree_parse(phys_to_virt(dtb), DTB_SIZE_MAX, dtb, &boot_info, &error)) {
        panic("boot: device tree refused: %s", error.text);
    }
    for (size_t i = 0; i < boot_info.warning_count; i++) {
        log_line("boot: device tree: %s", boot_info.warnings[i]);
    }
}

/* What the boot arguments make the machine lack, to try how the kernel does without. */
static void hide_features(void)
{
    char names[64];
    if (bootargs_get(boot_info.bootargs, "ftl.sbi.hide", names, sizeof(names))) {
        sbi_hide(names);
    }
    if (bootargs_get(boot_info.bootargs, "ftl.isa.hide", names, sizeof(names))) {
        boot_info.isa_common = isa_without(boot_info.isa_common, names);
    }
    if (bootargs_get(boot_info.bootargs, "ftl.fpu", names, sizeof(names)) &&
        strcmp(names, "always-dirty") == 0) {
        context_fpu_always_dirty();
    }
}

/* Memory beyond the direct map cannot be used. */
static void clip_memory(void)
{
    size_t kept = 0;
    for (size_t i = 0; i < boot_info.memory_count; i++) {
        struct boot_range range = boot_info.memory[i];
        if (range.end > DIRECT_MAP_SIZE) {
            log_line("boot: RAM above %lu GiB is not used", DIRECT_MAP_SIZE >> 30);
            range.end = DIRECT_MAP_SIZE;
        }
        if (range.start < range.end) {
            boot_info.memory[kept++] = range;
        }
    }
    boot_info.memory_count = kept;
}

/* The first free range of at least this size; panics without one. */
static struct boot_range find_free(size_t size)
{
    struct boot_range range;
    paddr_t cursor = 0;
    while (boot_next_free(&boot_info, &cursor, &range)) {
        if (range.end - range.start >= size) {
            range.end = range.start + size;
            return range;
        }
    }
    panic("boot: no %zu bytes of free RAM in one piece", size);
}

static void init_pages(void)
{
    clip_memory();
    if (boot_info.memory_count == 0) {
        panic("boot: no RAM below %lu GiB", DIRECT_MAP_SIZE >> 30);
    }
    paddr_t start = boot_info.memory[0].start;
    paddr_t end = boot_info.memory[boot_info.memory_count - 1].end;
    size_t size = ALIGN_UP(page_array_size(start, end), PAGE_SIZE);
    if (!boot_reserve(&boot_info, kernel_image_start(), kernel_image_end(), false)) {
        panic("boot: too many reserved ranges");
    }
    struct boot_range array = find_free(size);
    if (!boot_reserve(&boot_info, array.start, array.end, false)) {
        panic("boot: too many reserved ranges");
    }
    size_t shadow_size = kasan_shadow_size(start, end);
    if (shadow_size != 0) {
        struct boot_range shadow = find_free(shadow_size);
        if (!boot_reserve(&boot_info, shadow.start, shadow.end, false)) {
            panic("boot: too many reserved ranges");
        }
        kasan_init(start, end, phys_to_virt(shadow.start));
    }
    page_init(start, end, phys_to_virt(array.start));
    struct boot_range range;
    paddr_t cursor = 0;
    while (boot_next_free(&boot_info, &cursor, &range)) {
        page_add_free(range.start, range.end);
    }
}

static void init_objects(void)
{
    vmo_init();
    vmspace_init();
    process_init();
    thread_init();
    futex_init();
    notification_init();
    timer_object_init();
    poll_init();
    channel_init();
    interrupt_init();
    code_init();
}

static uintptr_t emergency_stack(void)
{
    struct page *pages = page_alloc(EMERGENCY_ORDER);
    return pages == NULL ? 0 : (uintptr_t)page_to_virt(pages) + (PAGE_SIZE << EMERGENCY_ORDER);
}

/* The boot hart is harts[0]; the others follow in the device tree's order. */
static void init_harts(void)
{
    hart_id_t boot_hart = harts[0].arch.id;
    bool boot_hart_usable = false;
    hart_count = 1;
    for (size_t i = 0; i < boot_info.hart_count; i++) {
        const struct boot_hart *info = &boot_info.harts[i];
        boot_hart_usable |= info->id == boot_hart;
        struct hart *hart = &harts[info->id == boot_hart ? 0 : hart_count++];
        hart->arch.index = (unsigned)(hart - harts);
        hart->arch.id = info->id;
        hart->arch.plic_context = info->plic_context;
        if (hart != &harts[0]) {
            hart->arch.stack_top = map_stack();
        }
        hart->arch.emergency_top = emergency_stack();
        if (hart->arch.stack_top == 0 || hart->arch.emergency_top == 0) {
            panic("boot: no memory for the stacks of hart %u", info->id);
        }
        sched_init_hart(hart);
    }
    if (!boot_hart_usable) {
        panic("boot: the device tree does not list boot hart %u as usable", boot_hart);
    }
}

static uint32_t common_isa(void)
{
    uint32_t isa = 0;
    isa |= (boot_info.isa_common & BOOT_ISA_ZBA) != 0 ? FTL_ISA_ZBA : 0;
    isa |= (boot_info.isa_common & BOOT_ISA_ZBB) != 0 ? FTL_ISA_ZBB : 0;
    return isa;
}

static _Noreturn void enter_scheduler(void)
{
    hart_self()->run_start = time_now();
    context_resume(sched_resume());
}

void hart_main(unsigned index)
{
    trap_init_hart();
    errata_init_hart();
    plic_init_hart();
    log_line("hart %u: online", harts[index].arch.id);
    __atomic_store_n(&hart_self()->online, true, __ATOMIC_RELEASE);
    hart_ipi(&harts[0], IPI_RESCHEDULE); /* it waits for this hart */
    enter_scheduler();
}

static void start_time_over(struct timer *timer)
{
    (void)timer; /* the interrupt is all that is wanted */
}

/*
 * Sleeps, so that the wait costs an emulator that runs all harts in turn no time. False when time
 * is up.
 */
static bool wait_for_hart(const struct hart *hart, nsec_t deadline)
{
    struct timer timer = { .expire = start_time_over };
    while (!__atomic_load_n(&hart->online, __ATOMIC_ACQUIRE)) {
        if (time_now() > deadline) {
            return false;
        }
        sched_add_timer(&timer, deadline);
        hart_wait_for_interrupt();
        timer_cancel(&timer);
    }
    return true;
}

/* Once the harts have started. The boot argument `ftl.asid_bits=N` has ids be fewer; 0: none. */
static void init_address_space_ids(void)
{
    char value[16];
    uint64_t bits = TLB_ID_BITS_MAX;
    if (bootargs_get(boot_info.bootargs, "ftl.asid_bits", value, sizeof(value)) &&
        (!text_parse_size((struct text){ value, strlen(value) }, &bits) ||
         bits > TLB_ID_BITS_MAX)) {
        log_line("boot: ftl.asid_bits is '%s': not a number up to %u", value, TLB_ID_BITS_MAX);
        bits = TLB_ID_BITS_MAX;
    }
    uint64_t count = tlb_init_ids((unsigned)bits);
    log_line("boot: %lu ids of address spaces (ASIDs)", count);
}

/*
 * Starts the others and waits until they are there; one that firmware promised but that never comes
 * is left out.
 */
static void start_other_harts(void)
{
    uint64_t started = 0;
    for (unsigned i = 1; i < hart_count; i++) {
        started |= (uint64_t)hart_start(i) << i;
    }
    nsec_t deadline = time_now() + HART_START_TIMEOUT;
    for (unsigned i = 1; i < hart_count; i++) {
        if ((started >> i & 1) != 0 && !wait_for_hart(&harts[i], deadline)) {
            log_line("hart %u: did not start in time", harts[i].arch.id);
        }
    }
}

#ifndef FTL_RELEASE
/* Goes deeper until the stack is full. */
static __attribute__((noinline)) unsigned overflow_stack(unsigned depth)
{
    volatile unsigned char frame[256] = { 0 };
    frame[depth % sizeof(frame)] = 1;
    return depth == UINT32_MAX ? 0 : overflow_stack(depth + 1) + frame[0];
}

/* The boot argument `ftl.test=panic`, `=fault`, `=overflow` or, in builds that find it,
 * `=undefined` or `=kasan-...` (kasan_test.c) shows what a panic looks like. */
static void run_boot_test(void)
{
    char value[32];
    if (!bootargs_get(boot_info.bootargs, "ftl.test", value, sizeof(value))) {
        return;
    }
    if (strcmp(value, "panic") == 0) {
        panic("asked for by the boot argument ftl.test");
    } else if (strcmp(value, "fault") == 0) {
        *(volatile unsigned char *)VMAP_BASE =
            1; /* the guard page of the first stack or device there */
    } else if (strcmp(value, "overflow") == 0) {
        log_line("boot: depth %u", overflow_stack(0));
    } else if (strcmp(value, "undefined") == 0) {
        log_line("boot: shifted to %d", 1 << (strlen(value) * 4)); /* by 36 */
    } else if (kasan_test(value)) {
        log_line("boot: the address sanitizer has not found %s", value);
    }
}
#endif

void kernel_main(hart_id_t hart, paddr_t dtb, paddr_t load_address, uint64_t instructions)
{
    kernel_image_set(load_address);
    harts[0].arch.id = hart;
    harts[0].arch.stack_top = boot_stack_top();
    harts[0].arch.emergency_top = boot_stack_top();
    harts[0].arch.plic_context = -1;
    trap_init_hart();
    log_line("FTL on hart %u, image at %#lx, device tree at %#lx", hart,
             (unsigned long)load_address, (unsigned long)dtb);
    sbi_init();
    parse_device_tree(dtb);
    hide_features();
    errata_init_hart();
    timer_init(boot_info.timebase_frequency, (boot_info.isa_common & BOOT_ISA_SSTC) != 0);
    init_pages();
    slab_init();
    kernel_map_init(&boot_info);
    console_init(&boot_info);
    power_init(&boot_info);
    plic_init(&boot_info);
    init_harts();
    plic_init_hart();
    init_objects();
    loader_init(common_isa());
    log_line("boot: %u harts, %zu MiB of RAM free, boot arguments \"%s\"", hart_count,
             page_free_count() * PAGE_SIZE / MIB, boot_info.bootargs);
    system_init(instructions);
    harts[0].online = true;
    start_other_harts();
    init_address_space_ids();
    console_enable_input(&boot_info);
#ifndef FTL_RELEASE
    run_boot_test();
#endif
    first_process_start(&boot_info);
    enter_scheduler();
}
