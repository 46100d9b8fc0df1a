/*
 * Stands between OpenSBI and the kernel for tests/qemu/entry.py: takes the kernel's image and the device tree from
 * where QEMU put them to where the test wants them, fills all registers with what the boot protocol leaves open, and
 * enters the kernel, on request with all harts at once. The test writes the parameters at the end, and QEMU loads the
 * stub where it would load a kernel; so it relies on nothing but pc, a0 and a1.
 */
    .text
    .global _start
_start:
    mv      s0, a0
    mv      s1, a1
    lla     s2, parameters

    /* Starts harts 0 to `harts` - 1, but for this one, at each_hart. */
    ld      s3, 32(s2)
    li      s4, 0
1:  bge     s4, s3, 3f
    beq     s4, s0, 2f
    mv      a0, s4
    lla     a1, each_hart
    li      a2, 0
    li      a6, 0                       /* hart_start */
    li      a7, 0x48534d                /* HSM */
    ecall
2:  addi    s4, s4, 1
    j       1b

    /* The image. */
3:  ld      t0, 0(s2)
    ld      t1, 8(s2)
    ld      t2, 16(s2)
4:  ld      t3, 0(t0)
    sd      t3, 0(t1)
    addi    t0, t0, 8
    addi    t1, t1, 8
    addi    t2, t2, -8
    bgtz    t2, 4b

    /* The tree, byte by byte: it may go to an odd address. Its size is a big-endian word at 4. */
    ld      s5, 24(s2)
    beqz    s5, 6f
    li      t2, 0
    addi    t0, s1, 4
    addi    t3, s1, 8
5:  slli    t2, t2, 8
    lbu     t1, 0(t0)
    or      t2, t2, t1
    addi    t0, t0, 1
    bltu    t0, t3, 5b
    mv      t0, s1
    mv      t1, s5
5:  lbu     t3, 0(t0)
    sb      t3, 0(t1)
    addi    t0, t0, 1
    addi    t1, t1, 1
    addi    t2, t2, -1
    bnez    t2, 5b
    mv      s1, s5
6:  mv      a0, s0
    mv      a1, s1
    fence   rw, rw
    lla     t0, tree
    sd      s1, 0(t0)
    lla     t0, ready
    li      t1, 1
    amoswap.w.rl zero, t1, (t0)

    /* A hart, when all is in place. */
each_hart:
    lla     t0, ready
    lw      t1, 0(t0)
    beqz    t1, each_hart
    fence   rw, rw
    fence.i
    lla     t0, tree
    ld      a1, 0(t0)
    lla     t0, parameters
    ld      t0, 8(t0)
    csrw    stvec, zero
    li      t1, 0x222
    csrw    sie, t1                     /* all interrupts are enabled, but for sstatus.SIE */
    csrw    sscratch, t0
    csrw    sepc, t0
    li      t1, 0xc6120                 /* FS, SUM, MXR, SPP, SPIE */
    csrs    sstatus, t1
    .irp    number, 1, 2, 3, 4, 6, 7, 8, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20
    li      x\number, 0xdead0000beef0000 + \number
    .endr
    .irp    number, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    li      x\number, 0xdead0000beef0000 + \number
    .endr
    jr      t0

    .balign 8
tree:
    .dword  0
ready:
    .dword  0
    .balign 64
parameters:
    .dword  0                           /* where the image is */
    .dword  0                           /* where it is to be */
    .dword  0                           /* its size */
    .dword  0                           /* where the tree is to be; 0: where it is */
    .dword  0                           /* harts to send to the kernel at once; 0: the boot hart alone */
