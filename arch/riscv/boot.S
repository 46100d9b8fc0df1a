/*
 * First instructions: the boot hart comes from OpenSBI or U-Boot in S-mode with the MMU off, a0 = hart and
 * a1 = physical address of the DTB, anything in the other registers; the other harts come through SBI HSM, or
 * here too, where firmware has no HSM. Position independent until the MMU is on. The image starts with the header
 * of the Linux boot protocol (riscv boot-image-header, version 0.2).
 */
#include "arch/csr.h"
#include "arch/offsets.h"
#include "arch/sbi.h"

    .section .text.boot, "ax"
    .option norvc
    .global _start
_start:
    j       boot_hart
    .word   0
    .balign 8
    .dword  0x200000                    /* load offset from the start of RAM */
    .dword  __boot_room_end - __image_start /* bytes in memory: bss, and room for a device tree */
    .dword  0                           /* flags: little-endian */
    .word   2                           /* header version 0.2 */
    .word   0
    .dword  0
    .ascii  "RISCV\0\0\0"
    .ascii  "RSC\x05"
    .word   0
    .option rvc

/* Page-table bits: V R W X A D, global. */
#define PTE_TABLE    0x01
#define PTE_RW       0xe7
#define PTE_RWX      0xef
#define PTE_PPN_SHIFT 10
#define GIGAPAGES    64   /* of the direct map */
#define ROOT_DIRECT  256  /* root index of DIRECT_MAP_BASE */
#define ROOT_KERNEL  510  /* root index of KERNEL_BASE */

boot_hart:
    csrw    sie, zero
    csrw    sstatus, zero
    csrw    sscratch, zero

    /* The first hart here boots, others wait until they are called. */
    lla     t0, boot_taken
    li      t1, 1
    amoswap.w.aqrl t1, t1, (t0)
    bnez    t1, wait_for_call

    /* Pages of 2 MiB map the image: it has to lie at a multiple of that. */
    lla     s3, __image_start
    slli    t0, s3, 64 - 21
    bnez    t0, misplaced
    mv      s0, a0
    mv      s1, a1

    /* The instruction count at entry, 0 when the firmware does not let us read it. */
    li      s4, 0
    lla     t0, 1f
    csrw    stvec, t0
    rdinstret s4
    .balign 4
1:

    /* Clear bss: 8-byte aligned at both ends. */
    lla     t0, __bss_start
    lla     t1, __bss_end
1:  sd      zero, 0(t0)
    addi    t0, t0, 8
    bltu    t0, t1, 1b

    /* The direct map: all of it as gigapages, until kernel_map_init() knows where RAM is. */
    lla     s2, boot_root
    li      t0, ROOT_DIRECT * 8
    add     t0, t0, s2
    li      t1, PTE_RW
    li      t2, GIGAPAGES
    li      t3, 1 << (30 - 12 + PTE_PPN_SHIFT)
1:  sd      t1, 0(t0)
    addi    t0, t0, 8
    add     t1, t1, t3
    addi    t2, t2, -1
    bnez    t2, 1b

    /* The image, 2 MiB pages from its load address on. */
    lla     t0, boot_image_table
    srli    t1, t0, 12
    slli    t1, t1, PTE_PPN_SHIFT
    ori     t1, t1, PTE_TABLE
    li      t2, ROOT_KERNEL * 8
    add     t2, t2, s2
    sd      t1, 0(t2)
    srli    t1, s3, 12
    slli    t1, t1, PTE_PPN_SHIFT
    ori     t1, t1, PTE_RWX
    lla     t2, __image_end
    mv      t3, s3
    li      t4, 1 << (21 - 12 + PTE_PPN_SHIFT)
    li      t5, 1 << 21
1:  sd      t1, 0(t0)
    addi    t0, t0, 8
    add     t1, t1, t4
    add     t3, t3, t5
    bltu    t3, t2, 1b

    /* Turning the MMU on faults at the next fetch, and the fault's vector is the virtual address to go on at. */
    ld      t0, boot_virtual_address
    csrw    stvec, t0
    srli    t1, s2, 12
    li      t2, SATP_MODE_SV39 << SATP_MODE_SHIFT
    or      t1, t1, t2
    sfence.vma
    csrw    satp, t1
    .balign 4
boot_virtual:
    lla     t0, trap_stop
    csrw    stvec, t0
    lla     sp, __boot_stack_top
    lla     tp, harts
    mv      a0, s0
    mv      a1, s1
    mv      a2, s3
    mv      a3, s4
    li      s0, 0                       /* the end of the chain of frames */
    call    kernel_main
trap_stop:                              /* traps before there is a vector, and no way to report them */
    wfi
    j       trap_stop

    .balign 8
boot_virtual_address:
    .dword  boot_virtual

/* Says so through SBI's legacy console, all there is so early. */
misplaced:
    lla     s0, misplaced_text
1:  lbu     a0, 0(s0)
    beqz    a0, trap_stop
    li      a7, SBI_LEGACY_PUTCHAR
    ecall
    addi    s0, s0, 1
    j       1b
misplaced_text:
    .asciz  "FTL: the image has to lie at a multiple of 2 MiB\r\n"

/*
 * a0 = hart. Until waiting_hart_call() (hart.c) names it: then it starts as it would by HSM, and says that it has
 * come.
 */
    .balign 4
wait_for_call:
    lla     t0, boot_call
1:  .word   ZIHINTPAUSE_PAUSE
    ld      t1, BOOT_CALL_HART(t0)
    bne     t1, a0, 1b
    fence   r, r
    ld      a1, BOOT_CALL_ARGUMENT(t0)
    beqz    a1, 1b
    fence   r, rw
    sd      zero, BOOT_CALL_ARGUMENT(t0)
    /* fall through */

/* A secondary hart: a0 = hart, a1 = physical address of its struct hart_boot. */
    .global secondary_start
    .balign 4
secondary_start:
    csrw    sie, zero
    csrw    sstatus, zero
    csrw    sscratch, zero
    ld      t0, BOOT_SATP(a1)
    ld      sp, BOOT_STACK(a1)
    ld      tp, BOOT_HART(a1)
    ld      t1, BOOT_ENTRY(a1)
    csrw    stvec, t1
    sfence.vma
    csrw    satp, t0
    .balign 4
    .global secondary_virtual
secondary_virtual:
    lla     t0, trap_stop
    csrw    stvec, t0
    li      s0, 0
    call    secondary_main
    j       trap_stop

/* Used before bss is cleared. */
    .section .data.boot, "aw"
    .balign 8
    .global boot_call
boot_call:
    .dword  -1                          /* the hart that is called */
    .dword  0                           /* its a1; 0: nobody is called */
boot_taken:
    .word   0

    .section .bss.pages, "aw", @nobits
    .balign 4096
boot_root:
    .skip   4096
boot_image_table:
    .skip   4096
