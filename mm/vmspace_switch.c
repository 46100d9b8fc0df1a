/*
 * vmspace_try_switch(): see vmspace.h. In a file of its own, because the fast path of calls uses
 * it, which keeps messages in registers: see ipc/fastpath.h.
 */
#include "mm/vmspace.h"

static __attribute__((noinline)) bool enter(struct tlb_space *space, struct vmspace *tables)
{
    bool entered = tlb_try_enter(space);
    if (entered) {
        __atomic_store_n(&arch_hart_self()->vmspace, tables, __ATOMIC_RELAXED);
    }
    return entered;
}

bool vmspace_try_switch(struct vmspace *tables)
{
    struct tlb_space *space = tables == NULL ? &tlb_kernel_space : &tables->space;
    if (unlikely(!tlb_try_load(space))) {
        return enter(space, tables);
    }
    __atomic_store_n(&arch_hart_self()->vmspace, tables, __ATOMIC_RELAXED);
    return true;
}
