/* Which file systems there are: see policy.h. */
#include "policy.h"

#include <stdio.h>
#include <string.h>

#include "points.h"

static struct {
    struct policy is;
    struct file_system *points; /* the root's */
} policy;

/* ---- Sources ---- */

static bool is_mounted(const char *source)
{
    for (const struct mount *mount = tree_mounts(); mount != NULL; mount = mount->next) {
        if (strcmp(mount->source, source) == 0) {
            return true;
        }
    }
    return false;
}

static ftl_status_t open_archive(struct file_system **file_system, const char **problem)
{
    if (policy.is.image == NULL) {
        return FTL_ERR_NOT_FOUND;
    }
    return archive_mount(policy.is.image, policy.is.image_size, file_system, problem);
}

/* Makes the file system of a source. `*problem`: what is wrong with it, if more is known. */
static ftl_status_t open_source(const char *source, bool read_only,
                                struct file_system **file_system, const char **problem)
{
    (void)read_only;
    if (is_mounted(source)) {
        return FTL_ERR_EXISTS;
    }
    if (strcmp(source, "boot") == 0) {
        return open_archive(file_system, problem);
    }
    return FTL_ERR_NOT_FOUND;
}

static void report(const char *source, ftl_status_t status, const char *problem)
{
    fprintf(stderr, "files: %s: %s%s%s\n", source, ftl_strerror(status),
            problem != NULL ? ": " : "", problem != NULL ? problem : "");
}

/* ---- Mounting ---- */

/* Follows a path from the root to a directory, which is made if it is to be right below it. */
static ftl_status_t find_point(const char *path, struct file **point)
{
    struct place root = place_of_root(tree_root());
    struct walk walk;
    ftl_status_t status = walk_start(&walk, root, root, path, true);
    if (status == FTL_OK && walk.found.mount == NULL) {
        status = place_equals(walk.directory, root) ? points_add(policy.points, walk.name)
                                                    : FTL_ERR_NOT_FOUND;
        walk_end(&walk);
        if (status == FTL_OK) {
            status = walk_to(&walk, root, root, path, true);
        }
    }
    if (status != FTL_OK) {
        return status;
    }
    enum file_kind kind = (enum file_kind)walk.attributes.kind;
    status =
        kind == FILE_KIND_DIRECTORY ? file_at(&walk.found, kind, point) : FTL_ERR_NOT_DIRECTORY;
    walk_end(&walk);
    return status;
}

/* Forgets a directory right below the root on which nothing is mounted any more; takes it over. */
static void release_point(struct file *point)
{
    struct mount *mount = point->mount;
    node_t node = point->node;
    file_release(point);
    if (mount == tree_root() && node != mount->root) {
        points_remove(policy.points, node);
    }
}

ftl_status_t policy_mount(const char *source, const char *path, bool read_only)
{
    struct file_system *file_system;
    struct file *point;
    struct mount *mount;
    const char *problem = NULL;
    ftl_status_t status = find_point(path, &point);
    if (status != FTL_OK) {
        return status;
    }
    if (point->node == point->mount->root) {
        file_release(point);
        return FTL_ERR_BAD_STATE;
    }
    status = open_source(source, read_only, &file_system, &problem);
    if (status != FTL_OK) {
        if (problem != NULL) {
            report(source, status, problem);
        }
        release_point(point);
        return status;
    }
    status = tree_mount(file_system, source, point, &mount);
    if (status != FTL_OK) {
        file_system->operations->unmount(file_system);
        release_point(point);
        return status;
    }
    file_release(point);
    return FTL_OK;
}

ftl_status_t policy_unmount(const char *path)
{
    struct place root = place_of_root(tree_root());
    struct walk walk;
    ftl_status_t status = walk_to(&walk, root, root, path, true);
    if (status != FTL_OK) {
        return status;
    }
    struct mount *mount = walk.found.mount;
    bool is_root = walk.found.node == mount->root;
    walk_end(&walk);
    if (!is_root) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    struct file *point = mount->point;
    if (point == NULL) {
        return FTL_ERR_BAD_STATE;
    }
    file_hold(point);
    status = tree_unmount(mount);
    if (status == FTL_ERR_BAD_STATE) {
        file_release(point);
    } else {
        release_point(point);
    }
    return status;
}

ftl_status_t policy_start(const struct policy *asked)
{
    struct mount *mount;
    policy.is = *asked;
    ftl_status_t status = points_mount(&policy.points);
    if (status == FTL_OK) {
        status = tree_mount(policy.points, "", NULL, &mount);
    }
    if (status != FTL_OK) {
        return status;
    }
    if (policy.is.image != NULL) {
        status = policy_mount("boot", "/boot", true);
        if (status != FTL_OK) {
            report("boot", status, NULL);
        }
    }
    return FTL_OK;
}
