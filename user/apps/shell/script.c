/* Running text: what was entered, files, -c, eval. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shell.h"

#define READ_CHUNK 4096

static void report(const char *name, const struct shell_error *error)
{
    if (name != NULL) {
        fprintf(stderr, "%s: %s\n", name, error->text);
    } else {
        fprintf(stderr, "shell: %s\n", error->text);
    }
}

static void run_program(struct shell *shell, const struct shell_program *program)
{
    const struct shell_program *running = shell->program;
    if (program->list != NULL) {
        shell->program = program;
        shell_run_node(shell, program->list);
        shell->program = running;
    }
}

void shell_run_text(struct shell *shell, const char *name, struct shell_text text)
{
    size_t position = 0;
    while (position < text.size && !shell_stops(shell)) {
        struct shell_program program;
        struct shell_error error;
        if (!shell_parse(text, &position, &program, &error)) {
            report(name, &error);
            shell->status = SHELL_USAGE;
            return;
        }
        run_program(shell, &program);
        shell_program_free(&program);
    }
}

void shell_run_state(struct shell *shell, struct shell_text state, int32_t status)
{
    const char *end = memchr(state.at, '\0', state.size);
    size_t size = end != NULL ? (size_t)(end - state.at) : state.size;
    shell_run_text(shell, NULL, (struct shell_text){ state.at, size });
    shell->status = status;
    if (end != NULL) {
        shell_run_text(shell, NULL, (struct shell_text){ end + 1, state.size - size - 1 });
    }
}

/* ---- Files ---- */

/* The file's contents, to be freed; NULL after an error. */
static char *read_all(int file, size_t *size)
{
    char *text = NULL;
    size_t capacity = 0;
    ssize_t got;
    *size = 0;
    do {
        if (capacity - *size < READ_CHUNK) {
            capacity = 2 * capacity + READ_CHUNK;
            char *larger = realloc(text, capacity);
            if (larger == NULL) {
                free(text);
                return NULL;
            }
            text = larger;
        }
        got = read(file, text + *size, READ_CHUNK);
        *size += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    if (got < 0) {
        free(text);
        return NULL;
    }
    return text;
}

int32_t shell_run_file(struct shell *shell, const char *path)
{
    size_t size;
    int file = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    char *text = file >= 0 ? read_all(file, &size) : NULL;
    if (text == NULL) {
        fprintf(stderr, "shell: cannot read %s: %s\n", path != NULL ? path : "the input",
                strerror(errno));
    }
    if (path != NULL && file >= 0) {
        close(file);
    }
    if (text == NULL) {
        return SHELL_NOT_FOUND;
    }
    shell->status = SHELL_OK;
    shell_run_text(shell, path, (struct shell_text){ text, size });
    free(text);
    return shell->status;
}

/* ---- Lines ---- */

static bool add_line(struct shell *shell, const char *line)
{
    size_t size = strlen(line);
    char *larger = realloc(shell->lines, shell->lines_size + size + 2);
    if (larger == NULL) {
        return false;
    }
    shell->lines = larger;
    memcpy(shell->lines + shell->lines_size, line, size);
    shell->lines_size += size;
    shell->lines[shell->lines_size++] = '\n';
    return true;
}

void shell_forget_lines(struct shell *shell)
{
    free(shell->lines);
    shell->lines = NULL;
    shell->lines_size = 0;
}

/* Is the text the beginning of commands that are well-formed so far? */
static bool is_incomplete(struct shell_text text)
{
    struct shell_program program;
    struct shell_error error = { .incomplete = false };
    size_t position = 0;
    while (position < text.size) {
        if (!shell_parse(text, &position, &program, &error)) {
            return error.incomplete;
        }
        shell_program_free(&program);
    }
    return false;
}

bool shell_run_line(struct shell *shell, const char *line, bool is_last)
{
    if (!add_line(shell, line)) {
        shell_forget_lines(shell);
        fprintf(stderr, "shell: no memory for the line\n");
        shell->status = SHELL_FAILED;
        return true;
    }
    /* Without the last newline, so that a \ before it continues the line. */
    struct shell_text text = { shell->lines, shell->lines_size - 1 };
    if (!is_last && is_incomplete(text)) {
        return false;
    }
    char *taken = shell->lines;
    shell->lines = NULL;
    shell->lines_size = 0;
    shell->interrupted = false;
    shell->jump = SHELL_GO_ON;
    shell_run_text(shell, NULL, text);
    shell->jump = SHELL_GO_ON;
    if (shell->interrupted) {
        shell->status = FTL_EXIT_INTERRUPTED;
    }
    free(taken);
    return true;
}
