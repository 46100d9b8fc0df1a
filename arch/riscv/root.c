/*
 * satp, and code that was written: see arch/tlb.h. No ASIDs yet: a change of root drops all
 * translations but global ones. The fast path of calls gets here with messages in registers: see
 * ipc/fastpath.h.
 */
#include "arch/csr.h"
#include "arch/hart.h"
#include "arch/internal.h"
#include "arch/tlb.h"

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
