/* The shell's state as commands, for a shell that runs a part of the script beside this one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shell.h"

/* Writes into memory that grows (open_memstream()); an error shows when it is closed. */
static void write_quoted(FILE *file, const char *text)
{
    fputc('\'', file);
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            fputs("'\\''", file);
        } else {
            fputc(*text, file);
        }
    }
    fputc('\'', file);
}

/* What was written; NULL after an error. */
static char *finish(FILE *file, char **text)
{
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed) {
        free(*text);
        return NULL;
    }
    return *text;
}

static void write_variables(FILE *file, const struct shell_variable *variable)
{
    for (; variable != NULL; variable = variable->next) {
        if (variable->value != NULL) {
            fprintf(file, "%s=", variable->name);
            write_quoted(file, variable->value);
            fputc('\n', file);
        }
        if (variable->exported) {
            fprintf(file, "export %s\n", variable->name);
        }
    }
}

static void write_functions(FILE *file, const struct shell_function *function)
{
    for (; function != NULL; function = function->next) {
        if (!function->is_gone) {
            fprintf(file, "%s() %s\n", function->name, function->text);
        }
    }
}

char *shell_state(const struct shell *shell, struct shell_text commands, size_t *size)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, size);
    if (file == NULL) {
        return NULL;
    }
    write_variables(file, shell->variables);
    write_functions(file, shell->functions);
    fputs("set --", file);
    for (size_t i = 0; i < shell->parameter_count; i++) {
        fputc(' ', file);
        write_quoted(file, shell->parameters[i]);
    }
    fputc('\n', file);
    if (shell->exits_on_error) {
        fputs("set -e\n", file);
    }
    if (shell->traces) {
        fputs("set -x\n", file);
    }
    fputc('\0', file);
    fprintf(file, "%.*s\n", (int)commands.size, commands.at);
    return finish(file, &text);
}

char *shell_node_text(const struct shell *shell, const struct shell_node *node)
{
    const char *end = node->text.at + node->text.size;
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    if (file == NULL) {
        return NULL;
    }
    fprintf(file, "%.*s\n", (int)node->text.size, node->text.at);
    for (const struct shell_redirection *here = shell->program->here; here != NULL;
         here = here->next_here) {
        if (here->operator_at >= node->text.at && here->operator_at < end &&
            here->lines.at >= end) {
            fprintf(file, "%.*s\n", (int)here->lines.size, here->lines.at);
        }
    }
    return finish(file, &text);
}

char *shell_quote_words(size_t count, char **word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./:,+@%^";
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    if (file == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            fputc(' ', file);
        }
        if (word[i][0] != '\0' && word[i][strspn(word[i], plain)] == '\0') {
            fputs(word[i], file);
        } else {
            write_quoted(file, word[i]);
        }
    }
    return finish(file, &text);
}
