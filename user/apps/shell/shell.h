/*
 * The shell's state, and what its files offer one another. One thread; everything hangs off one
 * struct shell. Functions that run a command return its exit status.
 *
 * Nothing can copy a process here. What has to run beside the shell and is no program, such as a
 * loop in a pipeline, is run by another shell, which is given the state of this one as commands
 * (state.c).
 */
#ifndef SHELL_H
#define SHELL_H

#include <ftl/line_editor.h>
#include <ftl/spawn.h>
#include <ftl/types.h>
#include <limits.h>

#include "expand.h"
#include "parse.h"

#define SHELL_PROMPT      "ftl> "
#define SHELL_MORE_PROMPT "> "            /* for the rest of a command */
#define CLEAR_SCREEN      "\x1b[H\x1b[2J" /* ECMA-48 CUP, ED 2 */

/* Boot words that say how apps are isolated: shells that a shell starts get them, too. */
#define SHELL_BOOT_WORDS_VARIABLE "FTL_BOOT_WORDS"

#define SHELL_JOBS_MAX      32
#define SHELL_STAGES_MAX    16 /* commands of a pipeline */
#define SHELL_COMMAND_SHOWN 64 /* bytes of a job's command that are kept, the NUL included */

/* Exit statuses of the shell's own making; FTL_EXIT_... in <ftl/types.h> are the kernel's. */
#define SHELL_OK        0
#define SHELL_FAILED    1
#define SHELL_USAGE     2
#define SHELL_NO_START  126
#define SHELL_NOT_FOUND 127

/* A process that the shell has started. */
struct shell_child {
    ftl_handle_t process;
    ftl_handle_t signals;
    ftl_handle_t interrupts; /* of another shell: tells it of Ctrl-C; else FTL_HANDLE_INVALID */
    uint64_t pid;
};

/* The commands of a pipeline; the last one's status is that of all. */
struct shell_children {
    size_t count;
    struct shell_child child[SHELL_STAGES_MAX];
};

/* What runs in the background. Its number is its index + 1. */
struct shell_job {
    struct shell_children children; /* none: the entry is free */
    char command[SHELL_COMMAND_SHOWN];
};

struct shell_variable {
    struct shell_variable *next;
    char *name;
    char *value;   /* NULL: not set, but to be exported when it is */
    bool exported; /* to the programs that are started */
};

struct shell_function {
    struct shell_function *next;
    char *name;
    char *text; /* of its command */
    struct shell_program program;
    unsigned users; /* it is running so many times: kept for as long */
    bool is_gone;   /* there is another one of its name, or none */
};

/* What `break`, `continue` and `return` have asked for. */
enum shell_jump {
    SHELL_GO_ON,
    SHELL_BREAK,
    SHELL_CONTINUE,
    SHELL_RETURN,
};

/* Of a shell that runs beside another: its program's name, $$, $?, $0. The commands come as memory,
 * by the handle `script`. */
#define SHELL_BESIDE_ARGUMENTS 4

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

    ftl_isolation_t isolation; /* the shell's own */
    bool is_interactive;       /* reads lines from people */
    bool owns_console;         /* Ctrl-C is for this shell, and not for one that has started it */
    const char *name;          /* $0 */
    int32_t status;            /* $? */
    uint64_t pid;              /* $$ */
    uint64_t background_pid;   /* $!, 0: none yet */
    bool interrupted;          /* Ctrl-C was typed since the line was entered: run no more of it */
    ftl_handle_t interrupts;   /* from the shell that started this one: bit 0 is Ctrl-C */
    ftl_nsec_t children_time;  /* CPU time of all foreground processes so far */
    bool leave;                /* `exit` was run */
    struct shell_job jobs[SHELL_JOBS_MAX];

    struct shell_source source; /* for expansions */
    struct shell_variable *variables;
    struct shell_function *functions;
    char **parameters; /* from $1 on, owned */
    size_t parameter_count;
    bool exits_on_error; /* set -e */
    bool traces;         /* set -x */

    char *lines; /* entered so far of commands that go on */
    size_t lines_size;
    const struct shell_program *program; /* being run */
    enum shell_jump jump;
    size_t jump_levels; /* loops to leave */
    size_t loops;       /* that are running */
    size_t calls;       /* of functions and scripts that are running */
    size_t tested;      /* conditions being evaluated: failures in them do not end the shell */
    int32_t substitution_status; /* of the last $(...) of a command */
    bool substituted;
};

struct shell_builtin {
    const char *name;
    const char *usage; /* arguments */
    const char *help;  /* one line, then details */
    int32_t (*run)(struct shell *shell, size_t count, char **word);
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
int32_t shell_run_node(struct shell *shell, const struct shell_node *node);
/* Is what is running to be left: for `exit`, Ctrl-C, `break` and the like? */
bool shell_stops(struct shell *shell);

/* command.c: simple commands */
int32_t shell_run_command(struct shell *shell, const struct shell_node *node);
/* The words of a command that is in no text. */
int32_t shell_run_words(struct shell *shell, size_t count, char **word);
/* Starts what the node says beside the shell, with the descriptors that the shell has now. False
 * after a message, with the status in `result`. */
bool shell_start_node(struct shell *shell, const struct shell_node *node, struct shell_child *child,
                      int32_t *result);

/* script.c */
/* Runs commands. Their errors are reported with `name`, if there is one, and the line. */
void shell_run_text(struct shell *shell, const char *name, struct shell_text text);
/* Runs the commands in a file; NULL: those that can be read. SHELL_NOT_FOUND after a message: it
 * cannot be read. */
int32_t shell_run_file(struct shell *shell, const char *path);
/* Runs what shell_state() has made, beginning the commands with this status. */
void shell_run_state(struct shell *shell, struct shell_text state, int32_t status);
/* Runs a line that was entered. False: it is the beginning of commands that go on. */
bool shell_run_line(struct shell *shell, const char *line, bool is_last);
void shell_forget_lines(struct shell *shell);

/* redirect.c */
struct shell_saved {
    size_t count;
    struct {
        int descriptor;
        int copy; /* -1: it was closed */
    } entry[10];
};
/* Changes descriptors as the redirections say; `saved` has what they were. False after a message,
 * with everything as before. */
bool shell_redirect(struct shell *shell, const struct shell_redirection *redirections,
                    struct shell_saved *saved);
/* Has the descriptor name what `from` names, which is closed. */
bool shell_redirect_to(struct shell_saved *saved, int descriptor, int from);
void shell_redirect_back(struct shell_saved *saved);
/* The redirections stay. */
void shell_redirect_for_good(struct shell_saved *saved);

/* pipeline.c */
int32_t shell_run_pipeline(struct shell *shell, const struct shell_node *node);
int32_t shell_run_background(struct shell *shell, const struct shell_node *node);
/* Runs a node in a shell of its own, to its end. */
int32_t shell_run_beside(struct shell *shell, const struct shell_node *node);
/* For expansions: the context is the shell. */
bool shell_substitute(void *context, struct shell_text commands, char **output, size_t *size,
                      struct shell_error *error);

/* state.c */
/* The commands that give another shell the state of this one, a NUL, and `commands`; to be freed.
 * NULL: no memory. */
char *shell_state(const struct shell *shell, struct shell_text commands, size_t *size);
/* The node's text, with the lines of here-documents that lie behind it. To be freed. */
char *shell_node_text(const struct shell *shell, const struct shell_node *node);
/* Words as a command, quoted; to be freed. */
char *shell_quote_words(size_t count, char **word);

/* variables.c */
void shell_source_open(struct shell *shell);
const char *shell_variable(const struct shell *shell, const char *name);
/* Sets a variable; false, after a message, when there is no memory. */
bool shell_variable_set(struct shell *shell, const char *name, size_t size, const char *value);
bool shell_variable_export(struct shell *shell, const char *name, size_t size);
void shell_variable_unset(struct shell *shell, const char *name, size_t size);
/* Takes the variables that this process was started with. */
void shell_variables_import(struct shell *shell, char *const *strings);
/* The exported ones, as NAME=value, for a process; to be freed with shell_fields_free(). */
bool shell_variables_exported(const struct shell *shell, bool for_shell,
                              struct shell_fields *strings);
bool shell_parameters_set(struct shell *shell, size_t count, char *const *values);
struct shell_function *shell_function_find(struct shell *shell, const char *name);
bool shell_function_set(struct shell *shell, struct shell_text name, const char *text);
void shell_function_unset(struct shell *shell, const char *name);
/* Frees a function that is gone and runs no more. */
void shell_function_release(struct shell *shell, struct shell_function *function);
void shell_variables_free(struct shell *shell);

/* apps.c */
/* Calls `visit` for every app in the boot image; app->name alone is set when its manifest is
 * malformed. */
void shell_apps_each(struct shell *shell,
                     void (*visit)(void *context, const struct ftl_app *app, bool malformed),
                     void *context);
/* A program to be started. */
struct shell_target {
    struct ftl_app app;
    ftl_isolation_t isolation;
    bool any_isolation;  /* that of the file */
    size_t first;        /* of the words: its name */
    char path[PATH_MAX]; /* of the file that it is; empty: an app */
};
/* Finds the program of a command, if it is one: an app's name, or `run`. False: it is none. With a
 * status other than SHELL_OK in `result`, after a message, it is one that there is not. */
bool shell_target_find(struct shell *shell, size_t count, char **word, struct shell_target *target,
                       int32_t *result);
/* Starts it, with the descriptors that the shell has now. False after a message. */
bool shell_target_start(struct shell *shell, const struct shell_target *target, size_t count,
                        char **word, struct shell_child *child);
/* Starts another shell that runs these commands after having got the state of this one. */
bool shell_start_beside(struct shell *shell, struct shell_text text, struct shell_child *child);
int32_t shell_run(struct shell *shell, size_t count, char **word);

/* program.c */
/* A program's file in memory. */
struct shell_image {
    struct ftl_program_file file;
    uintptr_t address;
    size_t mapped; /* bytes there: whole pages */
};
/* Reads a program. False after a message. */
bool shell_image_open(const char *path, struct shell_image *image);
void shell_image_close(struct shell_image *image);
/* Whether it is one, and not a script. */
bool shell_file_is_program(const char *path);
/* The file that a command's name means: a path, or a file in one of $PATH's directories. */
bool shell_file_find(const struct shell *shell, const char *name, char *path, size_t size);

/* jobs.c */
/* Waits until all have exited; Ctrl-C is passed on. Closes them; returns the last one's status. */
int32_t shell_wait_foreground(struct shell *shell, struct shell_children *children);
/* Ends what was started, since not all of it could be. */
void shell_children_drop(struct shell_children *children);
/* Is there room for one more job? False after a message. */
bool shell_job_room(struct shell *shell);
/* Makes a job, for which there is room, and announces it. Takes the children. */
void shell_job_add(struct shell *shell, const struct shell_children *children,
                   struct shell_text command);
/* Announces the jobs that have ended, and forgets them. */
void shell_jobs_report(struct shell *shell);
/* What tells of Ctrl-C, to be waited for; without a handle when nothing does. */
struct ftl_wait_item shell_interrupt_item(const struct shell *shell);
/* Has Ctrl-C been typed? Forgets it, and sets shell->interrupted. */
bool shell_take_interrupt(struct shell *shell);
int32_t shell_jobs(struct shell *shell, size_t count, char **word);
int32_t shell_wait(struct shell *shell, size_t count, char **word);
int32_t shell_kill(struct shell *shell, size_t count, char **word);
int32_t shell_sleep(struct shell *shell, size_t count, char **word);

/* language.c: commands of the language */
int32_t shell_break(struct shell *shell, size_t count, char **word);
int32_t shell_cd(struct shell *shell, size_t count, char **word);
int32_t shell_dot(struct shell *shell, size_t count, char **word);
int32_t shell_eval(struct shell *shell, size_t count, char **word);
int32_t shell_export(struct shell *shell, size_t count, char **word);
int32_t shell_pwd(struct shell *shell, size_t count, char **word);
int32_t shell_read(struct shell *shell, size_t count, char **word);
int32_t shell_return(struct shell *shell, size_t count, char **word);
int32_t shell_set(struct shell *shell, size_t count, char **word);
int32_t shell_shift(struct shell *shell, size_t count, char **word);
int32_t shell_type(struct shell *shell, size_t count, char **word);
int32_t shell_unset(struct shell *shell, size_t count, char **word);

/* test.c */
int32_t shell_test(struct shell *shell, size_t count, char **word);

/* mount.c */
int32_t shell_mount(struct shell *shell, size_t count, char **word);
int32_t shell_df(struct shell *shell, size_t count, char **word);
int32_t shell_umount(struct shell *shell, size_t count, char **word);

/* main.c: reads a line from the console, to be freed; NULL: interrupted, or no memory. `*ended`:
 * there is none. */
char *shell_read_console(struct shell *shell, bool *ended);

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
