/* The Supervisor Binary Interface's numbers (RISC-V SBI specification 2.0, by chapter). Usable from
 * assembly. */
#ifndef ARCH_SBI_H
#define ARCH_SBI_H

/* 5: legacy extensions, which are all that SBI 0.1 has; each is an extension of its own. */
#define SBI_LEGACY_SET_TIMER      0
#define SBI_LEGACY_PUTCHAR        1
#define SBI_LEGACY_SEND_IPI       4
#define SBI_LEGACY_REMOTE_FENCE_I 5
#define SBI_LEGACY_REMOTE_SFENCE  6
#define SBI_LEGACY_REMOTE_ASID    7
#define SBI_LEGACY_SHUTDOWN       8

/* 4: base */
#define SBI_BASE              0x10
#define SBI_BASE_SPEC_VERSION 0
#define SBI_BASE_IMPL_ID      1
#define SBI_BASE_PROBE        3
#define SBI_BASE_MVENDORID    4
#define SBI_BASE_MARCHID      5
#define SBI_BASE_MIMPID       6

#define SBI_TIME                  0x54494d45 /* 6 */
#define SBI_TIME_SET_TIMER        0
#define SBI_IPI                   0x735049 /* 7 */
#define SBI_IPI_SEND              0
#define SBI_RFENCE                0x52464e43 /* 8 */
#define SBI_RFENCE_FENCE_I        0
#define SBI_RFENCE_SFENCE         1
#define SBI_RFENCE_SFENCE_ASID    2
#define SBI_HSM                   0x48534d /* 9 */
#define SBI_HSM_HART_START        0
#define SBI_SRST                  0x53525354 /* 10 */
#define SBI_SRST_RESET            0
#define SBI_SRST_TYPE_SHUTDOWN    0
#define SBI_SRST_TYPE_COLD_REBOOT 1
#define SBI_DBCN                  0x4442434e /* 12 */
#define SBI_DBCN_WRITE            0

/* 3: errors */
#define SBI_ERR_NOT_SUPPORTED     (-2)
#define SBI_ERR_ALREADY_AVAILABLE (-6)

#ifndef __ASSEMBLER__

/* Legacy calls put their error into `error`, and leave `value` undefined. */
struct sbi_result {
    long error;
    long value;
};

#endif
#endif
