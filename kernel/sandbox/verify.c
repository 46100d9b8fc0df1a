/*
 * The verifier: see verify.h; the rules are in rules.def, the permitted instructions in forms.def,
 * what is known of registers in facts.c. The first pass marks the targets of direct jumps, where
 * nothing may be taken as known; the second follows the facts through each straight piece of code.
 */
#include "kernel/sandbox/verify.h"

#include <ftl/sandbox_abi.h>

#include "kernel/sandbox/claims.h"
#include "kernel/sandbox/decode.h"
#include "kernel/sandbox/disassemble.h"
#include "kernel/sandbox/facts.h"

enum sandbox_rule {
#define RULE(name, reason) SANDBOX_RULE_##name,
#include "kernel/sandbox/rules.def"
#undef RULE
    SANDBOX_RULE_NONE,
};

static const struct {
    const char *name, *reason;
} rules[] = {
#define RULE(name, reason) { #name, reason },
#include "kernel/sandbox/rules.def"
#undef RULE
};

#ifndef SANDBOX_SKIP_RULE
#define SANDBOX_SKIP_RULE SANDBOX_RULE_NONE
#endif

#define INSN_SIZE    4u
#define WORD_EBREAK  0x00100073u
#define MAJOR_MASK   0x0000007fu
#define MAJOR_BRANCH 0x00000063u
#define MAJOR_JAL    0x0000006fu
#define CALL_MASK    0x00000fffu /* opcode and rd */
#define CALL_JAL     0x000000efu /* jal ra */
#define CALL_JALR    0x000000e7u /* jalr ra, with funct3 0 */
#define JUMP_JAL     0x0000006fu /* jal zero */
#define FUNCT3_MASK  0x00007000u
#define FUNCT3_BEQ   0x00000000u
#define FUNCT3_BGEU  0x00007000u
/* A branch over the next instruction: opcode, and all of the immediate. */
#define SKIP_MASK  0xfe000fffu
#define SKIP_MATCH 0x00000463u

struct verifier {
    const struct sandbox_verify_input *input;
    struct sandbox_verify_error *error;
    size_t count; /* instructions */
    struct sandbox_decoder decoder;
    struct sandbox_claims claims;
    uint64_t *joins; /* a bit an instruction: a target, a pad, or something is claimed there */
    struct sandbox_state state;
    bool live; /* control can come from the instruction before */
};

static uint32_t word_at(const struct verifier *v, size_t index)
{
    const uint8_t *at = v->input->code + index * INSN_SIZE;
    uint32_t word; /* both RISC-V and our hosts are little-endian */

    __builtin_memcpy(&word, __builtin_assume_aligned(at, INSN_SIZE), sizeof(word));
    return word;
}

static uint64_t address_of(const struct verifier *v, size_t index)
{
    return v->input->address + index * INSN_SIZE;
}

/* Reports a broken rule at an instruction unless it holds. Returns whether to go on. */
static bool require(struct verifier *v, bool holds, enum sandbox_rule rule, size_t index)
{
    if (holds || rule == SANDBOX_SKIP_RULE) {
        return true;
    }
    *v->error = (struct sandbox_verify_error){ .address = address_of(v, index),
                                               .rule = rules[rule].name,
                                               .reason = rules[rule].reason };
    if (index < v->count) {
        v->error->word = word_at(v, index);
        sandbox_disassemble(&v->decoder, v->error->word, v->error->text, sizeof(v->error->text));
    }
    return false;
}

/* ---- Places in the code ---- */

static bool is_pad(const struct verifier *v, size_t index)
{
    return word_at(v, index) == FTL_SANDBOX_PAD;
}

static bool is_call(const struct verifier *v, size_t index)
{
    uint32_t word = word_at(v, index) & CALL_MASK;

    return word == CALL_JAL || word == CALL_JALR;
}

/* Right behind a pad that is no return site: where direct calls enter a function. */
static bool is_entry(const struct verifier *v, size_t index)
{
    return index >= 1 && is_pad(v, index - 1) && !(index >= 2 && is_call(v, index - 2));
}

static bool is_jump(const struct verifier *v, size_t index)
{
    return index < v->count && (word_at(v, index) & CALL_MASK) == JUMP_JAL;
}

static bool skips_one(const struct verifier *v, size_t index)
{
    return (word_at(v, index) & SKIP_MASK) == SKIP_MATCH;
}

/*
 * beq or bgeu a, b, .+8; ebreak: goes on only if the comparison holds. Its target is no join.
 */
static bool is_check(const struct verifier *v, size_t index)
{
    uint32_t compare = word_at(v, index) & FUNCT3_MASK;

    return skips_one(v, index) && (compare == FUNCT3_BEQ || compare == FUNCT3_BGEU) &&
           index + 1 < v->count && word_at(v, index + 1) == WORD_EBREAK;
}

/*
 * A branch over a jump: what assemblers make of a conditional branch to a place too far away.
 * Nothing but the branch leads behind the jump, so that is no join either.
 */
static bool is_far_branch(const struct verifier *v, size_t index)
{
    return skips_one(v, index) && is_jump(v, index + 1);
}

static bool is_join(const struct verifier *v, size_t index)
{
    return (v->joins[index / 64] >> index % 64 & 1) != 0;
}

/* The index of the instruction at an address; v->count if there is none. */
static size_t index_of(const struct verifier *v, uint64_t address)
{
    uint64_t offset = address - v->input->address;

    return offset < v->input->size && offset % INSN_SIZE == 0 ? (size_t)(offset / INSN_SIZE)
                                                              : v->count;
}

/* ---- First pass: targets, pads ---- */

/* The landing pad's bytes may stand nowhere but where an instruction starts, not even in part at
 * the end. */
static bool check_pad_bytes(struct verifier *v, size_t index)
{
    bool last = index + 1 == v->count;
    uint64_t pair = (uint64_t)(last ? 0 : word_at(v, index + 1)) << 32 | word_at(v, index);
    bool found = false;

    for (unsigned int shift = 8; shift < 32; shift += 8) {
        uint32_t mask = last ? UINT32_MAX >> shift : UINT32_MAX;

        found |= (((uint32_t)(pair >> shift) ^ FTL_SANDBOX_PAD) & mask) == 0;
    }
    return require(v, !found, SANDBOX_RULE_PAD_BYTES, index);
}

/*
 * Marks where a branch or direct jump goes to; one that goes nowhere is refused by the second pass.
 */
static bool scan_word(struct verifier *v, size_t index)
{
    uint32_t word = word_at(v, index);
    uint32_t major = word & MAJOR_MASK;
    size_t target = is_pad(v, index) ? index : v->count;

    if ((major == MAJOR_BRANCH || major == MAJOR_JAL) && !is_check(v, index) &&
        !is_far_branch(v, index)) {
        target = index_of(v, address_of(v, index) + (uint64_t)sandbox_branch_offset(word));
    }
    if (target < v->count) {
        v->joins[target / 64] |= (uint64_t)1 << target % 64;
    }
    return check_pad_bytes(v, index);
}

/* ---- Second pass: facts ---- */

/* The return address goes to ra, and what stands behind a call is a pad. */
static bool check_link(struct verifier *v, const struct sandbox_insn *insn, size_t index)
{
    bool link = insn->rd == SANDBOX_REG_RA;

    return require(v, link || insn->rd == SANDBOX_REG_ZERO, SANDBOX_RULE_LINK, index) &&
           require(v, !link || (index + 1 < v->count && is_pad(v, index + 1)),
                   SANDBOX_RULE_RETURN_SITE, index);
}

/*
 * What must hold when control leaves instruction index for another place: the claims made there,
 * and a good return address if it is an entry.
 */
static bool check_leave(struct verifier *v, size_t index, uint32_t claims)
{
    uint32_t missing = claims & ~sandbox_state_mask(&v->state, claims);

    return require(v, sandbox_is_near(&v->state, SANDBOX_REG_SP), SANDBOX_RULE_STACK, index) &&
           require(v, (missing & SANDBOX_CLAIM_RA) == 0, SANDBOX_RULE_RETURN_ADDRESS, index) &&
           require(v, (missing & ~SANDBOX_CLAIM_RA) == 0, SANDBOX_RULE_CLAIM, index);
}

/* What must hold of the registers where control enters an instruction otherwise than indirectly. */
static uint32_t claims_at(const struct verifier *v, size_t index)
{
    uint32_t entry = is_pad(v, index) || is_entry(v, index) ? SANDBOX_CLAIM_RA : 0;

    return sandbox_claim_at(&v->claims, index) | entry;
}

/* Whether the address is one of the gate's entries. */
static bool is_gate(uint64_t address)
{
    uint64_t offset = address - FTL_GATE_OFFSET;

    return offset % FTL_GATE_ENTRY_SIZE == 0 && offset / FTL_GATE_ENTRY_SIZE < FTL_GATE_ENTRIES;
}

/* Branches and direct jumps. A call makes a good ra itself. */
static bool follow_direct(struct verifier *v, const struct sandbox_insn *insn, size_t index)
{
    uint64_t address = address_of(v, index) + (uint64_t)insn->imm_low;
    size_t target = index_of(v, address);
    bool jump = insn->form->class == SANDBOX_CLASS_JAL;
    bool gate = jump && is_gate(address);
    uint32_t claims = target < v->count ? claims_at(v, target) : SANDBOX_CLAIM_RA;

    v->live = !jump;
    if (jump && insn->rd == SANDBOX_REG_RA) {
        claims &= ~SANDBOX_CLAIM_RA;
    }
    return require(v, target < v->count || gate, SANDBOX_RULE_TARGET, index) &&
           (!jump || check_link(v, insn, index)) && check_leave(v, index, claims);
}

/*
 * The state at an instruction that control can reach otherwise than from the one before: nothing is
 * known but what is claimed there, and at a pad not even that.
 */
static bool enter_join(struct verifier *v, size_t index)
{
    bool pad = is_pad(v, index);
    uint32_t claims = claims_at(v, index);

    if (!require(v, !pad || claims == SANDBOX_CLAIM_RA, SANDBOX_RULE_CLAIM, index) ||
        (v->live && !check_leave(v, index, claims))) {
        return false;
    }
    sandbox_state_reset(&v->state);
    sandbox_state_add(&v->state, claims);
    v->live = true;
    return true;
}

/*
 * A jump reached from the instruction before in one of several ways: it is followed on its own,
 * then the state goes on as it was.
 */
static bool follow_aside(struct verifier *v, size_t jump)
{
    struct sandbox_state state = v->state;
    struct sandbox_insn insn;
    bool good = sandbox_decode(&v->decoder, word_at(v, jump), &insn);

    v->live = true;
    good = good && (!is_join(v, jump) || enter_join(v, jump)) && follow_direct(v, &insn, jump);
    v->live = true;
    v->state = state;
    return good;
}

/*
 * A switch table: the words from *next to the address `last` must all be jumps, and each is
 * followed as if it stood in the place of the jump to it. *next is moved on behind them.
 */
static bool follow_table(struct verifier *v, size_t jump, uint64_t last, size_t *next)
{
    for (; address_of(v, *next) <= last; (*next)++) {
        if (!is_jump(v, *next)) {
            v->live = false;
            return require(v, false, SANDBOX_RULE_INDIRECT, jump);
        }
        if (!follow_aside(v, *next)) {
            return false;
        }
    }
    v->live = false;
    return true;
}

/* A jump to a fixed place must go to the gate, to a pad, or right behind one. */
static bool is_known_target(const struct verifier *v, uint64_t address)
{
    size_t target = index_of(v, address);

    return is_gate(address) ||
           (target < v->count && (is_pad(v, target) || (target > 0 && is_pad(v, target - 1))));
}

/* *next is moved on behind the table, if it is a jump to one. */
static bool follow_indirect(struct verifier *v, const struct sandbox_insn *insn, size_t index,
                            size_t *next)
{
    struct sandbox_value to = sandbox_get(&v->state, insn->rs1);
    uint64_t first = (uint64_t)(to.low + insn->imm_low);
    uint64_t last = (uint64_t)(to.high + insn->imm_low);
    bool image = to.kind == SANDBOX_VALUE_IMAGE;
    bool checked =
        to.kind == SANDBOX_VALUE_PAD && (insn->imm_low == 0 || insn->imm_low == (int64_t)INSN_SIZE);

    if (image && first < last && first == address_of(v, *next) && insn->rd == SANDBOX_REG_ZERO) {
        return follow_table(v, index, last, next);
    }
    v->live = false;
    return require(v, checked || (image && first == last && is_known_target(v, first)),
                   SANDBOX_RULE_INDIRECT, index) &&
           check_link(v, insn, index) &&
           check_leave(v, index, insn->rd == SANDBOX_REG_RA ? 0 : SANDBOX_CLAIM_RA);
}

/* A branch that stands alone, or with the instruction behind it. *index is behind the branch. */
static bool follow_branch(struct verifier *v, const struct sandbox_insn *insn, size_t at,
                          size_t *index)
{
    if (is_check(v, at)) {
        sandbox_assume(&v->state, insn->form->argument, insn->rs1, insn->rs2);
        (*index)++;
        return true;
    }
    if (is_far_branch(v, at)) {
        return follow_aside(v, (*index)++);
    }
    return follow_direct(v, insn, at);
}

/* Follows one instruction, or a check or far branch, which are two. *index is moved on. */
static bool follow_word(struct verifier *v, size_t *index)
{
    size_t at = (*index)++;
    struct sandbox_insn insn;

    if ((!v->live || is_join(v, at)) && !enter_join(v, at)) {
        return false;
    }
    if (!sandbox_decode(&v->decoder, word_at(v, at), &insn)) {
        return require(v, false, SANDBOX_RULE_FORM, at);
    }
    if (!require(v, (SANDBOX_RESERVED >> insn.rd & 1) == 0, SANDBOX_RULE_RESERVED, at)) {
        return false;
    }
    switch (insn.form->class) {
    case SANDBOX_CLASS_TRAP: v->live = false; return true;
    case SANDBOX_CLASS_EBREAK: v->live = false; return require(v, false, SANDBOX_RULE_TRAP, at);
    case SANDBOX_CLASS_JAL: return follow_direct(v, &insn, at);
    case SANDBOX_CLASS_JALR: return follow_indirect(v, &insn, at, index);
    case SANDBOX_CLASS_BRANCH: return follow_branch(v, &insn, at, index);
    default: break;
    }
    if (sandbox_is_access(&insn) &&
        !require(v, sandbox_access_fits(&v->state, &insn), SANDBOX_RULE_ACCESS, at)) {
        return false;
    }
    sandbox_step(&v->state, &insn, address_of(v, at));
    return true;
}

/* Lays the bitmaps out in the memory we were given, aligned. */
static bool prepare(struct verifier *v)
{
    const struct sandbox_verify_input *input = v->input;
    size_t groups = v->count / 64 + 1;
    uint64_t *bits;

    v->joins = (uint64_t *)(((uintptr_t)input->targets + 7) & ~(uintptr_t)7);
    bits = v->joins + groups;
    if (!sandbox_claims_open(&v->claims, input->claims, input->claims_size, input->address,
                             v->count, bits, (uint32_t *)(bits + groups))) {
        return require(v, false, SANDBOX_RULE_CLAIM, v->count);
    }
    __builtin_memcpy(v->joins, bits, groups * sizeof(bits[0])); /* a claim makes a join */
    return true;
}

static bool check_shape(struct verifier *v)
{
    const struct sandbox_verify_input *input = v->input;
    bool good = input->size >= INSN_SIZE && input->size % INSN_SIZE == 0 &&
                input->address >= FTL_GATE_OFFSET + FTL_GATE_SIZE &&
                input->address % INSN_SIZE == 0 && input->image_size <= UINT32_MAX &&
                input->address <= input->image_size &&
                input->size <= input->image_size - input->address;

    v->count = good ? input->size / INSN_SIZE : 0;
    return require(v, good, SANDBOX_RULE_SHAPE, 0);
}

bool sandbox_verify(const struct sandbox_verify_input *input, struct sandbox_verify_error *error)
{
    struct verifier v = { .input = input, .error = error };
    size_t entry;

    v.state.image_size = input->image_size;
    sandbox_decoder_init(&v.decoder);
    if (!check_shape(&v)) {
        return false;
    }
    entry = index_of(&v, input->entry);
    if (!require(&v, entry < v.count && is_pad(&v, entry), SANDBOX_RULE_ENTRY, entry) ||
        !prepare(&v)) {
        return false;
    }
    for (size_t i = 0; i < v.count; i++) {
        if (!scan_word(&v, i)) {
            return false;
        }
    }
    for (size_t i = 0; i < v.count;) {
        if (!follow_word(&v, &i)) {
            return false;
        }
    }
    return require(&v, !v.live, SANDBOX_RULE_END, v.count - 1);
}
