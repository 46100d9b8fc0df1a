/*
 * Processes that the shell started: waiting for those in the foreground, remembering those in the
 * background, ending either. Ctrl-C comes from the console; to a shell that another one has started
 * it comes from that one, by a notification, and programs get a signal.
 */
#include <ftl/clock.h>
#include <ftl/console.h>
#include <ftl/handle.h>
#include <ftl/ipc.h>
#include <ftl/notification.h>
#include <ftl/object.h>
#include <ftl/process.h>
#include <ftl/signals.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "shell.h"

#define NSEC_PER_SEC   INT64_C(1000000000)
#define KILL_PATIENCE  (2 * NSEC_PER_SEC) /* how long `kill` waits for the end */
#define SHELL_PATIENCE NSEC_PER_SEC /* how long a shell of ours has to end what it has started */
#define INTERRUPT_BIT  1            /* of the notification */

/* What an exit status means, for messages. */
static const char *status_meaning(int32_t status)
{
    switch (status) {
    case FTL_EXIT_INTERRUPTED: return " (interrupted)";
    case FTL_EXIT_KILLED: return " (killed)";
    case FTL_EXIT_FAULT: return " (fault)";
    default: return "";
    }
}

bool shell_take_interrupt(struct shell *shell)
{
    uint32_t taken = 0;
    uint64_t word = 0;
    if (shell->owns_console) {
        if (ftl_console_take_interrupt(shell->console, &taken) != FTL_OK || taken == 0) {
            return false;
        }
        printf("^C\n");
    } else if (shell->interrupts == FTL_HANDLE_INVALID ||
               ftl_notification_clear(shell->interrupts, INTERRUPT_BIT, &word) != FTL_OK ||
               (word & INTERRUPT_BIT) == 0) {
        return false;
    }
    shell->interrupted = true;
    return true;
}

struct ftl_wait_item shell_interrupt_item(const struct shell *shell)
{
    if (shell->owns_console) {
        return (struct ftl_wait_item){ .handle = shell->console, .interest = FTL_SIGNAL_INTERRUPT };
    }
    return (struct ftl_wait_item){ .handle = shell->interrupts, .interest = FTL_SIGNAL_READABLE };
}

/*
 * Waits until the process has exited, or Ctrl-C is typed, or the deadline. A process of
 * FTL_HANDLE_INVALID never exits.
 */
static ftl_status_t wait_for(struct shell *shell, ftl_handle_t process, ftl_nsec_t deadline)
{
    struct ftl_wait_item items[2];
    size_t count = 0;
    size_t ready;
    size_t exits = SIZE_MAX;
    fflush(stdout);
    for (;;) {
        count = 0;
        items[count] = shell_interrupt_item(shell);
        count += items[count].handle != FTL_HANDLE_INVALID;
        if (process != FTL_HANDLE_INVALID) {
            exits = count;
            items[count++] =
                (struct ftl_wait_item){ .handle = process, .interest = FTL_SIGNAL_EXITED };
        }
        ftl_status_t status = ftl_object_wait(items, count, deadline, &ready);
        if (status != FTL_OK ||
            (exits != SIZE_MAX && (items[exits].signals & FTL_SIGNAL_EXITED) != 0)) {
            return status;
        }
        if (shell_take_interrupt(shell)) {
            return FTL_ERR_CANCELLED;
        }
    }
}

/* ---- Children ---- */

static bool has_exited(const struct shell_child *child)
{
    struct ftl_process_info info;
    return ftl_process_info(child->process, &info) == FTL_OK && info.state == FTL_PROCESS_EXITED;
}

static void interrupt_all(const struct shell_children *children)
{
    for (size_t i = 0; i < children->count; i++) {
        const struct shell_child *child = &children->child[i];
        if (child->interrupts != FTL_HANDLE_INVALID) {
            ftl_notification_signal(child->interrupts, INTERRUPT_BIT);
        } else if (!has_exited(child)) {
            ftl_signals_send(child->process, child->signals, SIGINT);
        }
    }
}

/* Shells that have not taken notice of it: they wait for something else. */
static void end_shells(const struct shell_children *children)
{
    for (size_t i = 0; i < children->count; i++) {
        const struct shell_child *child = &children->child[i];
        uint64_t word = 0;
        if (child->interrupts != FTL_HANDLE_INVALID &&
            ftl_notification_clear(child->interrupts, 0, &word) == FTL_OK &&
            (word & INTERRUPT_BIT) != 0) {
            ftl_process_kill(child->process, FTL_EXIT_INTERRUPTED);
        }
    }
}

static void close_child(struct shell_child *child)
{
    ftl_ipc_drop(&child->process);
    ftl_ipc_drop(&child->signals);
    ftl_ipc_drop(&child->interrupts);
}

static void close_all(struct shell_children *children)
{
    for (size_t i = 0; i < children->count; i++) {
        close_child(&children->child[i]);
    }
    children->count = 0;
}

void shell_children_drop(struct shell_children *children)
{
    for (size_t i = 0; i < children->count; i++) {
        ftl_process_kill(children->child[i].process, FTL_EXIT_KILLED);
    }
    close_all(children);
}

static ftl_status_t wait_for_child(struct shell *shell, const struct shell_children *children,
                                   const struct shell_child *child)
{
    ftl_nsec_t deadline = FTL_TIME_INFINITE;
    for (;;) {
        ftl_status_t status = wait_for(shell, child->process, deadline);
        if (status == FTL_ERR_CANCELLED) {
            interrupt_all(children);
            ftl_clock_get(&deadline);
            deadline += SHELL_PATIENCE;
        } else if (status == FTL_ERR_TIMED_OUT) {
            end_shells(children);
            deadline = FTL_TIME_INFINITE;
        } else {
            return status;
        }
    }
}

int32_t shell_wait_foreground(struct shell *shell, struct shell_children *children)
{
    struct ftl_process_info info = { .exit_status = SHELL_FAILED };
    for (size_t i = 0; i < children->count; i++) {
        const struct shell_child *child = &children->child[i];
        info = (struct ftl_process_info){ .exit_status = SHELL_FAILED };
        ftl_status_t status = wait_for_child(shell, children, child);
        if (status == FTL_OK) {
            status = ftl_process_info(child->process, &info);
        }
        if (status != FTL_OK) {
            fprintf(stderr, "shell: cannot wait for the process: %s\n", ftl_strerror(status));
        }
        shell->children_time += info.cpu_time;
    }
    close_all(children);
    return info.exit_status;
}

/* ---- Jobs ---- */

/* The index of a free entry, SHELL_JOBS_MAX when there is none. */
static size_t free_job(const struct shell *shell)
{
    size_t index = 0;
    while (index < SHELL_JOBS_MAX && shell->jobs[index].children.count > 0) {
        index++;
    }
    return index;
}

static const struct shell_child *last_of(const struct shell_job *job)
{
    return &job->children.child[job->children.count - 1];
}

void shell_job_add(struct shell *shell, const struct shell_children *children,
                   struct shell_text command)
{
    size_t index = free_job(shell);
    struct shell_job *job = &shell->jobs[index];
    job->children = *children;
    snprintf(job->command, sizeof(job->command), "%.*s", (int)command.size, command.at);
    shell->background_pid = last_of(job)->pid;
    if (shell->is_interactive) {
        printf("[%zu] %" PRIu64 "\n", index + 1, last_of(job)->pid);
    }
}

static void forget(struct shell_job *job)
{
    close_all(&job->children);
    memset(job, 0, sizeof(*job));
}

/* Has all of it ended? The status is the last one's. */
static bool has_ended(const struct shell_job *job, int32_t *status)
{
    struct ftl_process_info info = { .exit_status = SHELL_FAILED };
    for (size_t i = 0; i < job->children.count; i++) {
        if (ftl_process_info(job->children.child[i].process, &info) != FTL_OK ||
            info.state != FTL_PROCESS_EXITED) {
            return false;
        }
    }
    *status = info.exit_status;
    return job->children.count > 0;
}

bool shell_job_room(struct shell *shell)
{
    int32_t status;
    for (size_t i = 0; i < SHELL_JOBS_MAX && !shell->is_interactive; i++) {
        if (free_job(shell) == SHELL_JOBS_MAX && has_ended(&shell->jobs[i], &status)) {
            forget(&shell->jobs[i]); /* nobody is told of it, nor has asked */
        }
    }
    if (free_job(shell) == SHELL_JOBS_MAX) {
        fprintf(stderr, "shell: there are already %d background jobs\n", SHELL_JOBS_MAX);
        return false;
    }
    return true;
}

static void print_end(const struct shell *shell, const struct shell_job *job, int32_t status)
{
    printf("[%td] done, status %" PRId32 "%s: %s\n", job - shell->jobs + 1, status,
           status_meaning(status), job->command);
}

void shell_jobs_report(struct shell *shell)
{
    for (size_t i = 0; i < SHELL_JOBS_MAX; i++) {
        struct shell_job *job = &shell->jobs[i];
        int32_t status;
        if (has_ended(job, &status)) {
            print_end(shell, job, status);
            forget(job);
        }
    }
}

int32_t shell_jobs(struct shell *shell, size_t count, char **word)
{
    if (count > 1) {
        return shell_usage(word[0]);
    }
    shell_jobs_report(shell);
    for (size_t i = 0; i < SHELL_JOBS_MAX; i++) {
        const struct shell_job *job = &shell->jobs[i];
        if (job->children.count > 0) {
            printf("[%zu] running, pid %" PRIu64 ": %s\n", i + 1, last_of(job)->pid, job->command);
        }
    }
    return SHELL_OK;
}

/* The job that `%N`, or its process's number, names; NULL, after a message, when there is none. */
static struct shell_job *find_job(struct shell *shell, const char *command, const char *text)
{
    uint64_t number;
    bool is_job = text[0] == '%';
    if (!shell_parse_number(text + is_job, UINT64_MAX, &number)) {
        fprintf(stderr, "%s: '%s' is neither %%JOB nor PID\n", command, text);
        return NULL;
    }
    for (size_t i = 0; i < SHELL_JOBS_MAX; i++) {
        struct shell_job *job = &shell->jobs[i];
        if (job->children.count > 0 && (is_job ? i + 1 : last_of(job)->pid) == number) {
            return job;
        }
    }
    fprintf(stderr, "%s: no job '%s'; `jobs` lists them\n", command, text);
    return NULL;
}

/*
 * Waits for one job and forgets it, having told what became of it if `tells`. Ctrl-C ends the
 * waiting, not the job.
 */
static int32_t wait_job(struct shell *shell, struct shell_job *job, bool tells)
{
    int32_t result = SHELL_FAILED;
    for (size_t i = 0; i < job->children.count; i++) {
        ftl_status_t status = wait_for(shell, job->children.child[i].process, FTL_TIME_INFINITE);
        if (status == FTL_ERR_CANCELLED) {
            return FTL_EXIT_INTERRUPTED;
        }
        if (status != FTL_OK) {
            fprintf(stderr, "wait: cannot wait for '%s': %s\n", job->command, ftl_strerror(status));
            return SHELL_FAILED;
        }
    }
    has_ended(job, &result);
    if (tells && shell->is_interactive) {
        print_end(shell, job, result);
    }
    forget(job);
    return result;
}

int32_t shell_wait(struct shell *shell, size_t count, char **word)
{
    if (count > 2) {
        return shell_usage(word[0]);
    }
    if (count == 2) {
        struct shell_job *job = find_job(shell, word[0], word[1]);
        return job != NULL ? wait_job(shell, job, false) : SHELL_NOT_FOUND;
    }
    int32_t result = SHELL_OK;
    for (size_t i = 0; i < SHELL_JOBS_MAX && !shell->interrupted; i++) {
        if (shell->jobs[i].children.count > 0) {
            result = wait_job(shell, &shell->jobs[i], true);
        }
    }
    return result;
}

/* ---- kill, sleep ---- */

/* Ends the process and waits for that; closes the handle. */
static ftl_status_t end_process(struct shell *shell, ftl_handle_t process)
{
    ftl_nsec_t now = 0;
    fflush(stdout); /* it may be the shell itself */
    ftl_status_t status = ftl_process_kill(process, FTL_EXIT_KILLED);
    if (status == FTL_OK) {
        ftl_clock_get(&now);
        status = wait_for(shell, process, now + KILL_PATIENCE);
    }
    ftl_handle_close(process);
    return status;
}

/* The last one first: it would end by itself when the others do. */
static ftl_status_t kill_job(struct shell *shell, const struct shell_job *job)
{
    ftl_status_t result = FTL_OK;
    for (size_t i = job->children.count; i-- > 0;) {
        ftl_handle_t process;
        ftl_status_t status =
            ftl_handle_duplicate(job->children.child[i].process, FTL_RIGHTS_SAME, &process);
        if (status == FTL_OK) {
            status = end_process(shell, process);
        }
        result = result != FTL_OK ? result : status;
    }
    return result;
}

/* Ends what `%JOB` or PID names; false after a message. */
static bool kill_one(struct shell *shell, const char *text)
{
    ftl_handle_t process;
    ftl_status_t status;
    uint64_t pid;
    if (text[0] == '%') {
        const struct shell_job *job = find_job(shell, "kill", text);
        if (job == NULL) {
            return false;
        }
        status = kill_job(shell, job);
    } else if (!shell_parse_number(text, UINT64_MAX, &pid)) {
        fprintf(stderr, "kill: '%s' is neither PID nor %%JOB\n", text);
        return false;
    } else {
        status = shell_process_find(shell, pid, &process);
        if (status == FTL_ERR_NOT_FOUND) {
            fprintf(stderr, "kill: no process %s; `ps` lists them\n", text);
            return false;
        }
        if (status != FTL_OK) {
            fprintf(stderr, "kill: cannot get at process %s: %s\n", text, ftl_strerror(status));
            return false;
        }
        status = end_process(shell, process);
    }
    if (status != FTL_OK) {
        fprintf(stderr, "kill: process %s has not ended: %s\n", text, ftl_strerror(status));
    }
    return status == FTL_OK;
}

int32_t shell_kill(struct shell *shell, size_t count, char **word)
{
    int32_t result = SHELL_OK;
    if (count < 2) {
        return shell_usage(word[0]);
    }
    for (size_t i = 1; i < count; i++) {
        if (!kill_one(shell, word[i])) {
            result = SHELL_FAILED;
        }
    }
    return result;
}

/* Reads seconds with up to nine decimals: "2", "0.25". */
static bool parse_seconds(const char *text, ftl_nsec_t *duration)
{
    static const uint64_t max_seconds = 1000000000;
    uint64_t whole = 0;
    char seconds[16];
    const char *point = strchr(text, '.');
    size_t size = point != NULL ? (size_t)(point - text) : strlen(text);
    if (size >= sizeof(seconds)) {
        return false;
    }
    memcpy(seconds, text, size);
    seconds[size] = '\0';
    if (!shell_parse_number(seconds, max_seconds, &whole)) {
        return false;
    }
    *duration = (ftl_nsec_t)whole * NSEC_PER_SEC;
    ftl_nsec_t unit = NSEC_PER_SEC / 10;
    for (const char *at = point; at != NULL && *++at != '\0'; unit /= 10) {
        if (*at < '0' || *at > '9' || unit == 0) {
            return false;
        }
        *duration += unit * (*at - '0');
    }
    return true;
}

int32_t shell_sleep(struct shell *shell, size_t count, char **word)
{
    ftl_nsec_t duration;
    ftl_nsec_t now = 0;
    if (count != 2) {
        return shell_usage(word[0]);
    }
    if (!parse_seconds(word[1], &duration)) {
        fprintf(stderr, "sleep: '%s' is not a number of seconds\n", word[1]);
        return SHELL_USAGE;
    }
    ftl_clock_get(&now);
    ftl_status_t status = wait_for(shell, FTL_HANDLE_INVALID, now + duration);
    return status == FTL_ERR_CANCELLED ? FTL_EXIT_INTERRUPTED : SHELL_OK;
}
