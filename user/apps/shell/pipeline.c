/* Pipelines, background, ( ), $( ): what runs beside the shell, or all at once. */
#define _GNU_SOURCE /* pipe2 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shell.h"

#define OUTPUT_CHUNK 4096

/* ---- Pipelines ---- */

static size_t count_stages(const struct shell_node *stage)
{
    size_t count = 0;
    for (; stage != NULL; stage = stage->next) {
        count++;
    }
    return count;
}

static bool no_pipe(void)
{
    perror("shell: cannot make a pipe");
    return false;
}

/*
 * Starts one stage. `*input` is the end to read from that the stage before has left, or -1; it is
 * closed and becomes the next one's.
 */
static bool start_stage(struct shell *shell, const struct shell_node *stage, bool is_last,
                        int *input, struct shell_child *child, int32_t *result)
{
    struct shell_saved saved = { .count = 0 };
    int ends[2] = { -1, -1 };
    *result = SHELL_NO_START;
    bool ok = is_last || pipe2(ends, O_CLOEXEC) == 0 || no_pipe();
    if (*input >= 0) {
        ok = shell_redirect_to(&saved, STDIN_FILENO, *input) && ok;
    }
    if (ends[1] >= 0) {
        ok = shell_redirect_to(&saved, STDOUT_FILENO, ends[1]) && ok;
    }
    *input = ends[0];
    ok = ok && shell_start_node(shell, stage, child, result);
    shell_redirect_back(&saved);
    return ok;
}

/*
 * Starts all stages. One that cannot be started is as one that has ended at once: the others see
 * that in their pipes. `*result` is the status of the last one if it was not started; false: that
 * was so, or there are none to be waited for.
 */
static bool start_stages(struct shell *shell, const struct shell_node *node,
                         struct shell_children *children, int32_t *result)
{
    int input = -1;
    bool started = false;
    children->count = 0;
    for (const struct shell_node *stage = node->first; stage != NULL; stage = stage->next) {
        started = start_stage(shell, stage, stage->next == NULL, &input,
                              &children->child[children->count], result);
        children->count += started;
    }
    if (input >= 0) {
        close(input);
    }
    return started;
}

static bool check_stages(const struct shell_node *node)
{
    if (count_stages(node->first) > SHELL_STAGES_MAX) {
        fprintf(stderr, "shell: a pipeline has at most %d commands\n", SHELL_STAGES_MAX);
        return false;
    }
    return true;
}

int32_t shell_run_pipeline(struct shell *shell, const struct shell_node *node)
{
    struct shell_children children;
    int32_t status;
    int32_t result;
    if (node->first->next == NULL) { /* one command with a ! */
        shell->tested++;
        status = shell_run_node(shell, node->first);
        shell->tested--;
        return status == SHELL_OK ? SHELL_FAILED : SHELL_OK;
    }
    if (!check_stages(node)) {
        return SHELL_USAGE;
    }
    bool last_started = start_stages(shell, node, &children, &result);
    status = shell_wait_foreground(shell, &children);
    if (!last_started) {
        status = result;
    }
    if (!node->negated) {
        return status;
    }
    return status == SHELL_OK ? SHELL_FAILED : SHELL_OK;
}

/* ---- Beside the shell ---- */

int32_t shell_run_background(struct shell *shell, const struct shell_node *node)
{
    struct shell_children children = { .count = 0 };
    int32_t result = SHELL_USAGE;
    bool started;
    if (!shell_job_room(shell)) {
        return SHELL_NO_START;
    }
    if (node->kind == SHELL_PIPELINE && !node->negated) {
        started = check_stages(node) && start_stages(shell, node, &children, &result);
    } else {
        started = shell_start_node(shell, node, &children.child[0], &result);
        children.count = started;
    }
    if (!started) {
        shell_children_drop(&children);
        return result;
    }
    shell_job_add(shell, &children, node->text);
    return SHELL_OK;
}

int32_t shell_run_beside(struct shell *shell, const struct shell_node *node)
{
    struct shell_children children = { .count = 1 };
    int32_t result;
    if (!shell_start_node(shell, node, &children.child[0], &result)) {
        return result;
    }
    return shell_wait_foreground(shell, &children);
}

/* ---- $(...) ---- */

/* What a thread collects from the pipe, while the shell itself waits for processes and Ctrl-C. */
struct collector {
    int input;
    char *text;
    size_t size;
    size_t capacity;
    bool failed;
};

static bool make_room(struct collector *collector)
{
    if (collector->capacity - collector->size >= OUTPUT_CHUNK) {
        return true;
    }
    size_t capacity = 2 * collector->capacity + OUTPUT_CHUNK;
    char *larger = realloc(collector->text, capacity);
    if (larger == NULL) {
        return false;
    }
    collector->text = larger;
    collector->capacity = capacity;
    return true;
}

static void *collect(void *context)
{
    struct collector *collector = context;
    for (;;) {
        if (!make_room(collector)) {
            collector->failed = true;
            break;
        }
        ssize_t got = read(collector->input, collector->text + collector->size, OUTPUT_CHUNK);
        if (got <= 0) {
            collector->failed = got < 0;
            break;
        }
        collector->size += (size_t)got;
    }
    close(collector->input); /* whoever writes on sees that nobody reads */
    return NULL;
}

/* The one command that the text is; NULL when it is more, or something else. */
static const struct shell_node *only_command(const struct shell_program *program)
{
    const struct shell_node *list = program->list;
    return list != NULL && list->first->next == NULL && !list->first->background ? list->first
                                                                                 : NULL;
}

/*
 * Starts the commands of $(...): a single one directly. What could not be started has said so, and
 * is as one that has ended with that status. False: the text is malformed.
 */
static bool start_commands(struct shell *shell, struct shell_text commands,
                           struct shell_children *children, struct shell_error *error)
{
    const struct shell_program *running = shell->program;
    struct shell_program program;
    size_t position = 0;
    int32_t result = SHELL_NO_START;
    bool started;
    if (!shell_parse(commands, &position, &program, error)) {
        return false;
    }
    const struct shell_node *command = position == commands.size ? only_command(&program) : NULL;
    if (command != NULL && command->kind == SHELL_COMMAND) {
        shell->program = &program;
        started = shell_start_node(shell, command, &children->child[0], &result);
        shell->program = running;
    } else {
        started = shell_start_beside(shell, commands, &children->child[0]);
    }
    shell_program_free(&program);
    children->count = started;
    shell->substitution_status = result;
    return true;
}

/* Runs the commands with their output going to the pipe `ends`, of which it closes both. */
static bool run_into_pipe(struct shell *shell, struct shell_text commands, const int ends[2],
                          struct collector *collector, struct shell_error *error)
{
    struct shell_children children = { .count = 0 };
    struct shell_saved saved = { .count = 0 };
    pthread_t thread;
    bool ok = shell_redirect_to(&saved, STDOUT_FILENO, ends[1]);
    if (ok) {
        ok = start_commands(shell, commands, &children, error);
    } else {
        shell_fail(error, "cannot redirect the output of $(...)");
    }
    shell_redirect_back(&saved);
    if (ok && pthread_create(&thread, NULL, collect, collector) != 0) {
        ok = shell_fail(error, "cannot start a thread for $(...)");
    }
    if (!ok) {
        close(ends[0]);
        shell_children_drop(&children);
        return false;
    }
    if (children.count > 0) {
        shell->substitution_status = shell_wait_foreground(shell, &children);
    }
    pthread_join(thread, NULL);
    return !collector->failed || shell_fail(error, "cannot read the output of $(...)");
}

bool shell_substitute(void *context, struct shell_text commands, char **output, size_t *size,
                      struct shell_error *error)
{
    struct shell *shell = context;
    struct collector collector = { .input = -1 };
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return shell_fail(error, "cannot make a pipe for $(...)");
    }
    collector.input = ends[0];
    shell->substituted = true;
    if (!run_into_pipe(shell, commands, ends, &collector, error)) {
        free(collector.text);
        return false;
    }
    *output = collector.text;
    *size = collector.size;
    return true;
}
