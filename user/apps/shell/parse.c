/*
 * A parser by recursive descent, straight on the text: tokens depend on where they stand. Words are
 * only skipped over, which finds unclosed quotes and parses what is in $(...), so that malformed
 * commands are refused before any of them runs.
 */
#include "parse.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE 4000

/* Memory for nodes, freed all at once. */
struct shell_chunk {
    struct shell_chunk *next;
    size_t used;
    _Alignas(max_align_t) char bytes[CHUNK_SIZE];
};

struct parser {
    const char *start; /* of the text, for messages */
    const char *at;
    const char *end;
    const char *token_end; /* of what was consumed last */
    struct shell_error *error;
    struct shell_program *program;
    struct shell_redirection *pending; /* the first here-document whose lines are still to come */
    struct shell_redirection **here_tail;
    size_t depth;
};

/* Words that end a list of commands where a command could begin. */
static const char *const closers[] = { "then", "else", "elif", "fi", "do", "done", "esac", "}" };

#define CLOSERS (sizeof(closers) / sizeof(closers[0]))

/* ---- Characters and messages ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Characters that end a word unless quoted. */
static bool is_special(char c)
{
    return is_blank(c) || c == '\n' || c == ';' || c == '&' || c == '|' || c == '<' || c == '>' ||
           c == '(' || c == ')';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static size_t name_size(struct shell_text text)
{
    size_t size = 0;
    if (text.size > 0 && is_name_start(text.at[0])) {
        while (size < text.size && (is_name_start(text.at[size]) || is_digit(text.at[size]))) {
            size++;
        }
    }
    return size;
}

bool shell_is_name(const char *text, size_t size)
{
    return size > 0 && size <= SHELL_NAME_MAX &&
           name_size((struct shell_text){ text, size }) == size;
}

size_t shell_assigned_name(struct shell_text word)
{
    size_t size = name_size(word);
    return size > 0 && size <= SHELL_NAME_MAX && size < word.size && word.at[size] == '=' ? size
                                                                                          : 0;
}

size_t shell_parameter_size(struct shell_text text, bool braced)
{
    size_t size = name_size(text);
    if (size > 0 || text.size == 0) {
        return size;
    }
    while (braced && size < text.size && is_digit(text.at[size])) {
        size++;
    }
    if (size > 0) {
        return size;
    }
    return is_digit(text.at[0]) || memchr("?!#$@*-", text.at[0], 7) != NULL;
}

bool shell_fail(struct shell_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    return false;
}

/* Says where: "column 7", in later lines "line 3, column 7". People count from 1. */
static const char *place(const struct parser *p, const char *at)
{
    static char text[64];
    size_t line = 1;
    const char *line_start = p->start;
    for (const char *c = p->start; c < at; c++) {
        if (*c == '\n') {
            line++;
            line_start = c + 1;
        }
    }
    size_t column = (size_t)(at - line_start) + 1;
    if (line == 1) {
        snprintf(text, sizeof(text), "column %zu", column);
    } else {
        snprintf(text, sizeof(text), "line %zu, column %zu", line, column);
    }
    return text;
}

/* What was opened at `open` is not closed by the text's end. */
static bool unclosed(const struct parser *p, const char *what, const char *open)
{
    p->error->incomplete = true;
    return shell_fail(p->error, "unclosed %s at %s", what, place(p, open));
}

static size_t rest(const struct parser *p)
{
    return (size_t)(p->end - p->at);
}

static bool at_text(const struct parser *p, const char *text)
{
    size_t size = strlen(text);
    return rest(p) >= size && memcmp(p->at, text, size) == 0;
}

static void *allocate(struct parser *p, size_t size)
{
    struct shell_chunk *chunk = p->program->chunks;
    size = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
    if (chunk == NULL || CHUNK_SIZE - chunk->used < size) {
        chunk = calloc(1, sizeof(*chunk));
        if (chunk == NULL) {
            shell_fail(p->error, "no memory for so many commands");
            return NULL;
        }
        chunk->next = p->program->chunks;
        p->program->chunks = chunk;
    }
    void *memory = chunk->bytes + chunk->used;
    chunk->used += size;
    return memory;
}

void shell_program_free(struct shell_program *program)
{
    while (program->chunks != NULL) {
        struct shell_chunk *next = program->chunks->next;
        free(program->chunks);
        program->chunks = next;
    }
    *program = (struct shell_program){ .list = NULL };
}

static struct shell_node *new_node(struct parser *p, enum shell_node_kind kind)
{
    struct shell_node *node = allocate(p, sizeof(*node));
    if (node != NULL) {
        node->kind = kind;
        node->text.at = p->at;
    }
    return node;
}

/* The node ends with the last token. */
static void close_node(const struct parser *p, struct shell_node *node)
{
    node->text.size = (size_t)(p->token_end - node->text.at);
}

/* ---- Words ---- */

static bool parse_list(struct parser *p, struct shell_node **list);
static bool skip_piece(struct parser *p, bool in_double);

static bool deeper(struct parser *p)
{
    if (p->depth == SHELL_DEPTH_MAX) {
        return shell_fail(p->error, "more than %d commands in one another at %s", SHELL_DEPTH_MAX,
                          place(p, p->at));
    }
    p->depth++;
    return true;
}

static bool skip_single_quoted(struct parser *p)
{
    const char *open = p->at++;
    const char *close = memchr(p->at, '\'', rest(p));
    if (close == NULL) {
        return unclosed(p, "'", open);
    }
    p->at = close + 1;
    return true;
}

static bool skip_escape(struct parser *p)
{
    if (rest(p) < 2) {
        p->error->incomplete = true;
        return shell_fail(p->error, "nothing after the \\ at %s", place(p, p->at));
    }
    p->at += 2;
    return true;
}

static bool skip_backquoted(struct parser *p)
{
    const char *open = p->at++;
    while (p->at < p->end && *p->at != '`') {
        p->at += *p->at == '\\' && rest(p) > 1 ? 2 : 1;
    }
    if (p->at == p->end) {
        return unclosed(p, "`", open);
    }
    p->at++;
    return true;
}

/* Moves behind the character `close`, which is not part of quotes and the like. */
static bool skip_to(struct parser *p, char close, const char *what, const char *open,
                    bool in_double)
{
    while (p->at < p->end && *p->at != close) {
        if (!skip_piece(p, in_double)) {
            return false;
        }
    }
    if (p->at == p->end) {
        return unclosed(p, what, open);
    }
    p->at++;
    return true;
}

static bool skip_double_quoted(struct parser *p)
{
    const char *open = p->at++;
    return skip_to(p, '"', "\"", open, true);
}

static bool skip_arithmetic(struct parser *p)
{
    const char *open = p->at;
    size_t parentheses = 0;
    for (p->at += strlen("$(("); p->at < p->end;) {
        if (parentheses == 0 && at_text(p, "))")) {
            p->at += 2;
            return true;
        }
        if (*p->at == '(' || *p->at == ')') {
            if (*p->at == ')' && parentheses == 0) {
                return shell_fail(p->error, "$(( at %s does not end in ))", place(p, open));
            }
            parentheses = *p->at == '(' ? parentheses + 1 : parentheses - 1;
            p->at++;
        } else if (!skip_piece(p, true)) {
            return false;
        }
    }
    return unclosed(p, "$((", open);
}

static bool skip_substitution(struct parser *p)
{
    const char *open = p->at;
    struct shell_node *list;
    p->at += strlen("$(");
    if (!deeper(p) || !parse_list(p, &list)) {
        return false;
    }
    if (p->at == p->end) {
        return unclosed(p, "$(", open);
    }
    if (*p->at != ')') {
        return shell_fail(p->error, "$( at %s does not end in )", place(p, open));
    }
    p->at++;
    p->depth--;
    return true;
}

static bool is_parameter_operator(const struct parser *p)
{
    return p->at < p->end && memchr(":-=?+%#", *p->at, 7) != NULL;
}

static bool skip_braced(struct parser *p, bool in_double)
{
    const char *open = p->at;
    p->at += strlen("${");
    bool length = at_text(p, "#") && !at_text(p, "#}") && rest(p) > 1 && p->at[1] != '%' &&
                  p->at[1] != ':' && p->at[1] != '#';
    p->at += length;
    size_t size = shell_parameter_size((struct shell_text){ p->at, rest(p) }, true);
    p->at += size;
    if (p->at == p->end) {
        return unclosed(p, "${", open);
    }
    if (size > SHELL_NAME_MAX) {
        return shell_fail(p->error, "variable's name at %s is longer than %d bytes",
                          place(p, p->at - size), SHELL_NAME_MAX);
    }
    if (size == 0 || (*p->at != '}' && (length || !is_parameter_operator(p)))) {
        return shell_fail(p->error, "${ at %s is not ${NAME} or the like", place(p, open));
    }
    if (*p->at == ':') {
        p->at++;
        if (p->at < p->end && memchr("-=?+", *p->at, 4) == NULL) {
            return shell_fail(p->error, "${ at %s is not ${NAME} or the like", place(p, open));
        }
    }
    return skip_to(p, '}', "${", open, in_double);
}

/* Moves behind the `$` and what belongs to it. */
static bool skip_dollar(struct parser *p, bool in_double)
{
    if (at_text(p, "$((")) {
        return skip_arithmetic(p);
    }
    if (at_text(p, "$(")) {
        return skip_substitution(p);
    }
    if (at_text(p, "${")) {
        return skip_braced(p, in_double);
    }
    p->at++;
    size_t size = shell_parameter_size((struct shell_text){ p->at, rest(p) }, false);
    if (size > SHELL_NAME_MAX) {
        return shell_fail(p->error, "variable's name at %s is longer than %d bytes",
                          place(p, p->at), SHELL_NAME_MAX);
    }
    p->at += size;
    return true;
}

/* Moves behind one character, or what is quoted or expanded there. */
static bool skip_piece(struct parser *p, bool in_double)
{
    switch (*p->at) {
    case '\\': return skip_escape(p);
    case '$': return skip_dollar(p, in_double);
    case '`': return skip_backquoted(p);
    case '\'':
        if (!in_double) {
            return skip_single_quoted(p);
        }
        break;
    case '"': return skip_double_quoted(p);
    default: break;
    }
    p->at++;
    return true;
}

size_t shell_dollar_size(struct shell_text text, struct shell_error *error)
{
    struct shell_program program = { .list = NULL };
    struct parser p = {
        .start = text.at,
        .at = text.at,
        .end = text.at + text.size,
        .token_end = text.at,
        .error = error,
        .program = &program,
        .here_tail = &program.here,
    };
    bool ok = skip_dollar(&p, true);
    shell_program_free(&program);
    return ok ? (size_t)(p.at - text.at) : 0;
}

/* Takes a word, which must be there. */
static bool take_word(struct parser *p, struct shell_text *text)
{
    text->at = p->at;
    while (p->at < p->end && !is_special(*p->at)) {
        if (!skip_piece(p, false)) {
            return false;
        }
    }
    text->size = (size_t)(p->at - text->at);
    p->token_end = p->at;
    return true;
}

static bool is_word(const struct parser *p)
{
    return p->at < p->end && !is_special(*p->at);
}

/* Takes a word to the end of a list. */
static bool add_word(struct parser *p, struct shell_word ***tail)
{
    struct shell_word *word = allocate(p, sizeof(*word));
    if (word == NULL || !take_word(p, &word->text)) {
        return false;
    }
    **tail = word;
    *tail = &word->next;
    return true;
}

/* ---- Between words ---- */

/* Moves over blanks, continued lines and a comment. */
static void skip_blanks(struct parser *p)
{
    for (;;) {
        if (p->at < p->end && is_blank(*p->at)) {
            p->at++;
        } else if (at_text(p, "\\\n")) {
            p->at += 2;
        } else if (at_text(p, "#")) {
            while (p->at < p->end && *p->at != '\n') {
                p->at++;
            }
        } else {
            return;
        }
    }
}

/* The delimiter of a here-document without its quotes. */
static bool plain_delimiter(struct parser *p, struct shell_redirection *here, char *plain,
                            size_t *size)
{
    *size = 0;
    for (size_t i = 0; i < here->target.size; i++) {
        char c = here->target.at[i];
        if (c == '\'' || c == '"' || c == '\\') {
            here->quoted = true;
            continue;
        }
        if (*size == SHELL_NAME_MAX) {
            return shell_fail(p->error, "end of here-document at %s is longer than %d bytes",
                              place(p, here->target.at), SHELL_NAME_MAX);
        }
        plain[(*size)++] = c;
    }
    return true;
}

/* Takes the lines of a here-document, up to its delimiter. */
static bool take_here_document(struct parser *p, struct shell_redirection *here)
{
    char delimiter[SHELL_NAME_MAX];
    const char *word = here->target.at;
    size_t size;
    if (!plain_delimiter(p, here, delimiter, &size)) {
        return false;
    }
    here->lines.at = p->at;
    while (p->at < p->end) {
        const char *line = p->at;
        const char *newline = memchr(line, '\n', rest(p));
        const char *line_end = newline != NULL ? newline : p->end;
        p->at = newline != NULL ? newline + 1 : p->end;
        const char *text = line;
        while (here->strip && text < line_end && *text == '\t') {
            text++;
        }
        if ((size_t)(line_end - text) == size && memcmp(text, delimiter, size) == 0) {
            here->target = (struct shell_text){ here->lines.at, (size_t)(line - here->lines.at) };
            here->lines.size = (size_t)(p->at - here->lines.at);
            return true;
        }
    }
    p->error->incomplete = true;
    return shell_fail(p->error, "here-document at %s has no end", place(p, word));
}

/* Moves behind the newline, and the lines of here-documents behind it. */
static bool take_newline(struct parser *p)
{
    p->at++;
    while (p->pending != NULL) {
        if (!take_here_document(p, p->pending)) {
            return false;
        }
        p->pending = p->pending->next_here;
    }
    return true;
}

static bool skip_newlines(struct parser *p)
{
    for (skip_blanks(p); at_text(p, "\n"); skip_blanks(p)) {
        if (!take_newline(p)) {
            return false;
        }
    }
    return true;
}

/* Is the next word this one, unquoted? */
static bool at_keyword(const struct parser *p, const char *keyword)
{
    size_t size = strlen(keyword);
    return at_text(p, keyword) && (rest(p) == size || is_special(p->at[size]));
}

static bool take_text(struct parser *p, const char *text)
{
    if (!at_text(p, text)) {
        return false;
    }
    p->at += strlen(text);
    p->token_end = p->at;
    return true;
}

static bool take_keyword(struct parser *p, const char *keyword)
{
    return at_keyword(p, keyword) && take_text(p, keyword);
}

/* Does a list of commands end here? */
static bool at_list_end(const struct parser *p)
{
    if (p->at == p->end || *p->at == ')' || at_text(p, ";;")) {
        return true;
    }
    for (size_t i = 0; i < CLOSERS; i++) {
        if (at_keyword(p, closers[i])) {
            return true;
        }
    }
    return false;
}

/* How what stands here is called in messages. */
static struct shell_text token(const struct parser *p)
{
    struct shell_text text = { p->at, 0 };
    if (p->at == p->end) {
        return (struct shell_text){ "the end", strlen("the end") };
    }
    if (*p->at == '\n') {
        return (struct shell_text){ "the line's end", strlen("the line's end") };
    }
    if (is_special(*p->at)) {
        text.size = rest(p) > 1 && p->at[1] == *p->at && *p->at != '(' && *p->at != ')' ? 2 : 1;
        return text;
    }
    while (text.size < rest(p) && text.size < SHELL_NAME_MAX && !is_special(p->at[text.size])) {
        text.size++;
    }
    return text;
}

static bool unexpected(const struct parser *p, const char *expected)
{
    struct shell_text text = token(p);
    p->error->incomplete = p->at == p->end;
    return shell_fail(p->error, "%s expected at %s, not %.*s", expected, place(p, p->at),
                      (int)text.size, text.at);
}

static bool expect_keyword(struct parser *p, const char *keyword)
{
    return take_keyword(p, keyword) || unexpected(p, keyword);
}

/* A list that must not be empty, and the keyword behind it. */
static bool list_until(struct parser *p, struct shell_node **list, const char *keyword)
{
    if (!parse_list(p, list)) {
        return false;
    }
    return *list == NULL ? unexpected(p, "a command") : expect_keyword(p, keyword);
}

/* ---- Redirections ---- */

static bool at_redirection(const struct parser *p)
{
    const char *at = p->at;
    if (at < p->end && is_digit(*at)) {
        at++;
    }
    return at < p->end && (*at == '<' || *at == '>');
}

static enum shell_redirection_kind take_operator(struct parser *p, struct shell_redirection *made)
{
    made->descriptor = 0;
    if (take_text(p, "<<-")) {
        made->strip = true;
        return SHELL_HERE;
    }
    if (take_text(p, "<<")) {
        return SHELL_HERE;
    }
    if (take_text(p, "<&")) {
        return SHELL_DUPLICATE;
    }
    if (take_text(p, "<")) {
        return SHELL_READ;
    }
    made->descriptor = 1;
    if (take_text(p, ">>")) {
        return SHELL_APPEND;
    }
    if (take_text(p, ">&")) {
        return SHELL_DUPLICATE;
    }
    if (!take_text(p, ">|")) {
        take_text(p, ">");
    }
    return SHELL_WRITE;
}

static bool take_redirection(struct parser *p, struct shell_redirection ***tail)
{
    struct shell_redirection *made = allocate(p, sizeof(*made));
    if (made == NULL) {
        return false;
    }
    made->operator_at = p->at;
    int descriptor = is_digit(*p->at) ? *p->at++ - '0' : -1;
    made->kind = take_operator(p, made);
    if (descriptor >= 0) {
        made->descriptor = descriptor;
    }
    skip_blanks(p);
    if (!is_word(p)) {
        return unexpected(p, made->kind == SHELL_HERE        ? "the end of a here-document"
                             : made->kind == SHELL_DUPLICATE ? "a descriptor"
                                                             : "a file's name");
    }
    if (!take_word(p, &made->target)) {
        return false;
    }
    if (made->kind == SHELL_HERE) {
        *p->here_tail = made;
        p->here_tail = &made->next_here;
        p->pending = p->pending != NULL ? p->pending : made;
    }
    **tail = made;
    *tail = &made->next;
    return true;
}

static bool take_redirections(struct parser *p, struct shell_node *node)
{
    struct shell_redirection **tail = &node->redirections;
    for (skip_blanks(p); at_redirection(p); skip_blanks(p)) {
        if (!take_redirection(p, &tail)) {
            return false;
        }
    }
    return true;
}

/* ---- Compound commands ---- */

static bool parse_command(struct parser *p, struct shell_node **node);

/* The keyword `if` or `elif` was taken. */
static bool parse_if(struct parser *p, struct shell_node *node)
{
    if (!list_until(p, &node->first, "then") || !parse_list(p, &node->second)) {
        return false;
    }
    if (node->second == NULL) {
        return unexpected(p, "a command");
    }
    if (at_keyword(p, "elif")) {
        node->third = new_node(p, SHELL_IF);
        if (node->third == NULL || !deeper(p)) {
            return false;
        }
        take_keyword(p, "elif");
        bool ok = parse_if(p, node->third);
        p->depth--;
        close_node(p, node->third);
        return ok;
    }
    if (take_keyword(p, "else")) {
        return list_until(p, &node->third, "fi");
    }
    return expect_keyword(p, "fi");
}

static bool parse_loop(struct parser *p, struct shell_node *node)
{
    return list_until(p, &node->first, "do") && list_until(p, &node->second, "done");
}

static bool parse_for(struct parser *p, struct shell_node *node)
{
    struct shell_word **tail = &node->words;
    skip_blanks(p);
    if (!is_word(p)) {
        return unexpected(p, "a variable's name");
    }
    if (!take_word(p, &node->name)) {
        return false;
    }
    if (!shell_is_name(node->name.at, node->name.size)) {
        p->at = node->name.at;
        return unexpected(p, "a variable's name");
    }
    if (!skip_newlines(p)) {
        return false;
    }
    node->has_in = take_keyword(p, "in");
    for (skip_blanks(p); node->has_in && is_word(p); skip_blanks(p)) {
        if (!add_word(p, &tail)) {
            return false;
        }
    }
    take_text(p, ";");
    return skip_newlines(p) && expect_keyword(p, "do") && list_until(p, &node->second, "done");
}

static bool parse_case_item(struct parser *p, struct shell_node *item)
{
    struct shell_word **tail = &item->words;
    take_text(p, "(");
    do {
        skip_blanks(p);
        if (!is_word(p)) {
            return unexpected(p, "a pattern");
        }
        if (!add_word(p, &tail)) {
            return false;
        }
        skip_blanks(p);
    } while (take_text(p, "|"));
    if (!take_text(p, ")")) {
        return unexpected(p, ")");
    }
    if (!parse_list(p, &item->first)) {
        return false;
    }
    return take_text(p, ";;") || at_keyword(p, "esac") || unexpected(p, ";; or esac");
}

static bool parse_case(struct parser *p, struct shell_node *node)
{
    struct shell_word **tail = &node->words;
    struct shell_node **items = &node->first;
    skip_blanks(p);
    if (!is_word(p)) {
        return unexpected(p, "a word");
    }
    if (!add_word(p, &tail) || !skip_newlines(p) || !expect_keyword(p, "in")) {
        return false;
    }
    for (;;) {
        if (!skip_newlines(p)) {
            return false;
        }
        if (take_keyword(p, "esac")) {
            return true;
        }
        *items = new_node(p, SHELL_CASE_ITEM);
        if (*items == NULL || !parse_case_item(p, *items)) {
            return false;
        }
        items = &(*items)->next;
    }
}

static bool parse_group(struct parser *p, struct shell_node *node)
{
    return list_until(p, &node->first, "}");
}

static bool parse_subshell(struct parser *p, struct shell_node *node)
{
    if (!parse_list(p, &node->first)) {
        return false;
    }
    if (node->first == NULL) {
        return unexpected(p, "a command");
    }
    return take_text(p, ")") || unexpected(p, ")");
}

static const struct compound {
    const char *keyword;
    enum shell_node_kind kind;
    bool (*parse)(struct parser *p, struct shell_node *node);
} compounds[] = {
    { "{", SHELL_GROUP, parse_group },       { "if", SHELL_IF, parse_if },
    { "while", SHELL_WHILE, parse_loop },    { "until", SHELL_UNTIL, parse_loop },
    { "for", SHELL_FOR, parse_for },         { "case", SHELL_CASE, parse_case },
    { "(", SHELL_SUBSHELL, parse_subshell },
};

#define COMPOUNDS (sizeof(compounds) / sizeof(compounds[0]))

/* The compound command that begins here; NULL: none does. */
static const struct compound *find_compound(const struct parser *p)
{
    for (size_t i = 0; i < COMPOUNDS; i++) {
        if (compounds[i].kind == SHELL_SUBSHELL ? at_text(p, "(")
                                                : at_keyword(p, compounds[i].keyword)) {
            return &compounds[i];
        }
    }
    return NULL;
}

static bool parse_compound(struct parser *p, const struct compound *compound,
                           struct shell_node **node)
{
    *node = new_node(p, compound->kind);
    if (*node == NULL || !deeper(p)) {
        return false;
    }
    take_text(p, compound->keyword);
    if (!compound->parse(p, *node) || !take_redirections(p, *node)) {
        return false;
    }
    p->depth--;
    close_node(p, *node);
    return true;
}

/* ---- Commands ---- */

/* A name was taken, and () follows: the rest of a function. */
static bool parse_function(struct parser *p, struct shell_node *node)
{
    node->kind = SHELL_FUNCTION;
    node->name = node->words->text;
    node->words = NULL;
    take_text(p, "(");
    skip_blanks(p);
    if (!take_text(p, ")")) {
        return unexpected(p, ")");
    }
    if (!skip_newlines(p)) {
        return false;
    }
    const struct compound *compound = find_compound(p);
    if (compound == NULL) {
        return unexpected(p, "{");
    }
    return parse_compound(p, compound, &node->first);
}

static bool parse_simple(struct parser *p, struct shell_node *node)
{
    struct shell_word **assignments = &node->assignments;
    struct shell_word **words = &node->words;
    struct shell_redirection **redirections = &node->redirections;
    for (skip_blanks(p);; skip_blanks(p)) {
        bool ok;
        if (at_redirection(p)) {
            ok = take_redirection(p, &redirections);
        } else if (is_word(p)) {
            bool assigns = node->words == NULL &&
                           shell_assigned_name((struct shell_text){ p->at, rest(p) }) > 0;
            ok = add_word(p, assigns ? &assignments : &words);
        } else {
            break;
        }
        if (!ok) {
            return false;
        }
    }
    if (at_text(p, "(") && node->words != NULL && node->words->next == NULL &&
        node->assignments == NULL && node->redirections == NULL &&
        shell_is_name(node->words->text.at, node->words->text.size)) {
        return parse_function(p, node);
    }
    return at_text(p, "(") ? unexpected(p, "a separator or a quoted (") : true;
}

static bool parse_command(struct parser *p, struct shell_node **node)
{
    skip_blanks(p);
    const struct compound *compound = find_compound(p);
    if (compound != NULL) {
        return parse_compound(p, compound, node);
    }
    if (at_list_end(p) || (!is_word(p) && !at_redirection(p))) {
        return unexpected(p, "a command");
    }
    *node = new_node(p, SHELL_COMMAND);
    if (*node == NULL || !parse_simple(p, *node)) {
        return false;
    }
    close_node(p, *node);
    return true;
}

static bool parse_pipeline(struct parser *p, struct shell_node **result)
{
    skip_blanks(p);
    struct shell_node *node = new_node(p, SHELL_PIPELINE);
    if (node == NULL) {
        return false;
    }
    node->negated = take_keyword(p, "!");
    struct shell_node **tail = &node->first;
    for (;;) {
        if (!parse_command(p, tail)) {
            return false;
        }
        tail = &(*tail)->next;
        skip_blanks(p);
        if (at_text(p, "||") || !take_text(p, "|")) {
            break;
        }
        if (!skip_newlines(p)) {
            return false;
        }
    }
    close_node(p, node);
    /* One command alone needs no pipeline. */
    *result = node->negated || node->first->next != NULL ? node : node->first;
    return true;
}

static bool parse_and_or(struct parser *p, struct shell_node **result)
{
    if (!parse_pipeline(p, result)) {
        return false;
    }
    for (;;) {
        bool is_and = at_text(p, "&&");
        if (!is_and && !at_text(p, "||")) {
            return true;
        }
        struct shell_node *node = new_node(p, is_and ? SHELL_AND : SHELL_OR);
        if (node == NULL) {
            return false;
        }
        node->text.at = (*result)->text.at;
        node->first = *result;
        take_text(p, is_and ? "&&" : "||");
        if (!skip_newlines(p) || !parse_pipeline(p, &node->second)) {
            return false;
        }
        close_node(p, node);
        *result = node;
    }
}

/* One member of a list, with the separator behind it, if it is ; or &. */
static bool parse_member(struct parser *p, struct shell_node ***tail)
{
    struct shell_node *member;
    if (!parse_and_or(p, &member)) {
        return false;
    }
    skip_blanks(p);
    if (at_text(p, "&")) {
        member->background = true;
        take_text(p, "&");
    } else if (at_text(p, ";") && !at_text(p, ";;")) {
        take_text(p, ";");
    } else if (!at_list_end(p) && !at_text(p, "\n")) {
        return unexpected(p, "; or a new line");
    }
    **tail = member;
    *tail = &member->next;
    return true;
}

/* Commands up to what ends a list; NULL: none. */
static bool parse_list(struct parser *p, struct shell_node **list)
{
    *list = NULL;
    if (!skip_newlines(p)) {
        return false;
    }
    if (at_list_end(p)) {
        return true;
    }
    *list = new_node(p, SHELL_LIST);
    if (*list == NULL) {
        return false;
    }
    struct shell_node **tail = &(*list)->first;
    while (!at_list_end(p)) {
        if (!parse_member(p, &tail)) {
            return false;
        }
        close_node(p, *list);
        if (!skip_newlines(p)) {
            return false;
        }
    }
    return true;
}

/* Commands up to the end of a line. */
static bool parse_line(struct parser *p)
{
    if (!skip_newlines(p)) {
        return false;
    }
    if (p->at == p->end) {
        return true;
    }
    struct shell_node *list = new_node(p, SHELL_LIST);
    if (list == NULL) {
        return false;
    }
    struct shell_node **tail = &list->first;
    while (p->at < p->end && *p->at != '\n') {
        if (!parse_member(p, &tail)) {
            return false;
        }
        close_node(p, list);
        skip_blanks(p);
        if (p->at < p->end && *p->at != '\n' && at_list_end(p)) {
            return unexpected(p, "a command");
        }
    }
    p->program->list = list;
    if (p->at < p->end) {
        return take_newline(p);
    }
    if (p->pending != NULL) {
        p->error->incomplete = true;
        return shell_fail(p->error, "here-document at %s has no end",
                          place(p, p->pending->target.at));
    }
    return true;
}

bool shell_parse(struct shell_text text, size_t *position, struct shell_program *program,
                 struct shell_error *error)
{
    struct parser p = {
        .start = text.at,
        .at = text.at + *position,
        .end = text.at + text.size,
        .token_end = text.at + *position,
        .error = error,
        .program = program,
        .here_tail = &program->here,
    };
    *program = (struct shell_program){ .list = NULL };
    *error = (struct shell_error){ .incomplete = false };
    if (!parse_line(&p)) {
        shell_program_free(program);
        return false;
    }
    *position = (size_t)(p.at - text.at);
    return true;
}
