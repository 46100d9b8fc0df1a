/*
 * A client of the file server that knows its protocol, not the C library's files.
 *
 *   filetest look [PATH]           what there is: a directory's names, a file's beginning
 *   filetest check DIRECTORY       whether all calls do what they should, in a writable directory
 *   filetest put FILE TEXT         writes a file, and does not wait until it is on the disk
 *   filetest hostile               what is not allowed, and what is meant to harm
 *   filetest load DIRECTORY [N]    writes and reads N times, or on and on, whatever servers end
 *   filetest cost [DIRECTORY]      what calls cost
 */
#include "filetest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void look(const char *path)
{
    static struct client client;
    struct file_attributes attributes;
    uint32_t file;
    uint32_t used;
    uint64_t cursor = 0;
    require(client_open(&client), FTL_OK, "connect");
    require(client_open_file(&client, 0, path, FILE_ACCESS_READ, &file), FTL_OK, path);
    require(client_attributes(&client, file, &attributes), FTL_OK, path);
    if (attributes.kind != FILE_KIND_DIRECTORY) {
        char data[256];
        used = sizeof(data);
        require(client_read(&client, file, data, &used, -1), FTL_OK, path);
        fwrite(data, 1, used, stdout);
        client_close(&client);
        return;
    }
    do {
        require(client_list(&client, file, SIZE_MAX_AT_ONCE, &cursor, &used), FTL_OK, path);
        for (uint32_t at = 0; at < used;) {
            const struct ftl_file_entry *entry = (const void *)(client.memory + at);
            printf("%s%s\n", entry->name, entry->kind == FILE_KIND_DIRECTORY ? "/" : "");
            at += entry->size;
        }
    } while (used != 0);
    client_close(&client);
}

static void put(const char *path, const char *text)
{
    static struct client client;
    uint32_t file;
    uint32_t size = (uint32_t)strlen(text);
    require(client_open(&client), FTL_OK, "connect");
    require(client_open_file(&client, 0, path,
                             FILE_ACCESS_WRITE | FILE_ACCESS_CREATE | FILE_ACCESS_TRUNCATE, &file),
            FTL_OK, path);
    require(client_write(&client, file, text, &size, 0), FTL_OK, path);
    client_close(&client);
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    const char *path = argc > 2 ? argv[2] : NULL;
    if (strcmp(command, "look") == 0) {
        look(path != NULL ? path : "/");
    } else if (strcmp(command, "check") == 0 && path != NULL) {
        check(path);
    } else if (strcmp(command, "put") == 0 && argc == 4) {
        put(path, argv[3]);
    } else if (strcmp(command, "hostile") == 0) {
        hostile();
    } else if (strcmp(command, "load") == 0 && path != NULL) {
        load(path, argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 0);
    } else if (strcmp(command, "cost") == 0) {
        cost(path);
    } else {
        fprintf(stderr, "usage: filetest look|cost [PATH], filetest check|load DIRECTORY, "
                        "filetest put FILE TEXT, filetest hostile\n");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
