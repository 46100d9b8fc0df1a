/*
 * The scanner for words serves both passes: shell_parse() uses it to find where commands end and to
 * refuse malformed lines before anything runs, shell_expand() to collect the words with the values
 * that variables have by then.
 */
#include "parse.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct scanner {
    const char *start; /* of the line or command, for messages */
    const char *at;
    const char *end;
    struct shell_error *error;
    /* Where words go; NULL while parsing. */
    struct shell_words *words;
    size_t used; /* bytes of words->text */
    shell_lookup *lookup;
    void *context;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Characters that end a word unless quoted. */
static bool is_special(char c)
{
    return is_blank(c) || strchr(";&|<>()", c) != NULL;
}

static bool is_name_start(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool is_name_character(char c)
{
    return is_name_start(c) || (c >= '0' && c <= '9');
}

bool shell_is_name(const char *text, size_t size)
{
    if (size == 0 || size > SHELL_NAME_MAX || !is_name_start(text[0])) {
        return false;
    }
    for (size_t i = 1; i < size; i++) {
        if (!is_name_character(text[i])) {
            return false;
        }
    }
    return true;
}

__attribute__((format(printf, 2, 3))) static bool fail(struct shell_error *error,
                                                       const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    return false;
}

/* Columns count from 1, as people do. */
static size_t column_of(const struct scanner *s, const char *at)
{
    return (size_t)(at - s->start) + 1;
}

static bool peek(const struct scanner *s, char c)
{
    return s->at < s->end && *s->at == c;
}

static void skip_blanks(struct scanner *s)
{
    while (s->at < s->end && is_blank(*s->at)) {
        s->at++;
    }
}

/* ---- Words ---- */

static bool emit(struct scanner *s, const char *text, size_t size)
{
    if (s->words == NULL) {
        return true;
    }
    if (size > SHELL_TEXT_MAX - s->used) {
        return fail(s->error, "command is longer than %d bytes", SHELL_TEXT_MAX - 1);
    }
    memcpy(s->words->text + s->used, text, size);
    s->used += size;
    return true;
}

/*
 * Finds the name after a `$`, and moves past it. Size 0: there is none, the `$` stands for itself.
 */
static bool scan_name(struct scanner *s, const char **name, size_t *size)
{
    const char *dollar = s->at - 1;
    bool braced = peek(s, '{');
    s->at += braced;
    *name = s->at;
    if (peek(s, '?') || peek(s, '!')) {
        s->at++;
    } else if (s->at < s->end && is_name_start(*s->at)) {
        while (s->at < s->end && is_name_character(*s->at)) {
            s->at++;
        }
    }
    *size = (size_t)(s->at - *name);
    if (*size > SHELL_NAME_MAX) {
        return fail(s->error, "variable's name at column %zu is longer than %d bytes",
                    column_of(s, *name), SHELL_NAME_MAX);
    }
    if (braced && (*size == 0 || !peek(s, '}'))) {
        return fail(s->error, "${ at column %zu is not ${NAME}", column_of(s, dollar));
    }
    s->at += braced;
    return true;
}

static bool scan_variable(struct scanner *s)
{
    const char *name;
    size_t size;
    s->at++;
    if (!scan_name(s, &name, &size)) {
        return false;
    }
    if (size == 0) {
        return emit(s, "$", 1);
    }
    const char *value = s->words != NULL ? s->lookup(s->context, name, size) : NULL;
    return value == NULL || emit(s, value, strlen(value));
}

static bool scan_single_quoted(struct scanner *s)
{
    const char *open = s->at++;
    const char *close = memchr(s->at, '\'', (size_t)(s->end - s->at));
    if (close == NULL) {
        return fail(s->error, "unclosed ' at column %zu", column_of(s, open));
    }
    const char *text = s->at;
    s->at = close + 1;
    return emit(s, text, (size_t)(close - text));
}

static bool scan_double_quoted(struct scanner *s)
{
    const char *open = s->at++;
    while (s->at < s->end && *s->at != '"') {
        bool ok;
        if (*s->at == '$') {
            ok = scan_variable(s);
        } else {
            bool escape = *s->at == '\\' && s->at + 1 < s->end && strchr("\"\\$", s->at[1]) != NULL;
            s->at += escape;
            ok = emit(s, s->at++, 1);
        }
        if (!ok) {
            return false;
        }
    }
    if (s->at == s->end) {
        return fail(s->error, "unclosed \" at column %zu", column_of(s, open));
    }
    s->at++;
    return true;
}

static bool scan_escape(struct scanner *s)
{
    s->at++;
    if (s->at == s->end) {
        return fail(s->error, "nothing after the \\ at column %zu", column_of(s, s->at - 1));
    }
    return emit(s, s->at++, 1);
}

/* One word, up to a special character. `*quoted`: it had quotes, and so counts even when empty. */
static bool scan_word(struct scanner *s, bool *quoted)
{
    *quoted = false;
    while (s->at < s->end && !is_special(*s->at)) {
        bool ok;
        switch (*s->at) {
        case '\'':
            *quoted = true;
            ok = scan_single_quoted(s);
            break;
        case '"':
            *quoted = true;
            ok = scan_double_quoted(s);
            break;
        case '\\': ok = scan_escape(s); break;
        case '$': ok = scan_variable(s); break;
        default: ok = emit(s, s->at++, 1); break;
        }
        if (!ok) {
            return false;
        }
    }
    return true;
}

/*
 * Scans a word into words->text and takes it as the next one, unless variables made nothing of it.
 */
static bool collect_word(struct scanner *s)
{
    struct shell_words *words = s->words;
    char *word = words->text + s->used;
    bool quoted;
    if (!scan_word(s, &quoted)) {
        return false;
    }
    if (word == words->text + s->used && !quoted) {
        return true;
    }
    words->word[words->count++] = word;
    return emit(s, "", 1);
}

bool shell_expand(const struct shell_command *command, shell_lookup *lookup, void *context,
                  struct shell_words *words, struct shell_error *error)
{
    struct scanner s = {
        .start = command->text,
        .at = command->text,
        .end = command->text + command->size,
        .error = error,
        .words = words,
        .lookup = lookup,
        .context = context,
    };
    words->count = 0;
    for (skip_blanks(&s); s.at < s.end; skip_blanks(&s)) {
        if (!collect_word(&s)) {
            return false;
        }
    }
    words->word[words->count] = NULL;
    return true;
}

/* ---- Commands ---- */

enum connector {
    END_OF_LINE,
    SEQUENCE,
    BACKGROUND,
    AND,
    OR,
};

static const char *const connector_names[] = { "the line's end", ";", "&", "&&", "||" };

/* Scans words up to the next connector, a comment or the end. An empty command has size 0. */
static bool scan_command(struct scanner *s, struct shell_command *command)
{
    size_t count = 0;
    skip_blanks(s);
    command->text = s->at;
    command->size = 0;
    while (s->at < s->end && !is_special(*s->at)) {
        bool quoted;
        if (*s->at == '#') {
            s->at = s->end;
            break;
        }
        if (++count > SHELL_WORDS_MAX) {
            return fail(s->error, "command at column %zu has more than %d words",
                        column_of(s, command->text), SHELL_WORDS_MAX);
        }
        if (!scan_word(s, &quoted)) {
            return false;
        }
        command->size = (size_t)(s->at - command->text);
        skip_blanks(s);
    }
    return true;
}

static bool scan_connector(struct scanner *s, enum connector *connector)
{
    if (s->at == s->end) {
        *connector = END_OF_LINE;
        return true;
    }
    const char *at = s->at++;
    bool doubled = peek(s, *at);
    if (*at == ';') {
        *connector = SEQUENCE;
    } else if (*at == '&') {
        *connector = doubled ? AND : BACKGROUND;
    } else if (*at == '|' && doubled) {
        *connector = OR;
    } else {
        return fail(s->error,
                    "there are no pipes, redirections or groups: quote the %c at column %zu", *at,
                    column_of(s, at));
    }
    s->at += *connector == AND || *connector == OR;
    return true;
}

/* Is it right that there is no command between these two connectors? */
static bool check_empty(const struct scanner *s, enum connector before, enum connector after)
{
    if (after != END_OF_LINE) {
        return fail(s->error, "no command before the %s that ends at column %zu",
                    connector_names[after], column_of(s, s->at - 1));
    }
    if (before == AND || before == OR) {
        return fail(s->error, "no command after %s", connector_names[before]);
    }
    return true;
}

bool shell_parse(const char *line, struct shell_list *list, struct shell_error *error)
{
    struct scanner s = { .start = line, .at = line, .end = line + strlen(line), .error = error };
    enum connector before = SEQUENCE;
    enum connector after = SEQUENCE;

    list->count = 0;
    for (; after != END_OF_LINE; before = after) {
        struct shell_command command;
        if (!scan_command(&s, &command) || !scan_connector(&s, &after)) {
            return false;
        }
        if (command.size == 0) {
            if (!check_empty(&s, before, after)) {
                return false;
            }
            continue;
        }
        if (list->count == SHELL_COMMANDS_MAX) {
            return fail(error, "line has more than %d commands", SHELL_COMMANDS_MAX);
        }
        command.condition = before == AND  ? SHELL_IF_SUCCEEDED
                            : before == OR ? SHELL_IF_FAILED
                                           : SHELL_ALWAYS;
        command.background = after == BACKGROUND;
        list->commands[list->count++] = command;
    }
    return true;
}
