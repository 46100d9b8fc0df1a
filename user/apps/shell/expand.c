/*
 * A word is scanned once, into a buffer of characters with a mark each: where it came from decides
 * whether it splits fields, and whether it is part of a pattern.
 */
#include "expand.h"

#include <fnmatch.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_TEXT 24 /* bytes of a printed 64-bit number */

enum mark {
    PLAIN,    /* written so: may be part of a pattern */
    QUOTED,   /* only itself */
    EXPANDED, /* came of an expansion outside of quotes: splits fields, may be part of a pattern */
    QUOTE,    /* no character: there is a field here, even an empty one */
    BREAK,    /* no character: here one field ends and the next begins */
};

struct buffer {
    char *text;
    unsigned char *marks;
    size_t size;
    size_t capacity;
};

struct expansion {
    const struct shell_source *source;
    struct shell_error *error;
    struct buffer out;
    bool splits; /* fields are wanted, so that $@ has several */
};

static bool no_memory(struct shell_error *error)
{
    return shell_fail(error, "no memory for the words of the command");
}

/* ---- The buffer ---- */

static bool reserve(struct expansion *e, size_t more)
{
    struct buffer *out = &e->out;
    if (out->capacity - out->size >= more) {
        return true;
    }
    size_t capacity = 2 * out->capacity + more + 64;
    char *text = realloc(out->text, capacity);
    if (text != NULL) {
        out->text = text;
    }
    unsigned char *marks = realloc(out->marks, capacity);
    if (marks != NULL) {
        out->marks = marks;
    }
    if (text == NULL || marks == NULL) {
        return no_memory(e->error);
    }
    out->capacity = capacity;
    return true;
}

static bool emit(struct expansion *e, const char *text, size_t size, enum mark mark)
{
    if (size == 0) {
        return true;
    }
    if (!reserve(e, size)) {
        return false;
    }
    memcpy(e->out.text + e->out.size, text, size);
    memset(e->out.marks + e->out.size, (int)mark, size);
    e->out.size += size;
    return true;
}

static void free_buffer(struct buffer *buffer)
{
    free(buffer->text);
    free(buffer->marks);
    *buffer = (struct buffer){ .text = NULL };
}

static bool is_pattern_character(char c)
{
    return c == '*' || c == '?' || c == '[' || c == ']' || c == '\\';
}

/*
 * Part of the buffer as a string; `escapes` what is quoted and would mean something in a pattern.
 */
static char *string_of(const struct buffer *buffer, size_t from, size_t to, bool escapes)
{
    char *string = malloc(2 * (to - from) + 1);
    size_t size = 0;
    for (size_t i = from; i < to && string != NULL; i++) {
        if (buffer->marks[i] == BREAK || buffer->marks[i] == QUOTE) {
            continue;
        }
        if (escapes && (buffer->marks[i] == QUOTED || buffer->text[i] == '\\') &&
            is_pattern_character(buffer->text[i])) {
            string[size++] = '\\';
        }
        string[size++] = buffer->text[i];
    }
    if (string != NULL) {
        string[size] = '\0';
    }
    return string;
}

/* ---- Parameters ---- */

/* How an expansion inside and outside of quotes is marked. */
static enum mark mark_of(const struct expansion *e, bool in_double)
{
    return in_double || !e->splits ? QUOTED : EXPANDED;
}

/* $@ and $*: the parameters, fields of their own or apart by blanks. */
static bool emit_parameters(struct expansion *e, char which, bool in_double)
{
    size_t count;
    char *const *parameters = e->source->parameters(e->source->context, &count);
    bool apart = e->splits && (which == '@' || !in_double);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && !(apart ? emit(e, "", 1, BREAK) : emit(e, " ", 1, QUOTED))) {
            return false;
        }
        if ((in_double && !emit(e, "", 1, QUOTE)) ||
            !emit(e, parameters[i], strlen(parameters[i]), mark_of(e, in_double))) {
            return false;
        }
    }
    return true;
}

static bool is_list_name(struct shell_text name)
{
    return name.size == 1 && (name.at[0] == '@' || name.at[0] == '*');
}

static const char *lookup(const struct expansion *e, struct shell_text name)
{
    return e->source->lookup(e->source->context, name.at, name.size);
}

static bool scan(struct expansion *e, struct shell_text text, bool in_double, bool here);

/* A part of ${...} as a string of its own, to be freed; NULL after an error. */
static char *expand_alone(struct expansion *e, struct shell_text text, bool as_pattern)
{
    struct expansion part = { .source = e->source, .error = e->error };
    char *string = NULL;
    if (scan(&part, text, false, false)) {
        string = string_of(&part.out, 0, part.out.size, as_pattern);
        if (string == NULL) {
            no_memory(e->error);
        }
    }
    free_buffer(&part.out);
    return string;
}

/* Removes what the pattern matches from the value's start (#, ##) or end (%, %%). */
static bool emit_trimmed(struct expansion *e, const char *value, const char *pattern, char side,
                         bool longest, enum mark mark)
{
    size_t size = strlen(value);
    char *copy = strdup(value);
    if (copy == NULL) {
        return no_memory(e->error);
    }
    size_t start = 0;
    size_t end = size;
    for (size_t i = 0; i <= size; i++) {
        size_t taken = longest ? size - i : i;
        bool matches;
        if (side == '#') {
            copy[taken] = '\0';
            matches = fnmatch(pattern, copy, 0) == 0;
            copy[taken] = value[taken];
        } else {
            matches = fnmatch(pattern, copy + size - taken, 0) == 0;
        }
        if (matches) {
            start = side == '#' ? taken : 0;
            end = side == '#' ? size : size - taken;
            break;
        }
    }
    free(copy);
    return emit(e, value + start, end - start, mark);
}

static bool trim(struct expansion *e, const char *value, struct shell_text rest, bool in_double)
{
    char side = rest.at[0];
    bool longest = rest.size > 1 && rest.at[1] == side;
    struct shell_text word = { rest.at + 1 + longest, rest.size - 1 - longest };
    char *pattern = expand_alone(e, word, true);
    bool ok = pattern != NULL && emit_trimmed(e, value != NULL ? value : "", pattern, side, longest,
                                              mark_of(e, in_double));
    free(pattern);
    return ok;
}

static bool assign_default(struct expansion *e, struct shell_text name, struct shell_text word,
                           bool in_double)
{
    if (!shell_is_name(name.at, name.size)) {
        return shell_fail(e->error, "cannot assign to $%.*s", (int)name.size, name.at);
    }
    char *value = expand_alone(e, word, false);
    bool ok = value != NULL &&
              e->source->assign(e->source->context, name.at, name.size, value, e->error) &&
              emit(e, value, strlen(value), mark_of(e, in_double));
    free(value);
    return ok;
}

static bool complain(struct expansion *e, struct shell_text name, struct shell_text word)
{
    char *message = expand_alone(e, word, false);
    if (message != NULL) {
        shell_fail(e->error, "%.*s: %s", (int)name.size, name.at,
                   message[0] != '\0' ? message : "is not set");
    }
    free(message);
    return false;
}

/* Another word in place of a value: outside of quotes it is split as that would be. */
static bool emit_default(struct expansion *e, struct shell_text word, bool in_double)
{
    size_t start = e->out.size;
    if (!scan(e, word, in_double, false)) {
        return false;
    }
    for (size_t i = start; i < e->out.size && !in_double && e->splits; i++) {
        if (e->out.marks[i] == PLAIN) {
            e->out.marks[i] = EXPANDED;
        }
    }
    return true;
}

/* ${NAME operator word}: `rest` begins with the operator. */
static bool emit_operated(struct expansion *e, struct shell_text name, struct shell_text rest,
                          bool in_double)
{
    size_t count = 0;
    const char *value = NULL;
    bool is_list = is_list_name(name);
    if (is_list) {
        e->source->parameters(e->source->context, &count);
        value = count > 0 ? "set" : NULL;
    } else {
        value = lookup(e, name);
    }
    if (rest.at[0] == '%' || rest.at[0] == '#') {
        return trim(e, is_list ? "" : value, rest, in_double);
    }
    bool colon = rest.at[0] == ':';
    char operation = rest.at[colon];
    struct shell_text word = { rest.at + 1 + colon, rest.size - 1 - colon };
    bool is_set = value != NULL && !(colon && value[0] == '\0');
    if (operation == '+') {
        return !is_set || emit_default(e, word, in_double);
    }
    if (is_set) {
        return is_list ? emit_parameters(e, name.at[0], in_double)
                       : emit(e, value, strlen(value), mark_of(e, in_double));
    }
    switch (operation) {
    case '=': return assign_default(e, name, word, in_double);
    case '?': return complain(e, name, word);
    default: return emit_default(e, word, in_double);
    }
}

static bool emit_length(struct expansion *e, struct shell_text name)
{
    char number[NUMBER_TEXT];
    size_t length;
    if (is_list_name(name)) {
        e->source->parameters(e->source->context, &length);
    } else {
        const char *value = lookup(e, name);
        length = value != NULL ? strlen(value) : 0;
    }
    snprintf(number, sizeof(number), "%zu", length);
    return emit(e, number, strlen(number), QUOTED);
}

static bool emit_parameter(struct expansion *e, struct shell_text name, bool in_double)
{
    if (is_list_name(name)) {
        return emit_parameters(e, name.at[0], in_double);
    }
    const char *value = lookup(e, name);
    return value == NULL || emit(e, value, strlen(value), mark_of(e, in_double));
}

/* What is between ${ and }. */
static bool emit_braced(struct expansion *e, struct shell_text inside, bool in_double)
{
    struct shell_text name = { inside.at, shell_parameter_size(inside, true) };
    if (inside.size > 1 && inside.at[0] == '#') {
        struct shell_text counted = { inside.at + 1, inside.size - 1 };
        if (shell_parameter_size(counted, true) == counted.size) {
            return emit_length(e, counted);
        }
    }
    struct shell_text rest = { inside.at + name.size, inside.size - name.size };
    return rest.size == 0 ? emit_parameter(e, name, in_double)
                          : emit_operated(e, name, rest, in_double);
}

/* ---- Commands and arithmetic ---- */

static bool emit_output(struct expansion *e, struct shell_text commands, bool in_double)
{
    char *output;
    size_t size;
    if (!e->source->substitute(e->source->context, commands, &output, &size, e->error)) {
        return false;
    }
    while (size > 0 && output[size - 1] == '\n') {
        size--;
    }
    bool ok = true;
    for (size_t i = 0; i < size && ok; i++) { /* there is no place for NULs in words */
        ok = output[i] == '\0' || emit(e, output + i, 1, mark_of(e, in_double));
    }
    free(output);
    return ok;
}

/* `...`: a \ before $, ` or \ is not part of the commands. */
static bool emit_backquoted(struct expansion *e, struct shell_text inside, bool in_double)
{
    char *commands = malloc(inside.size + 1);
    size_t size = 0;
    if (commands == NULL) {
        return no_memory(e->error);
    }
    for (size_t i = 0; i < inside.size; i++) {
        if (inside.at[i] == '\\' && i + 1 < inside.size &&
            memchr("$`\\", inside.at[i + 1], 3) != NULL) {
            i++;
        }
        commands[size++] = inside.at[i];
    }
    bool ok = emit_output(e, (struct shell_text){ commands, size }, in_double);
    free(commands);
    return ok;
}

static bool emit_arithmetic(struct expansion *e, struct shell_text inside, bool in_double)
{
    struct expansion part = { .source = e->source, .error = e->error };
    char number[NUMBER_TEXT];
    long long value = 0;
    bool ok = scan(&part, inside, true, true);
    char *expression = ok ? string_of(&part.out, 0, part.out.size, false) : NULL;
    free_buffer(&part.out);
    if (ok && expression == NULL) {
        return no_memory(e->error);
    }
    ok = ok && shell_arithmetic(e->source, expression, &value, e->error);
    free(expression);
    snprintf(number, sizeof(number), "%lld", value);
    return ok && emit(e, number, strlen(number), mark_of(e, in_double));
}

/* ---- Scanning ---- */

/* The `$` at text.at[0]; *size says how much of the text belongs to it. */
static bool scan_dollar(struct expansion *e, struct shell_text text, bool in_double, size_t *size)
{
    *size = shell_dollar_size(text, e->error);
    if (*size == 0) {
        return false;
    }
    const char *at = text.at;
    if (*size == 1) {
        return emit(e, "$", 1, in_double ? QUOTED : PLAIN);
    }
    if (at[1] == '(' && *size >= strlen("$(())") && at[2] == '(') {
        struct shell_text inside = { at + strlen("$(("), *size - strlen("$(())") };
        return emit_arithmetic(e, inside, in_double);
    }
    if (at[1] == '(') {
        return emit_output(e, (struct shell_text){ at + 2, *size - 3 }, in_double);
    }
    if (at[1] == '{') {
        return emit_braced(e, (struct shell_text){ at + 2, *size - 3 }, in_double);
    }
    return emit_parameter(e, (struct shell_text){ at + 1, *size - 1 }, in_double);
}

static bool scan_backquoted(struct expansion *e, struct shell_text text, bool in_double,
                            size_t *size)
{
    size_t end = 1;
    while (end < text.size && text.at[end] != '`') {
        end += text.at[end] == '\\' ? 2 : 1;
    }
    if (end >= text.size) {
        return shell_fail(e->error, "unclosed `");
    }
    *size = end + 1;
    return emit_backquoted(e, (struct shell_text){ text.at + 1, end - 1 }, in_double);
}

/*
 * The size of what is between the double quotes at text.at[0] and the next; 0 and false: an error.
 */
static bool quoted_size(struct expansion *e, struct shell_text text, size_t *size)
{
    size_t at = 1;
    while (at < text.size && text.at[at] != '"') {
        size_t step = 1;
        if (text.at[at] == '\\') {
            step = 2;
        } else if (text.at[at] == '$') {
            step = shell_dollar_size((struct shell_text){ text.at + at, text.size - at }, e->error);
            if (step == 0) {
                return false;
            }
        } else if (text.at[at] == '`') {
            for (at++; at < text.size && text.at[at] != '`'; at++) {
                at += text.at[at] == '\\';
            }
        }
        at += step;
    }
    if (at >= text.size) {
        return shell_fail(e->error, "unclosed \"");
    }
    *size = at - 1;
    return true;
}

static bool scan_double_quoted(struct expansion *e, struct shell_text text, size_t *size)
{
    size_t inside = 0;
    if (!quoted_size(e, text, &inside)) {
        return false;
    }
    /* "$@" without parameters is no field at all. */
    struct shell_text quoted = { text.at + 1, inside };
    bool is_list = (inside == 2 && memcmp(quoted.at, "$@", 2) == 0) ||
                   (inside == 4 && memcmp(quoted.at, "${@}", 4) == 0);
    *size = inside + 2;
    return (is_list || emit(e, "", 1, QUOTE)) && scan(e, quoted, true, false);
}

static bool scan_single_quoted(struct expansion *e, struct shell_text text, size_t *size)
{
    const char *close = memchr(text.at + 1, '\'', text.size - 1);
    if (close == NULL) {
        return shell_fail(e->error, "unclosed '");
    }
    size_t inside = (size_t)(close - text.at) - 1;
    *size = inside + 2;
    return emit(e, "", 1, QUOTE) && emit(e, text.at + 1, inside, QUOTED);
}

static bool scan_escape(struct expansion *e, struct shell_text text, bool in_double, bool here,
                        size_t *size)
{
    if (text.size < 2) {
        *size = 1;
        return emit(e, "\\", 1, QUOTED);
    }
    char next = text.at[1];
    *size = 2;
    if (next == '\n') {
        return true;
    }
    if (in_double && memchr("$`\\\"", next, here ? 3 : 4) == NULL) {
        return emit(e, text.at, 2, QUOTED);
    }
    return emit(e, &next, 1, QUOTED);
}

/* One character, or what is quoted or expanded here. */
static bool scan_piece(struct expansion *e, struct shell_text text, bool in_double, bool here,
                       size_t *size)
{
    *size = 1;
    switch (text.at[0]) {
    case '$': return scan_dollar(e, text, in_double, size);
    case '`': return scan_backquoted(e, text, in_double, size);
    case '\\': return scan_escape(e, text, in_double, here, size);
    case '"':
        if (!here) {
            return scan_double_quoted(e, text, size);
        }
        break;
    case '\'':
        if (!in_double) {
            return scan_single_quoted(e, text, size);
        }
        break;
    default: break;
    }
    return emit(e, text.at, 1, in_double ? QUOTED : PLAIN);
}

/* `in_double`: inside of double quotes; `here`: there are none, as in here-documents. */
static bool scan(struct expansion *e, struct shell_text text, bool in_double, bool here)
{
    size_t size;
    for (size_t at = 0; at < text.size; at += size) {
        struct shell_text rest = { text.at + at, text.size - at };
        if (!scan_piece(e, rest, in_double, here, &size)) {
            return false;
        }
    }
    return true;
}

/* ---- Fields ---- */

void shell_fields_free(struct shell_fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        free(fields->field[i]);
    }
    free(fields->field);
    *fields = (struct shell_fields){ .count = 0 };
}

/* Takes the string. */
static bool add_field(struct shell_fields *fields, char *string, struct shell_error *error)
{
    char **larger = NULL;
    if (string != NULL) {
        larger = realloc(fields->field, (fields->count + 2) * sizeof(*larger));
    }
    if (larger == NULL) {
        free(string);
        return no_memory(error);
    }
    fields->field = larger;
    fields->field[fields->count++] = string;
    fields->field[fields->count] = NULL;
    return true;
}

static bool is_pattern(const struct buffer *buffer, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if ((buffer->marks[i] == PLAIN || buffer->marks[i] == EXPANDED) &&
            memchr("*?[", buffer->text[i], 3) != NULL) {
            return true;
        }
    }
    return false;
}

/* The names of the files that the pattern matches, if there are any. */
static bool add_files(struct shell_fields *fields, const char *pattern, struct shell_error *error,
                      bool *found)
{
    glob_t files;
    bool ok = true;
    *found = false;
    if (glob(pattern, 0, NULL, &files) != 0) {
        return true;
    }
    for (size_t i = 0; i < files.gl_pathc && ok; i++) {
        *found = true;
        ok = add_field(fields, strdup(files.gl_pathv[i]), error);
    }
    globfree(&files);
    return ok;
}

static bool finish_field(struct expansion *e, struct shell_fields *fields, size_t from, size_t to)
{
    bool found = false;
    if (is_pattern(&e->out, from, to)) {
        char *pattern = string_of(&e->out, from, to, true);
        bool ok =
            pattern != NULL ? add_files(fields, pattern, e->error, &found) : no_memory(e->error);
        free(pattern);
        if (!ok) {
            return false;
        }
    }
    return found || add_field(fields, string_of(&e->out, from, to, false), e->error);
}

static const char *separators(const struct shell_source *source)
{
    const char *value = source->lookup(source->context, "IFS", 3);
    return value != NULL ? value : " \t\n";
}

static bool is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

/*
 * Splits the buffer at breaks and at separators that came of expansions: white ones are one
 * separator together, and with another one among them; others are one each.
 */
static bool split(struct expansion *e, struct shell_fields *fields)
{
    const char *ifs = separators(e->source);
    const struct buffer *out = &e->out;
    bool open = false;        /* a field has begun at `from` */
    bool white_ended = false; /* white space has ended the one before */
    size_t from = 0;
    for (size_t i = 0; i < out->size; i++) {
        bool separates = out->marks[i] == EXPANDED && strchr(ifs, out->text[i]) != NULL;
        if (!separates && out->marks[i] != BREAK) {
            from = open ? from : i;
            open = true;
            continue;
        }
        bool is_other = separates && !is_white(out->text[i]);
        if (!open && is_other && !white_ended) { /* an empty field between two separators */
            from = i;
            open = true;
        }
        white_ended = open ? !is_other : white_ended && !is_other;
        if (open && !finish_field(e, fields, from, i)) {
            return false;
        }
        open = false;
    }
    return !open || finish_field(e, fields, from, out->size);
}

static bool expand_word(const struct shell_source *source, struct shell_text word,
                        struct shell_fields *fields, struct shell_error *error)
{
    struct expansion e = { .source = source, .error = error, .splits = true };
    bool ok = scan(&e, word, false, false) && split(&e, fields);
    free_buffer(&e.out);
    return ok;
}

bool shell_expand_words(const struct shell_source *source, const struct shell_word *words,
                        struct shell_fields *fields, struct shell_error *error)
{
    *fields = (struct shell_fields){ .count = 0 };
    for (; words != NULL; words = words->next) {
        if (!expand_word(source, words->text, fields, error)) {
            shell_fields_free(fields);
            return false;
        }
    }
    return true;
}

static char *expand_whole(const struct shell_source *source, struct shell_text text, bool here,
                          bool as_pattern, struct shell_error *error)
{
    struct expansion e = { .source = source, .error = error };
    char *string = NULL;
    if (scan(&e, text, here, here)) {
        string = string_of(&e.out, 0, e.out.size, as_pattern);
        if (string == NULL) {
            no_memory(error);
        }
    }
    free_buffer(&e.out);
    return string;
}

char *shell_expand_text(const struct shell_source *source, struct shell_text word,
                        struct shell_error *error)
{
    return expand_whole(source, word, false, false, error);
}

char *shell_expand_pattern(const struct shell_source *source, struct shell_text word,
                           struct shell_error *error)
{
    return expand_whole(source, word, false, true, error);
}

/* The lines without the tabs that <<- strips. */
static char *stripped(struct shell_text text, bool strips)
{
    char *copy = calloc(text.size + 1, 1);
    size_t size = 0;
    bool line_starts = true;
    for (size_t i = 0; i < text.size && copy != NULL; i++) {
        if (strips && line_starts && text.at[i] == '\t') {
            continue;
        }
        line_starts = text.at[i] == '\n';
        copy[size++] = text.at[i];
    }
    return copy;
}

char *shell_expand_here(const struct shell_source *source, const struct shell_redirection *here,
                        struct shell_error *error)
{
    char *text = stripped(here->target, here->strip);
    if (text == NULL) {
        no_memory(error);
        return NULL;
    }
    if (here->quoted) {
        return text;
    }
    char *expanded =
        expand_whole(source, (struct shell_text){ text, strlen(text) }, true, false, error);
    free(text);
    return expanded;
}
