/*
 * The ways between processes and the kernel.
 *
 * sscratch holds this hart's struct arch_hart while a process runs and 0 while the kernel runs, whatever the
 * privilege mode: sandboxed processes run in S-mode too, so SPP tells nothing. No register of a process is
 * trusted, sp and tp least of all. The kernel runs with interrupts off on the hart's one stack, which is empty
 * whenever it is entered from a process.
 *
 * Two ways in: trap_entry for everything (interrupts, faults, ecall), gate_entry for calls of sandboxed processes;
 * words calls have theirs in words.S. A call stores little of the process, and mostly returns the way it came. When it
 * leaves something to the scheduler (resched), it has brought the callee-saved registers back, as C functions do: only
 * then are they stored, in the thread's context, and from then on the thread may stop. context_resume is the way out of
 * everything but calls that return.
 */
#include <ftl/sandbox_abi.h>

#include "arch/csr.h"
#include "arch/macros.S"
#include "arch/offsets.h"
#include "call_count.gen.h"

/*
 * A leaf call (kernel/leaf.c) by its number below 0, which is known to be one. It uses t0, t1, a0 and a1, and no stack;
 * tp and ra of the process are in t3 and t4 meanwhile. The address of an entry in leaf_calls is made in two parts: the
 * kernel lies in the highest 2 GiB.
 */
.macro call_leaf
    csrrw   t3, sscratch, zero
    mv      t4, ra
    lui     t0, %hi(leaf_calls + LEAF_CALL_COUNT * (1 << CALL_ENTRY_SHIFT))
    slli    t1, a7, CALL_ENTRY_SHIFT
    add     t0, t0, t1
    ld      t0, %lo(leaf_calls + LEAF_CALL_COUNT * (1 << CALL_ENTRY_SHIFT))(t0)
    jalr    t0
.endm
.macro end_leaf
    csrw    sscratch, tp
    mv      tp, t3
    mv      ra, t4
    li      t0, 0
    li      t1, 0
.endm

    .text
    .balign 4
    .global trap_entry
trap_entry:
    csrrw   tp, sscratch, tp
    beqz    tp, trap_in_kernel
    sd      t0, HART_SCRATCH(tp)
    csrr    t0, scause
    addi    t0, t0, -CAUSE_USER_CALL
    beqz    t0, user_call

    ld      t0, HART_CONTEXT(tp)
    sd      x1, X(1)(t0)
    sd      x2, X(2)(t0)
    sd      x3, X(3)(t0)
    sd      x6, X(6)(t0)
    sd      x7, X(7)(t0)
    sd      x8, X(8)(t0)
    sd      x9, X(9)(t0)
    sd      x10, X(10)(t0)
    sd      x11, X(11)(t0)
    sd      x12, X(12)(t0)
    sd      x13, X(13)(t0)
    sd      x14, X(14)(t0)
    sd      x15, X(15)(t0)
    sd      x16, X(16)(t0)
    sd      x17, X(17)(t0)
    sd      x18, X(18)(t0)
    sd      x19, X(19)(t0)
    sd      x20, X(20)(t0)
    sd      x21, X(21)(t0)
    sd      x22, X(22)(t0)
    sd      x23, X(23)(t0)
    sd      x24, X(24)(t0)
    sd      x25, X(25)(t0)
    sd      x26, X(26)(t0)
    sd      x27, X(27)(t0)
    sd      x28, X(28)(t0)
    sd      x29, X(29)(t0)
    sd      x30, X(30)(t0)
    sd      x31, X(31)(t0)
    ld      t1, HART_SCRATCH(tp)
    csrrw   t2, sscratch, zero
    csrr    t3, sepc
    csrr    t4, sstatus
    sd      t1, X(5)(t0)
    sd      t2, CONTEXT_TP(t0)
    sd      t3, CONTEXT_PC(t0)
    sd      t4, CONTEXT_SSTATUS(t0)
    sd      zero, CONTEXT_CALL(t0)
    csrr    a0, scause
    csrr    a1, stval
    ld      sp, HART_STACK_TOP(tp)
    li      s0, 0
    call    trap_from_process           /* returns the context to resume */
    j       context_resume

/* An ecall from U-mode. Temporaries are the caller's to lose. */
user_call:
    bltz    a7, leaf_call_from_user
user_call_by_table:
    ld      t0, HART_CONTEXT(tp)
    csrr    t1, sepc
    addi    t1, t1, 4
    csrrw   t2, sscratch, zero
    sd      ra, CONTEXT_RA(t0)
    sd      sp, CONTEXT_SP(t0)
    sd      t2, CONTEXT_TP(t0)
    sd      t1, CONTEXT_PC(t0)
    ld      sp, HART_STACK_TOP(tp)
    li      t2, CALL_COUNT
    bgeu    a7, t2, past_table
    lla     t2, call_table
    slli    t1, a7, CALL_ENTRY_SHIFT
    add     t2, t2, t1
    ld      t2, 0(t2)
    jalr    t2
user_call_return:
    lbu     t1, HART_RESCHED(tp)
    ld      t0, HART_CONTEXT(tp)
    bnez    t1, leave_call
    ld      t1, CONTEXT_PC(t0)
    ld      ra, CONTEXT_RA(t0)
    ld      sp, CONTEXT_SP(t0)
    csrw    sepc, t1
    csrw    sscratch, tp
    ld      tp, CONTEXT_TP(t0)
    li      t0, 0
    li      t1, 0
    li      t2, 0
    li      t3, 0
    li      t4, 0
    li      t5, 0
    li      t6, 0
    li      a2, 0
    li      a3, 0
    li      a4, 0
    li      a5, 0
    li      a6, 0
    li      a7, 0
    sret

leaf_call_from_user:
    li      t0, -LEAF_CALL_COUNT
    blt     a7, t0, 1f
    call_leaf
    csrr    t0, sepc
    addi    t0, t0, 4
    csrw    sepc, t0
    end_leaf
    sret
1:  li      a7, CALL_COUNT              /* as unknown as any */
    j       user_call_by_table

past_table:
    li      t2, FIRST_WORDS_CALL
    sub     t1, a7, t2
    li      t2, WORDS_CALL_COUNT
    bltu    t1, t2, words_from_user     /* words.S */
    call    call_unknown
    j       user_call_return

/*
 * A call from a sandbox: the gate page jumps here, in S-mode with interrupts on, ra = return site, which the
 * verifier has proved to be one. Until tp is swapped an interrupt finds a process like any other.
 */
    .global gate_entry
gate_entry:
    csrci   sstatus, SSTATUS_SIE
    csrrw   tp, sscratch, tp
    bltz    a7, leaf_call_from_sandbox
gate_call_by_table:
    ld      t0, HART_CONTEXT(tp)
    csrrw   t2, sscratch, zero
    sd      ra, CONTEXT_RA(t0)
    sd      sp, CONTEXT_SP(t0)
    sd      t2, CONTEXT_TP(t0)
    ld      sp, HART_STACK_TOP(tp)
    li      t2, CALL_COUNT
    bgeu    a7, t2, gate_unknown
    lla     t2, call_table
    slli    t1, a7, CALL_ENTRY_SHIFT
    add     t2, t2, t1
    ld      t2, 0(t2)
    jalr    t2
gate_return:
    lbu     t1, HART_RESCHED(tp)
    ld      t0, HART_CONTEXT(tp)
    bnez    t1, leave_gate
    ld      ra, CONTEXT_RA(t0)
    ld      sp, CONTEXT_SP(t0)
    csrw    sscratch, tp
    ld      tp, CONTEXT_TP(t0)
    li      t0, 0
    li      t1, 0
    li      t2, 0
    li      t3, 0
    li      t4, 0
    li      t5, 0
    li      t6, 0
    li      a2, 0
    li      a3, 0
    li      a4, 0
    li      a5, 0
    li      a6, 0
    li      a7, 0
    csrsi   sstatus, SSTATUS_SIE
    ret

leaf_call_from_sandbox:
    li      t0, -LEAF_CALL_COUNT
    blt     a7, t0, 1f
    call_leaf
    end_leaf
    csrsi   sstatus, SSTATUS_SIE
    ret
1:  li      a7, CALL_COUNT              /* as unknown as any */
    j       gate_call_by_table

gate_unknown:
    call    call_unknown
    j       gate_return

leave_gate:
    ld      t1, CONTEXT_RA(t0)
    sd      t1, CONTEXT_PC(t0)
    li      t1, SSTATUS_SPP             /* the gate is no trap: SPP says nothing yet */
    csrs    sstatus, t1

/* t0 = context, a0 and a1 the call's result, callee-saved registers the process's, the stack empty. */
leave_call:
    csrr    t1, sstatus
    li      t2, STOPPED_IN_CALL
    sd      t1, CONTEXT_SSTATUS(t0)
    sd      t2, CONTEXT_CALL(t0)
    each_kept sd, t0
    li      s0, 0                       /* the end of the chain of frames */
    call    call_finish                 /* returns the context to resume */
    /* falls through */

/* a0 = context of the thread to run, which is also this hart's active one. */
    .global context_resume
context_resume:
    ld      t0, CONTEXT_SSTATUS(a0)
    ld      t1, CONTEXT_PC(a0)
    ld      t2, CONTEXT_CALL(a0)
    csrw    sstatus, t0
    csrw    sepc, t1
    csrw    sscratch, tp
    load_kept a0
    ld      a1, CONTEXT_A1(a0)
    bnez    t2, 1f
    ld      t0, X(5)(a0)
    ld      t1, X(6)(a0)
    ld      t2, X(7)(a0)
    ld      a2, X(12)(a0)
    ld      a3, X(13)(a0)
    ld      a4, X(14)(a0)
    ld      a5, X(15)(a0)
    ld      a6, X(16)(a0)
    ld      a7, X(17)(a0)
    ld      t3, X(28)(a0)
    ld      t4, X(29)(a0)
    ld      t5, X(30)(a0)
    ld      t6, X(31)(a0)
    ld      a0, CONTEXT_A0(a0)
    sret
1:  addi    t2, t2, -STOPPED_IN_CALL
    bnez    t2, resume_words
    li      t0, 0
    li      t1, 0
    li      a2, 0
    li      a3, 0
    li      a4, 0
    li      a5, 0
    li      a6, 0
    li      a7, 0
    li      t3, 0
    li      t4, 0
    li      t5, 0
    li      t6, 0
    ld      a0, CONTEXT_A0(a0)
    sret
resume_words:
    each_word ld, a0
    ld      a0, CONTEXT_A0(a0)
    li      t0, 0
    li      t1, 0
    li      t2, 0
    li      t6, 0
    li      a7, 0
    sret

/*
 * A trap in the kernel itself: a fault in a copy routine, or a bug. Registers go to the stack, or to the
 * emergency stack when that is what overflowed.
 */
trap_in_kernel:
    csrrw   tp, sscratch, tp            /* tp is this hart again, sscratch 0 */
    sd      t0, HART_SCRATCH(tp)
    ld      t0, HART_STACK_TOP(tp)
    sub     t0, t0, sp
    addi    t0, t0, KERNEL_FRAME_SIZE
    srli    t0, t0, 14                  /* HART_STACK_SIZE */
    beqz    t0, 1f
    csrw    sscratch, sp
    ld      sp, HART_EMERGENCY(tp)
    addi    sp, sp, -KERNEL_FRAME_SIZE
    csrrw   t0, sscratch, zero
    sd      t0, X(2)(sp)
    j       2f
1:  addi    sp, sp, -KERNEL_FRAME_SIZE
    addi    t0, sp, KERNEL_FRAME_SIZE
    sd      t0, X(2)(sp)
2:  ld      t0, HART_SCRATCH(tp)
    sd      x1, X(1)(sp)
    sd      x3, X(3)(sp)
    sd      x4, X(4)(sp)
    sd      x5, X(5)(sp)
    sd      x6, X(6)(sp)
    sd      x7, X(7)(sp)
    sd      x8, X(8)(sp)
    sd      x9, X(9)(sp)
    sd      x10, X(10)(sp)
    sd      x11, X(11)(sp)
    sd      x12, X(12)(sp)
    sd      x13, X(13)(sp)
    sd      x14, X(14)(sp)
    sd      x15, X(15)(sp)
    sd      x16, X(16)(sp)
    sd      x17, X(17)(sp)
    sd      x18, X(18)(sp)
    sd      x19, X(19)(sp)
    sd      x20, X(20)(sp)
    sd      x21, X(21)(sp)
    sd      x22, X(22)(sp)
    sd      x23, X(23)(sp)
    sd      x24, X(24)(sp)
    sd      x25, X(25)(sp)
    sd      x26, X(26)(sp)
    sd      x27, X(27)(sp)
    sd      x28, X(28)(sp)
    sd      x29, X(29)(sp)
    sd      x30, X(30)(sp)
    sd      x31, X(31)(sp)
    csrr    t0, sepc
    csrr    t1, sstatus
    sd      t0, X(0)(sp)
    sd      t1, KERNEL_FRAME_SSTATUS(sp)
    mv      a0, sp
    csrr    a1, scause
    csrr    a2, stval
    call    trap_from_kernel            /* returns only from faults in copy routines */
    ld      t0, X(0)(sp)
    ld      t1, KERNEL_FRAME_SSTATUS(sp)
    csrw    sepc, t0
    csrw    sstatus, t1
    ld      x1, X(1)(sp)
    ld      x5, X(5)(sp)
    ld      x6, X(6)(sp)
    ld      x7, X(7)(sp)
    ld      x8, X(8)(sp)
    ld      x9, X(9)(sp)
    ld      x10, X(10)(sp)
    ld      x11, X(11)(sp)
    ld      x12, X(12)(sp)
    ld      x13, X(13)(sp)
    ld      x14, X(14)(sp)
    ld      x15, X(15)(sp)
    ld      x16, X(16)(sp)
    ld      x17, X(17)(sp)
    ld      x18, X(18)(sp)
    ld      x19, X(19)(sp)
    ld      x20, X(20)(sp)
    ld      x21, X(21)(sp)
    ld      x22, X(22)(sp)
    ld      x23, X(23)(sp)
    ld      x24, X(24)(sp)
    ld      x25, X(25)(sp)
    ld      x26, X(26)(sp)
    ld      x27, X(27)(sp)
    ld      x28, X(28)(sp)
    ld      x29, X(29)(sp)
    ld      x30, X(30)(sp)
    ld      x31, X(31)(sp)
    ld      x2, X(2)(sp)
    sret

/* void registers_capture(uint64_t x1[31]) */
    .global registers_capture
registers_capture:
    sd      x1, 8 * 0(a0)
    sd      x2, 8 * 1(a0)
    sd      x3, 8 * 2(a0)
    sd      x4, 8 * 3(a0)
    sd      x5, 8 * 4(a0)
    sd      x6, 8 * 5(a0)
    sd      x7, 8 * 6(a0)
    sd      x8, 8 * 7(a0)
    sd      x9, 8 * 8(a0)
    sd      x10, 8 * 9(a0)
    sd      x11, 8 * 10(a0)
    sd      x12, 8 * 11(a0)
    sd      x13, 8 * 12(a0)
    sd      x14, 8 * 13(a0)
    sd      x15, 8 * 14(a0)
    sd      x16, 8 * 15(a0)
    sd      x17, 8 * 16(a0)
    sd      x18, 8 * 17(a0)
    sd      x19, 8 * 18(a0)
    sd      x20, 8 * 19(a0)
    sd      x21, 8 * 20(a0)
    sd      x22, 8 * 21(a0)
    sd      x23, 8 * 22(a0)
    sd      x24, 8 * 23(a0)
    sd      x25, 8 * 24(a0)
    sd      x26, 8 * 25(a0)
    sd      x27, 8 * 26(a0)
    sd      x28, 8 * 27(a0)
    sd      x29, 8 * 28(a0)
    sd      x30, 8 * 29(a0)
    sd      x31, 8 * 30(a0)
    ret

/*
 * The gate page, mapped readable and executable as the first page of every sandboxed image. Uncompressed, like
 * all code in a window, and position independent.
 */
    .section .gate, "ax"
    .option norvc
.macro gate entry
    .balign FTL_GATE_ENTRY_SIZE
    lui     t0, %hi(\entry)             /* the kernel lies in the highest 2 GiB */
    jalr    zero, %lo(\entry)(t0)
.endm
    .global gate_page_code
gate_page_code:
    gate    gate_entry
    gate    gate_call_words             /* words.S */
    gate    gate_serve_words
    unimp
