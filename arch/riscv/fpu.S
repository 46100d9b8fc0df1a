/* The FP registers to and from memory (struct fpu_state). FS must not be off. */
#include "arch/offsets.h"

    .option arch, rv64gc
    .text

.macro each_register instruction
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    \instruction f\n, 8 * \n(a0)
    .endr
    .irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    \instruction f\n, 8 * \n(a0)
    .endr
.endm

/* void fpu_save(struct fpu_state *state) */
    .global fpu_save
fpu_save:
    each_register fsd
    frcsr   t0
    sd      t0, FPU_FCSR(a0)
    ret

/* void fpu_restore(const struct fpu_state *state) */
    .global fpu_restore
fpu_restore:
    each_register fld
    ld      t0, FPU_FCSR(a0)
    fscsr   t0
    ret
