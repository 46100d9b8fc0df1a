/*
 * Files: what the files that make them up share. file.c has open files, file_path.c what takes a
 * path, file_call.c the system calls, file_convert.c what needs no server, file_device.c the files
 * that the library is itself, file_map.c mappings, file_lock.c locks.
 */
#ifndef POSIX_FILE_H
#define POSIX_FILE_H

#include <sys/stat.h>
#include <sys/types.h>

#include "descriptor.h"
#include "file_connection.h"

#define FILE_ROOT 0u /* the number of the root directory in each connection that has one */

/* An open file. All but `cursor` stays as it is. */
struct file {
    struct description description;
    struct file_connection *connection; /* has a reference */
    uint32_t number;
    uint8_t kind;    /* enum file_kind */
    uint64_t cursor; /* of a directory: where the next entry is; accessed atomically */
};

extern const struct description_operations file_operations;

static inline struct file *file_of(struct description *description)
{
    return (struct file *)(void *)description;
}

static inline bool description_is_file(const struct description *description)
{
    return description->operations == &file_operations;
}

/* A description, with one reference, of what is open there under this number; it takes the caller's
 * reference to the connection, and the number. NULL: no memory, and both are gone. */
struct file *file_make(struct file_connection *connection, uint32_t number, uint8_t kind,
                       int flags);
void file_close_number(struct file_connection *connection, uint32_t number);

/* Reads or writes at an offset, or with -1 at the position, which moves. */
long file_read_at(struct file *file, const struct iovec *parts, int count, off_t offset);
long file_write_at(struct file *file, const struct iovec *parts, int count, off_t offset);

long file_status(struct file *file, struct stat *status);
long file_attributes_by_number(struct file_connection *connection, uint32_t number,
                               struct file_attributes *attributes);
long file_set(struct file_connection *connection, uint32_t number, uint32_t fields,
              const struct file_attributes *attributes);
long file_truncate_number(struct file_connection *connection, uint32_t number, off_t size);
long file_sync_description(struct file *file);

/* Entries as getdents64() gives them from a cursor on, which moves; 0 at the end. */
long file_list_number(struct file_connection *connection, uint32_t number, uint64_t *cursor,
                      void *buffer, size_t size);
long file_list_entries(struct file *file, void *buffer, size_t size);

/* ---- file_path.c: as the system calls with these names ---- */

/* Opens it, in the server; NULL: *error is a negative errno. */
struct file *file_open_description(int base, const char *path, int flags, mode_t mode, long *error);
long file_open_at(int base, const char *path, int flags, mode_t mode);
long file_stat_at(int base, const char *path, struct stat *status, int flags);
long file_access_at(int base, const char *path, int mode, int flags);
long file_mkdir_at(int base, const char *path, mode_t mode);
long file_unlink_at(int base, const char *path, int flags);
long file_rename_at(int from_base, const char *from, int to_base, const char *to, unsigned flags);
long file_link_at(int from_base, const char *from, int to_base, const char *to, int flags);
long file_symlink_at(const char *target, int base, const char *path);
long file_readlink_at(int base, const char *path, char *buffer, size_t size);
long file_truncate_path(const char *path, off_t size);
long file_chmod_at(int base, const char *path, mode_t mode);
long file_chown_at(int base, const char *path, uid_t user, gid_t group, int flags);
long file_utimens_at(int base, const char *path, const struct timespec times[2], int flags);
struct statfs;
long file_statfs(const char *path, struct statfs *status);
long file_statfs_number(struct file_connection *connection, uint32_t number, struct statfs *status);
long file_sync_everything(void);
mode_t file_umask(mode_t mask);
long file_set_owner(struct file_connection *connection, uint32_t number, uid_t user, gid_t group);
long file_set_times(struct file_connection *connection, uint32_t number,
                    const struct timespec times[2]);

/* ---- file_directory.c: the working directory ---- */

/* What relative paths begin at; the caller has a reference. NULL: the root. */
struct file *file_working_directory(void);
bool file_has_working_directory(void); /* other than the root */
long file_chdir(const char *path);
long file_fchdir(struct file *directory);
long file_getcwd(char *buffer, size_t size);
/* The same, its path not being known. Takes the reference. */
void file_set_working_directory(struct file *directory);

/* ---- file_inherit.c ---- */

/* Takes what the starter gave, once. */
void file_inherit(void);

/* ---- file_device.c ---- */

/* Opens one of the files that the library is itself: a descriptor, or a negative errno. */
long file_device_open(const char *path, int flags);
/* What stat() says of one: false: it is none. */
bool file_device_status(const char *path, struct stat *status);
bool file_device_description_status(const struct description *description, struct stat *status);
/* The descriptor that /dev/stdin, /dev/fd/N or /proc/self/fd/N name; -1: it is another path. */
int file_descriptor_of_path(const char *path);

/* ---- file_lock.c ---- */

struct flock;
long file_fcntl(struct description *self, int command, long argument);
long file_flock(struct file *file, int operation);

#endif
