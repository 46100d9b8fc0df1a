/*
 * The backward analyses: see lookahead.h.
 */
#include "user/toolchain/lookahead.h"

#include "kernel/sandbox/claims.h"
#include "user/toolchain/tables.h"

#define ALL_REGISTERS 0xffffffffu
/* t0 to t2 and t3 to t6: dead before a call; before a return, a2 to a7 too. */
#define TEMPORARIES 0xf00000e0u
#define ARGUMENTS   0x0003f000u

struct analysis {
    const struct program *program;
    const struct names *labels;
    struct lookahead *list;
};

static struct lookahead at_label(const struct analysis *analysis, struct asm_span symbol)
{
    static const struct lookahead foreign = { 0, SANDBOX_CLAIM_RA, ALL_REGISTERS };
    uint32_t number = names_flags(analysis->labels, symbol.at, symbol.length);

    return number == 0 ? foreign : analysis->list[number - 1];
}

/* The registers whose facts insn passes on to its result. */
static uint32_t sources(const struct sandbox_insn *insn)
{
    uint32_t first = 1u << insn->rs1, second = 1u << insn->rs2;

    switch (insn->form->class) {
    case SANDBOX_CLASS_ADDI:
    case SANDBOX_CLASS_ANDI:
    case SANDBOX_CLASS_SUB: return first;
    case SANDBOX_CLASS_ADD: return first | second;
    case SANDBOX_CLASS_SHADD:
    case SANDBOX_CLASS_SHADDUW: return second;
    default: return 0;
    }
}

/* The integer registers that insn may read. */
static uint32_t reads(const struct sandbox_insn *insn)
{
    switch (insn->form->operands) {
    case SANDBOX_OPERANDS_R:
    case SANDBOX_OPERANDS_FRM:
    case SANDBOX_OPERANDS_S:
    case SANDBOX_OPERANDS_B: return 1u << insn->rs1 | 1u << insn->rs2;
    case SANDBOX_OPERANDS_I: return 1u << insn->rs1;
    default: return 0;
    }
}

static struct lookahead before_computation(const struct sandbox_insn *insn, struct lookahead behind)
{
    uint32_t written = insn->rd == SANDBOX_REG_ZERO ? 0 : 1u << insn->rd;
    uint32_t base = sandbox_is_access(insn) ? 1u << insn->rs1 & SANDBOX_CLAIM_NEAR : 0;
    uint32_t passed_on = (behind.useful & written) != 0 ? sources(insn) & SANDBOX_CLAIM_ALL : 0;

    if (insn->form->class == SANDBOX_CLASS_ADDI && (behind.anticipated & written) != 0) {
        base |= 1u << insn->rs1 & SANDBOX_CLAIM_NEAR; /* what is close to a pointer is as good */
    }
    behind.anticipated = (behind.anticipated & ~written) | base;
    behind.useful = (behind.useful & ~written) | base | passed_on;
    behind.live = (behind.live & ~written) | reads(insn);
    return behind;
}

/* A jump through a table goes to any of its entries. */
static struct lookahead before_table(const struct analysis *analysis,
                                     const struct statement *statement)
{
    struct lookahead all = { SANDBOX_CLAIM_NEAR, 0, 0 };
    struct asm_span target;

    for (size_t i = 0; (target = table_entry(analysis->program, statement, i)).length != 0; i++) {
        struct lookahead at = at_label(analysis, target);
        all.anticipated &= at.anticipated;
        all.useful |= at.useful;
        all.live |= at.live;
    }
    return all;
}

/*
 * What a call needs is what its target can make use of, but for the return address, which it makes.
 */
static struct lookahead before_call(const struct analysis *analysis, struct asm_span target)
{
    struct lookahead at = at_label(analysis, target);

    /* What a failed check calls never returns. */
    at.anticipated = asm_is(target, "__ftl_check_failed") ? SANDBOX_CLAIM_NEAR : 0;
    at.useful &= ~SANDBOX_CLAIM_RA;
    at.live = ~TEMPORARIES;
    return at;
}

/* Live before an indirect jump: a return, a call, or a jump that may be anything. */
static uint32_t live_before_jump(const struct sandbox_insn *insn)
{
    if (insn->rd != SANDBOX_REG_ZERO) {
        return ~TEMPORARIES | 1u << insn->rs1;
    }
    return insn->rs1 == SANDBOX_REG_RA ? ~(TEMPORARIES | ARGUMENTS) : ALL_REGISTERS;
}

static struct lookahead before_plain(const struct analysis *analysis,
                                     const struct statement *statement, struct lookahead behind)
{
    const struct sandbox_insn *insn = &statement->insn;
    struct asm_span target = statement_target(statement);
    struct lookahead at = at_label(analysis, target);

    switch (insn->form->class) {
    case SANDBOX_CLASS_JAL:
        return insn->rd == SANDBOX_REG_ZERO ? at : before_call(analysis, target);
    case SANDBOX_CLASS_JALR:
        return (struct lookahead){ 0, insn->rd == SANDBOX_REG_ZERO ? SANDBOX_CLAIM_RA : 0,
                                   live_before_jump(insn) };
    case SANDBOX_CLASS_BRANCH:
        /*
         * A guard may change its register: not before a comparison, which may be the check for it.
         */
        at.anticipated &= behind.anticipated & ~(1u << insn->rs1) & ~(1u << insn->rs2);
        at.useful |= behind.useful;
        at.live |= behind.live | reads(insn);
        return at;
    case SANDBOX_CLASS_TRAP: /* nothing comes any more */
        return (struct lookahead){ SANDBOX_CLAIM_NEAR, 0, 0 };
    default: return before_computation(insn, behind);
    }
}

static struct lookahead before_statement(const struct analysis *analysis,
                                         const struct statement *statement, struct lookahead behind)
{
    if (statement->role == TABLE_JUMP) {
        return before_table(analysis, statement);
    }
    if (statement->role != TABLE_NONE && table_part_is_dead(statement, behind.live)) {
        behind.live |= statement->role == TABLE_INDEX ? 1u << statement->insn.rs1 : 0;
        return behind; /* the jump does without its result */
    }
    switch (statement->kind) {
    case STATEMENT_CALL: return before_call(analysis, statement_target(statement));
    case STATEMENT_TAIL: return at_label(analysis, statement_target(statement));
    case STATEMENT_PLAIN: return before_plain(analysis, statement, behind);
    case STATEMENT_OTHER: return behind;
    default: return (struct lookahead){ 0, 0, ALL_REGISTERS };
    }
}

/* One pass from the end to the start. Returns whether something at a label changed. */
static bool pass(struct program *program, const struct analysis *analysis)
{
    struct lookahead now = { 0, 0, ALL_REGISTERS };
    bool changed = false;

    for (size_t i = program->count; i-- > 0;) {
        struct statement *statement = &program->statements[i];
        struct asm_span name = statement->line.name;

        statement->anticipated = now.anticipated;
        statement->useful = now.useful;
        statement->live = now.live;
        now = before_statement(analysis, statement, now);
        if (statement->line.kind == ASM_LABEL) {
            struct lookahead *label =
                &analysis->list[names_flags(analysis->labels, name.at, name.length) - 1];

            changed = changed || label->anticipated != now.anticipated ||
                      label->useful != now.useful || label->live != now.live;
            *label = now;
        }
    }
    return changed;
}

struct lookahead *lookahead_find(struct program *program, struct names *labels)
{
    struct analysis analysis = { .program = program, .labels = labels };
    size_t count = 0;

    for (size_t i = 0; i < program->count; i++) {
        const struct asm_line *line = &program->statements[i].line;

        if (line->kind == ASM_LABEL) {
            struct name *name = names_add(labels, line->name.at, line->name.length);

            if (name->flags == 0) {
                name->flags = (uint32_t)++count;
            }
        }
    }
    analysis.list = xrealloc(NULL, (count + 1) * sizeof(*analysis.list));
    for (size_t i = 0; i < count; i++) {
        analysis.list[i] = (struct lookahead){ SANDBOX_CLAIM_NEAR, 0, 0 };
    }
    while (pass(program, &analysis)) {
    }
    return analysis.list;
}
