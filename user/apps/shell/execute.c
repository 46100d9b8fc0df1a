/* Running a line: its commands one after the other, as their conditions say. */
#include <stdio.h>
#include <string.h>

#include "shell.h"

/* The size of the name in a word `NAME=value`, 0 when the word is something else. */
static size_t assigned_name(const char *word)
{
    const char *equals = strchr(word, '=');
    size_t size = equals != NULL ? (size_t)(equals - word) : 0;
    return shell_is_name(word, size) ? size : 0;
}

static int32_t assign(struct shell *shell, size_t count, char **word)
{
    for (size_t i = 0; i < count; i++) {
        size_t size = assigned_name(word[i]);
        if (size == 0) {
            fprintf(stderr, "shell: '%s' after %s: variables are set in a command of their own\n",
                    word[i], word[0]);
            return SHELL_USAGE;
        }
        if (!shell_variable_set(shell, word[i], size, word[i] + size + 1)) {
            return SHELL_FAILED;
        }
    }
    return SHELL_OK;
}

int32_t shell_execute_words(struct shell *shell, size_t count, char **word)
{
    if (count == 0) {
        return SHELL_OK;
    }
    if (assigned_name(word[0]) > 0) {
        return assign(shell, count, word);
    }
    const struct shell_builtin *builtin = shell_builtin_find(word[0]);
    if (builtin != NULL) {
        if (shell->background && !builtin->starts_apps) {
            fprintf(stderr, "shell: %s is part of the shell and cannot run in the background\n",
                    word[0]);
            return SHELL_USAGE;
        }
        return builtin->run(shell, count, word);
    }
    int32_t result;
    if (shell_apps_try(shell, count, word, &result)) {
        return result;
    }
    fprintf(stderr, "shell: no command or app '%s'; `help` lists commands, `run` apps\n", word[0]);
    return SHELL_NOT_FOUND;
}

static bool condition_holds(const struct shell *shell, enum shell_condition condition)
{
    switch (condition) {
    case SHELL_IF_SUCCEEDED: return shell->status == 0;
    case SHELL_IF_FAILED: return shell->status != 0;
    case SHELL_ALWAYS: break;
    }
    return true;
}

static int32_t execute_command(struct shell *shell, const struct shell_command *command)
{
    struct shell_words words;
    struct shell_error error;
    if (!shell_expand(command, shell_variable_lookup, shell, &words, &error)) {
        fprintf(stderr, "shell: %s\n", error.text);
        return SHELL_USAGE;
    }
    shell->background = command->background;
    return shell_execute_words(shell, words.count, words.word);
}

void shell_execute_line(struct shell *shell, const char *line)
{
    struct shell_list list;
    struct shell_error error;
    if (!shell_parse(line, &list, &error)) {
        fprintf(stderr, "shell: %s\n", error.text);
        shell->status = SHELL_USAGE;
        return;
    }
    shell->interrupted = false;
    for (size_t i = 0; i < list.count && !shell->interrupted && !shell->leave; i++) {
        if (condition_holds(shell, list.commands[i].condition)) {
            shell->status = execute_command(shell, &list.commands[i]);
        }
    }
}
