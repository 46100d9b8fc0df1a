/* Thread registers: see arch/context.h. FP state is saved when a thread leaves a hart with dirty
 * registers, and restored when it enters one whose registers do not still hold it. Until a thread's
 * first FP instruction FS is off. */
#include "arch/context.h"

#include "arch/csr.h"
#include "arch/hart.h"
#include "arch/internal.h"
#include "arch/offsets.h"
#include "arch/platform.h"

#include <ftl/sandbox_abi.h>

#include "kernel/assert.h"
#include "kernel/log.h"
#include "mm/slab.h"

_Static_assert(offsetof(struct context, pc) == CONTEXT_PC, "offsets.h");
_Static_assert(offsetof(struct context, x[REG_RA]) == CONTEXT_RA, "offsets.h");
_Static_assert(offsetof(struct context, x[REG_SP]) == CONTEXT_SP, "offsets.h");
_Static_assert(offsetof(struct context, x[REG_GP]) == CONTEXT_GP, "offsets.h");
_Static_assert(offsetof(struct context, x[REG_TP]) == CONTEXT_TP, "offsets.h");
_Static_assert(offsetof(struct context, x[REG_A0]) == CONTEXT_A0, "offsets.h");
_Static_assert(offsetof(struct context, x[REG_A1]) == CONTEXT_A1, "offsets.h");
_Static_assert(offsetof(struct context, sstatus) == CONTEXT_SSTATUS, "offsets.h");
_Static_assert(offsetof(struct context, call) == CONTEXT_CALL, "offsets.h");
_Static_assert(offsetof(struct context, fpu) == CONTEXT_FPU, "offsets.h");
_Static_assert(offsetof(struct context, x[REG_S11]) == CONTEXT_S11, "offsets.h");
_Static_assert(offsetof(struct context, x[REG_T6]) == CONTEXT_T6, "offsets.h");
_Static_assert(offsetof(struct fpu_state, fcsr) == FPU_FCSR, "offsets.h");
_Static_assert(offsetof(struct arch_hart, context) == HART_CONTEXT, "offsets.h");
_Static_assert(offsetof(struct arch_hart, stack_top) == HART_STACK_TOP, "offsets.h");
_Static_assert(offsetof(struct arch_hart, scratch) == HART_SCRATCH, "offsets.h");
_Static_assert(offsetof(struct arch_hart, emergency_top) == HART_EMERGENCY, "offsets.h");
_Static_assert(offsetof(struct arch_hart, resched) == HART_RESCHED, "offsets.h");

void context_init(struct context *context, vaddr_t entry, uint64_t argument, vaddr_t stack,
                  vaddr_t tls, vaddr_t sandbox_base)
{
    context->pc = entry;
    context->sstatus = SSTATUS_SPIE;
    context->x[REG_SP] = stack;
    context->x[REG_TP] = tls;
    context->x[REG_A0] = argument;
    if (sandbox_base != 0) {
        context->sstatus |= SSTATUS_SPP;
        context->x[REG_RA] = entry; /* the verifier takes it for a landing pad's address */
        context->x[REG_GP] = sandbox_base;
        context->x[REG_S8] = FTL_SANDBOX_SPAN;
        context->x[REG_S11] = FTL_SANDBOX_PAD;
    }
}

void context_set_words_call(struct context *context)
{
    context->call = STOPPED_IN_WORDS_CALL;
    if ((context->sstatus & SSTATUS_SPP) != 0) {
        context->x[REG_RA] = context->pc;
    }
}

bool context_enable_fpu(struct context *context)
{
    if (context->fpu != NULL) {
        return false;
    }
    context->fpu = kalloc(sizeof(*context->fpu));
    if (context->fpu == NULL) {
        return false;
    }
    context->fpu->hart = MAX_HARTS;
    context_activate(context);
    return true;
}

void context_forget(struct context *context)
{
    /* Harts that still name it as owner compare the address; a new state there starts with hart =
     * MAX_HARTS. */
    kfree(context->fpu, sizeof(*context->fpu));
    context->fpu = NULL;
}

void registers_log(const uint64_t *x1, uint64_t pc)
{
    static const char *const names[31] = {
        "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0", "a1",
        "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5", "s6",
        "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
    };
    char line[160];
    int used = format_text(line, sizeof(line), "  %3s %016lx", "pc", pc);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if ((i + 1) % 4 == 0) {
            log_line("%s", line);
            used = 0;
        }
        used +=
            format_text(line + used, sizeof(line) - (size_t)used, "  %3s %016lx", names[i], x1[i]);
    }
    log_line("%s", line);
}

void context_log(const struct context *context)
{
    registers_log(context->x, context->pc);
}
