/*
 * Shows messages between processes: "trace on" and "trace off" switch their tracing, "trace show"
 * prints what the kernel still has of them. Needs the `system` handle, with MANAGE to switch.
 */
#include <ftl/environ.h>
#include <ftl/system.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {
    [FTL_TRACE_SEND] = "send",
    [FTL_TRACE_CALL] = "call",
    [FTL_TRACE_REPLY] = "reply",
};

static void print(const struct ftl_trace_record *record)
{
    printf("%12" PRId64 " us  pid %-4" PRIu64 " thread %-5" PRIu64 " %-5s", record->time / 1000,
           record->pid, record->thread, kinds[record->kind]);
    printf(" channel %4" PRIu32 " > %-4" PRIu32 " %5" PRIu32 " bytes %2" PRIu32 " handles  ",
           record->from, record->to, record->size, record->handles);
    printf("transaction %" PRIu64 "\n", record->transaction);
}

static ftl_status_t show(ftl_handle_t system)
{
    struct ftl_trace_record records[FTL_TRACE_READ_MAX];
    uint64_t position = 0;
    size_t count;
    ftl_status_t status;
    do {
        count = 0;
        status = ftl_system_trace_read(system, &position, records, FTL_TRACE_READ_MAX, &count);
        for (size_t i = 0; i < count; i++) {
            print(&records[i]);
        }
    } while (count != 0);
    return status;
}

int main(int argc, char **argv)
{
    ftl_handle_t system = ftl_environ_find(ftl_environ(), "system");
    const char *what = argc == 2 ? argv[1] : "";
    ftl_status_t status;
    if (strcmp(what, "show") == 0) {
        status = show(system);
    } else if (strcmp(what, "on") == 0 || strcmp(what, "off") == 0) {
        status = ftl_system_trace(system, strcmp(what, "on") == 0);
    } else {
        fprintf(stderr, "usage: trace on|off|show\n");
        return 2;
    }
    if (status != FTL_OK) {
        fprintf(stderr, "trace: %s\n", ftl_strerror(status));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
