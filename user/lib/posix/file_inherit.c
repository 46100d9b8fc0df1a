/*
 * Files that a program gets from its starter (<ftl/inherit.h>): one connection for all of them, in
 * which they are open already, and which is the program's own from then on if it has a root. Behind
 * them is the working directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftl/environ.h>
#include <ftl/inherit.h>
#include <pthread.h>
#include <stdlib.h>

#include "file.h"
#include "posix.h"

#define FILES_MAX 64 /* of the call `share` */

static struct file_connection *inherited; /* NULL: none */

/* ---- From the starter ---- */

/* The highest number among those of the descriptors. */
static uint32_t last_number(const struct ftl_environ *env)
{
    struct ftl_inherit inherit;
    uint32_t last = 0;
    for (size_t i = 0; i < env->handle_count; i++) {
        if (ftl_inherit_parse(env->handles[i].name, &inherit) && inherit.number > last) {
            last = inherit.number;
        }
    }
    return last;
}

static struct file *file_of_number(uint32_t number, int flags)
{
    struct file_attributes attributes;
    if (inherited == NULL || file_attributes_by_number(inherited, number, &attributes) != 0) {
        return NULL;
    }
    file_connection_hold(inherited);
    return file_make(inherited, number, attributes.kind, flags);
}

static void receive_once(void)
{
    struct ftl_environ *env = ftl_environ();
    struct file_attributes attributes;
    ftl_handle_t channel = ftl_environ_take(env, FTL_INHERIT_FILES);
    if (channel == FTL_HANDLE_INVALID) {
        return;
    }
    inherited = file_connection_make(channel);
    if (inherited == NULL || file_attributes_by_number(inherited, FILE_ROOT, &attributes) != 0) {
        return;
    }
    file_connection_hold(inherited);
    file_connection_adopt(inherited);
    struct file *directory = file_of_number(last_number(env) + 1, O_PATH | O_DIRECTORY);
    if (directory != NULL) {
        file_set_working_directory(directory);
    }
}

void file_inherit(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, receive_once);
}

struct description *file_receive(ftl_handle_t handle, const struct ftl_inherit *inherit)
{
    ftl_ipc_drop(&handle); /* there is none for each file */
    file_inherit();
    struct file *file = file_of_number(inherit->number, (int)inherit->flags);
    if (file == NULL) {
        return NULL;
    }
    file->description.references = 0; /* as the table wants it */
    return &file->description;
}

/* ---- To a program that is being started ---- */

/* The connection that all of it goes through: that of the files, or where others are opened. */
static long choose_connection(struct description *const *files, size_t count, bool uses_files,
                              struct file_connection **connection)
{
    if (uses_files || count == 0) {
        return file_connection_get(connection);
    }
    *connection = file_of(files[0])->connection;
    file_connection_hold(*connection);
    return 0;
}

static uint32_t number_in(const struct file *file, const struct file_connection *connection)
{
    return file != NULL && file->connection == connection ? file->number : FTL_FILE_NO_FILE;
}

static long share_through(struct file_connection *connection, struct description *const *files,
                          size_t count, bool uses_files, ftl_handle_t *handle)
{
    struct file_buffer buffer;
    struct file_share_reply reply;
    uint32_t numbers[FILES_MAX];
    struct file_share_request request = {
        .root = uses_files ? FILE_ROOT : FTL_FILE_NO_ROOT,
        .files = numbers,
        .files_count = (uint32_t)count,
    };
    struct file *directory = uses_files ? file_working_directory() : NULL;
    for (size_t i = 0; i < count; i++) {
        numbers[i] = number_in(file_of(files[i]), connection);
    }
    if (directory != NULL) {
        numbers[request.files_count++] = number_in(directory, connection);
    }
    ftl_status_t status =
        file_share(connection->channel, &request, &reply, &buffer, FTL_TIME_INFINITE);
    if (directory != NULL) {
        description_drop(&directory->description);
    }
    if (status == FTL_OK) {
        *handle = ftl_ipc_take(&reply.client);
    }
    return file_connection_error(connection, status);
}

static long share(struct description *const *files, size_t count, bool uses_files,
                  ftl_handle_t *handle)
{
    struct file_connection *connection;
    if (count == 0 && !(uses_files && file_has_working_directory())) {
        return 0; /* it finds the root by itself */
    }
    if (count >= FILES_MAX) {
        return -EMFILE;
    }
    long error = choose_connection(files, count, uses_files, &connection);
    if (error != 0) {
        return error;
    }
    error = share_through(connection, files, count, uses_files, handle);
    file_connection_drop(connection);
    return error;
}

__attribute__((constructor)) static void provide_sharing(void)
{
    posix_share_files = share;
}
