/* The root file system: see points.h. */
#include "points.h"

#include <stdlib.h>
#include <string.h>

#define POINTS_MAX 64u
#define ROOT       1u
#define FIRST      2u /* the number of the first directory */
#define MODE       0555u

struct points {
    struct file_system file_system;
    char *names[POINTS_MAX]; /* NULL: there is none of this number */
};

static struct points *points_of(struct file_system *file_system)
{
    return (struct points *)(void *)file_system;
}

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

static ftl_status_t look_up(struct file_system *self, node_t directory, const char *name,
                            node_t *node)
{
    const struct points *points = points_of(self);
    for (size_t i = 0; i < POINTS_MAX && directory == ROOT; i++) {
        if (points->names[i] != NULL && strcmp(points->names[i], name) == 0) {
            *node = FIRST + i;
            return FTL_OK;
        }
    }
    return FTL_ERR_NOT_FOUND;
}

static ftl_status_t parent(struct file_system *self, node_t directory, node_t *node)
{
    (void)self;
    (void)directory;
    *node = ROOT;
    return FTL_OK;
}

static ftl_status_t attributes(struct file_system *self, node_t node,
                               struct file_attributes *attributes)
{
    (void)self;
    *attributes = (struct file_attributes){
        .number = node,
        .links = 2,
        .mode = MODE,
        .block_size = FTL_PAGE_SIZE,
        .kind = FILE_KIND_DIRECTORY,
    };
    return FTL_OK;
}

static ftl_status_t list(struct file_system *self, node_t directory, uint64_t cursor,
                         entry_visitor_t visit, void *context)
{
    const struct points *points = points_of(self);
    for (uint64_t i = cursor; i < POINTS_MAX && directory == ROOT; i++) {
        if (points->names[i] != NULL &&
            !visit(context, points->names[i], FIRST + i, FILE_KIND_DIRECTORY, i + 1)) {
            break;
        }
    }
    return FTL_OK;
}

static ftl_status_t read(struct file_system *self, node_t node, uint64_t offset, void *data,
                         size_t *size)
{
    (void)self;
    (void)node;
    (void)offset;
    (void)data;
    *size = 0;
    return FTL_ERR_IS_DIRECTORY;
}

static void usage(struct file_system *self, struct file_system_usage *usage)
{
    (void)self;
    *usage = (struct file_system_usage){
        .block_size = FTL_PAGE_SIZE,
        .name_max = 255,
        .files = POINTS_MAX,
    };
}

static ftl_status_t unmount(struct file_system *self)
{
    struct points *points = points_of(self);
    for (size_t i = 0; i < POINTS_MAX; i++) {
        free(points->names[i]);
    }
    free(points);
    return FTL_OK;
}

ftl_status_t points_mount(struct file_system **file_system)
{
    static const struct file_system_operations operations = {
        .type = "points",
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
    struct points *points = calloc(1, sizeof(*points));
    if (points == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    points->file_system.operations = &operations;
    points->file_system.is_read_only = true;
    *file_system = &points->file_system;
    return FTL_OK;
}

ftl_status_t points_add(struct file_system *file_system, const char *name)
{
    struct points *points = points_of(file_system);
    node_t node;
    if (look_up(file_system, ROOT, name, &node) == FTL_OK) {
        return FTL_ERR_EXISTS;
    }
    for (size_t i = 0; i < POINTS_MAX; i++) {
        if (points->names[i] == NULL) {
            points->names[i] = strdup(name);
            return points->names[i] != NULL ? FTL_OK : FTL_ERR_NO_MEMORY;
        }
    }
    return FTL_ERR_LIMIT;
}

void points_remove(struct file_system *file_system, node_t node)
{
    struct points *points = points_of(file_system);
    free(points->names[node - FIRST]);
    points->names[node - FIRST] = NULL;
}
