/*
 * What stands before each attack of refused.S and contained.S: the note that the loader wants, macros, and the entry
 * point, whose landing pad is the only thing an attack finds done. None of it goes through the instrumenter.
 */
    .section .note.ftl, "a", @note
    .word 4, 16, 1
    .asciz "FTL"
    .word 1, 0, 1, 0

    .macro PAD
    lui zero, 0x4654c
    .endm

    .macro GUARD r                      /* flavour mask */
    add.uw \r, \r, gp
    .endm

    .macro CHECK r                      /* flavour trap */
    add.uw s9, \r, gp
    beq s9, \r, .+8
    ebreak
    .endm

    .macro CHECK_TARGET r               /* leaves the target in s9 */
    add.uw s9, \r, gp
    lw s10, 0(s9)
    beq s10, s11, .+8
    ebreak
    .endm

    .macro CHECK_RA
    add.uw ra, ra, gp
    lw s10, 0(ra)
    beq s10, s11, .+8
    ebreak
    .endm

    .macro GATE number
    li a7, \number
    jal ra, __ftl_gate
    PAD
    .endm

    .macro EXIT code
    li a0, \code
    GATE FTL_CALL_PROCESS_EXIT
    unimp
    .endm

    /* A table of claims of its own; the instrumenter makes none for these programs. */
    .macro CLAIMS
    .section .ftl.claims, "", @0x80f71001
    .endm

    .text
    .globl _start
    .balign 4
_start:
    PAD
