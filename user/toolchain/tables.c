/*
 * Finds the jumps through switch tables: see tables.h. It knows the two shapes that clang makes of
 * them, all in one straight piece of code but for the table's address, which may come from before:
 *     sh2add X, INDEX, TABLE; lw X, 0(X); add X, X, TABLE; jalr zero, 0(X)     switch: .word
 * TARGET-TABLE sh3add X, INDEX, TABLE; ld X, 0(X); jalr zero, 0(X)                      goto *:
 * .quad TARGET
 */
#include "user/toolchain/tables.h"

#include <stdlib.h>
#include <string.h>

#include "kernel/sandbox/facts.h"
#include "user/toolchain/names.h"
#include "user/toolchain/symbols.h"

#define ROW_MAX     2048 /* andi can bound an index of up to 11 bits */
#define NONE        SIZE_MAX
#define WORD_SHIFT  2
#define QUAD_SHIFT  3
#define LOCAL_LABEL ".L"
#define ANCHOR      ".Lpcrel_hi" /* what clang calls the places that %pcrel_lo refers to */

struct table {
    size_t first; /* statement */
    size_t entries;
    unsigned int shift; /* log2 of the size of an entry */
    bool used;          /* some function takes its address */
    bool refused;       /* some function that does has a jump that may go there in another way */
};

struct finder {
    struct program *program;
    struct names labels; /* of tables; flags: index into list, plus 1 */
    struct table *list;
    size_t count;
};

/* ---- Tables in data ---- */

/* The target of a table's entry: TARGET of ".quad TARGET" or ".word TARGET-LABEL". */
static struct asm_span entry_target(const struct asm_line *line, struct asm_span label,
                                    unsigned int shift)
{
    static const struct asm_span none = { NULL, 0 };
    struct asm_span rest = line->rest;
    struct asm_span target, base;

    if (line->kind != ASM_DIRECTIVE ||
        !asm_is(line->name, shift == WORD_SHIFT ? ".word" : ".quad") ||
        !asm_next_symbol(&rest, &target) || target.at != line->rest.at ||
        !asm_starts_with(target, LOCAL_LABEL)) {
        return none;
    }
    if (shift == QUAD_SHIFT) {
        return target.length == line->rest.length ? target : none;
    }
    if (rest.length != label.length + 1 || rest.at[0] != '-') {
        return none;
    }
    base = (struct asm_span){ rest.at + 1, rest.length - 1 };
    return memcmp(base.at, label.at, label.length) == 0 ? target : none;
}

static void add_table(struct finder *finder, size_t label, unsigned int shift)
{
    const struct program *program = finder->program;
    struct asm_span name = program->statements[label].line.name;
    struct table table = { .first = label + 1, .shift = shift };

    while (
        table.first + table.entries < program->count &&
        entry_target(&program->statements[table.first + table.entries].line, name, shift).length !=
            0) {
        table.entries++;
    }
    if (table.entries == 0 || table.entries > ROW_MAX) {
        return;
    }
    finder->list = xrealloc(finder->list, (finder->count + 1) * sizeof(*finder->list));
    finder->list[finder->count++] = table;
    names_add(&finder->labels, name.at, name.length)->flags = (uint32_t)finder->count;
}

/* Only what the program itself cannot change can be a row of jumps. */
static bool is_constant(const struct sections *sections)
{
    struct asm_span name = sections_name(sections->current);

    return asm_starts_with(name, ".rodata") || asm_starts_with(name, ".data.rel.ro");
}

static void find_tables(struct finder *finder)
{
    struct sections sections = { .depth = 0 };

    for (size_t i = 0; i < finder->program->count; i++) {
        const struct asm_line *line = &finder->program->statements[i].line;

        if (!sections_follow(&sections, line) && line->kind == ASM_LABEL &&
            is_constant(&sections)) {
            add_table(finder, i, WORD_SHIFT);
            add_table(finder, i, QUAD_SHIFT);
        }
    }
    sections_free(&sections);
}

/* The table whose address the statement takes; NULL: of none. */
static struct table *table_taken(const struct finder *finder, size_t at)
{
    const struct statement *statement = &finder->program->statements[at];
    struct asm_span rest = statement->line.rest;
    struct asm_span symbol;
    uint32_t number;

    if (statement->kind != STATEMENT_PLAIN || statement->insn.form->class != SANDBOX_CLASS_AUIPC ||
        !asm_next_symbol(&rest, &symbol) || !asm_next_symbol(&rest, &symbol)) {
        return NULL;
    }
    number = names_flags(&finder->labels, symbol.at, symbol.length);
    return number == 0 ? NULL : &finder->list[number - 1];
}

/* ---- Jumps ---- */

static bool is_class(const struct statement *statement, enum sandbox_class class)
{
    return statement->kind == STATEMENT_PLAIN && statement->insn.form->class == class;
}

/* An indirect jump that is no return. */
static bool is_jump(const struct statement *statement)
{
    return is_class(statement, SANDBOX_CLASS_JALR) && statement->insn.rd == 0 &&
           statement->insn.rs1 != SANDBOX_REG_RA;
}

/* True for what may stand between the parts of one lookup. */
static bool goes_straight_on(const struct statement *statement)
{
    switch (statement->line.kind) {
    case ASM_LABEL: return asm_starts_with(statement->line.name, ANCHOR);
    case ASM_DIRECTIVE: return directive_is_neutral(statement->line.name);
    case ASM_INSTRUCTION:
        return statement->kind == STATEMENT_PLAIN &&
               (statement->insn.form->class < SANDBOX_CLASS_BRANCH ||
                statement->insn.form->class > SANDBOX_CLASS_JALR);
    default: return true;
    }
}

static bool touches(const struct statement *statement, unsigned int reg)
{
    return statement->kind == STATEMENT_PLAIN &&
           (statement->insn.rd == reg || statement->insn.rs1 == reg || statement->insn.rs2 == reg);
}

/*
 * The last statement before `at` that names the register, in the same piece; NONE: there is none.
 */
static size_t last_to_touch(const struct program *program, size_t at, unsigned int reg)
{
    while (at-- > 0 && goes_straight_on(&program->statements[at])) {
        if (touches(&program->statements[at], reg)) {
            return at;
        }
    }
    return NONE;
}

/* The parts of one lookup, as statement numbers. */
struct lookup {
    size_t index, load, sum; /* sum NONE: there is no sum */
    unsigned int base;       /* register */
    unsigned int shift;
};

static bool is_load_of(const struct program *program, size_t at, unsigned int rd,
                       unsigned int shift)
{
    const struct statement *statement = at == NONE ? NULL : &program->statements[at];

    return statement != NULL && is_class(statement, SANDBOX_CLASS_LOAD) &&
           statement->insn.form->destination == SANDBOX_DESTINATION_X &&
           statement->insn.form->argument == shift && statement->insn.rd == rd &&
           statement->insn.imm_low == 0 && statement->insn.imm_high == 0;
}

/* Recognizes the lookup before a jump. */
static bool find_lookup(const struct program *program, size_t jump, struct lookup *lookup)
{
    const struct statement *statements = program->statements;
    unsigned int reg = statements[jump].insn.rs1;
    size_t at = last_to_touch(program, jump, reg);

    *lookup = (struct lookup){ .sum = NONE, .shift = QUAD_SHIFT };
    if (at != NONE && is_class(&statements[at], SANDBOX_CLASS_ADD) &&
        statements[at].insn.rd == reg) {
        lookup->sum = at;
        lookup->shift = WORD_SHIFT;
        lookup->base = statements[at].insn.rs2;
        reg = statements[at].insn.rs1;
        at = last_to_touch(program, at, reg);
        if (!is_load_of(program, at, reg, WORD_SHIFT)) { /* the other way round? */
            lookup->base = reg;
            reg = statements[lookup->sum].insn.rs2;
            at = last_to_touch(program, lookup->sum, reg);
        }
    }
    if (!is_load_of(program, at, reg, lookup->shift)) {
        return false;
    }
    lookup->load = at;
    reg = statements[at].insn.rs1;
    lookup->index = last_to_touch(program, at, reg);
    if (lookup->index == NONE || !is_class(&statements[lookup->index], SANDBOX_CLASS_SHADD) ||
        statements[lookup->index].insn.form->argument != lookup->shift ||
        statements[lookup->index].insn.rd != reg) {
        return false;
    }
    if (lookup->sum == NONE) {
        lookup->base = statements[lookup->index].insn.rs2;
    }
    return statements[lookup->index].insn.rs2 == lookup->base;
}

/* ---- Functions ---- */

static bool begins_function(const struct statement *statement)
{
    return statement->line.kind == ASM_LABEL && !asm_starts_with(statement->line.name, LOCAL_LABEL);
}

/*
 * The table whose address `base` holds at the index statement: one taken into this very register in
 * the same piece, or the only one of this kind that the function takes at all.
 */
static struct table *table_of(const struct finder *finder, const struct lookup *lookup,
                              size_t first, size_t end)
{
    const struct statement *statements = finder->program->statements;
    size_t low = last_to_touch(finder->program, lookup->index, lookup->base);
    struct table *only = NULL;

    if (low != NONE && is_class(&statements[low], SANDBOX_CLASS_ADDI) &&
        statements[low].insn.rd == lookup->base) {
        size_t high = last_to_touch(finder->program, low, statements[low].insn.rs1);
        struct table *table = high == NONE ? NULL : table_taken(finder, high);
        return table != NULL && table->shift == lookup->shift ? table : NULL;
    }
    for (size_t i = first; i < end; i++) {
        struct table *table = table_taken(finder, i);
        if (table != NULL && table->shift == lookup->shift) {
            if (only != NULL && only != table) {
                return NULL;
            }
            only = table;
        }
    }
    return only;
}

static void set_part(struct program *program, size_t part, enum table_role role,
                     const struct lookup *lookup, size_t jump)
{
    struct statement *statement = &program->statements[part];

    statement->role = role;
    statement->jump = jump;
    /* The offsets of a switch are the compiler's own; a program may keep the address of a goto. */
    statement->alone = lookup->sum != NONE;
}

static void set_roles(struct program *program, const struct lookup *lookup, size_t jump,
                      const struct table *table)
{
    struct statement *statement = &program->statements[jump];

    statement->role = TABLE_JUMP;
    statement->table = table->first;
    statement->entries = table->entries;
    set_part(program, lookup->index, TABLE_INDEX, lookup, jump);
    set_part(program, lookup->load, TABLE_LOOKUP, lookup, jump);
    if (lookup->sum != NONE) {
        set_part(program, lookup->sum, TABLE_LOOKUP, lookup, jump);
    }
}

/* A jump through a pointer found elsewhere than in a table: a tail call. */
static bool is_tail_call(const struct program *program, size_t jump)
{
    unsigned int reg = program->statements[jump].insn.rs1;
    size_t at = last_to_touch(program, jump, reg);
    size_t from;

    if (!is_load_of(program, at, reg, QUAD_SHIFT)) { /* a member of an object */
        return at != NONE && is_class(&program->statements[at], SANDBOX_CLASS_LOAD) &&
               program->statements[at].insn.imm_low == program->statements[at].insn.imm_high &&
               program->statements[at].insn.imm_low != 0;
    }
    from = last_to_touch(program, at, program->statements[at].insn.rs1);
    return from == NONE || !is_class(&program->statements[from], SANDBOX_CLASS_SHADD);
}

/* Gives roles in the function of statements first to end, or refuses all tables it takes. */
static void find_in_function(struct finder *finder, size_t first, size_t end)
{
    struct program *program = finder->program;
    bool good = true;

    for (size_t i = first; i < end && good; i++) {
        if (is_jump(&program->statements[i])) {
            struct lookup lookup;
            good = find_lookup(program, i, &lookup) ? table_of(finder, &lookup, first, end) != NULL
                                                    : is_tail_call(program, i);
        }
    }
    for (size_t i = first; i < end; i++) {
        struct table *table = table_taken(finder, i);
        if (table != NULL) {
            table->refused = table->refused || table->used || !good;
            table->used = true;
        }
    }
}

static void use_in_function(struct finder *finder, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        struct lookup lookup;
        const struct table *table;

        if (is_jump(&finder->program->statements[i]) && find_lookup(finder->program, i, &lookup)) {
            table = table_of(finder, &lookup, first, end);
            if (table != NULL && !table->refused) {
                set_roles(finder->program, &lookup, i, table);
            }
        }
    }
}

static void each_function(struct finder *finder,
                          void (*visit)(struct finder *finder, size_t first, size_t end))
{
    size_t first = 0;

    for (size_t i = 0; i < finder->program->count; i++) {
        if (begins_function(&finder->program->statements[i])) {
            visit(finder, first, i);
            first = i;
        }
    }
    visit(finder, first, finder->program->count);
}

bool tables_find(struct program *program)
{
    struct finder finder = { .program = program };
    bool good = true;

    find_tables(&finder);
    each_function(&finder, find_in_function);
    each_function(&finder, use_in_function);
    for (size_t i = 0; i < finder.count; i++) {
        const struct table *table = &finder.list[i];
        good = good && !(table->refused && table->shift == WORD_SHIFT);
        for (size_t entry = 0; entry < table->entries && table->used && !table->refused; entry++) {
            program->statements[table->first + entry].table_data = true;
        }
    }
    names_free(&finder.labels);
    free(finder.list);
    return good;
}

bool table_part_is_dead(const struct statement *part, uint32_t live_behind)
{
    return part->alone || (live_behind >> part->insn.rd & 1) == 0;
}

struct asm_span table_entry(const struct program *program, const struct statement *jump,
                            size_t index)
{
    struct asm_span target = { NULL, 0 };
    struct asm_span rest;

    if (index < jump->entries) {
        rest = program->statements[jump->table + index].line.rest;
        (void)asm_next_symbol(&rest, &target);
    }
    return target;
}

size_t table_row(const struct statement *jump)
{
    size_t row = 2;

    while (row < jump->entries) {
        row *= 2;
    }
    return row;
}
