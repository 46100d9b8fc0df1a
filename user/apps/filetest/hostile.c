/*
 * A client that means harm: what it does must harm itself alone. See filetest.h. Whether the server
 * is still well others find out: it must be the same process afterwards.
 */
#include <ftl/channel.h>
#include <ftl/handle.h>
#include <ftl/notification.h>
#include <ftl/vmo.h>
#include <stdio.h>
#include <string.h>

#include "filetest.h"

#define READABLE   "/boot/bin/shell.user"
#define SESSIONS   300u /* more than the server takes */
#define RANDOM_ALL 2000u

static struct client client;

static ftl_status_t attach(ftl_handle_t channel, ftl_handle_t vmo)
{
    struct file_attach_request request = { .memory = vmo };
    ftl_status_t status = file_attach(channel, &request, &client.buffer, FTL_TIME_INFINITE);
    if (status != FTL_OK) {
        ftl_handle_close(vmo);
    }
    return status;
}

/* Memory that is too small, is no memory, comes twice, shrinks, or does not come. */
static void try_memory(void)
{
    struct file_read_request read = { .size = 1 };
    struct file_read_reply reply;
    ftl_handle_t channel;
    ftl_handle_t vmo;
    require(ftl_service_connect(&file_protocol, &channel), FTL_OK, "connect");
    require(ftl_vmo_create(FTL_FILE_MEMORY_SIZE / 2, &vmo), FTL_OK, "memory");
    require(attach(channel, vmo), FTL_ERR_INVALID_ARGUMENT, "attach half of it");
    require(ftl_notification_create(&vmo), FTL_OK, "notification");
    require(attach(channel, vmo), FTL_ERR_WRONG_TYPE, "attach a notification");
    require(file_read(channel, &read, &reply, &client.buffer, FTL_TIME_INFINITE),
            FTL_ERR_MISSING_RIGHT, "read the root");
    ftl_handle_close(channel);

    require(client_open(&client), FTL_OK, "connect");
    require(ftl_vmo_create(FTL_FILE_MEMORY_SIZE, &vmo), FTL_OK, "memory");
    require(attach(client.channel, vmo), FTL_ERR_EXISTS, "attach twice");
    require(ftl_vmo_resize(client.vmo, FTL_PAGE_SIZE), FTL_ERR_BAD_STATE, "shrink what is mapped");
    client_close(&client);
}

/* Memory that is unmapped here, and whose last handle is closed, while the server uses it. */
static void try_vanishing_memory(void)
{
    uint32_t file;
    struct file_read_reply reply;
    require(client_open(&client), FTL_OK, "connect");
    require(client_open_file(&client, 0, READABLE, FILE_ACCESS_READ, &file), FTL_OK, "open");
    struct file_read_request read = { .file = file, .size = FTL_FILE_MEMORY_SIZE };
    ftl_handle_t channel = client.channel;
    require(ftl_handle_duplicate(channel, FTL_RIGHTS_SAME, &client.channel), FTL_OK, "duplicate");
    client_close(&client);
    require(file_read(channel, &read, &reply, &client.buffer, FTL_TIME_INFINITE), FTL_OK,
            "read to memory that we have no more");
    ftl_handle_close(channel);
}

/* As many connections as can be had, by connecting and by sharing, and their end all at once. */
static void try_connections(void)
{
    static ftl_handle_t channels[SESSIONS];
    struct file_share_request share = { .root = 0 };
    struct file_share_reply reply;
    size_t count = 0;
    require(client_open(&client), FTL_OK, "connect");
    while (count < SESSIONS && file_share(client.channel, &share, &reply, &client.buffer,
                                          FTL_TIME_INFINITE) == FTL_OK) {
        channels[count++] = reply.client;
    }
    require_that(count > 8 && count < SESSIONS, "the number of connections is not limited");
    while (count != 0) {
        ftl_handle_close(channels[--count]);
    }
    client_close(&client);
}

/* As many open files as can be had. */
static void try_numbers(void)
{
    uint32_t file;
    ftl_status_t status;
    require(client_open(&client), FTL_OK, "connect");
    do {
        status = client_open_file(&client, 0, READABLE, FILE_ACCESS_READ, &file);
    } while (status == FTL_OK);
    require(status, FTL_ERR_LIMIT, "open ever more");
    client_close(&client);
}

static uint64_t random_state = 88172645463325252u;

static uint64_t random_number(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Mostly small, else of any size. */
static uint64_t random_argument(void)
{
    uint64_t number = random_number();
    return number % 4 != 0 ? number / 4 % 8 : number >> (number >> 8) % 64;
}

/* Calls that are well-formed, with arguments that are not. */
static void try_random_arguments(void)
{
    static const char *const paths[] = { "/", "/boot/bin", READABLE, "..", "", "/boot/../tmp/.//" };
    ftl_handle_t channel;
    uint32_t file;
    require(client_open(&client), FTL_OK, "connect");
    channel = client.channel;
    for (unsigned i = 0; i < RANDOM_ALL; i++) {
        struct file_read_request read = {
            .file = (uint32_t)random_argument(),
            .place = (uint32_t)random_argument(),
            .size = (uint32_t)random_argument(),
            .offset = (int64_t)random_argument(),
        };
        struct file_read_reply read_reply;
        struct file_list_request list = {
            .file = (uint32_t)random_argument(),
            .place = (uint32_t)random_argument() * 8,
            .size = (uint32_t)random_argument(),
            .cursor = random_argument(),
        };
        struct file_list_reply list_reply;
        struct file_seek_request seek = {
            .file = (uint32_t)random_argument(),
            .origin = (uint8_t)(random_number() % 5),
            .offset = (int64_t)random_argument(),
        };
        struct file_seek_reply seek_reply;
        struct file_set_lock_request lock = {
            .file = (uint32_t)random_argument(),
            .lock = (uint8_t)(random_number() % 3),
            .start = random_argument(),
            .length = random_argument(),
        };
        struct file_look_up_request look_up = {
            .base = (uint32_t)random_argument(),
            .place = (uint32_t)random_argument(),
            .path = paths[random_number() % (sizeof(paths) / sizeof(paths[0]))],
        };
        switch (random_number() % 7) {
        case 0: file_read(channel, &read, &read_reply, &client.buffer, FTL_TIME_INFINITE); break;
        case 1: file_list(channel, &list, &list_reply, &client.buffer, FTL_TIME_INFINITE); break;
        case 2: file_seek(channel, &seek, &seek_reply, &client.buffer, FTL_TIME_INFINITE); break;
        case 3: file_set_lock(channel, &lock, &client.buffer, FTL_TIME_INFINITE); break;
        case 4: file_look_up(channel, &look_up, &client.buffer, FTL_TIME_INFINITE); break;
        case 5:
            client_open_file(&client, look_up.base, look_up.path, FILE_ACCESS_READ, &file);
            break;
        default: client_close_file(&client, (uint32_t)random_argument()); break;
        }
    }
    client_close(&client);
}

void hostile(void)
{
    try_memory();
    try_vanishing_memory();
    try_connections();
    try_numbers();
    try_random_arguments();
    printf("nothing was gained\n");
}
