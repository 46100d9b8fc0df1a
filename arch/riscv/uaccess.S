/*
 * Copies between kernel and process memory. Everything in the section .uaccess may fault on the process's
 * side; trap_from_kernel() then continues at uaccess_fault, which finds in a2 how many bytes were left.
 */
#include "arch/csr.h"

    .section .uaccess, "ax"
    .option norvc

/* size_t uaccess_copy_in(void *to, vaddr_t from, size_t size), and _out with the same registers. */
    .global uaccess_copy_in
    .global uaccess_copy_out
    .balign 4
uaccess_copy_in:
uaccess_copy_out:
    li      t0, SSTATUS_SUM
    csrs    sstatus, t0
    or      t1, a0, a1
    andi    t1, t1, 7
    bnez    t1, bytes
    li      t2, 32
    bltu    a2, t2, words
1:  ld      t3, 0(a1)
    ld      t4, 8(a1)
    ld      t5, 16(a1)
    ld      t6, 24(a1)
    sd      t3, 0(a0)
    sd      t4, 8(a0)
    sd      t5, 16(a0)
    sd      t6, 24(a0)
    addi    a0, a0, 32
    addi    a1, a1, 32
    addi    a2, a2, -32
    bgeu    a2, t2, 1b
words:
    li      t2, 8
    bltu    a2, t2, bytes
1:  ld      t3, 0(a1)
    sd      t3, 0(a0)
    addi    a0, a0, 8
    addi    a1, a1, 8
    addi    a2, a2, -8
    bgeu    a2, t2, 1b
bytes:
    beqz    a2, uaccess_fault
1:  lbu     t3, 0(a1)
    sb      t3, 0(a0)
    addi    a0, a0, 1
    addi    a1, a1, 1
    addi    a2, a2, -1
    bnez    a2, 1b

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
