/*
 * vmspace_try_switch(): see vmspace.h. In a file of its own, because the fast path of calls uses
 * it, which keeps messages in registers: see ipc/fastpath.h.
 */
#include "mm/vmspace.h"

static __attribute__((noinline)) bool enter(struct vmspace *vmspace)
{
    bool entered = tlb_try_enter(&vmspace->space);
    if (entered) {
        __atomic_store_n(&arch_hart_self()->vmspace, vmspace, __ATOMIC_RELAXED);
    }
    return entered;
}

bool vmspace_try_switch(struct vmspace *vmspace)
{
    if (unlikely(!tlb_try_load(&vmspace->space))) {
        return enter(vmspace);
    }
    __atomic_store_n(&arch_hart_self()->vmspace, vmspace, __ATOMIC_RELAXED);
    return true;
}
