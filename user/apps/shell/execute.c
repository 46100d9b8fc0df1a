/* Running what was parsed, but for simple commands and pipelines. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shell.h"

bool shell_stops(struct shell *shell)
{
    shell_take_interrupt(shell);
    return shell->leave || shell->interrupted || shell->jump != SHELL_GO_ON;
}

static int32_t report(const struct shell_error *error)
{
    fprintf(stderr, "shell: %s\n", error->text);
    return SHELL_USAGE;
}

/* Runs a condition, whose failure is no error. */
static int32_t run_tested(struct shell *shell, const struct shell_node *node)
{
    shell->tested++;
    int32_t status = shell_run_node(shell, node);
    shell->tested--;
    return status;
}

static int32_t run_list(struct shell *shell, const struct shell_node *node)
{
    for (const struct shell_node *member = node->first; member != NULL; member = member->next) {
        shell->status = member->background ? shell_run_background(shell, member)
                                           : shell_run_node(shell, member);
        if (shell_stops(shell)) {
            break;
        }
    }
    return shell->status;
}

static int32_t run_and_or(struct shell *shell, const struct shell_node *node)
{
    int32_t status = run_tested(shell, node->first);
    shell->status = status;
    if (shell_stops(shell) || (status == 0) != (node->kind == SHELL_AND)) {
        return status;
    }
    return shell_run_node(shell, node->second);
}

static int32_t run_if(struct shell *shell, const struct shell_node *node)
{
    int32_t status = run_tested(shell, node->first);
    if (shell_stops(shell)) {
        return status;
    }
    const struct shell_node *chosen = status == 0 ? node->second : node->third;
    return chosen != NULL ? shell_run_node(shell, chosen) : SHELL_OK;
}

/* After a loop's commands: does it go round again? */
static bool goes_on(struct shell *shell)
{
    if ((shell->jump == SHELL_BREAK || shell->jump == SHELL_CONTINUE) && shell->jump_levels > 1) {
        shell->jump_levels--;
        return false;
    }
    bool again = shell->jump != SHELL_BREAK;
    if (shell->jump != SHELL_RETURN) {
        shell->jump = SHELL_GO_ON;
    }
    return again && !shell_stops(shell);
}

static int32_t run_while(struct shell *shell, const struct shell_node *node)
{
    int32_t status = SHELL_OK;
    shell->loops++;
    for (;;) {
        bool holds = (run_tested(shell, node->first) == 0) == (node->kind == SHELL_WHILE);
        if (shell->jump == SHELL_GO_ON && (!holds || shell_stops(shell))) {
            break;
        }
        if (shell->jump == SHELL_GO_ON) {
            status = shell_run_node(shell, node->second);
        }
        if (!goes_on(shell)) {
            break;
        }
    }
    shell->loops--;
    return status;
}

static int32_t run_for_values(struct shell *shell, const struct shell_node *node, size_t count,
                              char *const *value)
{
    int32_t status = SHELL_OK;
    shell->loops++;
    for (size_t i = 0; i < count; i++) {
        if (!shell_variable_set(shell, node->name.at, node->name.size, value[i])) {
            status = SHELL_FAILED;
            break;
        }
        status = shell_run_node(shell, node->second);
        if (!goes_on(shell)) {
            break;
        }
    }
    shell->loops--;
    return status;
}

static int32_t run_for(struct shell *shell, const struct shell_node *node)
{
    static const struct shell_word all = { .text = { "\"$@\"", 4 } };
    struct shell_error error;
    struct shell_fields fields;
    if (!shell_expand_words(&shell->source, node->has_in ? node->words : &all, &fields, &error)) {
        return report(&error);
    }
    int32_t status = run_for_values(shell, node, fields.count, fields.field);
    shell_fields_free(&fields);
    return status;
}

/* Whether one of the item's patterns matches; false with `failed` after an error. */
static bool item_matches(struct shell *shell, const struct shell_node *item, const char *subject,
                         struct shell_error *error, bool *failed)
{
    for (const struct shell_word *word = item->words; word != NULL; word = word->next) {
        char *pattern = shell_expand_pattern(&shell->source, word->text, error);
        if (pattern == NULL) {
            *failed = true;
            return false;
        }
        bool matches = fnmatch(pattern, subject, 0) == 0;
        free(pattern);
        if (matches) {
            return true;
        }
    }
    return false;
}

static int32_t run_case(struct shell *shell, const struct shell_node *node)
{
    struct shell_error error;
    bool failed = false;
    char *subject = shell_expand_text(&shell->source, node->words->text, &error);
    if (subject == NULL) {
        return report(&error);
    }
    const struct shell_node *item = node->first;
    while (item != NULL && !item_matches(shell, item, subject, &error, &failed) && !failed) {
        item = item->next;
    }
    free(subject);
    if (failed) {
        return report(&error);
    }
    return item != NULL && item->first != NULL ? shell_run_node(shell, item->first) : SHELL_OK;
}

static int32_t define(struct shell *shell, const struct shell_node *node)
{
    char *text = shell_node_text(shell, node->first);
    bool ok = text != NULL && shell_function_set(shell, node->name, text);
    free(text);
    return ok ? SHELL_OK : SHELL_FAILED;
}

/* A compound command without its redirections. */
static int32_t run_compound(struct shell *shell, const struct shell_node *node)
{
    switch (node->kind) {
    case SHELL_LIST: return run_list(shell, node);
    case SHELL_AND:
    case SHELL_OR: return run_and_or(shell, node);
    case SHELL_GROUP: return run_list(shell, node->first);
    case SHELL_IF: return run_if(shell, node);
    case SHELL_WHILE:
    case SHELL_UNTIL: return run_while(shell, node);
    case SHELL_FOR: return run_for(shell, node);
    case SHELL_CASE: return run_case(shell, node);
    case SHELL_FUNCTION: return define(shell, node);
    case SHELL_COMMAND:
    case SHELL_PIPELINE:
    case SHELL_SUBSHELL:
    case SHELL_CASE_ITEM: break;
    }
    return SHELL_FAILED;
}

static int32_t run_redirected(struct shell *shell, const struct shell_node *node)
{
    struct shell_saved saved;
    if (node->redirections == NULL) {
        return run_compound(shell, node);
    }
    if (!shell_redirect(shell, node->redirections, &saved)) {
        return SHELL_FAILED;
    }
    int32_t status = run_compound(shell, node);
    shell_redirect_back(&saved);
    return status;
}

static bool is_checked(const struct shell_node *node)
{
    return node->kind == SHELL_COMMAND || node->kind == SHELL_SUBSHELL ||
           (node->kind == SHELL_PIPELINE && !node->negated);
}

int32_t shell_run_node(struct shell *shell, const struct shell_node *node)
{
    int32_t status;
    switch (node->kind) {
    case SHELL_COMMAND: status = shell_run_command(shell, node); break;
    case SHELL_PIPELINE: status = shell_run_pipeline(shell, node); break;
    case SHELL_SUBSHELL: status = shell_run_beside(shell, node); break;
    default: status = run_redirected(shell, node); break;
    }
    if (status != SHELL_OK && shell->exits_on_error && shell->tested == 0 && is_checked(node)) {
        shell->leave = true;
    }
    shell->status = status;
    return status;
}
