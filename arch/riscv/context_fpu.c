/*
 * FP registers: see arch/context.h. In a file of its own, because the fast path of calls uses it,
 * which keeps messages in registers: see ipc/fastpath.h.
 */
#include "arch/context.h"
#include "arch/csr.h"
#include "arch/hart.h"

/* fpu.S: they need a0 and t0 */
void fpu_save(struct fpu_state *state);
void fpu_restore(const struct fpu_state *state);

/*
 * What FS is when the registers hold what is saved. Harts need not tell dirty registers from
 * others: those that do not read dirty whatever is written (Privileged Architecture, "Extension
 * Context Status"), and all is saved each time.
 */
static uint64_t fs_saved = SSTATUS_FS_CLEAN;

void context_fpu_always_dirty(void)
{
    fs_saved = SSTATUS_FS_DIRTY;
}

void context_store_fpu(struct context *context)
{
    if ((csr_read(sstatus) & SSTATUS_FS) == SSTATUS_FS_DIRTY) {
        fpu_save(context->fpu);
        csr_clear(sstatus, SSTATUS_FS_DIRTY ^ fs_saved);
    }
}

void context_load_fpu(struct context *context)
{
    struct arch_hart *hart = arch_hart_self();
    if (hart->fpu_owner != context->fpu || context->fpu->hart != hart->index) {
        csr_set(sstatus, fs_saved);
        fpu_restore(context->fpu);
        hart->fpu_owner = context->fpu;
        context->fpu->hart = hart->index;
    }
    context->sstatus = (context->sstatus & ~(uint64_t)SSTATUS_FS) | fs_saved;
}
