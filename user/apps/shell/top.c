/* `top`: what every thread and every hart did since the last look, again and again until a key. */
#include <ftl/clock.h>
#include <ftl/console.h>
#include <ftl/handle.h>
#include <ftl/object.h>
#include <ftl/process.h>
#include <ftl/system.h>
#include <ftl/thread.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shell.h"

#define NSEC_PER_SEC  INT64_C(1000000000)
#define NSEC_PER_MSEC INT64_C(1000000)
#define INTERVAL      NSEC_PER_SEC
#define ROWS_SHOWN    20
#define HARTS_MAX     64
#define PER_MILLE     1000
#define KEY_QUIT      'q'

/* A thread at one look. */
struct row {
    char process[FTL_NAME_MAX];
    uint64_t pid;
    struct ftl_thread_info thread;
    ftl_nsec_t used; /* CPU time since the look before */
};

/* All that is seen in one look: threads by pid and tid. */
struct look {
    ftl_nsec_t time;
    struct row *rows; /* owned */
    size_t count;
    size_t capacity;
    struct ftl_hart_info harts[HARTS_MAX];
    size_t hart_count;
};

/* ---- Looking ---- */

static ftl_status_t add_row(struct look *look, const struct row *row)
{
    if (look->count == look->capacity) {
        size_t capacity = look->capacity == 0 ? ROWS_SHOWN : 2 * look->capacity;
        struct row *rows = realloc(look->rows, capacity * sizeof(*rows));
        if (rows == NULL) {
            return FTL_ERR_NO_MEMORY;
        }
        look->rows = rows;
        look->capacity = capacity;
    }
    look->rows[look->count++] = *row;
    return FTL_OK;
}

static ftl_status_t look_at_threads(struct look *look, ftl_handle_t process)
{
    struct ftl_process_info info;
    struct row row = { .pid = 0 };
    ftl_status_t status = ftl_process_info(process, &info);
    if (status != FTL_OK) {
        return status;
    }
    memcpy(row.process, info.name, sizeof(row.process));
    row.pid = info.pid;
    for (;;) {
        ftl_handle_t thread;
        status = ftl_process_next_thread(process, row.thread.tid, &thread);
        if (status != FTL_OK) {
            return status == FTL_ERR_NOT_FOUND ? FTL_OK : status;
        }
        status = ftl_thread_info(thread, &row.thread);
        ftl_handle_close(thread);
        if (status == FTL_OK) {
            status = add_row(look, &row);
        }
        if (status != FTL_OK) {
            return status;
        }
    }
}

static ftl_status_t look_at_processes(struct shell *shell, struct look *look)
{
    uint64_t last = 0;
    for (;;) {
        ftl_handle_t process;
        struct ftl_process_info info;
        ftl_status_t status = ftl_system_next_process(shell->system, last, &process);
        if (status != FTL_OK) {
            return status == FTL_ERR_NOT_FOUND ? FTL_OK : status;
        }
        status = ftl_process_info(process, &info);
        if (status == FTL_OK) {
            last = info.pid;
            status = look_at_threads(look, process);
        }
        ftl_handle_close(process);
        if (status != FTL_OK) {
            return status;
        }
    }
}

static ftl_status_t look_at_harts(struct shell *shell, struct look *look)
{
    for (look->hart_count = 0; look->hart_count < HARTS_MAX; look->hart_count++) {
        struct ftl_hart_info *hart = &look->harts[look->hart_count];
        hart->index = (uint32_t)look->hart_count;
        ftl_status_t status = ftl_system_hart_info(shell->system, hart);
        if (status != FTL_OK) {
            return status == FTL_ERR_NOT_FOUND ? FTL_OK : status;
        }
    }
    return FTL_OK;
}

static ftl_status_t take_look(struct shell *shell, struct look *look)
{
    look->count = 0;
    ftl_status_t status = ftl_clock_get(&look->time);
    if (status == FTL_OK) {
        status = look_at_harts(shell, look);
    }
    return status == FTL_OK ? look_at_processes(shell, look) : status;
}

/* ---- Comparing with the look before ---- */

static bool comes_before(const struct row *a, const struct row *b)
{
    return a->pid != b->pid ? a->pid < b->pid : a->thread.tid < b->thread.tid;
}

/* Fills in `used`; a thread that was not there before has used all its time since. */
static void compare(struct look *look, const struct look *before)
{
    size_t k = 0;
    for (size_t i = 0; i < look->count; i++) {
        struct row *row = &look->rows[i];
        while (k < before->count && comes_before(&before->rows[k], row)) {
            k++;
        }
        bool known = k < before->count && !comes_before(row, &before->rows[k]);
        row->used = row->thread.cpu_time - (known ? before->rows[k].thread.cpu_time : 0);
    }
}

static int by_use(const void *left, const void *right)
{
    const struct row *a = left;
    const struct row *b = right;
    if (a->used != b->used) {
        return a->used > b->used ? -1 : 1;
    }
    return comes_before(a, b) ? -1 : 1;
}

/* ---- Showing ---- */

static uint64_t per_mille(ftl_nsec_t part, ftl_nsec_t whole)
{
    if (part <= 0 || whole <= 0) {
        return 0;
    }
    return part >= whole ? PER_MILLE : (uint64_t)(part * PER_MILLE / whole);
}

static void print_harts(const struct look *look, const struct look *before)
{
    ftl_nsec_t span = look->time - before->time;
    for (size_t i = 0; i < look->hart_count; i++) {
        ftl_nsec_t idle = look->harts[i].idle_time - before->harts[i].idle_time;
        uint64_t busy = look->harts[i].online != 0 ? per_mille(span - idle, span) : 0;
        printf("hart %-2zu %3" PRIu64 ".%" PRIu64 " %% busy, switches: %" PRIu64
               ", taken from others: %" PRIu64 ", waiting: %" PRIu32 "\n",
               i, busy / 10, busy % 10, look->harts[i].switches - before->harts[i].switches,
               look->harts[i].steals - before->harts[i].steals, look->harts[i].ready);
    }
}

static const char *state_name(uint32_t state)
{
    switch (state) {
    case FTL_THREAD_READY: return "ready";
    case FTL_THREAD_RUNNING: return "running";
    case FTL_THREAD_WAITING: return "waiting";
    case FTL_THREAD_EXITED: return "exited";
    default: return "?";
    }
}

static void print_row(const struct row *row, ftl_nsec_t span)
{
    const struct ftl_thread_info *thread = &row->thread;
    uint64_t share = per_mille(row->used, span);
    printf("%5" PRIu64 " %5" PRIu64 " %-16s %-15s %-7s %4" PRIu32 " %4" PRIu32 " %3" PRIu64
           ".%" PRIu64 " %5" PRId64 ".%03" PRId64 " s\n",
           row->pid, thread->tid, row->process, thread->name, state_name(thread->state),
           thread->hart, thread->effective_priority, share / 10, share % 10,
           thread->cpu_time / NSEC_PER_SEC, thread->cpu_time % NSEC_PER_SEC / NSEC_PER_MSEC);
}

/* Prints the look's busiest threads, which it sorts for that; `before` stays in its order. */
static ftl_status_t show(const struct look *look, const struct look *before)
{
    struct row *sorted = malloc((look->count + 1) * sizeof(*sorted));
    if (sorted == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    if (look->count > 0) {
        memcpy(sorted, look->rows, look->count * sizeof(*sorted));
    }
    qsort(sorted, look->count, sizeof(*sorted), by_use);
    print_harts(look, before);
    printf("%5s %5s %-16s %-15s %-7s %4s %4s %5s %11s\n", "PID", "TID", "PROCESS", "THREAD",
           "STATE", "HART", "PRIO", "CPU %", "CPU TIME");
    for (size_t i = 0; i < look->count && i < ROWS_SHOWN; i++) {
        print_row(&sorted[i], look->time - before->time);
    }
    if (look->count > ROWS_SHOWN) {
        printf("and %zu threads more\n", look->count - ROWS_SHOWN);
    }
    free(sorted);
    return FTL_OK;
}

/* Waits for the time of the next look. False when a key says to stop. */
static bool wait_for_next(struct shell *shell, ftl_nsec_t deadline)
{
    struct ftl_wait_item console = { .handle = shell->console,
                                     .interest = FTL_SIGNAL_READABLE | FTL_SIGNAL_INTERRUPT };
    size_t ready;
    fflush(stdout);
    while (ftl_object_wait(&console, 1, deadline, &ready) == FTL_OK) {
        char key;
        size_t got;
        if (shell_take_interrupt(shell)) {
            return false;
        }
        if (ftl_console_read(shell->console, &key, 1, 0, &got) == FTL_OK && key == KEY_QUIT) {
            return false;
        }
    }
    return true;
}

/* Shows `looks` looks, or goes on for ever when that is 0. */
static ftl_status_t watch(struct shell *shell, uint64_t looks)
{
    struct look *look = calloc(2, sizeof(*look));
    if (look == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    size_t now = 0;
    ftl_status_t status = take_look(shell, &look[now]);
    for (uint64_t shown = 0; status == FTL_OK && (looks == 0 || shown < looks); shown++) {
        if (!wait_for_next(shell, look[now].time + INTERVAL)) {
            break;
        }
        now = 1 - now;
        status = take_look(shell, &look[now]);
        if (status != FTL_OK) {
            break;
        }
        compare(&look[now], &look[1 - now]);
        fputs(looks == 0 ? CLEAR_SCREEN : "", stdout);
        status = show(&look[now], &look[1 - now]);
    }
    free(look[0].rows);
    free(look[1].rows);
    free(look);
    return status;
}

int32_t shell_top(struct shell *shell, size_t count, char **word)
{
    uint64_t looks = 0;
    bool counted = count == 3 && strcmp(word[1], "-n") == 0;
    if (count > 1 && !counted) {
        return shell_usage(word[0]);
    }
    if (counted && (!shell_parse_number(word[2], UINT32_MAX, &looks) || looks == 0)) {
        fprintf(stderr, "top: '%s' is not a number of looks\n", word[2]);
        return SHELL_USAGE;
    }
    ftl_status_t status = watch(shell, looks);
    if (status != FTL_OK) {
        return shell_failed(word[0], "look at the threads", status);
    }
    return shell->interrupted ? FTL_EXIT_INTERRUPTED : SHELL_OK;
}
