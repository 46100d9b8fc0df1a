/*
 * Copies between kernel and process memory. Everything in the section .uaccess may fault on the process's
 * side; trap_from_kernel() then continues at uaccess_fault, which finds in a2 how many bytes were left.
 */
#include "arch/csr.h"
#include "arch/offsets.h"

    .section .uaccess, "ax"
    .option norvc

.macro block at
    ld      t3, \at + 0(a1)
    ld      t4, \at + 8(a1)
    ld      t5, \at + 16(a1)
    ld      t6, \at + 24(a1)
    sd      t3, \at + 0(a0)
    sd      t4, \at + 8(a0)
    sd      t5, \at + 16(a0)
    sd      t6, \at + 24(a0)
.endm
.macro advance by
    addi    a0, a0, \by
    addi    a1, a1, \by
    addi    a2, a2, -\by
.endm

/*
 * size_t uaccess_copy_in(void *to, vaddr_t from, size_t size), and _out with the same registers. Whatever faults is
 * one of the next UACCESS_STEP bytes.
 */
    .global uaccess_copy_in
    .global uaccess_copy_out
    .balign 4
uaccess_copy_in:
uaccess_copy_out:
    li      t0, SSTATUS_SUM
    csrs    sstatus, t0
    or      t1, a0, a1
    andi    t1, t1, 7
    bnez    t1, misaligned
aligned:
    li      t2, 32
    bltu    a2, t2, words
    li      t1, UACCESS_STEP
    bltu    a2, t1, blocks
1:
    .irp at, 0, 32, 64, 96
    block   \at
    .endr
    advance UACCESS_STEP
    bgeu    a2, t1, 1b
    bltu    a2, t2, words
blocks:
    block   0
    advance 32
    bgeu    a2, t2, blocks
words:
    li      t2, 8
    bltu    a2, t2, bytes
1:  ld      t3, 0(a1)
    sd      t3, 0(a0)
    advance 8
    bgeu    a2, t2, 1b
bytes:
    beqz    a2, uaccess_fault
1:  lbu     t3, 0(a1)
    sb      t3, 0(a0)
    advance 1
    bnez    a2, 1b
    j       uaccess_fault

/* The target is aligned first; if the source then is not, each word is put together of two, which hold bytes of it. */
misaligned:
    li      t2, 16
    bltu    a2, t2, bytes
1:  andi    t1, a0, 7
    beqz    t1, 2f
    lbu     t3, 0(a1)
    sb      t3, 0(a0)
    advance 1
    j       1b
2:  andi    t1, a1, 7
    beqz    t1, aligned
    sub     a1, a1, t1
    slli    t1, t1, 3
    neg     t4, t1                      /* shifts take it modulo 64 */
    li      t2, 8
    ld      t5, 0(a1)
3:  ld      t6, 8(a1)
    srl     t3, t5, t1
    sll     t5, t6, t4
    or      t3, t3, t5
    sd      t3, 0(a0)
    mv      t5, t6
    advance 8
    bgeu    a2, t2, 3b
    srli    t1, t1, 3
    add     a1, a1, t1
    j       bytes

/* The end of a copy, whole or not. No process's data stays in registers. */
    .global uaccess_fault
uaccess_fault:
    li      t0, SSTATUS_SUM
    csrc    sstatus, t0
    mv      a0, a2
    li      t3, 0
    li      t4, 0
    li      t5, 0
    li      t6, 0
    ret
