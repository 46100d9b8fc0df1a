/* Simple commands: assignments, functions, the shell's own commands, programs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shell.h"

static int32_t report(const struct shell_error *error)
{
    fprintf(stderr, "shell: %s\n", error->text);
    return SHELL_USAGE;
}

/* ---- Assignments ---- */

static bool assign(struct shell *shell, struct shell_text word)
{
    struct shell_error error;
    size_t size = shell_assigned_name(word);
    struct shell_text rest = { word.at + size + 1, word.size - size - 1 };
    char *value = shell_expand_text(&shell->source, rest, &error);
    if (value == NULL) {
        report(&error);
        return false;
    }
    bool ok = shell_variable_set(shell, word.at, size, value);
    free(value);
    return ok;
}

static bool assign_all(struct shell *shell, const struct shell_word *assignments)
{
    for (; assignments != NULL; assignments = assignments->next) {
        if (!assign(shell, assignments->text)) {
            return false;
        }
    }
    return true;
}

/* What the variables of assignments before a command were. */
struct former {
    struct former *next;
    struct shell_text name;
    char *value; /* NULL: not set */
    bool exported;
};

static const struct shell_variable *find_variable(const struct shell *shell, struct shell_text name)
{
    const struct shell_variable *variable = shell->variables;
    while (variable != NULL && (strlen(variable->name) != name.size ||
                                memcmp(variable->name, name.at, name.size) != 0)) {
        variable = variable->next;
    }
    return variable;
}

static bool remember(struct shell *shell, struct shell_text word, struct former **formers)
{
    struct former *former = calloc(1, sizeof(*former));
    if (former == NULL) {
        return false;
    }
    former->name = (struct shell_text){ word.at, shell_assigned_name(word) };
    const struct shell_variable *variable = find_variable(shell, former->name);
    if (variable != NULL) {
        former->exported = variable->exported;
        former->value = variable->value != NULL ? strdup(variable->value) : NULL;
    }
    former->next = *formers;
    *formers = former;
    return true;
}

/* Takes back the assignments, in reverse order. */
static void restore(struct shell *shell, struct former *formers)
{
    while (formers != NULL) {
        struct former *next = formers->next;
        shell_variable_unset(shell, formers->name.at, formers->name.size);
        if (formers->value != NULL) {
            shell_variable_set(shell, formers->name.at, formers->name.size, formers->value);
        }
        if (formers->exported) {
            shell_variable_export(shell, formers->name.at, formers->name.size);
        }
        free(formers->value);
        free(formers);
        formers = next;
    }
}

/* Assignments for one command alone, which sees them as exported variables. */
static bool assign_for_command(struct shell *shell, const struct shell_word *assignments,
                               struct former **formers)
{
    *formers = NULL;
    for (; assignments != NULL; assignments = assignments->next) {
        struct shell_text word = assignments->text;
        if (!remember(shell, word, formers) || !assign(shell, word) ||
            !shell_variable_export(shell, word.at, shell_assigned_name(word))) {
            restore(shell, *formers);
            return false;
        }
    }
    return true;
}

/* ---- Running ---- */

static int32_t call_function(struct shell *shell, struct shell_function *function, size_t count,
                             char **word)
{
    struct shell_fields callers = { shell->parameter_count, shell->parameters };
    const struct shell_program *program = shell->program;
    if (shell->calls == SHELL_DEPTH_MAX) {
        fprintf(stderr, "%s: more than %d calls in one another\n", word[0], SHELL_DEPTH_MAX);
        return SHELL_FAILED;
    }
    shell->parameters = NULL;
    shell->parameter_count = 0;
    int32_t status = SHELL_FAILED;
    if (shell_parameters_set(shell, count - 1, word + 1)) {
        shell->calls++;
        function->users++;
        shell->program = &function->program;
        status = shell_run_node(shell, function->program.list);
        if (shell->jump == SHELL_RETURN) {
            shell->jump = SHELL_GO_ON;
            status = shell->status;
        }
        function->users--;
        shell->calls--;
        shell_function_release(shell, function);
    }
    struct shell_fields own = { shell->parameter_count, shell->parameters };
    shell_fields_free(&own);
    shell->parameters = callers.field;
    shell->parameter_count = callers.count;
    shell->program = program;
    return status;
}

static int32_t run_builtin(struct shell *shell, const struct shell_builtin *builtin, size_t count,
                           char **word)
{
    int32_t status = builtin->run(shell, count, word);
    bool failed = fflush(stdout) != 0 || ferror(stdout) != 0;
    clearerr(stdout);
    if (failed && status == SHELL_OK) {
        fprintf(stderr, "%s: cannot write its output\n", word[0]);
        status = SHELL_FAILED;
    }
    return status;
}

int32_t shell_run_words(struct shell *shell, size_t count, char **word)
{
    struct shell_target target;
    struct shell_children children = { .count = 1 };
    int32_t result = SHELL_OK;
    struct shell_function *function = shell_function_find(shell, word[0]);
    if (function != NULL) {
        return call_function(shell, function, count, word);
    }
    if (!shell_target_find(shell, count, word, &target, &result)) {
        return run_builtin(shell, shell_builtin_find(word[0]), count, word);
    }
    if (result != SHELL_OK) {
        return result;
    }
    if (!shell_target_start(shell, &target, count, word, &children.child[0])) {
        return SHELL_NO_START;
    }
    return shell_wait_foreground(shell, &children);
}

static void trace(const struct shell *shell, const struct shell_word *assignments, size_t count,
                  char **word)
{
    if (!shell->traces) {
        return;
    }
    char *text = shell_quote_words(count, word);
    fputc('+', stderr);
    for (; assignments != NULL; assignments = assignments->next) {
        fprintf(stderr, " %.*s", (int)assignments->text.size, assignments->text.at);
    }
    fprintf(stderr, "%s%s\n", count > 0 ? " " : "", text != NULL ? text : "");
    free(text);
}

/* `exec` without a program: the redirections stay. */
static bool is_exec_alone(const struct shell_fields *fields)
{
    return fields->count == 1 && strcmp(fields->field[0], "exec") == 0;
}

static int32_t run_fields(struct shell *shell, const struct shell_node *node,
                          const struct shell_fields *fields)
{
    struct former *formers;
    struct shell_saved saved;
    if (!shell_redirect(shell, node->redirections, &saved)) {
        return SHELL_FAILED;
    }
    if (is_exec_alone(fields)) {
        shell_redirect_for_good(&saved);
        return SHELL_OK;
    }
    int32_t status = SHELL_FAILED;
    if (assign_for_command(shell, node->assignments, &formers)) {
        status = shell_run_words(shell, fields->count, fields->field);
        restore(shell, formers);
    }
    shell_redirect_back(&saved);
    return status;
}

/* A command of assignments and redirections alone. */
static int32_t run_without_words(struct shell *shell, const struct shell_node *node)
{
    struct shell_saved saved;
    if (!assign_all(shell, node->assignments)) {
        return SHELL_FAILED;
    }
    if (!shell_redirect(shell, node->redirections, &saved)) {
        return SHELL_FAILED;
    }
    shell_redirect_back(&saved);
    return shell->substituted ? shell->substitution_status : SHELL_OK;
}

int32_t shell_run_command(struct shell *shell, const struct shell_node *node)
{
    struct shell_error error;
    struct shell_fields fields;
    shell->substituted = false;
    if (!shell_expand_words(&shell->source, node->words, &fields, &error)) {
        return report(&error);
    }
    trace(shell, node->assignments, fields.count, fields.field);
    int32_t status =
        fields.count > 0 ? run_fields(shell, node, &fields) : run_without_words(shell, node);
    shell_fields_free(&fields);
    return status;
}

/* ---- Beside the shell ---- */

/* A command of the shell or a function, run by another shell. */
static bool start_own(struct shell *shell, const struct shell_fields *fields,
                      struct shell_child *child)
{
    char *text = shell_quote_words(fields->count, fields->field);
    bool ok =
        text != NULL && shell_start_beside(shell, (struct shell_text){ text, strlen(text) }, child);
    free(text);
    return ok;
}

static bool start_fields(struct shell *shell, const struct shell_node *node,
                         const struct shell_fields *fields, struct shell_child *child,
                         int32_t *result)
{
    struct former *formers;
    struct shell_saved saved;
    struct shell_target target;
    bool started = false;
    *result = SHELL_FAILED;
    if (!shell_redirect(shell, node->redirections, &saved)) {
        return false;
    }
    if (assign_for_command(shell, node->assignments, &formers)) {
        *result = SHELL_OK;
        if (fields->count == 0 || shell_function_find(shell, fields->field[0]) != NULL ||
            !shell_target_find(shell, fields->count, fields->field, &target, result)) {
            started = start_own(shell, fields, child);
        } else if (*result == SHELL_OK) {
            started = shell_target_start(shell, &target, fields->count, fields->field, child);
        }
        if (!started && *result == SHELL_OK) {
            *result = SHELL_NO_START;
        }
        restore(shell, formers);
    }
    shell_redirect_back(&saved);
    return started;
}

/* A compound command. Of ( ) what is inside: the other shell is what they ask for. */
static bool start_compound(struct shell *shell, const struct shell_node *node,
                           struct shell_child *child)
{
    struct shell_saved saved = { .count = 0 };
    bool inside = node->kind == SHELL_SUBSHELL;
    if (inside && !shell_redirect(shell, node->redirections, &saved)) {
        return false;
    }
    char *text = shell_node_text(shell, inside ? node->first : node);
    bool ok =
        text != NULL && shell_start_beside(shell, (struct shell_text){ text, strlen(text) }, child);
    free(text);
    shell_redirect_back(&saved);
    return ok;
}

bool shell_start_node(struct shell *shell, const struct shell_node *node, struct shell_child *child,
                      int32_t *result)
{
    struct shell_error error;
    struct shell_fields fields;
    if (node->kind != SHELL_COMMAND) {
        bool ok = start_compound(shell, node, child);
        *result = ok ? SHELL_OK : SHELL_NO_START;
        return ok;
    }
    if (!shell_expand_words(&shell->source, node->words, &fields, &error)) {
        *result = report(&error);
        return false;
    }
    trace(shell, node->assignments, fields.count, fields.field);
    bool started = start_fields(shell, node, &fields, child, result);
    shell_fields_free(&fields);
    return started;
}
