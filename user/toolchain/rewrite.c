/*
 * Second pass of the instrumenter: see rewrite.h. Goes through the file once, knows at each point
 * what the verifier will know there (kernel/sandbox/facts.h), and puts guards where that is too
 * little.
 */
#include "user/toolchain/rewrite.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <ftl/sandbox_abi.h>

#include "kernel/sandbox/facts.h"
#include "user/toolchain/asm_text.h"
#include "user/toolchain/names.h"
#include "user/toolchain/symbols.h"

#define PAD_TEXT "lui\tzero, 0x4654c" /* FTL_SANDBOX_PAD */
_Static_assert(FTL_SANDBOX_PAD == (0x4654cu << 12 | 0x37u), "PAD_TEXT is the landing pad");

#define PAD_SIZE   4
#define IMAGE_SIZE 0 /* of no use here: the decoder of text knows no exact addresses */

/* Where the instruction stream stands. */
enum flow {
    FLOW_UNREACHABLE, /* behind an unconditional jump */
    FLOW_STRAIGHT,    /* behind an ordinary instruction */
    FLOW_ENTRY,       /* right behind the pad of a function */
};

struct rewriter {
    const struct rewrite_options *options;
    FILE *out;
    struct rewrite_error *error;
    struct names symbols;
    struct sections sections;
    struct names entries; /* labels that stand right behind a function's pad */
    struct sandbox_state state;
    enum flow flow;
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

/* ---- Output, with the state kept in step ---- */

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
    fprintf(rw->out, "\t%s\n", text);
    if (asm_next_line(&cursor, &line) && asm_decode(&line, &insn, &memory)) {
        sandbox_step(&rw->state, &insn, 0, IMAGE_SIZE);
    }
    rw->flow = FLOW_STRAIGHT;
}

/* Stops the process unless registers a and b are equal. */
static void emit_require_equal(struct rewriter *rw, unsigned int a, unsigned int b)
{
    fprintf(rw->out, "\tbeq\t%s, %s, .+8\n\tebreak\n", sandbox_register_name(a),
            sandbox_register_name(b));
    sandbox_assume_equal(&rw->state, a, b, IMAGE_SIZE);
}

/* to = BASE + low 32 bits of from: some address of the window, from itself if it was one. */
static void emit_mask(struct rewriter *rw, unsigned int to, unsigned int from)
{
    const char *target = sandbox_register_name(to);

    if (rw->options->zba) {
        emit(rw, "add.uw\t%s, %s, gp", target, sandbox_register_name(from));
        return;
    }
    emit(rw, "slli\t%s, %s, 32", target, sandbox_register_name(from));
    emit(rw, "srli\t%s, %s, 32", target, target);
    emit(rw, "add\t%s, %s, gp", target, target);
}

static void emit_pad(struct rewriter *rw)
{
    fprintf(rw->out, "\t" PAD_TEXT "\n");
    sandbox_state_landing(&rw->state);
}

/* ---- Guards ---- */

/* Makes sure that register base points into the window. Returns the register to use in its place.
 */
static unsigned int guard_address(struct rewriter *rw, unsigned int base)
{
    if (base == SANDBOX_REG_ZERO) { /* cannot be changed: access through the scratch register */
        emit_mask(rw, SANDBOX_REG_SCRATCH, base);
        if (rw->options->trap) {
            emit_require_equal(rw, SANDBOX_REG_SCRATCH, base);
        }
        return SANDBOX_REG_SCRATCH;
    }
    if (rw->options->trap) {
        emit_mask(rw, SANDBOX_REG_SCRATCH, base);
        emit_require_equal(rw, SANDBOX_REG_SCRATCH, base);
    } else {
        emit_mask(rw, base, base);
    }
    return base;
}

/* Where control flow can join, sp must be near the window. */
static void guard_stack(struct rewriter *rw)
{
    if (!sandbox_value_is_near(&rw->state.reg[SANDBOX_REG_SP], IMAGE_SIZE)) {
        (void)guard_address(rw, SANDBOX_REG_SP);
    }
}

/* Makes sure that target, already masked, is the address of a landing pad. */
static void check_pad(struct rewriter *rw, unsigned int target)
{
    emit(rw, "lw\ts10, 0(%s)", sandbox_register_name(target));
    emit_require_equal(rw, SANDBOX_REG_SCRATCH2, SANDBOX_REG_PAD);
}

static void guard_return_address(struct rewriter *rw)
{
    if (rw->state.reg[SANDBOX_REG_RA].kind != SANDBOX_VALUE_PAD) {
        emit_mask(rw, SANDBOX_REG_RA, SANDBOX_REG_RA);
        check_pad(rw, SANDBOX_REG_RA);
    }
}

/* True if whoever jumps to the symbol must have a valid ra. */
static bool needs_return_address(const struct rewriter *rw, struct asm_span symbol)
{
    return symbol_is_gate(symbol) || symbol_is_pad(&rw->symbols, symbol) ||
           names_flags(&rw->entries, symbol.at, symbol.length) != 0;
}

static void guard_transfer(struct rewriter *rw, struct asm_span symbol)
{
    guard_stack(rw);
    if (needs_return_address(rw, symbol)) {
        guard_return_address(rw);
    }
}

/* ---- Control transfers ---- */

static void end_flow(struct rewriter *rw)
{
    rw->flow = FLOW_UNREACHABLE;
    sandbox_state_reset(&rw->state);
}

/* A jump or call to a symbol. Landing pads are for indirect jumps; a direct one passes over them.
 */
static void put_jump(struct rewriter *rw, bool link, struct asm_span symbol)
{
    bool pad = symbol_is_pad(&rw->symbols, symbol);

    if (link) {
        guard_stack(rw);
    } else {
        guard_transfer(rw, symbol);
    }
    fprintf(rw->out, "\tjal\t%s, %.*s%s\n", link ? "ra" : "zero", SPAN(symbol), pad ? "+4" : "");
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

/* call SYMBOL and tail SYMBOL, perhaps with the @plt of compilers. */
static bool rewrite_call(struct rewriter *rw, const struct asm_line *line)
{
    struct asm_span symbol = line->operand[0];

    if (line->operands == 1 && symbol.length > 4 &&
        memcmp(symbol.at + symbol.length - 4, "@plt", 4) == 0) {
        symbol.length -= 4;
    }
    if (line->operands != 1 || !asm_is_symbol(symbol)) {
        return fail(rw, "%.*s needs one plain symbol", SPAN(line->name));
    }
    put_jump(rw, asm_is(line->name, "call"), symbol);
    return true;
}

static bool rewrite_branch(struct rewriter *rw, const struct asm_line *line)
{
    if (!asm_is_symbol(line->operand[2])) {
        return fail(rw, "branch to something that is no plain symbol: %.*s", SPAN(line->rest));
    }
    guard_transfer(rw, line->operand[2]);
    fprintf(rw->out, "%.*s\n", SPAN(line->whole));
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
    if (rw->state.reg[target].kind != SANDBOX_VALUE_PAD) {
        emit_mask(rw, SANDBOX_REG_SCRATCH, target);
        target = SANDBOX_REG_SCRATCH;
        check_pad(rw, target);
    }
    fprintf(rw->out, "\tjalr\t%s, 4(%s)\n", sandbox_register_name(insn->rd),
            sandbox_register_name(target));
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
        fprintf(rw->out, "\tjalr\tzero, 0(ra)\n");
    } else {
        put_indirect(rw, insn);
    }
    end_flow(rw);
    return true;
}

/* ---- Ordinary instructions ---- */

static void rewrite_access(struct rewriter *rw, const struct asm_line *line,
                           struct sandbox_insn *insn, int memory)
{
    unsigned int base = insn->rs1;
    struct asm_span address = line->operand[memory];
    size_t prefix = (size_t)(address.at - line->whole.at);
    size_t open = address.length;

    if (sandbox_access_fits(&rw->state.reg[base], insn, IMAGE_SIZE)) {
        fprintf(rw->out, "%.*s\n", SPAN(line->whole));
    } else {
        base = guard_address(rw, base);
        while (address.at[open - 1] != '(') {
            open--;
        }
        fprintf(rw->out, "%.*s%s)\n", (int)(prefix + open), line->whole.at,
                sandbox_register_name(base));
    }
    insn->rs1 = (uint8_t)base;
    sandbox_step(&rw->state, insn, 0, IMAGE_SIZE);
    rw->flow = FLOW_STRAIGHT;
}

/* Registers the sandbox needs for itself. tp may be read. */
static bool check_registers(struct rewriter *rw, const struct asm_line *line,
                            const struct sandbox_insn *insn)
{
    for (unsigned int i = 0; i < line->operands; i++) {
        int found = asm_register(line->operand[i]);

        if (found == SANDBOX_REG_SCRATCH || found == SANDBOX_REG_SCRATCH2 ||
            found == SANDBOX_REG_PAD) {
            return fail(rw, "register %s is reserved in a sandbox",
                        sandbox_register_name((unsigned)found));
        }
    }
    if (insn->rs1 == SANDBOX_REG_SCRATCH || insn->rs1 == SANDBOX_REG_SCRATCH2 ||
        insn->rs1 == SANDBOX_REG_PAD) {
        return fail(rw, "register %s is reserved in a sandbox", sandbox_register_name(insn->rs1));
    }
    if (insn->rd == SANDBOX_REG_BASE || insn->rd == SANDBOX_REG_TLS) {
        return fail(rw, "register %s cannot be written in a sandbox",
                    sandbox_register_name(insn->rd));
    }
    return true;
}

static void rewrite_plain(struct rewriter *rw, const struct asm_line *line,
                          const struct sandbox_insn *insn)
{
    fprintf(rw->out, "%.*s\n", SPAN(line->whole));
    if (insn->form->class == SANDBOX_CLASS_TRAP) {
        end_flow(rw);
        return;
    }
    sandbox_step(&rw->state, insn, 0, IMAGE_SIZE);
    if (insn->form->class == SANDBOX_CLASS_AUIPC && insn->imm_low == insn->imm_high) {
        /* A plain distance: where this instruction will stand is not known here. */
        sandbox_set(&rw->state, insn->rd, (struct sandbox_value){ SANDBOX_VALUE_ANY, 0, 0 });
    }
    rw->flow = FLOW_STRAIGHT;
}

static bool rewrite_instruction(struct rewriter *rw, const struct asm_line *line)
{
    struct sandbox_insn insn;
    int memory;

    if (!rw->in_code) {
        return fail(rw, "instruction outside of an executable section: %.*s", SPAN(line->name));
    }
    if (asm_is(line->name, "call") || asm_is(line->name, "tail")) {
        return rewrite_call(rw, line);
    }
    if (!asm_decode(line, &insn, &memory)) {
        return fail(rw, "not permitted in a sandbox, or not understood: %.*s %.*s",
                    SPAN(line->name), SPAN(line->rest));
    }
    if (!check_registers(rw, line, &insn)) {
        return false;
    }
    switch (insn.form->class) {
    case SANDBOX_CLASS_JAL: return rewrite_jal(rw, line, &insn);
    case SANDBOX_CLASS_JALR: return rewrite_jalr(rw, &insn);
    case SANDBOX_CLASS_BRANCH: return rewrite_branch(rw, line);
    case SANDBOX_CLASS_EBREAK: return fail(rw, "ebreak is not permitted in a sandbox");
    default: break;
    }
    if (insn.form->class == SANDBOX_CLASS_LUI && insn.rd == SANDBOX_REG_ZERO) {
        return fail(rw, "lui to zero is reserved for landing pads");
    }
    if (memory >= 0) {
        rewrite_access(rw, line, &insn, memory);
    } else {
        rewrite_plain(rw, line, &insn);
    }
    return true;
}

/* ---- Labels and directives ---- */

static void rewrite_label(struct rewriter *rw, const struct asm_line *line)
{
    uint32_t flags = names_flags(&rw->symbols, line->name.at, line->name.length);
    bool pad = rw->in_code && (flags & SYMBOL_PAD) != 0;
    bool target = rw->in_code && (flags & SYMBOL_TARGET) != 0;

    if ((pad || target) && rw->flow != FLOW_UNREACHABLE) {
        guard_stack(rw);
    }
    if (pad && rw->flow != FLOW_UNREACHABLE) {
        guard_return_address(rw);
    }
    fprintf(rw->out, "%.*s\n", SPAN(line->whole));
    if (pad) {
        emit_pad(rw);
        rw->flow = FLOW_ENTRY;
    } else if (target && rw->flow == FLOW_ENTRY) {
        /* Like the pad itself, this is reached with a valid ra only. */
        names_add(&rw->entries, line->name.at, line->name.length)->flags = 1;
        sandbox_state_landing(&rw->state);
    } else if (target) {
        sandbox_state_reset(&rw->state);
        rw->flow = FLOW_STRAIGHT;
    }
}

static bool rewrite_directive(struct rewriter *rw, const struct asm_line *line)
{
    static const char *const refused[] = { ".macro", ".rept",  ".irp",     ".irpc",
                                           ".if",    ".ifdef", ".include", ".altmacro" };

    uint32_t *flags = sections_flags(&rw->sections);

    *flags = (*flags & ~SECTION_OPEN) | (rw->flow == FLOW_UNREACHABLE ? 0 : SECTION_OPEN);
    if (sections_follow(&rw->sections, line)) {
        flags = sections_flags(&rw->sections);
        rw->in_code = (*flags & SECTION_EXECUTABLE) != 0;
        end_flow(rw);
        rw->flow = (*flags & SECTION_OPEN) != 0 ? FLOW_STRAIGHT : FLOW_UNREACHABLE;
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
    fprintf(rw->out, "%.*s\n", SPAN(line->whole));
    return true;
}

static bool rewrite_line(struct rewriter *rw, const struct asm_line *line)
{
    switch (line->kind) {
    case ASM_LABEL: rewrite_label(rw, line); return true;
    case ASM_DIRECTIVE: return rewrite_directive(rw, line);
    case ASM_INSTRUCTION: return rewrite_instruction(rw, line);
    default: fprintf(rw->out, "%.*s\n", SPAN(line->whole)); return true;
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
            fprintf(rw->out, "\t.section\t%s\n\tunimp\n", section->text);
        }
    }
}

bool rewrite_assembly(const char *text, const struct rewrite_options *options, FILE *out,
                      struct rewrite_error *error)
{
    struct rewriter rw = { .options = options, .out = out, .error = error, .in_code = true };
    struct asm_line line;
    bool good = true;

    end_flow(&rw);
    symbols_collect(&rw.symbols, text);
    while (good && asm_next_line(&text, &line)) {
        rw.line++;
        good = rewrite_line(&rw, &line);
    }
    if (good) {
        close_sections(&rw);
    }
    names_free(&rw.symbols);
    names_free(&rw.entries);
    sections_free(&rw.sections);
    return good;
}
