/*
 * umount DIRECTORY: takes away the file system that is mounted there, with all written to its disk.
 */
#include <ftl/protocols/mount.h>
#include <ftl/server.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    static struct mount_buffer buffer;
    ftl_handle_t files;
    if (argc != 2) {
        fprintf(stderr, "usage: umount DIRECTORY\n");
        return EXIT_FAILURE;
    }
    struct mount_unmount_request request = { .path = argv[1] };
    ftl_status_t status = ftl_service_connect(&mount_protocol, &files);
    if (status == FTL_OK) {
        status = mount_unmount(files, &request, &buffer, FTL_TIME_INFINITE);
    }
    if (status != FTL_OK) {
        fprintf(stderr, "umount: %s: %s\n", argv[1],
                status == FTL_ERR_BAD_STATE ? "it is in use" : ftl_strerror(status));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
