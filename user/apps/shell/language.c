/* Commands that are part of the language, or change the shell itself. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shell.h"

#define LINE_CHUNK 128

/* ---- Control ---- */

/* The number that may be the command's only argument, at least 1. False after a message. */
static bool parse_count(size_t count, char **word, uint64_t *number)
{
    *number = 1;
    if (count == 1) {
        return true;
    }
    if (count > 2 || !shell_parse_number(word[1], UINT32_MAX, number) || *number == 0) {
        shell_usage(word[0]);
        return false;
    }
    return true;
}

int32_t shell_break(struct shell *shell, size_t count, char **word)
{
    uint64_t levels;
    if (!parse_count(count, word, &levels)) {
        return SHELL_USAGE;
    }
    if (shell->loops == 0) {
        fprintf(stderr, "%s: not in a loop\n", word[0]);
        return SHELL_FAILED;
    }
    shell->jump = word[0][0] == 'b' ? SHELL_BREAK : SHELL_CONTINUE;
    shell->jump_levels = levels < shell->loops ? (size_t)levels : shell->loops;
    return SHELL_OK;
}

int32_t shell_return(struct shell *shell, size_t count, char **word)
{
    uint64_t status = (uint64_t)(uint32_t)shell->status;
    if (count > 2 || (count == 2 && !shell_parse_number(word[1], UINT8_MAX, &status))) {
        return shell_usage(word[0]);
    }
    if (shell->calls == 0) {
        fprintf(stderr, "return: not in a function or a file\n");
        return SHELL_FAILED;
    }
    shell->jump = SHELL_RETURN;
    return (int32_t)status;
}

int32_t shell_eval(struct shell *shell, size_t count, char **word)
{
    size_t size = 0;
    for (size_t i = 1; i < count; i++) {
        size += strlen(word[i]) + 1;
    }
    char *text = calloc(size + 1, 1);
    if (text == NULL) {
        return shell_failed(word[0], "join the words", FTL_ERR_NO_MEMORY);
    }
    for (size_t i = 1; i < count; i++) {
        strcat(strcat(text, word[i]), " ");
    }
    shell->status = SHELL_OK;
    shell_run_text(shell, NULL, (struct shell_text){ text, size });
    free(text);
    return shell->status;
}

int32_t shell_dot(struct shell *shell, size_t count, char **word)
{
    if (count != 2) {
        return shell_usage(word[0]);
    }
    if (shell->calls == SHELL_DEPTH_MAX) {
        fprintf(stderr, ".: more than %d calls in one another\n", SHELL_DEPTH_MAX);
        return SHELL_FAILED;
    }
    shell->calls++;
    int32_t status = shell_run_file(shell, word[1]);
    shell->calls--;
    if (shell->jump == SHELL_RETURN) {
        shell->jump = SHELL_GO_ON;
    }
    return status;
}

/* ---- Variables and parameters ---- */

static int32_t print_exported(const struct shell *shell, const char *format)
{
    struct shell_fields strings;
    if (!shell_variables_exported(shell, false, &strings)) {
        return shell_failed("export", "list the variables", FTL_ERR_NO_MEMORY);
    }
    for (size_t i = 0; i < strings.count; i++) {
        printf(format, strings.field[i]);
    }
    shell_fields_free(&strings);
    return SHELL_OK;
}

int32_t shell_export(struct shell *shell, size_t count, char **word)
{
    if (count == 1) {
        return print_exported(shell, "export %s\n");
    }
    for (size_t i = 1; i < count; i++) {
        size_t size = strcspn(word[i], "=");
        if (!shell_is_name(word[i], size)) {
            fprintf(stderr, "export: '%s' is not NAME or NAME=VALUE\n", word[i]);
            return SHELL_USAGE;
        }
        if ((word[i][size] == '=' &&
             !shell_variable_set(shell, word[i], size, word[i] + size + 1)) ||
            !shell_variable_export(shell, word[i], size)) {
            return SHELL_FAILED;
        }
    }
    return SHELL_OK;
}

int32_t shell_unset(struct shell *shell, size_t count, char **word)
{
    bool functions = count > 1 && strcmp(word[1], "-f") == 0;
    size_t first = functions || (count > 1 && strcmp(word[1], "-v") == 0) ? 2 : 1;
    if (first == count) {
        return shell_usage(word[0]);
    }
    for (size_t i = first; i < count; i++) {
        if (functions) {
            shell_function_unset(shell, word[i]);
        } else {
            shell_variable_unset(shell, word[i], strlen(word[i]));
        }
    }
    return SHELL_OK;
}

/* -e, +x, -ex */
static bool set_options(struct shell *shell, const char *text)
{
    bool on = text[0] == '-';
    for (text++; *text != '\0'; text++) {
        switch (*text) {
        case 'e': shell->exits_on_error = on; break;
        case 'x': shell->traces = on; break;
        default:
            fprintf(stderr, "set: there is no option %c; there are e and x\n", *text);
            return false;
        }
    }
    return true;
}

int32_t shell_set(struct shell *shell, size_t count, char **word)
{
    size_t first = 1;
    if (count == 1) {
        for (const struct shell_variable *v = shell->variables; v != NULL; v = v->next) {
            printf("%s=%s\n", v->name, v->value != NULL ? v->value : "");
        }
        return SHELL_OK;
    }
    for (; first < count && (word[first][0] == '-' || word[first][0] == '+'); first++) {
        if (strcmp(word[first], "--") == 0) {
            first++;
            return shell_parameters_set(shell, count - first, word + first) ? SHELL_OK
                                                                            : SHELL_FAILED;
        }
        if (!set_options(shell, word[first])) {
            return SHELL_USAGE;
        }
    }
    if (first == count) {
        return SHELL_OK;
    }
    return shell_parameters_set(shell, count - first, word + first) ? SHELL_OK : SHELL_FAILED;
}

int32_t shell_shift(struct shell *shell, size_t count, char **word)
{
    uint64_t number;
    if (!parse_count(count, word, &number)) {
        return SHELL_USAGE;
    }
    if (number > shell->parameter_count) {
        fprintf(stderr, "shift: there are only %zu parameters\n", shell->parameter_count);
        return SHELL_FAILED;
    }
    size_t left = shell->parameter_count - (size_t)number;
    for (size_t i = 0; i < (size_t)number; i++) {
        free(shell->parameters[i]);
    }
    memmove(shell->parameters, shell->parameters + number, (left + 1) * sizeof(char *));
    shell->parameter_count = left;
    return SHELL_OK;
}

/* ---- Reading ---- */

/* Reads a line without its end, to be freed; `*ended`: there was none. NULL: no memory. One byte at
 * a time, since what is behind the line is for others. */
static char *read_line(bool raw, bool *ended)
{
    char *line = malloc(LINE_CHUNK);
    size_t capacity = LINE_CHUNK;
    size_t size = 0;
    *ended = false;
    while (line != NULL) {
        char c;
        if (read(STDIN_FILENO, &c, 1) != 1) {
            *ended = true;
            break;
        }
        if (c == '\n' && !(size > 0 && line[size - 1] == '\\' && !raw)) {
            break;
        }
        if (c == '\n') {
            size--;
            continue;
        }
        line[size++] = c;
        if (size == capacity) {
            char *larger = realloc(line, 2 * capacity);
            if (larger == NULL) {
                free(line);
                return NULL;
            }
            line = larger;
            capacity *= 2;
        }
    }
    if (line != NULL) {
        line[size] = '\0';
    }
    return line;
}

/* The next field of the line; the last one is all that is left. */
static char *next_field(char **rest, const char *ifs, bool is_last)
{
    char *field = *rest + strspn(*rest, ifs);
    char *end;
    if (is_last) {
        end = field + strlen(field);
        while (end > field && strchr(ifs, end[-1]) != NULL) {
            end--;
        }
        *rest = end;
    } else {
        end = field + strcspn(field, ifs);
        *rest = *end != '\0' ? end + 1 : end;
    }
    *end = '\0';
    return field;
}

static int32_t assign_fields(struct shell *shell, char *line, size_t count, char **name)
{
    const char *ifs = shell_variable(shell, "IFS");
    char *rest = line;
    ifs = ifs != NULL ? ifs : " \t\n";
    for (size_t i = 0; i < count; i++) {
        const char *field = next_field(&rest, ifs, i + 1 == count);
        if (!shell_variable_set(shell, name[i], strlen(name[i]), field)) {
            return SHELL_FAILED;
        }
    }
    return SHELL_OK;
}

int32_t shell_read(struct shell *shell, size_t count, char **word)
{
    static char reply[] = "REPLY";
    char *default_name[] = { reply };
    bool ended = false;
    bool raw = count > 1 && strcmp(word[1], "-r") == 0;
    size_t first = raw ? 2 : 1;
    for (size_t i = first; i < count; i++) {
        if (!shell_is_name(word[i], strlen(word[i]))) {
            return shell_usage(word[0]);
        }
    }
    char *line = shell->is_interactive && isatty(STDIN_FILENO) ? shell_read_console(shell, &ended)
                                                               : read_line(raw, &ended);
    if (line == NULL) {
        return shell->interrupted ? FTL_EXIT_INTERRUPTED
                                  : shell_failed(word[0], "read a line", FTL_ERR_NO_MEMORY);
    }
    int32_t status = first < count ? assign_fields(shell, line, count - first, word + first)
                                   : assign_fields(shell, line, 1, default_name);
    free(line);
    return ended ? SHELL_FAILED : status;
}

/* ---- Directories ---- */

int32_t shell_cd(struct shell *shell, size_t count, char **word)
{
    char former[PATH_MAX];
    const char *target = count > 1 ? word[1] : shell_variable(shell, "HOME");
    if (count > 2) {
        return shell_usage(word[0]);
    }
    if (target == NULL) {
        target = "/";
    }
    bool back = strcmp(target, "-") == 0;
    if (back) {
        target = shell_variable(shell, "OLDPWD");
        if (target == NULL) {
            fprintf(stderr, "cd: there is no directory to go back to\n");
            return SHELL_FAILED;
        }
    }
    bool known = getcwd(former, sizeof(former)) != NULL;
    if (chdir(target) != 0) {
        fprintf(stderr, "cd: %s: %s\n", target, strerror(errno));
        return SHELL_FAILED;
    }
    if (back) {
        puts(target);
    }
    if (known) {
        shell_variable_set(shell, "OLDPWD", strlen("OLDPWD"), former);
    }
    if (getcwd(former, sizeof(former)) != NULL) {
        shell_variable_set(shell, "PWD", strlen("PWD"), former);
    }
    return SHELL_OK;
}

int32_t shell_pwd(struct shell *shell, size_t count, char **word)
{
    char path[PATH_MAX];
    (void)shell;
    if (count > 1) {
        return shell_usage(word[0]);
    }
    if (getcwd(path, sizeof(path)) == NULL) {
        fprintf(stderr, "pwd: %s\n", strerror(errno));
        return SHELL_FAILED;
    }
    puts(path);
    return SHELL_OK;
}

/* ---- type ---- */

static bool print_type(struct shell *shell, char *name)
{
    struct shell_target target;
    int32_t result = SHELL_OK;
    if (shell_function_find(shell, name) != NULL) {
        printf("%s is a function\n", name);
    } else if (shell_builtin_find(name) != NULL) {
        printf("%s is a command of the shell\n", name);
    } else if (shell_target_find(shell, 1, &name, &target, &result) && result == SHELL_OK) {
        printf("%s is the program %s (%s)\n", name,
               target.path[0] != '\0' ? target.path : target.app.program,
               target.any_isolation ? "as it was built" : ftl_isolation_name(target.isolation));
    } else {
        return false;
    }
    return true;
}

int32_t shell_type(struct shell *shell, size_t count, char **word)
{
    int32_t status = SHELL_OK;
    if (count == 1) {
        return shell_usage(word[0]);
    }
    for (size_t i = 1; i < count; i++) {
        if (!print_type(shell, word[i])) {
            status = SHELL_NOT_FOUND;
        }
    }
    return status;
}
