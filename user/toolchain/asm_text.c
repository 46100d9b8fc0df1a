/*
 * Reader of canonical assembly: see asm_text.h. Relies on the table of forms.
 */
#include "user/toolchain/asm_text.h"

#include "kernel/sandbox/disassemble.h"
#include "kernel/sandbox/facts.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_TEXT_MAX 32
#define IMM12_LOW       (-2048)
#define IMM12_HIGH      2047
#define IMM20_SHIFT     12
/* what %tprel_hi is taken to reach; the verifier sees the real value */
#define TLS_SPAN 0x10000

bool asm_is(struct asm_span span, const char *text)
{
    return strlen(text) == span.length && memcmp(span.at, text, span.length) == 0;
}

bool asm_starts_with(struct asm_span span, const char *text)
{
    return strlen(text) <= span.length && memcmp(span.at, text, strlen(text)) == 0;
}

static struct asm_span trim(struct asm_span span)
{
    while (span.length > 0 && isspace((unsigned char)span.at[0])) {
        span.at++;
        span.length--;
    }
    while (span.length > 0 && isspace((unsigned char)span.at[span.length - 1])) {
        span.length--;
    }
    return span;
}

/* Cuts a comment ("# ..." outside of a string) off. */
static struct asm_span without_comment(struct asm_span span)
{
    bool quoted = false;

    for (size_t i = 0; i < span.length; i++) {
        if (span.at[i] == '\\' && quoted) {
            i++;
        } else if (span.at[i] == '"') {
            quoted = !quoted;
        } else if (span.at[i] == '#' && !quoted) {
            span.length = i;
        }
    }
    return span;
}

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '$';
}

/* Length of the name, quoted or not, that starts span; 0 if none does. */
static size_t name_length(struct asm_span span)
{
    size_t length = 0;

    if (span.length > 0 && span.at[0] == '"') {
        const char *end = memchr(span.at + 1, '"', span.length - 1);
        return end == NULL ? 0 : (size_t)(end - span.at) + 1;
    }
    while (length < span.length && is_name_char(span.at[length])) {
        length++;
    }
    return length;
}

static void split_operands(struct asm_line *line)
{
    struct asm_span rest = line->rest;
    size_t start = 0;
    unsigned int depth = 0;

    line->operands = 0;
    if (rest.length == 0) {
        return;
    }
    for (size_t i = 0; i <= rest.length; i++) {
        char c = i < rest.length ? rest.at[i] : ',';

        depth += c == '(';
        depth -= c == ')' && depth > 0;
        if (c != ',' || (depth > 0 && i < rest.length)) {
            continue;
        }
        if (line->operands == ASM_OPERANDS_MAX) {
            line->operands++;
            return;
        }
        line->operand[line->operands++] = trim((struct asm_span){ rest.at + start, i - start });
        start = i + 1;
    }
}

bool asm_next_line(const char **text, struct asm_line *line)
{
    const char *end = strchr(*text, '\n');
    struct asm_span body;
    size_t length;

    if (**text == '\0') {
        return false;
    }
    *line = (struct asm_line){ .kind = ASM_BLANK };
    line->whole = (struct asm_span){ *text, end == NULL ? strlen(*text) : (size_t)(end - *text) };
    *text += line->whole.length + (end != NULL);

    body = trim(without_comment(line->whole));
    length = name_length(body);
    if (body.length == 0) {
        return true;
    }
    line->name = (struct asm_span){ body.at, length };
    line->rest = trim((struct asm_span){ body.at + length, body.length - length });
    if (line->rest.length == 1 && line->rest.at[0] == ':') {
        line->kind = ASM_LABEL;
    } else if (length > 0 && body.at[0] == '.') {
        line->kind = ASM_DIRECTIVE;
    } else {
        line->kind = ASM_INSTRUCTION;
        split_operands(line);
    }
    return true;
}

int asm_register(struct asm_span span)
{
    for (unsigned int i = 0; i < 32; i++) {
        if (asm_is(span, sandbox_register_name(i))) {
            return (int)i;
        }
    }
    return -1;
}

bool asm_is_symbol(struct asm_span span)
{
    return span.length > 0 && !isdigit((unsigned char)span.at[0]) && !asm_is(span, ".") &&
           name_length(span) == span.length;
}

bool asm_next_symbol(struct asm_span *rest, struct asm_span *symbol)
{
    while (rest->length > 0) {
        size_t length = name_length(*rest);
        char first = rest->at[0];
        struct asm_span name = { rest->at, length };

        if (first == '%') { /* a relocation operator */
            struct asm_span operator= { rest->at + 1, rest->length - 1 };
            length = 1 + name_length(operator);
        }
        rest->at += length == 0 ? 1 : length;
        rest->length -= length == 0 ? 1 : length;
        if (first != '%' && asm_is_symbol(name)) {
            *symbol = name;
            return true;
        }
    }
    return false;
}

/* Parses a whole decimal or hexadecimal number. */
static bool number(struct asm_span span, int64_t *value)
{
    char text[NUMBER_TEXT_MAX];
    char *end;

    if (span.length == 0 || span.length >= sizeof(text)) {
        return false;
    }
    memcpy(text, span.at, span.length);
    text[span.length] = '\0';
    *value = strtoll(text, &end, 0);
    return *end == '\0';
}

static void set_immediate(struct asm_span span, struct sandbox_insn *insn)
{
    int64_t value;
    bool upper = insn->form->operands == SANDBOX_OPERANDS_U;

    if (number(span, &value)) {
        value = upper ? (int64_t)(int32_t)((uint32_t)value << IMM20_SHIFT) : value;
        insn->imm_low = value;
        insn->imm_high = value;
    } else if (asm_starts_with(span, "%tprel_hi")) {
        insn->imm_low = 0;
        insn->imm_high = TLS_SPAN;
    } else {
        insn->imm_low = upper ? INT32_MIN : IMM12_LOW;
        insn->imm_high = upper ? INT32_MAX : IMM12_HIGH;
    }
}

/* Parses "imm(register)" or "(register)". */
static bool set_memory(struct asm_span span, struct sandbox_insn *insn)
{
    size_t open = span.length;
    int base;

    if (span.length < 3 || span.at[span.length - 1] != ')') {
        return false;
    }
    while (open > 0 && span.at[open - 1] != '(') {
        open--;
    }
    if (open == 0) {
        return false;
    }
    base = asm_register((struct asm_span){ span.at + open, span.length - open - 1 });
    if (base < 0) {
        return false;
    }
    insn->rs1 = (uint8_t)base;
    insn->imm_low = 0;
    insn->imm_high = 0;
    if (open > 1) {
        set_immediate(trim((struct asm_span){ span.at, open - 1 }), insn);
    }
    return true;
}

static struct asm_span without_ordering(struct asm_span mnemonic)
{
    static const char *const suffixes[] = { ".aqrl", ".aq", ".rl" };

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        size_t length = strlen(suffixes[i]);

        if (mnemonic.length > length &&
            memcmp(mnemonic.at + mnemonic.length - length, suffixes[i], length) == 0) {
            mnemonic.length -= length;
            return mnemonic;
        }
    }
    return mnemonic;
}

static const struct sandbox_form *find_form(struct asm_span mnemonic)
{
    struct asm_span plain = without_ordering(mnemonic);

    for (size_t i = 0; i < sandbox_form_count; i++) {
        if (mnemonic.at[0] != sandbox_forms[i].name[0]) {
            continue;
        }
        if (asm_is(mnemonic, sandbox_forms[i].name)) {
            return &sandbox_forms[i];
        }
        if (sandbox_forms[i].class >= SANDBOX_CLASS_AMO &&
            sandbox_forms[i].class <= SANDBOX_CLASS_SC && asm_is(plain, sandbox_forms[i].name)) {
            return &sandbox_forms[i];
        }
    }
    return NULL;
}

static bool is_integer_register(struct asm_span span, uint8_t *number_of)
{
    int found = asm_register(span);

    if (found >= 0) {
        *number_of = (uint8_t)found;
    }
    return found >= 0;
}

/* Sets rs1, rs2 and the immediate of an instruction without an address operand. */
static bool set_operands(const struct asm_line *line, struct sandbox_insn *insn)
{
    bool has_rd = insn->form->destination != SANDBOX_DESTINATION_N;
    unsigned int source = has_rd ? 1 : 0;

    switch (insn->form->operands) {
    case SANDBOX_OPERANDS_U:
        if (line->operands < 2) {
            return false;
        }
        set_immediate(line->operand[1], insn);
        return true;
    case SANDBOX_OPERANDS_I:
        if (line->operands < 3 || !is_integer_register(line->operand[1], &insn->rs1)) {
            return false;
        }
        set_immediate(line->operand[2], insn);
        return true;
    case SANDBOX_OPERANDS_R:
        if (line->operands > source) {
            (void)is_integer_register(line->operand[source], &insn->rs1);
        }
        if (line->operands > source + 1) {
            (void)is_integer_register(line->operand[source + 1], &insn->rs2);
        }
        return true;
    case SANDBOX_OPERANDS_B:
        return line->operands == 3 && is_integer_register(line->operand[0], &insn->rs1) &&
               is_integer_register(line->operand[1], &insn->rs2);
    default: /* rounding-mode forms compute floating-point values; J has a label */ return true;
    }
}

bool asm_decode(const struct asm_line *line, struct sandbox_insn *insn, int *memory)
{
    const struct sandbox_form *form = line->name.length == 0 ? NULL : find_form(line->name);
    bool has_address;

    *memory = -1;
    if (form == NULL || line->operands > ASM_OPERANDS_MAX) {
        return false;
    }
    *insn = (struct sandbox_insn){ .form = form };
    if (form->destination == SANDBOX_DESTINATION_X &&
        (line->operands == 0 || !is_integer_register(line->operand[0], &insn->rd))) {
        return false;
    }
    has_address = sandbox_is_access(insn) || form->class == SANDBOX_CLASS_JALR;
    if (!has_address) {
        return set_operands(line, insn);
    }
    if (line->operands < 2 || !set_memory(line->operand[line->operands - 1], insn)) {
        return false;
    }
    *memory = (int)line->operands - 1;
    return true;
}
