/* Lists of registers that entry.S and words.S share: each instruction moves one from or to a context. */
#define X(n) (8 * (n))

.macro each_saved_by_sandbox instruction, context
    \instruction s0, X(8)(\context)
    \instruction s1, X(9)(\context)
    \instruction s2, X(18)(\context)
    \instruction s3, X(19)(\context)
    \instruction s4, X(20)(\context)
    \instruction s5, X(21)(\context)
    \instruction s6, X(22)(\context)
    \instruction s7, X(23)(\context)
    \instruction s8, X(24)(\context)
.endm

/* What a C function keeps, but for ra, sp and tp. */
.macro each_kept instruction, context
    \instruction gp, X(3)(\context)
    each_saved_by_sandbox \instruction, \context
    \instruction s9, X(25)(\context)
    \instruction s10, X(26)(\context)
    \instruction s11, X(27)(\context)
.endm
.macro load_kept context
    ld      ra, X(1)(\context)
    ld      sp, X(2)(\context)
    ld      tp, X(4)(\context)
    each_kept ld, \context
.endm

/* The message registers of words calls. */
.macro each_word instruction, context
    \instruction a2, X(12)(\context)
    \instruction a3, X(13)(\context)
    \instruction a4, X(14)(\context)
    \instruction a5, X(15)(\context)
    \instruction a6, X(16)(\context)
    \instruction t3, X(28)(\context)
    \instruction t4, X(29)(\context)
    \instruction t5, X(30)(\context)
.endm

/* The registers that carry nothing out of a words call, and its status, FTL_OK. */
.macro clear_after_words
    li      t0, 0
    li      t1, 0
    li      t2, 0
    li      t6, 0
    li      a0, 0
    li      a7, 0
.endm
