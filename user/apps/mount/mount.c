/*
 * mount [-r] SOURCE DIRECTORY: has a file system appear in place of a directory, read-only with -r.
 * Without arguments: what is mounted.
 */
#include <ftl/protocols/mount.h>
#include <ftl/server.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mount_buffer buffer;

static int fail(const char *what, ftl_status_t status)
{
    fprintf(stderr, "mount: %s: %s\n", what,
            status == FTL_ERR_BAD_STATE ? "something is mounted there" : ftl_strerror(status));
    return EXIT_FAILURE;
}

static ftl_status_t show(ftl_handle_t files)
{
    struct mount_next_request request = { .index = 0 };
    struct mount_next_reply reply;
    ftl_status_t status;
    while ((status = mount_next(files, &request, &reply, &buffer, FTL_TIME_INFINITE)) == FTL_OK) {
        printf("%-8s on %-12s type %s (%s)\n", reply.source, reply.path, reply.type, reply.options);
        request.index++;
    }
    return status == FTL_ERR_NOT_FOUND ? FTL_OK : status;
}

int main(int argc, char **argv)
{
    ftl_handle_t files;
    bool read_only = argc == 4 && strcmp(argv[1], "-r") == 0;
    if (argc != 1 && argc != 3 && !read_only) {
        fprintf(stderr, "usage: mount [[-r] block|block:N|memory|boot DIRECTORY]\n");
        return EXIT_FAILURE;
    }
    ftl_status_t status = ftl_service_connect(&mount_protocol, &files);
    if (status != FTL_OK) {
        return fail("cannot reach the file server", status);
    }
    if (argc == 1) {
        status = show(files);
        return status == FTL_OK ? EXIT_SUCCESS : fail("cannot list what is mounted", status);
    }
    struct mount_mount_request request = {
        .source = argv[argc - 2],
        .path = argv[argc - 1],
        .read_only = read_only,
    };
    status = mount_mount(files, &request, &buffer, FTL_TIME_INFINITE);
    return status == FTL_OK ? EXIT_SUCCESS : fail(request.source, status);
}
