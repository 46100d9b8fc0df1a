/* satp and TLBs: see arch/tlb.h. No ASIDs yet: a change of root drops all translations but global
 * ones. */
#include "arch/tlb.h"

#include "arch/csr.h"
#include "arch/hart.h"
#include "arch/internal.h"

/*
 * Above this many pages, one flush of everything is cheaper. It is also what drops cached pointers
 * to tables, which page by page would stay: tables are only taken out with all of their 2 MiB.
 */
#define FLUSH_PAGES_MAX 64

static void flush_all_local(void)
{
    __asm__ volatile("sfence.vma" ::: "memory");
}

/*
 * Counts the times that code was written. Most code is written for processes that have not started,
 * so that no hart has to be interrupted for it: each executes fence.i when it next loads an address
 * space and finds that it has missed some.
 */
static uint64_t code_generation; /* atomic */

static void catch_up_with_code(struct arch_hart *hart)
{
    uint64_t generation = __atomic_load_n(&code_generation, __ATOMIC_SEQ_CST);
    if (hart->code_generation != generation) {
        hart->code_generation = generation;
        __asm__ volatile("fence.i" ::: "memory");
    }
}

void tlb_load_root(paddr_t root)
{
    struct arch_hart *hart = arch_hart_self();
    catch_up_with_code(hart);
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
    bool all = size > FLUSH_PAGES_MAX * PAGE_SIZE;
    memory_barrier();
    if (all) {
        flush_all_local();
    } else {
        for (vaddr_t page = va; page < va + size; page += PAGE_SIZE) {
            tlb_flush_local(page);
        }
    }
    hart_mask &= other_harts();
    if (hart_mask != 0) {
        sbi_remote_sfence(hart_mask, all ? 0 : va, all ? SIZE_MAX : size);
    }
}

void tlb_code_written(void)
{
    __atomic_fetch_add(&code_generation, 1, __ATOMIC_SEQ_CST);
}

void tlb_sync_code(uint64_t hart_mask)
{
    catch_up_with_code(arch_hart_self());
    hart_mask &= other_harts();
    if (hart_mask != 0) {
        sbi_remote_fence_i(hart_mask);
    }
}
