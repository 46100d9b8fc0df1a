/*
 * The working directory: an open directory, which relative paths begin at, and a path that led to
 * it, for when the server has ended meanwhile. What getcwd() says is found out anew each time, by
 * going up from it: it may have been moved.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

#define ENTRIES_SIZE 4096 /* bytes of entries read at once */

/* `lock` guards it. */
static struct {
    pthread_mutex_t lock;
    struct file *directory; /* has a reference; NULL: the root */
    char *path;             /* NULL: not known */
} working;

static void drop(struct file *directory)
{
    if (directory != NULL) {
        description_drop(&directory->description);
    }
}

/* Has the lock. The same directory at a new server, if it is still there. */
static void open_again(void)
{
    struct file_connection *connection;
    struct file_buffer buffer;
    struct file_open_reply reply;
    struct file_open_request request = {
        .base = FILE_ROOT,
        .path = working.path,
        .access = FILE_ACCESS_DIRECTORY,
    };
    if (working.path == NULL || file_connection_get(&connection) != 0) {
        return;
    }
    ftl_status_t status =
        file_open(connection->channel, &request, &reply, &buffer, FTL_TIME_INFINITE);
    if (status != FTL_OK) {
        file_connection_drop(connection);
        return;
    }
    struct file *directory = file_make(connection, reply.file, reply.kind, O_PATH | O_DIRECTORY);
    if (directory != NULL) {
        drop(working.directory);
        working.directory = directory;
    }
}

struct file *file_working_directory(void)
{
    file_inherit();
    pthread_mutex_lock(&working.lock);
    if (working.directory != NULL &&
        __atomic_load_n(&working.directory->connection->is_dead, __ATOMIC_ACQUIRE)) {
        open_again();
    }
    struct file *directory = working.directory;
    if (directory != NULL) {
        __atomic_add_fetch(&directory->description.references, 1, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&working.lock);
    return directory;
}

bool file_has_working_directory(void)
{
    file_inherit();
    pthread_mutex_lock(&working.lock);
    bool result = working.directory != NULL;
    pthread_mutex_unlock(&working.lock);
    return result;
}

/* ---- Changing it ---- */

static void set(struct file *directory, char *path)
{
    pthread_mutex_lock(&working.lock);
    struct file *former = working.directory;
    char *former_path = working.path;
    working.directory = directory;
    working.path = path;
    pthread_mutex_unlock(&working.lock);
    drop(former);
    free(former_path);
}

/* The path from the root that goes on with `path`; NULL: not known, too long, or no memory. */
static char *joined(const char *path)
{
    char *result = NULL;
    if (path[0] == '/') {
        return strdup(path);
    }
    pthread_mutex_lock(&working.lock);
    const char *former = working.directory == NULL ? "" : working.path;
    if (former != NULL) {
        size_t size = strlen(former) + 1 + strlen(path) + 1;
        result = size <= PATH_MAX ? malloc(size) : NULL;
        if (result != NULL) {
            stpcpy(stpcpy(stpcpy(result, former), "/"), path);
        }
    }
    pthread_mutex_unlock(&working.lock);
    return result;
}

/* Finds out a path that leads to the working directory now. */
static void find_path(void)
{
    char path[PATH_MAX];
    if (file_getcwd(path, sizeof(path)) > 0) {
        char *copy = strdup(path);
        pthread_mutex_lock(&working.lock);
        free(working.path);
        working.path = copy;
        pthread_mutex_unlock(&working.lock);
    }
}

void file_set_working_directory(struct file *directory)
{
    set(directory, NULL);
}

long file_chdir(const char *path)
{
    long error;
    struct file *directory = file_open_description(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0, &error);
    if (directory == NULL) {
        return error;
    }
    char *whole = joined(path);
    set(directory, whole);
    if (whole == NULL) {
        find_path();
    }
    return 0;
}

long file_fchdir(struct file *directory)
{
    if (directory->kind != FILE_KIND_DIRECTORY) {
        return -ENOTDIR;
    }
    __atomic_add_fetch(&directory->description.references, 1, __ATOMIC_RELAXED);
    set(directory, NULL);
    find_path();
    return 0;
}

/* ---- Where it is ---- */

/* A directory on the way up. */
struct step {
    struct file_connection *connection;
    uint32_t number;
    struct file_attributes attributes;
};

static bool is_same(const struct file_attributes *a, const struct file_attributes *b)
{
    return a->number == b->number && a->file_system == b->file_system;
}

static long open_parent(const struct step *step, struct step *parent)
{
    struct file_buffer buffer;
    struct file_open_reply reply;
    struct file_open_request request = {
        .base = step->number,
        .path = "..",
        .access = FILE_ACCESS_READ | FILE_ACCESS_DIRECTORY,
    };
    ftl_status_t status =
        file_open(step->connection->channel, &request, &reply, &buffer, FTL_TIME_INFINITE);
    if (status != FTL_OK) {
        return file_connection_error(step->connection, status);
    }
    parent->connection = step->connection;
    parent->number = reply.file;
    long error = file_attributes_by_number(parent->connection, parent->number, &parent->attributes);
    if (error != 0) {
        file_close_number(parent->connection, parent->number);
    }
    return error;
}

/* Whether the entry is the one that leads to the child. Where a file system begins, what the entry
 * tells is what lies below. */
static bool leads_to(const struct step *parent, const struct dirent *entry,
                     const struct file_attributes *child)
{
    struct file_attributes found;
    struct file_part part;
    struct file_buffer buffer;
    if (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 ||
        strcmp(entry->d_name, "..") == 0) {
        return false;
    }
    if (parent->attributes.file_system == child->file_system) {
        return entry->d_ino == child->number;
    }
    file_part_take(parent->connection, sizeof(found), &part);
    struct file_look_up_request request = {
        .base = parent->number,
        .place = part.place,
        .path = entry->d_name,
    };
    ftl_status_t status =
        file_look_up(parent->connection->channel, &request, &buffer, FTL_TIME_INFINITE);
    memcpy(&found, part.data, sizeof(found));
    file_part_give(&part);
    return status == FTL_OK && is_same(&found, child);
}

/* Puts the child's name in the parent, and a slash, before *at. */
static long find_name(const struct step *parent, const struct file_attributes *child,
                      const char *start, char **at)
{
    _Alignas(struct dirent) char entries[ENTRIES_SIZE];
    uint64_t cursor = 0;
    long size;
    while ((size = file_list_number(parent->connection, parent->number, &cursor, entries,
                                    sizeof(entries))) > 0) {
        const struct dirent *entry;
        for (long i = 0; i < size; i += entry->d_reclen) {
            entry = (const struct dirent *)(void *)(entries + i);
            if (!leads_to(parent, entry, child)) {
                continue;
            }
            size_t length = strlen(entry->d_name);
            if (length + 1 > (size_t)(*at - start)) {
                return -ENAMETOOLONG;
            }
            *at -= length + 1;
            **at = '/';
            memcpy(*at + 1, entry->d_name, length);
            return 0;
        }
    }
    return size < 0 ? size : -ENOENT; /* it was removed */
}

/* Goes up from the directory, and puts the names before *at. */
static long go_up(const struct file *directory, const char *start, char **at)
{
    struct step step = { .connection = directory->connection, .number = directory->number };
    struct step parent = step;
    long error = file_attributes_by_number(step.connection, step.number, &step.attributes);
    while (error == 0) {
        error = open_parent(&step, &parent);
        if (error != 0) {
            break;
        }
        bool is_root = is_same(&parent.attributes, &step.attributes);
        if (!is_root) {
            error = find_name(&parent, &step.attributes, start, at);
        }
        if (step.number != directory->number) {
            file_close_number(step.connection, step.number);
        }
        step = parent;
        if (is_root) {
            break;
        }
    }
    if (step.number != directory->number) {
        file_close_number(step.connection, step.number);
    }
    return error;
}

long file_getcwd(char *buffer, size_t size)
{
    char path[PATH_MAX];
    char *at = path + sizeof(path) - 1;
    long error = 0;
    *at = '\0';
    struct file *directory = file_working_directory();
    if (directory != NULL) {
        error = go_up(directory, path, &at);
        drop(directory);
    }
    if (error != 0) {
        return error;
    }
    if (*at == '\0') {
        *--at = '/';
    }
    size_t length = (size_t)(path + sizeof(path) - at);
    if (length > size) {
        return -ERANGE;
    }
    memcpy(buffer, at, length);
    return (long)length;
}
