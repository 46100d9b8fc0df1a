/* The table of the shell's own commands, and those that need only a few lines. */
#include <ftl/clock.h>
#include <ftl/status.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "shell.h"

#define NSEC_PER_SEC  INT64_C(1000000000)
#define NSEC_PER_MSEC INT64_C(1000000)

static int32_t help(struct shell *shell, size_t count, char **word);

static int32_t clear(struct shell *shell, size_t count, char **word)
{
    (void)shell;
    if (count > 1) {
        return shell_usage(word[0]);
    }
    fputs(CLEAR_SCREEN, stdout);
    return SHELL_OK;
}

static int32_t date(struct shell *shell, size_t count, char **word)
{
    char text[sizeof("Wednesday 2026-11-25 19:30:00 UTC")];
    struct tm broken_down;
    time_t now = time(NULL);
    (void)shell;
    if (count > 1) {
        return shell_usage(word[0]);
    }
    strftime(text, sizeof(text), "%A %F %T UTC", gmtime_r(&now, &broken_down));
    puts(text);
    return SHELL_OK;
}

static int32_t echo(struct shell *shell, size_t count, char **word)
{
    (void)shell;
    bool open = count > 1 && strcmp(word[1], "-n") == 0;
    size_t first = open ? 2 : 1;
    for (size_t i = first; i < count; i++) {
        printf("%s%s", i > first ? " " : "", word[i]);
    }
    fputs(open ? "" : "\n", stdout);
    return SHELL_OK;
}

static int32_t exec(struct shell *shell, size_t count, char **word)
{
    int32_t status = count > 1 ? shell_run_words(shell, count - 1, word + 1) : SHELL_OK;
    shell->leave = true;
    return status;
}

static int32_t leave(struct shell *shell, size_t count, char **word)
{
    uint64_t status = shell->is_interactive ? 0 : (uint64_t)(uint32_t)shell->status;
    if (count > 2) {
        return shell_usage(word[0]);
    }
    if (count == 2 && !shell_parse_number(word[1], UINT8_MAX, &status)) {
        fprintf(stderr, "exit: '%s' is not an exit status from 0 to 255\n", word[1]);
        return SHELL_USAGE;
    }
    shell->leave = true;
    return (int32_t)status;
}

static int32_t false_command(struct shell *shell, size_t count, char **word)
{
    (void)shell;
    (void)count;
    (void)word;
    return SHELL_FAILED;
}

static int32_t true_command(struct shell *shell, size_t count, char **word)
{
    (void)shell;
    (void)count;
    (void)word;
    return SHELL_OK;
}

static int32_t history(struct shell *shell, size_t count, char **word)
{
    const char *line;
    if (count > 1) {
        return shell_usage(word[0]);
    }
    for (size_t i = 0; (line = ftl_line_editor_history(shell->editor, i)) != NULL; i++) {
        printf("%4zu  %s\n", i + 1, line);
    }
    return SHELL_OK;
}

static void print_duration(const char *name, ftl_nsec_t duration)
{
    printf("%s %" PRId64 ".%03" PRId64 " s\n", name, duration / NSEC_PER_SEC,
           duration % NSEC_PER_SEC / NSEC_PER_MSEC);
}

static int32_t time_command(struct shell *shell, size_t count, char **word)
{
    ftl_nsec_t start = 0;
    ftl_nsec_t end = 0;
    ftl_nsec_t children = shell->children_time;
    if (count < 2) {
        return shell_usage(word[0]);
    }
    ftl_clock_get(&start);
    int32_t status = shell_run_words(shell, count - 1, word + 1);
    ftl_clock_get(&end);
    print_duration("real", end - start);
    print_duration("cpu ", shell->children_time - children);
    return status;
}

/* By name. */
static const struct shell_builtin builtins[] = {
    { ".", "FILE", "run the commands in a file, in this shell", shell_dot },
    { ":", "[WORD]...", "do nothing, with status 0", true_command },
    { "[", "CONDITION ]", "test", shell_test },
    { "break", "[LEVELS]", "leave a loop", shell_break },
    { "cd", "[DIRECTORY|-]", "change the current directory", shell_cd },
    { "clear", "", "clear the screen", clear },
    { "continue", "[LEVELS]", "go on with a loop's next round", shell_break },
    { "date", "", "print the time (UTC) and the date", date },
    { "devices", "", "list the devices of the machine, and what drives them", shell_devices },
    { "df", "[PATH]...", "show how full file systems are: all that are mounted, or those of paths",
      shell_df },
    { "echo", "[-n] [WORD]...", "print the words; -n: without a newline", echo },
    { "eval", "[WORD]...", "run the words as a command", shell_eval },
    { "exec", "[COMMAND...]", "run a command and exit; without one, keep the redirections", exec },
    { "exit", "[STATUS]", "end this shell; init starts a new one", leave },
    { "export", "[NAME[=VALUE]]...", "give variables to programs, or list those", shell_export },
    { "false", "", "do nothing, with status 1", false_command },
    { "handles", "PID",
      "list a process's handles; rights: r w m(ap) x(execute) d(uplicate) t(ransfer) "
      "M(anage) W(ait)",
      shell_handles },
    { "help", "[COMMAND]", "list the commands, or explain one", help },
    { "history", "", "list the lines that were entered", history },
    { "jobs", "", "list the background jobs", shell_jobs },
    { "kill", "PID|%JOB...", "end processes, with status 137", shell_kill },
    { "log", "[-n LINES]", "print the kernel's log, or its last lines", shell_log },
    { "mem", "", "show memory: total, free, of the kernel, of each process", shell_mem },
    { "mount", "[-r] [SOURCE DIRECTORY]",
      "mount a disk (block, block:1 ...), memory or the boot image; -r: read-only; alone, list",
      shell_mount },
    { "objects", "", "count the kernel's objects of each kind", shell_objects },
    { "ps", "", "list the processes", shell_ps },
    { "pwd", "", "print the current directory", shell_pwd },
    { "read", "[-r] [NAME]...", "read a line into variables; -r: a \\ is plain", shell_read },
    { "reboot", "", "restart the machine", shell_reboot },
    { "return", "[STATUS]", "leave a function, or a file run by .", shell_return },
    { "run", "[--isolation=user|sandbox] [NAME [ARGUMENT]...]",
      "start an app; without a name, list the apps", shell_run },
    { "set", "[-ex|+ex]... [--] [WORD]...",
      "set options and parameters; -e: exit on errors; -x: print commands; alone, list variables",
      shell_set },
    { "shift", "[COUNT]", "drop the first parameters", shell_shift },
    { "shutdown", "[STATUS]", "power off; QEMU ends with the status", shell_shutdown },
    { "sleep", "SECONDS", "wait", shell_sleep },
    { "source", "FILE", "run the commands in a file, in this shell", shell_dot },
    { "test", "CONDITION",
      "-e -f -d -s -r -w -x -L FILE, -n -z TEXT, A = B, A != B, A -eq B (ne lt le gt ge), "
      "A -nt B, ! ( ) -a -o",
      shell_test },
    { "time", "COMMAND...", "run a command and print how long it took", time_command },
    { "top", "[-n LOOKS]", "watch what threads and harts do, each second, until q or Ctrl-C",
      shell_top },
    { "true", "", "do nothing, with status 0", true_command },
    { "type", "NAME...", "say what commands are", shell_type },
    { "umount", "DIRECTORY", "write back what is mounted there, and take it away", shell_umount },
    { "unset", "[-f] NAME...", "forget variables, or functions", shell_unset },
    { "uptime", "", "show the time since boot, and what runs", shell_uptime },
    { "vm", "PID", "list what is mapped in a process's vmspace", shell_vm },
    { "wait", "[PID|%JOB]", "wait for a background job, or for all", shell_wait },
};

#define BUILTINS (sizeof(builtins) / sizeof(builtins[0]))

const struct shell_builtin *shell_builtin_at(size_t index)
{
    return index < BUILTINS ? &builtins[index] : NULL;
}

const struct shell_builtin *shell_builtin_find(const char *name)
{
    for (size_t i = 0; i < BUILTINS; i++) {
        if (strcmp(builtins[i].name, name) == 0) {
            return &builtins[i];
        }
    }
    return NULL;
}

int32_t shell_usage(const char *name)
{
    const struct shell_builtin *builtin = shell_builtin_find(name);
    fprintf(stderr, "usage: %s%s%s\n", name, builtin->usage[0] != '\0' ? " " : "", builtin->usage);
    return SHELL_USAGE;
}

int32_t shell_failed(const char *name, const char *what, ftl_status_t status)
{
    fprintf(stderr, "%s: cannot %s: %s\n", name, what, ftl_strerror(status));
    return SHELL_FAILED;
}

static const char language[] =
    "\n"
    "An app's name alone runs it too. COMMAND & runs it in the background, A | B passes A's "
    "output\n"
    "to B, A; B, A && B and A || B run one after the other. >FILE >>FILE <FILE 2>FILE 2>&1 "
    "redirect.\n"
    "'text', \"text\" and \\ quote, * ? [a-z] match files, NAME=VALUE sets $NAME, $? is the last\n"
    "status, $! the last background process, $(COMMAND) its output. There are if, for, while, "
    "until,\n"
    "case, { }, ( ) and functions: see docs/shell.md. Ctrl-C ends what runs, Tab completes.\n"
    "Statuses: 2 wrong use, 126 could not start, 127 not found, 130 Ctrl-C, 137 killed, 139 "
    "fault.\n";

static int32_t help(struct shell *shell, size_t count, char **word)
{
    (void)shell;
    if (count > 2) {
        return shell_usage(word[0]);
    }
    if (count == 1) {
        for (size_t i = 0; i < BUILTINS; i++) {
            printf("%-10s %s\n", builtins[i].name, builtins[i].help);
        }
        fputs(language, stdout);
        return SHELL_OK;
    }
    const struct shell_builtin *builtin = shell_builtin_find(word[1]);
    if (builtin == NULL) {
        fprintf(stderr, "help: no command '%s'; `help` lists them\n", word[1]);
        return SHELL_NOT_FOUND;
    }
    printf("%s%s%s\n    %s\n", builtin->name, builtin->usage[0] != '\0' ? " " : "", builtin->usage,
           builtin->help);
    return SHELL_OK;
}
