/*
 * Locks on files, of fcntl() and flock(). The server keeps them; they are of the program, as POSIX
 * has it. flock()'s is a lock on one place that lies behind all that files can have. Who waits for
 * one asks again and again, less and less often.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftl/thread.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "file.h"
#include "file_convert.h"
#include "posix.h"

#define FIRST_PAUSE   1000000 /* nsec */
#define LONGEST_PAUSE 50000000

static long lock_error(struct file *file, ftl_status_t status)
{
    return status == FTL_ERR_LIMIT ? -ENOLCK : file_connection_error(file->connection, status);
}

static long set_once(struct file *file, uint8_t lock, const struct file_lock_range *range)
{
    struct file_buffer buffer;
    struct file_set_lock_request request = {
        .file = file->number,
        .lock = lock,
        .start = range->start,
        .length = range->length,
    };
    return lock_error(
        file, file_set_lock(file->connection->channel, &request, &buffer, FTL_TIME_INFINITE));
}

static long set(struct file *file, uint8_t lock, const struct file_lock_range *range, bool waits)
{
    long pause = FIRST_PAUSE;
    long result = set_once(file, lock, range);
    while (result == -EAGAIN && waits) {
        const struct timespec interval = { .tv_nsec = pause };
        long error = sys_clock_nanosleep(CLOCK_MONOTONIC, 0, &interval, NULL);
        if (error != 0) {
            return error;
        }
        pause = pause < LONGEST_PAUSE / 2 ? pause * 2 : LONGEST_PAUSE;
        result = set_once(file, lock, range);
    }
    return result;
}

/* What offsets of the lock count from. */
static long origin_of(struct file *file, int whence, off_t *from)
{
    struct stat status;
    long result = 0;
    switch (whence) {
    case SEEK_SET: *from = 0; return 0;
    case SEEK_CUR:
        result = file_operations.seek(&file->description, 0, SEEK_CUR);
        *from = result;
        return result < 0 ? result : 0;
    case SEEK_END:
        result = file_status(file, &status);
        *from = result == 0 ? status.st_size : 0;
        return result;
    default: return -EINVAL;
    }
}

static long range_of(struct file *file, const struct flock *lock, struct file_lock_range *range)
{
    off_t from;
    long error = origin_of(file, lock->l_whence, &from);
    return error != 0 ? error : file_lock_range(from, lock->l_start, lock->l_len, range);
}

/* What the server calls the kind of lock, if the file is open for it. */
static long kind_of(const struct file *file, int type, uint8_t *kind)
{
    int access = file->description.flags & O_ACCMODE;
    switch (type) {
    case F_UNLCK: *kind = FILE_LOCK_NONE; return 0;
    case F_RDLCK: *kind = FILE_LOCK_SHARED; return access == O_WRONLY ? -EBADF : 0;
    case F_WRLCK: *kind = FILE_LOCK_EXCLUSIVE; return access == O_RDONLY ? -EBADF : 0;
    default: return -EINVAL;
    }
}

static long set_lock(struct file *file, const struct flock *lock, bool waits)
{
    struct file_lock_range range;
    uint8_t kind;
    long error = kind_of(file, lock->l_type, &kind);
    if (error == 0) {
        error = range_of(file, lock, &range);
    }
    return error != 0 ? error : set(file, kind, &range, waits);
}

static long get_lock(struct file *file, struct flock *lock)
{
    struct file_buffer buffer;
    struct file_find_lock_reply reply;
    struct file_lock_range range;
    struct file_find_lock_request request = { .file = file->number };
    long error = kind_of(file, lock->l_type, &request.lock);
    if (error == -EBADF) { /* it is only asked for */
        error = 0;
    }
    if (error == 0 && request.lock == FILE_LOCK_NONE) {
        error = -EINVAL;
    }
    if (error == 0) {
        error = range_of(file, lock, &range);
    }
    if (error != 0) {
        return error;
    }
    request.start = range.start;
    request.length = range.length;
    ftl_status_t status =
        file_find_lock(file->connection->channel, &request, &reply, &buffer, FTL_TIME_INFINITE);
    if (status != FTL_OK) {
        return lock_error(file, status);
    }
    if (reply.lock == FILE_LOCK_NONE) {
        lock->l_type = F_UNLCK;
        return 0;
    }
    bool is_to_the_end = reply.length == 0 || reply.length >= FILE_OFFSETS_END - reply.start;
    *lock = (struct flock){
        .l_type = reply.lock == FILE_LOCK_SHARED ? F_RDLCK : F_WRLCK,
        .l_whence = SEEK_SET,
        .l_start = (off_t)reply.start,
        .l_len = is_to_the_end ? 0 : (off_t)reply.length,
        .l_pid = -1, /* the server does not tell */
    };
    return 0;
}

long file_fcntl(struct description *self, int command, long argument)
{
    struct flock *lock = (struct flock *)argument;
    switch (command) {
    case F_SETLK: return set_lock(file_of(self), lock, false);
    case F_SETLKW: return set_lock(file_of(self), lock, true);
    case F_GETLK: return get_lock(file_of(self), lock);
    default: return -EINVAL;
    }
}

long file_flock(struct file *file, int operation)
{
    static const struct file_lock_range place = { .start = FILE_OFFSETS_END + 1, .length = 1 };
    bool waits = (operation & LOCK_NB) == 0;
    switch (operation & ~LOCK_NB) {
    case LOCK_SH: return set(file, FILE_LOCK_SHARED, &place, waits);
    case LOCK_EX: return set(file, FILE_LOCK_EXCLUSIVE, &place, waits);
    case LOCK_UN: return set(file, FILE_LOCK_NONE, &place, waits);
    default: return -EINVAL;
    }
}
