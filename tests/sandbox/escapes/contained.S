/*
 * Attacks that the verifier accepts, and that must be contained when they run: each ends as its line says, "stopped"
 * with a report that matches, or "exits" with that status, and changes nothing outside of its window. See refused.S for
 * the form.
 */

//! store_to_code: stopped store page fault
    lla a0, _start
    sd zero, 0(a0)

//! store_to_the_gate: stopped store page fault
    lla a0, __ftl_gate
    GUARD a0
    sw zero, 0(a0)

//! amo_to_code: stopped store page fault
    lla a0, _start
    amoadd.w a1, a1, (a0)

//! float_store_to_code: stopped store page fault
    lla a0, _start
    fsd f0, 0(a0)

//! execute_data: stopped instruction page fault
    lla a0, 1f
    lui a1, 0x4654c                     /* a landing pad, made at run time */
    ori a1, a1, 0x37
    sw a1, 0(a0)
    CHECK_TARGET a0
    jalr ra, 4(s9)
    PAD
    unimp
    .data
    .balign 8
1:  .word 0, 0x00000073

//! execute_the_stack: stopped instruction page fault
    sw s11, -64(sp)
    addi a0, sp, -64
    CHECK_TARGET a0
    jr s9

//! execute_read_only_data: stopped instruction page fault
    lla a0, 1f
    CHECK_TARGET a0
    jr s9
    .section .rodata
    .balign 8
1:  .word 0x4654c037, 0x00000073

//! first_byte_of_the_window: stopped load page fault at address 0x[0-9a-f]{8}00000000
    ld a0, 0(gp)

//! last_bytes_of_the_window: stopped load page fault
    li a0, -8
    GUARD a0
    ld a1, 0(a0)

//! across_the_end_of_the_window: stopped load page fault
    li a0, -4
    GUARD a0
    ld a1, 0(a0)

//! behind_the_end_of_the_window: stopped store page fault
    li a0, -1
    GUARD a0
    sd a1, 2047(a0)

//! before_the_start_of_the_window: stopped load page fault at address 0x[0-9a-f]{8}fffff800
    li a0, 0
    GUARD a0
    ld a1, -2048(a0)

//! misaligned_into_the_next_page: stopped (load|store) page fault
    lla a0, 1f
    addi a0, a0, 2047
    addi a0, a0, 2046
    sd a1, 0(a0)
    .bss
    .balign 4096
1:  .zero 4096

//! kernel_address_checked: stopped store outside the sandbox at address 0xffffffff80000000
    li a0, 1
    slli a0, a0, 31
    neg a0, a0
    CHECK a0
    sd zero, 0(a0)

//! kernel_address_masked: stopped load page fault at address 0x[0-9a-f]{8}80000000
    li a0, 1
    slli a0, a0, 31
    neg a0, a0
    GUARD a0
    ld a1, 0(a0)

//! next_window_checked: stopped load outside the sandbox
    li a0, 1
    slli a0, a0, 32
    add a0, a0, sp
    CHECK a0
    ld a1, 0(a0)

//! previous_window_masked: exits 0
    li a0, 1
    slli a0, a0, 32
    sub a0, sp, a0
    sd s11, -8(sp)
    GUARD a0
    ld a1, -8(a0)                       /* the mask brings it back into ours */
    bne a1, s11, 1f
    EXIT 0
1:  EXIT 1

//! atomics_at_the_next_window: stopped (atomic access outside|breakpoint|store page fault|store access fault)
    li a0, 1
    slli a0, a0, 32
    add a0, a0, sp
    CHECK a0
    amoswap.d a1, a1, (a0)

//! misaligned_lr: stopped (misaligned load|load access fault|misaligned store)
    addi a0, sp, -63
    GUARD a0
    lr.d a1, (a0)

//! misaligned_amo: stopped (misaligned store|store access fault|misaligned load)
    addi a0, sp, -62
    GUARD a0
    amoadd.d a1, a1, (a0)

//! sc_without_lr: exits 0
    addi a0, sp, -64
    GUARD a0
    sc.d a1, a1, (a0)
    beqz a1, 1f
    EXIT 0
1:  EXIT 1

//! jump_to_what_is_no_pad: stopped jump outside the sandbox
    lla a0, _start
    addi a0, a0, 4
    CHECK_TARGET a0
    jr s9

//! jump_to_a_misaligned_address: stopped jump outside the sandbox
    lla a0, _start
    addi a0, a0, 2
    CHECK_TARGET a0
    jr s9

//! jump_into_the_gate_page: stopped jump outside the sandbox
    lla a0, __ftl_gate
    addi a0, a0, 8
    CHECK_TARGET a0
    jr s9

//! jump_to_the_kernel: stopped (jump outside the sandbox|load page fault)
    li a0, 1
    slli a0, a0, 31
    neg a0, a0
    CHECK_TARGET a0
    jr s9

//! overwritten_return_address: stopped return outside the sandbox
    jal ra, 1f
    PAD
    EXIT 1
1:  addi sp, sp, -16
    sd ra, 8(sp)
    lla a0, __ftl_gate                  /* what an overflow would put there */
    sd a0, 8(sp)
    ld ra, 8(sp)
    addi sp, sp, 16
    CHECK_RA
    ret

//! return_address_in_the_kernel: stopped (return outside the sandbox|load page fault)
    li a0, 1
    slli a0, a0, 31
    neg a0, a0
    sd a0, -8(sp)
    ld ra, -8(sp)
    CHECK_RA
    ret

//! stack_in_the_guard_zone: stopped store page fault
    mv sp, gp
    GUARD sp
    addi sp, sp, -16
    sd ra, 8(sp)

//! stack_in_code: stopped store page fault
    lla sp, _start
    sd ra, -8(sp)

//! gate_with_a_bad_stack: exits 0
    mv sp, gp
    GATE FTL_CALL_SYSTEM_NULL
    GATE FTL_CALL_THREAD_YIELD
    EXIT 0

//! illegal_by_definition: stopped illegal instruction
    unimp

//! zero_word: stopped illegal instruction
    .word 0

//! failed_check_of_nothing: stopped breakpoint
    beq sp, gp, .+8
    ebreak

//! unknown_call: exits 0
    li a7, -256
    jal ra, __ftl_gate
    PAD
    bgez a0, 1f
    li a7, 0x7ff
    slli a7, a7, 50
    jal ra, __ftl_gate
    PAD
    bgez a0, 1f
    EXIT 0
1:  EXIT 1

//! kernel_pointer_for_a_call: exits 0
    li a0, 1                            /* console_write(..., 0xffffffff80000000, 64) */
    li a1, 1
    slli a1, a1, 31
    neg a1, a1
    li a2, 64
    GATE FTL_CALL_CONSOLE_WRITE
    bgez a0, 1f
    EXIT 0
1:  EXIT 1

//! tls_outside_of_the_window: exits 0
    mv s1, tp
    li a0, 1
    slli a0, a0, 31
    neg a0, a0
    GATE FTL_CALL_THREAD_SET_TLS
    bgez a0, 1f
    bne s1, tp, 1f
    li a0, 1
    slli a0, a0, 32
    add a0, a0, gp                      /* the next window's first byte */
    GATE FTL_CALL_THREAD_SET_TLS
    bgez a0, 1f
    bne s1, tp, 1f
    EXIT 0
1:  EXIT 1

//! thread_at_what_is_no_pad: exits 0
    lla a0, _start
    addi a0, a0, 4
    li a1, 0
    mv a2, sp
    mv a3, tp
    GATE FTL_CALL_THREAD_CREATE
    bgez a0, 1f
    lla a0, __ftl_gate
    mv a2, sp
    mv a3, tp
    GATE FTL_CALL_THREAD_CREATE
    bgez a0, 1f
    EXIT 0
1:  EXIT 1

//! thread_on_the_kernel_s_stack: exits 0
    lla a0, _start
    li a1, 0
    li a2, 1
    slli a2, a2, 31
    neg a2, a2
    mv a3, tp
    GATE FTL_CALL_THREAD_CREATE
    bgez a0, 1f
    lla a0, _start
    mv a2, sp
    li a3, 1
    slli a3, a3, 31
    neg a3, a3
    GATE FTL_CALL_THREAD_CREATE
    bgez a0, 1f
    EXIT 0
1:  EXIT 1

/*
 * What a call leaves in the registers: none but a0 and a1 holds anything of the kernel's. s0..s11, sp, gp, tp and
 * f8, f9 are kept. One macro for a fast, a slow and an unknown call.
 */
//! registers_after_calls: exits 0
    .macro HYGIENE number
    li t0, -1
    li t1, -1
    li t2, -1
    li t3, -1
    li t4, -1
    li t5, -1
    li t6, -1
    li a0, 0
    li a1, 0
    li a2, -1
    li a3, -1
    li a4, -1
    li a5, -1
    li a6, -1
    li s0, 100
    li s1, 101
    li s2, 102
    li s3, 103
    li s4, 104
    li s5, 105
    li s6, 106
    li s7, 107
    li s9, 109
    li s10, 110
    fmv.d.x f8, s0
    fmv.d.x f9, s1
    sd sp, -64(sp)
    sd gp, -72(sp)
    sd tp, -80(sp)
    li a7, \number
    jal ra, __ftl_gate
    PAD
    or t0, t0, t1                       /* all that is lost is zero */
    or t0, t0, t2
    or t0, t0, t3
    or t0, t0, t4
    or t0, t0, t5
    or t0, t0, t6
    or t0, t0, a2
    or t0, t0, a3
    or t0, t0, a4
    or t0, t0, a5
    or t0, t0, a6
    or t0, t0, a7
    bnez t0, 9f
    addi s0, s0, -100                   /* all that is kept is kept */
    addi s1, s1, -101
    addi s2, s2, -102
    addi s3, s3, -103
    addi s4, s4, -104
    addi s5, s5, -105
    addi s6, s6, -106
    addi s7, s7, -107
    addi s9, s9, -109
    addi s10, s10, -110
    or s0, s0, s1
    or s0, s0, s2
    or s0, s0, s3
    or s0, s0, s4
    or s0, s0, s5
    or s0, s0, s6
    or s0, s0, s7
    or s0, s0, s9
    or s0, s0, s10
    bnez s0, 9f
    fmv.x.d t0, f8
    addi t0, t0, -100
    bnez t0, 9f
    fmv.x.d t0, f9
    addi t0, t0, -101
    bnez t0, 9f
    ld t0, -64(sp)
    bne t0, sp, 9f
    ld t0, -72(sp)
    bne t0, gp, 9f
    ld t0, -80(sp)
    bne t0, tp, 9f
    lui t0, 0x4654c
    addi t0, t0, 0x37
    bne t0, s11, 9f
    li t0, -1
    srli t0, t0, 32
    bne t0, s8, 9f
    srli t0, a1, 63                     /* a1 is a value or nothing, never an address */
    bnez t0, 9f
    j 8f
9:  EXIT 1
8:
    .endm
    HYGIENE FTL_CALL_SYSTEM_NULL
    HYGIENE FTL_CALL_THREAD_YIELD
    HYGIENE FTL_CALL_PROCESS_SELF
    HYGIENE FTL_CALL_THREAD_EXIT + 1000
    EXIT 0

/* The verifier lets code use ra at an entry as it is: it must be the address of a landing pad in every thread. */
//! return_address_at_the_start: exits 0
    lw a1, 0(ra)
    bne a1, s11, 1f
    lla a0, 3f
    ld a2, 0(a0)
    sd s11, 0(a0)
    bnez a2, 2f
    ret                                 /* to some pad: the second time here, as there is none but the entry's */
1:  EXIT 1
2:  EXIT 0
    .bss
    .balign 8
3:  .zero 8

//! registers_at_the_start: exits 0
    lui t0, 0x4654c
    addi t0, t0, 0x37
    bne t0, s11, 9f
    li t0, -1
    srli t0, t0, 32
    bne t0, s8, 9f
    slli t0, gp, 32                     /* BASE is aligned to its size */
    bnez t0, 9f
    add.uw t0, tp, gp
    bne t0, tp, 9f
    add.uw t0, sp, gp
    bne t0, sp, 9f
    add.uw t0, ra, gp
    bne t0, ra, 9f
    or t1, t1, t2
    or t1, t1, t3
    or t1, t1, t4
    or t1, t1, t5
    or t1, t1, t6
    or t1, t1, a2
    or t1, t1, a7
    or t1, t1, s0
    or t1, t1, s10
    bnez t1, 9f
    fmv.x.d t0, f31
    bnez t0, 9f
    EXIT 0
9:  EXIT 1

/*
 * Garbage in all registers that it may write, sp too, while timer interrupts come; see tests/qemu/gate_stress.py. First
 * what looks like addresses, then, for the calls, random numbers; sp is forced into the window, where nothing is mapped
 * at nearly all addresses.
 */
//! garbage: exits 0
    .macro RANDOM_REGISTERS
    lla t2, 1f
    ld t0, 8(t2)
    li t1, 6364136223846793005
    .irp register, ra,sp,t2,s0,s1,s2,s3,s4,s5,s6,s7,s9,s10,a0,a1,a2,a3,a4,a5,a6,a7,t3,t4,t5,t6
    mul t0, t0, t1
    addi t0, t0, 1231
    rori \register, t0, 29             /* the low bits of a product are the least random ones */
    fmv.d.x f1, t0
    .endr
    lla t1, 1f
    sd t0, 8(t1)
    mv t1, t0
    GUARD sp
    .endm
    lla a0, 1f
    li a1, 2000                         /* rounds of 100 garbage computations and a call */
    sd a1, 0(a0)
2:  li a1, 100
3:  ld ra, -8(sp)
    li sp, -1
    li t0, -1
    slli t1, t0, 31
    li t2, 1
    slli s0, t2, 63
    mv s1, gp
    mv s2, s11
    neg s3, t1
    not s4, gp
    addi s5, gp, -1
    mv s6, t1
    mv s7, s0
    mv s9, t1
    mv s10, s0
    mv a2, t1
    mv a3, s0
    mv a4, gp
    mv a5, sp
    mv a6, t1
    li a7, -1
    mv t3, t1
    mv t4, s0
    mv t5, gp
    mv t6, sp
    fmv.d.x f0, t0
    mv sp, t1
    xor sp, sp, s0
    addi a1, a1, -1
    add sp, sp, a1
    GUARD sp                            /* where control joins; what is there is not mapped, mostly */
    lla sp, 4f
    bnez a1, 3b
    mv sp, gp                           /* a call with a stack that is none */
    GATE FTL_CALL_SYSTEM_NULL
    mv sp, gp
    GATE FTL_CALL_THREAD_YIELD
    RANDOM_REGISTERS
    GATE FTL_CALL_SYSTEM_NULL
    RANDOM_REGISTERS
    GATE FTL_CALL_THREAD_YIELD
    lla sp, 4f
    lla a0, 1f
    ld a1, 0(a0)
    addi a1, a1, -1
    sd a1, 0(a0)
    bnez a1, 2b
    EXIT 0
    .bss
    .balign 16
1:  .zero 64
4:  .zero 64
