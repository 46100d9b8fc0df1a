/*
 * The verifier: see verify.h; the rules are in rules.def, the permitted instructions in forms.def,
 * what is known of registers in facts.c. The first pass marks the targets of direct jumps, where
 * nothing may be taken as known; the second follows the facts through each straight piece of code.
 */
#include "kernel/sandbox/verify.h"

#include <ftl/sandbox_abi.h>

#include "kernel/sandbox/claims.h"
#include "kernel/sandbox/decode.h"
#include "kernel/sandbox/facts.h"

enum sandbox_rule {
#define RULE(name, reason) SANDBOX_RULE_##name,
#include "kernel/sandbox/rules.def"
#undef RULE
    SANDBOX_RULE_NONE,
};

struct rule {
    const char *name;
    const char *reason;
};

static const struct rule rules[] = {
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
#define BEQ_MASK     0x0000707fu
#define BEQ_MATCH    0x00000063u
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

/* beq a, b, .+8; ebreak: goes on only if a equals b. Its target is no join. */
static bool is_check(const struct verifier *v, size_t index)
{
    return skips_one(v, index) && (word_at(v, index) & BEQ_MASK) == BEQ_MATCH &&
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
    return (v->joins[index / 64] >> (index % 64) & 1) != 0;
}

static void mark_join(const struct verifier *v, size_t index)
{
    v->joins[index / 64] |= (uint64_t)1 << (index % 64);
}

/* The index of the instruction at an address; v->count if there is none. */
static size_t index_of(const struct verifier *v, uint64_t address)
{
    uint64_t offset = address - v->input->address;

    return offset < v->input->size && offset % INSN_SIZE == 0 ? (size_t)(offset / INSN_SIZE)
                                                              : v->count;
}

/* ---- First pass: targets, pads ---- */

/* True if one of the bytes 1 to 3 of word is the landing pad's first. */
static bool may_start_pad(uint32_t word)
{
    uint32_t differs = (word >> 8 | 0xff000000u) ^ 0x00010101u * (FTL_SANDBOX_PAD & 0xffu);

    return ((differs - 0x01010101u) & ~differs & 0x80808080u) != 0;
}

/* The landing pad's bytes may stand nowhere but where an instruction starts, not even in part at
 * the end. */
static bool check_pad_bytes(struct verifier *v, size_t index)
{
    uint32_t word = word_at(v, index);
    bool last = index + 1 == v->count;
    uint64_t pair;
    bool found = false;

    if (!may_start_pad(word)) {
        return true;
    }
    pair = (last ? 0 : (uint64_t)word_at(v, index + 1) << 32) | word;
    for (unsigned int shift = 8; shift < 32; shift += 8) {
        uint32_t mask = last ? UINT32_MAX >> shift : UINT32_MAX;

        found = found || (uint32_t)(pair >> shift) == (FTL_SANDBOX_PAD & mask);
    }
    return require(v, !found, SANDBOX_RULE_PAD_BYTES, index);
}

/*
 * Marks where a branch or direct jump goes to. One that goes nowhere is refused by the second pass.
 */
static void scan_transfer(const struct verifier *v, size_t index)
{
    size_t target =
        index_of(v, address_of(v, index) + (uint64_t)sandbox_branch_offset(word_at(v, index)));

    if (target < v->count && !is_check(v, index) && !is_far_branch(v, index)) {
        mark_join(v, target);
    }
}

static bool scan_word(struct verifier *v, size_t index)
{
    uint32_t word = word_at(v, index);
    uint32_t major = word & MAJOR_MASK;

    if (major == MAJOR_BRANCH || major == MAJOR_JAL) {
        scan_transfer(v, index);
    } else if (word == FTL_SANDBOX_PAD) {
        mark_join(v, index);
    }
    return check_pad_bytes(v, index);
}

/* ---- Second pass: facts ---- */

static bool stack_is_near(const struct verifier *v)
{
    return sandbox_is_near(&v->state, SANDBOX_REG_SP, v->input->image_size);
}

static bool return_address_is_pad(const struct verifier *v)
{
    return sandbox_is_pad(&v->state, SANDBOX_REG_RA);
}

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
    uint32_t missing = claims & ~SANDBOX_CLAIM_RA;

    if (missing != 0) {
        missing &= ~sandbox_state_mask(&v->state, missing, v->input->image_size);
    }
    return require(v, stack_is_near(v), SANDBOX_RULE_STACK, index) &&
           require(v, (claims & SANDBOX_CLAIM_RA) == 0 || return_address_is_pad(v),
                   SANDBOX_RULE_RETURN_ADDRESS, index) &&
           require(v, missing == 0, SANDBOX_RULE_CLAIM, index);
}

/* What must hold of the registers where control enters an instruction otherwise than indirectly. */
static uint32_t claims_at(const struct verifier *v, size_t index)
{
    uint32_t entry = is_pad(v, index) || is_entry(v, index) ? SANDBOX_CLAIM_RA : 0;

    return sandbox_claim_at(&v->claims, index) | entry;
}

/* Branches and direct jumps. A call makes a good ra itself. */
static bool follow_direct(struct verifier *v, const struct sandbox_insn *insn, size_t index)
{
    uint64_t address = address_of(v, index) + (uint64_t)insn->imm_low;
    size_t target = index_of(v, address);
    bool jump = insn->form->class == SANDBOX_CLASS_JAL;
    bool gate = jump && address == FTL_GATE_OFFSET;
    uint32_t claims = target < v->count ? claims_at(v, target) : SANDBOX_CLAIM_RA;

    v->live = !jump;
    if (!require(v, target < v->count || gate, SANDBOX_RULE_TARGET, index)) {
        return false;
    }
    if (jump && !check_link(v, insn, index)) {
        return false;
    }
    if (jump && insn->rd == SANDBOX_REG_RA) {
        claims &= ~SANDBOX_CLAIM_RA;
    }
    return check_leave(v, index, claims);
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

static bool join(struct verifier *v, size_t index)
{
    return (v->live && !is_join(v, index)) || enter_join(v, index);
}

/*
 * A jump reached from the instruction before in one of several ways: it is followed on its own,
 * then the state goes on as it was.
 */
static bool follow_aside(struct verifier *v, size_t jump)
{
    struct sandbox_insn insn;
    struct sandbox_state state;
    bool good = sandbox_decode(&v->decoder, word_at(v, jump), &insn);

    v->live = true;
    if (!is_join(v, jump)) {
        good = good && follow_direct(v, &insn, jump);
    } else {
        state = v->state;
        good = good && enter_join(v, jump) && follow_direct(v, &insn, jump);
        v->state = state;
    }
    v->live = true;
    return good;
}

/*
 * A jump to an address in a register that is known exactly must go to a pad, or right behind one.
 */
static bool is_known_target(const struct verifier *v, const struct sandbox_value *value,
                            int64_t imm)
{
    uint64_t address = (uint64_t)(value->low + imm);
    size_t target = index_of(v, address);

    if (value->kind != SANDBOX_VALUE_IMAGE || value->low != value->high) {
        return false;
    }
    return address == FTL_GATE_OFFSET ||
           (target < v->count && (is_pad(v, target) || (target > 0 && is_pad(v, target - 1))));
}

/*
 * The number of jumps behind instruction index if it is a jump to any of them: a switch table. 0 if
 * it is not.
 */
static size_t table_size(const struct verifier *v, const struct sandbox_value *value, int64_t imm,
                         size_t index)
{
    size_t size = (size_t)(value->high - value->low) / INSN_SIZE + 1;

    if (value->kind != SANDBOX_VALUE_IMAGE || value->low == value->high ||
        (uint64_t)(value->low + imm) != address_of(v, index + 1)) {
        return 0;
    }
    for (size_t i = 1; i <= size; i++) {
        if (!is_jump(v, index + i)) {
            return 0;
        }
    }
    return size;
}

/* Each entry of a table is followed as if it stood in the place of the jump to it. */
static bool follow_table(struct verifier *v, size_t size, size_t *index)
{
    for (; size > 0; size--) {
        if (!follow_aside(v, (*index)++)) {
            return false;
        }
    }
    v->live = false;
    return true;
}

/* *next is moved on behind the table, if it is a jump to one. */
static bool follow_indirect(struct verifier *v, const struct sandbox_insn *insn, size_t index,
                            size_t *next)
{
    struct sandbox_value value = sandbox_get(&v->state, insn->rs1);
    size_t table = insn->rd == SANDBOX_REG_ZERO ? table_size(v, &value, insn->imm_low, index) : 0;
    bool checked = value.kind == SANDBOX_VALUE_PAD &&
                   (insn->imm_low == 0 || insn->imm_low == (int64_t)INSN_SIZE);

    if (table != 0) {
        return follow_table(v, table, next);
    }
    v->live = false;
    return require(v, checked || is_known_target(v, &value, insn->imm_low), SANDBOX_RULE_INDIRECT,
                   index) &&
           check_link(v, insn, index) &&
           check_leave(v, index, insn->rd == SANDBOX_REG_RA ? 0 : SANDBOX_CLAIM_RA);
}

static bool follow_access(struct verifier *v, const struct sandbox_insn *insn, size_t index)
{
    bool fits = sandbox_access_fits(&v->state, insn, v->input->image_size);

    if (!require(v, fits, SANDBOX_RULE_ACCESS, index)) {
        return false;
    }
    sandbox_step(&v->state, insn, address_of(v, index), v->input->image_size);
    return true;
}

/* A branch that stands alone, or with the instruction behind it. *index is behind the branch. */
static bool follow_branch(struct verifier *v, const struct sandbox_insn *insn, size_t at,
                          size_t *index)
{
    if (is_check(v, at)) {
        sandbox_assume_equal(&v->state, insn->rs1, insn->rs2, v->input->image_size);
        (*index)++;
        return true;
    }
    if (is_far_branch(v, at)) {
        return follow_aside(v, (*index)++);
    }
    return follow_direct(v, insn, at);
}

static bool check_destination(struct verifier *v, const struct sandbox_insn *insn, size_t index)
{
    return require(v,
                   insn->rd != SANDBOX_REG_BASE && insn->rd != SANDBOX_REG_TLS &&
                       insn->rd != SANDBOX_REG_PAD,
                   SANDBOX_RULE_RESERVED, index);
}

/* Follows one instruction, or a check or far branch, which are two. *index is moved on. */
static bool follow_word(struct verifier *v, size_t *index)
{
    size_t at = (*index)++;
    struct sandbox_insn insn;

    if (!join(v, at)) {
        return false;
    }
    if (!sandbox_decode(&v->decoder, word_at(v, at), &insn)) {
        return require(v, false, SANDBOX_RULE_FORM, at);
    }
    if (!check_destination(v, &insn, at)) {
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
    if (sandbox_is_access(&insn)) {
        return follow_access(v, &insn, at);
    }
    sandbox_step(&v->state, &insn, address_of(v, at), v->input->image_size);
    return true;
}

/* ---- The whole ---- */

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
    for (size_t i = 0; i < groups; i++) {
        v->joins[i] = bits[i];
    }
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

static bool check_entry(struct verifier *v)
{
    size_t entry = index_of(v, v->input->entry);

    return require(v, entry < v->count && is_pad(v, entry), SANDBOX_RULE_ENTRY, entry);
}

bool sandbox_verify(const struct sandbox_verify_input *input, struct sandbox_verify_error *error)
{
    struct verifier v = { .input = input, .error = error };

    sandbox_decoder_init(&v.decoder);
    if (!check_shape(&v) || !check_entry(&v) || !prepare(&v)) {
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
