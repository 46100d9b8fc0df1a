/*
 * Attacks that the verifier refuses, on the host (ftl-verify) and in the kernel, by the rule named; if there is a label
 * `bad`, at that place. An attack begins at each line "//! NAME: RULE" and ends at the next; before it comes prelude.S,
 * and behind it an unimp (unless the line ends in "bare"), so that none is refused for running off its end only.
 */

//! ecall: FORM
bad: ecall

//! sret: FORM
bad: sret

//! mret: FORM
bad: mret

//! wfi: FORM
bad: wfi

//! sfence_vma: FORM
bad: sfence.vma

//! sinval_vma: FORM
bad: .word 0x16000073

//! hfence_vvma: FORM
bad: .word 0x22000073

//! hypervisor_load: FORM
bad: .word 0x60054573                   /* hlv.b a0, (a0) */

//! write_satp: FORM
bad: csrw satp, a0

//! write_stvec: FORM
bad: csrw stvec, a0

//! swap_sscratch: FORM
bad: csrrw tp, sscratch, tp

//! read_sepc: FORM
bad: csrr a0, sepc

//! set_sum: FORM
bad: csrs sstatus, a0

//! disable_interrupts: FORM
bad: csrci sstatus, 2

//! write_sie: FORM
bad: csrwi sie, 0

//! read_rounding_mode: FORM
bad: frcsr a0

//! read_time: FORM
bad: rdtime a0

//! read_cycle: FORM
bad: rdcycle a0

//! fence_i: FORM
bad: fence.i

//! cache_zero: FORM
bad: .word 0x0045200f                   /* cbo.zero (a0) */

//! cache_invalidate: FORM
bad: .word 0x0005200f                   /* cbo.inval (a0) */

//! vector_configuration: FORM
bad: .word 0x0c0572d7                   /* vsetvli t0, a0, e8 */

//! vector_load: FORM
bad: .word 0x02050007                   /* vle8.v v0, (a0) */

//! vector_store: FORM
bad: .word 0x02050027                   /* vse8.v v0, (a0) */

//! custom_encoding: FORM
bad: .word 0x0000000b

//! half_precision: FORM
bad: .word 0x04000053                   /* fadd.h */

//! quad_load: FORM
bad: .word 0x00054007                   /* flq f0, 0(a0) */

//! reserved_rounding_mode: FORM
bad: .word 0x00005053

//! reserved_load_width: FORM
bad: .word 0x00057503

//! reserved_amo: FORM
bad: .word 0xe805252f

//! long_encoding: FORM
bad: .word 0x0000001f                   /* the first half of a 48-bit instruction */

//! all_ones: FORM
bad: .word 0xffffffff

//! compressed_pair: FORM
bad: .word 0x80828082                   /* c.jr ra, twice */

//! compressed_ecall_hidden: FORM
bad: .word 0x00730001                   /* c.nop, then the first half of an ecall */
    .word 0x00010000

//! compressed_store: FORM
bad: .word 0xc10cc10c                   /* c.sw, twice */

//! ebreak_alone: TRAP
bad: ebreak

//! ebreak_of_another_branch: TRAP
    add.uw s9, a0, gp
    bne s9, a0, .+8
bad: ebreak

//! write_base: RESERVED
bad: addi gp, gp, 0

//! load_base: RESERVED
bad: ld gp, 0(sp)

//! write_tls: RESERVED
bad: mv tp, a0

//! atomic_into_tls: RESERVED
bad: amoadd.d tp, a0, (sp)

//! link_into_base: RESERVED
bad: jal gp, 1f
1:  nop

//! write_pad_word: RESERVED
bad: lui s11, 0x12345

//! write_span: RESERVED
bad: li s8, -1

//! load_span: RESERVED
bad: ld s8, 0(sp)

//! sc_into_pad_word: RESERVED
bad: sc.d s11, a0, (sp)

//! float_into_base: RESERVED
bad: fmv.x.d gp, f0

//! comparison_into_pad_word: RESERVED
bad: feq.d s11, f0, f0

//! unguarded_load: ACCESS
bad: ld a0, 0(a0)

//! unguarded_store: ACCESS
bad: sd a0, 0(a1)

//! unguarded_byte: ACCESS
bad: sb a0, 0(a1)

//! load_to_nowhere: ACCESS
bad: lw zero, 0(a0)

//! float_load: ACCESS
bad: fld f0, 0(a0)

//! float_store: ACCESS
bad: fsw f0, 0(a0)

//! unguarded_amo: ACCESS
bad: amoswap.d a0, a1, (a2)

//! unguarded_lr: ACCESS
bad: lr.d a0, (a1)

//! unguarded_sc: ACCESS
bad: sc.w a0, a1, (a2)

//! absolute_kernel_address: ACCESS
    lui a0, 0x80000
bad: ld a1, 0(a0)

//! zero_page: ACCESS
bad: ld a0, 0(zero)

//! guard_of_another_register: ACCESS
    add.uw s9, a0, gp
    beq s9, a1, .+8
    ebreak
bad: ld a1, 0(a0)

//! guard_with_sp_for_base: ACCESS
    add.uw a0, a0, sp
bad: ld a1, 0(a0)

//! guard_shifted: ACCESS
    sh1add.uw a0, a0, gp
bad: ld a1, 0(a0)

//! guard_without_mask: ACCESS
    add a0, a0, gp
bad: ld a1, 0(a0)

//! guard_of_33_bits: ACCESS
    slli a0, a0, 31
    srli a0, a0, 31
    add a0, a0, gp
bad: ld a1, 0(a0)

//! sign_extended_offset: ACCESS
    lw a0, 0(sp)
    add a0, a0, gp
bad: ld a1, 0(a0)

//! jump_behind_a_mask: ACCESS
    GUARD a0
bad: ld a1, 0(a0)
    bne a1, a2, bad

//! jump_behind_a_check: ACCESS
    j bad
    CHECK a0
bad: sd a1, 0(a0)

//! jump_over_a_guard: ACCESS
    beqz a1, bad
    GUARD a0
bad: sd a1, 0(a0)

//! pointer_changed_behind_guard: ACCESS
    GUARD a0
    xor a0, a0, a1
bad: sd a1, 0(a0)

//! loaded_pointer: ACCESS
    GUARD a0
    ld a0, 0(a0)
bad: ld a1, 0(a0)

//! pointer_kept_over_a_call: ACCESS
    GUARD a0
    GATE FTL_CALL_SYSTEM_NULL
bad: ld a1, 0(a0)

//! saved_pointer_kept_over_a_call: ACCESS
    GUARD s0
    GATE FTL_CALL_SYSTEM_NULL
bad: ld a1, 0(s0)

//! huge_immediate: ACCESS
    GUARD a0
    ld a1, 0(a0)
    lui a2, 0x201
    add a0, a0, a2
bad: ld a1, 0(a0)

//! huge_negative_immediate: ACCESS
    GUARD a0
    ld a1, 0(a0)
    lui a2, 0x201
    sub a0, a0, a2
bad: ld a1, 0(a0)

//! largest_immediate: ACCESS
    GUARD a0
    lui a2, 0x7ffff
    add a0, a0, a2
bad: sd a1, 0(a0)

//! overflowing_shift: ACCESS
    lui a0, 0x7ffff
    slli a0, a0, 28
    slli a0, a0, 28
    add a0, a0, gp
bad: ld a1, 0(a0)

//! unbounded_index: ACCESS
    GUARD a0
    sh3add a0, a1, a0
bad: ld a1, 0(a0)

//! sum_of_pointers: ACCESS
    GUARD a0
    add a0, a0, a0
bad: ld a1, 0(a0)

//! many_small_steps: ACCESS
    GUARD a0
    .rept 600
    addi a0, a0, 2047
    .endr
bad: ld a1, 0(a0)

//! failed_sc_as_a_proof: ACCESS
    GUARD a0
    sc.d a1, a2, (a0)
    lui a2, 0x1ff
    add a0, a0, a2
bad: ld a1, 0(a0)

//! far_behind_the_image: ACCESS
    auipc a0, 0x400
bad: ld a1, 0(a0)

//! stack_pivot_and_push: ACCESS
    mv sp, a0
bad: sd a0, 0(sp)

//! stack_pivot_and_call: STACK
    mv sp, a0
bad: jal ra, __ftl_gate
    PAD

//! stack_pivot_and_jump: STACK
    mv sp, a0
bad: j _start

//! stack_from_memory: STACK
    ld sp, 0(sp)
bad: ret

//! stack_that_drifts: STACK
    addi sp, sp, -2048
bad: j _start

//! stack_before_a_pad: STACK
    addi sp, sp, -2048
bad: PAD

//! branch_into_an_instruction: TARGET
bad: .word 0x00050163                   /* beqz a0, .+2 */

//! jump_into_an_instruction: TARGET
bad: .word 0x0060006f                   /* j .+6 */
    lui a0, 0x7306

//! jump_behind_the_code: TARGET
bad: .word 0x7ff0006f                   /* j .+4094, less than a page on */

//! jump_before_the_image: TARGET
bad: .word 0x8000006f                   /* j .-1048576 */

//! jump_into_the_gate: TARGET
bad: j __ftl_gate + 4

//! branch_to_the_gate: TARGET
    .rept 900
    nop
    .endr
bad: .word 0x80a50063                   /* beq a0, a0, .-4096 */

//! indirect_into_the_gate: INDIRECT
1:  auipc t1, 0xfffff
bad: jr 8(t1)

//! unchecked_call: INDIRECT
bad: jalr a0
    PAD

//! unchecked_jump: INDIRECT
bad: jr a0

//! call_of_a_masked_address: INDIRECT
    GUARD a0
bad: jalr a0
    PAD

//! call_behind_its_target: INDIRECT
    CHECK_TARGET a0
bad: jalr ra, 8(s9)
    PAD

//! call_before_its_target: INDIRECT
    CHECK_TARGET a0
bad: jalr ra, -4(s9)
    PAD

//! call_into_an_instruction: INDIRECT
    CHECK_TARGET a0
bad: jalr ra, 2(s9)
    PAD

//! call_of_the_unmasked_register: INDIRECT
    CHECK_TARGET a0
bad: jalr ra, 0(a0)
    PAD

//! target_changed_behind_check: INDIRECT
    CHECK_TARGET a0
    addi s9, s9, 4
bad: jalr ra, 0(s9)
    PAD

//! word_changed_before_its_check: INDIRECT
    add.uw s9, a0, gp
    lw s10, 0(s9)
    mv s10, s11
    beq s10, s11, .+8
    ebreak
bad: jr s9

//! check_of_another_word: INDIRECT
    add.uw s9, a0, gp
    lw s10, 4(s9)
    beq s10, s11, .+8
    ebreak
bad: jr s9

//! check_against_another_word: INDIRECT
    add.uw s9, a0, gp
    lw s10, 0(s9)
    beq s10, a1, .+8
    ebreak
bad: jr s9

//! jump_behind_a_target_check: INDIRECT
    j bad
    CHECK_TARGET a0
bad: jr s9

//! known_address_without_a_pad: INDIRECT
    auipc t1, 0
bad: jr 8(t1)
    nop

//! return_to_a_reloaded_word: INDIRECT
    ld ra, 0(sp)
bad: ret

//! return_behind_a_pad: INDIRECT
    addi ra, ra, 4
bad: ret

//! return_to_a_masked_address: INDIRECT
    ld ra, 0(sp)
    GUARD ra
bad: ret

//! jump_behind_a_return_check: INDIRECT
    ld ra, 0(sp)
    j bad
    CHECK_RA
bad: ret

//! tail_call_with_a_bad_return: RETURN_ADDRESS
    ld ra, 0(sp)
bad: j _start

//! gate_with_a_bad_return: RETURN_ADDRESS
    ld ra, 0(sp)
    li a7, 0
bad: j __ftl_gate

//! pad_with_a_bad_return: RETURN_ADDRESS
    ld ra, 0(sp)
bad: PAD

//! link_in_another_register: LINK
bad: jal t0, _start
    PAD

//! indirect_link_elsewhere: LINK
    CHECK_TARGET a0
bad: jalr t0, 0(s9)
    PAD

//! call_without_a_pad_behind_it: RETURN_SITE
bad: jal ra, _start
    nop

//! gate_call_without_a_pad: RETURN_SITE
bad: jal ra, __ftl_gate
    nop

//! pad_in_an_immediate: PAD_BYTES
bad: lui a5, 0x54c03                    /* its last three bytes are a pad's first ones */
    .word 0x00000046

//! pad_across_two_instructions: PAD_BYTES
bad: .word 0xc03705b7
    .word 0x00004654

//! pad_from_a_last_byte: PAD_BYTES
bad: .word 0x370005b7
    .word 0x004654c0

//! entry_without_a_pad: ENTRY
    .globl entry
entry: nop

//! code_that_runs_off_its_page: END bare
    .fill 1022, 4, 0x13
bad: nop

//! claim_that_does_not_hold: CLAIM
    nop
bad: ld a1, 0(a0)
    CLAIMS
    .word bad - __ftl_gate, 1 << 10

//! claim_that_a_branch_breaks: CLAIM
    GUARD a0
1:  ld a1, 0(a0)
    mv a0, a1
bad: bnez a2, 1b
    CLAIMS
    .word 1b - __ftl_gate, 1 << 10

//! claim_at_a_pad: CLAIM
    GUARD a0
bad: PAD
    ld a1, 0(a0)
    CLAIMS
    .word bad - __ftl_gate, 1 << 10

//! claim_about_sp: CLAIM
1:  nop
    CLAIMS
    .word 1b - __ftl_gate, 1 << 2

//! claim_about_the_pad_word: CLAIM
1:  nop
    CLAIMS
    .word 1b - __ftl_gate, 1 << 27

//! claim_outside_of_the_code: CLAIM
    CLAIMS
    .word 0x20000, 0

//! claim_into_an_instruction: CLAIM
    CLAIMS
    .word _start + 2 - __ftl_gate, 0

//! claims_out_of_order: CLAIM
1:  nop
2:  nop
    CLAIMS
    .word 2b - __ftl_gate, 0
    .word 1b - __ftl_gate, 0

//! claims_cut_short: CLAIM
    CLAIMS
    .word _start - __ftl_gate

//! claim_of_a_return_address: RETURN_ADDRESS
    ld ra, 0(sp)
    nop
bad: ret
    CLAIMS
    .word bad - __ftl_gate, 1 << 1
