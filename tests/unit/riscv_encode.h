/*
 * Encodes RISC-V instructions for tests: the field layouts of the unprivileged specification, and
 * the few instructions the sandbox tests are made of.
 */
#ifndef TESTS_UNIT_RISCV_ENCODE_H
#define TESTS_UNIT_RISCV_ENCODE_H

#include <stdint.h>

#include <ftl/sandbox_abi.h>

enum {
    ZERO,
    RA,
    SP,
    GP,
    TP,
    T0,
    T1,
    T2,
    S0,
    S1,
    A0,
    A1,
    A2,
    A3,
    A4,
    A5,
    A6,
    A7,
    S2,
    S3,
    S4,
    S5,
    S6,
    S7,
    S8,
    S9,
    S10,
    S11,
    T3,
    T4,
    T5,
    T6,
};

static inline uint32_t enc_r(uint32_t base, uint32_t rd, uint32_t rs1, uint32_t rs2)
{
    return base | rd << 7 | rs1 << 15 | rs2 << 20;
}

static inline uint32_t enc_i(uint32_t base, uint32_t rd, uint32_t rs1, int32_t imm)
{
    return base | rd << 7 | rs1 << 15 | (uint32_t)imm << 20;
}

static inline uint32_t enc_s(uint32_t base, uint32_t rs2, uint32_t rs1, int32_t imm)
{
    uint32_t bits = (uint32_t)imm;

    return base | (bits & 0x1fu) << 7 | rs1 << 15 | rs2 << 20 | (bits >> 5 & 0x7fu) << 25;
}

static inline uint32_t enc_b(uint32_t base, uint32_t rs1, uint32_t rs2, int32_t offset)
{
    uint32_t bits = (uint32_t)offset;

    return base | rs1 << 15 | rs2 << 20 | (bits >> 11 & 1u) << 7 | (bits >> 1 & 0xfu) << 8 |
           (bits >> 5 & 0x3fu) << 25 | (bits >> 12 & 1u) << 31;
}

static inline uint32_t enc_j(uint32_t rd, int32_t offset)
{
    uint32_t bits = (uint32_t)offset;

    return 0x6fu | rd << 7 | (bits >> 12 & 0xffu) << 12 | (bits >> 11 & 1u) << 20 |
           (bits >> 1 & 0x3ffu) << 21 | (bits >> 20 & 1u) << 31;
}

/* The instruction of that name; operands in the assembler's order. */
#define PAD               FTL_SANDBOX_PAD
#define EBREAK            0x00100073u
#define UNIMP             0xc0001073u
#define NOP               ADDI(ZERO, ZERO, 0)
#define ADDI(d, s, i)     enc_i(0x00000013u, d, s, i)
#define ADDIW(d, s, i)    enc_i(0x0000001bu, d, s, i)
#define ANDI(d, s, i)     enc_i(0x00007013u, d, s, i)
#define SLLI(d, s, i)     enc_i(0x00001013u, d, s, i)
#define SRLI(d, s, i)     enc_i(0x00005013u, d, s, i)
#define LUI(d, i)         (0x37u | (uint32_t)(d) << 7 | (uint32_t)(i) << 12)
#define AUIPC(d, i)       (0x17u | (uint32_t)(d) << 7 | (uint32_t)(i) << 12)
#define ADD(d, s, t)      enc_r(0x00000033u, d, s, t)
#define SUB(d, s, t)      enc_r(0x40000033u, d, s, t)
#define AND(d, s, t)      enc_r(0x00007033u, d, s, t)
#define MINU(d, s, t)     enc_r(0x0a005033u, d, s, t)
#define SRLIW(d, s, i)    enc_i(0x0000501bu, d, s, i)
#define XOR(d, s, t)      enc_r(0x00004033u, d, s, t)
#define ADDUW(d, s, t)    enc_r(0x0800003bu, d, s, t)
#define SH1ADD(d, s, t)   enc_r(0x20002033u, d, s, t)
#define SH2ADD(d, s, t)   enc_r(0x20004033u, d, s, t)
#define SH3ADD(d, s, t)   enc_r(0x20006033u, d, s, t)
#define SH1ADDUW(d, s, t) enc_r(0x2000203bu, d, s, t)
#define LBU(d, i, s)      enc_i(0x00004003u, d, s, i)
#define LW(d, i, s)       enc_i(0x00002003u, d, s, i)
#define LWU(d, i, s)      enc_i(0x00006003u, d, s, i)
#define LD(d, i, s)       enc_i(0x00003003u, d, s, i)
#define FLD(d, i, s)      enc_i(0x00003007u, d, s, i)
#define SB(t, i, s)       enc_s(0x00000023u, t, s, i)
#define SD(t, i, s)       enc_s(0x00003023u, t, s, i)
#define FSD(t, i, s)      enc_s(0x00003027u, t, s, i)
#define AMOADD_D(d, t, s) enc_r(0x0000302fu, d, s, t)
#define LR_D(d, s)        enc_r(0x1000302fu, d, s, 0)
#define SC_D(d, t, s)     enc_r(0x1800302fu, d, s, t)
#define BEQ(s, t, o)      enc_b(0x00000063u, s, t, o)
#define BNE(s, t, o)      enc_b(0x00001063u, s, t, o)
#define BGEU(s, t, o)     enc_b(0x00007063u, s, t, o)
#define JAL(d, o)         enc_j(d, o)
#define JALR(d, i, s)     enc_i(0x00000067u, d, s, i)
#define RET               JALR(ZERO, 0, RA)

/* Guards, as the instrumenter makes them. */
#define MASK(r)       ADDUW(r, r, GP)
#define CHECK(s, t)   BEQ(s, t, 8), EBREAK
#define TRAP_GUARD(r) ADDUW(S9, r, GP), CHECK(S9, r)
/* The same without Zba. */
#define MASK_AND(r)     AND(r, r, S8), ADD(r, r, GP)
#define TRAP_SUB(r)     SUB(S9, r, GP), BGEU(S8, S9, 8), EBREAK
#define CHECK_RA        MASK(RA), LW(S10, 0, RA), CHECK(S10, S11)
#define CHECK_TARGET(r) ADDUW(S9, r, GP), LW(S10, 0, S9), CHECK(S10, S11)

#endif
