/*
 * Lists of arguments and running of other programs, for the compiler driver.
 */
#ifndef USER_TOOLCHAIN_COMMAND_H
#define USER_TOOLCHAIN_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

struct arguments {
    const char **list; /* NULL-terminated once anything was added */
    size_t count;
    size_t capacity;
};

/* Adds one argument; the text is kept, not copied. */
void arguments_add(struct arguments *arguments, const char *text);
/* Adds all of a NULL-terminated list. */
void arguments_add_list(struct arguments *arguments, const char *const *list);
void arguments_add_all(struct arguments *arguments, const struct arguments *others);
void arguments_free(struct arguments *arguments);

/* A formatted string that lives as long as the tool. */
__attribute__((format(printf, 1, 2))) const char *text(const char *format, ...);

enum command_mode {
    COMMAND_RUN,
    COMMAND_SHOW_AND_RUN, /* -v */
    COMMAND_SHOW,         /* -### */
};

/* Runs the program and returns its exit status; 127 if it cannot be run, 128 + signal if it was
 * killed. */
int command_run(const struct arguments *arguments, enum command_mode mode);

#endif
