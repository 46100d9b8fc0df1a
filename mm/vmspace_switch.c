/*
 * vmspace_switch(): see vmspace.h. In a file of its own, because the fast path of calls uses it,
 * which keeps messages in registers: see ipc/fastpath.h.
 */
#include "arch/platform.h"
#include "arch/tlb.h"

#include "mm/vmspace.h"

/* Windows' translations outlive a change of root: harts that ever used one are remembered. */
static void note_user(struct vmspace *vmspace, uint64_t hart_bit)
{
    if ((__atomic_load_n(&vmspace->hart_mask, __ATOMIC_RELAXED) & hart_bit) == 0) {
        __atomic_fetch_or(&vmspace->hart_mask, hart_bit, __ATOMIC_SEQ_CST);
    }
}

/*
 * The hart is counted as a user of the new vmspace before it can fill its TLB from it, and as one
 * of the old until that one's translations are gone.
 */
void vmspace_switch(struct vmspace *vmspace)
{
    struct arch_hart *hart = arch_hart_self();
    __atomic_store_n(&hart->leaving, hart->vmspace, __ATOMIC_RELAXED);
    __atomic_store_n(&hart->vmspace, vmspace, __ATOMIC_SEQ_CST);
    if (vmspace == NULL) {
        tlb_load_root(kernel_page_table.root);
    } else {
        note_user(vmspace, 1UL << hart->index);
        tlb_load_root(vmspace->table.root);
    }
    __atomic_store_n(&hart->leaving, NULL, __ATOMIC_SEQ_CST);
}
