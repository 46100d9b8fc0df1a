/*
 * Entering an address space, and code that was written: see arch/tlb.h. The fast path of calls gets
 * here with messages in registers: see ipc/fastpath.h.
 */
#include "arch/fence.h"
#include "arch/hart.h"
#include "arch/tlb.h"
#include "arch/tlb_ids.h"

/*
 * Most code is written for processes that have not started, so that no hart has to be interrupted
 * for it: each executes fence.i when it next enters an address space and finds that it has missed
 * some.
 */
uint64_t tlb_code_generation;

static void catch_up_with_code(struct arch_hart *hart)
{
    uint64_t generation = __atomic_load_n(&tlb_code_generation, __ATOMIC_SEQ_CST);
    if (hart->code_generation != generation) {
        hart->code_generation = generation;
        fence_instructions();
    }
}

/*
 * Where the space is new to this hart, or has changed since, nothing of it stays in the TLB.
 * Nothing of any does where there are no ids: all have 0 then.
 */
bool tlb_try_enter(struct tlb_space *space)
{
    struct arch_hart *hart = arch_hart_self();
    bool has_id = tlb_announce(hart, space);
    uint64_t satp = hart->next_satp;
    if (!has_id && tlb_ids.count != 0) {
        __atomic_store_n(&hart->next_satp, hart->satp, __ATOMIC_SEQ_CST);
        return false;
    }
    catch_up_with_code(hart);
    uint64_t bit = 1UL << hart->index;
    bool was_told = (__atomic_fetch_or(&space->harts, bit, __ATOMIC_SEQ_CST) & bit) != 0;
    bool forget = !was_told || (!has_id && satp != hart->satp);
    satp_write(satp);
    if (forget) {
        sfence_asid(tlb_id(satp));
    }
    __atomic_store_n(&hart->satp, satp, __ATOMIC_RELEASE);
    return true;
}

void tlb_code_written(void)
{
    __atomic_fetch_add(&tlb_code_generation, 1, __ATOMIC_SEQ_CST);
}

void tlb_sync_code(uint64_t hart_mask)
{
    catch_up_with_code(arch_hart_self());
    hart_mask &= other_harts();
    if (hart_mask != 0) {
        sbi_remote_fence_i(hart_mask);
    }
}
