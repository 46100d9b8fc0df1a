/* Connections to the file server, and its calls: see filetest.h. */
#include "filetest.h"

#include <ftl/handle.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void require(ftl_status_t status, ftl_status_t expected, const char *what)
{
    if (status != expected) {
        printf("filetest: %s: %s\n", what, ftl_strerror(status));
        exit(EXIT_FAILURE);
    }
}

void require_that(bool condition, const char *what)
{
    if (!condition) {
        printf("filetest: %s\n", what);
        exit(EXIT_FAILURE);
    }
}

/* ---- Connections ---- */

static void make_memory(struct client *client)
{
    uintptr_t address;
    ftl_handle_t vmspace;
    require(ftl_vmo_create(FTL_FILE_MEMORY_SIZE, &client->vmo), FTL_OK, "memory");
    require(ftl_vmspace_self(&vmspace), FTL_OK, "vmspace");
    require(ftl_vmspace_map(vmspace, client->vmo, 0, FTL_FILE_MEMORY_SIZE,
                            FTL_MAP_READ | FTL_MAP_WRITE, 0, &address),
            FTL_OK, "map");
    ftl_handle_close(vmspace);
    client->memory = (char *)address;
}

static ftl_status_t attach(struct client *client)
{
    struct file_attach_request request;
    require(ftl_handle_duplicate(client->vmo, FTL_RIGHTS_SAME, &request.memory), FTL_OK,
            "duplicate");
    ftl_status_t status =
        file_attach(client->channel, &request, &client->buffer, FTL_TIME_INFINITE);
    if (status != FTL_OK) {
        ftl_handle_close(request.memory); /* unless it went with the message */
    }
    return status;
}

ftl_status_t client_open(struct client *client)
{
    ftl_status_t status = ftl_service_connect(&file_protocol, &client->channel);
    if (status != FTL_OK) {
        return status;
    }
    make_memory(client);
    status = attach(client);
    if (status != FTL_OK) {
        client_close(client);
    }
    return status;
}

void client_attach(struct client *client, ftl_handle_t channel)
{
    client->channel = channel;
    make_memory(client);
    require(attach(client), FTL_OK, "attach");
}

void client_close(struct client *client)
{
    ftl_handle_t vmspace;
    ftl_handle_close(client->channel);
    require(ftl_vmspace_self(&vmspace), FTL_OK, "vmspace");
    ftl_vmspace_unmap(vmspace, (uintptr_t)client->memory, FTL_FILE_MEMORY_SIZE);
    ftl_handle_close(vmspace);
    ftl_handle_close(client->vmo);
}

/* ---- Calls ---- */

ftl_status_t client_open_file(struct client *client, uint32_t base, const char *path,
                              uint32_t access, uint32_t *file)
{
    struct file_open_request request = {
        .base = base, .path = path, .access = access, .mode = 0644
    };
    struct file_open_reply reply = { 0 };
    ftl_status_t status =
        file_open(client->channel, &request, &reply, &client->buffer, FTL_TIME_INFINITE);
    *file = reply.file;
    return status;
}

ftl_status_t client_close_file(struct client *client, uint32_t file)
{
    struct file_close_request request = { .file = file };
    return file_close(client->channel, &request, &client->buffer, FTL_TIME_INFINITE);
}

ftl_status_t client_read(struct client *client, uint32_t file, void *data, uint32_t *size,
                         int64_t offset)
{
    struct file_read_request request = { .file = file, .size = *size, .offset = offset };
    struct file_read_reply reply;
    ftl_status_t status =
        file_read(client->channel, &request, &reply, &client->buffer, FTL_TIME_INFINITE);
    if (status == FTL_OK) {
        *size = reply.size;
        memcpy(data, client->memory, reply.size);
    }
    return status;
}

ftl_status_t client_write(struct client *client, uint32_t file, const void *data, uint32_t *size,
                          int64_t offset)
{
    struct file_write_request request = { .file = file, .size = *size, .offset = offset };
    struct file_write_reply reply;
    memcpy(client->memory, data, *size);
    ftl_status_t status =
        file_write(client->channel, &request, &reply, &client->buffer, FTL_TIME_INFINITE);
    if (status == FTL_OK) {
        *size = reply.size;
    }
    return status;
}

ftl_status_t client_look_up(struct client *client, uint32_t base, const char *path, bool follow,
                            struct file_attributes *attributes)
{
    struct file_look_up_request request = { .base = base, .path = path, .follow = follow };
    ftl_status_t status =
        file_look_up(client->channel, &request, &client->buffer, FTL_TIME_INFINITE);
    memcpy(attributes, client->memory, sizeof(*attributes));
    return status;
}

ftl_status_t client_attributes(struct client *client, uint32_t file,
                               struct file_attributes *attributes)
{
    struct file_attributes_of_request request = { .file = file };
    ftl_status_t status =
        file_attributes_of(client->channel, &request, &client->buffer, FTL_TIME_INFINITE);
    memcpy(attributes, client->memory, sizeof(*attributes));
    return status;
}

ftl_status_t client_make_directory(struct client *client, const char *path)
{
    struct file_make_directory_request request = { .path = path, .mode = 0755 };
    return file_make_directory(client->channel, &request, &client->buffer, FTL_TIME_INFINITE);
}

ftl_status_t client_remove(struct client *client, const char *path, bool directory)
{
    struct file_remove_request request = { .path = path, .directory = directory };
    return file_remove(client->channel, &request, &client->buffer, FTL_TIME_INFINITE);
}

ftl_status_t client_rename(struct client *client, const char *from, const char *to)
{
    struct file_rename_request request = { .from = from, .to = to };
    return file_rename(client->channel, &request, &client->buffer, FTL_TIME_INFINITE);
}

ftl_status_t client_sync(struct client *client, uint32_t file)
{
    struct file_sync_request request = { .file = file };
    return file_sync(client->channel, &request, &client->buffer, FTL_TIME_INFINITE);
}

ftl_status_t client_list(struct client *client, uint32_t file, uint32_t size, uint64_t *cursor,
                         uint32_t *used)
{
    struct file_list_request request = { .file = file, .size = size, .cursor = *cursor };
    struct file_list_reply reply = { 0 };
    ftl_status_t status =
        file_list(client->channel, &request, &reply, &client->buffer, FTL_TIME_INFINITE);
    *used = reply.size;
    *cursor = reply.cursor;
    return status;
}
