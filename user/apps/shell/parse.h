/*
 * The shell's language: a line is a list of commands, a command is a list of words. Pure functions
 * on text, without any call to the system.
 *
 *   line    = [command {connector command}] [";" | "&"] ["#" comment]
 *   connector = ";" | "&" | "&&" | "||"
 *   word    = plain characters, 'literal', "with $NAME and \" \\ \$", \c, $NAME ${NAME} $? $!
 *
 * A variable's value is never split into words; an unquoted word that comes to nothing disappears.
 */
#ifndef SHELL_PARSE_H
#define SHELL_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#define SHELL_COMMANDS_MAX 32   /* commands of one line */
#define SHELL_WORDS_MAX    64   /* words of one command */
#define SHELL_TEXT_MAX     4096 /* bytes of a command's words, with a NUL each */
#define SHELL_NAME_MAX     31   /* bytes of a variable's name */

/* On what status of the command before it a command is run. */
enum shell_condition {
    SHELL_ALWAYS,
    SHELL_IF_SUCCEEDED, /* && */
    SHELL_IF_FAILED,    /* || */
};

/* A command of a line, not expanded yet: variables have the values they have when it is run. */
struct shell_command {
    const char *text; /* inside the line that was parsed */
    size_t size;
    enum shell_condition condition;
    bool background;
};

struct shell_list {
    size_t count;
    struct shell_command commands[SHELL_COMMANDS_MAX];
};

struct shell_words {
    size_t count;
    char *word[SHELL_WORDS_MAX + 1]; /* NULL-terminated, like argv */
    char text[SHELL_TEXT_MAX];
};

struct shell_error {
    char text[96]; /* what is wrong, and where */
};

/* Returns the value of a variable (its name is not NUL-terminated), or NULL when it is not set. */
typedef const char *shell_lookup(void *context, const char *name, size_t size);

/* Splits a line into commands. False, with the reason in `error`, when it is malformed. */
bool shell_parse(const char *line, struct shell_list *list, struct shell_error *error);

/* Splits a command of shell_parse() into words, with the variables' values. False when they do not
 * fit. */
bool shell_expand(const struct shell_command *command, shell_lookup *lookup, void *context,
                  struct shell_words *words, struct shell_error *error);

/* Is this text a variable's name: a letter or _, then letters, digits, _, at most SHELL_NAME_MAX
 * bytes? */
bool shell_is_name(const char *text, size_t size);

#endif
