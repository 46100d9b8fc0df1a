/*
 * Harts: starting them through SBI HSM or calling those that wait, inter-processor interrupts,
 * stopping. See arch/hart.h.
 */
#include "arch/hart.h"

#include "arch/csr.h"
#include "arch/internal.h"
#include "arch/offsets.h"
#include "arch/platform.h"
#include "arch/timer.h"
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

/* Calls a hart that firmware without HSM sent to the kernel's start, where it waits: boot.S. */
struct boot_call {
    uint64_t hart;
    paddr_t argument; /* of the hart's struct hart_boot; the hart sets it to 0 when it comes */
};
_Static_assert(offsetof(struct boot_call, hart) == BOOT_CALL_HART, "offsets.h");
_Static_assert(offsetof(struct boot_call, argument) == BOOT_CALL_ARGUMENT, "offsets.h");
extern struct boot_call boot_call; /* boot.S */

#define CALL_TIMEOUT 100000000 /* ns until a hart that waits must have come */

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

/* False: no such hart waits. */
static bool waiting_hart_call(hart_id_t id, paddr_t argument)
{
    nsec_t deadline = time_now() + CALL_TIMEOUT;
    boot_call.hart = id;
    __atomic_store_n(&boot_call.argument, argument, __ATOMIC_RELEASE);
    while (__atomic_load_n(&boot_call.argument, __ATOMIC_ACQUIRE) != 0) {
        if (time_now() > deadline) {
            /* It may come at this very moment; then it is late, but not lost. */
            __atomic_store_n(&boot_call.argument, 0, __ATOMIC_SEQ_CST);
            return false;
        }
        arch_relax();
    }
    return true;
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
    if (result.error == 0) {
        return true;
    }
    if ((result.error == SBI_ERR_NOT_SUPPORTED || result.error == SBI_ERR_ALREADY_AVAILABLE) &&
        waiting_hart_call(hart->arch.id, image_to_phys(boot))) {
        return true;
    }
    log_line("hart %u: SBI hart_start failed with error %ld", hart->arch.id, result.error);
    return false;
}

/* The first C of a secondary hart, on its own stack in the kernel map. */
_Noreturn void secondary_main(void);
void secondary_main(void)
{
    if (tlb_init_hart()) {
        hart_main(hart_index());
    }
    log_line("hart %u: came late, with fewer ids of address spaces than are in use",
             arch_hart_self()->id);
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
