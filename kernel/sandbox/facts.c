/*
 * The abstract machine of the sandbox proof: see facts.h.
 * Freestanding C; relies on nothing but the decoder's structures.
 */
#include "kernel/sandbox/facts.h"

#include <ftl/sandbox_abi.h>

#define WINDOW_MAX  (((int64_t)1 << FTL_WINDOW_SHIFT) - 1) /* last offset in a window */
#define IMM12_SPAN  4096 /* auipc of a symbol is at most this far from it */
#define SHIFT_EXACT 28   /* no number of at most 34 bits overflows when shifted by this */
#define LOG2_WORD   2

static const struct sandbox_value any = { SANDBOX_VALUE_ANY, 0, 0 };
/*
 * What masking to 32 bits and adding BASE gives: any address of the window, guard zones included.
 */
static const struct sandbox_value whole_window = { SANDBOX_VALUE_WINDOW, -(int64_t)FTL_WINDOW_GUARD,
                                                   FTL_WINDOW_GUARD };

static struct sandbox_value number(int64_t low, int64_t high)
{
    if (low < -SANDBOX_NUMBER_MAX || high > SANDBOX_NUMBER_MAX) {
        return any;
    }
    return (struct sandbox_value){ SANDBOX_VALUE_NUMBER, low, high };
}

static struct sandbox_value window(int64_t low, int64_t high)
{
    if (low < -SANDBOX_REACH || high > SANDBOX_REACH) {
        return any;
    }
    return (struct sandbox_value){ SANDBOX_VALUE_WINDOW, low, high };
}

static struct sandbox_value image(int64_t low, int64_t high)
{
    if (low < -SANDBOX_NUMBER_MAX || high > SANDBOX_NUMBER_MAX) {
        return any;
    }
    return (struct sandbox_value){ SANDBOX_VALUE_IMAGE, low, high };
}

/* The value as a WINDOW value if it is one in any way, else ANY. */
static struct sandbox_value as_window(struct sandbox_value value, uint64_t image_size)
{
    switch (value.kind) {
    case SANDBOX_VALUE_WINDOW: return value;
    case SANDBOX_VALUE_IMAGE: /* the image lies somewhere in the mappable part, as a whole */
        return window(value.low<0 ? value.low : 0, value.high>(int64_t) image_size
                          ? value.high - (int64_t)image_size
                          : 0);
    case SANDBOX_VALUE_PAD: return window(0, 0);
    default: return any;
    }
}

struct sandbox_value sandbox_get(const struct sandbox_state *state, unsigned int number_of)
{
    return (state->known >> number_of & 1) != 0 ? state->reg[number_of] : any;
}

/* Nothing is known of a register any more, nor of a word loaded into it or through it. */
static void forget(struct sandbox_state *state, unsigned int number_of)
{
    state->known &= ~(1u << number_of) | 1u << SANDBOX_REG_ZERO;
    if (number_of == state->word_reg || number_of == state->word_base) {
        state->word_reg = 0;
    }
}

void sandbox_set(struct sandbox_state *state, unsigned int number_of, struct sandbox_value value)
{
    if (number_of == SANDBOX_REG_ZERO) {
        return;
    }
    forget(state, number_of);
    if (value.kind != SANDBOX_VALUE_ANY) {
        state->reg[number_of] = value;
        state->known |= 1u << number_of;
    }
}

void sandbox_state_reset(struct sandbox_state *state)
{
    state->known = 1u << SANDBOX_REG_ZERO | 1u << SANDBOX_REG_SP | 1u << SANDBOX_REG_BASE |
                   1u << SANDBOX_REG_TLS;
    state->reg[SANDBOX_REG_ZERO] = number(0, 0);
    state->reg[SANDBOX_REG_SP] = window(-SANDBOX_SLACK, SANDBOX_SLACK);
    state->reg[SANDBOX_REG_BASE] = window(-(int64_t)FTL_WINDOW_GUARD, 0);
    state->reg[SANDBOX_REG_TLS] = whole_window;
    state->word_reg = 0;
    state->word_base = 0;
}

void sandbox_state_landing(struct sandbox_state *state)
{
    sandbox_state_reset(state);
    sandbox_set(state, SANDBOX_REG_RA, (struct sandbox_value){ SANDBOX_VALUE_PAD, 0, 0 });
}

static int64_t access_size(const struct sandbox_insn *insn)
{
    return (int64_t)1 << insn->form->argument;
}

bool sandbox_access_fits(const struct sandbox_state *state, const struct sandbox_insn *insn,
                         uint64_t image_size)
{
    struct sandbox_value at = sandbox_get(state, insn->rs1);

    at = as_window(at, image_size);
    return at.kind == SANDBOX_VALUE_WINDOW && at.low + insn->imm_low >= -SANDBOX_REACH &&
           at.high + insn->imm_high + access_size(insn) <= SANDBOX_REACH;
}

bool sandbox_is_near(const struct sandbox_state *state, unsigned int number_of, uint64_t image_size)
{
    struct sandbox_value at = as_window(sandbox_get(state, number_of), image_size);

    return at.kind == SANDBOX_VALUE_WINDOW && at.low >= -SANDBOX_SLACK && at.high <= SANDBOX_SLACK;
}

bool sandbox_is_pad(const struct sandbox_state *state, unsigned int number_of)
{
    return sandbox_get(state, number_of).kind == SANDBOX_VALUE_PAD;
}

/*
 * An access that did not fault lay in the mappable part: so its base register is near it. Not so
 * sc, which may fail without looking at its address.
 */
static void prove_base(struct sandbox_state *state, const struct sandbox_insn *insn,
                       uint64_t image_size)
{
    struct sandbox_value *base = &state->reg[insn->rs1];

    if ((state->known >> insn->rs1 & 1) == 0 || insn->form->class == SANDBOX_CLASS_SC) {
        return;
    }
    if (base->kind == SANDBOX_VALUE_IMAGE && base->low != base->high) {
        *base = as_window(*base, image_size);
    }
    if (base->kind != SANDBOX_VALUE_WINDOW) {
        return;
    }
    if (base->low < -insn->imm_high) {
        base->low = -insn->imm_high;
    }
    if (base->high > -insn->imm_low - access_size(insn)) {
        base->high = -insn->imm_low - access_size(insn);
    }
}

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
    if (a.kind == SANDBOX_VALUE_NUMBER) {
        return number(a.low + b.low, a.high + b.high);
    }
    if (a.kind == SANDBOX_VALUE_IMAGE && b.low == b.high) {
        return image(a.low + b.low, a.high + b.low);
    }
    a = as_window(a, image_size);
    return a.kind == SANDBOX_VALUE_ANY ? any : window(a.low + b.low, a.high + b.high);
}

/* The sum of a and register `base_reg`: BASE plus any 32-bit number is an address of the window. */
static struct sandbox_value add_register(const struct sandbox_state *state, struct sandbox_value a,
                                         unsigned int base_reg, uint64_t image_size)
{
    if (base_reg == SANDBOX_REG_BASE && a.kind == SANDBOX_VALUE_NUMBER && a.low >= 0 &&
        a.high <= WINDOW_MAX) {
        return whole_window;
    }
    return add(a, sandbox_get(state, base_reg), image_size);
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
                                      unsigned int shift, unsigned int base_reg,
                                      uint64_t image_size)
{
    struct sandbox_value base = sandbox_get(state, base_reg);
    struct sandbox_value offset = shift_left(index, shift);
    struct sandbox_value entry = any;

    if (base.kind == SANDBOX_VALUE_IMAGE && base.low == base.high && shift >= LOG2_WORD &&
        offset.kind == SANDBOX_VALUE_NUMBER) {
        entry = image(base.low + offset.low, base.low + offset.high);
    }
    return entry.kind != SANDBOX_VALUE_ANY ? entry
                                           : add_register(state, offset, base_reg, image_size);
}

static struct sandbox_value shift_right(struct sandbox_value value, unsigned int count)
{
    if (value.kind == SANDBOX_VALUE_NUMBER && value.low >= 0) {
        return number(value.low >> count, value.high >> count);
    }
    return count < 64 - FTL_WINDOW_SHIFT ? any : number(0, (int64_t)(UINT64_MAX >> count));
}

/* srliw: the low word, shifted, and then sign-extended. */
static struct sandbox_value shift_word_right(struct sandbox_value value, unsigned int count)
{
    if (count == 0) {
        return number(INT32_MIN, INT32_MAX);
    }
    if (value.kind == SANDBOX_VALUE_NUMBER && value.low >= 0 && value.high <= WINDOW_MAX) {
        return number(0, value.high >> count);
    }
    return number(0, (int64_t)(UINT32_MAX >> count));
}

/*
 * What is at most as large, as an unsigned number, as both a and b: a & b, and the lesser of them.
 */
static struct sandbox_value at_most(struct sandbox_value a, struct sandbox_value b)
{
    bool a_bounds = a.kind == SANDBOX_VALUE_NUMBER && a.low >= 0;
    bool b_bounds = b.kind == SANDBOX_VALUE_NUMBER && b.low >= 0;

    if (a_bounds && (!b_bounds || a.high < b.high)) {
        return number(0, a.high);
    }
    return b_bounds ? number(0, b.high) : any;
}

/* The low 32 bits of value as an unsigned number. */
static struct sandbox_value low_word(struct sandbox_value value)
{
    if (value.kind == SANDBOX_VALUE_NUMBER && value.low >= 0 && value.high <= WINDOW_MAX) {
        return value;
    }
    return number(0, WINDOW_MAX);
}

static struct sandbox_value and_immediate(struct sandbox_value value,
                                          const struct sandbox_insn *insn, uint64_t image_size)
{
    int64_t mask = insn->imm_low;
    struct sandbox_value at;

    if (mask != insn->imm_high) {
        return any;
    }
    if (mask >= 0) {
        return number(0, mask);
    }
    /* Clearing bits takes away 0 .. ~mask, whatever the mask looks like. */
    if (value.kind == SANDBOX_VALUE_NUMBER) {
        return number(value.low + mask + 1, value.high);
    }
    at = as_window(value, image_size);
    return at.kind == SANDBOX_VALUE_ANY ? any : window(at.low + mask + 1, at.high);
}

static struct sandbox_value add_word(struct sandbox_value value, const struct sandbox_insn *insn)
{
    if (value.kind == SANDBOX_VALUE_NUMBER && value.low + insn->imm_low >= INT32_MIN &&
        value.high + insn->imm_high <= INT32_MAX) {
        return number(value.low + insn->imm_low, value.high + insn->imm_high);
    }
    return number(INT32_MIN, INT32_MAX);
}

static struct sandbox_value subtract(struct sandbox_value a, struct sandbox_value b,
                                     uint64_t image_size)
{
    if (b.kind != SANDBOX_VALUE_NUMBER) {
        return any;
    }
    return add(a, number(-b.high, -b.low), image_size);
}

static struct sandbox_value upper_pc(const struct sandbox_insn *insn, uint64_t pc)
{
    if (insn->imm_low !=
        insn->imm_high) { /* of a symbol: somewhere in the image, or just below it */
        return window(-IMM12_SPAN, IMM12_SPAN);
    }
    return image((int64_t)pc + insn->imm_low, (int64_t)pc + insn->imm_low);
}

/* What is known of rd after insn. */
static struct sandbox_value result(const struct sandbox_state *state,
                                   const struct sandbox_insn *insn, uint64_t pc,
                                   uint64_t image_size)
{
    struct sandbox_value a = sandbox_get(state, insn->rs1);
    unsigned int argument = insn->form->argument;

    switch (insn->form->class) {
    case SANDBOX_CLASS_LUI: return number(insn->imm_low, insn->imm_high);
    case SANDBOX_CLASS_AUIPC: return upper_pc(insn, pc);
    case SANDBOX_CLASS_ADDI: return add(a, number(insn->imm_low, insn->imm_high), image_size);
    case SANDBOX_CLASS_ADDIW: return add_word(a, insn);
    case SANDBOX_CLASS_ANDI: return and_immediate(a, insn, image_size);
    case SANDBOX_CLASS_SLLI: return shift_left(a, (unsigned int)insn->imm_low & 63u);
    case SANDBOX_CLASS_SRLI: return shift_right(a, (unsigned int)insn->imm_low & 63u);
    case SANDBOX_CLASS_SRLIW: return shift_word_right(a, (unsigned int)insn->imm_low & 31u);
    case SANDBOX_CLASS_AND:
    case SANDBOX_CLASS_MINU: return at_most(a, sandbox_get(state, insn->rs2));
    case SANDBOX_CLASS_ADD:
        if (insn->rs1 == SANDBOX_REG_BASE) {
            return add_register(state, sandbox_get(state, insn->rs2), insn->rs1, image_size);
        }
        return add_register(state, a, insn->rs2, image_size);
    case SANDBOX_CLASS_SUB: return subtract(a, sandbox_get(state, insn->rs2), image_size);
    case SANDBOX_CLASS_SHADD: return add_index(state, a, argument, insn->rs2, image_size);
    case SANDBOX_CLASS_SHADDUW:
        return add_index(state, low_word(a), argument, insn->rs2, image_size);
    case SANDBOX_CLASS_BOOL: return number(0, 1);
    case SANDBOX_CLASS_RANGE: return number(0, ((int64_t)1 << argument) - 1);
    case SANDBOX_CLASS_LOADU: return number(0, ((int64_t)1 << (8u << argument)) - 1);
    default: return any;
    }
}

/* A load of a word from 0(rs1) may be the first part of the proof that rs1 is a landing pad. */
static void remember_word(struct sandbox_state *state, const struct sandbox_insn *insn)
{
    if (insn->form->argument == LOG2_WORD && insn->imm_low == 0 && insn->imm_high == 0 &&
        insn->rd != insn->rs1 && insn->rd != SANDBOX_REG_ZERO) {
        state->word_reg = insn->rd;
        state->word_base = insn->rs1;
    }
}

void sandbox_step(struct sandbox_state *state, const struct sandbox_insn *insn, uint64_t pc,
                  uint64_t image_size)
{
    if (sandbox_is_access(insn)) {
        prove_base(state, insn, image_size);
    }
    if (insn->form->destination != SANDBOX_DESTINATION_X) {
        return;
    }
    switch (insn->form->class) {
    case SANDBOX_CLASS_LOAD:
        forget(state, insn->rd);
        remember_word(state, insn);
        break;
    case SANDBOX_CLASS_OTHER:
    case SANDBOX_CLASS_AMO:
    case SANDBOX_CLASS_LR:
    case SANDBOX_CLASS_SC: forget(state, insn->rd); break;
    default: sandbox_set(state, insn->rd, result(state, insn, pc, image_size)); break;
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

void sandbox_assume_equal(struct sandbox_state *state, unsigned int a, unsigned int b,
                          uint64_t image_size)
{
    unsigned int word = a == SANDBOX_REG_PAD ? b : a;
    bool against_pad = a == SANDBOX_REG_PAD || b == SANDBOX_REG_PAD;
    struct sandbox_value value = both(sandbox_get(state, a), sandbox_get(state, b), image_size);

    if (against_pad && word != SANDBOX_REG_ZERO && word == state->word_reg) {
        sandbox_set(state, state->word_base, (struct sandbox_value){ SANDBOX_VALUE_PAD, 0, 0 });
        return;
    }
    sandbox_set(state, a, value);
    sandbox_set(state, b, value);
}
