/*
 * The shell: reads lines from the console and runs them. Relies on the handles `console`, `system`,
 * `bootimage` and `names` of its environment; its arguments are the words of the boot command line.
 * It waits for the console and Ctrl-C at once, and never blocks in a read.
 */
#include <ftl/console.h>
#include <ftl/environ.h>
#include <ftl/object.h>
#include <ftl/system.h>
#include <stdio.h>
#include <stdlib.h>

#include "shell.h"

static void write_console(void *context, const char *data, size_t size)
{
    (void)context;
    fwrite(data, 1, size, stdout);
    fflush(stdout);
}

/*
 * Takes what is queued, up to the end of a line: what was typed ahead of that belongs to the app
 * that the line may start. A background app may be faster; then there is nothing.
 */
static ftl_status_t read_queued(struct shell *shell)
{
    char *end = shell->input;
    while (end < shell->input + sizeof(shell->input)) {
        size_t got;
        ftl_status_t status = ftl_console_read(shell->console, end, 1, 0, &got);
        if (status == FTL_ERR_TIMED_OUT) {
            break;
        }
        if (status != FTL_OK) {
            return status;
        }
        char byte = *end++;
        if (byte == '\r' || byte == '\n') {
            break;
        }
    }
    shell->input_at = 0;
    shell->input_size = (size_t)(end - shell->input);
    return FTL_OK;
}

/* Waits for input and takes it; CANCELLED when Ctrl-C was typed instead. */
static ftl_status_t fill_input(struct shell *shell)
{
    struct ftl_wait_item item = {
        .handle = shell->console,
        .interest = FTL_SIGNAL_READABLE | FTL_SIGNAL_INTERRUPT,
    };
    size_t ready;
    uint32_t taken;
    ftl_status_t status = ftl_object_wait(&item, 1, FTL_TIME_INFINITE, &ready);
    if (status != FTL_OK) {
        return status;
    }
    if ((item.signals & FTL_SIGNAL_INTERRUPT) != 0) {
        status = ftl_console_take_interrupt(shell->console, &taken);
        return status == FTL_OK ? FTL_ERR_CANCELLED : status;
    }
    return read_queued(shell);
}

/* Edits one line, to its end. An error is one of the console, and final. */
static ftl_status_t read_line(struct shell *shell, enum ftl_line_event *event)
{
    ftl_line_editor_begin(shell->editor, SHELL_PROMPT);
    for (*event = FTL_LINE_PENDING; *event == FTL_LINE_PENDING;) {
        if (shell->input_at == shell->input_size) {
            ftl_status_t status = fill_input(shell);
            if (status == FTL_ERR_CANCELLED) {
                ftl_line_editor_cancel(shell->editor);
                *event = FTL_LINE_CANCELLED;
                return FTL_OK;
            }
            if (status != FTL_OK) {
                return status;
            }
        }
        size_t used;
        *event = ftl_line_editor_feed(shell->editor, shell->input + shell->input_at,
                                      shell->input_size - shell->input_at, &used);
        shell->input_at += used;
    }
    return FTL_OK;
}

static void act(struct shell *shell, enum ftl_line_event event)
{
    switch (event) {
    case FTL_LINE_ENTERED:
        ftl_line_editor_remember(shell->editor, ftl_line_editor_line(shell->editor));
        shell_execute_line(shell, ftl_line_editor_line(shell->editor));
        break;
    case FTL_LINE_TOO_LONG:
        fprintf(stderr, "shell: line not run: it is longer than %d bytes\n", FTL_LINE_MAX);
        shell->status = SHELL_USAGE;
        break;
    case FTL_LINE_CANCELLED: shell->status = FTL_EXIT_INTERRUPTED; break;
    case FTL_LINE_END: puts("`shutdown` powers off; `exit` ends this shell"); break;
    case FTL_LINE_PENDING: break;
    }
}

/* Notes what it took to come here, for `uptime`; 0 when nobody knows. */
static void note_first_prompt(struct shell *shell)
{
    struct ftl_system_info info;
    if (ftl_system_info(shell->system, &info) == FTL_OK) {
        shell->prompt_instructions = info.kernel_instructions;
    }
}

/* Takes what the shell needs from its environment. Failures are reported where something can be. */
static ftl_status_t open_shell(struct shell *shell)
{
    const struct ftl_line_editor_config config = {
        .write = write_console,
        .complete = shell_complete,
        .context = shell,
    };
    shell->console = ftl_environ_find(ftl_environ(), "console");
    shell->system = ftl_environ_find(ftl_environ(), "system");
    shell->names = ftl_environ_find(ftl_environ(), "names");
    ftl_handle_t bootimage = ftl_environ_find(ftl_environ(), "bootimage");
    shell->editor = ftl_line_editor_create(&config);
    if (shell->editor == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    ftl_status_t status = ftl_bootimage_open(&shell->image, bootimage);
    if (status != FTL_OK) {
        fprintf(stderr, "shell: cannot map the boot image, there are no apps: %s\n",
                ftl_strerror(status));
    }
    return FTL_OK;
}

int main(int argc, char **argv)
{
    static struct shell shell;
    enum ftl_line_event event;
    if (argc > 1) {
        shell.bootargs = (const char *const *)argv + 1;
        shell.bootarg_count = (size_t)argc - 1;
    }
    ftl_status_t status = open_shell(&shell);
    note_first_prompt(&shell);
    while (status == FTL_OK && !shell.leave) {
        shell_jobs_report(&shell);
        fflush(stdout);
        status = read_line(&shell, &event);
        if (status == FTL_OK) {
            act(&shell, event);
        }
    }
    if (status != FTL_OK) {
        fprintf(stderr, "shell: cannot go on: %s\n", ftl_strerror(status));
        return EXIT_FAILURE;
    }
    return shell.status;
}
