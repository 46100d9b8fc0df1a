/*
 * The abstract machine of the sandbox proof: see facts.h.
 * Freestanding; relies on nothing but the decoder's structures.
 */
#include "kernel/sandbox/facts.h"

#include <ftl/sandbox_abi.h>

#define SPAN        ((int64_t)FTL_SANDBOX_SPAN)
#define GUARD       ((int64_t)FTL_WINDOW_GUARD)
#define IMM12_SPAN  4096 /* auipc of a symbol is at most this far from it */
#define SHIFT_EXACT 28   /* no number of at most 34 bits overflows when shifted by this */
#define LOG2_WORD   2

static const struct sandbox_value any = { SANDBOX_VALUE_ANY, 0, 0 };
static const struct sandbox_value pad = { SANDBOX_VALUE_PAD, 0, 0 };
/* Any address of the window, guard zones included: BASE plus any number of 32 bits. */
static const struct sandbox_value whole_window = { SANDBOX_VALUE_WINDOW, -GUARD, GUARD };

/* ---- Values ---- */

static struct sandbox_value between(enum sandbox_value_kind kind, int64_t low, int64_t high)
{
    if (low < -SANDBOX_BOUND_MAX || high > SANDBOX_BOUND_MAX) {
        return any;
    }
    return (struct sandbox_value){ kind, low, high };
}

static struct sandbox_value number(int64_t low, int64_t high)
{
    return between(SANDBOX_VALUE_NUMBER, low, high);
}

static bool is_exact(struct sandbox_value value, enum sandbox_value_kind kind)
{
    return value.kind == kind && value.low == value.high;
}

/* True for a number between 0 and limit. */
static bool is_unsigned(struct sandbox_value value, int64_t limit)
{
    return value.kind == SANDBOX_VALUE_NUMBER && value.low >= 0 && value.high <= limit;
}

/* The value as a WINDOW value if it is one in any way, else ANY. */
static struct sandbox_value as_window(struct sandbox_value value, uint64_t image_size)
{
    int64_t behind = value.high - (int64_t)image_size;

    switch (value.kind) {
    case SANDBOX_VALUE_WINDOW: return value;
    case SANDBOX_VALUE_PAD: return between(SANDBOX_VALUE_WINDOW, 0, 0);
    case SANDBOX_VALUE_IMAGE: /* the image lies somewhere in the mappable part, as a whole */
        return between(SANDBOX_VALUE_WINDOW, value.low < 0 ? value.low : 0,
                       behind > 0 ? behind : 0);
    default: return any;
    }
}

/* All that is known of a value of which two things are known. */
static struct sandbox_value both(struct sandbox_value a, struct sandbox_value b,
                                 uint64_t image_size)
{
    struct sandbox_value at_a = as_window(a, image_size);
    struct sandbox_value at_b = as_window(b, image_size);

    if (a.kind == SANDBOX_VALUE_PAD || at_b.kind == SANDBOX_VALUE_ANY) {
        return a;
    }
    if (b.kind == SANDBOX_VALUE_PAD || at_a.kind == SANDBOX_VALUE_ANY) {
        return b;
    }
    at_a.low = at_a.low > at_b.low ? at_a.low : at_b.low;
    at_a.high = at_a.high < at_b.high ? at_a.high : at_b.high;
    return at_a;
}

/* ---- Registers ---- */

struct sandbox_value sandbox_get(const struct sandbox_state *state, unsigned int number_of)
{
    return (state->known >> number_of & 1) != 0 ? state->reg[number_of] : any;
}

void sandbox_set(struct sandbox_state *state, unsigned int number_of, struct sandbox_value value)
{
    if (number_of == SANDBOX_REG_ZERO) {
        return;
    }
    if (number_of == state->witness || number_of == state->other) {
        state->relation = SANDBOX_RELATION_NONE;
    }
    state->known &= ~(1u << number_of);
    if (value.kind != SANDBOX_VALUE_ANY) {
        state->reg[number_of] = value;
        state->known |= 1u << number_of;
    }
}

void sandbox_state_reset(struct sandbox_state *state)
{
    state->known = 1u << SANDBOX_REG_ZERO | 1u << SANDBOX_REG_SP | 1u << SANDBOX_REG_BASE |
                   1u << SANDBOX_REG_TLS | 1u << SANDBOX_REG_SPAN;
    state->reg[SANDBOX_REG_ZERO] = number(0, 0);
    state->reg[SANDBOX_REG_SP] = between(SANDBOX_VALUE_WINDOW, -SANDBOX_SLACK, SANDBOX_SLACK);
    state->reg[SANDBOX_REG_BASE] = between(SANDBOX_VALUE_WINDOW, -GUARD, 0);
    state->reg[SANDBOX_REG_TLS] = whole_window;
    state->reg[SANDBOX_REG_SPAN] = number(SPAN, SPAN);
    state->relation = SANDBOX_RELATION_NONE;
    state->witness = state->other = SANDBOX_REG_ZERO;
}

bool sandbox_is_near(const struct sandbox_state *state, unsigned int number_of)
{
    struct sandbox_value at = as_window(sandbox_get(state, number_of), state->image_size);

    return at.kind == SANDBOX_VALUE_WINDOW && at.low >= -SANDBOX_SLACK && at.high <= SANDBOX_SLACK;
}

static int64_t access_size(const struct sandbox_insn *insn)
{
    return (int64_t)1 << insn->form->argument;
}

bool sandbox_access_fits(const struct sandbox_state *state, const struct sandbox_insn *insn)
{
    struct sandbox_value at = as_window(sandbox_get(state, insn->rs1), state->image_size);

    return at.kind == SANDBOX_VALUE_WINDOW && at.low + insn->imm_low >= -SANDBOX_REACH &&
           at.high + insn->imm_high + access_size(insn) <= SANDBOX_REACH;
}

/*
 * An access that did not fault lay in the mappable part: so its base register is near it. Not so
 * sc, which may fail without looking at its address.
 */
static void prove_base(struct sandbox_state *state, const struct sandbox_insn *insn)
{
    struct sandbox_value base = sandbox_get(state, insn->rs1);

    if (insn->form->class != SANDBOX_CLASS_SC && !is_exact(base, SANDBOX_VALUE_IMAGE)) {
        state->reg[insn->rs1] =
            both(base,
                 between(SANDBOX_VALUE_WINDOW, -insn->imm_high, -insn->imm_low - access_size(insn)),
                 state->image_size);
    }
}

/* ---- Computations ---- */

static struct sandbox_value add(struct sandbox_value a, struct sandbox_value b, uint64_t image_size)
{
    if (b.kind != SANDBOX_VALUE_NUMBER) {
        struct sandbox_value swap = a;
        a = b;
        b = swap;
    }
    if (b.kind != SANDBOX_VALUE_NUMBER || a.kind == SANDBOX_VALUE_ANY) {
        return any;
    }
    if (b.low == 0 && b.high == 0) {
        return a;
    }
    if (a.kind != SANDBOX_VALUE_NUMBER && !(a.kind == SANDBOX_VALUE_IMAGE && b.low == b.high)) {
        a = as_window(a, image_size);
    }
    return a.kind == SANDBOX_VALUE_ANY ? any : between(a.kind, a.low + b.low, a.high + b.high);
}

/* The sum of a and a register: BASE plus any 32-bit number is an address of the window. */
static struct sandbox_value add_register(const struct sandbox_state *state, struct sandbox_value a,
                                         unsigned int reg)
{
    if (reg == SANDBOX_REG_BASE && is_unsigned(a, SPAN)) {
        return whole_window;
    }
    return add(a, sandbox_get(state, reg), state->image_size);
}

static struct sandbox_value shift_left(struct sandbox_value value, unsigned int count)
{
    if (value.kind != SANDBOX_VALUE_NUMBER || count > SHIFT_EXACT) {
        return any;
    }
    return number(value.low * ((int64_t)1 << count), value.high * ((int64_t)1 << count));
}

/*
 * An index, shifted, and a base. From an exact address, by words or larger steps, it leads to an
 * entry of a table.
 */
static struct sandbox_value add_index(const struct sandbox_state *state, struct sandbox_value index,
                                      unsigned int shift, unsigned int base_reg)
{
    struct sandbox_value base = sandbox_get(state, base_reg);
    struct sandbox_value offset = shift_left(index, shift);
    struct sandbox_value entry = any;

    if (is_exact(base, SANDBOX_VALUE_IMAGE) && shift >= LOG2_WORD &&
        offset.kind == SANDBOX_VALUE_NUMBER) {
        entry = between(SANDBOX_VALUE_IMAGE, base.low + offset.low, base.low + offset.high);
    }
    return entry.kind != SANDBOX_VALUE_ANY ? entry : add_register(state, offset, base_reg);
}

static struct sandbox_value shift_right(struct sandbox_value value, unsigned int count)
{
    if (is_unsigned(value, SANDBOX_BOUND_MAX)) {
        return number(value.low >> count, value.high >> count);
    }
    return count < 64 - FTL_WINDOW_SHIFT ? any : number(0, (int64_t)(UINT64_MAX >> count));
}

/* What is at most as large, as an unsigned number, as both a and b. */
static struct sandbox_value at_most(struct sandbox_value a, struct sandbox_value b)
{
    bool a_bounds = is_unsigned(a, SANDBOX_BOUND_MAX);
    bool b_bounds = is_unsigned(b, SANDBOX_BOUND_MAX);

    if (a_bounds && (!b_bounds || a.high < b.high)) {
        return number(0, a.high);
    }
    return b_bounds ? number(0, b.high) : any;
}

/* The low 32 bits of value as an unsigned number. */
static struct sandbox_value low_word(struct sandbox_value value)
{
    return is_unsigned(value, SPAN) ? value : number(0, SPAN);
}

/* srliw: the low word, shifted, and then sign-extended. */
static struct sandbox_value shift_word_right(struct sandbox_value value, unsigned int count)
{
    return count == 0 ? number(INT32_MIN, INT32_MAX) : number(0, low_word(value).high >> count);
}

static struct sandbox_value and_immediate(struct sandbox_value value, int64_t mask,
                                          uint64_t image_size)
{
    if (mask >= 0) {
        return number(0, mask);
    }
    if (value.kind != SANDBOX_VALUE_NUMBER) {
        value = as_window(value, image_size);
    }
    /* Clearing bits takes away 0 .. ~mask, whatever the mask looks like. */
    return value.kind == SANDBOX_VALUE_ANY ? any
                                           : between(value.kind, value.low + mask + 1, value.high);
}

static struct sandbox_value add_word(struct sandbox_value value, const struct sandbox_insn *insn)
{
    if (value.kind == SANDBOX_VALUE_NUMBER && value.low + insn->imm_low >= INT32_MIN &&
        value.high + insn->imm_high <= INT32_MAX) {
        return number(value.low + insn->imm_low, value.high + insn->imm_high);
    }
    return number(INT32_MIN, INT32_MAX);
}

static struct sandbox_value upper_pc(const struct sandbox_insn *insn, uint64_t pc)
{
    if (insn->imm_low != insn->imm_high) { /* of a symbol: somewhere in the image, or just below */
        return between(SANDBOX_VALUE_WINDOW, -IMM12_SPAN, IMM12_SPAN);
    }
    return between(SANDBOX_VALUE_IMAGE, (int64_t)pc + insn->imm_low, (int64_t)pc + insn->imm_low);
}

/* What is known of rd after insn. */
static struct sandbox_value result(const struct sandbox_state *state,
                                   const struct sandbox_insn *insn, uint64_t pc)
{
    struct sandbox_value a = sandbox_get(state, insn->rs1);
    struct sandbox_value b = sandbox_get(state, insn->rs2);
    unsigned int argument = insn->form->argument;
    unsigned int shift = (unsigned int)insn->imm_low;
    uint64_t size = state->image_size;

    switch (insn->form->class) {
    case SANDBOX_CLASS_LUI: return number(insn->imm_low, insn->imm_high);
    case SANDBOX_CLASS_AUIPC: return upper_pc(insn, pc);
    case SANDBOX_CLASS_ADDI: return add(a, number(insn->imm_low, insn->imm_high), size);
    case SANDBOX_CLASS_ADDIW: return add_word(a, insn);
    case SANDBOX_CLASS_ANDI:
        return insn->imm_low == insn->imm_high ? and_immediate(a, insn->imm_low, size) : any;
    case SANDBOX_CLASS_SLLI: return shift_left(a, shift & 63u);
    case SANDBOX_CLASS_SRLI: return shift_right(a, shift & 63u);
    case SANDBOX_CLASS_SRLIW: return shift_word_right(a, shift & 31u);
    case SANDBOX_CLASS_AT_MOST: return at_most(a, b);
    case SANDBOX_CLASS_ADD:
        return insn->rs1 == SANDBOX_REG_BASE ? add_register(state, b, insn->rs1)
                                             : add_register(state, a, insn->rs2);
    case SANDBOX_CLASS_SUB:
        return b.kind == SANDBOX_VALUE_NUMBER ? add(a, number(-b.high, -b.low), size) : any;
    case SANDBOX_CLASS_SHADD: return add_index(state, a, argument, insn->rs2);
    case SANDBOX_CLASS_SHADDUW: return add_index(state, low_word(a), argument, insn->rs2);
    case SANDBOX_CLASS_RANGE: return number(0, ((int64_t)1 << argument) - 1);
    case SANDBOX_CLASS_LOADU: return number(0, ((int64_t)1 << (8u << argument)) - 1);
    default: return any;
    }
}

/* What rd, just written, says about rs1: the first part of a check of rs1. */
static enum sandbox_relation relation(const struct sandbox_insn *insn)
{
    if (insn->rd == insn->rs1 || insn->rd == SANDBOX_REG_ZERO) {
        return SANDBOX_RELATION_NONE;
    }
    if (insn->form->class == SANDBOX_CLASS_LOAD && insn->form->argument == LOG2_WORD &&
        insn->imm_low == 0 && insn->imm_high == 0) {
        return SANDBOX_RELATION_WORD;
    }
    return insn->form->class == SANDBOX_CLASS_SUB && insn->rs2 == SANDBOX_REG_BASE
               ? SANDBOX_RELATION_OFFSET
               : SANDBOX_RELATION_NONE;
}

void sandbox_step(struct sandbox_state *state, const struct sandbox_insn *insn, uint64_t pc)
{
    enum sandbox_relation found;

    if (sandbox_is_access(insn)) {
        prove_base(state, insn);
    }
    if (insn->form->destination != SANDBOX_DESTINATION_X) {
        return;
    }
    sandbox_set(state, insn->rd, result(state, insn, pc));
    found = relation(insn);
    if (found != SANDBOX_RELATION_NONE) {
        state->relation = found;
        state->witness = insn->rd;
        state->other = insn->rs1;
    }
}

/* ---- Comparisons ---- */

static bool is_witness(const struct sandbox_state *state, enum sandbox_relation relation_to,
                       unsigned int reg)
{
    return state->relation == relation_to && state->witness == reg;
}

void sandbox_assume(struct sandbox_state *state, enum sandbox_compare compare, unsigned int rs1,
                    unsigned int rs2)
{
    struct sandbox_value a = sandbox_get(state, rs1), b = sandbox_get(state, rs2);
    struct sandbox_value other = sandbox_get(state, state->other);

    if (compare == SANDBOX_COMPARE_NOT_LESS) {
        if (is_witness(state, SANDBOX_RELATION_OFFSET, rs2) && is_unsigned(a, SPAN)) {
            sandbox_set(state, state->other, both(other, whole_window, state->image_size));
        }
    } else if (compare == SANDBOX_COMPARE_EQUAL) {
        if ((rs1 == SANDBOX_REG_PAD && is_witness(state, SANDBOX_RELATION_WORD, rs2)) ||
            (rs2 == SANDBOX_REG_PAD && is_witness(state, SANDBOX_RELATION_WORD, rs1))) {
            sandbox_set(state, state->other, pad);
            return;
        }
        sandbox_set(state, rs1, both(a, b, state->image_size));
        sandbox_set(state, rs2, both(a, b, state->image_size));
    }
}
