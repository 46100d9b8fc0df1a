/* Looking at the system, and switching it off: all that the handle `system` allows. */
#include <ftl/clock.h>
#include <ftl/handle.h>
#include <ftl/process.h>
#include <ftl/protocols/file.h>
#include <ftl/server.h>
#include <ftl/system.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shell.h"

#define NSEC_PER_SEC  INT64_C(1000000000)
#define NSEC_PER_MSEC INT64_C(1000000)
#define LOG_CHUNK     4096
#define LOG_MAX       (16u << 20) /* bytes of log read at most, should it grow meanwhile */

static uint64_t kib(uint64_t bytes)
{
    return bytes / 1024;
}

/* ---- Processes ---- */

/*
 * Calls `visit` for every process, by rising number. A process that ends meanwhile may be left out.
 * Stops with the error of a call, or FTL_OK at the end.
 */
static ftl_status_t each_process(struct shell *shell,
                                 void (*visit)(const struct ftl_process_info *info))
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
        ftl_handle_close(process);
        if (status != FTL_OK) {
            return status;
        }
        last = info.pid;
        visit(&info);
    }
}

ftl_status_t shell_process_find(struct shell *shell, uint64_t pid, ftl_handle_t *process)
{
    struct ftl_process_info info;
    if (pid == 0) {
        return FTL_ERR_NOT_FOUND;
    }
    ftl_status_t status = ftl_system_next_process(shell->system, pid - 1, process);
    if (status != FTL_OK) {
        return status;
    }
    status = ftl_process_info(*process, &info);
    if (status == FTL_OK && info.pid == pid) {
        return FTL_OK;
    }
    ftl_handle_close(*process);
    return status == FTL_OK ? FTL_ERR_NOT_FOUND : status;
}

static const char *state_name(uint32_t state)
{
    switch (state) {
    case FTL_PROCESS_NEW: return "new";
    case FTL_PROCESS_RUNNING: return "running";
    case FTL_PROCESS_EXITED: return "exited";
    default: return "?";
    }
}

static void print_process(const struct ftl_process_info *info)
{
    const char *isolation = info->isolation == FTL_ISOLATION_USER ? "user" : "sandbox";
    printf("%5" PRIu64 " %-16s %-9s %-7s %7" PRIu32 " %7" PRIu32 " %8" PRIu64 " KiB %6" PRId64
           ".%03" PRId64 " s\n",
           info->pid, info->name, isolation, state_name(info->state), info->threads, info->handles,
           kib(info->memory_used), info->cpu_time / NSEC_PER_SEC,
           info->cpu_time % NSEC_PER_SEC / NSEC_PER_MSEC);
}

int32_t shell_ps(struct shell *shell, size_t count, char **word)
{
    if (count > 1) {
        return shell_usage(word[0]);
    }
    printf("%5s %-16s %-9s %-7s %7s %7s %12s %12s\n", "PID", "NAME", "ISOLATION", "STATE",
           "THREADS", "HANDLES", "MEMORY", "CPU TIME");
    ftl_status_t status = each_process(shell, print_process);
    return status == FTL_OK ? SHELL_OK : shell_failed(word[0], "list the processes", status);
}

/* ---- System ---- */

static void print_process_memory(const struct ftl_process_info *info)
{
    printf("%5" PRIu64 " %-16s %10" PRIu64 " KiB of %10" PRIu64 " KiB\n", info->pid, info->name,
           kib(info->memory_used), kib(info->memory_limit));
}

int32_t shell_mem(struct shell *shell, size_t count, char **word)
{
    struct ftl_system_info info;
    if (count > 1) {
        return shell_usage(word[0]);
    }
    ftl_status_t status = ftl_system_info(shell->system, &info);
    if (status != FTL_OK) {
        return shell_failed(word[0], "ask the system", status);
    }
    printf("total  %10" PRIu64 " KiB\n", kib(info.memory_total));
    printf("free   %10" PRIu64 " KiB\n", kib(info.memory_free));
    printf("kernel %10" PRIu64 " KiB\n", kib(info.memory_kernel));
    printf("ids of address spaces: %" PRIu64 ", used up %" PRIu64 " times\n", info.asids,
           info.asids_used_up);
    status = each_process(shell, print_process_memory);
    return status == FTL_OK ? SHELL_OK : shell_failed(word[0], "list the processes", status);
}

int32_t shell_uptime(struct shell *shell, size_t count, char **word)
{
    struct ftl_system_info info;
    if (count > 1) {
        return shell_usage(word[0]);
    }
    ftl_status_t status = ftl_system_info(shell->system, &info);
    if (status != FTL_OK) {
        return shell_failed(word[0], "ask the system", status);
    }
    int64_t seconds = info.uptime / NSEC_PER_SEC;
    printf("up %" PRId64 ":%02" PRId64 ":%02" PRId64 ".%03" PRId64 ", harts: %" PRIu64
           ", processes: %" PRIu64 ", threads: %" PRIu64 "\n",
           seconds / 3600, seconds / 60 % 60, seconds % 60,
           info.uptime % NSEC_PER_SEC / NSEC_PER_MSEC, info.harts_online, info.processes,
           info.threads);
    printf("firmware: %" PRIu64 " instructions, kernel entry to first prompt: %" PRIu64
           " instructions\n",
           info.firmware_instructions, shell->prompt_instructions);
    return SHELL_OK;
}

/* ---- Log ---- */

/* Reads the whole log into a buffer that the caller frees. */
static ftl_status_t read_log(struct shell *shell, char **text, size_t *size)
{
    uint64_t position = 0;
    size_t got;
    *text = NULL;
    *size = 0;
    do {
        char *larger = realloc(*text, *size + LOG_CHUNK);
        if (larger == NULL) {
            return FTL_ERR_NO_MEMORY;
        }
        *text = larger;
        ftl_status_t status =
            ftl_system_log(shell->system, &position, *text + *size, LOG_CHUNK, &got);
        if (status != FTL_OK) {
            return status;
        }
        *size += got;
    } while (got > 0 && *size < LOG_MAX);
    return FTL_OK;
}

/* Where the last `lines` lines of a text start. */
static size_t last_lines(const char *text, size_t size, uint64_t lines)
{
    size_t at = size;
    while (at > 0) {
        bool line_ends = text[at - 1] == '\n' && at < size;
        if (line_ends && --lines == 0) {
            break;
        }
        at--;
    }
    return at;
}

int32_t shell_log(struct shell *shell, size_t count, char **word)
{
    uint64_t lines = UINT64_MAX;
    char *text;
    size_t size;
    bool last = count == 3 && strcmp(word[1], "-n") == 0;
    if (count > 1 && !last) {
        return shell_usage(word[0]);
    }
    if (last && (!shell_parse_number(word[2], UINT32_MAX, &lines) || lines == 0)) {
        fprintf(stderr, "log: '%s' is not a number of lines\n", word[2]);
        return SHELL_USAGE;
    }
    ftl_status_t status = read_log(shell, &text, &size);
    if (status == FTL_OK) {
        size_t start = last_lines(text, size, lines);
        fwrite(text + start, 1, size - start, stdout);
        if (size > start && text[size - 1] != '\n') {
            putchar('\n');
        }
    }
    free(text);
    return status == FTL_OK ? SHELL_OK : shell_failed(word[0], "read the log", status);
}

/* ---- Power ---- */

#define SYNC_TIME INT64_C(30000000000)

/* Has the file server, if it runs, write what was changed to its disks. */
static void sync_files(const char *command)
{
    struct file_buffer buffer;
    ftl_handle_t files;
    ftl_nsec_t now = 0;
    if (ftl_service_connect_running(&file_protocol, &files) != FTL_OK) {
        return;
    }
    ftl_clock_get(&now);
    ftl_status_t status = file_sync_all(files, &buffer, now + SYNC_TIME);
    ftl_handle_close(files);
    if (status != FTL_OK) {
        shell_failed(command, "write files to their disks", status);
    }
}

int32_t shell_shutdown(struct shell *shell, size_t count, char **word)
{
    uint64_t exit_status = 0;
    if (count > 2) {
        return shell_usage(word[0]);
    }
    if (count == 2 && !shell_parse_number(word[1], UINT8_MAX, &exit_status)) {
        fprintf(stderr, "shutdown: '%s' is not an exit status from 0 to 255\n", word[1]);
        return SHELL_USAGE;
    }
    sync_files(word[0]);
    fflush(stdout);
    return shell_failed(word[0], "power off",
                        ftl_system_power(shell->system, FTL_POWER_OFF, (uint32_t)exit_status));
}

int32_t shell_reboot(struct shell *shell, size_t count, char **word)
{
    if (count > 1) {
        return shell_usage(word[0]);
    }
    sync_files(word[0]);
    fflush(stdout);
    return shell_failed(word[0], "reboot", ftl_system_power(shell->system, FTL_POWER_REBOOT, 0));
}
