/* Variables, parameters and functions: lists, since a script has few of them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shell.h"

#define NUMBER_TEXT 24 /* bytes of a printed 64-bit number */

static bool is_called(const char *name, const char *text, size_t size)
{
    return strlen(name) == size && memcmp(name, text, size) == 0;
}

/* Where the variable is in the list, or the list's end. */
static struct shell_variable **place_of(const struct shell *shell, const char *name, size_t size)
{
    struct shell_variable **place = (struct shell_variable **)(uintptr_t)&shell->variables;
    while (*place != NULL && !is_called((*place)->name, name, size)) {
        place = &(*place)->next;
    }
    return place;
}

/* ---- Values ---- */

static bool no_memory(const char *name, size_t size)
{
    fprintf(stderr, "shell: no memory for %.*s\n", (int)size, name);
    return false;
}

/* The variable, made if there was none. */
static struct shell_variable *provide(struct shell *shell, const char *name, size_t size)
{
    struct shell_variable **place = place_of(shell, name, size);
    if (*place != NULL) {
        return *place;
    }
    struct shell_variable *made = calloc(1, sizeof(*made));
    char *copy = strndup(name, size);
    if (made == NULL || copy == NULL) {
        free(made);
        free(copy);
        no_memory(name, size);
        return NULL;
    }
    made->name = copy;
    *place = made;
    return made;
}

bool shell_variable_set(struct shell *shell, const char *name, size_t size, const char *value)
{
    char *copy = strdup(value);
    struct shell_variable *variable = copy != NULL ? provide(shell, name, size) : NULL;
    if (variable == NULL) {
        free(copy);
        return copy == NULL ? no_memory(name, size) : false;
    }
    free(variable->value);
    variable->value = copy;
    return true;
}

bool shell_variable_export(struct shell *shell, const char *name, size_t size)
{
    struct shell_variable *variable = provide(shell, name, size);
    if (variable != NULL) {
        variable->exported = true;
    }
    return variable != NULL;
}

static void free_variable(struct shell_variable *variable)
{
    free(variable->name);
    free(variable->value);
    free(variable);
}

void shell_variable_unset(struct shell *shell, const char *name, size_t size)
{
    struct shell_variable **place = place_of(shell, name, size);
    struct shell_variable *variable = *place;
    if (variable != NULL) {
        *place = variable->next;
        free_variable(variable);
    }
}

const char *shell_variable(const struct shell *shell, const char *name)
{
    const struct shell_variable *variable = *place_of(shell, name, strlen(name));
    return variable != NULL ? variable->value : NULL;
}

void shell_variables_import(struct shell *shell, char *const *strings)
{
    for (; strings != NULL && *strings != NULL; strings++) {
        size_t size = shell_assigned_name((struct shell_text){ *strings, strlen(*strings) });
        if (size > 0 && shell_variable_set(shell, *strings, size, *strings + size + 1)) {
            shell_variable_export(shell, *strings, size);
        }
    }
}

bool shell_variables_exported(const struct shell *shell, bool for_shell,
                              struct shell_fields *strings)
{
    size_t count = 0;
    for (const struct shell_variable *v = shell->variables; v != NULL; v = v->next) {
        count++;
    }
    *strings = (struct shell_fields){ .field = calloc(count + 1, sizeof(char *)) };
    for (const struct shell_variable *v = shell->variables; v != NULL && strings->field != NULL;
         v = v->next) {
        bool passed_on =
            v->exported || (for_shell && strcmp(v->name, SHELL_BOOT_WORDS_VARIABLE) == 0);
        if (!passed_on || v->value == NULL) {
            continue;
        }
        size_t size = strlen(v->name) + strlen("=") + strlen(v->value) + 1;
        char *string = malloc(size);
        if (string == NULL) {
            shell_fields_free(strings);
            return false;
        }
        snprintf(string, size, "%s=%s", v->name, v->value);
        strings->field[strings->count++] = string;
    }
    return strings->field != NULL;
}

/* ---- Parameters ---- */

bool shell_parameters_set(struct shell *shell, size_t count, char *const *values)
{
    char **copies = calloc(count + 1, sizeof(*copies));
    bool ok = copies != NULL;
    for (size_t i = 0; i < count && ok; i++) {
        copies[i] = strdup(values[i]);
        ok = copies[i] != NULL;
    }
    struct shell_fields former = { shell->parameter_count, shell->parameters };
    struct shell_fields now = { count, copies };
    if (!ok) {
        now.count = copies != NULL ? count : 0;
        shell_fields_free(&now);
        return no_memory("the parameters", strlen("the parameters"));
    }
    shell_fields_free(&former);
    shell->parameters = copies;
    shell->parameter_count = count;
    return true;
}

/* ---- For expansions ---- */

static const char *special(const struct shell *shell, char name)
{
    static char text[NUMBER_TEXT]; /* valid until the next lookup, which is all that is needed */
    switch (name) {
    case '?': snprintf(text, sizeof(text), "%" PRId32, shell->status); break;
    case '$': snprintf(text, sizeof(text), "%" PRIu64, shell->pid); break;
    case '#': snprintf(text, sizeof(text), "%zu", shell->parameter_count); break;
    case '-':
        snprintf(text, sizeof(text), "%s%s", shell->exits_on_error ? "e" : "",
                 shell->traces ? "x" : "");
        break;
    case '!':
        snprintf(text, sizeof(text), "%" PRIu64, shell->background_pid);
        return shell->background_pid != 0 ? text : NULL;
    default: return NULL;
    }
    return text;
}

static const char *lookup(void *context, const char *name, size_t size)
{
    const struct shell *shell = context;
    if (name[0] >= '0' && name[0] <= '9') {
        uint64_t number;
        char digits[NUMBER_TEXT];
        snprintf(digits, sizeof(digits), "%.*s", (int)size, name);
        if (!shell_parse_number(digits, UINT32_MAX, &number)) {
            return NULL;
        }
        if (number == 0) {
            return shell->name;
        }
        return number <= shell->parameter_count ? shell->parameters[number - 1] : NULL;
    }
    if (!shell_is_name(name, size)) {
        return special(shell, name[0]);
    }
    const struct shell_variable *variable = *place_of(shell, name, size);
    return variable != NULL ? variable->value : NULL;
}

static bool assign(void *context, const char *name, size_t size, const char *value,
                   struct shell_error *error)
{
    return shell_variable_set(context, name, size, value) ||
           shell_fail(error, "cannot set %.*s", (int)size, name);
}

static char *const *parameters(void *context, size_t *count)
{
    const struct shell *shell = context;
    *count = shell->parameter_count;
    return shell->parameters;
}

void shell_source_open(struct shell *shell)
{
    shell->source = (struct shell_source){
        .context = shell,
        .lookup = lookup,
        .assign = assign,
        .parameters = parameters,
        .substitute = shell_substitute,
    };
}

/* ---- Functions ---- */

struct shell_function *shell_function_find(struct shell *shell, const char *name)
{
    struct shell_function *function = shell->functions;
    while (function != NULL && (function->is_gone || strcmp(function->name, name) != 0)) {
        function = function->next;
    }
    return function;
}

static void free_function(struct shell_function *function)
{
    shell_program_free(&function->program);
    free(function->name);
    free(function->text);
    free(function);
}

void shell_function_release(struct shell *shell, struct shell_function *function)
{
    if (!function->is_gone || function->users > 0) {
        return;
    }
    struct shell_function **place = &shell->functions;
    while (*place != function) {
        place = &(*place)->next;
    }
    *place = function->next;
    free_function(function);
}

void shell_function_unset(struct shell *shell, const char *name)
{
    struct shell_function *function = shell_function_find(shell, name);
    if (function != NULL) {
        function->is_gone = true;
        shell_function_release(shell, function);
    }
}

bool shell_function_set(struct shell *shell, struct shell_text name, const char *text)
{
    struct shell_error error = { .text = "no memory" };
    struct shell_function *made = calloc(1, sizeof(*made));
    size_t position = 0;
    bool ok = made != NULL && (made->name = strndup(name.at, name.size)) != NULL &&
              (made->text = strdup(text)) != NULL &&
              shell_parse((struct shell_text){ made->text, strlen(made->text) }, &position,
                          &made->program, &error);
    if (!ok) {
        fprintf(stderr, "shell: function %.*s: %s\n", (int)name.size, name.at, error.text);
        if (made != NULL) {
            free_function(made);
        }
        return false;
    }
    shell_function_unset(shell, made->name);
    made->next = shell->functions;
    shell->functions = made;
    return true;
}

void shell_variables_free(struct shell *shell)
{
    while (shell->variables != NULL) {
        struct shell_variable *next = shell->variables->next;
        free_variable(shell->variables);
        shell->variables = next;
    }
    while (shell->functions != NULL) {
        struct shell_function *next = shell->functions->next;
        free_function(shell->functions);
        shell->functions = next;
    }
    struct shell_fields fields = { shell->parameter_count, shell->parameters };
    shell_fields_free(&fields);
    shell->parameters = NULL;
    shell->parameter_count = 0;
}
