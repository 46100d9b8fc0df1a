/*
 * The instrumenter's main part: see rewrite.h. Goes through the file, knows at each point what the
 * verifier will know there (kernel/sandbox/facts.h), and puts guards where that is too little. It
 * does so dry until the claims at joins (joins.h) agree with what it knows, and then for good.
 */
#include "user/toolchain/rewrite.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <ftl/sandbox_abi.h>

#include "kernel/sandbox/claims.h"
#include "kernel/sandbox/disassemble.h"
#include "kernel/sandbox/facts.h"
#include "user/toolchain/asm_text.h"
#include "user/toolchain/joins.h"
#include "user/toolchain/names.h"
#include "user/toolchain/program.h"
#include "user/toolchain/symbols.h"
#include "user/toolchain/tables.h"

#define PAD_TEXT "lui\tzero, 0x4654c" /* FTL_SANDBOX_PAD */
_Static_assert(FTL_SANDBOX_PAD == (0x4654cu << 12 | 0x37u), "PAD_TEXT is the landing pad");

#define INSTRUCTION_SIZE 4

/* Where the instruction stream stands. */
enum flow {
    FLOW_UNREACHABLE, /* behind an unconditional jump */
    FLOW_STRAIGHT,    /* behind an ordinary instruction */
    FLOW_ENTRY,       /* right behind the pad of a function */
};

struct rewriter {
    const struct rewrite_options *options;
    const struct program *program;
    FILE *out; /* NULL: a dry pass */
    struct rewrite_error *error;
    struct names symbols;
    struct joins joins;
    struct sections sections;
    struct sandbox_state state; /* image_size 0: text has no exact addresses */
    enum flow flow;
    const struct join *here; /* the join at this very place; NULL if code came since */
    bool in_code;
    unsigned long line;
};

__attribute__((format(printf, 2, 3))) static bool fail(struct rewriter *rw, const char *format, ...)
{
    va_list arguments;

    rw->error->line = rw->line;
    va_start(arguments, format);
    vsnprintf(rw->error->message, sizeof(rw->error->message), format, arguments);
    va_end(arguments);
    return false;
}

#define SPAN(span) (int)(span).length, (span).at

/* ---- Places in the source ---- */

/* The number at the front of *rest, which is moved behind it; -1: there is none. */
static long take_number(struct asm_span *rest)
{
    char *end;
    long number = strtol(rest->at, &end, 10);
    size_t length = (size_t)(end - rest->at);

    if (length == 0 || length > rest->length || number < 0) {
        return -1;
    }
    *rest = (struct asm_span){ end, rest->length - length };
    return number;
}

/* The last string of a directive, without quotes. */
static struct asm_span last_string(struct asm_span rest)
{
    struct asm_span string = { rest.at, 0 };
    const char *open = NULL;

    for (size_t i = 0; i < rest.length; i++) {
        if (rest.at[i] == '"' && open == NULL) {
            open = rest.at + i + 1;
        } else if (rest.at[i] == '"') {
            string = (struct asm_span){ open, (size_t)(rest.at + i - open) };
            open = NULL;
        }
    }
    return string;
}

/* Where the source has what the statement at index was made of, by the .loc before it. */
static void find_source(const struct program *program, size_t index, struct rewrite_error *error)
{
    long file = -1;

    error->source_line = 0;
    for (; file < 0 && index > 0; index--) {
        const struct asm_line *line = &program->statements[index - 1].line;
        struct asm_span rest = line->rest;

        if (line->kind == ASM_DIRECTIVE && asm_is(line->name, ".loc")) {
            file = take_number(&rest);
            error->source_line = (unsigned long)take_number(&rest);
        } else if (line->kind == ASM_LABEL && !asm_starts_with(line->name, ".L")) {
            return; /* of the function before */
        }
    }
    for (size_t i = 0; i < program->count; i++) {
        const struct asm_line *line = &program->statements[i].line;
        struct asm_span rest = line->rest;

        if (line->kind == ASM_DIRECTIVE && asm_is(line->name, ".file") && file >= 0 &&
            take_number(&rest) == file) {
            snprintf(error->source_file, sizeof(error->source_file), "%.*s",
                     SPAN(last_string(rest)));
            return;
        }
    }
    error->source_line = 0;
}

/* ---- Output, with the state kept in step ---- */

__attribute__((format(printf, 2, 3))) static void put(struct rewriter *rw, const char *format, ...)
{
    va_list arguments;

    if (rw->out != NULL) {
        va_start(arguments, format);
        vfprintf(rw->out, format, arguments);
        va_end(arguments);
    }
}

/* Writes one instruction of our own and steps the state over it. */
__attribute__((format(printf, 2, 3))) static void emit(struct rewriter *rw, const char *format, ...)
{
    char text[128];
    const char *cursor = text;
    struct asm_line line;
    struct sandbox_insn insn;
    va_list arguments;
    int memory;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    put(rw, "\t%s\n", text);
    if (asm_next_line(&cursor, &line) && asm_decode(&line, &insn, &memory)) {
        sandbox_step(&rw->state, &insn, 0);
    }
    rw->flow = FLOW_STRAIGHT;
}

/* Stops the process unless the comparison of registers a and b holds. */
static void emit_require(struct rewriter *rw, enum sandbox_compare compare, unsigned int a,
                         unsigned int b)
{
    put(rw, "\t%s\t%s, %s, .+8\n\tebreak\n", compare == SANDBOX_COMPARE_EQUAL ? "beq" : "bgeu",
        sandbox_register_name(a), sandbox_register_name(b));
    sandbox_assume(&rw->state, compare, a, b);
}

/* to = BASE + low 32 bits of from: some address of the window, from itself if it was one. */
static void emit_mask(struct rewriter *rw, unsigned int to, unsigned int from)
{
    const char *target = sandbox_register_name(to);

    if (rw->options->zba) {
        emit(rw, "add.uw\t%s, %s, gp", target, sandbox_register_name(from));
        return;
    }
    emit(rw, "and\t%s, %s, s8", target, sandbox_register_name(from));
    emit(rw, "add\t%s, %s, gp", target, target);
}

/* Stops the process unless register reg holds an address of the window. */
static void emit_check(struct rewriter *rw, unsigned int reg)
{
    if (rw->options->zba) {
        emit_mask(rw, SANDBOX_REG_SCRATCH, reg);
        emit_require(rw, SANDBOX_COMPARE_EQUAL, SANDBOX_REG_SCRATCH, reg);
    } else {
        emit(rw, "sub\ts9, %s, gp", sandbox_register_name(reg));
        emit_require(rw, SANDBOX_COMPARE_NOT_LESS, SANDBOX_REG_SPAN, SANDBOX_REG_SCRATCH);
    }
}

static void begin_landing(struct rewriter *rw)
{
    sandbox_state_reset(&rw->state);
    sandbox_state_add(&rw->state, SANDBOX_CLAIM_RA);
}

static void emit_pad(struct rewriter *rw)
{
    put(rw, "\t" PAD_TEXT "\n");
    begin_landing(rw);
}

/* ---- Guards ---- */

/*
 * Makes sure that register base points into the window. Returns the register to use in its place.
 */
static unsigned int guard_address(struct rewriter *rw, unsigned int base)
{
    if (base == SANDBOX_REG_ZERO) { /* cannot be changed: access through the scratch register */
        emit_mask(rw, SANDBOX_REG_SCRATCH, base);
        if (rw->options->trap) {
            emit_require(rw, SANDBOX_COMPARE_EQUAL, SANDBOX_REG_SCRATCH, base);
        }
        return SANDBOX_REG_SCRATCH;
    }
    if (rw->options->trap) {
        emit_check(rw, base);
    } else {
        emit_mask(rw, base, base);
    }
    return base;
}

/* Where control flow can join, sp must be near the window. */
static void guard_stack(struct rewriter *rw)
{
    if (!sandbox_is_near(&rw->state, SANDBOX_REG_SP)) {
        (void)guard_address(rw, SANDBOX_REG_SP);
    }
}

/* Makes sure that target, already masked, is the address of a landing pad. */
static void check_pad(struct rewriter *rw, unsigned int target)
{
    emit(rw, "lw\ts10, 0(%s)", sandbox_register_name(target));
    emit_require(rw, SANDBOX_COMPARE_EQUAL, SANDBOX_REG_SCRATCH2, SANDBOX_REG_PAD);
}

static void guard_return_address(struct rewriter *rw)
{
    if (!sandbox_is_pad(&rw->state, SANDBOX_REG_RA)) {
        emit_mask(rw, SANDBOX_REG_RA, SANDBOX_REG_RA);
        check_pad(rw, SANDBOX_REG_RA);
    }
}

/* Whether a jump to the symbol needs a good ra. */
static bool needs_return_address(const struct rewriter *rw, struct asm_span symbol)
{
    const struct join *join = joins_find(&rw->joins, symbol);

    return symbol_needs_return_address(&rw->symbols, symbol) || (join != NULL && join->entry);
}

/*
 * Brings the facts to a join, with guards for some of the registers in `insertable` if that pays.
 */
static void arrive(struct rewriter *rw, struct asm_span symbol, uint32_t always,
                   uint32_t insertable)
{
    struct join *join = joins_find(&rw->joins, symbol);
    uint32_t mask = sandbox_state_mask(&rw->state, SANDBOX_CLAIM_ALL) | always;
    uint32_t insert;

    if (join == NULL || symbol_is_pad(&rw->symbols, symbol)) {
        return;
    }
    insert = joins_arrive(&rw->joins, join, mask, insertable & SANDBOX_CLAIM_NEAR);
    for (unsigned int i = 0; i < 32; i++) {
        if ((insert >> i & 1) != 0) {
            (void)guard_address(rw, i);
        }
    }
}

/* What has to be in order before control goes to the symbol, other than by a call. */
static void guard_transfer(struct rewriter *rw, struct asm_span symbol, uint32_t insertable)
{
    guard_stack(rw);
    if (needs_return_address(rw, symbol)) {
        guard_return_address(rw);
    }
    arrive(rw, symbol, 0, insertable);
}

/* ---- Control transfers ---- */

static void end_flow(struct rewriter *rw)
{
    rw->flow = FLOW_UNREACHABLE;
    sandbox_state_reset(&rw->state);
}

/*
 * A jump or call to a symbol. Landing pads are for indirect jumps; a direct one passes over them.
 */
static void put_jump(struct rewriter *rw, bool link, struct asm_span symbol)
{
    bool pad = symbol_is_pad(&rw->symbols, symbol);

    if (link) {
        guard_stack(rw);
        arrive(rw, symbol, SANDBOX_CLAIM_RA, SANDBOX_CLAIM_NEAR);
    } else {
        guard_transfer(rw, symbol, SANDBOX_CLAIM_NEAR);
    }
    put(rw, "\tjal\t%s, %.*s%s\n", link ? "ra" : "zero", SPAN(symbol), pad ? "+4" : "");
    if (link) {
        emit_pad(rw);
        rw->flow = FLOW_STRAIGHT;
    } else {
        end_flow(rw);
    }
}

static bool rewrite_jal(struct rewriter *rw, const struct asm_line *line,
                        const struct sandbox_insn *insn)
{
    if (line->operands != 2 || !asm_is_symbol(line->operand[1])) {
        return fail(rw, "jump to something that is no plain symbol: %.*s", SPAN(line->rest));
    }
    if (insn->rd != SANDBOX_REG_ZERO && insn->rd != SANDBOX_REG_RA) {
        return fail(rw, "the return address must be in ra: %.*s", SPAN(line->rest));
    }
    put_jump(rw, insn->rd == SANDBOX_REG_RA, line->operand[1]);
    return true;
}

/* call SYMBOL and tail SYMBOL. */
static bool rewrite_call(struct rewriter *rw, const struct statement *statement)
{
    struct asm_span symbol = statement_target(statement);

    if (statement->line.operands != 1 || symbol.length == 0) {
        return fail(rw, "%.*s needs one plain symbol", SPAN(statement->line.name));
    }
    put_jump(rw, statement->kind == STATEMENT_CALL, symbol);
    return true;
}

static bool rewrite_branch(struct rewriter *rw, const struct statement *statement)
{
    struct asm_span symbol = statement_target(statement);

    if (symbol.length == 0) {
        return fail(rw, "branch to something that is no plain symbol: %.*s",
                    SPAN(statement->line.rest));
    }
    guard_transfer(rw, symbol,
                   statement->anticipated & ~(1u << statement->insn.rs1) &
                       ~(1u << statement->insn.rs2));
    put(rw, "%.*s\n", SPAN(statement->line.whole));
    rw->flow = FLOW_STRAIGHT;
    return true;
}

/* An indirect jump or call through rs1 + imm: the target is checked in a scratch register. */
static void put_indirect(struct rewriter *rw, const struct sandbox_insn *insn)
{
    unsigned int target = insn->rs1;

    if (insn->imm_low != 0) {
        emit(rw, "addi\ts9, %s, %" PRId64, sandbox_register_name(target), insn->imm_low);
        target = SANDBOX_REG_SCRATCH;
    }
    if (!sandbox_is_pad(&rw->state, target)) {
        emit_mask(rw, SANDBOX_REG_SCRATCH, target);
        target = SANDBOX_REG_SCRATCH;
        check_pad(rw, target);
    }
    put(rw, "\tjalr\t%s, 4(%s)\n", sandbox_register_name(insn->rd), sandbox_register_name(target));
}

static bool rewrite_jalr(struct rewriter *rw, const struct sandbox_insn *insn)
{
    if (insn->rd != SANDBOX_REG_ZERO && insn->rd != SANDBOX_REG_RA) {
        return fail(rw, "the return address must be in ra, not %s",
                    sandbox_register_name(insn->rd));
    }
    if (insn->imm_low != insn->imm_high) {
        return fail(rw, "indirect jump with a symbolic offset");
    }
    guard_stack(rw);
    if (insn->rd == SANDBOX_REG_RA) {
        put_indirect(rw, insn);
        emit_pad(rw);
        rw->flow = FLOW_STRAIGHT;
        return true;
    }
    guard_return_address(rw);
    if (insn->rs1 == SANDBOX_REG_RA && insn->imm_low == 0) {
        put(rw, "\tjalr\tzero, 0(ra)\n");
    } else {
        put_indirect(rw, insn);
    }
    end_flow(rw);
    return true;
}

/* ---- Switch tables ---- */

/* True if the index in the register is known to be that of an entry of the row. */
static bool index_is_bounded(const struct rewriter *rw, unsigned int reg, size_t row)
{
    struct sandbox_value value = sandbox_get(&rw->state, reg);

    return value.kind == SANDBOX_VALUE_NUMBER && value.low >= 0 && value.high < (int64_t)row;
}

/* What any entry needs must be there before the index is taken. */
static void guard_table(struct rewriter *rw, const struct statement *jump)
{
    struct asm_span target;

    guard_stack(rw);
    for (size_t i = 0; (target = table_entry(rw->program, jump, i)).length != 0; i++) {
        if (needs_return_address(rw, target)) {
            guard_return_address(rw);
        }
    }
}

/* Takes the index, so that its range is known, in place of adding it to the table's address. */
static void put_table_index(struct rewriter *rw, const struct statement *statement)
{
    const struct statement *jump = &rw->program->statements[statement->jump];
    const char *index = sandbox_register_name(statement->insn.rs1);
    size_t row = table_row(jump);

    guard_table(rw, jump);
    if (index_is_bounded(rw, statement->insn.rs1, row)) {
        emit(rw, "addi\ts10, %s, 0", index);
    } else {
        emit(rw, "andi\ts10, %s, %zu", index, row - 1);
    }
}

/* The row of jumps behind the jump into it. The compiler's own bounds check is before: what is
 * behind the last entry is never reached. */
static void put_table_jump(struct rewriter *rw, const struct statement *jump)
{
    size_t row = table_row(jump);
    struct asm_span target;

    put(rw, "\tauipc\ts9, 0\n\tsh2add\ts9, s10, s9\n\tjalr\tzero, 12(s9)\n");
    for (size_t i = 0; i < row; i++) {
        target = table_entry(rw->program, jump, i);
        if (target.length == 0) {
            put(rw, "\tjal\tzero, .+%zu\n", (row - i) * INSTRUCTION_SIZE);
            continue;
        }
        arrive(rw, target, 0, 0);
        put(rw, "\tjal\tzero, %.*s%s\n", SPAN(target),
            symbol_is_pad(&rw->symbols, target) ? "+4" : "");
    }
    put(rw, "\tunimp\n");
    end_flow(rw);
}

/* The parts of a jump through a table. True if nothing else is to be done for the statement. */
static bool rewrite_table(struct rewriter *rw, const struct statement *statement)
{
    if (statement->role == TABLE_JUMP) {
        put_table_jump(rw, statement);
        return true;
    }
    if (statement->role == TABLE_INDEX) {
        put_table_index(rw, statement);
    }
    return table_part_is_dead(statement, statement->live);
}

/* ---- Ordinary instructions ---- */

static void rewrite_access(struct rewriter *rw, const struct asm_line *line,
                           struct sandbox_insn *insn, int memory)
{
    unsigned int base = insn->rs1;
    struct asm_span address = line->operand[memory];
    size_t prefix = (size_t)(address.at - line->whole.at);
    size_t open = address.length;

    if (sandbox_access_fits(&rw->state, insn)) {
        put(rw, "%.*s\n", SPAN(line->whole));
    } else {
        base = guard_address(rw, base);
        while (address.at[open - 1] != '(') {
            open--;
        }
        put(rw, "%.*s%s)\n", (int)(prefix + open), line->whole.at, sandbox_register_name(base));
    }
    insn->rs1 = (uint8_t)base;
    sandbox_step(&rw->state, insn, 0);
    rw->flow = FLOW_STRAIGHT;
}

/* Registers that sources may not name; gp and tp may be read. */
static bool is_private(int reg)
{
    static const uint32_t all = 1u << SANDBOX_REG_SPAN | 1u << SANDBOX_REG_SCRATCH |
                                1u << SANDBOX_REG_SCRATCH2 | 1u << SANDBOX_REG_PAD;

    return reg >= 0 && (all >> reg & 1) != 0;
}

static bool check_registers(struct rewriter *rw, const struct asm_line *line,
                            const struct sandbox_insn *insn)
{
    int found = is_private(insn->rs1) ? insn->rs1 : -1;

    for (unsigned int i = 0; i < line->operands; i++) {
        int named = asm_register(line->operand[i]);

        found = is_private(named) ? named : found;
    }
    if (found >= 0) {
        return fail(rw, "register %s is reserved in a sandbox",
                    sandbox_register_name((unsigned)found));
    }
    if ((SANDBOX_RESERVED >> insn->rd & 1) != 0) {
        return fail(rw, "register %s cannot be written in a sandbox",
                    sandbox_register_name(insn->rd));
    }
    return true;
}

/*
 * A copy of a pointer, or something close to it, that will be accessed through: a guard before the
 * copy serves both.
 */
static void guard_copied(struct rewriter *rw, const struct statement *statement)
{
    const struct sandbox_insn *insn = &statement->insn;
    uint32_t both = 1u << insn->rd | 1u << insn->rs1;

    if (insn->form->class == SANDBOX_CLASS_ADDI && insn->rd != insn->rs1 &&
        (SANDBOX_CLAIM_NEAR >> insn->rs1 & 1) != 0 &&
        (statement->anticipated & statement->useful & both) != 0 &&
        !sandbox_is_near(&rw->state, insn->rs1)) {
        (void)guard_address(rw, insn->rs1);
    }
}

static void rewrite_plain(struct rewriter *rw, const struct asm_line *line,
                          const struct sandbox_insn *insn)
{
    put(rw, "%.*s\n", SPAN(line->whole));
    if (insn->form->class == SANDBOX_CLASS_TRAP) {
        end_flow(rw);
        return;
    }
    sandbox_step(&rw->state, insn, 0);
    if (insn->form->class == SANDBOX_CLASS_AUIPC && insn->imm_low == insn->imm_high) {
        /* A plain distance: where this instruction will stand is not known here. */
        sandbox_set(&rw->state, insn->rd, (struct sandbox_value){ SANDBOX_VALUE_ANY, 0, 0 });
    }
    rw->flow = FLOW_STRAIGHT;
}

static bool rewrite_instruction(struct rewriter *rw, const struct statement *statement)
{
    const struct asm_line *line = &statement->line;
    struct sandbox_insn insn = statement->insn;

    rw->here = NULL;
    if (!rw->in_code) {
        return fail(rw, "instruction outside of an executable section: %.*s", SPAN(line->name));
    }
    if (statement->kind == STATEMENT_CALL || statement->kind == STATEMENT_TAIL) {
        return rewrite_call(rw, statement);
    }
    if (statement->kind == STATEMENT_UNKNOWN) {
        return fail(rw, "not permitted in a sandbox, or not understood: %.*s %.*s",
                    SPAN(line->name), SPAN(line->rest));
    }
    if (!check_registers(rw, line, &insn)) {
        return false;
    }
    if (statement->role != TABLE_NONE && rewrite_table(rw, statement)) {
        return true;
    }
    switch (insn.form->class) {
    case SANDBOX_CLASS_JAL: return rewrite_jal(rw, line, &insn);
    case SANDBOX_CLASS_JALR: return rewrite_jalr(rw, &insn);
    case SANDBOX_CLASS_BRANCH: return rewrite_branch(rw, statement);
    case SANDBOX_CLASS_EBREAK: return fail(rw, "ebreak is not permitted in a sandbox");
    default: break;
    }
    if (insn.form->class == SANDBOX_CLASS_LUI && insn.rd == SANDBOX_REG_ZERO) {
        return fail(rw, "lui to zero is reserved for landing pads");
    }
    if (statement->memory >= 0) {
        rewrite_access(rw, line, &insn, statement->memory);
    } else {
        guard_copied(rw, statement);
        rewrite_plain(rw, line, &insn);
    }
    return true;
}

/* ---- Labels and directives ---- */

/* Tells the verifier what holds at the label just written. */
static void put_claim(struct rewriter *rw, struct asm_span label, uint32_t claim)
{
    struct asm_span section = rw->sections.current;

    if (claim == 0) {
        return;
    }
    put(rw, "\t.pushsection\t" FTL_CLAIMS_SECTION ",\"o\",@0x%x,%.*s\n", FTL_CLAIMS_TYPE,
        SPAN(sections_name(section)));
    put(rw, "\t.word\t%.*s, 0x%x\n\t.popsection\n", SPAN(label), claim);
}

static void begin_block(struct rewriter *rw, struct asm_span label)
{
    struct join *join = joins_find(&rw->joins, label);

    join->entry = rw->flow == FLOW_ENTRY;
    if (join->entry) { /* like the pad, this is reached with a good ra only */
        begin_landing(rw);
    } else {
        sandbox_state_reset(&rw->state);
    }
    rw->here = join;
    sandbox_state_add(&rw->state, join->claim);
    put_claim(rw, label, join->entry ? join->claim & ~SANDBOX_CLAIM_RA : join->claim);
    rw->flow = FLOW_STRAIGHT;
}

static void rewrite_label(struct rewriter *rw, const struct asm_line *line)
{
    uint32_t flags = names_flags(&rw->symbols, line->name.at, line->name.length);
    bool pad = rw->in_code && (flags & SYMBOL_PAD) != 0;
    bool target = rw->in_code && (flags & SYMBOL_TARGET) != 0;

    bool again = !pad && rw->here != NULL && rw->here == joins_find(&rw->joins, line->name);

    if (again) { /* one more name for the join just begun */
        put(rw, "%.*s\n", SPAN(line->whole));
        return;
    }
    if ((pad || target) && rw->flow != FLOW_UNREACHABLE) {
        guard_stack(rw);
        if (symbol_needs_return_address(&rw->symbols, line->name)) {
            guard_return_address(rw);
        }
        arrive(rw, line->name, 0, SANDBOX_CLAIM_NEAR);
    }
    put(rw, "%.*s\n", SPAN(line->whole));
    if (pad) {
        emit_pad(rw);
        rw->flow = FLOW_ENTRY;
    } else if (target) {
        begin_block(rw, line->name);
    }
}

static bool rewrite_directive(struct rewriter *rw, const struct asm_line *line)
{
    static const char *const refused[] = { ".macro", ".rept",  ".irp",     ".irpc",
                                           ".if",    ".ifdef", ".include", ".altmacro" };

    uint32_t *flags = sections_flags(&rw->sections);

    *flags = (*flags & ~SECTION_OPEN) | (rw->flow == FLOW_UNREACHABLE ? 0 : SECTION_OPEN);
    if (!directive_is_neutral(line->name)) {
        rw->here = NULL;
    }
    if (sections_follow(&rw->sections, line)) {
        flags = sections_flags(&rw->sections);
        rw->in_code = (*flags & SECTION_EXECUTABLE) != 0;
        end_flow(rw);
        rw->flow = (*flags & SECTION_OPEN) != 0 ? FLOW_STRAIGHT : FLOW_UNREACHABLE;
    } else if (asm_is(line->name, ".p2align") || asm_is(line->name, ".balign")) {
        rw->flow = rw->flow == FLOW_ENTRY ? FLOW_STRAIGHT : rw->flow;
    } else if (rw->in_code && directive_is_data(line->name)) {
        return fail(rw, "data in executable code: %.*s", SPAN(line->name));
    } else if (asm_is(line->name, ".option") &&
               (asm_is(line->rest, "rvc") || asm_starts_with(line->rest, "arch"))) {
        return fail(rw, "other instruction sets are not permitted: .option %.*s", SPAN(line->rest));
    }
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (asm_is(line->name, refused[i])) {
            return fail(rw, "%s: expand macros first (llvm-mc)", refused[i]);
        }
    }
    put(rw, "%.*s\n", SPAN(line->whole));
    return true;
}

static bool rewrite_statement(struct rewriter *rw, const struct statement *statement)
{
    switch (statement->line.kind) {
    case ASM_LABEL: rewrite_label(rw, &statement->line); return true;
    case ASM_DIRECTIVE: return rewrite_directive(rw, &statement->line);
    case ASM_INSTRUCTION: return rewrite_instruction(rw, statement);
    default: put(rw, "%.*s\n", SPAN(statement->line.whole)); return true;
    }
}

/* Code must not run off the end of what this file puts into a section. */
static void close_sections(struct rewriter *rw)
{
    uint32_t *flags = sections_flags(&rw->sections);

    *flags = (*flags & ~SECTION_OPEN) | (rw->flow == FLOW_UNREACHABLE ? 0 : SECTION_OPEN);
    for (size_t i = 0; i < rw->sections.all.capacity; i++) {
        const struct name *section = &rw->sections.all.slots[i];

        if (section->text != NULL && section->flags == (SECTION_EXECUTABLE | SECTION_OPEN)) {
            put(rw, "\t.section\t%s\n\tunimp\n", section->text);
        }
    }
}

/* One pass over the file; out NULL: a dry one. */
static bool pass(struct rewriter *rw, const struct program *program, FILE *out)
{
    bool good = true;

    rw->out = out;
    rw->sections = (struct sections){ .depth = 0 };
    rw->in_code = true;
    rw->here = NULL;
    end_flow(rw);
    for (size_t i = 0; i < program->count && good; i++) {
        rw->line = i + 1;
        good = rewrite_statement(rw, &program->statements[i]);
    }
    if (good) {
        close_sections(rw);
    }
    sections_free(&rw->sections);
    return good;
}

bool rewrite_assembly(const char *text, const struct rewrite_options *options, FILE *out,
                      struct rewrite_error *error)
{
    struct rewriter rw = { .options = options, .error = error };
    struct program program;
    bool good;

    error->tables = false;
    error->source_line = 0;
    program_parse(&program, text);
    if (options->zba && !tables_find(&program)) {
        program_free(&program);
        error->tables = true;
        return fail(&rw, "a switch table that is not understood: compile with -fno-jump-tables");
    }
    rw.program = &program;
    symbols_collect(&rw.symbols, &program);
    joins_init(&rw.joins, &program, &rw.symbols);
    do {
        good = pass(&rw, &program, NULL);
    } while (joins_next_pass(&rw.joins) && good);
    good = good && pass(&rw, &program, out);
    if (!good) {
        find_source(&program, rw.line, error);
    }
    joins_free(&rw.joins);
    program_free(&program);
    names_free(&rw.symbols);
    return good;
}
