/* What the file server's protocol and Linux's interface say in different ways. Pure: it needs no
 * server, and runs on the host in unit tests. */
#ifndef POSIX_FILE_CONVERT_H
#define POSIX_FILE_CONVERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#include <ftl/protocols/file.h>

/* How to open a file, for O_ flags: FILE_ACCESS_ bits. -EINVAL or -EOPNOTSUPP for those that cannot
 * be done. */
long file_access_of_flags(int flags, uint32_t *access);

void file_fill_stat(const struct file_attributes *attributes, struct stat *status);

/*
 * Makes entries as getdents64() gives them of the server's (struct ftl_file_entry), which lie in
 * memory that the server can write. Returns the bytes used, and the cursor behind the last; -EIO
 * for what is no sequence of entries.
 */
long file_fill_entries(const void *from, size_t from_size, void *to, size_t to_size,
                       uint64_t *cursor);

/* A range of a lock, as struct flock has it, `from` being where `start` counts from, in the
 * server's form. -EINVAL, or -EOVERFLOW. */
struct file_lock_range {
    uint64_t start;
    uint64_t length;
};
long file_lock_range(off_t from, off_t start, off_t length, struct file_lock_range *range);

/* One past the last byte that a file can have. Locks of flock() lie behind it. */
#define FILE_OFFSETS_END (UINT64_C(1) << 63)

/* Nanoseconds since 1970 and back; times that have no room in them are the nearest that have. */
ftl_nsec_t file_time_of(const struct timespec *time);

/* ---- Parts of memory, as readv() and writev() have them ---- */

/* The bytes of all, SIZE_MAX / 2 at most; -EINVAL for more. */
long file_parts_size(const struct iovec *parts, int count);

/* Copies between the parts, from byte `at` of all on, and `data`. */
void file_scatter(const struct iovec *parts, int count, size_t at, const void *data, size_t size);
void file_gather(const struct iovec *parts, int count, size_t at, void *data, size_t size);

#endif
