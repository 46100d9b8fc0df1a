/* Which file systems there are: see policy.h. */
#include "policy.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "points.h"

#define SOURCE_SIZE 32u
#define DISKS_MAX   16u
#define MEMORY_SIZE (UINT64_C(32) << 20) /* of a file system in memory; taken as it is used */

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

/* Takes the disk. */
static ftl_status_t open_on_disk(struct disk *disk, bool read_only,
                                 struct file_system **file_system, const char **problem)
{
    ftl_status_t status = ext_mount(disk, read_only || disk->is_read_only, file_system, problem);
    if (status != FTL_OK) {
        disk->operations->close(disk);
    }
    return status;
}

static ftl_status_t open_memory(bool read_only, struct file_system **file_system,
                                const char **problem)
{
    struct disk *disk;
    ftl_status_t status = disk_in_memory(MEMORY_SIZE, &disk);
    if (status != FTL_OK) {
        return status;
    }
    status = ext_format(disk);
    if (status != FTL_OK) {
        disk->operations->close(disk);
        return status;
    }
    return open_on_disk(disk, read_only, file_system, problem);
}

/* The number of a disk that a source names: `block`, `block:1` ... */
static bool parse_block(const char *source, size_t *index)
{
    char *end;
    if (strcmp(source, "block") == 0) {
        *index = 0;
        return true;
    }
    if (strncmp(source, "block:", strlen("block:")) != 0 ||
        !isdigit((unsigned char)source[strlen("block:")])) {
        return false;
    }
    *index = strtoul(source + strlen("block:"), &end, 10);
    return *end == '\0' && *index < DISKS_MAX;
}

/* One name for each source. */
static void name_block(size_t index, char name[SOURCE_SIZE])
{
    if (index == 0) {
        strcpy(name, "block");
    } else {
        snprintf(name, SOURCE_SIZE, "block:%u", (unsigned)index);
    }
}

static ftl_status_t open_block(size_t index, bool read_only, struct file_system **file_system,
                               const char **problem)
{
    struct disk *disk;
    ftl_status_t status = policy.is.uses_disks ? disk_open(index, &disk) : FTL_ERR_NOT_FOUND;
    if (status != FTL_OK) {
        return status;
    }
    return open_on_disk(disk, read_only || policy.is.disks_are_read_only, file_system, problem);
}

/*
 * Makes the file system of a source, whose own name is put into `name`. `*problem`: what is wrong
 * with it, if more is known.
 */
static ftl_status_t open_source(const char *source, bool read_only, char name[SOURCE_SIZE],
                                struct file_system **file_system, const char **problem)
{
    size_t index;
    if (strcmp(source, "memory") == 0) {
        strcpy(name, source);
        return open_memory(read_only, file_system, problem);
    }
    if (strcmp(source, "boot") == 0) {
        strcpy(name, source);
        return is_mounted(name) ? FTL_ERR_EXISTS : open_archive(file_system, problem);
    }
    if (parse_block(source, &index)) {
        name_block(index, name);
        return is_mounted(name) ? FTL_ERR_EXISTS
                                : open_block(index, read_only, file_system, problem);
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
    char name[SOURCE_SIZE];
    const char *problem = NULL;
    ftl_status_t status = find_point(path, &point);
    if (status != FTL_OK) {
        return status;
    }
    if (point->node == point->mount->root) {
        file_release(point);
        return FTL_ERR_BAD_STATE;
    }
    status = open_source(source, read_only, name, &file_system, &problem);
    if (status != FTL_OK) {
        if (problem != NULL) {
            report(source, status, problem);
        }
        release_point(point);
        return status;
    }
    status = tree_mount(file_system, name, point, &mount);
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

/* The same at the start, where a failure is no reason not to go on. */
static ftl_status_t mount_from_start(const char *source, const char *path, bool read_only)
{
    ftl_status_t status = policy_mount(source, path, read_only);
    if (status != FTL_OK && status != FTL_ERR_NOT_FOUND && status != FTL_ERR_BAD_FORMAT) {
        report(source, status, NULL); /* what is malformed has been reported in words */
    }
    return status;
}

/* All disks with file systems that we know: /disk, /disk1, ... */
static void mount_disks(void)
{
    ftl_status_t status = FTL_OK;
    for (size_t i = 0; i < DISKS_MAX && status != FTL_ERR_NOT_FOUND; i++) {
        char source[SOURCE_SIZE];
        char path[SOURCE_SIZE] = "/disk";
        name_block(i, source);
        if (i != 0) {
            snprintf(path, sizeof(path), "/disk%u", (unsigned)i);
        }
        status = mount_from_start(source, path, false);
    }
}

ftl_status_t policy_start(const struct policy *asked)
{
    struct mount *mount;
    policy.is = *asked;
    ftl_status_t status = points_mount(&policy.points);
    if (status == FTL_OK) {
        status = tree_mount(policy.points, "root", NULL, &mount);
    }
    if (status != FTL_OK) {
        return status;
    }
    mount_from_start("boot", "/boot", true);
    mount_from_start("memory", "/tmp", false);
    mount_disks();
    return FTL_OK;
}
