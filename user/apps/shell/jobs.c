/*
 * Processes that the shell started: waiting for the one in the foreground, remembering those in the
 * background, ending either.
 */
#include <ftl/clock.h>
#include <ftl/console.h>
#include <ftl/handle.h>
#include <ftl/object.h>
#include <ftl/process.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shell.h"

#define NSEC_PER_SEC  INT64_C(1000000000)
#define KILL_PATIENCE (2 * NSEC_PER_SEC) /* how long `kill` waits for the end */

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
    if (ftl_console_take_interrupt(shell->console, &taken) != FTL_OK || taken == 0) {
        return false;
    }
    shell->interrupted = true;
    printf("^C\n");
    return true;
}

/*
 * Waits until the process has exited, or Ctrl-C is typed, or the deadline. A process of
 * FTL_HANDLE_INVALID never exits.
 */
static ftl_status_t wait_for(struct shell *shell, ftl_handle_t process, ftl_nsec_t deadline)
{
    struct ftl_wait_item items[] = {
        { .handle = shell->console, .interest = FTL_SIGNAL_INTERRUPT },
        { .handle = process, .interest = FTL_SIGNAL_EXITED },
    };
    size_t ready;
    fflush(stdout);
    ftl_status_t status =
        ftl_object_wait(items, process != FTL_HANDLE_INVALID ? 2 : 1, deadline, &ready);
    if (status == FTL_OK && (items[1].signals & FTL_SIGNAL_EXITED) == 0) {
        shell_take_interrupt(shell);
        return FTL_ERR_CANCELLED;
    }
    return status;
}

int32_t shell_wait_foreground(struct shell *shell, ftl_handle_t process)
{
    struct ftl_process_info info = { .exit_status = SHELL_FAILED };
    ftl_status_t status;
    while ((status = wait_for(shell, process, FTL_TIME_INFINITE)) == FTL_ERR_CANCELLED) {
        ftl_process_kill(process, FTL_EXIT_INTERRUPTED);
    }
    if (status == FTL_OK) {
        status = ftl_process_info(process, &info);
    }
    if (status != FTL_OK) {
        fprintf(stderr, "shell: cannot wait for the process: %s\n", ftl_strerror(status));
    }
    shell->children_time += info.cpu_time;
    ftl_handle_close(process);
    return info.exit_status;
}

/* ---- Jobs ---- */

/* Joins words with blanks, cut off where the buffer ends. */
static void join(char *buffer, size_t size, size_t count, char **word)
{
    size_t used = 0;
    for (size_t i = 0; i < count && used + 1 < size; i++) {
        int more = snprintf(buffer + used, size - used, "%s%s", i > 0 ? " " : "", word[i]);
        used += (size_t)more;
    }
}

/* The index of a free entry, SHELL_JOBS_MAX when there is none. */
static size_t free_job(const struct shell *shell)
{
    size_t index = 0;
    while (index < SHELL_JOBS_MAX && shell->jobs[index].process != FTL_HANDLE_INVALID) {
        index++;
    }
    return index;
}

bool shell_job_room(const struct shell *shell)
{
    if (free_job(shell) == SHELL_JOBS_MAX) {
        fprintf(stderr, "shell: there are already %d background jobs\n", SHELL_JOBS_MAX);
        return false;
    }
    return true;
}

void shell_job_add(struct shell *shell, ftl_handle_t process, size_t count, char **word)
{
    struct ftl_process_info info = { .pid = 0 };
    size_t index = free_job(shell);
    struct shell_job *job = &shell->jobs[index];
    ftl_status_t status = ftl_process_info(process, &info);
    if (status != FTL_OK) { /* it still is job %N */
        fprintf(stderr, "shell: cannot ask for the process's number: %s\n", ftl_strerror(status));
    }
    job->process = process;
    job->pid = info.pid;
    join(job->command, sizeof(job->command), count, word);
    shell->background_pid = info.pid;
    printf("[%zu] %" PRIu64 "\n", index + 1, info.pid);
}

static void forget(struct shell_job *job)
{
    ftl_handle_close(job->process);
    memset(job, 0, sizeof(*job));
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
        struct ftl_process_info info;
        if (job->process == FTL_HANDLE_INVALID || ftl_process_info(job->process, &info) != FTL_OK ||
            info.state != FTL_PROCESS_EXITED) {
            continue;
        }
        print_end(shell, job, info.exit_status);
        forget(job);
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
        if (job->process != FTL_HANDLE_INVALID) {
            printf("[%zu] running, pid %" PRIu64 ": %s\n", i + 1, job->pid, job->command);
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
        if (job->process != FTL_HANDLE_INVALID && (is_job ? i + 1 : job->pid) == number) {
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
    struct ftl_process_info info;
    ftl_status_t status = wait_for(shell, job->process, FTL_TIME_INFINITE);
    if (status == FTL_ERR_CANCELLED) {
        return FTL_EXIT_INTERRUPTED;
    }
    if (status == FTL_OK) {
        status = ftl_process_info(job->process, &info);
    }
    if (status != FTL_OK) {
        fprintf(stderr, "wait: cannot wait for '%s': %s\n", job->command, ftl_strerror(status));
        return SHELL_FAILED;
    }
    if (tells) {
        print_end(shell, job, info.exit_status);
    }
    forget(job);
    return info.exit_status;
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
        if (shell->jobs[i].process != FTL_HANDLE_INVALID) {
            result = wait_job(shell, &shell->jobs[i], true);
        }
    }
    return result;
}

/* ---- kill, sleep ---- */

/* A handle to what `%JOB` or PID names, for the caller to close; false after a message. */
static bool find_process(struct shell *shell, const char *text, ftl_handle_t *process)
{
    ftl_status_t status;
    uint64_t pid;
    if (text[0] == '%') {
        const struct shell_job *job = find_job(shell, "kill", text);
        if (job == NULL) {
            return false;
        }
        status = ftl_handle_duplicate(job->process, FTL_RIGHTS_SAME, process);
    } else if (!shell_parse_number(text, UINT64_MAX, &pid)) {
        fprintf(stderr, "kill: '%s' is neither PID nor %%JOB\n", text);
        return false;
    } else {
        status = shell_process_find(shell, pid, process);
    }
    if (status == FTL_ERR_NOT_FOUND) {
        fprintf(stderr, "kill: no process %s; `ps` lists them\n", text);
    } else if (status != FTL_OK) {
        fprintf(stderr, "kill: cannot get at process %s: %s\n", text, ftl_strerror(status));
    }
    return status == FTL_OK;
}

static bool kill_one(struct shell *shell, const char *text)
{
    ftl_handle_t process;
    ftl_nsec_t now = 0;
    if (!find_process(shell, text, &process)) {
        return false;
    }
    fflush(stdout); /* it may be the shell itself */
    ftl_status_t status = ftl_process_kill(process, FTL_EXIT_KILLED);
    if (status == FTL_OK) {
        ftl_clock_get(&now);
        status = wait_for(shell, process, now + KILL_PATIENCE);
    }
    if (status != FTL_OK) {
        fprintf(stderr, "kill: process %s has not ended: %s\n", text, ftl_strerror(status));
    }
    ftl_handle_close(process);
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
