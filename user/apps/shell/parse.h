/*
 * The shell's language: a part of POSIX's. Pure functions on text, without any call to the system.
 *
 *   list      = pipeline {("&&" | "||") pipeline} {(";" | "&" | newline) ...}
 *   pipeline  = ["!"] command {"|" command}
 *   command   = {NAME=WORD | redirection} {WORD | redirection}
 *             | compound {redirection} | NAME "()" compound
 *   compound  = "{" list "}" | "(" list ")" | "if" list "then" list {"elif" list "then" list}
 *               ["else" list] "fi" | ("while" | "until") list "do" list "done"
 *             | "for" NAME ["in" {WORD}] "do" list "done"
 *             | "case" WORD "in" {["("] WORD {"|" WORD} ")" list ";;"} "esac"
 *   redirection = [digit] ("<" | ">" | ">>" | "<&" | ">&") WORD | [digit] ("<<" | "<<-") WORD
 *
 * Words are kept as they were written; expand.h makes fields of them when a command runs.
 */
#ifndef SHELL_PARSE_H
#define SHELL_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#define SHELL_NAME_MAX  63 /* bytes of a variable's name */
#define SHELL_DEPTH_MAX 50 /* commands in commands */

struct shell_text {
    const char *at;
    size_t size;
};

struct shell_word {
    struct shell_word *next;
    struct shell_text text;
};

enum shell_redirection_kind {
    SHELL_READ,      /* < */
    SHELL_WRITE,     /* > */
    SHELL_APPEND,    /* >> */
    SHELL_DUPLICATE, /* <& or >& */
    SHELL_HERE,      /* << */
};

struct shell_redirection {
    struct shell_redirection *next;
    enum shell_redirection_kind kind;
    int descriptor;
    struct shell_text target; /* a word; of a here-document: its contents */
    bool quoted;              /* a here-document that is not expanded */
    bool strip;               /* tabs at its lines' starts */
    const char *operator_at;  /* in the text */
    /* A here-document's lines, the delimiter's included: they lie behind the command. */
    struct shell_text lines;
    struct shell_redirection *next_here; /* of the program, in order */
};

enum shell_node_kind {
    SHELL_COMMAND,
    SHELL_PIPELINE,
    SHELL_AND,
    SHELL_OR,
    SHELL_LIST,
    SHELL_GROUP,
    SHELL_SUBSHELL,
    SHELL_IF,
    SHELL_WHILE,
    SHELL_UNTIL,
    SHELL_FOR,
    SHELL_CASE,
    SHELL_CASE_ITEM,
    SHELL_FUNCTION,
};

struct shell_node {
    enum shell_node_kind kind;
    bool negated;            /* a pipeline: ! */
    bool background;         /* part of a list: & */
    bool has_in;             /* for NAME in ... */
    struct shell_text text;  /* where it was written */
    struct shell_text name;  /* of a function, of the variable of `for` */
    struct shell_node *next; /* of a pipeline, a list, of the items of `case` */
    /* Its parts: of a pipeline, list, `case`: the first of them. AND, OR: left and right. IF:
     * condition, commands, else. Loops: condition or NULL, commands. */
    struct shell_node *first;
    struct shell_node *second;
    struct shell_node *third;
    struct shell_word *assignments;
    struct shell_word
        *words; /* of a command, of `for`, of `case` its subject, its item's patterns */
    struct shell_redirection *redirections;
};

struct shell_error {
    bool incomplete; /* the text ends too early: more of it might help */
    char text[128];  /* what is wrong, and where */
};

/* What was parsed, and owns its nodes. They point into the text. */
struct shell_program {
    struct shell_node *list;        /* NULL: there was no command */
    struct shell_redirection *here; /* all here-documents */
    struct shell_chunk *chunks;
};

/*
 * Parses the commands of a text from *position to the end of a line where they are complete, and
 * moves *position there. False, with the reason in `error` and nothing to free, when they are
 * malformed. The text has to outlive the program.
 */
bool shell_parse(struct shell_text text, size_t *position, struct shell_program *program,
                 struct shell_error *error);
void shell_program_free(struct shell_program *program);

/*
 * Where the `$` at text.at[0] with what belongs to it ends: ${...}, $(...), $((...)) or $NAME. 1 if
 * nothing belongs to it. 0 after an error. For expand.c, which sees only text that was parsed.
 */
size_t shell_dollar_size(struct shell_text text, struct shell_error *error);

/* Is this text a variable's name: a letter or _, then letters, digits, _? */
bool shell_is_name(const char *text, size_t size);
/* The size of the name in a word `NAME=value`, 0 when the word is something else. */
size_t shell_assigned_name(struct shell_text word);
/* The size of the parameter's name at the text's start: NAME, digits or one of ?!#$@*-; or 0. */
size_t shell_parameter_size(struct shell_text text, bool braced);

__attribute__((format(printf, 2, 3))) bool shell_fail(struct shell_error *error, const char *format,
                                                      ...);

#endif
