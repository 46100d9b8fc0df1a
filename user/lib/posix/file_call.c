/*
 * The system calls that are about files. Programs that make one of them have this, and with it all
 * that there is of files: musl's code calls it directly where it can (syscall_arch.h).
 */
#include "file_call.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file.h"
#include "file_map.h"
#include "posix.h"

#define COPY_SIZE 65536u

/* ---- Of any descriptor ---- */

static long status_of(struct description *description, struct stat *status)
{
    if (description_is_file(description)) {
        return file_status(file_of(description), status);
    }
    if (file_device_description_status(description, status)) {
        return 0;
    }
    *status = (struct stat){
        .st_ino = (ino_t)(uintptr_t)description,
        .st_mode = description->operations->type | S_IRUSR | S_IWUSR,
        .st_nlink = 1,
        .st_blksize = FTL_PAGE_SIZE,
    };
    return 0;
}

static long sys_fstat(int fd, struct stat *status)
{
    struct description *description = descriptor_get(fd);
    if (description == NULL) {
        return -EBADF;
    }
    long error = status_of(description, status);
    description_drop(description);
    return error;
}

static long sys_fstatat(int base, const char *path, struct stat *status, int flags)
{
    if (path != NULL && path[0] == '\0' && (flags & AT_EMPTY_PATH) != 0) {
        return base == AT_FDCWD ? file_stat_at(base, ".", status, 0) : sys_fstat(base, status);
    }
    int fd = path != NULL ? file_descriptor_of_path(path) : -1;
    return fd >= 0 ? sys_fstat(fd, status)
                   : file_stat_at(base, path, status, flags & ~AT_EMPTY_PATH);
}

/* ---- Of descriptors that are files ---- */

/*
 * `fd` as a file, with a reference; NULL: *error is -EBADF, or `other` when it is something else.
 */
static struct file *get_file(int fd, long other, long *error)
{
    struct description *description = descriptor_get(fd);
    *error = description != NULL ? other : -EBADF;
    if (description != NULL && !description_is_file(description)) {
        description_drop(description);
        description = NULL;
    }
    return description != NULL ? file_of(description) : NULL;
}

/* Calls a function of the file that `fd` is. */
#define CALL(fd, other, function, ...)                                                             \
    __extension__({                                                                                \
        long answer;                                                                               \
        struct file *called = get_file(fd, other, &answer);                                        \
        if (called != NULL) {                                                                      \
            answer = function(called __VA_OPT__(, ) __VA_ARGS__);                                  \
            description_drop(&called->description);                                                \
        }                                                                                          \
        answer;                                                                                    \
    })

static long read_from(struct file *file, const struct iovec *parts, int count, off_t offset)
{
    return offset < 0 || count < 0 ? -EINVAL : file_read_at(file, parts, count, offset);
}

static long write_to(struct file *file, const struct iovec *parts, int count, off_t offset)
{
    return offset < 0 || count < 0 ? -EINVAL : file_write_at(file, parts, count, offset);
}

static long sys_pread(int fd, void *buffer, size_t size, off_t offset)
{
    struct iovec part = { .iov_base = buffer, .iov_len = size };
    return CALL(fd, -ESPIPE, read_from, &part, 1, offset);
}

static long sys_pwrite(int fd, const void *data, size_t size, off_t offset)
{
    struct iovec part = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };
    return CALL(fd, -ESPIPE, write_to, &part, 1, offset);
}

static long truncate_file(struct file *file, off_t size)
{
    int access = file->description.flags & O_ACCMODE;
    if (access != O_WRONLY && access != O_RDWR) {
        return -EINVAL;
    }
    return file_truncate_number(file->connection, file->number, size);
}

static long change_mode(struct file *file, mode_t mode)
{
    struct file_attributes attributes = { .mode = mode & 07777 };
    if ((file->description.flags & O_PATH) != 0) {
        return -EBADF;
    }
    return file_set(file->connection, file->number, FILE_FIELDS_MODE, &attributes);
}

static long change_owner(struct file *file, uid_t user, gid_t group)
{
    return file_set_owner(file->connection, file->number, user, group);
}

static long change_times(struct file *file, const struct timespec *times)
{
    return file_set_times(file->connection, file->number, times);
}

static long status_of_file_system(struct file *file, struct statfs *status)
{
    return file_statfs_number(file->connection, file->number, status);
}

/* Advice is taken for what it is; of directories, as elsewhere, too. */
static long take_advice(struct file *file)
{
    (void)file;
    return 0;
}

/* Nothing that the server does sets blocks aside. */
static long allocate(struct file *file)
{
    (void)file;
    return -EOPNOTSUPP;
}

static long sys_utimensat(int base, const char *path, const struct timespec *times, int flags)
{
    if (path == NULL) {
        return CALL(base, -EINVAL, change_times, times);
    }
    return file_utimens_at(base, path, times, flags);
}

static long sys_fchmodat(int base, const char *path, mode_t mode)
{
    int fd = path != NULL ? file_descriptor_of_path(path) : -1;
    return fd >= 0 ? CALL(fd, -EINVAL, change_mode, mode) : file_chmod_at(base, path, mode);
}

static long sys_fchownat(int base, const char *path, uid_t user, gid_t group, int flags)
{
    if (path != NULL && path[0] == '\0' && (flags & AT_EMPTY_PATH) != 0) {
        return CALL(base, -EINVAL, change_owner, user, group);
    }
    return file_chown_at(base, path, user, group, flags);
}

static long sys_mknodat(int base, const char *path, mode_t mode)
{
    if ((mode & S_IFMT) != S_IFREG && (mode & S_IFMT) != 0) {
        return -EPERM;
    }
    long fd = file_open_at(base, path, O_WRONLY | O_CREAT | O_EXCL, mode);
    return fd < 0 ? fd : sys_close((int)fd);
}

/* ---- Copying ---- */

/* Where copying reads or writes: at *offset, which moves, or with NULL at the position. */
struct copy_end {
    int fd;
    off_t *offset;
};

static long copy_read(const struct copy_end *from, void *buffer, size_t size)
{
    return from->offset != NULL ? sys_pread(from->fd, buffer, size, *from->offset)
                                : sys_read(from->fd, buffer, size);
}

/* Writes all of it, if it can; how much it was. */
static long copy_write(const struct copy_end *to, const char *data, size_t size)
{
    size_t written = 0;
    while (written < size) {
        long done = to->offset != NULL ? sys_pwrite(to->fd, data + written, size - written,
                                                    *to->offset + (off_t)written)
                                       : sys_write(to->fd, data + written, size - written);
        if (done <= 0) {
            return written != 0 ? (long)written : done;
        }
        written += (size_t)done;
    }
    return (long)written;
}

/* What was read and not written is read again the next time. */
static void put_back(const struct copy_end *from, long count)
{
    if (from->offset == NULL && count != 0) {
        sys_lseek(from->fd, -count, SEEK_CUR);
    }
}

static long copy(const struct copy_end *from, const struct copy_end *to, size_t size)
{
    long total = 0;
    long written = 0;
    char *buffer = malloc(size < COPY_SIZE ? size + 1 : COPY_SIZE);
    if (buffer == NULL) {
        return -ENOMEM;
    }
    while ((size_t)total < size) {
        size_t left = size - (size_t)total;
        long taken = copy_read(from, buffer, left < COPY_SIZE ? left : COPY_SIZE);
        written = taken > 0 ? copy_write(to, buffer, (size_t)taken) : taken;
        if (written > 0) {
            total += written;
            if (from->offset != NULL) {
                *from->offset += written;
            }
            if (to->offset != NULL) {
                *to->offset += written;
            }
        }
        if (written < taken || taken <= 0) {
            put_back(from, taken > 0 ? taken - (written > 0 ? written : 0) : 0);
            break;
        }
    }
    free(buffer);
    return total == 0 && written < 0 ? written : total;
}

static long sys_sendfile(int to, int from, off_t *offset, size_t size)
{
    const struct copy_end source = { from, offset };
    const struct copy_end target = { to, NULL };
    return copy(&source, &target, size);
}

static bool is_file(int fd)
{
    return CALL(fd, -EINVAL, take_advice) == 0;
}

static long sys_copy_file_range(int from, off_t *from_offset, int to, off_t *to_offset, size_t size,
                                unsigned flags)
{
    const struct copy_end source = { from, from_offset };
    const struct copy_end target = { to, to_offset };
    if (flags != 0 || !is_file(from) || !is_file(to)) {
        return descriptor_is_open(from) && descriptor_is_open(to) ? -EINVAL : -EBADF;
    }
    return copy(&source, &target, size);
}

/* ---- The end ---- */

void file_finish(void)
{
    file_map_finish();
}

/* ---- Dispatch ---- */

static long call_by_path(long number, long a, long b, long c, long d, long e)
{
    switch (number) {
    case SYS_openat: return file_open_at((int)a, (const char *)b, (int)c, (mode_t)d);
    case SYS_newfstatat: return sys_fstatat((int)a, (const char *)b, (struct stat *)c, (int)d);
    case SYS_faccessat: return file_access_at((int)a, (const char *)b, (int)c, 0);
    case SYS_faccessat2: return file_access_at((int)a, (const char *)b, (int)c, (int)d);
    case SYS_mkdirat: return file_mkdir_at((int)a, (const char *)b, (mode_t)c);
    case SYS_mknodat: return sys_mknodat((int)a, (const char *)b, (mode_t)c);
    case SYS_unlinkat: return file_unlink_at((int)a, (const char *)b, (int)c);
    case SYS_renameat2:
        return file_rename_at((int)a, (const char *)b, (int)c, (const char *)d, (unsigned)e);
    case SYS_linkat: return file_link_at((int)a, (const char *)b, (int)c, (const char *)d, (int)e);
    case SYS_symlinkat: return file_symlink_at((const char *)a, (int)b, (const char *)c);
    case SYS_readlinkat: return file_readlink_at((int)a, (const char *)b, (char *)c, (size_t)d);
    case SYS_truncate: return file_truncate_path((const char *)a, (off_t)b);
    case SYS_fchmodat: return sys_fchmodat((int)a, (const char *)b, (mode_t)c);
    case SYS_fchownat: return sys_fchownat((int)a, (const char *)b, (uid_t)c, (gid_t)d, (int)e);
    case SYS_utimensat:
        return sys_utimensat((int)a, (const char *)b, (const struct timespec *)c, (int)d);
    case SYS_statfs: return file_statfs((const char *)a, (struct statfs *)b);
    case SYS_chdir: return file_chdir((const char *)a);
    case SYS_getcwd: return file_getcwd((char *)a, (size_t)b);
    case SYS_umask: return file_umask((mode_t)a);
    case SYS_sync: return file_sync_everything();
    default: return -ENOSYS;
    }
}

long __ftl_file_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    switch (number) {
    case SYS_fstat: return sys_fstat((int)a, (struct stat *)b);
    case SYS_pread64: return sys_pread((int)a, (void *)b, (size_t)c, (off_t)d);
    case SYS_pwrite64: return sys_pwrite((int)a, (const void *)b, (size_t)c, (off_t)d);
    case SYS_preadv: return CALL((int)a, -ESPIPE, read_from, (const struct iovec *)b, (int)c, d);
    case SYS_pwritev: return CALL((int)a, -ESPIPE, write_to, (const struct iovec *)b, (int)c, d);
    case SYS_ftruncate: return CALL((int)a, -EINVAL, truncate_file, (off_t)b);
    case SYS_fsync:
    case SYS_fdatasync: return CALL((int)a, -EINVAL, file_sync_description);
    case SYS_fallocate: return CALL((int)a, -ESPIPE, allocate);
    case SYS_fadvise64: return CALL((int)a, -ESPIPE, take_advice);
    case SYS_getdents64: return CALL((int)a, -ENOTDIR, file_list_entries, (void *)b, (size_t)c);
    case SYS_fchmod: return CALL((int)a, -EINVAL, change_mode, (mode_t)b);
    case SYS_fchown: return CALL((int)a, -EINVAL, change_owner, (uid_t)b, (gid_t)c);
    case SYS_fstatfs: return CALL((int)a, -ENOSYS, status_of_file_system, (struct statfs *)b);
    case SYS_fchdir: return CALL((int)a, -ENOTDIR, file_fchdir);
    case SYS_flock: return CALL((int)a, -EINVAL, file_flock, (int)b);
    case SYS_sendfile: return sys_sendfile((int)a, (int)b, (off_t *)c, (size_t)d);
    case SYS_copy_file_range:
        return sys_copy_file_range((int)a, (off_t *)b, (int)c, (off_t *)d, (size_t)e, (unsigned)f);
    default: return call_by_path(number, a, b, c, d, e);
    }
}
