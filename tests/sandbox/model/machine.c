/*
 * The hart for tests: see machine.h. Field layouts and opcodes are those of the unprivileged
 * specification, "RV32/64G Instruction Set Listings", and of the bit-manipulation specification.
 */
#include "machine.h"

#define OPCODE_LOAD      0x03u
#define OPCODE_LOAD_FP   0x07u
#define OPCODE_MISC_MEM  0x0fu
#define OPCODE_OP_IMM    0x13u
#define OPCODE_AUIPC     0x17u
#define OPCODE_OP_IMM_32 0x1bu
#define OPCODE_STORE     0x23u
#define OPCODE_STORE_FP  0x27u
#define OPCODE_AMO       0x2fu
#define OPCODE_OP        0x33u
#define OPCODE_LUI       0x37u
#define OPCODE_OP_32     0x3bu
#define OPCODE_MADD      0x43u
#define OPCODE_MSUB      0x47u
#define OPCODE_NMSUB     0x4bu
#define OPCODE_NMADD     0x4fu
#define OPCODE_OP_FP     0x53u
#define OPCODE_BRANCH    0x63u
#define OPCODE_JALR      0x67u
#define OPCODE_JAL       0x6fu

#define WORD_EBREAK 0x00100073u
#define WORD_UNIMP  0xc0001073u /* csrrw zero, cycle, zero: a read-only CSR */
#define WORD_ZERO   0x00000000u

#define AMO_LR 0x02u
#define AMO_SC 0x03u

static uint32_t bits(uint32_t word, unsigned int low, unsigned int count)
{
    return (word >> low) & ((1u << count) - 1);
}

static uint64_t sign_extend(uint64_t value, unsigned int count)
{
    return (uint64_t)((int64_t)(value << (64 - count)) >> (64 - count));
}

static uint64_t word_result(uint64_t value)
{
    return sign_extend(value, 32);
}

static uint64_t immediate_i(uint32_t word)
{
    return sign_extend(word >> 20, 12);
}

static uint64_t immediate_s(uint32_t word)
{
    return sign_extend(bits(word, 25, 7) << 5 | bits(word, 7, 5), 12);
}

static uint64_t immediate_b(uint32_t word)
{
    return sign_extend(bits(word, 31, 1) << 12 | bits(word, 7, 1) << 11 | bits(word, 25, 6) << 5 |
                           bits(word, 8, 4) << 1,
                       13);
}

static uint64_t immediate_u(uint32_t word)
{
    return word_result(word & 0xfffff000u);
}

static uint64_t immediate_j(uint32_t word)
{
    return sign_extend(bits(word, 31, 1) << 20 | bits(word, 12, 8) << 12 | bits(word, 20, 1) << 11 |
                           bits(word, 21, 10) << 1,
                       21);
}

/* ---- Computation: each gives false for an encoding that is none ---- */

static uint64_t rotate_right(uint64_t value, uint64_t count)
{
    count &= 63;
    return count == 0 ? value : value >> count | value << (64 - count);
}

static uint64_t rotate_word_right(uint64_t value, uint64_t count)
{
    uint32_t word = (uint32_t)value;

    count &= 31;
    return word_result(count == 0 ? word : word >> count | word << (32 - count));
}

static uint64_t shift_right_arithmetic(uint64_t value, uint64_t count)
{
    return (uint64_t)((int64_t)value >> (count & 63));
}

static uint64_t shift_word_right_arithmetic(uint64_t value, uint64_t count)
{
    return (uint64_t)(int64_t)((int32_t)(uint32_t)value >> (count & 31));
}

static uint64_t or_combine(uint64_t value)
{
    uint64_t result = 0;

    for (unsigned int i = 0; i < 64; i += 8) {
        result |= (value >> i & 0xff) != 0 ? (uint64_t)0xff << i : 0;
    }
    return result;
}

/* Bit counts and the like, which have a number in the place of an immediate. */
static bool unary(uint32_t number, uint64_t a, uint64_t *result)
{
    switch (number) {
    case 0x600: *result = a == 0 ? 64 : (uint64_t)__builtin_clzll(a); return true;
    case 0x601: *result = a == 0 ? 64 : (uint64_t)__builtin_ctzll(a); return true;
    case 0x602: *result = (uint64_t)__builtin_popcountll(a); return true;
    case 0x604: *result = sign_extend(a, 8); return true;
    case 0x605: *result = sign_extend(a, 16); return true;
    default: return false;
    }
}

static bool unary_word(uint32_t number, uint64_t a, uint64_t *result)
{
    uint32_t word = (uint32_t)a;

    switch (number) {
    case 0x600: *result = word == 0 ? 32 : (uint64_t)__builtin_clz(word); return true;
    case 0x601: *result = word == 0 ? 32 : (uint64_t)__builtin_ctz(word); return true;
    case 0x602: *result = (uint64_t)__builtin_popcount(word); return true;
    default: return false;
    }
}

static bool shift_immediate(uint32_t word, uint64_t a, uint64_t *result)
{
    uint32_t number = bits(word, 20, 12);
    uint32_t count = number & 63;

    if (bits(word, 12, 3) == 1) {
        *result = a << count;
        return number >> 6 == 0 || unary(number, a, result);
    }
    switch (number >> 6) {
    case 0x00: *result = a >> count; return true;
    case 0x10: *result = shift_right_arithmetic(a, count); return true;
    case 0x18: *result = rotate_right(a, count); return true;
    default: break;
    }
    *result = number == 0x287 ? or_combine(a) : __builtin_bswap64(a);
    return number == 0x287 || number == 0x6b8;
}

static bool op_immediate(uint32_t word, uint64_t a, uint64_t *result)
{
    uint64_t b = immediate_i(word);

    switch (bits(word, 12, 3)) {
    case 0: *result = a + b; return true;
    case 2: *result = (int64_t)a < (int64_t)b; return true;
    case 3: *result = a < b; return true;
    case 4: *result = a ^ b; return true;
    case 6: *result = a | b; return true;
    case 7: *result = a & b; return true;
    default: return shift_immediate(word, a, result);
    }
}

static bool op_immediate_word(uint32_t word, uint64_t a, uint64_t *result)
{
    uint32_t number = bits(word, 20, 12);
    uint32_t count = number & 31;

    switch (bits(word, 12, 3)) {
    case 0: *result = word_result(a + immediate_i(word)); return true;
    case 1:
        if (number >> 6 == 0x02) { /* slli.uw */
            *result = (uint64_t)(uint32_t)a << (number & 63);
            return true;
        }
        *result = word_result(a << count);
        return number >> 5 == 0 || unary_word(number, a, result);
    case 5: break;
    default: return false;
    }
    switch (number >> 5) {
    case 0x00: *result = word_result((uint32_t)a >> count); return true;
    case 0x20: *result = shift_word_right_arithmetic(a, count); return true;
    case 0x30: *result = rotate_word_right(a, count); return true;
    default: return false;
    }
}

static uint64_t divide_signed(int64_t a, int64_t b, bool remainder)
{
    if (b == 0) {
        return remainder ? (uint64_t)a : UINT64_MAX;
    }
    if (b == -1) { /* the one quotient that may overflow */
        return remainder ? 0 : 0 - (uint64_t)a;
    }
    return (uint64_t)(remainder ? a % b : a / b);
}

static uint64_t divide(uint64_t a, uint64_t b, bool remainder)
{
    if (b == 0) {
        return remainder ? a : UINT64_MAX;
    }
    return remainder ? a % b : a / b;
}

static uint64_t multiply_or_divide(uint32_t funct3, uint64_t a, uint64_t b)
{
    __int128 signed_a = (int64_t)a;
    unsigned __int128 unsigned_a = a;

    switch (funct3) {
    case 0: return a * b;
    case 1: return (uint64_t)(signed_a * (int64_t)b >> 64);
    case 2: return (uint64_t)(signed_a * (__int128)(unsigned __int128)b >> 64);
    case 3: return (uint64_t)(unsigned_a * b >> 64);
    case 4: return divide_signed((int64_t)a, (int64_t)b, false);
    case 5: return divide(a, b, false);
    case 6: return divide_signed((int64_t)a, (int64_t)b, true);
    default: return divide(a, b, true);
    }
}

static bool multiply_or_divide_word(uint32_t funct3, uint64_t a, uint64_t b, uint64_t *result)
{
    int32_t word_a = (int32_t)(uint32_t)a, word_b = (int32_t)(uint32_t)b;

    switch (funct3) {
    case 0: *result = word_result(a * b); return true;
    case 4: *result = word_result(divide_signed(word_a, word_b, false)); return true;
    case 5: *result = word_result(divide((uint32_t)a, (uint32_t)b, false)); return true;
    case 6: *result = word_result(divide_signed(word_a, word_b, true)); return true;
    case 7: *result = word_result(divide((uint32_t)a, (uint32_t)b, true)); return true;
    default: return false;
    }
}

/* funct7 and funct3 as one number. */
#define OPERATION(funct7, funct3) ((funct7) << 3 | (funct3))

static bool op(uint32_t word, uint64_t a, uint64_t b, uint64_t *result)
{
    uint32_t funct7 = bits(word, 25, 7), funct3 = bits(word, 12, 3);

    if (funct7 == 1) {
        *result = multiply_or_divide(funct3, a, b);
        return true;
    }
    switch (OPERATION(funct7, funct3)) {
    case OPERATION(0x00, 0): *result = a + b; return true;
    case OPERATION(0x20, 0): *result = a - b; return true;
    case OPERATION(0x00, 1): *result = a << (b & 63); return true;
    case OPERATION(0x00, 2): *result = (int64_t)a < (int64_t)b; return true;
    case OPERATION(0x00, 3): *result = a < b; return true;
    case OPERATION(0x00, 4): *result = a ^ b; return true;
    case OPERATION(0x00, 5): *result = a >> (b & 63); return true;
    case OPERATION(0x20, 5): *result = shift_right_arithmetic(a, b); return true;
    case OPERATION(0x00, 6): *result = a | b; return true;
    case OPERATION(0x00, 7): *result = a & b; return true;
    case OPERATION(0x20, 4): *result = ~(a ^ b); return true;
    case OPERATION(0x20, 6): *result = a | ~b; return true;
    case OPERATION(0x20, 7): *result = a & ~b; return true;
    case OPERATION(0x10, 2): *result = (a << 1) + b; return true;
    case OPERATION(0x10, 4): *result = (a << 2) + b; return true;
    case OPERATION(0x10, 6): *result = (a << 3) + b; return true;
    case OPERATION(0x05, 4): *result = (int64_t)a < (int64_t)b ? a : b; return true;
    case OPERATION(0x05, 5): *result = a < b ? a : b; return true;
    case OPERATION(0x05, 6): *result = (int64_t)a > (int64_t)b ? a : b; return true;
    case OPERATION(0x05, 7): *result = a > b ? a : b; return true;
    case OPERATION(0x30, 1): *result = rotate_right(a, 64 - (b & 63)); return true;
    case OPERATION(0x30, 5): *result = rotate_right(a, b); return true;
    default: return false;
    }
}

static bool op_word(uint32_t word, uint64_t a, uint64_t b, uint64_t *result)
{
    uint32_t funct7 = bits(word, 25, 7), funct3 = bits(word, 12, 3);
    uint64_t low = (uint32_t)a;

    if (funct7 == 1) {
        return multiply_or_divide_word(funct3, a, b, result);
    }
    switch (OPERATION(funct7, funct3)) {
    case OPERATION(0x00, 0): *result = word_result(a + b); return true;
    case OPERATION(0x20, 0): *result = word_result(a - b); return true;
    case OPERATION(0x00, 1): *result = word_result(a << (b & 31)); return true;
    case OPERATION(0x00, 5): *result = word_result(low >> (b & 31)); return true;
    case OPERATION(0x20, 5): *result = shift_word_right_arithmetic(a, b); return true;
    case OPERATION(0x04, 0): *result = low + b; return true;
    case OPERATION(0x04, 4): *result = (uint16_t)a; return bits(word, 20, 5) == 0; /* zext.h */
    case OPERATION(0x10, 2): *result = (low << 1) + b; return true;
    case OPERATION(0x10, 4): *result = (low << 2) + b; return true;
    case OPERATION(0x10, 6): *result = (low << 3) + b; return true;
    case OPERATION(0x30, 1): *result = rotate_word_right(a, 32 - (b & 31)); return true;
    case OPERATION(0x30, 5): *result = rotate_word_right(a, b); return true;
    default: return false;
    }
}

/* Whether word is a floating-point computation, and *to_integer whether its result is an integer
 * register's. */
static bool floating(uint32_t word, bool *to_integer)
{
    uint32_t operation = bits(word, 27, 5);
    uint32_t rounding = bits(word, 12, 3);
    bool rounds = bits(word, 0, 7) != OPCODE_OP_FP;

    *to_integer = false;
    if (bits(word, 25, 2) > 1) { /* half or quad precision */
        return false;
    }
    if (!rounds) {
        switch (operation) {
        case 0x00: /* fadd, fsub, fmul, fdiv, fsqrt, fcvt between floats */
        case 0x01:
        case 0x02:
        case 0x03:
        case 0x08:
        case 0x0b:
        case 0x1a: rounds = true; break; /* fcvt from integers */
        case 0x18: *to_integer = rounds = true; break;
        case 0x14: /* comparisons; fmv to integers and fclass */
        case 0x1c: *to_integer = true; break;
        case 0x04: /* fsgnj, fmin, fmv from integers */
        case 0x05:
        case 0x1e: break;
        default: return false;
        }
    }
    return !rounds || (rounding != 5 && rounding != 6);
}

/* ---- Execution ---- */

static void write_register(struct machine *machine, uint32_t word, uint64_t value)
{
    if (bits(word, 7, 5) != 0) {
        machine->x[bits(word, 7, 5)] = value;
    }
}

static enum machine_event finish(struct machine *machine, uint32_t word, uint64_t result)
{
    write_register(machine, word, result);
    machine->pc += 4;
    return MACHINE_STEPPED;
}

static enum machine_event load(struct machine *machine, uint32_t word)
{
    const struct machine_bus *bus = machine->bus;
    uint64_t at = machine->x[bits(word, 15, 5)] + immediate_i(word);
    uint32_t funct3 = bits(word, 12, 3);
    unsigned int size = 1u << (funct3 & 3);
    uint64_t value;

    if (funct3 == 7) {
        return MACHINE_UNKNOWN;
    }
    if (!bus->load(bus->context, at, size, &value)) {
        return MACHINE_FAULT;
    }
    return finish(machine, word, funct3 < 4 ? sign_extend(value, size * 8) : value);
}

static enum machine_event load_floating(struct machine *machine, uint32_t word)
{
    const struct machine_bus *bus = machine->bus;
    uint32_t funct3 = bits(word, 12, 3);
    uint64_t value;

    if (funct3 != 2 && funct3 != 3) {
        return MACHINE_UNKNOWN;
    }
    if (!bus->load(bus->context, machine->x[bits(word, 15, 5)] + immediate_i(word), 1u << funct3,
                   &value)) {
        return MACHINE_FAULT;
    }
    machine->pc += 4;
    return MACHINE_STEPPED;
}

static enum machine_event store(struct machine *machine, uint32_t word)
{
    const struct machine_bus *bus = machine->bus;
    bool is_floating = bits(word, 0, 7) == OPCODE_STORE_FP;
    uint32_t funct3 = bits(word, 12, 3);
    uint64_t at = machine->x[bits(word, 15, 5)] + immediate_s(word);
    uint64_t value = is_floating ? bus->anything(bus->context) : machine->x[bits(word, 20, 5)];

    if (funct3 > 3 || (is_floating && funct3 < 2)) {
        return MACHINE_UNKNOWN;
    }
    if (!bus->store(bus->context, at, 1u << funct3, value)) {
        return MACHINE_FAULT;
    }
    machine->pc += 4;
    return MACHINE_STEPPED;
}

static bool is_atomic(uint32_t word)
{
    uint32_t funct5 = bits(word, 27, 5), funct3 = bits(word, 12, 3);

    if (funct3 != 2 && funct3 != 3) {
        return false;
    }
    if (funct5 == AMO_LR) {
        return bits(word, 20, 5) == 0;
    }
    return funct5 < 4 || funct5 % 4 == 0;
}

/* What an AMO leaves in memory is anybody's guess here: other threads may write there too. */
static enum machine_event atomic(struct machine *machine, uint32_t word)
{
    const struct machine_bus *bus = machine->bus;
    uint32_t funct5 = bits(word, 27, 5);
    unsigned int size = 1u << bits(word, 12, 3);
    uint64_t at = machine->x[bits(word, 15, 5)];
    uint64_t value;

    if (!is_atomic(word)) {
        return MACHINE_UNKNOWN;
    }
    if (funct5 == AMO_SC && bus->anything(bus->context) % 2 != 0) { /* may not look at memory */
        return finish(machine, word, 1);
    }
    if (at % size != 0 || !bus->load(bus->context, at, size, &value) ||
        (funct5 != AMO_LR && !bus->store(bus->context, at, size, bus->anything(bus->context)))) {
        return MACHINE_FAULT;
    }
    return finish(machine, word, funct5 == AMO_SC ? 0 : sign_extend(value, size * 8));
}

static enum machine_event branch(struct machine *machine, uint32_t word)
{
    uint64_t a = machine->x[bits(word, 15, 5)];
    uint64_t b = machine->x[bits(word, 20, 5)];
    bool taken;

    switch (bits(word, 12, 3)) {
    case 0: taken = a == b; break;
    case 1: taken = a != b; break;
    case 4: taken = (int64_t)a < (int64_t)b; break;
    case 5: taken = (int64_t)a >= (int64_t)b; break;
    case 6: taken = a < b; break;
    case 7: taken = a >= b; break;
    default: return MACHINE_UNKNOWN;
    }
    machine->pc += taken ? immediate_b(word) : 4;
    return MACHINE_STEPPED;
}

static enum machine_event jump(struct machine *machine, uint32_t word)
{
    bool indirect = bits(word, 0, 7) == OPCODE_JALR;
    uint64_t target = machine->pc + immediate_j(word);

    if (indirect) {
        if (bits(word, 12, 3) != 0) {
            return MACHINE_UNKNOWN;
        }
        target = (machine->x[bits(word, 15, 5)] + immediate_i(word)) & ~(uint64_t)1;
    }
    write_register(machine, word, machine->pc + 4);
    machine->pc = target;
    return MACHINE_STEPPED;
}

static enum machine_event compute(struct machine *machine, uint32_t word)
{
    uint64_t a = machine->x[bits(word, 15, 5)];
    uint64_t b = machine->x[bits(word, 20, 5)];
    uint64_t result = 0;
    bool known = true;

    switch (bits(word, 0, 7)) {
    case OPCODE_LUI: result = immediate_u(word); break;
    case OPCODE_AUIPC: result = machine->pc + immediate_u(word); break;
    case OPCODE_OP_IMM: known = op_immediate(word, a, &result); break;
    case OPCODE_OP_IMM_32: known = op_immediate_word(word, a, &result); break;
    case OPCODE_OP: known = op(word, a, b, &result); break;
    case OPCODE_OP_32: known = op_word(word, a, b, &result); break;
    default: known = false; break;
    }
    return known ? finish(machine, word, result) : MACHINE_UNKNOWN;
}

static enum machine_event compute_floating(struct machine *machine, uint32_t word)
{
    const struct machine_bus *bus = machine->bus;
    bool to_integer;

    if (!floating(word, &to_integer)) {
        return MACHINE_UNKNOWN;
    }
    if (to_integer) {
        return finish(machine, word, bus->anything(bus->context));
    }
    machine->pc += 4;
    return MACHINE_STEPPED;
}

enum machine_event machine_step(struct machine *machine, uint32_t word)
{
    if (word == WORD_EBREAK || word == WORD_UNIMP || word == WORD_ZERO) {
        return MACHINE_STOPPED;
    }
    switch (bits(word, 0, 7)) {
    case OPCODE_LOAD: return load(machine, word);
    case OPCODE_LOAD_FP: return load_floating(machine, word);
    case OPCODE_STORE:
    case OPCODE_STORE_FP: return store(machine, word);
    case OPCODE_AMO: return atomic(machine, word);
    case OPCODE_BRANCH: return branch(machine, word);
    case OPCODE_JAL:
    case OPCODE_JALR: return jump(machine, word);
    case OPCODE_MADD:
    case OPCODE_MSUB:
    case OPCODE_NMSUB:
    case OPCODE_NMADD:
    case OPCODE_OP_FP: return compute_floating(machine, word);
    case OPCODE_MISC_MEM: /* fences; their reserved fields are to be ignored */
        if (bits(word, 12, 3) != 0) {
            return MACHINE_UNKNOWN;
        }
        machine->pc += 4;
        return MACHINE_STEPPED;
    default: return compute(machine, word);
    }
}
