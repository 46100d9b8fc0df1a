/* filetest: a client of the file server. */
#include <ftl/file_memory.h>
#include <ftl/handle.h>
#include <ftl/protocols/file.h>
#include <ftl/protocols/mount.h>
#include <ftl/server.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ftl_handle_t files;
static char *memory;

static void require(ftl_status_t status, ftl_status_t expected, const char *what)
{
    if (status != expected) {
        printf("filetest: %s: %s\n", what, ftl_strerror(status));
        exit(EXIT_FAILURE);
    }
}

static void connect_files(void)
{
    struct file_buffer buffer;
    struct file_attach_request attach;
    ftl_handle_t vmo;
    ftl_handle_t vmspace;
    uintptr_t address;
    require(ftl_service_connect(&file_protocol, &files), FTL_OK, "connect");
    require(ftl_vmo_create(FTL_FILE_MEMORY_SIZE, &vmo), FTL_OK, "memory");
    require(ftl_vmspace_self(&vmspace), FTL_OK, "vmspace");
    require(ftl_vmspace_map(vmspace, vmo, 0, FTL_FILE_MEMORY_SIZE, FTL_MAP_READ | FTL_MAP_WRITE, 0,
                            &address),
            FTL_OK, "map");
    memory = (char *)address;
    attach.memory = vmo;
    require(file_attach(files, &attach, &buffer, FTL_TIME_INFINITE), FTL_OK, "attach");
}

int main(int argc, char **argv)
{
    struct file_buffer buffer;
    const char *path = argc > 1 ? argv[1] : "/";
    connect_files();
    struct file_open_request open = { .path = path, .access = FILE_ACCESS_READ };
    struct file_open_reply opened;
    require(file_open(files, &open, &opened, &buffer, FTL_TIME_INFINITE), FTL_OK, "open");
    if (opened.kind == FILE_KIND_DIRECTORY) {
        struct file_list_request list = { .file = opened.file, .size = 65536 };
        struct file_list_reply listed;
        require(file_list(files, &list, &listed, &buffer, FTL_TIME_INFINITE), FTL_OK, "list");
        for (uint32_t at = 0; at < listed.size;) {
            const struct ftl_file_entry *entry = (const void *)(memory + at);
            printf("%s ", entry->name);
            at += entry->size;
        }
        printf("\n");
    } else {
        struct file_read_request read = { .file = opened.file, .size = 200, .offset = -1 };
        struct file_read_reply reply;
        require(file_read(files, &read, &reply, &buffer, FTL_TIME_INFINITE), FTL_OK, "read");
        printf("%.*s\n", (int)reply.size, memory);
    }
    return EXIT_SUCCESS;
}
