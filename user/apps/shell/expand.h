/*
 * Making fields of the words of a command: parameters, $(...), arithmetic, splitting, file names,
 * quotes. What needs the shell comes by `struct shell_source`.
 */
#ifndef SHELL_EXPAND_H
#define SHELL_EXPAND_H

#include "parse.h"

/* Where values come from. */
struct shell_source {
    void *context;
    /*
     * The value of a variable or a special parameter other than @ and *; NULL when it is not set.
     */
    const char *(*lookup)(void *context, const char *name, size_t size);
    /* Sets a variable, for ${NAME=...}. False after an error. */
    bool (*assign)(void *context, const char *name, size_t size, const char *value,
                   struct shell_error *error);
    /* The parameters from $1 on. */
    char *const *(*parameters)(void *context, size_t *count);
    /* The output of commands, for the caller to free. False after an error. */
    bool (*substitute)(void *context, struct shell_text commands, char **output, size_t *size,
                       struct shell_error *error);
};

/* Strings that are owned, the last one followed by NULL. */
struct shell_fields {
    size_t count;
    char **field;
};

void shell_fields_free(struct shell_fields *fields);

/* All words' fields. False, with nothing to free, after an error. */
bool shell_expand_words(const struct shell_source *source, const struct shell_word *words,
                        struct shell_fields *fields, struct shell_error *error);

/* One word as it is, without splitting and file names: the value of an assignment. To be freed;
 * NULL after an error. */
char *shell_expand_text(const struct shell_source *source, struct shell_text word,
                        struct shell_error *error);

/* The same, as a pattern for fnmatch(): what was quoted is escaped. */
char *shell_expand_pattern(const struct shell_source *source, struct shell_text word,
                           struct shell_error *error);

/* The text of a here-document: quotes are plain. */
char *shell_expand_here(const struct shell_source *source, const struct shell_redirection *here,
                        struct shell_error *error);

/* arithmetic.c: the value of an expression, in which parameters have been expanded. */
bool shell_arithmetic(const struct shell_source *source, const char *expression, long long *value,
                      struct shell_error *error);

#endif
