/* Looking into one process, and at what the kernel is made of: `handles`, `vm`, `objects`. */
#include <ftl/handle.h>
#include <ftl/process.h>
#include <ftl/system.h>
#include <ftl/vmspace.h>
#include <inttypes.h>
#include <stdio.h>

#include "shell.h"

#define KIND_COUNT_MAX 128

/* Runs `show` on the process whose number is the command's one argument. */
static int32_t with_process(struct shell *shell, size_t count, char **word,
                            ftl_status_t (*show)(ftl_handle_t process))
{
    uint64_t pid;
    ftl_handle_t process;
    if (count != 2) {
        return shell_usage(word[0]);
    }
    if (!shell_parse_number(word[1], UINT64_MAX, &pid)) {
        fprintf(stderr, "%s: '%s' is not a process number\n", word[0], word[1]);
        return SHELL_USAGE;
    }
    ftl_status_t status = shell_process_find(shell, pid, &process);
    if (status == FTL_ERR_NOT_FOUND) {
        fprintf(stderr, "%s: no process %s; `ps` lists them\n", word[0], word[1]);
        return SHELL_FAILED;
    }
    if (status == FTL_OK) {
        status = show(process);
        ftl_handle_close(process);
    }
    return status == FTL_OK ? SHELL_OK : shell_failed(word[0], "look into the process", status);
}

/* ---- Handles ---- */

/*
 * In the order of the FTL_RIGHT_ bits: read, write, map, execute, duplicate, transfer, manage,
 * wait.
 */
static const char right_letters[] = "rwmxdtMW";

static void print_handle(const struct ftl_handle_info *info)
{
    char rights[sizeof(right_letters)] = { 0 };
    for (size_t bit = 0; bit < sizeof(right_letters) - 1; bit++) {
        rights[bit] = (info->rights >> bit & 1) != 0 ? right_letters[bit] : '-';
    }
    printf("%#18" PRIx64 " %-12s %7" PRIu32 " %s\n", info->handle, info->type, info->object,
           rights);
}

static ftl_status_t show_handles(ftl_handle_t process)
{
    struct ftl_handle_list list = { .position = 0 };
    printf("%18s %-12s %7s %s\n", "HANDLE", "TYPE", "OBJECT", "RIGHTS");
    do {
        ftl_status_t status = ftl_process_handles(process, &list);
        if (status != FTL_OK) {
            return status;
        }
        for (uint32_t i = 0; i < list.count; i++) {
            print_handle(&list.handles[i]);
        }
    } while (list.position != 0);
    return FTL_OK;
}

int32_t shell_handles(struct shell *shell, size_t count, char **word)
{
    return with_process(shell, count, word, show_handles);
}

/* ---- Mappings ---- */

static const char *kind_name(const struct ftl_mapping_info *info)
{
    if (info->code != 0) {
        return "image";
    }
    return info->kind == FTL_VMO_PHYSICAL ? "physical" : "anonymous";
}

static void print_mapping(const struct ftl_mapping_info *info)
{
    char permissions[] = "---";
    permissions[0] = (info->permissions & FTL_MAP_READ) != 0 ? 'r' : '-';
    permissions[1] = (info->permissions & FTL_MAP_WRITE) != 0 ? 'w' : '-';
    permissions[2] = (info->permissions & FTL_MAP_EXEC) != 0 ? 'x' : '-';
    printf("%016" PRIx64 "-%016" PRIx64 " %s %8" PRIu64 " KiB %7" PRIu32 " %#10" PRIx64 " %s\n",
           info->address, info->address + info->size, permissions, info->size / 1024, info->vmo,
           info->offset, kind_name(info));
}

static ftl_status_t show_mappings(ftl_handle_t process)
{
    struct ftl_mapping_list list = { .position = 0 };
    printf("%-33s %s %12s %7s %10s %s\n", "ADDRESSES", "MAY", "SIZE", "VMO", "OFFSET", "KIND");
    do {
        ftl_status_t status = ftl_process_mappings(process, &list);
        if (status != FTL_OK) {
            return status;
        }
        for (uint32_t i = 0; i < list.count; i++) {
            print_mapping(&list.mappings[i]);
        }
    } while (list.position != 0);
    return FTL_OK;
}

int32_t shell_vm(struct shell *shell, size_t count, char **word)
{
    return with_process(shell, count, word, show_mappings);
}

/* ---- Objects ---- */

int32_t shell_objects(struct shell *shell, size_t count, char **word)
{
    struct ftl_object_count kinds[KIND_COUNT_MAX];
    size_t kind_count;
    if (count > 1) {
        return shell_usage(word[0]);
    }
    ftl_status_t status = ftl_system_objects(shell->system, kinds, KIND_COUNT_MAX, &kind_count);
    if (status != FTL_OK) {
        return shell_failed(word[0], "count the objects", status);
    }
    printf("%-16s %10s %8s %12s\n", "KIND", "COUNT", "BYTES", "MEMORY");
    for (size_t i = 0; i < kind_count && i < KIND_COUNT_MAX; i++) {
        printf("%-16s %10" PRIu64 " %8" PRIu64 " %8" PRIu64 " KiB\n", kinds[i].name, kinds[i].count,
               kinds[i].size, kinds[i].count * kinds[i].size / 1024);
    }
    return SHELL_OK;
}
