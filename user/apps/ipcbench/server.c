/* The server that the IPC benchmark calls: a process with a thread for each channel. */
#include <ftl/channel.h>
#include <ftl/channel_word.h>
#include <ftl/environ.h>
#include <ftl/handle.h>
#include <ftl/object.h>
#include <ftl/process.h>
#include <ftl/spawn.h>
#include <pthread.h>
#include <stdlib.h>

#include "ipcbench.h"

#define SERVER_MEMORY (UINT64_C(16) << 20) /* of what this process may have itself */

static const char *const channel_names[PAIRS_MAX] = { "channel0", "channel1", "channel2",
                                                      "channel3" };

/* Sends every call's bytes back, until the other end is closed. */
static void *serve_channel(void *argument)
{
    ftl_handle_t channel = *(ftl_handle_t *)argument;
    char *data = malloc(MESSAGE_SIZE);
    struct ftl_message message = { .data = data, .capacity = MESSAGE_SIZE };
    ftl_status_t status = data == NULL ? FTL_ERR_NO_MEMORY : FTL_OK;
    while (status == FTL_OK) {
        status = ftl_channel_reply_and_recv(channel, message.transaction, &message, &message,
                                            FTL_TIME_INFINITE);
    }
    free(data);
    if (status != FTL_ERR_PEER_CLOSED) {
        require(status, "serving");
    }
    return NULL;
}

/* The same for eight bytes, in registers alone. */
static void *serve_words(void *argument)
{
    ftl_handle_t channel = *(ftl_handle_t *)argument;
    uint64_t transaction = 0;
    uint64_t word = 0;
    ftl_status_t status = FTL_OK;
    while (status == FTL_OK) {
        status = ftl_channel_serve_word(channel, &transaction, &word, NULL);
    }
    if (status != FTL_ERR_PEER_CLOSED) {
        require(status, "serving words");
    }
    return NULL;
}

int serve(bool words)
{
    static ftl_handle_t channels[PAIRS_MAX];
    pthread_t threads[PAIRS_MAX];
    size_t count = 0;
    for (; count < PAIRS_MAX; count++) {
        channels[count] = ftl_environ_take(ftl_environ(), channel_names[count]);
        if (channels[count] == FTL_HANDLE_INVALID) {
            break;
        }
        int error = pthread_create(&threads[count], NULL, words ? serve_words : serve_channel,
                                   &channels[count]);
        require(error == 0 ? FTL_OK : FTL_ERR_NO_MEMORY, "pthread_create");
    }
    for (size_t i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    return EXIT_SUCCESS;
}

ftl_handle_t server_start(ftl_isolation_t isolation, const char *part, ftl_handle_t ends[],
                          size_t count)
{
    static struct ftl_bootimage image;
    static struct ftl_app app;
    const char *const args[] = { "ipcbench", part };
    struct ftl_spawn_handle offers[PAIRS_MAX + 1] = {
        { "console", ftl_environ_find(ftl_environ(), "console"), FTL_RIGHTS_SAME },
    };
    if (image.data == NULL) {
        require(ftl_bootimage_open(&image, ftl_environ_find(ftl_environ(), "bootimage")),
                "boot image");
        require(ftl_app_find(&image, "ipcbench", &app), "app 'ipcbench'");
        app.memory_limit = SERVER_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t other;
        require(ftl_channel_create(&other, &ends[i]), "channel_create");
        offers[i + 1] = (struct ftl_spawn_handle){ channel_names[i], other, FTL_RIGHTS_SAME };
    }
    struct ftl_spawn_options options = {
        .isolation = isolation,
        .args = args,
        .arg_count = 2,
        .handles = offers,
        .handle_count = count + 1,
    };
    ftl_handle_t server;
    const char *step = "";
    require(ftl_spawn(&image, &app, &options, &server, &step), step);
    for (size_t i = 0; i < count; i++) {
        require(ftl_handle_close(offers[i + 1].handle), "close");
    }
    return server;
}

void server_stop(ftl_handle_t server, const ftl_handle_t ends[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        require(ftl_handle_close(ends[i]), "close");
    }
    struct ftl_wait_item item = { .handle = server, .interest = FTL_SIGNAL_EXITED };
    size_t ready;
    require(ftl_object_wait(&item, 1, FTL_TIME_INFINITE, &ready), "object_wait");
    require(ftl_handle_close(server), "close");
}
