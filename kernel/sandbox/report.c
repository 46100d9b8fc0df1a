/* Explains failed checks: see report.h. The shapes are those that user/toolchain/rewrite.c writes;
 * other code gets less. */
#include "kernel/sandbox/report.h"

#include "kernel/sandbox/facts.h"

#define WORD_EBREAK 0x00100073U

/* Major opcodes (unprivileged ISA, "RV32/64G Instruction Set Listings"). */
#define OPCODE_LOAD     0x03U
#define OPCODE_LOAD_FP  0x07U
#define OPCODE_STORE    0x23U
#define OPCODE_STORE_FP 0x27U
#define OPCODE_AMO      0x2fU
#define OPCODE_BRANCH   0x63U
#define OPCODE_JALR     0x67U

#define BEQ_SKIP      0x00000463U /* beq x0, x0, .+8: the registers are or-ed in */
#define BEQ_SKIP_MASK 0xfe00707fU

static unsigned opcode(uint32_t word)
{
    return word & 0x7f;
}

static unsigned rs1(uint32_t word)
{
    return word >> 15 & 31;
}

static unsigned rs2(uint32_t word)
{
    return word >> 20 & 31;
}

static int64_t load_offset(uint32_t word)
{
    return (int32_t)word >> 20;
}

static int64_t store_offset(uint32_t word)
{
    return (int64_t)((int32_t)word >> 25) * 32 + (word >> 7 & 31);
}

/* Names an access through the register, or the check register that stands for it. */
static bool describe_access(uint32_t word, unsigned address_register, struct sandbox_trap *trap)
{
    if (rs1(word) != address_register && rs1(word) != SANDBOX_REG_SCRATCH) {
        return false;
    }
    switch (opcode(word)) {
    case OPCODE_LOAD:
    case OPCODE_LOAD_FP:
        trap->what = "load";
        trap->offset = load_offset(word);
        return true;
    case OPCODE_STORE:
    case OPCODE_STORE_FP:
        trap->what = "store";
        trap->offset = store_offset(word);
        return true;
    case OPCODE_AMO: trap->what = "atomic access"; return true;
    case OPCODE_JALR: trap->what = "jump"; return true;
    default: return false;
    }
}

bool sandbox_decode_trap(const uint32_t code[SANDBOX_TRAP_WORDS], struct sandbox_trap *trap)
{
    uint32_t check = code[SANDBOX_TRAP_BEFORE - 1];
    if (code[SANDBOX_TRAP_BEFORE] != WORD_EBREAK || (check & BEQ_SKIP_MASK) != BEQ_SKIP) {
        return false;
    }
    *trap = (struct sandbox_trap){ .what = "access", .address_register = rs2(check) };
    if (rs2(check) == SANDBOX_REG_PAD) {
        /* lw scratch, 0(target) comes before the check. */
        trap->what = "jump to what is no function or return site,";
        trap->address_register = rs1(code[SANDBOX_TRAP_BEFORE - 2]);
        return true;
    }
    for (unsigned i = SANDBOX_TRAP_BEFORE + 1; i < SANDBOX_TRAP_WORDS; i++) {
        if (describe_access(code[i], trap->address_register, trap)) {
            break;
        }
    }
    return true;
}
