/*
 * Files of a tar archive in memory, read-only: see backend.h. Directories are made of the names of
 * files. Nodes are an array in the order of a walk through the tree, in which the names of a
 * directory's files are found by bisection.
 */
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "kernel/bootimage.h"

#define ARCHIVE_BLOCK  512u
#define FILE_MODE      0555u /* most are programs; what may be run is for others to say */
#define DIRECTORY_MODE 0555u
#define ROOT           1u /* its number; the others follow */

struct entry {
    char *path; /* from the archive's root, which has an empty one */
    const char *data;
    uint64_t size;
    size_t order; /* in the archive */
    size_t parent;
    size_t end; /* of a directory: behind all that lies below it; 0: a file */
};

struct archive {
    struct file_system file_system;
    struct entry *entries; /* entry i is node i + 1 */
    size_t count;
    size_t capacity;
};

static struct archive *archive_of(struct file_system *file_system)
{
    return (struct archive *)(void *)file_system;
}

static const struct entry *entry_of(struct file_system *self, node_t node)
{
    return &archive_of(self)->entries[node - ROOT];
}

static node_t number_of(size_t index)
{
    return index + ROOT;
}

static bool is_directory(const struct entry *entry)
{
    return entry->end != 0;
}

static const char *name_in(const struct entry *entry)
{
    const char *slash = strrchr(entry->path, '/');
    return slash != NULL ? slash + 1 : entry->path;
}

/* ---- Making it ---- */

/* Takes the path. */
static ftl_status_t add(struct archive *archive, char *path, const struct entry *from)
{
    if (path != NULL && archive->count == archive->capacity) {
        size_t capacity = archive->capacity * 2 + 64;
        struct entry *entries = realloc(archive->entries, capacity * sizeof(entries[0]));
        if (entries == NULL) {
            free(path);
            return FTL_ERR_NO_MEMORY;
        }
        archive->entries = entries;
        archive->capacity = capacity;
    }
    if (path == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    struct entry *entry = &archive->entries[archive->count];
    *entry = *from;
    entry->path = path;
    entry->order = archive->count++;
    return FTL_OK;
}

/* No names but those that a path can name. */
static bool is_well_formed(const char *path)
{
    while (*path != '\0') {
        size_t size = strcspn(path, "/");
        if (size == 0 || size > 255 || (size == 1 && path[0] == '.') ||
            (size == 2 && path[0] == '.' && path[1] == '.')) {
            return false;
        }
        path += size;
        if (*path == '/' && *++path == '\0') {
            return false;
        }
    }
    return true;
}

/* Adds a file, and the directories that lead to it, each as often as it does. */
static ftl_status_t add_file(struct archive *archive, const struct bootimage *image,
                             const struct bootimage_file *file)
{
    struct entry entry = {
        .data = (const char *)image->data + file->offset,
        .size = file->size,
    };
    static const struct entry directory = { .end = 1 };
    ftl_status_t status = add(archive, strdup(file->name), &entry);
    for (const char *slash = strchr(file->name, '/'); slash != NULL && status == FTL_OK;
         slash = strchr(slash + 1, '/')) {
        status = add(archive, strndup(file->name, (size_t)(slash - file->name)), &directory);
    }
    return status;
}

/* A directory's files come behind it, before all else: a slash is less than any other byte. */
static int compare_paths(const char *a, const char *b)
{
    while (*a == *b && *a != '\0') {
        a++;
        b++;
    }
    int first = *a == '/' ? 1 : (unsigned char)*a + (*a != '\0');
    int second = *b == '/' ? 1 : (unsigned char)*b + (*b != '\0');
    return first - second;
}

static int compare(const void *a, const void *b)
{
    const struct entry *first = a;
    const struct entry *second = b;
    int order = compare_paths(first->path, second->path);
    if (order == 0) {
        order = first->order < second->order ? -1 : first->order > second->order;
    }
    return order;
}

/*
 * Leaves one entry for each path: directories come again and again, and of files the first counts.
 */
static ftl_status_t merge(struct archive *archive)
{
    size_t kept = 0;
    for (size_t i = 0; i < archive->count; i++) {
        struct entry *entry = &archive->entries[i];
        struct entry *last = kept != 0 ? &archive->entries[kept - 1] : NULL;
        if (last != NULL && strcmp(last->path, entry->path) == 0) {
            if (is_directory(last) != is_directory(entry)) {
                return FTL_ERR_BAD_FORMAT;
            }
            free(entry->path);
            entry->path = NULL;
        } else {
            struct entry moved = *entry;
            entry->path = NULL;
            archive->entries[kept++] = moved;
        }
    }
    archive->count = kept;
    return FTL_OK;
}

/* Whether the entry lies below the directory. */
static bool is_below(const struct entry *entry, const struct entry *directory)
{
    size_t size = strlen(directory->path);
    return size == 0 ||
           (strncmp(entry->path, directory->path, size) == 0 && entry->path[size] == '/');
}

/* Fills in where directories end, and what lies in which. */
static void connect(struct archive *archive)
{
    size_t inside = 0; /* the innermost directory that has not ended */
    for (size_t i = 1; i < archive->count; i++) {
        struct entry *entry = &archive->entries[i];
        while (!is_below(entry, &archive->entries[inside])) {
            archive->entries[inside].end = i;
            inside = archive->entries[inside].parent;
        }
        entry->parent = inside;
        if (is_directory(entry)) {
            inside = i;
        }
    }
    while (archive->count != 0) {
        archive->entries[inside].end = archive->count;
        if (inside == 0) {
            break;
        }
        inside = archive->entries[inside].parent;
    }
}

static ftl_status_t read_archive(struct archive *archive, const struct bootimage *image,
                                 const char **problem)
{
    static const struct entry root = { .end = 1 };
    struct bootimage_cursor cursor = { 0 };
    struct bootimage_file file;
    ftl_status_t status = add(archive, strdup(""), &root);
    while (status == FTL_OK) {
        status = bootimage_next(image, &cursor, &file);
        if (status == FTL_OK && !is_well_formed(file.name)) {
            *problem = "a file's name is none that can be looked up";
            status = FTL_ERR_BAD_FORMAT;
        } else if (status == FTL_OK) {
            status = add_file(archive, image, &file);
        }
    }
    if (status == FTL_ERR_BAD_FORMAT && cursor.error != NULL) {
        *problem = cursor.error;
    }
    if (status != FTL_ERR_NOT_FOUND) {
        return status;
    }
    qsort(archive->entries, archive->count, sizeof(archive->entries[0]), compare);
    status = merge(archive);
    if (status != FTL_OK) {
        *problem = "a file has the name of a directory";
        return status;
    }
    connect(archive);
    return FTL_OK;
}

static void destroy(struct archive *archive)
{
    for (size_t i = 0; i < archive->count; i++) {
        free(archive->entries[i].path);
    }
    free(archive->entries);
    free(archive);
}

/* ---- Operations ---- */

static node_t root_of(struct file_system *self)
{
    (void)self;
    return ROOT;
}

static void release(struct file_system *self, node_t node)
{
    (void)self;
    (void)node;
}

/* Compares an entry's path with that of a name in a directory. */
static int compare_with(const struct entry *entry, const struct entry *directory, const char *name)
{
    size_t size = strlen(directory->path);
    return compare_paths(entry->path + (size == 0 ? 0 : size + 1), name);
}

static ftl_status_t look_up(struct file_system *self, node_t directory, const char *name,
                            node_t *node)
{
    const struct archive *archive = archive_of(self);
    const struct entry *in = entry_of(self, directory);
    size_t from = (size_t)(directory - ROOT) + 1;
    size_t to = in->end;
    if (!is_directory(in)) {
        return FTL_ERR_NOT_DIRECTORY;
    }
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order = compare_with(&archive->entries[middle], in, name);
        if (order == 0) {
            *node = number_of(middle);
            return FTL_OK;
        }
        if (order < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return FTL_ERR_NOT_FOUND;
}

static ftl_status_t parent(struct file_system *self, node_t directory, node_t *node)
{
    *node = number_of(entry_of(self, directory)->parent);
    return FTL_OK;
}

static ftl_status_t attributes(struct file_system *self, node_t node,
                               struct file_attributes *attributes)
{
    const struct entry *entry = entry_of(self, node);
    bool directory = is_directory(entry);
    *attributes = (struct file_attributes){
        .number = node,
        .size = entry->size,
        .blocks = (entry->size + ARCHIVE_BLOCK - 1) / ARCHIVE_BLOCK,
        .links = directory ? 2 : 1,
        .mode = directory ? DIRECTORY_MODE : FILE_MODE,
        .block_size = FTL_PAGE_SIZE,
        .kind = directory ? FILE_KIND_DIRECTORY : FILE_KIND_REGULAR,
    };
    return FTL_OK;
}

/* Cursors are the entries' numbers. */
static ftl_status_t list(struct file_system *self, node_t directory, uint64_t cursor,
                         entry_visitor_t visit, void *context)
{
    const struct archive *archive = archive_of(self);
    const struct entry *in = entry_of(self, directory);
    size_t index = cursor != 0 ? (size_t)(cursor - ROOT) : (size_t)(directory - ROOT) + 1;
    if (cursor != 0 &&
        (cursor <= directory || index > in->end ||
         (index != in->end && &archive->entries[archive->entries[index].parent] != in))) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    while (index < in->end) {
        const struct entry *entry = &archive->entries[index];
        size_t next = is_directory(entry) ? entry->end : index + 1;
        if (!visit(context, name_in(entry), number_of(index),
                   is_directory(entry) ? FILE_KIND_DIRECTORY : FILE_KIND_REGULAR,
                   number_of(next))) {
            break;
        }
        index = next;
    }
    return FTL_OK;
}

static ftl_status_t read(struct file_system *self, node_t node, uint64_t offset, void *data,
                         size_t *size)
{
    const struct entry *entry = entry_of(self, node);
    uint64_t left = offset < entry->size ? entry->size - offset : 0;
    *size = *size < left ? *size : (size_t)left;
    if (*size != 0) {
        memcpy(data, entry->data + offset, *size);
    }
    return FTL_OK;
}

static void usage(struct file_system *self, struct file_system_usage *usage)
{
    const struct archive *archive = archive_of(self);
    *usage = (struct file_system_usage){
        .block_size = ARCHIVE_BLOCK,
        .name_max = 255,
        .files = archive->count,
    };
    for (size_t i = 0; i < archive->count; i++) {
        usage->blocks += (archive->entries[i].size + ARCHIVE_BLOCK - 1) / ARCHIVE_BLOCK;
    }
}

static ftl_status_t unmount(struct file_system *self)
{
    destroy(archive_of(self));
    return FTL_OK;
}

ftl_status_t archive_mount(const void *data, size_t size, struct file_system **file_system,
                           const char **problem)
{
    static const struct file_system_operations operations = {
        .type = "archive",
        .root = root_of,
        .release = release,
        .look_up = look_up,
        .parent = parent,
        .attributes = attributes,
        .list = list,
        .read = read,
        .usage = usage,
        .unmount = unmount,
    };
    const struct bootimage image = { .data = data, .size = size };
    struct archive *archive = calloc(1, sizeof(*archive));
    if (archive == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    archive->file_system.operations = &operations;
    archive->file_system.is_read_only = true;
    ftl_status_t status = read_archive(archive, &image, problem);
    if (status != FTL_OK) {
        destroy(archive);
        return status;
    }
    *file_system = &archive->file_system;
    return FTL_OK;
}
