/*
 * The fields of satp (privileged specification, "Supervisor Address Translation and Protection
 * (satp) Register", RV64); usable from assembly.
 */
#ifndef ARCH_SATP_H
#define ARCH_SATP_H

#define SATP_MODE_SV39  8
#define SATP_MODE_SHIFT 60
#define SATP_ASID_SHIFT 44
#define SATP_ASID_BITS  16 /* at most; a hart may have fewer, or none */

#endif
