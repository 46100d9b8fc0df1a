/*
 * The shell. Started by init it reads lines from the console and runs them, and its arguments are
 * the words of the boot command line. Started as a program, it runs a file, or a command after -c,
 * or what it reads; with the handle `script` it runs a part of another shell's work. Relies on the
 * handles `console`, `system`, `bootimage` and `names` of its environment. It waits for the console
 * and Ctrl-C at once, and never blocks in a read of the console.
 */
#include <ftl/console.h>
#include <ftl/environ.h>
#include <ftl/handle.h>
#include <ftl/inherit.h>
#include <ftl/object.h>
#include <ftl/process.h>
#include <ftl/system.h>
#include <ftl/vmo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shell.h"

#define BOOT_WORDS_MAX 64
#define ISOLATION_WORD "ftl.isolation."
#define TEXT_MAX       (1u << 30) /* bytes of a script that is read or given */

extern char **environ;

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
    struct ftl_wait_item items[] = {
        { .handle = shell->console, .interest = FTL_SIGNAL_READABLE },
        shell_interrupt_item(shell),
    };
    size_t ready;
    size_t count = items[1].handle != FTL_HANDLE_INVALID ? 2 : 1;
    if (shell->owns_console) { /* one object, once */
        items[0].interest |= FTL_SIGNAL_INTERRUPT;
        count = 1;
    }
    ftl_status_t status = ftl_object_wait(items, count, FTL_TIME_INFINITE, &ready);
    if (status != FTL_OK) {
        return status;
    }
    return shell_take_interrupt(shell) ? FTL_ERR_CANCELLED : read_queued(shell);
}

/* Edits one line, to its end. An error is one of the console, and final. */
static ftl_status_t read_line(struct shell *shell, const char *prompt, enum ftl_line_event *event)
{
    fflush(stdout);
    ftl_line_editor_begin(shell->editor, prompt);
    for (*event = FTL_LINE_PENDING; *event == FTL_LINE_PENDING;) {
        if (shell->input_at == shell->input_size) {
            ftl_status_t status = fill_input(shell);
            if (status == FTL_ERR_CANCELLED) {
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

char *shell_read_console(struct shell *shell, bool *ended)
{
    enum ftl_line_event event;
    ftl_status_t status = read_line(shell, "", &event);
    if (status != FTL_OK || event == FTL_LINE_CANCELLED) {
        shell->interrupted = true;
        return NULL;
    }
    *ended = event != FTL_LINE_ENTERED;
    return strdup(*ended ? "" : ftl_line_editor_line(shell->editor));
}

static void act(struct shell *shell, enum ftl_line_event event)
{
    switch (event) {
    case FTL_LINE_ENTERED:
        ftl_line_editor_remember(shell->editor, ftl_line_editor_line(shell->editor));
        shell_run_line(shell, ftl_line_editor_line(shell->editor), false);
        break;
    case FTL_LINE_TOO_LONG:
        fprintf(stderr, "shell: line not run: it is longer than %d bytes\n", FTL_LINE_MAX);
        shell_forget_lines(shell);
        shell->status = SHELL_USAGE;
        break;
    case FTL_LINE_CANCELLED:
        shell_forget_lines(shell);
        shell->status = FTL_EXIT_INTERRUPTED;
        break;
    case FTL_LINE_END:
        if (shell->lines != NULL) {
            shell_run_line(shell, "", true);
        } else if (shell->owns_console) {
            puts("`shutdown` powers off; `exit` ends this shell");
        } else {
            shell->leave = true;
        }
        break;
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

static int32_t run_interactive(struct shell *shell)
{
    const struct ftl_line_editor_config config = {
        .write = write_console,
        .complete = shell_complete,
        .context = shell,
    };
    enum ftl_line_event event;
    shell->is_interactive = true;
    shell->editor = ftl_line_editor_create(&config);
    ftl_status_t status = shell->editor != NULL ? FTL_OK : FTL_ERR_NO_MEMORY;
    note_first_prompt(shell);
    while (status == FTL_OK && !shell->leave) {
        shell_jobs_report(shell);
        status = read_line(shell, shell->lines != NULL ? SHELL_MORE_PROMPT : SHELL_PROMPT, &event);
        if (status == FTL_OK) {
            act(shell, event);
        }
    }
    if (status != FTL_OK) {
        fprintf(stderr, "shell: cannot go on: %s\n", ftl_strerror(status));
        return EXIT_FAILURE;
    }
    return shell->status;
}

/* ---- Other ways to run ---- */

/* Runs what another shell has put into memory. */
static int32_t run_beside(struct shell *shell, ftl_handle_t script, char **word)
{
    uint64_t size = 0;
    ftl_status_t status = ftl_vmo_size(script, &size);
    char *text = status == FTL_OK && size < TEXT_MAX ? malloc(size) : NULL;
    if (text == NULL) {
        return shell_failed("shell", "get what to run", status);
    }
    status = ftl_vmo_read(script, 0, text, size);
    if (status != FTL_OK) {
        free(text);
        return shell_failed("shell", "read what to run", status);
    }
    while (size > 0 && text[size - 1] == '\0') { /* a VMO has whole pages */
        size--;
    }
    shell->pid = strtoull(word[1], NULL, 10);
    shell->name = word[3];
    shell_run_state(shell, (struct shell_text){ text, size }, (int32_t)strtol(word[2], NULL, 10));
    free(text);
    return shell->interrupted ? FTL_EXIT_INTERRUPTED : shell->status;
}

/*
 * The words behind the program's name: none, -c COMMAND [NAME [PARAMETER]...], FILE [PARAMETER]...
 */
static int32_t run_arguments(struct shell *shell, size_t count, char **word)
{
    bool is_command = count > 1 && strcmp(word[1], "-c") == 0;
    size_t name = is_command ? 3 : 1;
    if (is_command && count < 3) {
        fputs("usage: sh [FILE [PARAMETER]... | -c COMMAND [NAME [PARAMETER]...]]\n", stderr);
        return SHELL_USAGE;
    }
    if (count > name) {
        shell->name = word[name];
        if (!shell_parameters_set(shell, count - name - 1, word + name + 1)) {
            return SHELL_FAILED;
        }
    }
    shell->calls = 1; /* `return` ends it */
    if (is_command) {
        shell_run_text(shell, NULL, (struct shell_text){ word[2], strlen(word[2]) });
        return shell->interrupted ? FTL_EXIT_INTERRUPTED : shell->status;
    }
    int32_t status = shell_run_file(shell, count > 1 ? word[1] : NULL);
    return shell->interrupted ? FTL_EXIT_INTERRUPTED : status;
}

/* ---- Opening ---- */

/* Programs get descriptors from who starts them (<ftl/inherit.h>); init gives none. */
static bool is_started_by_init(void)
{
    const struct ftl_environ *env = ftl_environ();
    for (size_t i = 0; i < env->handle_count; i++) {
        if (strncmp(env->handles[i].name, FTL_INHERIT_PREFIX, strlen(FTL_INHERIT_PREFIX)) == 0) {
            return false;
        }
    }
    return true;
}

/* Boot words that say how apps are isolated are passed on to shells that this one starts. */
static void keep_boot_words(struct shell *shell)
{
    char text[FTL_LINE_MAX] = "";
    for (size_t i = 0; i < shell->bootarg_count; i++) {
        const char *word = shell->bootargs[i];
        if (strncmp(word, ISOLATION_WORD, strlen(ISOLATION_WORD)) == 0 &&
            strlen(text) + strlen(word) + 1 < sizeof(text)) {
            strcat(strcat(text, text[0] != '\0' ? " " : ""), word);
        }
    }
    if (text[0] != '\0') {
        shell_variable_set(shell, SHELL_BOOT_WORDS_VARIABLE, strlen(SHELL_BOOT_WORDS_VARIABLE),
                           text);
    }
}

static void import_boot_words(struct shell *shell)
{
    static const char *words[BOOT_WORDS_MAX];
    const char *text = shell_variable(shell, SHELL_BOOT_WORDS_VARIABLE);
    static char *copy; /* what `words` point into */
    copy = text != NULL ? strdup(text) : NULL;
    for (char *word = copy != NULL ? strtok(copy, " ") : NULL;
         word != NULL && shell->bootarg_count < BOOT_WORDS_MAX; word = strtok(NULL, " ")) {
        words[shell->bootarg_count++] = word;
    }
    shell->bootargs = words;
    shell_variable_unset(shell, SHELL_BOOT_WORDS_VARIABLE, strlen(SHELL_BOOT_WORDS_VARIABLE));
    keep_boot_words(shell); /* not among those that programs get */
}

static ftl_isolation_t own_isolation(void)
{
    struct ftl_process_info info = { .isolation = FTL_ISOLATION_SANDBOX };
    ftl_handle_t self;
    if (ftl_process_self(&self) == FTL_OK) {
        ftl_process_info(self, &info);
        ftl_handle_close(self);
    }
    return (ftl_isolation_t)info.isolation;
}

/* Takes what the shell needs from its environment. */
static void open_shell(struct shell *shell, char **word)
{
    shell->console = ftl_environ_find(ftl_environ(), "console");
    shell->system = ftl_environ_find(ftl_environ(), "system");
    shell->names = ftl_environ_find(ftl_environ(), "names");
    shell->interrupts = ftl_environ_find(ftl_environ(), "interrupts");
    shell->isolation = own_isolation();
    shell->name = word[0];
    shell->pid = (uint64_t)getpid();
    shell_source_open(shell);
    shell_variables_import(shell, environ);
    ftl_handle_t bootimage = ftl_environ_find(ftl_environ(), "bootimage");
    ftl_status_t status = ftl_bootimage_open(&shell->image, bootimage);
    if (status != FTL_OK) {
        fprintf(stderr, "shell: cannot map the boot image, there are no apps: %s\n",
                ftl_strerror(status));
    }
}

int main(int argc, char **argv)
{
    static struct shell shell;
    size_t count = (size_t)argc;
    ftl_handle_t script = ftl_environ_find(ftl_environ(), "script");
    open_shell(&shell, argv);
    if (is_started_by_init()) {
        shell.owns_console = true;
        shell.bootargs = (const char *const *)argv + 1;
        shell.bootarg_count = count > 1 ? count - 1 : 0;
        keep_boot_words(&shell);
        return run_interactive(&shell);
    }
    import_boot_words(&shell);
    if (script != FTL_HANDLE_INVALID && count == SHELL_BESIDE_ARGUMENTS) {
        return run_beside(&shell, script, argv);
    }
    if (count == 1 && isatty(STDIN_FILENO) == 1) {
        return run_interactive(&shell);
    }
    return run_arguments(&shell, count, argv);
}
