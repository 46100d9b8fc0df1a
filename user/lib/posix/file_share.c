/* What programs that are started by this one get of its files: see <ftl/inherit.h>. */
#include <errno.h>
#include <ftl/inherit.h>

#include "file.h"

/* Programs that make calls which are about files have these. */
#pragma weak file_working_directory
#pragma weak file_has_working_directory

#define FILES_MAX 64 /* of the call `share` */

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
    struct file *directory =
        uses_files && file_working_directory != NULL ? file_working_directory() : NULL;
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

long file_share_all(struct description *const *files, size_t count, bool uses_files,
                    ftl_handle_t *handle)
{
    struct file_connection *connection;
    bool has_directory = file_has_working_directory != NULL && file_has_working_directory();
    if (count == 0 && !(uses_files && has_directory)) {
        return 0; /* it finds the root by itself */
    }
    if (count >= FILES_MAX) {
        return -EMFILE;
    }
    long error = choose_connection(files, count, uses_files, &connection);
    if (error == -EACCES && count != 0) { /* it has to find the root by itself */
        uses_files = false;
        error = choose_connection(files, count, uses_files, &connection);
    }
    if (error != 0) {
        return error;
    }
    error = share_through(connection, files, count, uses_files, handle);
    file_connection_drop(connection);
    return error;
}
