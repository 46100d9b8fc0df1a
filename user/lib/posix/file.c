/*
 * Open files. Where an open file's position is is the server's to know, since other processes may
 * share it. Data is copied once, from or to a part of the memory that the connection has with the
 * server; calls are short enough for registers.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file_convert.h"
#include "file_map.h"
#include "posix.h"

/*
 * Programs that make calls which are about files have these; others have files as input and output.
 */
#pragma weak file_fcntl
#pragma weak file_map

/* What F_GETFL tells of. */
#define FLAGS_KEPT                                                                                 \
    (O_ACCMODE | O_APPEND | O_NONBLOCK | O_DSYNC | O_SYNC | O_PATH | O_DIRECTORY | O_NOFOLLOW)

struct file *file_make(struct file_connection *connection, uint32_t number, uint8_t kind, int flags)
{
    struct file *file = calloc(1, sizeof(*file));
    if (file == NULL) {
        file_close_number(connection, number);
        file_connection_drop(connection);
        return NULL;
    }
    file->description.operations = &file_operations;
    file->description.references = 1;
    file->description.flags = flags & FLAGS_KEPT;
    file->connection = connection;
    file->number = number;
    file->kind = kind;
    return file;
}

void file_close_number(struct file_connection *connection, uint32_t number)
{
    struct file_buffer buffer;
    struct file_close_request request = { .file = number };
    if (number != FILE_ROOT && !__atomic_load_n(&connection->is_dead, __ATOMIC_ACQUIRE)) {
        file_connection_error(
            connection, file_close(connection->channel, &request, &buffer, FTL_TIME_INFINITE));
    }
}

static void close_file(struct description *self)
{
    struct file *file = file_of(self);
    file_close_number(file->connection, file->number);
    file_connection_drop(file->connection);
    free(file);
}

/* ---- Data ---- */

/* What a call may transfer at once. */
static uint32_t piece_of(size_t left, const struct file_part *part)
{
    return left < part->size ? (uint32_t)left : part->size;
}

/* One call for `size` bytes through the part: how many it were. */
static long read_piece(struct file *file, const struct file_part *part, uint32_t size, off_t offset)
{
    struct file_buffer buffer;
    struct file_read_reply reply;
    struct file_read_request request = {
        .file = file->number,
        .place = part->place,
        .size = size,
        .offset = offset,
    };
    ftl_status_t status =
        file_read(file->connection->channel, &request, &reply, &buffer, FTL_TIME_INFINITE);
    if (status != FTL_OK) {
        return file_connection_error(file->connection, status);
    }
    return reply.size <= size ? (long)reply.size : -EIO;
}

static long write_piece(struct file *file, const struct file_part *part, uint32_t size,
                        off_t offset)
{
    struct file_buffer buffer;
    struct file_write_reply reply;
    struct file_write_request request = {
        .file = file->number,
        .place = part->place,
        .size = size,
        .offset = offset,
    };
    ftl_status_t status =
        file_write(file->connection->channel, &request, &reply, &buffer, FTL_TIME_INFINITE);
    if (status != FTL_OK) {
        return file_connection_error(file->connection, status);
    }
    return reply.size <= size ? (long)reply.size : -EIO;
}

static bool may(const struct description *self, int mode)
{
    int access = self->flags & O_ACCMODE;
    return (self->flags & O_PATH) == 0 && (access == mode || access == O_RDWR);
}

long file_read_at(struct file *file, const struct iovec *parts, int count, off_t offset)
{
    struct file_part part;
    long size = file_parts_size(parts, count);
    long total = 0;
    long done;
    uint32_t piece;
    if (!may(&file->description, O_RDONLY)) {
        return -EBADF;
    }
    if (size < 0) {
        return size;
    }
    file_part_take(file->connection, (size_t)size, &part);
    do {
        piece = piece_of((size_t)(size - total), &part);
        done = read_piece(file, &part, piece, offset < 0 ? offset : offset + total);
        if (done > 0) {
            file_scatter(parts, count, (size_t)total, part.data, (size_t)done);
            total += done;
        }
    } while (done == (long)piece && total < size);
    file_part_give(&part);
    return total == 0 && done < 0 ? done : total;
}

/* After a write, where O_SYNC or O_DSYNC ask for it. */
static long sync_written(struct file *file, long written)
{
    if (written <= 0 || (file->description.flags & (O_SYNC | O_DSYNC)) == 0) {
        return written;
    }
    long error = file_sync_description(file);
    return error != 0 ? error : written;
}

long file_write_at(struct file *file, const struct iovec *parts, int count, off_t offset)
{
    struct file_part part;
    long size = file_parts_size(parts, count);
    long total = 0;
    long done;
    uint32_t piece;
    if (!may(&file->description, O_WRONLY)) {
        return -EBADF;
    }
    if (size <= 0) {
        return size;
    }
    file_part_take(file->connection, (size_t)size, &part);
    do {
        piece = piece_of((size_t)(size - total), &part);
        file_gather(parts, count, (size_t)total, part.data, piece);
        done = write_piece(file, &part, piece, offset < 0 ? offset : offset + total);
        total += done > 0 ? done : 0;
    } while (done == (long)piece && total < size);
    file_part_give(&part);
    return sync_written(file, total == 0 && done < 0 ? done : total);
}

static long read_parts(struct description *self, const struct iovec *parts, int count)
{
    return file_read_at(file_of(self), parts, count, -1);
}

static long write_parts(struct description *self, const struct iovec *parts, int count)
{
    return file_write_at(file_of(self), parts, count, -1);
}

/* ---- The position ---- */

/* A directory's is ours, since it means something to the one who reads it alone. */
static long seek_directory(struct file *file, off_t offset, int whence)
{
    if (whence == SEEK_CUR && offset == 0) {
        return (long)__atomic_load_n(&file->cursor, __ATOMIC_RELAXED);
    }
    if (whence != SEEK_SET) {
        return -EINVAL;
    }
    __atomic_store_n(&file->cursor, (uint64_t)offset, __ATOMIC_RELAXED);
    return offset;
}

static long seek_file(struct description *self, off_t offset, int whence)
{
    static const uint8_t origins[] = {
        [SEEK_SET] = FILE_ORIGIN_START, [SEEK_CUR] = FILE_ORIGIN_POSITION,
        [SEEK_END] = FILE_ORIGIN_END,   [SEEK_DATA] = FILE_ORIGIN_DATA,
        [SEEK_HOLE] = FILE_ORIGIN_HOLE,
    };
    struct file *file = file_of(self);
    struct file_buffer buffer;
    struct file_seek_reply reply;
    struct file_seek_request request = { .file = file->number, .offset = offset };
    if ((self->flags & O_PATH) != 0) {
        return -EBADF;
    }
    if (whence < 0 || (size_t)whence >= sizeof(origins)) {
        return -EINVAL;
    }
    if (file->kind == FILE_KIND_DIRECTORY) {
        return seek_directory(file, offset, whence);
    }
    request.origin = origins[whence];
    ftl_status_t status =
        file_seek(file->connection->channel, &request, &reply, &buffer, FTL_TIME_INFINITE);
    if (status == FTL_ERR_OUT_OF_RANGE) {
        return -ENXIO;
    }
    return status == FTL_OK ? (long)reply.position
                            : file_connection_error(file->connection, status);
}

/* ---- Attributes ---- */

long file_attributes_by_number(struct file_connection *connection, uint32_t number,
                               struct file_attributes *attributes)
{
    struct file_part part;
    struct file_buffer buffer;
    file_part_take(connection, sizeof(*attributes), &part);
    struct file_attributes_of_request request = { .file = number, .place = part.place };
    ftl_status_t status =
        file_attributes_of(connection->channel, &request, &buffer, FTL_TIME_INFINITE);
    memcpy(attributes, part.data, sizeof(*attributes));
    file_part_give(&part);
    return file_connection_error(connection, status);
}

long file_status(struct file *file, struct stat *status)
{
    struct file_attributes attributes;
    long error = file_attributes_by_number(file->connection, file->number, &attributes);
    if (error == 0) {
        file_fill_stat(&attributes, status);
    }
    return error;
}

long file_set(struct file_connection *connection, uint32_t number, uint32_t fields,
              const struct file_attributes *attributes)
{
    struct file_buffer buffer;
    struct file_set_attributes_request request = {
        .file = number,
        .fields = fields,
        .attributes = *attributes,
    };
    request.attributes.kind = FILE_KIND_REGULAR; /* not looked at, but it has to be one */
    return file_connection_error(
        connection, file_set_attributes(connection->channel, &request, &buffer, FTL_TIME_INFINITE));
}

long file_truncate_number(struct file_connection *connection, uint32_t number, off_t size)
{
    struct file_buffer buffer;
    struct file_truncate_request request = { .file = number, .size = (uint64_t)size };
    if (size < 0) {
        return -EINVAL;
    }
    return file_connection_error(
        connection, file_truncate(connection->channel, &request, &buffer, FTL_TIME_INFINITE));
}

long file_sync_description(struct file *file)
{
    struct file_buffer buffer;
    struct file_sync_request request = { .file = file->number };
    return file_connection_error(file->connection, file_sync(file->connection->channel, &request,
                                                             &buffer, FTL_TIME_INFINITE));
}

/* ---- Directories ---- */

/* An entry of ours is never longer than the server's: what it puts into `size` bytes has room. */
long file_list_number(struct file_connection *connection, uint32_t number, uint64_t *cursor,
                      void *buffer, size_t size)
{
    struct file_part part;
    struct file_buffer message;
    struct file_list_reply reply;
    file_part_take(connection, size, &part);
    struct file_list_request request = {
        .file = number,
        .place = part.place,
        .size = piece_of(size, &part),
        .cursor = *cursor,
    };
    ftl_status_t status =
        file_list(connection->channel, &request, &reply, &message, FTL_TIME_INFINITE);
    long result = status == FTL_ERR_TOO_SMALL ? -EINVAL : file_connection_error(connection, status);
    if (result == 0) {
        result = reply.size <= request.size
                     ? file_fill_entries(part.data, reply.size, buffer, size, cursor)
                     : -EIO;
    }
    file_part_give(&part);
    return result;
}

long file_list_entries(struct file *file, void *buffer, size_t size)
{
    uint64_t cursor = __atomic_load_n(&file->cursor, __ATOMIC_RELAXED);
    if (file->kind != FILE_KIND_DIRECTORY) {
        return -ENOTDIR;
    }
    if (!may(&file->description, O_RDONLY)) {
        return -EBADF;
    }
    long result = file_list_number(file->connection, file->number, &cursor, buffer, size);
    if (result > 0) {
        __atomic_store_n(&file->cursor, cursor, __ATOMIC_RELAXED);
    }
    return result;
}

const struct description_operations file_operations = {
    .kind = POSIX_FILE,
    .read = read_parts,
    .write = write_parts,
    .seek = seek_file,
    .control = file_fcntl,
    .map = file_map,
    .close = close_file,
};
