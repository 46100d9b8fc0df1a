/* Harts: starting them through SBI HSM, inter-processor interrupts, stopping. See arch/hart.h. */
#include "arch/hart.h"

#include "arch/csr.h"
#include "arch/internal.h"
#include "arch/offsets.h"
#include "arch/platform.h"
#include "arch/tlb.h"

#include "kernel/hart.h"
#include "kernel/log.h"

_Static_assert(offsetof(struct hart, arch) == 0, "tp points to both");

/* What a secondary hart reads, with the MMU off, at the start (boot.S). */
struct hart_boot {
    uint64_t satp;
    uintptr_t stack;
    struct hart *hart;
    uintptr_t entry;
};
_Static_assert(offsetof(struct hart_boot, satp) == BOOT_SATP, "offsets.h");
_Static_assert(offsetof(struct hart_boot, stack) == BOOT_STACK, "offsets.h");
_Static_assert(offsetof(struct hart_boot, hart) == BOOT_HART, "offsets.h");
_Static_assert(offsetof(struct hart_boot, entry) == BOOT_ENTRY, "offsets.h");

static struct hart_boot hart_boots[MAX_HARTS];

uint64_t other_harts(void)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < hart_count; i++) {
        if (i != hart_index() && __atomic_load_n(&harts[i].online, __ATOMIC_ACQUIRE)) {
            mask |= 1UL << i;
        }
    }
    return mask;
}

bool hart_start(unsigned index)
{
    struct hart *hart = &harts[index];
    struct hart_boot *boot = &hart_boots[index];
    *boot = (struct hart_boot){
        .satp =
            ((uint64_t)SATP_MODE_SV39 << SATP_MODE_SHIFT) | kernel_page_table.root >> PAGE_SHIFT,
        .stack = hart->arch.stack_top,
        .hart = hart,
        .entry = (uintptr_t)secondary_virtual,
    };
    memory_barrier();
    struct sbi_result result =
        sbi_hart_start(hart->arch.id, image_to_phys(secondary_start), image_to_phys(boot));
    if (result.error != 0) {
        log_line("hart %u: SBI hart_start failed with error %ld", hart->arch.id, result.error);
    }
    return result.error == 0;
}

/* The first C of a secondary hart, on its own stack in the kernel map. */
_Noreturn void secondary_main(void);
void secondary_main(void)
{
    arch_hart_self()->satp = csr_read(satp);
    hart_main(hart_index());
    hart_halt();
}

void hart_wait_for_interrupt(void)
{
    __asm__ volatile("wfi" ::: "memory");
    unsigned long pending = csr_read(sip) & csr_read(sie);
    for (; pending != 0; pending &= pending - 1) {
        interrupt_handle((unsigned long)__builtin_ctzl(pending));
    }
}

void hart_send_ipi(uint64_t hart_mask)
{
    sbi_send_ipi(hart_mask);
}

void hart_halt(void)
{
    csr_write(sie, 0);
    for (;;) {
        __asm__ volatile("wfi");
    }
}
