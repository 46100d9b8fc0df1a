/*
 * The shell's state, and what its files offer one another. One thread; everything hangs off one
 * struct shell. Functions that run a command return its exit status.
 */
#ifndef SHELL_H
#define SHELL_H

#include <ftl/line_editor.h>
#include <ftl/spawn.h>
#include <ftl/types.h>

#include "parse.h"

#define SHELL_PROMPT "ftl> "
#define CLEAR_SCREEN "\x1b[H\x1b[2J" /* ECMA-48 CUP, ED 2 */

#define SHELL_JOBS_MAX      32
#define SHELL_VARIABLES_MAX 64
#define SHELL_COMMAND_SHOWN 64 /* bytes of a job's command that are kept, the NUL included */

/* Exit statuses of the shell's own making; FTL_EXIT_... in <ftl/types.h> are the kernel's. */
#define SHELL_OK        0
#define SHELL_FAILED    1
#define SHELL_USAGE     2
#define SHELL_NO_START  126
#define SHELL_NOT_FOUND 127

/* A background process. Its number is its index + 1. */
struct shell_job {
    ftl_handle_t process; /* FTL_HANDLE_INVALID: the entry is free */
    uint64_t pid;
    char command[SHELL_COMMAND_SHOWN];
};

struct shell_variable {
    char name[SHELL_NAME_MAX + 1];
    char *value; /* owned */
};

struct shell {
    uint64_t prompt_instructions; /* retired from kernel entry to the first prompt */
    ftl_handle_t console;
    ftl_handle_t system;
    ftl_handle_t names;          /* the name service, for the apps */
    struct ftl_bootimage image;  /* its handle is FTL_HANDLE_INVALID when there are no apps */
    const char *const *bootargs; /* words of the boot command line: ftl.isolation.NAME=... */
    size_t bootarg_count;

    struct ftl_line_editor *editor;
    char input[256]; /* read from the console but not edited yet */
    size_t input_at;
    size_t input_size;

    int32_t status;           /* $? */
    uint64_t background_pid;  /* $!, 0: none yet */
    bool background;          /* the command being run ends in & */
    bool interrupted;         /* Ctrl-C was typed since the line was entered: run no more of it */
    ftl_nsec_t children_time; /* CPU time of all foreground processes so far */
    bool leave;               /* `exit` was run */
    struct shell_job jobs[SHELL_JOBS_MAX];
    struct shell_variable variables[SHELL_VARIABLES_MAX];
    size_t variable_count;
};

struct shell_builtin {
    const char *name;
    const char *usage; /* arguments */
    const char *help;  /* one line, then details */
    int32_t (*run)(struct shell *shell, size_t count, char **word);
    bool starts_apps; /* may end in & */
};

/* builtins.c: the table. NULL when there is no such command. */
const struct shell_builtin *shell_builtin_find(const char *name);
/* The command at `index` of the table, NULL past the last. */
const struct shell_builtin *shell_builtin_at(size_t index);
/* Prints how a command is used; returns SHELL_USAGE. */
int32_t shell_usage(const char *name);
/* Says that the command cannot do this ("read the log"), and why; returns SHELL_FAILED. */
int32_t shell_failed(const char *name, const char *what, ftl_status_t status);

/* execute.c */
void shell_execute_line(struct shell *shell, const char *line);
int32_t shell_execute_words(struct shell *shell, size_t count, char **word);

/* variables.c: lookups for shell_expand(); the context is the shell. */
const char *shell_variable_lookup(void *context, const char *name, size_t size);
/* Sets a variable; false, after a message, when there is no room. */
bool shell_variable_set(struct shell *shell, const char *name, size_t size, const char *value);

/* apps.c */
/* Calls `visit` for every app in the boot image; app->name alone is set when its manifest is
 * malformed. */
void shell_apps_each(struct shell *shell,
                     void (*visit)(void *context, const struct ftl_app *app, bool malformed),
                     void *context);
/* Runs the app words[0] if there is one: in the foreground to its end, or in the background. */
bool shell_apps_try(struct shell *shell, size_t count, char **word, int32_t *result);
int32_t shell_run(struct shell *shell, size_t count, char **word);

/* jobs.c */
/* Waits until the process has exited, killing it on Ctrl-C. Takes the handle; returns the exit
 * status. */
int32_t shell_wait_foreground(struct shell *shell, ftl_handle_t process);
/* Is there room for one more job? False after a message. */
bool shell_job_room(const struct shell *shell);
/* Makes a job of a process, for which there is room, and announces it. Takes the handle. */
void shell_job_add(struct shell *shell, ftl_handle_t process, size_t count, char **word);
/* Announces the jobs that have ended, and forgets them. */
void shell_jobs_report(struct shell *shell);
/* Has Ctrl-C been typed? Forgets it, and sets shell->interrupted. */
bool shell_take_interrupt(struct shell *shell);
int32_t shell_jobs(struct shell *shell, size_t count, char **word);
int32_t shell_wait(struct shell *shell, size_t count, char **word);
int32_t shell_kill(struct shell *shell, size_t count, char **word);
int32_t shell_sleep(struct shell *shell, size_t count, char **word);

/* system.c */
int32_t shell_ps(struct shell *shell, size_t count, char **word);
int32_t shell_mem(struct shell *shell, size_t count, char **word);
int32_t shell_uptime(struct shell *shell, size_t count, char **word);
int32_t shell_log(struct shell *shell, size_t count, char **word);
int32_t shell_shutdown(struct shell *shell, size_t count, char **word);
int32_t shell_reboot(struct shell *shell, size_t count, char **word);
/* Finds a process by number; the caller closes the handle. NOT_FOUND when there is none. */
ftl_status_t shell_process_find(struct shell *shell, uint64_t pid, ftl_handle_t *process);

/* inspect.c */
int32_t shell_handles(struct shell *shell, size_t count, char **word);
int32_t shell_vm(struct shell *shell, size_t count, char **word);
int32_t shell_objects(struct shell *shell, size_t count, char **word);

/* devices.c */
int32_t shell_devices(struct shell *shell, size_t count, char **word);

/* top.c */
int32_t shell_top(struct shell *shell, size_t count, char **word);

/* complete.c: the line editor's callback; the context is the shell. */
void shell_complete(void *context, const char *line, size_t word, size_t cursor,
                    struct ftl_line_completions *completions);

/* numbers.c: a whole decimal number up to `limit`, nothing else. */
bool shell_parse_number(const char *text, uint64_t limit, uint64_t *number);

#endif
