/*
 * CSR names, bits and access (RISC-V privileged specification, "Supervisor-Level ISA"). Only
 * arch/riscv includes this; the constants are usable from assembly.
 */
#ifndef ARCH_CSR_H
#define ARCH_CSR_H

#include "arch/satp.h"

#define SSTATUS_SIE        (1 << 1)
#define SSTATUS_SPIE       (1 << 5)
#define SSTATUS_SPP        (1 << 8)
#define SSTATUS_FS         (3 << 13)
#define SSTATUS_FS_OFF     (0 << 13)
#define SSTATUS_FS_INITIAL (1 << 13)
#define SSTATUS_FS_CLEAN   (2 << 13)
#define SSTATUS_FS_DIRTY   (3 << 13)
#define SSTATUS_SUM        (1 << 18)

/* sip and sie. */
#define INTERRUPT_SOFTWARE 1
#define INTERRUPT_TIMER    5
#define INTERRUPT_EXTERNAL 9

/* scause, without the interrupt bit. */
#define CAUSE_INSTRUCTION_MISALIGNED 0
#define CAUSE_INSTRUCTION_ACCESS     1
#define CAUSE_ILLEGAL_INSTRUCTION    2
#define CAUSE_BREAKPOINT             3
#define CAUSE_LOAD_MISALIGNED        4
#define CAUSE_LOAD_ACCESS            5
#define CAUSE_STORE_MISALIGNED       6
#define CAUSE_STORE_ACCESS           7
#define CAUSE_USER_CALL              8
#define CAUSE_SUPERVISOR_CALL        9
#define CAUSE_INSTRUCTION_PAGE_FAULT 12
#define CAUSE_LOAD_PAGE_FAULT        13
#define CAUSE_STORE_PAGE_FAULT       15

#ifndef __ASSEMBLER__

#define SCAUSE_INTERRUPT (1UL << 63)

#define csr_read(csr)                                                                              \
    ({                                                                                             \
        unsigned long csr_value_;                                                                  \
        __asm__ volatile("csrr %0, " #csr : "=r"(csr_value_) : : "memory");                        \
        csr_value_;                                                                                \
    })
#define csr_write(csr, value)                                                                      \
    __asm__ volatile("csrw " #csr ", %0" : : "rK"((unsigned long)(value)) : "memory")
#define csr_set(csr, bits)                                                                         \
    __asm__ volatile("csrs " #csr ", %0" : : "rK"((unsigned long)(bits)) : "memory")
#define csr_clear(csr, bits)                                                                       \
    __asm__ volatile("csrc " #csr ", %0" : : "rK"((unsigned long)(bits)) : "memory")

#endif
#endif
