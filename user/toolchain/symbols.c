/*
 * Sections and labels of an assembly file: see symbols.h.
 */
#include "user/toolchain/symbols.h"

#include <string.h>

static bool is_any_of(struct asm_span name, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (asm_is(name, *list)) {
            return true;
        }
    }
    return false;
}

bool directive_is_data(struct asm_span name)
{
    static const char *const list[] = {
        ".byte",       ".2byte",       ".4byte",  ".8byte", ".half",    ".short",   ".hword",
        ".word",       ".long",        ".int",    ".dword", ".quad",    ".octa",    ".ascii",
        ".asciz",      ".string",      ".zero",   ".space", ".skip",    ".fill",    ".incbin",
        ".float",      ".single",      ".double", ".insn",  ".uleb128", ".sleb128", ".base64",
        ".dtprelword", ".dtpreldword", ".org",    NULL
    };

    return is_any_of(name, list);
}

bool directive_is_neutral(struct asm_span name)
{
    static const char *const list[] = { ".loc",  ".file", ".globl",  ".global", ".weak", ".local",
                                        ".type", ".size", ".hidden", ".set",    ".equ",  NULL };

    return asm_starts_with(name, ".cfi_") || is_any_of(name, list);
}

bool symbol_is_gate(struct asm_span symbol)
{
    static const char *const entries[] = { "__ftl_gate", "__ftl_gate_call_words",
                                           "__ftl_gate_serve_words", NULL };

    return is_any_of(symbol, entries);
}

struct asm_span sections_name(struct asm_span directive)
{
    static const struct asm_span initial = { ".text", 5 };
    struct asm_span name = directive.at == NULL ? initial : directive;
    size_t length = 0;

    while (length < name.length && name.at[length] != ',') {
        length++;
    }
    name.length = length;
    return name;
}

/* Notes whether the section is executable, by its flags or, without any, by its name. */
static void note_section(struct sections *sections, struct asm_span operands)
{
    struct asm_span name = sections_name(operands);
    struct name *entry = names_add(&sections->all, name.at, name.length);
    const char *quote = memchr(operands.at, '"', operands.length);

    if (quote != NULL) {
        const char *end = operands.at + operands.length;

        for (quote++; quote < end && *quote != '"'; quote++) {
            if (*quote == 'x') {
                entry->flags |= SECTION_EXECUTABLE;
            }
        }
    } else if (asm_is(name, ".text") || asm_starts_with(name, ".text.") || asm_is(name, ".init") ||
               asm_is(name, ".fini")) {
        entry->flags |= SECTION_EXECUTABLE;
    }
}

static void enter_section(struct sections *sections, struct asm_span operands)
{
    sections->previous = sections->current;
    sections->current = operands;
    note_section(sections, operands);
}

static void swap_previous(struct sections *sections)
{
    struct asm_span current = sections->current;

    sections->current = sections->previous;
    sections->previous = current;
}

bool sections_follow(struct sections *sections, const struct asm_line *line)
{
    static const char *const short_forms[] = { ".text", ".data", ".bss", NULL };

    if (line->kind != ASM_DIRECTIVE) {
        return false;
    }
    if (is_any_of(line->name, short_forms)) {
        enter_section(sections, line->name);
    } else if (asm_is(line->name, ".section")) {
        enter_section(sections, line->rest);
    } else if (asm_is(line->name, ".pushsection") && sections->depth < SECTION_STACK_MAX) {
        sections->stack[sections->depth++] = sections->current;
        enter_section(sections, line->rest);
    } else if (asm_is(line->name, ".popsection") && sections->depth > 0) {
        sections->previous = sections->current;
        sections->current = sections->stack[--sections->depth];
    } else if (asm_is(line->name, ".previous")) {
        swap_previous(sections);
    } else {
        return false;
    }
    return true;
}

uint32_t *sections_flags(struct sections *sections)
{
    static const struct asm_span initial = { ".text", 5 };

    if (sections->current.at == NULL) {
        enter_section(sections, initial);
    }
    struct asm_span name = sections_name(sections->current);
    return &names_add(&sections->all, name.at, name.length)->flags;
}

bool sections_in_code(struct sections *sections)
{
    return (*sections_flags(sections) & SECTION_EXECUTABLE) != 0;
}

bool sections_in_debug(const struct sections *sections)
{
    struct asm_span name = sections_name(sections->current);

    return sections->current.at != NULL &&
           (asm_starts_with(name, ".debug") || asm_starts_with(name, ".llvm"));
}

void sections_free(struct sections *sections)
{
    names_free(&sections->all);
}

static void mark(struct names *symbols, struct asm_span symbol, uint32_t flags)
{
    names_add(symbols, symbol.at, symbol.length)->flags |= flags;
}

static void mark_all(struct names *symbols, struct asm_span text, uint32_t flags)
{
    struct asm_span symbol;

    while (asm_next_symbol(&text, &symbol)) {
        mark(symbols, symbol, flags);
    }
}

/* The jumps that the table becomes are direct. */
static void mark_table_entry(struct names *symbols, struct asm_span text)
{
    struct asm_span symbol;

    if (asm_next_symbol(&text, &symbol)) {
        mark(symbols, symbol, SYMBOL_TARGET);
    }
}

/* Names in directives: those that can be reached from elsewhere, or whose address is stored. */
static void collect_directive(struct names *symbols, const struct asm_line *line, bool debug)
{
    static const char *const exporting[] = { ".globl", ".global", ".weak", ".set", ".equ", NULL };
    struct asm_span rest = line->rest;
    struct asm_span symbol;

    if (is_any_of(line->name, exporting) || (directive_is_data(line->name) && !debug)) {
        mark_all(symbols, rest, SYMBOL_PAD);
    } else if (asm_is(line->name, ".type") && asm_next_symbol(&rest, &symbol)) {
        if (memmem(line->rest.at, line->rest.length, "function", 8) != NULL) {
            mark(symbols, symbol, SYMBOL_FUNCTION);
        }
    }
}

/*
 * Names in instructions: targets of direct transfers, and those whose address is taken. %pcrel_lo
 * names only the place of its %pcrel_hi.
 */
static void collect_instruction(struct names *symbols, const struct asm_line *line)
{
    struct sandbox_insn insn;
    struct asm_span rest = line->rest;
    int memory;

    if (asm_decode(line, &insn, &memory) &&
        (insn.form->class == SANDBOX_CLASS_BRANCH || insn.form->class == SANDBOX_CLASS_JAL)) {
        if (line->operands > 0) {
            mark_all(symbols, line->operand[line->operands - 1], SYMBOL_TARGET);
        }
        return;
    }
    if (asm_is(line->name, "call") || asm_is(line->name, "tail")) {
        mark_all(symbols, rest, SYMBOL_TARGET);
        return;
    }
    if (memmem(rest.at, rest.length, "%pcrel_lo", 9) == NULL &&
        memmem(rest.at, rest.length, "%", 1) != NULL) {
        mark_all(symbols, rest, SYMBOL_PAD);
    }
}

void symbols_collect(struct names *symbols, const struct program *program)
{
    struct sections sections = { .depth = 0 };

    for (size_t i = 0; i < program->count; i++) {
        const struct statement *statement = &program->statements[i];
        const struct asm_line *line = &statement->line;
        bool switched = sections_follow(&sections, line);

        switch (line->kind) {
        case ASM_LABEL:
            if (sections_in_code(&sections)) {
                mark(symbols, line->name, SYMBOL_LABEL);
            }
            break;
        case ASM_DIRECTIVE:
            if (statement->table_data) {
                mark_table_entry(symbols, line->rest);
            } else if (!switched) {
                collect_directive(symbols, line, sections_in_debug(&sections));
            }
            break;
        case ASM_INSTRUCTION: collect_instruction(symbols, line); break;
        default: break;
        }
    }
    sections_free(&sections);
}

bool symbol_is_pad(const struct names *symbols, struct asm_span symbol)
{
    uint32_t flags = names_flags(symbols, symbol.at, symbol.length);

    return !symbol_is_gate(symbol) && ((flags & SYMBOL_LABEL) == 0 || (flags & SYMBOL_PAD) != 0);
}

bool symbol_needs_return_address(const struct names *symbols, struct asm_span symbol)
{
    return symbol_is_gate(symbol) || symbol_is_pad(symbols, symbol) ||
           (names_flags(symbols, symbol.at, symbol.length) & SYMBOL_FUNCTION) != 0;
}
