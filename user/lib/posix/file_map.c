/*
 * Mappings of files. A private one is memory into which the file was read. A shared one that may be
 * written is memory, too, which is written back, as far as it has changed, by msync(), when it is
 * unmapped, and when the program exits; a copy of what the file had tells what has changed. Equal
 * ranges of a file that are mapped several times are the same memory, in one program.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftl/handle.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "file.h"
#include "file_map.h"
#include "posix.h"

#define PAGE ((size_t)FTL_PAGE_SIZE)

/* Memory that is to be written back. */
struct shared {
    struct shared *next;
    uint32_t mappings;
    struct file *file; /* has a reference */
    uint64_t file_system;
    uint64_t number;
    off_t offset;
    size_t size; /* whole pages */
    ftl_handle_t vmo;
    char *view; /* the memory, whatever becomes of the mappings */
    char *copy; /* of what the file had */
};

struct mapping {
    struct mapping *next;
    uintptr_t start;
    size_t size;
    size_t offset;         /* in `shared` */
    struct shared *shared; /* NULL: private */
};

/* `lock` guards it all. */
static struct {
    pthread_mutex_t lock;
    struct mapping *mappings;
    struct shared *shared;
} maps;

/* ---- Files' contents ---- */

static long read_all(struct file *file, void *to, size_t size, off_t offset)
{
    struct iovec part = { .iov_base = to, .iov_len = size };
    long done = file_read_at(file, &part, 1, offset);
    return done < 0 ? done : 0; /* behind the end there are zeros */
}

static long write_all(struct file *file, char *from, size_t size, off_t offset)
{
    while (size != 0) {
        struct iovec part = { .iov_base = from, .iov_len = size };
        long done = file_write_at(file, &part, 1, offset);
        if (done <= 0) {
            return done < 0 ? done : -EIO;
        }
        from += done;
        size -= (size_t)done;
        offset += done;
    }
    return 0;
}

static bool has_changed(const struct shared *shared, size_t at, size_t end)
{
    size_t size = end - at < PAGE ? end - at : PAGE;
    return memcmp(shared->view + at, shared->copy + at, size) != 0;
}

/* Has the lock. Writes back what has changed from `at` to `end`, both at pages' beginnings; what
 * lies behind the file's end is not of it. */
static long write_back(struct shared *shared, size_t at, size_t end)
{
    struct stat status;
    long error = file_status(shared->file, &status);
    if (error != 0) {
        return error;
    }
    size_t in_file =
        status.st_size > shared->offset ? (size_t)(status.st_size - shared->offset) : 0;
    end = end < in_file ? end : in_file;
    while (at < end && error == 0) {
        size_t from = at;
        while (at < end && has_changed(shared, at, end)) {
            at += PAGE;
        }
        size_t size = (at < end ? at : end) - from;
        if (at == from) {
            at += PAGE;
            continue;
        }
        memcpy(shared->copy + from, shared->view + from, size);
        error = write_all(shared->file, shared->copy + from, size, shared->offset + (off_t)from);
        if (error != 0) {
            shared->copy[from] = (char)~shared->view[from]; /* still to be written */
        }
    }
    return error;
}

/* ---- Shared memory ---- */

static void unmap(char *address, size_t size)
{
    if (address != NULL) {
        ftl_vmspace_unmap(posix_vmspace(), (uintptr_t)address, size);
    }
}

static void free_shared(struct shared *shared)
{
    unmap(shared->view, shared->size);
    unmap(shared->copy, shared->size);
    ftl_handle_close(shared->vmo);
    description_drop(&shared->file->description);
    free(shared);
}

/* Has the lock. */
static void drop_shared(struct shared *shared)
{
    if (--shared->mappings == 0) {
        struct shared **link = &maps.shared;
        while (*link != shared) {
            link = &(*link)->next;
        }
        *link = shared->next;
        free_shared(shared);
    }
}

static ftl_status_t map_memory(ftl_handle_t vmo, size_t size, char **address)
{
    uintptr_t mapped;
    ftl_status_t status =
        ftl_vmspace_map(posix_vmspace(), vmo, 0, size, FTL_MAP_READ | FTL_MAP_WRITE, 0, &mapped);
    if (status == FTL_OK) {
        *address = (char *)mapped;
    }
    return status;
}

static ftl_status_t make_memory(struct shared *shared)
{
    ftl_handle_t copy;
    ftl_status_t status = ftl_vmo_create(shared->size, &shared->vmo);
    if (status == FTL_OK) {
        status = map_memory(shared->vmo, shared->size, &shared->view);
    }
    if (status == FTL_OK) {
        status = ftl_vmo_create(shared->size, &copy);
    }
    if (status == FTL_OK) {
        status = map_memory(copy, shared->size, &shared->copy);
        ftl_handle_close(copy);
    }
    return status;
}

/* Has the lock. With what the file has there. */
static long make_shared(struct file *file, const struct file_attributes *attributes, size_t size,
                        off_t offset, struct shared **made)
{
    struct shared *shared = calloc(1, sizeof(*shared));
    if (shared == NULL) {
        return -ENOMEM;
    }
    shared->file = file;
    shared->file_system = attributes->file_system;
    shared->number = attributes->number;
    shared->offset = offset;
    shared->size = size;
    __atomic_add_fetch(&file->description.references, 1, __ATOMIC_RELAXED);
    long error = posix_error(make_memory(shared));
    if (error == 0) {
        error = read_all(file, shared->view, size, offset);
    }
    if (error != 0) {
        free_shared(shared);
        return error;
    }
    memcpy(shared->copy, shared->view, size);
    shared->next = maps.shared;
    maps.shared = shared;
    *made = shared;
    return 0;
}

/* Has the lock. The memory that the range is already; NULL: none. */
static struct shared *find_shared(const struct file_attributes *attributes, size_t size,
                                  off_t offset)
{
    struct shared *shared = maps.shared;
    while (shared != NULL &&
           (shared->number != attributes->number ||
            shared->file_system != attributes->file_system || shared->offset > offset ||
            (uint64_t)offset + size > (uint64_t)shared->offset + shared->size)) {
        shared = shared->next;
    }
    return shared;
}

/* ---- Mappings ---- */

/* Has the lock. */
static long add_mapping(uintptr_t start, size_t size, struct shared *shared, size_t offset)
{
    struct mapping *mapping = calloc(1, sizeof(*mapping));
    if (mapping == NULL) {
        return -ENOMEM;
    }
    *mapping = (struct mapping){ maps.mappings, start, size, offset, shared };
    maps.mappings = mapping;
    if (shared != NULL) {
        shared->mappings++;
    }
    return 0;
}

/* Has the lock. */
static long map_shared(struct file *file, uintptr_t *address, size_t size, off_t offset)
{
    struct file_attributes attributes;
    struct shared *shared;
    long error = file_attributes_by_number(file->connection, file->number, &attributes);
    if (error != 0) {
        return error;
    }
    shared = find_shared(&attributes, size, offset);
    if (shared == NULL) {
        error = make_shared(file, &attributes, size, offset, &shared);
    }
    if (error != 0) {
        return error;
    }
    shared->mappings++; /* as long as we are about it */
    size_t inside = (size_t)(offset - shared->offset);
    error = posix_map_vmo(shared->vmo, inside, size, address);
    if (error == 0) {
        error = add_mapping(*address, size, shared, inside);
        if (error != 0) {
            ftl_vmspace_unmap(posix_vmspace(), *address, size);
        }
    }
    drop_shared(shared);
    return error;
}

/* Has the lock. */
static long map_private(struct file *file, uintptr_t *address, size_t size, off_t offset)
{
    ftl_handle_t vmo;
    ftl_status_t status = ftl_vmo_create(size, &vmo);
    if (status != FTL_OK) {
        return -ENOMEM;
    }
    long error = posix_map_vmo(vmo, 0, size, address);
    ftl_handle_close(vmo);
    if (error != 0) {
        return error;
    }
    error = read_all(file, (void *)*address, size, offset);
    if (error == 0) {
        error = add_mapping(*address, size, NULL, 0);
    }
    if (error != 0) {
        ftl_vmspace_unmap(posix_vmspace(), *address, size);
    }
    return error;
}

long file_map(struct description *self, uintptr_t *address, size_t size,
              const struct file_mapping *how)
{
    struct file *file = file_of(self);
    int access = self->flags & O_ACCMODE;
    bool is_shared = (how->flags & MAP_TYPE) != MAP_PRIVATE;
    if (how->offset < 0 || ((size_t)how->offset & (PAGE - 1)) != 0) {
        return -EINVAL;
    }
    if (file->kind != FILE_KIND_REGULAR) {
        return -ENODEV;
    }
    if ((access != O_RDONLY && access != O_RDWR) ||
        (is_shared && (how->protection & PROT_WRITE) != 0 && access != O_RDWR)) {
        return -EACCES;
    }
    pthread_mutex_lock(&maps.lock);
    /* Who could write it may give himself the right later. */
    long error = is_shared && access == O_RDWR ? map_shared(file, address, size, how->offset)
                                               : map_private(file, address, size, how->offset);
    pthread_mutex_unlock(&maps.lock);
    return error;
}

/* ---- Unmapping ---- */

static bool overlaps(const struct mapping *mapping, uintptr_t start, size_t size)
{
    return mapping->start < start + size && start < mapping->start + mapping->size;
}

/* Has the lock. Writes back what of the mapping lies in the range. */
static long write_back_range(const struct mapping *mapping, uintptr_t start, size_t size)
{
    uintptr_t from = mapping->start > start ? mapping->start : start;
    uintptr_t mapping_end = mapping->start + mapping->size;
    uintptr_t end = mapping_end < start + size ? mapping_end : start + size;
    return write_back(mapping->shared, mapping->offset + (from - mapping->start),
                      mapping->offset + (end - mapping->start));
}

/* Has the lock. Cuts the range out; what is left behind it becomes a mapping of its own. Whether
 * the mapping is there no more. */
static bool cut(struct mapping **link, uintptr_t start, size_t size)
{
    struct mapping *mapping = *link;
    uintptr_t end = start + size;
    uintptr_t mapping_end = mapping->start + mapping->size;
    if (mapping_end > end) {
        size_t skipped = end - mapping->start;
        if (mapping->start >= start) {
            mapping->start = end;
            mapping->size -= skipped;
            mapping->offset += skipped;
            return false;
        }
        /* Without memory for it, it is only not known any more: no mapping is lost by that. */
        add_mapping(end, mapping_end - end, mapping->shared, mapping->offset + skipped);
    }
    if (mapping->start < start) {
        mapping->size = start - mapping->start;
        return false;
    }
    *link = mapping->next;
    if (mapping->shared != NULL) {
        drop_shared(mapping->shared);
    }
    free(mapping);
    return true;
}

void file_map_forget(uintptr_t start, size_t size)
{
    pthread_mutex_lock(&maps.lock);
    struct mapping **link = &maps.mappings;
    while (*link != NULL) {
        const struct mapping *mapping = *link;
        bool is_inside = overlaps(mapping, start, size);
        if (is_inside && mapping->shared != NULL) {
            write_back_range(mapping, start, size);
        }
        if (!is_inside || !cut(link, start, size)) {
            link = &(*link)->next;
        }
    }
    pthread_mutex_unlock(&maps.lock);
}

bool file_map_is_mapped(uintptr_t start, size_t size)
{
    bool is_mapped = false;
    pthread_mutex_lock(&maps.lock);
    for (const struct mapping *mapping = maps.mappings; mapping != NULL; mapping = mapping->next) {
        is_mapped |= overlaps(mapping, start, size);
    }
    pthread_mutex_unlock(&maps.lock);
    return is_mapped;
}

long file_map_sync(uintptr_t start, size_t size, int flags)
{
    long error = 0;
    pthread_mutex_lock(&maps.lock);
    for (const struct mapping *mapping = maps.mappings; mapping != NULL; mapping = mapping->next) {
        if (mapping->shared == NULL || !overlaps(mapping, start, size)) {
            continue;
        }
        long failed = write_back_range(mapping, start, size);
        if (failed == 0 && (flags & MS_SYNC) != 0) {
            failed = file_sync_description(mapping->shared->file);
        }
        error = error != 0 ? error : failed;
    }
    pthread_mutex_unlock(&maps.lock);
    return error;
}

void file_map_finish(void)
{
    pthread_mutex_lock(&maps.lock);
    for (struct shared *shared = maps.shared; shared != NULL; shared = shared->next) {
        write_back(shared, 0, shared->size);
    }
    pthread_mutex_unlock(&maps.lock);
}
