/*
 * Words calls (<ftl/words.h>): the way in from both isolations, the plain case of the fast path, and the way out.
 *
 * What the thread has goes to its context, but for the message registers, a2 to a6 and t3 to t5: those are left alone
 * until they are the other thread's. Then all is tried that is told in ipc/fastpath.c, for threads that do not differ
 * but in their registers; where anything is otherwise it is left to that file (not_plain_...), with nothing done.
 *
 * Of a sandbox, gp, tp and s11 are always what the kernel set, and s9 and s10 mean nothing outside of a guard; it
 * returns to the address in ra, and its context's sstatus is the one with which it was resumed last.
 */
#include <ftl/sandbox_abi.h>
#include <ftl/words.h>

#include "arch/csr.h"
#include "arch/macros.S"
#include "arch/offsets.h"

    .text

/*
 * In: t0 = context, a0 = handle, a1 = tag, and what the thread has is stored. Out: a0 = the other thread's context,
 * a1 = its tag, s6 = it, s0 = the former, s2 = the lane, locked, s5 = STATE_ARMED. Any other way: to not_plain_\call.
 */
.macro lock_lane slot, lane, call
    addi    s0, t0, -THREAD_CONTEXT
    ld      s1, \slot(s0)
    ld      s2, \lane(s0)
    ld      s3, SLOT_VALUE(s1)
    li      s4, FTL_WORDS_SIZE
    bne     s3, a0, not_plain_\call
    bltu    s4, s8, not_plain_\call     /* the size */
    li      s5, STATE_ARMED             /* any value but 0 locks */
    amoswap.w.aq s3, s5, (s2)
    bnez    s3, not_plain_\call
.endm

.macro check_place call
    ld      s3, THREAD_PLACE(s6)
    ld      s4, HART_PLACE(tp)
    addi    s7, s6, THREAD_WAIT_STATE
    bne     s3, s4, unlock_not_plain_\call
.endm

.macro call_server
    mv      s8, a1
    lock_lane THREAD_CALLS_SLOT, THREAD_CALLS_LANE, call
    ld      s6, LANE_SERVER(s2)
    ld      s3, LANE_CALLER(s2)
    beqz    s6, unlock_not_plain_call
    bnez    s3, unlock_not_plain_call
    check_place call
1:  lr.w.aqrl s3, (s7)                  /* claims it, if it is stopped */
    bne     s3, s5, unlock_not_plain_call
    sc.w.rl s3, zero, (s7)
    bnez    s3, 1b
    ld      s3, LANE_TAG(s2)
    sd      s0, LANE_CALLER(s2)
    addi    s3, s3, 1 << FTL_WORDS_TAG_SHIFT
    or      a1, a1, s3
    sd      s3, LANE_TAG(s2)
    ld      s4, HART_MESSAGES(tp)
    addi    s4, s4, 1
    sd      s4, HART_MESSAGES(tp)
.endm

.macro reply_to_caller
    andi    s8, a1, FTL_WORDS_SIZE_MASK
    lock_lane THREAD_SERVES_SLOT, THREAD_SERVES_LANE, serve
    ld      s6, LANE_CALLER(s2)
    ld      s3, LANE_TAG(s2)
    sub     s4, a1, s8
    beqz    s6, unlock_not_plain_serve
    bne     s3, s4, unlock_not_plain_serve
    check_place serve
    amoswap.w.aqrl s3, zero, (s7)       /* claims it; who waits for a reply in a lane is stopped, or woken already */
    bne     s3, s5, unlock_not_plain_serve
    sd      zero, LANE_CALLER(s2)
    sd      s0, LANE_SERVER(s2)
    mv      a1, s8
.endm

/* Makes the other thread current, before the former one stops, which may then go on elsewhere. */
.macro change_threads
    addi    a0, s6, THREAD_CONTEXT
    addi    s7, s0, THREAD_WAIT_STATE
    sd      s6, HART_CURRENT(tp)
    sd      a0, HART_CONTEXT(tp)
    amoswap.w.aqrl zero, s5, (s7)
    ld      s3, THREAD_STOP_WORD(s0)
    bnez    s3, stopped_in_time
    amoswap.w.rl zero, zero, (s2)       /* unlocks the lane */
.endm

/* From the gate, to the entries behind its first. See gate_entry. */
.macro enter_from_sandbox
    csrci   sstatus, SSTATUS_SIE
    csrrw   tp, sscratch, tp
    ld      t0, HART_CONTEXT(tp)
    csrw    sscratch, zero
    sd      ra, CONTEXT_PC(t0)
    sd      sp, CONTEXT_SP(t0)
    sd      t6, CONTEXT_T6(t0)
    each_saved_by_sandbox sd, t0
.endm

.macro leave_to_other_tables
    ld      s3, THREAD_TABLES(s6)
    ld      s4, HART_VMSPACE(tp)
    bne     s3, s4, other_tables
.endm

.macro words_from_sandbox change
    enter_from_sandbox
    \change
    change_threads
    ld      s3, THREAD_TABLES(s6)
    bnez    s3, other_tables
    j       leave_to_sandbox
.endm

    .balign 4
    .global gate_call_words
gate_call_words:
    words_from_sandbox call_server

    .balign 4
    .global gate_serve_words
gate_serve_words:
    enter_from_sandbox
    reply_to_caller
    change_threads
    ld      s3, THREAD_TABLES(s6)
    bnez    s3, other_tables
    /* falls through */

leave_to_sandbox:                       /* s11 is as it is in all of them */
    csrw    sscratch, tp
    ld      ra, CONTEXT_PC(a0)
    ld      sp, CONTEXT_SP(a0)
    ld      gp, CONTEXT_GP(a0)
    ld      tp, CONTEXT_TP(a0)
    each_saved_by_sandbox ld, a0
    li      s9, 0
    li      s10, 0
    clear_after_words
    csrsi   sstatus, SSTATUS_SIE
    ret

/* From user_call: t0 = context, in which ra, sp, tp and pc are, t1 = index. */
    .global words_from_user
words_from_user:
    each_kept sd, t0
    sd      t6, CONTEXT_T6(t0)
    bnez    t1, 2f
    call_server
    j       3f
2:  reply_to_caller
3:  change_threads
    leave_to_other_tables
leave_by_tables:
    ld      s3, THREAD_TABLES(s6)
    beqz    s3, 4f
    ld      t0, CONTEXT_SSTATUS(a0)
    ld      t1, CONTEXT_PC(a0)
    csrw    sstatus, t0
    csrw    sepc, t1
    csrw    sscratch, tp
    load_kept a0
    clear_after_words
    sret
4:  ld      s11, CONTEXT_S11(a0)
    j       leave_to_sandbox

other_tables:
    ld      sp, HART_STACK_TOP(tp)
    mv      s1, a0
    mv      s2, a1
    mv      a0, s3
    li      s0, 0                       /* the end of the chain of frames */
    call    vmspace_try_switch
    mv      t0, a0
    mv      a0, s1
    mv      a1, s2
    beqz    t0, unfinished
    j       leave_by_tables

/* The former thread was killed, or got another priority, before it stopped; see stop() in ipc/fastpath.c. */
stopped_in_time:
    lw      s3, THREAD_KILL(s0)
    beqz    s3, 2f
1:  lr.w.aqrl s3, (s7)
    bne     s3, s5, 2f
    sc.w.rl s3, zero, (s7)
    bnez    s3, 1b
    sd      s0, HART_KILLED(tp)
2:  amoswap.w.rl zero, zero, (s2)
    ld      sp, HART_STACK_TOP(tp)
unfinished:
    sd      zero, CONTEXT_A0(a0)
    sd      a1, CONTEXT_A1(a0)
    each_word sd, a0
    li      s0, 0
    call    fastpath_finish
    j       context_resume

/* a0 = handle, a1 = tag, message registers; all the rest is stored. */
unlock_not_plain_call:
    amoswap.w.rl zero, zero, (s2)
not_plain_call:
    li      a7, 0                       /* the index */
    j       not_plain
unlock_not_plain_serve:
    amoswap.w.rl zero, zero, (s2)
not_plain_serve:
    li      a7, 1
not_plain:
    ld      sp, HART_STACK_TOP(tp)
    lla     s1, words_calls
    slli    t1, a7, WORDS_CALL_SHIFT
    add     s1, s1, t1
    ld      t1, WORDS_CALL_FAST(s1)
    mv      s2, a0
    mv      s3, a1
    mv      s4, a7
    li      s0, 0
    jalr    t1
    li      t0, FASTPATH_SLOW_RESULT
    beq     a0, t0, slow
    andi    a0, a0, ~FASTPATH_SLOW_RESULT
    j       unfinished
slow:
    ld      t0, HART_CONTEXT(tp)
    each_word sd, t0
    mv      a0, s4
    mv      a1, s2
    mv      a2, s3
    ld      a3, CONTEXT_T6(t0)
    li      s0, 0
    call    fastpath_go_slow
    j       context_resume
