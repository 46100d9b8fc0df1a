/*
 * The shell's variables: a few names with text values, and $? and $!, which the shell keeps itself.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shell.h"

#define NUMBER_TEXT 24 /* bytes of a printed 64-bit number */

static struct shell_variable *find(struct shell *shell, const char *name, size_t size)
{
    for (size_t i = 0; i < shell->variable_count; i++) {
        struct shell_variable *variable = &shell->variables[i];
        if (strlen(variable->name) == size && memcmp(variable->name, name, size) == 0) {
            return variable;
        }
    }
    return NULL;
}

const char *shell_variable_lookup(void *context, const char *name, size_t size)
{
    static char number[NUMBER_TEXT]; /* valid until the next lookup, which is all that is needed */
    struct shell *shell = context;

    if (name[0] == '?') {
        snprintf(number, sizeof(number), "%" PRId32, shell->status);
        return number;
    }
    if (name[0] == '!') {
        snprintf(number, sizeof(number), "%" PRIu64, shell->background_pid);
        return shell->background_pid != 0 ? number : NULL;
    }
    const struct shell_variable *variable = find(shell, name, size);
    return variable != NULL ? variable->value : NULL;
}

bool shell_variable_set(struct shell *shell, const char *name, size_t size, const char *value)
{
    struct shell_variable *variable = find(shell, name, size);
    char *copy = strdup(value);
    if (copy == NULL) {
        fprintf(stderr, "shell: no memory for the value of %.*s\n", (int)size, name);
        return false;
    }
    if (variable == NULL && shell->variable_count == SHELL_VARIABLES_MAX) {
        fprintf(stderr, "shell: cannot set %.*s: there are already %d variables\n", (int)size, name,
                SHELL_VARIABLES_MAX);
        free(copy);
        return false;
    }
    if (variable == NULL) {
        variable = &shell->variables[shell->variable_count++];
        memcpy(variable->name, name, size);
        variable->name[size] = '\0';
    }
    free(variable->value);
    variable->value = copy;
    return true;
}
