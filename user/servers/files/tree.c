/* The tree of files: see tree.h. */
#include "tree.h"

#include <stdlib.h>
#include <string.h>

#include "lock.h"

#define BUCKETS 1024u /* a power of two */

static struct {
    struct mount *mounts;
    uint64_t mount_count; /* all there ever were */
    bool is_dirty;
    struct file *files[BUCKETS];
} tree;

static const struct file_system_operations *operations_of(struct place place)
{
    return place.mount->file_system->operations;
}

/* ---- Mounts ---- */

struct mount *tree_root(void)
{
    return tree.mounts;
}

struct mount *tree_mounts(void)
{
    return tree.mounts;
}

ftl_status_t tree_mount(struct file_system *file_system, const char *source, struct file *point,
                        struct mount **created)
{
    struct mount **link = &tree.mounts;
    if (point != NULL && point->node == point->mount->root) {
        return FTL_ERR_BAD_STATE;
    }
    struct mount *mount = calloc(1, sizeof(*mount));
    if (mount == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    mount->file_system = file_system;
    mount->root = file_system->operations->root(file_system);
    mount->number = ++tree.mount_count;
    strncpy(mount->source, source, SOURCE_MAX_SIZE);
    if (point != NULL) {
        file_hold(point);
        mount->point = point;
        point->mount->points++;
    }
    while (*link != NULL) {
        link = &(*link)->next;
    }
    *link = mount;
    *created = mount;
    return FTL_OK;
}

ftl_status_t tree_unmount(struct mount *mount)
{
    struct mount **link = &tree.mounts;
    if (mount->point == NULL || mount->points != 0 || mount->files != 0) {
        return FTL_ERR_BAD_STATE;
    }
    while (*link != mount) {
        link = &(*link)->next;
    }
    *link = mount->next;
    mount->point->mount->points--;
    file_release(mount->point);
    ftl_status_t status = mount->file_system->operations->unmount(mount->file_system);
    free(mount);
    return status;
}

/* ---- Write-back ---- */

void tree_touch(struct mount *mount)
{
    mount->is_dirty = true;
    tree.is_dirty = true;
}

bool tree_is_dirty(void)
{
    return tree.is_dirty;
}

void tree_write_back(void)
{
    tree.is_dirty = false;
    for (struct mount *mount = tree.mounts; mount != NULL; mount = mount->next) {
        if (mount->is_dirty && mount->file_system->operations->idle != NULL) {
            mount->file_system->operations->idle(mount->file_system);
        }
        mount->is_dirty = false;
    }
}

ftl_status_t tree_sync(void)
{
    ftl_status_t first_error = FTL_OK;
    for (struct mount *mount = tree.mounts; mount != NULL; mount = mount->next) {
        if (!mount->file_system->is_read_only) {
            ftl_status_t status = mount->file_system->operations->sync(mount->file_system);
            first_error = first_error == FTL_OK ? status : first_error;
        }
    }
    return first_error;
}

/* ---- Places ---- */

void place_release(struct place *place)
{
    if (place->mount != NULL && place->is_held) {
        operations_of(*place)->release(place->mount->file_system, place->node);
    }
    *place = (struct place){ .mount = NULL };
}

struct place place_of_file(const struct file *file)
{
    return (struct place){ .mount = file->mount, .node = file->node };
}

struct place place_of_root(struct mount *mount)
{
    return (struct place){ .mount = mount, .node = mount->root };
}

bool place_equals(struct place a, struct place b)
{
    return a.mount == b.mount && a.node == b.node;
}

static struct mount *mounted_at(struct place place)
{
    struct mount *mount = place.mount->points != 0 ? tree.mounts : NULL;
    while (mount != NULL &&
           (mount->point == NULL || !place_equals(place_of_file(mount->point), place))) {
        mount = mount->next;
    }
    return mount;
}

void place_enter_mounts(struct place *place)
{
    struct mount *mount;
    while ((mount = mounted_at(*place)) != NULL) {
        place_release(place);
        *place = place_of_root(mount);
    }
}

ftl_status_t place_parent(struct place place, struct place *parent)
{
    while (place.node == place.mount->root) {
        if (place.mount->point == NULL) {
            *parent = place_of_root(place.mount);
            return FTL_OK;
        }
        place = place_of_file(place.mount->point);
    }
    *parent = (struct place){ .mount = place.mount, .is_held = true };
    ftl_status_t status =
        operations_of(place)->parent(place.mount->file_system, place.node, &parent->node);
    if (status != FTL_OK) {
        *parent = (struct place){ .mount = NULL };
    }
    return status;
}

/* ---- Files ---- */

static struct file **bucket_of(const struct mount *mount, node_t node)
{
    uint64_t hash = (node ^ (uintptr_t)mount >> 4) * UINT64_C(0x9e3779b97f4a7c15);
    return &tree.files[hash >> 32 & (BUCKETS - 1)];
}

ftl_status_t file_at(struct place *place, enum file_kind kind, struct file **found)
{
    struct file **bucket = bucket_of(place->mount, place->node);
    struct file *file = *bucket;
    while (file != NULL && !place_equals(place_of_file(file), *place)) {
        file = file->next;
    }
    if (file != NULL) {
        file->references++;
        place_release(place);
        *found = file;
        return FTL_OK;
    }
    file = calloc(1, sizeof(*file));
    if (file == NULL) {
        place_release(place);
        return FTL_ERR_NO_MEMORY;
    }
    *file = (struct file){
        .next = *bucket,
        .mount = place->mount,
        .node = place->node,
        .is_held = place->is_held,
        .kind = kind,
        .references = 1,
    };
    *bucket = file;
    file->mount->files++;
    *place = (struct place){ .mount = NULL };
    *found = file;
    return FTL_OK;
}

void file_hold(struct file *file)
{
    file->references++;
}

void file_release(struct file *file)
{
    struct place place = place_of_file(file);
    struct file **link = bucket_of(file->mount, file->node);
    if (--file->references != 0) {
        return;
    }
    while (*link != file) {
        link = &(*link)->next;
    }
    *link = file->next;
    file->mount->files--;
    place.is_held = file->is_held;
    locks_free(file);
    free(file);
    place_release(&place);
}
