/*
 * System calls that take a path: looked up by the server, from the root, the working directory, or
 * a directory that is open. When the server has ended since, what only looks is done again with a
 * new one; what changes something asks first whether the server is there, and fails if it ends
 * while it is about it, since nobody knows how far it came.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "file.h"
#include "file_convert.h"
#include "posix.h"

#define MODE_BITS   07777u
#define UMASK_FIRST 022

/* Where a path begins. */
struct place {
    struct file_connection *connection; /* has a reference */
    uint32_t base;
    struct description *held; /* what has that number, has a reference; NULL: the root */
    bool is_own;              /* it would be another one after the server's end */
};

/* ---- Places ---- */

static void leave(const struct place *place)
{
    file_connection_drop(place->connection);
    if (place->held != NULL) {
        description_drop(place->held);
    }
}

static void stand_in(struct place *place, struct file *directory)
{
    place->connection = directory->connection;
    file_connection_hold(place->connection);
    place->base = directory->number;
    place->held = &directory->description;
}

static long stand_at_descriptor(struct place *place, int fd)
{
    struct description *description = descriptor_get(fd);
    if (description == NULL) {
        return -EBADF;
    }
    if (!description_is_file(description) || file_of(description)->kind != FILE_KIND_DIRECTORY) {
        description_drop(description);
        return -ENOTDIR;
    }
    stand_in(place, file_of(description));
    place->is_own = false;
    return 0;
}

/* Where a path begins that is looked up from `base`. */
static long stand_once(struct place *place, int base, const char *path)
{
    *place = (struct place){ .base = FILE_ROOT, .is_own = true };
    if (path == NULL) {
        return -EFAULT;
    }
    if (path[0] == '\0') {
        return -ENOENT;
    }
    if (strnlen(path, PATH_MAX) == PATH_MAX) {
        return -ENAMETOOLONG;
    }
    if (path[0] != '/') {
        struct file *directory = NULL;
        if (base != AT_FDCWD) {
            return stand_at_descriptor(place, base);
        }
        directory = file_working_directory();
        if (directory != NULL) {
            stand_in(place, directory);
            return 0;
        }
    }
    return file_connection_get(&place->connection);
}

/* The same for a call that changes something. */
static long stand_to_change(struct place *place, int base, const char *path)
{
    long error = stand_once(place, base, path);
    if (error == 0 && !file_connection_is_alive(place->connection)) {
        leave(place);
        error = stand_once(place, base, path);
    }
    return error;
}

static long place_error(const struct place *place, ftl_status_t status)
{
    if (status == FTL_ERR_HANDLE_CLOSED && place->base == FILE_ROOT) {
        return -EACCES; /* there is none for this program */
    }
    return file_connection_error(place->connection, status);
}

/* Ends the call; whether it is to be done again. */
static bool again(const struct place *place, ftl_status_t status, int *tries)
{
    bool result = status == FTL_ERR_PEER_CLOSED && place->is_own && ++*tries == 1;
    if (result) {
        file_connection_error(place->connection, status);
        leave(place);
    }
    return result;
}

/* ---- Opening ---- */

mode_t file_umask(mode_t mask)
{
    static mode_t current = UMASK_FIRST;
    if (mask == (mode_t)-1) {
        return __atomic_load_n(&current, __ATOMIC_RELAXED);
    }
    return __atomic_exchange_n(&current, mask & 0777, __ATOMIC_RELAXED);
}

static uint32_t masked(mode_t mode)
{
    return mode & MODE_BITS & ~file_umask((mode_t)-1);
}

static long open_error(const struct place *place, ftl_status_t status)
{
    return status == FTL_ERR_NOT_SUPPORTED ? -ENXIO : place_error(place, status);
}

/* Opens it, and leaves the place, but for the connection. */
static long open_number(int base, const char *path, const struct file_open_request *how,
                        struct file_connection **connection, struct file_open_reply *reply)
{
    struct place place;
    struct file_buffer buffer;
    struct file_open_request request = *how;
    const uint32_t changing = FILE_ACCESS_CREATE | FILE_ACCESS_TRUNCATE;
    bool changes = (how->access & changing) != 0;
    ftl_status_t status;
    int tries = changes ? 1 : 0;
    do {
        long error = changes ? stand_to_change(&place, base, path) : stand_once(&place, base, path);
        if (error != 0) {
            return error;
        }
        request.base = place.base;
        request.path = path;
        status = file_open(place.connection->channel, &request, reply, &buffer, FTL_TIME_INFINITE);
    } while (again(&place, status, &tries));
    long error = open_error(&place, status);
    if (error == 0) {
        *connection = place.connection;
        file_connection_hold(*connection);
    }
    leave(&place);
    return error;
}

struct file *file_open_description(int base, const char *path, int flags, mode_t mode, long *error)
{
    struct file_connection *connection;
    struct file_open_reply reply;
    struct file_open_request request = { .mode = masked(mode) };
    *error = file_access_of_flags(flags, &request.access);
    if (*error == 0) {
        *error = open_number(base, path, &request, &connection, &reply);
    }
    if (*error != 0) {
        return NULL;
    }
    struct file *file = file_make(connection, reply.file, reply.kind, flags);
    *error = file != NULL ? 0 : -ENOMEM;
    return file;
}

/* What the library is itself comes first; -ENOENT: nothing. */
static long open_special(const char *path, int flags)
{
    long result = -ENOENT;
    if (posix_open_file != NULL) {
        result = posix_open_file(path, flags);
    }
    return result == -ENOENT ? file_device_open(path, flags) : result;
}

long file_open_at(int base, const char *path, int flags, mode_t mode)
{
    long error;
    if (path != NULL && path[0] == '/') {
        long special = open_special(path, flags);
        if (special != -ENOENT) {
            return special;
        }
    }
    struct file *file = file_open_description(base, path, flags, mode, &error);
    if (file == NULL) {
        return error;
    }
    long fd = descriptor_install(&file->description, (flags & O_CLOEXEC) != 0);
    if (fd < 0) {
        description_drop(&file->description);
    }
    return fd;
}

/* ---- Looking ---- */

static long look_up(int base, const char *path, bool follow, struct file_attributes *attributes)
{
    struct place place;
    struct file_part part;
    struct file_buffer buffer;
    ftl_status_t status;
    int tries = 0;
    do {
        long error = stand_once(&place, base, path);
        if (error != 0) {
            return error;
        }
        file_part_take(place.connection, sizeof(*attributes), &part);
        struct file_look_up_request request = {
            .base = place.base,
            .place = part.place,
            .follow = follow,
            .path = path,
        };
        status = file_look_up(place.connection->channel, &request, &buffer, FTL_TIME_INFINITE);
        memcpy(attributes, part.data, sizeof(*attributes));
        file_part_give(&part);
    } while (again(&place, status, &tries));
    long error = place_error(&place, status);
    leave(&place);
    return error;
}

long file_stat_at(int base, const char *path, struct stat *status, int flags)
{
    struct file_attributes attributes;
    if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT)) != 0) {
        return -EINVAL;
    }
    if (path != NULL && file_device_status(path, status)) {
        return 0;
    }
    long error = look_up(base, path, (flags & AT_SYMLINK_NOFOLLOW) == 0, &attributes);
    if (error == 0) {
        file_fill_stat(&attributes, status);
    }
    return error;
}

/* ---- What is done to a file that is open for it ---- */

typedef long action_t(struct file_connection *connection, uint32_t number, const void *argument);

static long act_on(int base, const char *path, uint32_t access, action_t *action,
                   const void *argument)
{
    struct file_connection *connection;
    struct file_open_reply reply;
    struct file_open_request request = { .access = access };
    long error = open_number(base, path, &request, &connection, &reply);
    if (error != 0) {
        return error;
    }
    error = action(connection, reply.file, argument);
    file_close_number(connection, reply.file);
    file_connection_drop(connection);
    return error;
}

static long get_file_system(struct file_connection *connection, uint32_t number,
                            struct file_file_system_reply *reply, struct file_buffer *buffer)
{
    struct file_file_system_request request = { .file = number };
    return file_connection_error(connection, file_file_system(connection->channel, &request, reply,
                                                              buffer, FTL_TIME_INFINITE));
}

static long check_writable(struct file_connection *connection, uint32_t number,
                           const void *argument)
{
    struct file_buffer buffer;
    struct file_file_system_reply reply;
    (void)argument;
    long error = get_file_system(connection, number, &reply, &buffer);
    return error == 0 && reply.read_only ? -EROFS : error;
}

/* There are no users: what may be done to a file does not depend on its permissions, but for
 * running it. */
long file_access_at(int base, const char *path, int mode, int flags)
{
    struct stat status;
    const mode_t anyone = S_IXUSR | S_IXGRP | S_IXOTH;
    if ((mode & ~(R_OK | W_OK | X_OK)) != 0 || (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW)) != 0) {
        return -EINVAL;
    }
    long error = file_stat_at(base, path, &status, flags & AT_SYMLINK_NOFOLLOW);
    if (error != 0) {
        return error;
    }
    if ((mode & X_OK) != 0 && !S_ISDIR(status.st_mode) && (status.st_mode & anyone) == 0) {
        return -EACCES;
    }
    if ((mode & W_OK) != 0 && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))) {
        return act_on(base, path, 0, check_writable, NULL);
    }
    return 0;
}

static long truncate_action(struct file_connection *connection, uint32_t number,
                            const void *argument)
{
    return file_truncate_number(connection, number, *(const off_t *)argument);
}

long file_truncate_path(const char *path, off_t size)
{
    return size < 0 ? -EINVAL : act_on(AT_FDCWD, path, FILE_ACCESS_WRITE, truncate_action, &size);
}

static long chmod_action(struct file_connection *connection, uint32_t number, const void *argument)
{
    struct file_attributes attributes = { .mode = *(const mode_t *)argument & MODE_BITS };
    return file_set(connection, number, FILE_FIELDS_MODE, &attributes);
}

long file_chmod_at(int base, const char *path, mode_t mode)
{
    return act_on(base, path, 0, chmod_action, &mode);
}

long file_set_owner(struct file_connection *connection, uint32_t number, uid_t user, gid_t group)
{
    struct file_attributes attributes;
    long error = file_attributes_by_number(connection, number, &attributes);
    if (error != 0) {
        return error;
    }
    attributes.user = user != (uid_t)-1 ? user : attributes.user;
    attributes.group = group != (gid_t)-1 ? group : attributes.group;
    return file_set(connection, number, FILE_FIELDS_OWNER, &attributes);
}

static long chown_action(struct file_connection *connection, uint32_t number, const void *argument)
{
    const uint32_t *owner = argument;
    return file_set_owner(connection, number, owner[0], owner[1]);
}

static uint32_t follow_access(int flags)
{
    return (flags & AT_SYMLINK_NOFOLLOW) != 0 ? FILE_ACCESS_NO_FOLLOW : 0;
}

long file_chown_at(int base, const char *path, uid_t user, gid_t group, int flags)
{
    const uint32_t owner[] = { user, group };
    if ((flags & ~AT_SYMLINK_NOFOLLOW) != 0) {
        return -EINVAL;
    }
    return act_on(base, path, follow_access(flags), chown_action, owner);
}

/* One of the two times: adds what is to be set to the fields. */
static bool choose_time(const struct timespec *time, uint32_t given, uint32_t now,
                        ftl_nsec_t *value, uint32_t *fields)
{
    switch (time->tv_nsec) {
    case UTIME_OMIT: return true;
    case UTIME_NOW: *fields |= now; return true;
    default:
        *fields |= given;
        *value = file_time_of(time);
        return time->tv_nsec >= 0 && time->tv_nsec < 1000000000;
    }
}

long file_set_times(struct file_connection *connection, uint32_t number,
                    const struct timespec times[2])
{
    static const struct timespec now[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_NOW } };
    struct file_attributes attributes = { 0 };
    uint32_t fields = 0;
    times = times != NULL ? times : now;
    if (!choose_time(&times[0], FILE_FIELDS_ACCESSED, FILE_FIELDS_ACCESSED_NOW,
                     &attributes.accessed, &fields) ||
        !choose_time(&times[1], FILE_FIELDS_MODIFIED, FILE_FIELDS_MODIFIED_NOW,
                     &attributes.modified, &fields)) {
        return -EINVAL;
    }
    return fields != 0 ? file_set(connection, number, fields, &attributes) : 0;
}

static long utimens_action(struct file_connection *connection, uint32_t number,
                           const void *argument)
{
    return file_set_times(connection, number, argument);
}

long file_utimens_at(int base, const char *path, const struct timespec times[2], int flags)
{
    if ((flags & ~AT_SYMLINK_NOFOLLOW) != 0) {
        return -EINVAL;
    }
    return act_on(base, path, follow_access(flags), utimens_action, times);
}

/* ---- File systems ---- */

/* What Linux's statfs() calls those of these names. */
static unsigned long type_of_file_system(const char *name)
{
    static const struct {
        const char *name;
        unsigned long type;
    } types[] = { { "memory", 0x01021994 },
                  { "ext2", 0xef53 },
                  { "ext3", 0xef53 },
                  { "ext4", 0xef53 },
                  { "ext", 0xef53 } };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(types[i].name, name) == 0) {
            return types[i].type;
        }
    }
    return 0;
}

long file_statfs_number(struct file_connection *connection, uint32_t number, struct statfs *status)
{
    struct file_buffer buffer;
    struct file_file_system_reply reply;
    long error = get_file_system(connection, number, &reply, &buffer);
    if (error != 0) {
        return error;
    }
    *status = (struct statfs){
        .f_type = type_of_file_system(reply.type),
        .f_bsize = reply.block_size,
        .f_frsize = reply.block_size,
        .f_blocks = reply.blocks,
        .f_bfree = reply.free_blocks,
        .f_bavail = reply.free_blocks,
        .f_files = reply.files,
        .f_ffree = reply.free_files,
        .f_namelen = reply.name_max,
        .f_flags = reply.read_only ? ST_RDONLY : 0,
    };
    memcpy(&status->f_fsid, &reply.identity, sizeof(status->f_fsid));
    return 0;
}

static long statfs_action(struct file_connection *connection, uint32_t number, const void *argument)
{
    struct statfs *const *status = argument;
    return file_statfs_number(connection, number, *status);
}

long file_statfs(const char *path, struct statfs *status)
{
    return act_on(AT_FDCWD, path, 0, statfs_action, &status);
}

long file_sync_everything(void)
{
    struct file_connection *connection;
    struct file_buffer buffer;
    long error = file_connection_get(&connection);
    if (error != 0) {
        return error;
    }
    error = file_connection_error(connection,
                                  file_sync_all(connection->channel, &buffer, FTL_TIME_INFINITE));
    file_connection_drop(connection);
    return error;
}

/* ---- Changing directories ---- */

long file_mkdir_at(int base, const char *path, mode_t mode)
{
    struct place place;
    struct file_buffer buffer;
    long error = stand_to_change(&place, base, path);
    if (error != 0) {
        return error;
    }
    struct file_make_directory_request request = {
        .base = place.base,
        .path = path,
        .mode = masked(mode),
    };
    error = place_error(&place, file_make_directory(place.connection->channel, &request, &buffer,
                                                    FTL_TIME_INFINITE));
    leave(&place);
    return error == -EMFILE ? -EMLINK : error;
}

long file_unlink_at(int base, const char *path, int flags)
{
    struct place place;
    struct file_buffer buffer;
    if ((flags & ~AT_REMOVEDIR) != 0) {
        return -EINVAL;
    }
    long error = stand_to_change(&place, base, path);
    if (error != 0) {
        return error;
    }
    struct file_remove_request request = {
        .base = place.base,
        .path = path,
        .directory = (flags & AT_REMOVEDIR) != 0,
    };
    error = place_error(
        &place, file_remove(place.connection->channel, &request, &buffer, FTL_TIME_INFINITE));
    leave(&place);
    return error;
}

long file_symlink_at(const char *target, int base, const char *path)
{
    struct place place;
    struct file_buffer buffer;
    if (target == NULL) {
        return -EFAULT;
    }
    size_t size = strnlen(target, PATH_MAX);
    if (size == 0 || size == PATH_MAX) {
        return size == 0 ? -ENOENT : -ENAMETOOLONG;
    }
    long error = stand_to_change(&place, base, path);
    if (error != 0) {
        return error;
    }
    struct file_make_link_request request = {
        .base = place.base,
        .path = path,
        .target = target,
    };
    error = place_error(
        &place, file_make_link(place.connection->channel, &request, &buffer, FTL_TIME_INFINITE));
    leave(&place);
    return error;
}

long file_readlink_at(int base, const char *path, char *to, size_t size)
{
    struct place place;
    struct file_buffer buffer;
    struct file_read_link_reply reply;
    ftl_status_t status;
    int tries = 0;
    if (size == 0) {
        return -EINVAL;
    }
    do {
        long error = stand_once(&place, base, path);
        if (error != 0) {
            return error;
        }
        struct file_read_link_request request = { .base = place.base, .path = path };
        status =
            file_read_link(place.connection->channel, &request, &reply, &buffer, FTL_TIME_INFINITE);
    } while (again(&place, status, &tries));
    long result = place_error(&place, status);
    if (result == 0) {
        size_t length = strlen(reply.target);
        length = length < size ? length : size;
        memcpy(to, reply.target, length);
        result = (long)length;
    }
    leave(&place);
    return result;
}

/* Two places that are of one connection. */
struct places {
    struct place from;
    struct place to;
};

static void leave_both(const struct places *places)
{
    leave(&places->from);
    leave(&places->to);
}

static long stand_in_both(struct places *places, int from_base, const char *from, int to_base,
                          const char *to)
{
    long error = stand_to_change(&places->from, from_base, from);
    if (error != 0) {
        return error;
    }
    error = stand_once(&places->to, to_base, to);
    if (error != 0) {
        leave(&places->from);
        return error;
    }
    if (places->from.connection != places->to.connection) {
        leave_both(places);
        return -EXDEV;
    }
    return 0;
}

long file_rename_at(int from_base, const char *from, int to_base, const char *to, unsigned flags)
{
    struct places places;
    struct file_buffer buffer;
    if (flags != 0) { /* RENAME_NOREPLACE and RENAME_EXCHANGE would have to be one step, too */
        return -EINVAL;
    }
    long error = stand_in_both(&places, from_base, from, to_base, to);
    if (error != 0) {
        return error;
    }
    struct file_rename_request request = {
        .from_base = places.from.base,
        .from = from,
        .to_base = places.to.base,
        .to = to,
    };
    error = place_error(&places.from, file_rename(places.from.connection->channel, &request,
                                                  &buffer, FTL_TIME_INFINITE));
    leave_both(&places);
    return error;
}

long file_link_at(int from_base, const char *from, int to_base, const char *to, int flags)
{
    struct places places;
    struct file_buffer buffer;
    struct stat status;
    if ((flags & ~AT_SYMLINK_FOLLOW) != 0) {
        return -EINVAL;
    }
    if (flags != 0) { /* the server gives a symbolic link itself one more name */
        long error = file_stat_at(from_base, from, &status, AT_SYMLINK_NOFOLLOW);
        if (error != 0 || S_ISLNK(status.st_mode)) {
            return error != 0 ? error : -EINVAL;
        }
    }
    long error = stand_in_both(&places, from_base, from, to_base, to);
    if (error != 0) {
        return error;
    }
    struct file_link_request request = {
        .from_base = places.from.base,
        .from = from,
        .to_base = places.to.base,
        .to = to,
    };
    ftl_status_t result =
        file_link(places.from.connection->channel, &request, &buffer, FTL_TIME_INFINITE);
    error = result == FTL_ERR_LIMIT          ? -EMLINK
            : result == FTL_ERR_IS_DIRECTORY ? -EPERM
                                             : place_error(&places.from, result);
    leave_both(&places);
    return error;
}
