/* `mount`, `umount`, `df`: what the file server is asked for by the protocol `mount`. */
#include <errno.h>
#include <ftl/handle.h>
#include <ftl/protocols/mount.h>
#include <ftl/server.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "shell.h"

#define KIB      1024
#define PER_CENT 100

enum action { LIST, MOUNT, UNMOUNT, SPACE };

static const char *const failures[] = {
    "list what is mounted",
    "mount it",
    "unmount it",
    "list what is mounted",
};

static void print_mount(const struct mount_next_reply *mounted)
{
    bool has_options = mounted->options[0] != '\0';
    printf("%s on %s type %s%s%s%s\n", mounted->source, mounted->path, mounted->type,
           has_options ? " (" : "", mounted->options, has_options ? ")" : "");
}

static void print_space(const char *source, const char *path)
{
    struct statvfs info;
    if (statvfs(path, &info) != 0) {
        fprintf(stderr, "df: %s: %s\n", path, strerror(errno));
        return;
    }
    unsigned long long unit = info.f_frsize;
    unsigned long long used = info.f_blocks - info.f_bfree;
    unsigned long long whole = used + info.f_bavail;
    printf("%-16s %12llu %12llu %12llu %3llu%% %s\n", source, info.f_blocks * unit / KIB,
           used * unit / KIB, info.f_bavail * unit / KIB,
           whole > 0 ? (used * PER_CENT + whole - 1) / whole : 0, path);
}

static void print_space_of_mount(const struct mount_next_reply *mounted)
{
    print_space(mounted->source, mounted->path);
}

/* Calls `print` for all that is mounted. */
static ftl_status_t list(ftl_handle_t server, void (*print)(const struct mount_next_reply *mounted))
{
    struct mount_next_request request = { .index = 0 };
    ftl_status_t status;
    struct mount_buffer *buffer = malloc(sizeof(*buffer));
    if (buffer == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    for (;; request.index++) {
        struct mount_next_reply reply;
        status = mount_next(server, &request, &reply, buffer, FTL_TIME_INFINITE);
        if (status != FTL_OK) {
            break;
        }
        print(&reply);
    }
    free(buffer);
    return status == FTL_ERR_NOT_FOUND ? FTL_OK : status;
}

static ftl_status_t mount(ftl_handle_t server, const struct mount_mount_request *request)
{
    ftl_status_t status = FTL_ERR_NO_MEMORY;
    struct mount_buffer *buffer = malloc(sizeof(*buffer));
    if (buffer != NULL) {
        status = mount_mount(server, request, buffer, FTL_TIME_INFINITE);
    }
    free(buffer);
    return status;
}

static ftl_status_t unmount(ftl_handle_t server, const char *path)
{
    struct mount_unmount_request request = { .path = path };
    ftl_status_t status = FTL_ERR_NO_MEMORY;
    struct mount_buffer *buffer = malloc(sizeof(*buffer));
    if (buffer != NULL) {
        status = mount_unmount(server, &request, buffer, FTL_TIME_INFINITE);
    }
    free(buffer);
    return status;
}

/* The path from the root on: the server knows no current directory. False: it is too long. */
static bool whole_path(const char *path, char *whole, size_t size)
{
    size_t used = 0;
    if (path[0] != '/') {
        if (getcwd(whole, size - 1) == NULL) {
            return false;
        }
        used = strlen(whole);
        whole[used++] = '/';
    }
    if (strlen(path) >= size - used) {
        return false;
    }
    strcpy(whole + used, path);
    return true;
}

/* Runs the action with a connection to the file server. */
static int32_t act(const char *name, enum action action, const struct mount_mount_request *asked)
{
    struct mount_mount_request request = *asked;
    char path[PATH_MAX];
    ftl_handle_t server;
    if (action == MOUNT || action == UNMOUNT) {
        if (!whole_path(asked->path, path, sizeof(path))) {
            return shell_failed(name, "use this directory", FTL_ERR_NAME_TOO_LONG);
        }
        request.path = path;
    }
    ftl_status_t status = ftl_service_connect(&mount_protocol, &server);
    if (status != FTL_OK) {
        return shell_failed(name, "connect to the file server", status);
    }
    switch (action) {
    case LIST: status = list(server, print_mount); break;
    case SPACE: status = list(server, print_space_of_mount); break;
    case MOUNT: status = mount(server, &request); break;
    case UNMOUNT: status = unmount(server, request.path); break;
    }
    ftl_handle_close(server);
    return status == FTL_OK ? SHELL_OK : shell_failed(name, failures[action], status);
}

int32_t shell_mount(struct shell *shell, size_t count, char **word)
{
    struct mount_mount_request request = {
        .read_only = count > 1 && strcmp(word[1], "-r") == 0,
    };
    size_t first = request.read_only ? 2 : 1;
    (void)shell;
    if (count == 1) {
        return act(word[0], LIST, &request);
    }
    if (count != first + 2) {
        return shell_usage(word[0]);
    }
    request.source = word[first];
    request.path = word[first + 1];
    return act(word[0], MOUNT, &request);
}

int32_t shell_umount(struct shell *shell, size_t count, char **word)
{
    struct mount_mount_request request = { .path = count > 1 ? word[1] : "" };
    (void)shell;
    return count == 2 ? act(word[0], UNMOUNT, &request) : shell_usage(word[0]);
}

int32_t shell_df(struct shell *shell, size_t count, char **word)
{
    struct mount_mount_request request = { .path = "" };
    (void)shell;
    printf("%-16s %12s %12s %12s %4s %s\n", "SOURCE", "KIB", "USED", "FREE", "USE", "MOUNTED ON");
    if (count == 1) {
        return act(word[0], SPACE, &request);
    }
    for (size_t i = 1; i < count; i++) {
        print_space("-", word[i]);
    }
    return SHELL_OK;
}
