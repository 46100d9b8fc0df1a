/*
 * The sandbox verifier: each permitted form is accepted where it is safe, each rule refuses what
 * breaks it. Code is given as words; unless said otherwise it starts at FTL_GATE_SIZE with the
 * entry's pad.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/sandbox/disassemble.h"
#include "kernel/sandbox/verify.h"
#include "riscv_encode.h"

#define IMAGE_SIZE 0x100000u
#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))

static struct sandbox_verify_error error;

/* A claim: word number `index` of the code, and the mask that holds there. */
struct claim {
    uint32_t index;
    uint32_t mask;
};

#define CLAIMS_MAX 8

/* Verifies words as the code of an image; the entry is the first word. */
static bool verify_claims(const uint32_t *words, size_t count, const struct claim *claims,
                          size_t claim_count)
{
    uint32_t table[CLAIMS_MAX][2];
    struct sandbox_verify_input input = {
        .size = count * 4,
        .address = FTL_GATE_SIZE,
        .image_size = IMAGE_SIZE,
        .entry = FTL_GATE_SIZE,
    };
    uint8_t *code = malloc(input.size + 1); /* exactly as large: ASan sees reads behind the end */
    bool good;

    for (size_t i = 0; i < claim_count; i++) {
        table[i][0] = FTL_GATE_SIZE + claims[i].index * 4;
        table[i][1] = claims[i].mask;
    }
    input.claims = (const uint8_t *)table;
    input.claims_size = claim_count * sizeof(table[0]);
    memcpy(code, words, input.size);
    input.code = code;
    input.targets = malloc(SANDBOX_TARGETS_SIZE(input.size));
    good = sandbox_verify(&input, &error);
    free(input.targets);
    free(code);
    return good;
}

static bool verify_words(const uint32_t *words, size_t count)
{
    return verify_claims(words, count, NULL, 0);
}

static void accept(const uint32_t *words, size_t count)
{
    if (!verify_words(words, count)) {
        fail_msg("refused at 0x%llx: %s: %s", (unsigned long long)error.address, error.text,
                 error.rule);
    }
}

/* Demands a refusal by this rule at word number index. */
static void refuse(const uint32_t *words, size_t count, const char *rule, size_t index)
{
    if (verify_words(words, count)) {
        fail_msg("accepted what breaks %s", rule);
    }
    assert_string_equal(error.rule, rule);
    assert_int_equal(error.address, FTL_GATE_SIZE + index * 4);
}

#define ACCEPT(...)                                                                                \
    do {                                                                                           \
        const uint32_t words[] = { __VA_ARGS__ };                                                  \
        accept(words, COUNT(words));                                                               \
    } while (0)
#define REFUSE(rule, index, ...)                                                                   \
    do {                                                                                           \
        const uint32_t words[] = { __VA_ARGS__ };                                                  \
        refuse(words, COUNT(words), rule, index);                                                  \
    } while (0)

#define CLAIMS(...) ((const struct claim[]){ __VA_ARGS__ })

#define ACCEPT_CLAIMS(claims, ...)                                                                 \
    do {                                                                                           \
        const uint32_t words[] = { __VA_ARGS__ };                                                  \
        if (!verify_claims(words, COUNT(words), claims, COUNT(claims))) {                          \
            fail_msg("refused at 0x%llx: %s: %s", (unsigned long long)error.address, error.text,   \
                     error.rule);                                                                  \
        }                                                                                          \
    } while (0)
#define REFUSE_CLAIMS(claims, broken, index, ...)                                                  \
    do {                                                                                           \
        const uint32_t words[] = { __VA_ARGS__ };                                                  \
        assert_false(verify_claims(words, COUNT(words), claims, COUNT(claims)));                   \
        assert_string_equal(error.rule, broken);                                                   \
        assert_int_equal(error.address, FTL_GATE_SIZE + (index) * 4);                              \
    } while (0)

/* ---- The table of forms ---- */

static void every_form_decodes_to_itself(void **state)
{
    struct sandbox_decoder decoder;
    struct sandbox_insn insn;

    (void)state;
    sandbox_decoder_init(&decoder);
    for (size_t i = 0; i < sandbox_form_count; i++) {
        assert_int_equal(sandbox_forms[i].match & ~sandbox_forms[i].mask, 0);
        assert_true(sandbox_decode(&decoder, sandbox_forms[i].match, &insn));
        assert_string_equal(insn.form->name, sandbox_forms[i].name);
    }
}

static void no_word_has_two_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < sandbox_form_count; i++) {
        for (size_t j = i + 1; j < sandbox_form_count; j++) {
            const struct sandbox_form *a = &sandbox_forms[i], *b = &sandbox_forms[j];

            if (((a->match ^ b->match) & a->mask & b->mask) == 0) {
                fail_msg("%s and %s overlap", a->name, b->name);
            }
        }
    }
}

static void privileged_and_unknown_encodings_are_refused(void **state)
{
    static const uint32_t words[] = {
        0x00000073, /* ecall: an SBI call from S-mode */
        0x10200073, /* sret */
        0x30200073, /* mret */
        0x7b200073, /* dret */
        0x10500073, /* wfi */
        0x12000073, /* sfence.vma */
        0x16000073, /* sinval.vma */
        0x22000073, /* hfence.bvma */
        0x60004073, /* hlv.b */
        0x18051073, /* csrw satp, a0 */
        0x14151073, /* csrw sepc, a0 */
        0x10016073, /* csrsi sstatus, 2 */
        0x00302573, /* csrr a0, fcsr */
        0xc0002573, /* rdcycle a0 */
        0x0000100f, /* fence.i */
        0x0000200f, /* cbo.inval */
        0x02050007, /* vle8.v */
        0x02000057, /* vector arithmetic */
        0x0000000b, /* custom-0 */
        0x0000002b, /* custom-1 */
        0x00000001, /* c.nop and more */
        0x00018082, /* c.ret */
        0x90029002, /* c.ebreak twice */
        0xffffffff,
        0x0000001f,               /* longer than 32 bits */
        0x00007003,               /* reserved load width */
        0x00004023,               /* reserved store width */
        0x00002063,               /* reserved branch */
        0x0000202f | 0xe8000000u, /* no such amo */
        0x00005053,               /* fadd with the reserved rounding mode 5 */
        0x00006053,               /* fadd with the reserved rounding mode 6 */
        0x04000053,               /* fadd.h: Zfh is not ours */
        0x06000053,               /* fadd.q */
        0x0000502f,               /* amo of 16 bytes or such */
        0x08005013,               /* within OP-IMM: reserved shift encoding */
        0x8000005b,               /* custom-2 */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(words); i++) {
        const uint32_t code[] = { PAD, words[i], UNIMP };
        refuse(code, COUNT(code), "FORM", 1);
    }
}

static void plain_computation_is_accepted(void **state)
{
    (void)state;
    ACCEPT(PAD, ADDI(A0, A0, 1), ADD(A1, A0, A0), XOR(T0, A1, T6), LUI(A2, 5), NOP, RET);
    ACCEPT(PAD, UNIMP);
    ACCEPT(PAD, 0x00000000u); /* the all-zero word is illegal by definition, so it ends code */
}

/* ---- Shape and entry ---- */

static bool verify_at(uint64_t address, uint64_t entry, uint64_t image_size, size_t size)
{
    const uint32_t words[] = { PAD, RET, PAD, RET };
    uint8_t targets[SANDBOX_TARGETS_SIZE(sizeof(words))];
    struct sandbox_verify_input input = { .code = (const uint8_t *)words,
                                          .size = size,
                                          .address = address,
                                          .image_size = image_size,
                                          .entry = entry,
                                          .targets = targets };

    return sandbox_verify(&input, &error);
}

static void code_of_bad_shape_is_refused(void **state)
{
    (void)state;
    assert_true(verify_at(FTL_GATE_SIZE, FTL_GATE_SIZE, IMAGE_SIZE, 16));
    assert_false(verify_at(FTL_GATE_SIZE, FTL_GATE_SIZE, IMAGE_SIZE, 0));
    assert_string_equal(error.rule, "SHAPE");
    assert_false(verify_at(FTL_GATE_SIZE, FTL_GATE_SIZE, IMAGE_SIZE, 15));
    assert_string_equal(error.rule, "SHAPE");
    assert_false(verify_at(FTL_GATE_SIZE + 2, FTL_GATE_SIZE + 2, IMAGE_SIZE, 16));
    assert_string_equal(error.rule, "SHAPE");
    assert_false(verify_at(0, 0, IMAGE_SIZE, 16)); /* over the gate */
    assert_string_equal(error.rule, "SHAPE");
    assert_false(verify_at(FTL_GATE_SIZE, FTL_GATE_SIZE, FTL_GATE_SIZE + 8, 16));
    assert_string_equal(error.rule, "SHAPE");
    assert_false(verify_at(FTL_GATE_SIZE, FTL_GATE_SIZE, UINT64_MAX, 16));
    assert_string_equal(error.rule, "SHAPE");
}

static void entry_must_be_a_landing_pad_in_the_code(void **state)
{
    (void)state;
    assert_true(verify_at(FTL_GATE_SIZE, FTL_GATE_SIZE + 8, IMAGE_SIZE, 16));
    assert_false(verify_at(FTL_GATE_SIZE, FTL_GATE_SIZE + 4, IMAGE_SIZE, 16));
    assert_string_equal(error.rule, "ENTRY");
    assert_false(verify_at(FTL_GATE_SIZE, FTL_GATE_SIZE + 16, IMAGE_SIZE, 16));
    assert_string_equal(error.rule, "ENTRY");
    assert_false(verify_at(FTL_GATE_SIZE, 0, IMAGE_SIZE, 16));
    assert_string_equal(error.rule, "ENTRY");
    assert_false(verify_at(FTL_GATE_SIZE, FTL_GATE_SIZE + 2, IMAGE_SIZE, 16));
    assert_string_equal(error.rule, "ENTRY");
}

static void code_may_not_run_off_its_end(void **state)
{
    (void)state;
    REFUSE("END", 1, PAD, NOP);
    REFUSE("END", 0, PAD);
    REFUSE("END", 2, PAD, ADDUW(S9, A0, GP), BEQ(S9, A0, -4));
}

/* ---- Registers ---- */

static void reserved_registers_are_never_written(void **state)
{
    (void)state;
    REFUSE("RESERVED", 1, PAD, ADDI(GP, GP, 0), RET);
    REFUSE("RESERVED", 1, PAD, ADDI(TP, TP, 0), RET);
    REFUSE("RESERVED", 1, PAD, LUI(S11, 0), RET);
    REFUSE("RESERVED", 1, PAD, ADDI(S8, ZERO, -1), RET);
    REFUSE("RESERVED", 1, PAD, LW(GP, 0, SP), RET);
    REFUSE("RESERVED", 1, PAD, AMOADD_D(TP, A0, SP), RET);
    REFUSE("RESERVED", 1, PAD, SC_D(S11, A0, SP), RET);
    REFUSE("RESERVED", 1, PAD, JAL(GP, 4), RET);
    REFUSE("RESERVED", 1, PAD, enc_r(0xe2000053u, TP, 0, 0), RET); /* fmv.x.d tp, f0 */
    ACCEPT(PAD, FLD(GP, 0, SP), RET);                              /* f3 is not gp */
    ACCEPT(PAD, ADDI(S9, ZERO, 1), ADDI(S10, ZERO, 1), RET);
}

/* ---- Memory ---- */

static void access_needs_a_proved_address(void **state)
{
    (void)state;
    REFUSE("ACCESS", 1, PAD, LW(A0, 0, A0), RET);
    REFUSE("ACCESS", 1, PAD, LBU(A0, 0, A0), RET);
    REFUSE("ACCESS", 1, PAD, SD(A0, 0, A1), RET);
    REFUSE("ACCESS", 1, PAD, FLD(0, 0, A1), RET);
    REFUSE("ACCESS", 1, PAD, FSD(0, 0, A1), RET);
    REFUSE("ACCESS", 1, PAD, AMOADD_D(A0, A1, A2), RET);
    REFUSE("ACCESS", 1, PAD, LR_D(A0, A2), RET);
    REFUSE("ACCESS", 1, PAD, SC_D(A0, A1, A2), RET);
    REFUSE("ACCESS", 1, PAD, LW(ZERO, 0, A0), RET);
    REFUSE("ACCESS", 1, PAD, LW(A0, 0, ZERO), RET);
    REFUSE("ACCESS", 1, PAD, LW(A0, 0, S9), RET);
    REFUSE("ACCESS", 1, PAD, LW(A0, 0, S11), RET);
    ACCEPT(PAD, LW(A0, 0, RA), RET); /* ra is the address of a pad here */
}

static void masked_addresses_are_proved(void **state)
{
    (void)state;
    ACCEPT(PAD, MASK(A0), LD(A1, 2047, A0), RET);
    ACCEPT(PAD, MASK(A0), SD(A1, -2048, A0), RET);
    ACCEPT(PAD, ADDUW(S9, A0, GP), SD(A1, 0, S9), RET);
    ACCEPT(PAD, MASK(A0), AMOADD_D(A0, A1, A0), RET);
    ACCEPT(PAD, SLLI(S9, A0, 32), SRLI(S9, S9, 32), ADD(S9, S9, GP), LD(A0, 0, S9), RET);
    ACCEPT(PAD, LWU(A0, 0, SP), ADD(A0, GP, A0), LD(A0, 0, A0), RET);
    ACCEPT(PAD, MASK_AND(A0), LD(A0, 0, A0), RET);
    ACCEPT(PAD, AND(A0, S8, A1), ADD(A0, GP, A0), LD(A0, 0, A0), RET);
    REFUSE("ACCESS", 3, PAD, AND(A0, A0, S7), ADD(A0, A0, GP), LD(A0, 0, A0), RET);
    REFUSE("ACCESS", 3, PAD, AND(A0, A0, S8), ADD(A0, A0, TP), LD(A0, 0, A0), RET);
    REFUSE("ACCESS", 1, PAD, LD(A0, 0, S8), RET); /* a number, no address */
    REFUSE("ACCESS", 3, PAD, LW(A0, 0, SP), ADD(A0, GP, A0), LD(A0, 0, A0), RET); /* signed */
    REFUSE("ACCESS", 3, PAD, SRLI(S9, A0, 31), ADD(S9, S9, GP), LD(A0, 0, S9), RET);
    REFUSE("ACCESS", 2, PAD, ADDUW(A0, A0, SP), LD(A0, 0, A0), RET); /* not BASE */
    REFUSE("ACCESS", 2, PAD, ADDUW(A0, A0, TP), LD(A0, 0, A0), RET);
    REFUSE("ACCESS", 2, PAD, SH1ADDUW(A0, A0, GP), LD(A0, 0, A0), RET); /* up to 8 GiB */
    REFUSE("ACCESS", 2, PAD, ADD(A0, A0, GP), LD(A0, 0, A0), RET);
}

static void checked_addresses_are_proved(void **state)
{
    (void)state;
    ACCEPT(PAD, TRAP_GUARD(A0), LD(A1, 8, A0), RET);
    ACCEPT(PAD, ADDUW(S9, A0, GP), BEQ(A0, S9, 8), EBREAK, LD(A1, 8, A0), RET);
    REFUSE("ACCESS", 4, PAD, ADDUW(S9, A0, GP), BEQ(S9, A1, 8), EBREAK, LD(A1, 8, A0), RET);
    REFUSE("ACCESS", 4, PAD, ADDUW(S9, A0, GP), BEQ(S9, A0, 8), NOP, LD(A1, 8, A0), RET);
    REFUSE("TRAP", 3, PAD, ADDUW(S9, A0, GP), BNE(S9, A0, 8), EBREAK, LD(A1, 8, A0), RET);
    ACCEPT(PAD, TRAP_SUB(A0), LD(A1, 8, A0), RET);
    ACCEPT(PAD, SUB(S9, A0, GP), BGEU(ZERO, S9, 8), EBREAK, LD(A1, 8, A0), RET);
    REFUSE("ACCESS", 4, PAD, SUB(S9, A0, GP), BGEU(S9, S8, 8), EBREAK, LD(A1, 8, A0), RET);
    REFUSE("ACCESS", 4, PAD, SUB(S9, A0, GP), BEQ(S8, S9, 8), EBREAK, LD(A1, 8, A0), RET);
    REFUSE("ACCESS", 4, PAD, SUB(S9, A0, TP), BGEU(S8, S9, 8), EBREAK, LD(A1, 8, A0), RET);
    REFUSE("ACCESS", 4, PAD, SUB(S9, A0, GP), BGEU(A1, S9, 8), EBREAK, LD(A1, 8, A0), RET);
    REFUSE("ACCESS", 4, PAD, SUB(S9, A0, GP), BGEU(S8, A2, 8), EBREAK, LD(A1, 8, A0), RET);
    REFUSE("ACCESS", 4, PAD, SUB(A0, A0, GP), BGEU(S8, A0, 8), EBREAK, LD(A1, 8, A0), RET);
    REFUSE("ACCESS", 4, PAD, SUB(ZERO, A0, GP), BGEU(S8, ZERO, 8), EBREAK, LD(A1, 8, A0), RET);
    REFUSE("ACCESS", 4, PAD, SUB(S9, A0, GP), BGEU(S8, S9, 8), NOP, LD(A1, 8, A0), RET);
    REFUSE("ACCESS", 5, PAD, SUB(S9, A0, GP), ADDI(S9, S9, 1), BGEU(S8, S9, 8), EBREAK,
           LD(A1, 8, A0), RET);
    REFUSE("ACCESS", 5, PAD, SUB(S9, A0, GP), ADDI(A0, A0, 1), BGEU(S8, S9, 8), EBREAK,
           LD(A1, 8, A0), RET);
    REFUSE("ACCESS", 6, PAD, ADDI(A2, ZERO, 1), SLLI(A2, A2, 32), SUB(S9, A0, GP), BGEU(A2, S9, 8),
           EBREAK, LD(A1, 8, A0), RET); /* 4 GiB is one too many */
}

static void jump_behind_a_guard_unproves_the_access(void **state)
{
    (void)state;
    REFUSE("ACCESS", 2, PAD, MASK(A0), LD(A1, 0, A0), BNE(A1, A2, -4), RET);
    REFUSE("ACCESS", 4, PAD, TRAP_GUARD(A0), LD(A1, 0, A0), BNE(A1, A2, -4), RET);
    REFUSE("ACCESS", 3, PAD, BEQ(A1, A2, 8), MASK(A0), LD(A1, 0, A0), RET);
    REFUSE("ACCESS", 3, PAD, JAL(ZERO, 8), MASK(A0), LD(A1, 0, A0), RET);
}

static void facts_end_when_the_register_is_written(void **state)
{
    (void)state;
    REFUSE("ACCESS", 3, PAD, MASK(A0), XOR(A0, A0, A1), LD(A1, 0, A0), RET);
    REFUSE("ACCESS", 3, PAD, MASK(A0), LD(A0, 0, A0), LD(A1, 0, A0), RET);
    REFUSE("ACCESS", 3, PAD, MASK(A0), AMOADD_D(A0, A1, A0), LD(A1, 0, A0), RET);
    REFUSE("ACCESS", 4, PAD, MASK(A0), JAL(RA, 12), PAD, LD(A1, 0, A0), RET);
    ACCEPT(PAD, MASK(A0), FLD(A0, 0, A0), LD(A1, 0, A0), RET); /* f10 is not a0 */
}

static void access_proves_its_own_pointer(void **state)
{
    (void)state;
    /* 0x100000 below the end of the mask's reach only an access makes room for more. */
    ACCEPT(PAD, MASK(A0), LD(A1, 0, A0), LUI(A2, 0x100), ADD(A0, A0, A2), LD(A1, 0, A0), RET);
    ACCEPT(PAD, MASK(A0), SD(A1, 0, A0), LUI(A2, 0x1ff), ADD(A0, A0, A2), LD(A1, 0, A0), RET);
    REFUSE("ACCESS", 5, PAD, MASK(A0), LD(A1, 0, A0), LUI(A2, 0x201), ADD(A0, A0, A2),
           LD(A1, 0, A0), RET);
    REFUSE("ACCESS", 4, PAD, MASK(A0), LUI(A2, 0x101), ADD(A0, A0, A2), LD(A1, 0, A0), RET);
}

static void failed_sc_proves_nothing(void **state)
{
    (void)state;
    REFUSE("ACCESS", 5, PAD, MASK(A0), SC_D(A1, A2, A0), LUI(A2, 0x1ff), ADD(A0, A0, A2),
           LD(A1, 0, A0), RET);
}

static void bounded_sums_keep_a_fact(void **state)
{
    (void)state;
    ACCEPT(PAD, MASK(A0), ADDI(A1, A0, 2047), LD(A2, 0, A1), RET);
    ACCEPT(PAD, MASK(A0), ANDI(A1, A1, 255), SH3ADD(A1, A1, A0), LD(A2, 0, A1), RET);
    ACCEPT(PAD, LBU(A1, 0, SP), SH3ADD(A1, A1, SP), LD(A2, 0, A1), RET);
    ACCEPT(PAD, MASK(A0), ANDI(A0, A0, -16), LD(A2, 0, A0), RET);
    ACCEPT(PAD, MASK(A0), ADDI(A1, ZERO, 64), SUB(A0, A0, A1), LD(A2, 0, A0), RET);
    REFUSE("ACCESS", 3, PAD, MASK(A0), SH3ADD(A1, A1, A0), LD(A2, 0, A1), RET);
    REFUSE("ACCESS", 3, PAD, MASK(A0), SUB(A0, A1, A0), LD(A2, 0, A0), RET);
    REFUSE("ACCESS", 3, PAD, MASK(A0), ADD(A0, A0, A0), LD(A2, 0, A0), RET);
}

static void ranges_of_numbers_are_followed(void **state)
{
    (void)state;
    ACCEPT(PAD, LBU(A1, 0, SP), AND(A1, A1, A2), SH3ADD(A1, A1, SP), LD(A2, 0, A1), RET);
    ACCEPT(PAD, LBU(A1, 0, SP), MINU(A1, A2, A1), SH3ADD(A1, A1, SP), LD(A2, 0, A1), RET);
    ACCEPT(PAD, SRLIW(A1, A1, 16), SH3ADD(A1, A1, SP), LD(A2, 0, A1), RET);
    ACCEPT(PAD, LWU(A1, 0, SP), SRLI(A1, A1, 20), SH3ADD(A1, A1, SP), LD(A2, 0, A1), RET);
    REFUSE("ACCESS", 4, PAD, ADDI(A1, ZERO, -1), AND(A1, A1, A2), SH3ADD(A1, A1, SP), LD(A2, 0, A1),
           RET);
    REFUSE("ACCESS", 4, PAD, ADDI(A1, ZERO, -1), MINU(A1, A1, A2), SH3ADD(A1, A1, SP),
           LD(A2, 0, A1), RET);
    REFUSE("ACCESS", 3, PAD, SRLIW(A1, A1, 0), ADD(A1, A1, SP), LD(A2, 0, A1), RET);
    /* srliw by 0 sign-extends */
    REFUSE("ACCESS", 4, PAD, LWU(A1, 0, SP), SRLIW(A1, A1, 0), ADD(A1, A1, GP), LD(A2, 0, A1), RET);
    REFUSE("ACCESS", 3, PAD, SRLIW(A1, A1, 8), SH3ADD(A1, A1, SP), LD(A2, 0, A1), RET);
    REFUSE("ACCESS", 4, PAD, LW(A1, 0, SP), SRLI(A1, A1, 20), SH3ADD(A1, A1, SP), LD(A2, 0, A1),
           RET);
}

/* Repeats body until a straight run of it would leave window and guard zones. */
static void drift(uint32_t step, bool good)
{
    uint32_t words[1000];
    size_t count = 0;

    words[count++] = PAD;
    words[count++] = MASK(A0);
    for (unsigned int i = 0; i < 600; i++) {
        words[count++] = step;
    }
    words[count++] = LD(A1, 0, A0);
    words[count++] = RET;
    if (good) {
        accept(words, count);
    } else {
        refuse(words, count, "ACCESS", count - 2);
    }
}

static void accesses_end_where_unmapped_space_is_sure_to_end(void **state)
{
    (void)state;
    /* From 1 MiB below the mappable part another MiB down, and up; an access reaches 8 bytes on. */
    ACCEPT(PAD, MASK(A0), LUI(A2, 0x100), SUB(A0, A0, A2), LD(A1, 0, A0), RET);
    REFUSE("ACCESS", 4, PAD, MASK(A0), LUI(A2, 0x100), SUB(A0, A0, A2), LD(A1, -8, A0), RET);
    ACCEPT(PAD, MASK(A0), LUI(A2, 0x100), ADD(A0, A0, A2), LD(A1, -8, A0), RET);
    REFUSE("ACCESS", 4, PAD, MASK(A0), LUI(A2, 0x100), ADD(A0, A0, A2), LD(A1, -7, A0), RET);
    REFUSE("ACCESS", 4, PAD, MASK(A0), LUI(A2, 0x100), ADD(A0, A0, A2), LBU(A1, 0, A0), RET);
    ACCEPT(PAD, MASK(A0), LUI(A2, 0x100), ADD(A0, A0, A2), LBU(A1, -1, A0), RET);
}

static void many_small_steps_add_up(void **state)
{
    (void)state;
    drift(ADDI(A0, A0, 2047), false); /* 600 * 2047 > 1 MiB */
    drift(ADDI(A0, A0, -2048), false);
    drift(ADDI(A0, A0, 1024), true);
    drift(ANDI(A0, A0, -2048), false);
}

static void numbers_do_not_overflow_into_facts(void **state)
{
    (void)state;
    REFUSE("ACCESS", 5, PAD, LUI(A0, 0x7ffff), SLLI(A0, A0, 28), SLLI(A0, A0, 28), ADD(A0, A0, GP),
           LD(A1, 0, A0), RET);
    REFUSE("ACCESS", 3, PAD, LUI(A0, 0x80000), ADD(A0, A0, GP), LD(A1, 0, A0), RET);
    REFUSE("ACCESS", 3, PAD, LUI(A0, 0x80000), ADD(A0, A0, SP), LD(A1, 0, A0), RET);
    ACCEPT(PAD, LUI(A0, 0x80000), ADDUW(A0, A0, GP), LD(A1, 0, A0), RET);
}

static void addresses_in_the_image_are_proved(void **state)
{
    (void)state;
    ACCEPT(PAD, AUIPC(A0, 1), LD(A1, 8, A0), RET);
    ACCEPT(PAD, AUIPC(A0, 1), ADDI(A0, A0, 8), SD(A1, 0, A0), RET);
    ACCEPT(PAD, AUIPC(A0, 0xfffff), LD(A1, 8, A0), RET);
    REFUSE("ACCESS", 2, PAD, AUIPC(A0, 0x400), LD(A1, 8, A0), RET); /* 4 MiB behind a 1 MiB image */
    REFUSE("ACCESS", 2, PAD, AUIPC(A0, 0x80000), LD(A1, 8, A0), RET);
}

static void window_registers_are_proved(void **state)
{
    (void)state;
    ACCEPT(PAD, LD(A0, 8, SP), LD(A0, -8, TP), LD(A0, 0, GP), RET);
    ACCEPT(PAD, ADDI(A0, TP, 100), LD(A0, 0, A0), RET);
}

/* ---- The stack pointer ---- */

static void stack_pointer_is_proved_where_control_joins(void **state)
{
    (void)state;
    ACCEPT(PAD, ADDI(SP, SP, -2032), SD(RA, 2024, SP), ADDI(SP, SP, 2032), RET);
    ACCEPT(PAD, ADDI(SP, SP, -16), MASK(SP), RET);
    ACCEPT(PAD, ADDI(SP, SP, -16), TRAP_GUARD(SP), RET);
    REFUSE("STACK", 2, PAD, ADDI(SP, SP, -16), RET);
    REFUSE("STACK", 2, PAD, ADDI(SP, SP, 16), RET);
    REFUSE("STACK", 2, PAD, ADDI(SP, SP, -2048), JAL(ZERO, -4));
    REFUSE("STACK", 2, PAD, ADDI(SP, SP, -2048), BEQ(A0, A1, -4), UNIMP);
    REFUSE("STACK", 2, PAD, ADDI(SP, A0, 0), JAL(RA, 8), PAD, UNIMP);
    REFUSE("STACK", 2, PAD, ADDI(SP, A0, 0), PAD, UNIMP);
    REFUSE("STACK", 3, PAD, BEQ(A0, A1, 8), ADDI(SP, SP, -16), RET);
    REFUSE("STACK", 2, PAD, LD(SP, 0, SP), JALR(ZERO, 0, RA));
    REFUSE("ACCESS", 2, PAD, ADDI(SP, A0, 0), SD(A0, 0, SP), RET);
    ACCEPT(PAD, ADDI(SP, A0, 0), MASK(SP), SD(A0, 0, SP), RET);
}

/* ---- Control flow ---- */

static void direct_jumps_stay_in_the_code(void **state)
{
    (void)state;
    REFUSE("TARGET", 1, PAD, JAL(ZERO, 8), UNIMP);
    REFUSE("TARGET", 1, PAD, JAL(ZERO, -8), UNIMP);
    REFUSE("TARGET", 1, PAD, BEQ(A0, A1, 8), UNIMP);
    REFUSE("TARGET", 1, PAD, JAL(ZERO, 6), UNIMP, UNIMP); /* inside an instruction */
    REFUSE("TARGET", 1, PAD, BEQ(A0, A1, 2), UNIMP);
    REFUSE("TARGET", 1, PAD, BEQ(A0, A1, -2), UNIMP);
    REFUSE("TARGET", 1, PAD, JAL(ZERO, -(int)FTL_GATE_SIZE),
           UNIMP); /* in the gate, not its start */
    for (int entry = 0; entry < FTL_GATE_ENTRIES; entry++) {
        int offset = entry * FTL_GATE_ENTRY_SIZE - (int)FTL_GATE_SIZE - 4;
        ACCEPT(PAD, JAL(ZERO, offset), UNIMP);
        REFUSE("TARGET", 1, PAD, JAL(ZERO, offset + 4), UNIMP);
    }
    REFUSE("TARGET", 1, PAD, /* behind the gate's last entry */
           JAL(ZERO, FTL_GATE_ENTRIES * FTL_GATE_ENTRY_SIZE - (int)FTL_GATE_SIZE - 4), UNIMP);
    REFUSE("TARGET", 1, PAD, BEQ(A0, A1, -(int)FTL_GATE_SIZE), UNIMP);
    ACCEPT(PAD, JAL(ZERO, 0));
    ACCEPT(PAD, BEQ(A0, A1, 4), UNIMP);
}

static void gate_is_called_by_direct_jumps(void **state)
{
    (void)state;
    ACCEPT(PAD, JAL(ZERO, -(int)FTL_GATE_SIZE - 4));
    ACCEPT(PAD, JAL(RA, -(int)FTL_GATE_SIZE - 4), PAD, UNIMP);
    ACCEPT(PAD, AUIPC(T1, 0xfffff), JALR(ZERO, -4, T1)); /* the far form */
    REFUSE("RETURN_ADDRESS", 2, PAD, ADDI(RA, A0, 0), JAL(ZERO, -(int)FTL_GATE_SIZE - 8));
    REFUSE("INDIRECT", 2, PAD, AUIPC(T1, 0xfffff), JALR(ZERO, 0, T1)); /* 4 bytes into the gate */
}

static void calls_leave_a_pad_behind_them(void **state)
{
    (void)state;
    ACCEPT(PAD, JAL(RA, 0), PAD, UNIMP);
    REFUSE("RETURN_SITE", 1, PAD, JAL(RA, 4), NOP, UNIMP);
    REFUSE("RETURN_SITE", 1, PAD, JAL(RA, -4));
    REFUSE("RETURN_SITE", 1, PAD, JALR(RA, 0, RA), NOP, UNIMP);
    REFUSE("LINK", 1, PAD, JAL(T0, 4), PAD, UNIMP);
    REFUSE("LINK", 1, PAD, JALR(T0, 0, RA), PAD, UNIMP);
}

static void indirect_jumps_need_a_checked_target(void **state)
{
    (void)state;
    ACCEPT(PAD, CHECK_TARGET(A0), JALR(ZERO, 0, S9));
    ACCEPT(PAD, CHECK_TARGET(A0), JALR(ZERO, 4, S9));
    ACCEPT(PAD, CHECK_TARGET(A0), JALR(RA, 4, S9), PAD, UNIMP);
    ACCEPT(PAD, MASK(A0), LW(S10, 0, A0), BEQ(S11, S10, 8), EBREAK, JALR(ZERO, 0, A0));
    ACCEPT(PAD, CHECK_TARGET(A0), ADDI(A5, S9, 0), JALR(ZERO, 0, A5));
    REFUSE("INDIRECT", 1, PAD, JALR(ZERO, 0, A0));
    REFUSE("INDIRECT", 5, PAD, CHECK_TARGET(A0), JALR(ZERO, 8, S9));
    REFUSE("INDIRECT", 5, PAD, CHECK_TARGET(A0), JALR(ZERO, 2, S9));
    REFUSE("INDIRECT", 5, PAD, CHECK_TARGET(A0), JALR(ZERO, -4, S9));
    REFUSE("INDIRECT", 5, PAD, CHECK_TARGET(A0), JALR(ZERO, 0, A0)); /* not the masked copy */
    REFUSE("INDIRECT", 6, PAD, CHECK_TARGET(A0), ADDI(S9, S9, 4), JALR(ZERO, 0, S9));
    REFUSE("INDIRECT", 5, PAD, ADDUW(S9, A0, GP), LW(S10, 4, S9), CHECK(S10, S11),
           JALR(ZERO, 0, S9));
    REFUSE("INDIRECT", 5, PAD, ADDUW(S9, A0, GP), LWU(S10, 0, S9), CHECK(S10, S11),
           JALR(ZERO, 0, S9));
    REFUSE("INDIRECT", 5, PAD, ADDUW(S9, A0, GP), LW(S10, 0, S9), CHECK(S10, A1),
           JALR(ZERO, 0, S9));
    REFUSE("INDIRECT", 6, PAD, ADDUW(S9, A0, GP), LW(S10, 0, S9), ADDI(S9, S9, 0), CHECK(S10, S11),
           JALR(ZERO, 0, S9));
    REFUSE("INDIRECT", 6, PAD, ADDUW(S9, A0, GP), LW(S10, 0, S9), ADDI(S10, S11, 0),
           CHECK(S10, S11), JALR(ZERO, 0, S9));
    REFUSE("INDIRECT", 5, PAD, ADDUW(S9, A0, GP), LW(S9, 0, S9), CHECK(S9, S11), JALR(ZERO, 0, S9));
}

static void jumps_to_known_addresses_hit_pads(void **state)
{
    (void)state;
    ACCEPT(PAD, AUIPC(T1, 0), JALR(ZERO, 8, T1), PAD, RET);
    ACCEPT(PAD, AUIPC(T1, 0), JALR(ZERO, -4, T1));
    REFUSE("INDIRECT", 2, PAD, AUIPC(T1, 0), JALR(ZERO, 8, T1), NOP, RET);
    REFUSE("INDIRECT", 2, PAD, AUIPC(T1, 0), JALR(ZERO, 10, T1), PAD, RET);
    REFUSE("INDIRECT", 2, PAD, AUIPC(T1, 0), JALR(ZERO, 2047, T1), PAD, RET);
}

/* The jump into the table of jumps that stands behind it. */
#define TABLE_JUMP(index) AUIPC(S9, 0), SH2ADD(S9, index, S9), JALR(ZERO, 12, S9)

static void switch_tables_are_rows_of_jumps(void **state)
{
    (void)state;
    ACCEPT(PAD, ANDI(A0, A0, 1), TABLE_JUMP(A0), JAL(ZERO, 8), JAL(ZERO, 8), UNIMP, UNIMP);
    ACCEPT(PAD, ANDI(A0, A0, 1), AUIPC(S9, 0), ADDI(S9, S9, 12), SH2ADD(S9, A0, S9),
           JALR(ZERO, 4, S9), JAL(ZERO, 8), JAL(ZERO, 8), UNIMP, UNIMP);
    /* by two words at a time: all of them are looked at */
    ACCEPT(PAD, ANDI(A0, A0, 1), AUIPC(S9, 0), SH3ADD(S9, A0, S9), JALR(ZERO, 12, S9),
           JAL(ZERO, 12), JAL(ZERO, 8), JAL(ZERO, 4), UNIMP);
    /* one entry may go to another */
    ACCEPT(PAD, ANDI(A0, A0, 1), TABLE_JUMP(A0), JAL(ZERO, 8), JAL(ZERO, -4), UNIMP);
    /* what is known is known at the targets too, if it is claimed there */
    ACCEPT_CLAIMS(CLAIMS({ 8, 1u << A1 }, { 9, 1u << A1 }), PAD, MASK(A1), ANDI(A0, A0, 1),
                  TABLE_JUMP(A0), JAL(ZERO, 8), JAL(ZERO, 8), LW(A2, 0, A1), LW(A2, 0, A1), UNIMP);
}

static void switch_tables_need_a_bounded_index(void **state)
{
    (void)state;
    REFUSE("INDIRECT", 3, PAD, TABLE_JUMP(A0), JAL(ZERO, 8), JAL(ZERO, 8), UNIMP, UNIMP);
    REFUSE("INDIRECT", 4, PAD, LBU(A0, 0, SP), TABLE_JUMP(A0), JAL(ZERO, 8), JAL(ZERO, 8), UNIMP,
           UNIMP);
    REFUSE("INDIRECT", 4, PAD, ANDI(A0, A0, 2), TABLE_JUMP(A0), JAL(ZERO, 8), JAL(ZERO, 8), UNIMP,
           UNIMP);
    REFUSE("INDIRECT", 5, PAD, ANDI(A0, A0, 1), ADDI(A0, A0, -1), TABLE_JUMP(A0), JAL(ZERO, 8),
           JAL(ZERO, 8), UNIMP, UNIMP);
}

static void switch_tables_stand_right_behind_their_jump(void **state)
{
    (void)state;
    REFUSE("INDIRECT", 4, PAD, ANDI(A0, A0, 1), TABLE_JUMP(A0), JAL(ZERO, 8), NOP, UNIMP);
    REFUSE("INDIRECT", 4, PAD, ANDI(A0, A0, 1), TABLE_JUMP(A0), JAL(ZERO, 8), JAL(RA, 4), PAD,
           UNIMP);
    REFUSE("INDIRECT", 4, PAD, ANDI(A0, A0, 1), TABLE_JUMP(A0), JAL(ZERO, 0));
    REFUSE("INDIRECT", 4, PAD, ANDI(A0, A0, 1), AUIPC(S9, 0), SH2ADD(S9, A0, S9),
           JALR(ZERO, 16, S9), UNIMP, JAL(ZERO, 8), JAL(ZERO, 8), UNIMP, UNIMP);
    REFUSE("INDIRECT", 4, PAD, ANDI(A0, A0, 1), AUIPC(S9, 0), SH2ADD(S9, A0, S9),
           JALR(ZERO, 10, S9), JAL(ZERO, 8), JAL(ZERO, 8), UNIMP, UNIMP);
    /* by less than words, with a link, and at a place that would be good for a single target */
    REFUSE("INDIRECT", 4, PAD, ANDI(A0, A0, 1), AUIPC(S9, 0), SH1ADD(S9, A0, S9),
           JALR(ZERO, 12, S9), JAL(ZERO, 8), JAL(ZERO, 8), UNIMP, UNIMP);
    REFUSE("INDIRECT", 4, PAD, ANDI(A0, A0, 1), AUIPC(S9, 0), SH2ADD(S9, A0, S9), JALR(RA, 12, S9),
           JAL(ZERO, 8), JAL(ZERO, 8), UNIMP, UNIMP);
    REFUSE("INDIRECT", 4, PAD, ANDI(A0, A0, 1), AUIPC(S9, 0), SH2ADD(S9, A0, S9),
           JALR(ZERO, -8, S9));
    /* a number that looks like the table's address */
    REFUSE("INDIRECT", 4, PAD, ANDI(A0, A0, 4), LUI(A1, 1), ADD(A0, A0, A1), JALR(ZERO, 20, A0),
           JAL(ZERO, 8), JAL(ZERO, 4), UNIMP);
    /* a base that is no exact address: the sum of one and an index */
    REFUSE("INDIRECT", 5, PAD, ANDI(A0, A0, 1), AUIPC(S9, 0), SH2ADD(S9, A0, S9),
           SH2ADD(S9, A0, S9), JALR(ZERO, 16, S9), JAL(ZERO, 12), JAL(ZERO, 8), JAL(ZERO, 4),
           UNIMP);
}

static void each_entry_of_a_switch_table_is_followed(void **state)
{
    (void)state;
    REFUSE("TARGET", 6, PAD, ANDI(A0, A0, 1), TABLE_JUMP(A0), JAL(ZERO, 8), JAL(ZERO, 800), UNIMP);
    REFUSE("RETURN_ADDRESS", 7, PAD, LD(RA, 0, SP), ANDI(A0, A0, 1), TABLE_JUMP(A0), JAL(ZERO, 8),
           JAL(ZERO, -28), UNIMP);
    REFUSE("STACK", 6, PAD, ADDI(SP, A1, 0), ANDI(A0, A0, 1), TABLE_JUMP(A0), JAL(ZERO, 8),
           JAL(ZERO, 8), UNIMP, UNIMP);
    REFUSE_CLAIMS(CLAIMS({ 8, 1u << A1 }), "CLAIM", 6, PAD, ANDI(A0, A0, 1), TABLE_JUMP(A0),
                  JAL(ZERO, 8), JAL(ZERO, 8), UNIMP, UNIMP);
    /* a branch from elsewhere into the table brings less */
    ACCEPT_CLAIMS(CLAIMS({ 9, 1u << A1 }), PAD, NOP, ANDI(A0, A0, 1), MASK(A1), TABLE_JUMP(A0),
                  JAL(ZERO, 8), JAL(ZERO, 8), LW(A2, 0, A1), UNIMP);
    REFUSE_CLAIMS(CLAIMS({ 9, 1u << A1 }), "CLAIM", 7, PAD, BEQ(A0, A1, 24), ANDI(A0, A0, 1),
                  MASK(A1), TABLE_JUMP(A0), JAL(ZERO, 8), JAL(ZERO, 8), LW(A2, 0, A1), UNIMP);
    /* and control does not go on behind it */
    REFUSE("INDIRECT", 7, PAD, ANDI(A0, A0, 1), TABLE_JUMP(A0), JAL(ZERO, 12), JAL(ZERO, 8), RET,
           UNIMP);
}

static void returns_need_a_checked_address(void **state)
{
    (void)state;
    ACCEPT(PAD, RET);
    ACCEPT(PAD, LD(RA, 0, SP), CHECK_RA, RET);
    REFUSE("INDIRECT", 2, PAD, LD(RA, 0, SP), RET);
    REFUSE("INDIRECT", 2, PAD, ADDI(RA, RA, 4), RET);
    ACCEPT(PAD, ADDI(T0, RA, 0), LD(RA, 0, SP), ADDI(RA, T0, 0), RET); /* the fact moves along */
    REFUSE("RETURN_ADDRESS", 6, PAD, LD(RA, 0, SP), CHECK_TARGET(A0), JALR(ZERO, 0, S9));
}

static void functions_are_entered_with_a_checked_return_address(void **state)
{
    (void)state;
    ACCEPT(PAD, JAL(ZERO, 4), PAD, RET);
    ACCEPT(PAD, JAL(ZERO, 8), PAD, RET);
    REFUSE("RETURN_ADDRESS", 2, PAD, LD(RA, 0, SP), JAL(ZERO, 4), PAD, RET);
    REFUSE("RETURN_ADDRESS", 2, PAD, LD(RA, 0, SP), JAL(ZERO, 8), PAD, RET);
    REFUSE("RETURN_ADDRESS", 2, PAD, LD(RA, 0, SP), BEQ(A0, A1, 8), UNIMP, PAD, RET);
    REFUSE("RETURN_ADDRESS", 2, PAD, LD(RA, 0, SP), PAD, RET); /* falls into it */
    ACCEPT(PAD, LD(RA, 0, SP), JAL(RA, -4), PAD, UNIMP);       /* a call makes its own */
}

static void branch_behind_a_return_site_joins_without_facts(void **state)
{
    (void)state;
    /* A loop head right behind a call: ra may be anything there. */
    ACCEPT(PAD, JAL(RA, 0), PAD, ADDI(RA, A0, 0), BEQ(A0, A1, -4), UNIMP);
    REFUSE("INDIRECT", 3, PAD, JAL(RA, 0), PAD, RET, BEQ(A0, A1, -4), UNIMP);
    /* A loop head right behind a function's pad is entered like the function. */
    ACCEPT(PAD, ADDI(A0, A0, -1), BNE(A0, ZERO, -4), RET);
    REFUSE("RETURN_ADDRESS", 2, PAD, ADDI(RA, A0, 0), BNE(A0, ZERO, -4), UNIMP);
}

static void return_address_is_unknown_behind_a_join(void **state)
{
    (void)state;
    REFUSE("INDIRECT", 3, PAD, BEQ(A0, A1, 8), NOP, RET);
}

static void far_branches_are_no_joins(void **state)
{
    (void)state;
    ACCEPT(PAD, MASK(A0), BEQ(A1, A2, 8), JAL(ZERO, 8), LD(A1, 0, A0), UNIMP);
    REFUSE("ACCESS", 4, PAD, MASK(A0), BEQ(A1, A2, 8), JAL(ZERO, 4), LD(A1, 0, A0), RET);
    REFUSE("ACCESS", 4, PAD, MASK(A0), BEQ(A1, A2, 8), NOP, LD(A1, 0, A0), RET);
    REFUSE("STACK", 3, PAD, ADDI(SP, SP, -16), BEQ(A1, A2, 8), JAL(ZERO, 8), SD(A0, 0, SP), RET);
    /* Jumping to the jump itself brings no facts along, and takes none away. */
    ACCEPT(PAD, MASK(A0), BEQ(A1, A2, 8), JAL(ZERO, 12), LD(A1, 0, A0), BEQ(A0, A1, -8), UNIMP);
}

static void ebreak_only_in_checks(void **state)
{
    (void)state;
    REFUSE("TRAP", 1, PAD, EBREAK, RET);
    REFUSE("TRAP", 2, PAD, BEQ(A0, A1, 12), EBREAK, NOP, UNIMP);
    REFUSE("TRAP", 2, PAD, BNE(A0, A1, 8), EBREAK, UNIMP);
    ACCEPT(PAD, BGEU(A0, A1, 8), EBREAK, UNIMP);
    ACCEPT(PAD, CHECK(A0, A1), UNIMP);
    ACCEPT(PAD, CHECK(A0, A1), BEQ(A0, A2, -4), UNIMP); /* jumping to the ebreak only stops */
}

/* ---- Claims ---- */

#define CLAIM_RA (1u << RA)
#define CLAIM_A0 (1u << A0)
static void claimed_facts_survive_a_join(void **state)
{
    (void)state;
    ACCEPT_CLAIMS(CLAIMS({ 2, CLAIM_A0 }), PAD, MASK(A0), LD(A1, 0, A0), BNE(A1, A2, -4), UNIMP);
    ACCEPT_CLAIMS(CLAIMS({ 2, CLAIM_A0 }), PAD, MASK(A0), LD(A1, 0, A0), ADDI(A0, A0, 8),
                  BNE(A1, A2, -8), UNIMP);
    ACCEPT_CLAIMS(CLAIMS({ 3, CLAIM_RA }), PAD, BEQ(A0, A1, 8), NOP, RET);
    ACCEPT_CLAIMS(CLAIMS({ 2, CLAIM_A0 | CLAIM_RA }), PAD, MASK(A0), LD(A1, 0, A0), BNE(A1, A2, -4),
                  RET);
}

static void claims_are_checked_on_every_way(void **state)
{
    (void)state;
    /* falling in */
    REFUSE_CLAIMS(CLAIMS({ 2, CLAIM_A0 }), "CLAIM", 2, PAD, NOP, LD(A1, 0, A0), BNE(A1, A2, -4),
                  UNIMP);
    REFUSE_CLAIMS(CLAIMS({ 2, CLAIM_A0 }), "CLAIM", 2, PAD, NOP, LD(A1, 0, A0), UNIMP);
    /* branching and jumping back, and forward */
    REFUSE_CLAIMS(CLAIMS({ 2, CLAIM_A0 }), "CLAIM", 3, PAD, MASK(A0), LD(A0, 0, A0),
                  BNE(A1, A2, -4), UNIMP);
    REFUSE_CLAIMS(CLAIMS({ 2, CLAIM_A0 }), "CLAIM", 3, PAD, MASK(A0), LD(A0, 0, A0), JAL(ZERO, -4));
    REFUSE_CLAIMS(CLAIMS({ 3, CLAIM_A0 }), "CLAIM", 1, PAD, BEQ(A1, A2, 8), MASK(A0), LD(A0, 0, A0),
                  UNIMP);
    /* a far branch */
    REFUSE_CLAIMS(CLAIMS({ 4, CLAIM_A0 }), "CLAIM", 2, PAD, BEQ(A1, A2, 8), JAL(ZERO, 8), MASK(A0),
                  LD(A1, 0, A0), UNIMP);
    /* a call of a function that claims its argument */
    REFUSE_CLAIMS(CLAIMS({ 4, CLAIM_A0 }), "CLAIM", 1, PAD, JAL(RA, 12), PAD, UNIMP, LD(A1, 0, A0),
                  UNIMP);
    ACCEPT_CLAIMS(CLAIMS({ 5, CLAIM_A0 | CLAIM_RA }), PAD, MASK(A0), JAL(RA, 12), PAD, UNIMP,
                  LD(A1, 0, A0), RET);
    /* ra is the address of a pad, not just near */
    REFUSE_CLAIMS(CLAIMS({ 3, CLAIM_RA }), "RETURN_ADDRESS", 3, PAD, LD(RA, 0, SP), MASK(RA),
                  UNIMP);
}

static void pointer_out_of_reach_does_not_meet_a_claim(void **state)
{
    (void)state;
    REFUSE_CLAIMS(CLAIMS({ 4, CLAIM_A0 }), "CLAIM", 4, PAD, MASK(A0), LUI(A1, 0x11),
                  ADD(A0, A0, A1), LD(A1, 0, A0), UNIMP);
    ACCEPT_CLAIMS(CLAIMS({ 4, CLAIM_A0 }), PAD, MASK(A0), LUI(A1, 0x10), ADD(A0, A0, A1),
                  LD(A1, 0, A0), UNIMP);
}

static void pads_bring_no_claims(void **state)
{
    (void)state;
    REFUSE_CLAIMS(CLAIMS({ 2, CLAIM_A0 }), "CLAIM", 2, PAD, MASK(A0), PAD, LD(A1, 0, A0), UNIMP);
    REFUSE_CLAIMS(CLAIMS({ 1, CLAIM_A0 }), "CLAIM", 1, PAD, LD(A1, 0, A0), UNIMP);
    REFUSE_CLAIMS(CLAIMS({ 3, CLAIM_A0 }), "CLAIM", 3, PAD, JAL(RA, -4), PAD, LD(A1, 0, A0), UNIMP);
    ACCEPT_CLAIMS(CLAIMS({ 1, CLAIM_RA }), PAD, RET);
}

static void malformed_claims_are_refused(void **state)
{
    (void)state;
    REFUSE_CLAIMS(CLAIMS({ 2, 1u << ZERO }), "CLAIM", 3, PAD, NOP, UNIMP);
    REFUSE_CLAIMS(CLAIMS({ 2, 1u << SP }), "CLAIM", 3, PAD, NOP, UNIMP);
    REFUSE_CLAIMS(CLAIMS({ 2, 1u << S11 }), "CLAIM", 3, PAD, NOP, UNIMP);
    REFUSE_CLAIMS(CLAIMS({ 3, 0 }), "CLAIM", 3, PAD, NOP, UNIMP); /* behind the code */
    REFUSE_CLAIMS(CLAIMS({ (uint32_t)-1, 0 }), "CLAIM", 3, PAD, NOP, UNIMP);
    REFUSE_CLAIMS(CLAIMS({ 2, 0 }, { 1, 0 }), "CLAIM", 3, PAD, NOP, UNIMP);
    REFUSE_CLAIMS(CLAIMS({ 2, 0 }, { 2, 0 }), "CLAIM", 3, PAD, NOP, UNIMP);
    ACCEPT_CLAIMS(CLAIMS({ 1, 0 }, { 2, 0 }), PAD, NOP, UNIMP);
}

static void claims_between_instructions_are_refused(void **state)
{
    const uint32_t words[] = { PAD, NOP, UNIMP };
    static const uint32_t table[][2] = { { FTL_GATE_SIZE + 6, 0 } };
    uint8_t targets[SANDBOX_TARGETS_SIZE(sizeof(words))];
    const struct sandbox_verify_input input = { .code = (const uint8_t *)words,
                                                .size = sizeof(words),
                                                .address = FTL_GATE_SIZE,
                                                .image_size = IMAGE_SIZE,
                                                .entry = FTL_GATE_SIZE,
                                                .claims = (const uint8_t *)table,
                                                .claims_size = sizeof(table),
                                                .targets = targets };

    (void)state;
    assert_false(sandbox_verify(&input, &error));
    assert_string_equal(error.rule, "CLAIM");
}

static void claims_are_found_in_long_code(void **state)
{
    enum { LENGTH = 1000, STEP = 130 };
    uint32_t words[LENGTH];
    struct claim claims[CLAIMS_MAX];
    uint32_t count = 0;

    (void)state;
    for (size_t i = 0; i < LENGTH; i++) {
        words[i] = NOP;
    }
    words[0] = PAD;
    words[LENGTH - 1] = UNIMP;
    for (uint32_t i = 60; i < LENGTH - 4 && count < CLAIMS_MAX; i += STEP) {
        words[i - 1] = MASK(A0 + count);
        words[i] = LD(T0, 0, A0 + count);
        words[i + 1] = BNE(T0, T1, -4);
        claims[count] = (struct claim){ i, 1u << (A0 + count) };
        count++;
    }
    assert_true(verify_claims(words, LENGTH, claims, count));
    claims[5].mask = 1u << A4; /* the fifth claim's register, a0 being the first's */
    assert_false(verify_claims(words, LENGTH, claims, count));
    assert_int_equal(error.address, FTL_GATE_SIZE + claims[5].index * 4);
}

/* ---- Landing-pad bytes ---- */

static void pad_bytes_inside_instructions_are_refused(void **state)
{
    (void)state;
    REFUSE("PAD_BYTES", 1, PAD, 0x54c037b7u, 0x00000046u, UNIMP); /* from byte 1 of a lui */
    REFUSE("PAD_BYTES", 1, PAD, 0xc03705b7u, 0x00004654u, UNIMP); /* from byte 2 */
    REFUSE("PAD_BYTES", 1, PAD, 0x370005b7u, 0x004654c0u, UNIMP); /* from byte 3 */
    ACCEPT(PAD, 0x54c037b7u, 0x370005b7u, UNIMP);
}

static void pad_bytes_cut_by_the_end_are_refused(void **state)
{
    (void)state;
    REFUSE("PAD_BYTES", 1, PAD, 0x3740006fu); /* a jump whose last byte is a pad's first */
    REFUSE("PAD_BYTES", 1, PAD, 0xc037006fu);
    REFUSE("PAD_BYTES", 1, PAD, 0x54c0376fu);
    ACCEPT(PAD, JAL(ZERO, 0));
}

/* ---- Reports ---- */

static void refusal_names_the_instruction(void **state)
{
    (void)state;
    REFUSE("ACCESS", 1, PAD, LW(A0, -8, A1), RET);
    assert_string_equal(error.text, "lw a0, -8(a1)");
    assert_int_equal(error.word, LW(A0, -8, A1));
    REFUSE("FORM", 1, PAD, 0x00000073u, RET);
    assert_string_equal(error.text, ".word 0x73");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_decodes_to_itself),
        cmocka_unit_test(no_word_has_two_forms),
        cmocka_unit_test(privileged_and_unknown_encodings_are_refused),
        cmocka_unit_test(plain_computation_is_accepted),
        cmocka_unit_test(code_of_bad_shape_is_refused),
        cmocka_unit_test(entry_must_be_a_landing_pad_in_the_code),
        cmocka_unit_test(code_may_not_run_off_its_end),
        cmocka_unit_test(reserved_registers_are_never_written),
        cmocka_unit_test(access_needs_a_proved_address),
        cmocka_unit_test(masked_addresses_are_proved),
        cmocka_unit_test(checked_addresses_are_proved),
        cmocka_unit_test(jump_behind_a_guard_unproves_the_access),
        cmocka_unit_test(facts_end_when_the_register_is_written),
        cmocka_unit_test(access_proves_its_own_pointer),
        cmocka_unit_test(failed_sc_proves_nothing),
        cmocka_unit_test(bounded_sums_keep_a_fact),
        cmocka_unit_test(ranges_of_numbers_are_followed),
        cmocka_unit_test(accesses_end_where_unmapped_space_is_sure_to_end),
        cmocka_unit_test(many_small_steps_add_up),
        cmocka_unit_test(numbers_do_not_overflow_into_facts),
        cmocka_unit_test(addresses_in_the_image_are_proved),
        cmocka_unit_test(window_registers_are_proved),
        cmocka_unit_test(stack_pointer_is_proved_where_control_joins),
        cmocka_unit_test(direct_jumps_stay_in_the_code),
        cmocka_unit_test(gate_is_called_by_direct_jumps),
        cmocka_unit_test(calls_leave_a_pad_behind_them),
        cmocka_unit_test(indirect_jumps_need_a_checked_target),
        cmocka_unit_test(jumps_to_known_addresses_hit_pads),
        cmocka_unit_test(switch_tables_are_rows_of_jumps),
        cmocka_unit_test(switch_tables_need_a_bounded_index),
        cmocka_unit_test(switch_tables_stand_right_behind_their_jump),
        cmocka_unit_test(each_entry_of_a_switch_table_is_followed),
        cmocka_unit_test(returns_need_a_checked_address),
        cmocka_unit_test(functions_are_entered_with_a_checked_return_address),
        cmocka_unit_test(branch_behind_a_return_site_joins_without_facts),
        cmocka_unit_test(return_address_is_unknown_behind_a_join),
        cmocka_unit_test(far_branches_are_no_joins),
        cmocka_unit_test(ebreak_only_in_checks),
        cmocka_unit_test(claimed_facts_survive_a_join),
        cmocka_unit_test(claims_are_checked_on_every_way),
        cmocka_unit_test(pointer_out_of_reach_does_not_meet_a_claim),
        cmocka_unit_test(pads_bring_no_claims),
        cmocka_unit_test(malformed_claims_are_refused),
        cmocka_unit_test(claims_between_instructions_are_refused),
        cmocka_unit_test(claims_are_found_in_long_code),
        cmocka_unit_test(pad_bytes_inside_instructions_are_refused),
        cmocka_unit_test(pad_bytes_cut_by_the_end_are_refused),
        cmocka_unit_test(refusal_names_the_instruction),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
