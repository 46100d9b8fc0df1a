/* Between the file server's protocol and Linux's interface: see file_convert.h. */
#include "file_convert.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftl/file_memory.h>
#include <limits.h>
#include <string.h>

#define NSEC_PER_SEC 1000000000
#define ENTRY_ALIGN  8u

/* ---- Opening ---- */

static uint32_t access_mode(int flags)
{
    uint32_t access = 0;
    switch (flags & O_ACCMODE) {
    case O_RDONLY: access = FILE_ACCESS_READ; break;
    case O_WRONLY: access = FILE_ACCESS_WRITE; break;
    case O_RDWR: access = FILE_ACCESS_READ | FILE_ACCESS_WRITE; break;
    default: break; /* to ask about it alone: O_PATH is such a mode, too */
    }
    return access;
}

long file_access_of_flags(int flags, uint32_t *access)
{
    static const struct {
        int flag;
        uint32_t access;
    } bits[] = {
        { O_APPEND, FILE_ACCESS_APPEND },       { O_CREAT, FILE_ACCESS_CREATE },
        { O_EXCL, FILE_ACCESS_EXCLUSIVE },      { O_TRUNC, FILE_ACCESS_TRUNCATE },
        { O_DIRECTORY, FILE_ACCESS_DIRECTORY }, { O_NOFOLLOW, FILE_ACCESS_NO_FOLLOW },
    };
    if ((flags & O_PATH) != 0) {
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW;
        *access = 0;
    } else {
        *access = access_mode(flags);
    }
    if ((flags & O_TMPFILE) == O_TMPFILE) {
        return -EOPNOTSUPP;
    }
    if ((flags & O_DIRECT) != 0 || (flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY)) {
        return -EINVAL;
    }
    for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
        *access |= (flags & bits[i].flag) != 0 ? bits[i].access : 0;
    }
    if ((*access & FILE_ACCESS_TRUNCATE) != 0) {
        *access |= FILE_ACCESS_WRITE; /* that the descriptor is only to be read is for us to see */
    }
    return 0;
}

/* ---- Attributes ---- */

static mode_t type_of(uint8_t kind)
{
    switch (kind) {
    case FILE_KIND_REGULAR: return S_IFREG;
    case FILE_KIND_DIRECTORY: return S_IFDIR;
    case FILE_KIND_SYMBOLIC_LINK: return S_IFLNK;
    default: return S_IFSOCK; /* of those that cannot be opened the one that never can */
    }
}

static struct timespec time_from(ftl_nsec_t time)
{
    struct timespec split = { .tv_sec = time / NSEC_PER_SEC, .tv_nsec = time % NSEC_PER_SEC };
    if (split.tv_nsec < 0) { /* before 1970 */
        split.tv_sec--;
        split.tv_nsec += NSEC_PER_SEC;
    }
    return split;
}

ftl_nsec_t file_time_of(const struct timespec *time)
{
    ftl_nsec_t nsec;
    if (__builtin_mul_overflow((ftl_nsec_t)time->tv_sec, NSEC_PER_SEC, &nsec) ||
        __builtin_add_overflow(nsec, (ftl_nsec_t)time->tv_nsec, &nsec)) {
        return time->tv_sec < 0 ? INT64_MIN : INT64_MAX;
    }
    return nsec;
}

void file_fill_stat(const struct file_attributes *attributes, struct stat *status)
{
    *status = (struct stat){
        .st_dev = attributes->file_system,
        .st_ino = attributes->number,
        .st_mode = type_of(attributes->kind) | (attributes->mode & ~(mode_t)S_IFMT),
        .st_nlink = attributes->links,
        .st_uid = attributes->user,
        .st_gid = attributes->group,
        .st_size = (off_t)attributes->size,
        .st_blksize = (blksize_t)attributes->block_size,
        .st_blocks = (blkcnt_t)attributes->blocks,
        .st_atim = time_from(attributes->accessed),
        .st_mtim = time_from(attributes->modified),
        .st_ctim = time_from(attributes->changed),
    };
}

/* ---- Directories ---- */

static unsigned char entry_type(uint8_t kind)
{
    switch (kind) {
    case FILE_KIND_REGULAR: return DT_REG;
    case FILE_KIND_DIRECTORY: return DT_DIR;
    case FILE_KIND_SYMBOLIC_LINK: return DT_LNK;
    default: return DT_SOCK;
    }
}

/* Makes one; its size, 0: no room. */
static size_t fill_entry(const struct ftl_file_entry *from, const char *name, size_t name_size,
                         void *to, size_t to_size)
{
    struct dirent *entry = to;
    size_t size = offsetof(struct dirent, d_name) + name_size + 1;
    size = (size + ENTRY_ALIGN - 1) & ~(size_t)(ENTRY_ALIGN - 1);
    if (size > to_size) {
        return 0;
    }
    entry->d_ino = from->number;
    entry->d_off = (off_t)from->cursor;
    entry->d_reclen = (unsigned short)size;
    entry->d_type = entry_type(from->kind);
    memcpy(entry->d_name, name, name_size);
    memset(entry->d_name + name_size, 0, size - offsetof(struct dirent, d_name) - name_size);
    return size;
}

long file_fill_entries(const void *from, size_t from_size, void *to, size_t to_size,
                       uint64_t *cursor)
{
    size_t used = 0;
    for (size_t at = 0; at < from_size;) {
        struct ftl_file_entry entry; /* a copy: what was checked stays so */
        const char *source = (const char *)from + at;
        size_t left = from_size - at;
        if (left < sizeof(entry)) {
            return -EIO;
        }
        memcpy(&entry, source, sizeof(entry));
        const size_t name_at = offsetof(struct ftl_file_entry, name);
        if (entry.size % ENTRY_ALIGN != 0 || entry.size > left ||
            entry.size <= name_at + entry.name_size || entry.name_size == 0) {
            return -EIO;
        }
        size_t size = fill_entry(&entry, source + name_at, entry.name_size, (char *)to + used,
                                 to_size - used);
        if (size == 0) {
            break; /* the next call begins with it */
        }
        used += size;
        at += entry.size;
        *cursor = entry.cursor;
    }
    return (long)used;
}

/* ---- Locks ---- */

long file_lock_range(off_t from, off_t start, off_t length, struct file_lock_range *range)
{
    off_t first;
    if (__builtin_add_overflow(from, start, &first)) {
        return -EOVERFLOW;
    }
    if (length < 0) { /* those before it */
        if (__builtin_add_overflow(first, length, &first) || first < 0) {
            return -EINVAL;
        }
        length = -length;
    }
    if (first < 0) {
        return -EINVAL;
    }
    range->start = (uint64_t)first;
    range->length = length != 0 ? (uint64_t)length : FILE_OFFSETS_END - range->start;
    return range->length <= FILE_OFFSETS_END - range->start ? 0 : -EOVERFLOW;
}

/* ---- Parts of memory ---- */

long file_parts_size(const struct iovec *parts, int count)
{
    size_t total = 0;
    for (int i = 0; i < count; i++) {
        if (parts[i].iov_len > (size_t)LONG_MAX - total) {
            return -EINVAL;
        }
        total += parts[i].iov_len;
    }
    return (long)total;
}

void file_scatter(const struct iovec *parts, int count, size_t at, const void *data, size_t size)
{
    const char *from = data;
    for (int i = 0; i < count && size != 0; i++) {
        if (at >= parts[i].iov_len) {
            at -= parts[i].iov_len;
            continue;
        }
        size_t left = parts[i].iov_len - at;
        size_t piece = left < size ? left : size;
        memcpy((char *)parts[i].iov_base + at, from, piece);
        from += piece;
        size -= piece;
        at = 0;
    }
}

void file_gather(const struct iovec *parts, int count, size_t at, void *data, size_t size)
{
    char *to = data;
    for (int i = 0; i < count && size != 0; i++) {
        if (at >= parts[i].iov_len) {
            at -= parts[i].iov_len;
            continue;
        }
        size_t left = parts[i].iov_len - at;
        size_t piece = left < size ? left : size;
        memcpy(to, (const char *)parts[i].iov_base + at, piece);
        to += piece;
        size -= piece;
        at = 0;
    }
}
