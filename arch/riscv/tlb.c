/* satp and TLBs: see arch/tlb.h. No ASIDs yet: a change of root drops all translations but global
 * ones. */
#include "arch/tlb.h"

#include "arch/csr.h"
#include "arch/hart.h"
#include "arch/internal.h"

/* Above this many pages, one flush of everything is cheaper. */
#define FLUSH_PAGES_MAX 64

static void flush_all_local(void)
{
    __asm__ volatile("sfence.vma" ::: "memory");
}

void tlb_load_root(paddr_t root)
{
    struct arch_hart *hart = arch_hart_self();
    uint64_t satp = ((uint64_t)SATP_MODE_SV39 << SATP_MODE_SHIFT) | root >> PAGE_SHIFT;
    if (hart->satp == satp) {
        return;
    }
    hart->satp = satp;
    csr_write(satp, satp);
    /* With rs2 = x0 global translations would go too; ASID 0 is all we use. */
    __asm__ volatile("sfence.vma zero, %0" : : "r"(0UL) : "memory");
}

void tlb_flush_local(vaddr_t va)
{
    __asm__ volatile("sfence.vma %0" : : "r"(va) : "memory");
}

void tlb_flush(uint64_t hart_mask, vaddr_t va, size_t size)
{
    memory_barrier();
    if (size <= FLUSH_PAGES_MAX * PAGE_SIZE) {
        for (vaddr_t page = va; page < va + size; page += PAGE_SIZE) {
            tlb_flush_local(page);
        }
    } else {
        flush_all_local();
    }
    hart_mask &= other_harts();
    if (hart_mask != 0) {
        sbi_remote_sfence(hart_mask, va, size);
    }
}

void tlb_sync_code(void)
{
    __asm__ volatile("fence.i" ::: "memory");
    uint64_t others = other_harts();
    if (others != 0) {
        sbi_remote_fence_i(others);
    }
}
