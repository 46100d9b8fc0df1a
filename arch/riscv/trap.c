/*
 * Traps: what entry.S calls. Faults of a process end the process, with a report; interrupts are
 * handled and the scheduler says who goes on; a trap in the kernel is a fault in a copy routine, or
 * a bug.
 */
#include "arch/csr.h"
#include "arch/errata.h"
#include "arch/hart.h"
#include "arch/internal.h"
#include "arch/offsets.h"
#include "arch/platform.h"
#include "arch/tlb.h"
#include "arch/uaccess.h"

#include "ipc/fastpath.h"
#include "kernel/assert.h"
#include "kernel/call.h"
#include "kernel/hart.h"
#include "kernel/panic.h"
#include "kernel/process.h"
#include "kernel/sandbox/report.h"
#include "kernel/thread.h"

struct kernel_frame {
    uint64_t pc;
    uint64_t x[31];
    uint64_t sstatus;
    uint64_t padding; /* sp stays 16-byte aligned */
};
_Static_assert(sizeof(struct kernel_frame) == KERNEL_FRAME_SIZE, "offsets.h");
_Static_assert(offsetof(struct kernel_frame, sstatus) == KERNEL_FRAME_SSTATUS, "offsets.h");
_Static_assert(sizeof(call_fn) == 1 << CALL_ENTRY_SHIFT, "offsets.h");
_Static_assert(sizeof(struct words_call) == 1 << WORDS_CALL_SHIFT, "offsets.h");
_Static_assert(offsetof(struct words_call, fast) == WORDS_CALL_FAST, "offsets.h");
_Static_assert(offsetof(struct words_call, slow) == WORDS_CALL_SLOW, "offsets.h");
_Static_assert(FASTPATH_SLOW == FASTPATH_SLOW_RESULT, "offsets.h");
_Static_assert(offsetof(struct arch_hart, place) == HART_PLACE, "offsets.h");
_Static_assert(offsetof(struct arch_hart, vmspace) == HART_VMSPACE, "offsets.h");
_Static_assert(offsetof(struct hart, current) == HART_CURRENT, "offsets.h");
_Static_assert(offsetof(struct hart, killed) == HART_KILLED, "offsets.h");
_Static_assert(offsetof(struct hart, messages) == HART_MESSAGES, "offsets.h");
_Static_assert(offsetof(struct thread, context) == THREAD_CONTEXT, "offsets.h");
_Static_assert(offsetof(struct thread, stop_word) == THREAD_STOP_WORD, "offsets.h");
_Static_assert(offsetof(struct thread, kill) == THREAD_KILL, "offsets.h");
_Static_assert(offsetof(struct thread, place) == THREAD_PLACE, "offsets.h");
_Static_assert(offsetof(struct thread, tables) == THREAD_TABLES, "offsets.h");
_Static_assert(offsetof(struct thread, wait.state) == THREAD_WAIT_STATE, "offsets.h");
_Static_assert(offsetof(struct thread, ports[PORT_CALLS].slot) == THREAD_CALLS_SLOT, "offsets.h");
_Static_assert(offsetof(struct thread, ports[PORT_CALLS].lane) == THREAD_CALLS_LANE, "offsets.h");
_Static_assert(offsetof(struct thread, ports[PORT_SERVES].slot) == THREAD_SERVES_SLOT, "offsets.h");
_Static_assert(offsetof(struct thread, ports[PORT_SERVES].lane) == THREAD_SERVES_LANE, "offsets.h");
_Static_assert(WAIT_NOTIFIED == STATE_NOTIFIED && WAIT_ARMED == STATE_ARMED, "offsets.h");
_Static_assert(offsetof(struct lane, lock.held) == LANE_LOCK, "offsets.h");
_Static_assert(offsetof(struct lane, tag) == LANE_TAG, "offsets.h");
_Static_assert(offsetof(struct lane, server) == LANE_SERVER, "offsets.h");
_Static_assert(offsetof(struct lane, caller) == LANE_CALLER, "offsets.h");
_Static_assert(offsetof(struct handle_slot, value) == SLOT_VALUE, "offsets.h");

/* scounteren: processes may read time and instret; cycle is left out as a side channel of the
 * hardware's. */
#define COUNTERS_FOR_PROCESSES ((1 << 1) | (1 << 2))

/* Called by entry.S. */
struct context *trap_from_process(unsigned long cause, unsigned long value);
void trap_from_kernel(struct kernel_frame *frame, unsigned long cause, unsigned long value);

static const char *const cause_names[] = {
    [CAUSE_INSTRUCTION_MISALIGNED] = "misaligned jump",
    [CAUSE_INSTRUCTION_ACCESS] = "instruction access fault",
    [CAUSE_ILLEGAL_INSTRUCTION] = "illegal instruction",
    [CAUSE_BREAKPOINT] = "breakpoint",
    [CAUSE_LOAD_MISALIGNED] = "misaligned load",
    [CAUSE_LOAD_ACCESS] = "load access fault",
    [CAUSE_STORE_MISALIGNED] = "misaligned store",
    [CAUSE_STORE_ACCESS] = "store access fault",
    [CAUSE_USER_CALL] = "ecall from U-mode",
    [CAUSE_SUPERVISOR_CALL] = "ecall from S-mode",
    [CAUSE_INSTRUCTION_PAGE_FAULT] = "instruction page fault",
    [CAUSE_LOAD_PAGE_FAULT] = "load page fault",
    [CAUSE_STORE_PAGE_FAULT] = "store page fault",
};

static const char *cause_name(unsigned long cause)
{
    if (cause < ARRAY_SIZE(cause_names) && cause_names[cause] != NULL) {
        return cause_names[cause];
    }
    return "unknown exception";
}

void trap_init_hart(void)
{
    csr_write(sscratch, 0);
    csr_write(stvec, trap_entry);
    csr_write(scounteren, COUNTERS_FOR_PROCESSES);
    csr_clear(sstatus, SSTATUS_SUM | SSTATUS_FS);
    csr_write(sie, 1UL << INTERRUPT_SOFTWARE | 1UL << INTERRUPT_TIMER | 1UL << INTERRUPT_EXTERNAL);
}

void interrupt_handle(unsigned long cause)
{
    switch (cause) {
    case INTERRUPT_SOFTWARE:
        csr_clear(sip, 1UL << INTERRUPT_SOFTWARE);
        hart_handle_ipi();
        break;
    case INTERRUPT_TIMER: sched_timer_interrupt(); break;
    case INTERRUPT_EXTERNAL: plic_handle(); break;
    default: panic("interrupt %lu, which was never enabled", cause);
    }
}

static bool page_fault(struct thread *thread, unsigned long cause, vaddr_t address)
{
    unsigned access = cause == CAUSE_STORE_PAGE_FAULT  ? FTL_MAP_WRITE
                      : cause == CAUSE_LOAD_PAGE_FAULT ? FTL_MAP_READ
                                                       : FTL_MAP_EXEC;
    ftl_status_t status = vmspace_fault(thread->process->vmspace, address, access);
    if (status == FTL_ERR_NO_MEMORY || status == FTL_ERR_LIMIT) {
        process_fault("no memory for the page at %#lx (%s)", address, ftl_strerror(status));
        return true;
    }
    return status == FTL_OK;
}

/* Words of code around a breakpoint that may explain it. */
#define EXPLAIN_BEFORE 8
#define EXPLAIN_WORDS  20

/* Sandboxed code: explains the breakpoint of a failed check by the instructions around it. */
static bool report_sandbox_check(const struct context *context)
{
    uint32_t code[EXPLAIN_WORDS];
    vaddr_t first = context->pc - EXPLAIN_BEFORE * sizeof(code[0]);
    for (size_t i = 0; i < ARRAY_SIZE(code); i++) {
        if (copy_in_word(&code[i], first + i * sizeof(code[0])) != FTL_OK) {
            code[i] = 0;
        }
    }
    struct sandbox_report report;
    if (!sandbox_explain(code, ARRAY_SIZE(code), EXPLAIN_BEFORE, &report)) {
        return false;
    }
    uint64_t address = (uint64_t)report.offset + (report.reg == 0 ? 0 : context->x[report.reg - 1]);
    process_fault("%s outside the sandbox at address %#lx", sandbox_stop_name(report.stop),
                  (unsigned long)address);
    return true;
}

/*
 * clang's trap for checks that it gives no number to, and for __builtin_trap(): csrrw zero, cycle,
 * zero; compressed, 16 zero bits.
 */
#define INSTRUCTION_UNIMP            0xc0001073UL
#define INSTRUCTION_UNIMP_COMPRESSED 0UL

static void report_illegal(unsigned long instruction)
{
    process_fault("illegal instruction %#010lx%s", instruction,
                  instruction == INSTRUCTION_UNIMP || instruction == INSTRUCTION_UNIMP_COMPRESSED
                      ? ": a check by the compiler failed, or __builtin_trap()"
                      : "");
}

static void exception_from_process(unsigned long cause, unsigned long value)
{
    struct thread *thread = thread_current();
    if (cause == CAUSE_INSTRUCTION_PAGE_FAULT || cause == CAUSE_INSTRUCTION_ACCESS) {
        value = errata_fetch_address(value);
    }
    switch (cause) {
    case CAUSE_INSTRUCTION_PAGE_FAULT:
    case CAUSE_LOAD_PAGE_FAULT:
    case CAUSE_STORE_PAGE_FAULT:
        if (!page_fault(thread, cause, value)) {
            process_fault("%s at address %#lx", cause_name(cause), value);
        }
        break;
    case CAUSE_ILLEGAL_INSTRUCTION:
        if (!context_enable_fpu(&thread->context)) {
            report_illegal(value);
            break;
        }
        thread->uses_fpu = PLACE_DIFFERS;
        arch_hart_self()->plain_priority = NOT_PLAIN;
        break;
    case CAUSE_BREAKPOINT:
        if (thread->process->vmspace->isolation != FTL_ISOLATION_SANDBOX ||
            !report_sandbox_check(&thread->context)) {
            process_fault("breakpoint");
        }
        break;
    default: process_fault("%s at address %#lx", cause_name(cause), value);
    }
}

struct context *trap_from_process(unsigned long cause, unsigned long value)
{
    if ((cause & SCAUSE_INTERRUPT) != 0) {
        interrupt_handle(cause & ~SCAUSE_INTERRUPT);
    } else {
        exception_from_process(cause, value);
    }
    return sched_resume();
}

void trap_from_kernel(struct kernel_frame *frame, unsigned long cause, unsigned long value)
{
    bool copying = frame->pc >= (uintptr_t)__uaccess_start && frame->pc < (uintptr_t)__uaccess_end;
    if (copying && (cause == CAUSE_LOAD_PAGE_FAULT || cause == CAUSE_STORE_PAGE_FAULT ||
                    cause == CAUSE_LOAD_ACCESS || cause == CAUSE_STORE_ACCESS)) {
        frame->pc = (uintptr_t)uaccess_fault;
        return;
    }
    const char *what =
        (cause & SCAUSE_INTERRUPT) != 0 ? "interrupt in the kernel" : cause_name(cause);
    struct panic_registers registers = { .pc = frame->pc, .x = frame->x, .frame = frame->x[7] };
    panic_at(&registers, "%s: scause %#lx, stval %#lx, sstatus %#lx", what, cause, value,
             frame->sstatus);
}
