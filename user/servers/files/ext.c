/*
 * ext2, ext3 and ext4 file systems for the file server (backend.h): mounting, and what each
 * operation does with nodes, directories and contents. Each changes things within one transaction,
 * so that after a loss of power it has happened or not; a long write or cut may have happened in
 * part.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ext.h"

#define LINKS_MAX      65000
#define READ_AHEAD     32 /* blocks */
#define DEPTH_MAX      65536
#define PERMISSIONS    07777u
#define LARGE_FILE_MIN UINT64_C(0x80000000)
/* A small file system has as many bytes for each inode. */
#define FORMAT_INODE_RATIO 8192
#define FORMAT_SMALL_DISK  (UINT64_C(8) << 20)

static struct ext *ext_of(struct file_system *file_system)
{
    return (struct ext *)file_system;
}

static ftl_status_t get_directory(struct ext *ext, node_t number, struct node **node)
{
    ftl_status_t status = node_get(ext, (uint32_t)number, node);
    if (status == FTL_OK && !node_is(*node, LINUX_S_IFDIR)) {
        node_release(ext, *node);
        status = FTL_ERR_NOT_DIRECTORY;
    }
    return status;
}

/* To put something in. */
static ftl_status_t get_target_directory(struct ext *ext, node_t number, const char *name,
                                         struct node **node)
{
    uint32_t found;
    ftl_status_t status = get_directory(ext, number, node);
    if (status != FTL_OK) {
        return status;
    }
    if ((*node)->inode.i_links_count == 0) {
        status = FTL_ERR_NOT_FOUND; /* it has been removed */
    } else {
        status = directory_find(ext, *node, name, &found);
        status = status == FTL_OK ? FTL_ERR_EXISTS : status;
    }
    if (status == FTL_ERR_NOT_FOUND && (*node)->inode.i_links_count > 0) {
        return FTL_OK;
    }
    node_release(ext, *node);
    return status;
}

/* Nodes. */

static node_t ext_root(struct file_system *self)
{
    (void)self;
    return EXT2_ROOT_INO;
}

static void ext_release(struct file_system *self, node_t number)
{
    struct ext *ext = ext_of(self);
    struct node *node;
    if (node_get(ext, (uint32_t)number, &node) != FTL_OK) {
        return;
    }
    if (node->holds == 2 && node->inode.i_links_count == 0) {
        (void)transaction_begin(ext,
                                0); /* it is about to be freed; if not now, at the next mount */
    }
    node_release(ext, node);
    node_release(ext, node);
}

static ftl_status_t ext_look_up(struct file_system *self, node_t number, const char *name,
                                node_t *found)
{
    struct ext *ext = ext_of(self);
    struct node *directory, *node;
    uint32_t child;
    ftl_status_t status = get_directory(ext, number, &directory);
    if (status != FTL_OK) {
        return status;
    }
    status = directory_find(ext, directory, name, &child);
    node_release(ext, directory);
    if (status == FTL_OK) {
        status = node_get(ext, child, &node);
        *found = child;
    }
    return status;
}

static ftl_status_t ext_parent(struct file_system *self, node_t number, node_t *found)
{
    struct ext *ext = ext_of(self);
    struct node *directory, *node;
    uint32_t parent;
    ftl_status_t status = get_directory(ext, number, &directory);
    if (status != FTL_OK) {
        return status;
    }
    status = directory->inode.i_links_count == 0 ? FTL_ERR_NOT_FOUND
                                                 : directory_parent(ext, directory, &parent);
    node_release(ext, directory);
    if (status == FTL_OK) {
        status = get_directory(ext, parent, &node);
        *found = parent;
    }
    return status;
}

static enum file_kind kind_of(const struct node *node)
{
    switch (node->inode.i_mode & LINUX_S_IFMT) {
    case LINUX_S_IFREG: return FILE_KIND_REGULAR;
    case LINUX_S_IFDIR: return FILE_KIND_DIRECTORY;
    case LINUX_S_IFLNK: return FILE_KIND_SYMBOLIC_LINK;
    default: return FILE_KIND_OTHER;
    }
}

static ftl_status_t ext_attributes(struct file_system *self, node_t number,
                                   struct file_attributes *attributes)
{
    struct ext *ext = ext_of(self);
    struct node *node;
    ftl_status_t status = node_get(ext, (uint32_t)number, &node);
    if (status != FTL_OK) {
        return status;
    }
    *attributes = (struct file_attributes){
        .number = number,
        .size = node_size(node),
        .blocks = ext2fs_get_stat_i_blocks(ext->fs, node_inode(node)),
        .accessed = node_time(ext, node, TIME_ACCESSED),
        .modified = node_time(ext, node, TIME_MODIFIED),
        .changed = node_time(ext, node, TIME_CHANGED),
        .links = node->inode.i_links_count,
        .mode = node->inode.i_mode & PERMISSIONS,
        .user = inode_uid(node->inode),
        .group = inode_gid(node->inode),
        .block_size = ext->cache.block_size,
        .kind = (uint8_t)kind_of(node),
    };
    node_release(ext, node);
    return FTL_OK;
}

static ftl_status_t ext_set_attributes(struct file_system *self, node_t number, uint32_t fields,
                                       const struct file_attributes *attributes)
{
    struct ext *ext = ext_of(self);
    struct node *node;
    ftl_status_t status = transaction_begin(ext, 0);
    status = status == FTL_OK ? node_get(ext, (uint32_t)number, &node) : status;
    if (status != FTL_OK) {
        return status;
    }
    struct ext2_inode_large *inode = &node->inode;
    if (fields & FILE_FIELDS_MODE) {
        inode->i_mode =
            (uint16_t)((inode->i_mode & ~PERMISSIONS) | (attributes->mode & PERMISSIONS));
    }
    if (fields & FILE_FIELDS_OWNER) {
        inode->i_uid = (uint16_t)attributes->user;
        inode->osd2.linux2.l_i_uid_high = (uint16_t)(attributes->user >> 16);
        inode->i_gid = (uint16_t)attributes->group;
        inode->osd2.linux2.l_i_gid_high = (uint16_t)(attributes->group >> 16);
    }
    if (fields & FILE_FIELDS_ACCESSED) {
        node_set_time(ext, node, TIME_ACCESSED, attributes->accessed);
    }
    if (fields & FILE_FIELDS_MODIFIED) {
        node_set_time(ext, node, TIME_MODIFIED, attributes->modified);
    }
    if (fields & FILE_FIELDS_ACCESSED_NOW) {
        node_touch(ext, node, TIME_ACCESSED);
    }
    if (fields & FILE_FIELDS_MODIFIED_NOW) {
        node_touch(ext, node, TIME_MODIFIED);
    }
    node_touch(ext, node, TIME_CHANGED);
    node_release(ext, node);
    return FTL_OK;
}

static ftl_status_t ext_list(struct file_system *self, node_t number, uint64_t cursor,
                             entry_visitor_t visit, void *context)
{
    struct ext *ext = ext_of(self);
    struct node *directory;
    ftl_status_t status = get_directory(ext, number, &directory);
    if (status != FTL_OK) {
        return status;
    }
    if (directory->inode.i_links_count > 0) { /* a removed one has nothing */
        status = directory_list(ext, directory, cursor, visit, context);
    }
    node_release(ext, directory);
    return status;
}

/* Contents. */

static ftl_status_t get_regular(struct ext *ext, node_t number, struct node **node)
{
    ftl_status_t status = node_get(ext, (uint32_t)number, node);
    if (status == FTL_OK && !node_is(*node, LINUX_S_IFREG)) {
        status = node_is(*node, LINUX_S_IFDIR) ? FTL_ERR_IS_DIRECTORY : FTL_ERR_INVALID_ARGUMENT;
        node_release(ext, *node);
    }
    return status;
}

/* What lies in one block. */
static ftl_status_t read_piece(struct ext *ext, struct node *node, uint64_t offset, char *data,
                               size_t size, bool is_sequential)
{
    struct run run;
    struct block *block;
    ftl_status_t status = map_look_up(ext, node, offset >> ext->cache.block_shift, &run);
    if (status != FTL_OK) {
        return status;
    }
    if (run.physical == 0 || run.is_unwritten) {
        memset(data, 0, size);
        return FTL_OK;
    }
    uint64_t ahead = is_sequential && run.count > READ_AHEAD ? READ_AHEAD : run.count;
    status = cache_get(&ext->cache, run.physical, is_sequential ? ahead : 1, &block);
    if (status == FTL_OK) {
        memcpy(data, block->data + (offset & (ext->cache.block_size - 1)), size);
    }
    return status;
}

/* The part of a transfer that lies in the block of its start. */
static size_t piece_at(const struct ext *ext, uint64_t offset, size_t left)
{
    size_t piece = ext->cache.block_size - (offset & (ext->cache.block_size - 1));
    return piece < left ? piece : left;
}

static ftl_status_t ext_read(struct file_system *self, node_t number, uint64_t offset, void *data,
                             size_t *size)
{
    struct ext *ext = ext_of(self);
    struct node *node;
    size_t done = 0, wanted = *size;
    *size = 0;
    ftl_status_t status = get_regular(ext, number, &node);
    if (status != FTL_OK) {
        return status;
    }
    uint64_t end = node_size(node);
    if (offset >= end) {
        wanted = 0;
    } else if (wanted > end - offset) {
        wanted = (size_t)(end - offset);
    }
    bool is_sequential = offset == node->next_offset || wanted > ext->cache.block_size;
    while (done < wanted) {
        size_t piece = piece_at(ext, offset + done, wanted - done);
        status = read_piece(ext, node, offset + done, (char *)data + done, piece, is_sequential);
        if (status != FTL_OK) {
            break;
        }
        done += piece;
    }
    node->next_offset = offset + done;
    /* Once after each change, as `relatime` of Linux. */
    if (node->inode.i_atime < node->inode.i_mtime && !self->is_read_only) {
        node_touch(ext, node, TIME_ACCESSED);
    }
    node_release(ext, node);
    *size = done;
    return done > 0 ? FTL_OK : status;
}

static ftl_status_t write_piece(struct ext *ext, struct node *node, uint64_t offset,
                                const char *data, size_t size, uint64_t blocks)
{
    struct run run;
    struct block *block;
    uint64_t logical = offset >> ext->cache.block_shift;
    size_t within = offset & (ext->cache.block_size - 1);
    bool is_whole = size == ext->cache.block_size;
    ftl_status_t status = map_look_up(ext, node, logical, &run);
    if (status != FTL_OK) {
        return status;
    }
    bool is_new = run.physical == 0 || run.is_unwritten;
    if (is_new) {
        status = map_allocate(ext, node, logical, blocks, &run);
        node->fresh_end = status == FTL_OK ? logical + run.count : 0;
    }
    /* Blocks of a run that was just allocated come one after the other. */
    is_new = is_new || logical < node->fresh_end;
    if (status == FTL_OK) {
        status = is_new || is_whole ? cache_get_fresh(&ext->cache, run.physical, &block)
                                    : cache_get(&ext->cache, run.physical, 1, &block);
    }
    if (status != FTL_OK) {
        return status;
    }
    if (is_new && !is_whole) {
        memset(block->data, 0, within);
        memset(block->data + within + size, 0, ext->cache.block_size - within - size);
    }
    memcpy(block->data + within, data, size);
    cache_changed_data(&ext->cache, block);
    return FTL_OK;
}

/* Sizes from 2 GiB on are a feature. */
static ftl_status_t allow_size(struct ext *ext, uint64_t size)
{
    if (size >= LARGE_FILE_MIN && !ext2fs_has_feature_large_file(ext->fs->super)) {
        if (ext->fs->super->s_rev_level == EXT2_GOOD_OLD_REV) {
            return FTL_ERR_TOO_LARGE;
        }
        ext2fs_set_feature_large_file(ext->fs->super);
        ext->super_is_dirty = true;
    }
    return FTL_OK;
}

static ftl_status_t write_all(struct ext *ext, struct node *node, uint64_t offset, const char *data,
                              size_t size, size_t *done)
{
    ftl_status_t status = FTL_OK;
    node->fresh_end = 0;
    while (*done < size && status == FTL_OK) {
        uint64_t at = offset + *done;
        size_t piece = piece_at(ext, at, size - *done);
        uint64_t blocks = ((at + (size - *done) - 1) >> ext->cache.block_shift) -
                          (at >> ext->cache.block_shift) + 1;
        status = write_piece(ext, node, at, data + *done, piece, blocks);
        if (status == FTL_OK) {
            *done += piece;
        }
    }
    return status;
}

/*
 * After an error: blocks that were allocated, but not written, would read as what was there before.
 */
static void drop_fresh(struct ext *ext, struct node *node, uint64_t end)
{
    uint64_t size = node_size(node) > end ? node_size(node) : end;
    uint64_t kept = (size + ext->cache.block_size - 1) >> ext->cache.block_shift;
    uint64_t logical = end >> ext->cache.block_shift;
    struct block *block;
    struct run run;
    if (node->fresh_end > kept) {
        (void)map_cut(ext, node, kept, node->fresh_end);
    }
    for (; logical < node->fresh_end && logical < kept; logical++) {
        if (map_look_up(ext, node, logical, &run) == FTL_OK && run.physical != 0 &&
            cache_get_fresh(&ext->cache, run.physical, &block) == FTL_OK) {
            memset(block->data, 0, ext->cache.block_size);
            cache_changed_data(&ext->cache, block);
        }
    }
}

static ftl_status_t ext_write(struct file_system *self, node_t number, uint64_t offset,
                              const void *data, size_t *size)
{
    struct ext *ext = ext_of(self);
    struct node *node;
    size_t done = 0, wanted = *size;
    *size = 0;
    ftl_status_t status = transaction_begin(ext, (wanted >> ext->cache.block_shift) + 2);
    status = status == FTL_OK ? get_regular(ext, number, &node) : status;
    if (status != FTL_OK) {
        return status;
    }
    uint64_t max = map_size_max(ext, node);
    if (offset >= max) {
        status = wanted > 0 ? FTL_ERR_TOO_LARGE : FTL_OK;
        wanted = 0;
    } else if (wanted > max - offset) {
        wanted = (size_t)(max - offset);
    }
    if (status == FTL_OK && wanted > 0) {
        status = allow_size(ext, offset + wanted);
    }
    if (status == FTL_OK && wanted > 0) {
        status = write_all(ext, node, offset, data, wanted, &done);
        if (status != FTL_OK) {
            drop_fresh(ext, node, offset + done);
        }
    }
    if (done > 0) {
        if (offset + done > node_size(node)) {
            node_set_size(node, offset + done);
        }
        node_touch(ext, node, TIME_MODIFIED | TIME_CHANGED);
    }
    node_release(ext, node);
    *size = done;
    return done > 0 ? FTL_OK : status;
}

static ftl_status_t ext_truncate(struct file_system *self, node_t number, uint64_t size)
{
    struct ext *ext = ext_of(self);
    struct node *node;
    ftl_status_t status = transaction_begin(ext, 1);
    status = status == FTL_OK ? get_regular(ext, number, &node) : status;
    if (status != FTL_OK) {
        return status;
    }
    status = allow_size(ext, size);
    status = status == FTL_OK ? node_truncate(ext, node, size) : status;
    node_release(ext, node);
    return status;
}

static ftl_status_t ext_seek(struct file_system *self, node_t number, bool hole, uint64_t *offset)
{
    struct ext *ext = ext_of(self);
    struct node *node;
    struct run run;
    ftl_status_t status = get_regular(ext, number, &node);
    if (status != FTL_OK) {
        return status;
    }
    uint64_t end = node_size(node), at = *offset;
    status = at >= end ? FTL_ERR_OUT_OF_RANGE : FTL_OK;
    while (status == FTL_OK && at < end) {
        status = map_look_up(ext, node, at >> ext->cache.block_shift, &run);
        if (status != FTL_OK || hole == (run.physical == 0 || run.is_unwritten)) {
            break;
        }
        uint64_t next = run.logical + run.count;
        at =
            next >= end >> ext->cache.block_shift
                ? next > UINT64_MAX >> ext->cache.block_shift ? end : next << ext->cache.block_shift
                : next << ext->cache.block_shift;
    }
    if (status == FTL_OK && at >= end) {
        at = end; /* where there is a hole, as it were */
        status = hole ? FTL_OK : FTL_ERR_OUT_OF_RANGE;
    }
    node_release(ext, node);
    *offset = status == FTL_OK ? at : *offset;
    return status;
}

/* Names. */

/* Makes a node with its first name; it is held. */
static ftl_status_t make_node(struct ext *ext, node_t number, const char *name, uint32_t mode,
                              const char *target, struct node **node);

/* The contents of a new symbolic link, in the inode when they fit. */
static ftl_status_t write_target(struct ext *ext, struct node *node, const char *target)
{
    size_t length = strlen(target);
    struct block *block;
    struct run run;
    if (length < sizeof(node->inode.i_block)) {
        memcpy(node->inode.i_block, target, length);
        node_set_size(node, length);
        return FTL_OK;
    }
    if (length >= ext->cache.block_size) {
        return FTL_ERR_NAME_TOO_LONG;
    }
    if (ext2fs_has_feature_extents(ext->fs->super)) {
        node_use_extents(node);
    }
    ftl_status_t status = map_allocate(ext, node, 0, 1, &run);
    status = status == FTL_OK ? cache_get_fresh(&ext->cache, run.physical, &block) : status;
    if (status == FTL_OK) {
        memset(block->data, 0, ext->cache.block_size);
        memcpy(block->data, target, length);
        cache_changed(&ext->cache, block);
        node_set_size(node, length);
    }
    return status;
}

static ftl_status_t make_node(struct ext *ext, node_t number, const char *name, uint32_t mode,
                              const char *target, struct node **node)
{
    struct node *directory;
    ftl_status_t status = transaction_begin(ext, 4);
    status = status == FTL_OK ? get_target_directory(ext, number, name, &directory) : status;
    if (status != FTL_OK) {
        return status;
    }
    status = node_create(ext, directory, mode, node);
    if (status == FTL_OK) {
        if (target != NULL) {
            status = write_target(ext, *node, target);
        } else if (node_is(*node, LINUX_S_IFDIR)) {
            status = directory_make(ext, *node, directory->number);
            (*node)->inode.i_links_count = 2;
        }
        status = status == FTL_OK ? directory_add(ext, directory, name, *node) : status;
        if (status != FTL_OK) {
            (*node)->inode.i_links_count = 0;
            node_release(ext, *node);
        }
    }
    node_release(ext, directory);
    return status;
}

static ftl_status_t ext_create(struct file_system *self, node_t directory, const char *name,
                               uint32_t mode, node_t *number)
{
    struct node *node;
    ftl_status_t status =
        make_node(ext_of(self), directory, name, LINUX_S_IFREG | (mode & PERMISSIONS), NULL, &node);
    *number = status == FTL_OK ? node->number : 0;
    return status;
}

static ftl_status_t ext_make_link(struct file_system *self, node_t directory, const char *name,
                                  const char *target)
{
    struct node *node;
    ftl_status_t status =
        make_node(ext_of(self), directory, name, LINUX_S_IFLNK | 0777, target, &node);
    if (status == FTL_OK) {
        node_release(ext_of(self), node);
    }
    return status;
}

/* Subdirectories are counted, by their "..", up to where the format gives up counting. */
static ftl_status_t count_subdirectory(struct ext *ext, struct node *directory, int change)
{
    uint16_t *links = &directory->inode.i_links_count;
    if (*links == 1) {
        return FTL_OK; /* too many to be counted */
    }
    if (change > 0 && *links >= LINKS_MAX) {
        if (!ext2fs_has_feature_dir_nlink(ext->fs->super)) {
            return FTL_ERR_LIMIT;
        }
        *links = 1;
    } else if (change > 0 || *links > 2) {
        *links = (uint16_t)(*links + change);
    }
    node_changed(ext, directory);
    return FTL_OK;
}

static ftl_status_t ext_make_directory(struct file_system *self, node_t number, const char *name,
                                       uint32_t mode)
{
    struct ext *ext = ext_of(self);
    struct node *directory, *node;
    ftl_status_t status = get_directory(ext, number, &directory);
    if (status != FTL_OK) {
        return status;
    }
    if (directory->inode.i_links_count >= LINKS_MAX &&
        !ext2fs_has_feature_dir_nlink(ext->fs->super)) {
        status = FTL_ERR_LIMIT;
    }
    status = status == FTL_OK
                 ? make_node(ext, number, name, LINUX_S_IFDIR | (mode & PERMISSIONS), NULL, &node)
                 : status;
    if (status == FTL_OK) {
        (void)count_subdirectory(ext, directory, +1);
        node_release(ext, node);
    }
    node_release(ext, directory);
    return status;
}

static ftl_status_t ext_read_link(struct file_system *self, node_t number, char *target,
                                  size_t size)
{
    struct ext *ext = ext_of(self);
    struct node *node;
    struct block *block;
    struct run run;
    const char *text = NULL;
    ftl_status_t status = node_get(ext, (uint32_t)number, &node);
    if (status != FTL_OK) {
        return status;
    }
    uint64_t length = node_size(node);
    if (!node_is(node, LINUX_S_IFLNK)) {
        status = FTL_ERR_INVALID_ARGUMENT;
    } else if (ext2fs_is_fast_symlink(node_inode(node))) {
        text = (const char *)node->inode.i_block;
        status = length < sizeof(node->inode.i_block) ? FTL_OK : FTL_ERR_BAD_FORMAT;
    } else {
        status =
            length < ext->cache.block_size ? map_look_up(ext, node, 0, &run) : FTL_ERR_BAD_FORMAT;
        if (status == FTL_OK && (run.physical == 0 || run.is_unwritten)) {
            status = FTL_ERR_BAD_FORMAT;
        }
        status = status == FTL_OK ? cache_get(&ext->cache, run.physical, 1, &block) : status;
        text = status == FTL_OK ? block->data : NULL;
    }
    if (status == FTL_OK && size > 0) {
        size_t count = length < size - 1 ? (size_t)length : size - 1;
        memcpy(target, text, count);
        target[count] = '\0';
    }
    node_release(ext, node);
    return status;
}

static ftl_status_t ext_link(struct file_system *self, node_t number, node_t to, const char *name)
{
    struct ext *ext = ext_of(self);
    struct node *node, *directory;
    ftl_status_t status = transaction_begin(ext, 2);
    status = status == FTL_OK ? node_get(ext, (uint32_t)number, &node) : status;
    if (status != FTL_OK) {
        return status;
    }
    if (node_is(node, LINUX_S_IFDIR)) {
        status = FTL_ERR_IS_DIRECTORY;
    } else if (node->inode.i_links_count == 0) {
        status = FTL_ERR_NOT_FOUND;
    } else if (node->inode.i_links_count >= LINKS_MAX) {
        status = FTL_ERR_LIMIT;
    }
    status = status == FTL_OK ? get_target_directory(ext, to, name, &directory) : status;
    if (status == FTL_OK) {
        status = directory_add(ext, directory, name, node);
        if (status == FTL_OK) {
            node->inode.i_links_count++;
            node_touch(ext, node, TIME_CHANGED);
        }
        node_release(ext, directory);
    }
    node_release(ext, node);
    return status;
}

/* After its name has gone: one link less, and for a directory the parent's, too. */
static void unlink_node(struct ext *ext, struct node *directory, struct node *node)
{
    if (node_is(node, LINUX_S_IFDIR)) {
        (void)count_subdirectory(ext, directory, -1);
        node_unnamed(ext, node);
    } else if (node->inode.i_links_count > 1) {
        node->inode.i_links_count--;
        node_touch(ext, node, TIME_CHANGED);
    } else {
        node_unnamed(ext, node);
    }
}

/* Whether a node may be removed, or replaced, as a directory or as none. */
static ftl_status_t check_removable(struct ext *ext, struct node *node, bool is_directory)
{
    bool is_empty = true;
    if (node_is(node, LINUX_S_IFDIR) != is_directory) {
        return is_directory ? FTL_ERR_NOT_DIRECTORY : FTL_ERR_IS_DIRECTORY;
    }
    ftl_status_t status = is_directory ? directory_is_empty(ext, node, &is_empty) : FTL_OK;
    return status == FTL_OK && !is_empty ? FTL_ERR_NOT_EMPTY : status;
}

static ftl_status_t ext_remove(struct file_system *self, node_t number, const char *name,
                               bool is_directory)
{
    struct ext *ext = ext_of(self);
    struct node *directory, *node;
    uint32_t child;
    ftl_status_t status = transaction_begin(ext, 0);
    status = status == FTL_OK ? get_directory(ext, number, &directory) : status;
    if (status != FTL_OK) {
        return status;
    }
    status = directory_find(ext, directory, name, &child);
    status = status == FTL_OK ? node_get(ext, child, &node) : status;
    if (status == FTL_OK) {
        status = check_removable(ext, node, is_directory);
        status = status == FTL_OK ? directory_change(ext, directory, name, NULL) : status;
        if (status == FTL_OK) {
            unlink_node(ext, directory, node);
        }
        node_release(ext, node);
    }
    node_release(ext, directory);
    return status;
}

/* Whether a directory is another or lies below it. */
static ftl_status_t is_within(struct ext *ext, const struct node *directory, uint32_t number,
                              bool *is_within)
{
    struct node *node;
    uint32_t at = directory->number, parent;
    *is_within = false;
    for (unsigned int depth = 0; at != EXT2_ROOT_INO; depth++) {
        if (at == number) {
            *is_within = true;
            return FTL_OK;
        }
        ftl_status_t status =
            depth < DEPTH_MAX ? get_directory(ext, at, &node) : FTL_ERR_BAD_FORMAT;
        if (status != FTL_OK) {
            return status;
        }
        status = directory_parent(ext, node, &parent);
        node_release(ext, node);
        if (status != FTL_OK) {
            return status;
        }
        at = parent;
    }
    *is_within = number == EXT2_ROOT_INO;
    return FTL_OK;
}

/* One name, and what it may replace. */
struct move {
    struct node *from, *to;
    const char *from_name, *to_name;
    struct node *node, *old; /* old: NULL if nothing has the new name */
};

static ftl_status_t do_move(struct ext *ext, struct move *move)
{
    bool is_directory = node_is(move->node, LINUX_S_IFDIR), moves_up = move->from != move->to;
    uint16_t links = move->to->inode.i_links_count;
    /* Whatever may fail comes first. */
    if (is_directory && moves_up && move->old == NULL && links >= LINKS_MAX &&
        !ext2fs_has_feature_dir_nlink(ext->fs->super)) {
        return FTL_ERR_LIMIT;
    }
    ftl_status_t status = move->old != NULL
                              ? directory_change(ext, move->to, move->to_name, move->node)
                              : directory_add(ext, move->to, move->to_name, move->node);
    status = status == FTL_OK ? directory_change(ext, move->from, move->from_name, NULL) : status;
    if (status != FTL_OK) {
        return status;
    }
    if (move->old != NULL) {
        unlink_node(ext, move->to, move->old);
    }
    if (is_directory && moves_up) {
        status = directory_set_parent(ext, move->node, move->to->number);
        (void)count_subdirectory(ext, move->from, -1);
        (void)count_subdirectory(ext, move->to, +1);
    }
    node_touch(ext, move->node, TIME_CHANGED);
    return status;
}

static ftl_status_t check_move(struct ext *ext, struct move *move)
{
    bool is_directory = node_is(move->node, LINUX_S_IFDIR), is_inside = false;
    ftl_status_t status = FTL_OK;
    if (move->to->inode.i_links_count == 0) {
        return FTL_ERR_NOT_FOUND;
    }
    if (is_directory) {
        status = is_within(ext, move->to, move->node->number, &is_inside);
        if (status == FTL_OK && is_inside) {
            return FTL_ERR_INVALID_ARGUMENT;
        }
    }
    return status == FTL_OK && move->old != NULL ? check_removable(ext, move->old, is_directory)
                                                 : status;
}

/* Gets what both names lead to. */
static ftl_status_t get_move(struct ext *ext, struct move *move)
{
    uint32_t child;
    ftl_status_t status = directory_find(ext, move->from, move->from_name, &child);
    status = status == FTL_OK ? node_get(ext, child, &move->node) : status;
    if (status != FTL_OK) {
        return status;
    }
    status = directory_find(ext, move->to, move->to_name, &child);
    if (status == FTL_ERR_NOT_FOUND) {
        return FTL_OK;
    }
    return status == FTL_OK ? node_get(ext, child, &move->old) : status;
}

static ftl_status_t ext_rename(struct file_system *self, node_t from, const char *from_name,
                               node_t to, const char *to_name)
{
    struct ext *ext = ext_of(self);
    struct move move = { .from_name = from_name, .to_name = to_name };
    ftl_status_t status = transaction_begin(ext, 2);
    status = status == FTL_OK ? get_directory(ext, from, &move.from) : status;
    if (status != FTL_OK) {
        return status;
    }
    status = get_directory(ext, to, &move.to);
    if (status == FTL_OK) {
        status = get_move(ext, &move);
        if (status == FTL_OK && move.node != move.old) { /* else both names stay */
            status = check_move(ext, &move);
            status = status == FTL_OK ? do_move(ext, &move) : status;
        }
        if (move.old != NULL) {
            node_release(ext, move.old);
        }
        if (move.node != NULL) {
            node_release(ext, move.node);
        }
        node_release(ext, move.to);
    }
    node_release(ext, move.from);
    return status;
}

/* The whole. */

static ftl_status_t ext_sync(struct file_system *self)
{
    return transaction_commit(ext_of(self));
}

static ftl_status_t ext_sync_node(struct file_system *self, node_t node)
{
    (void)node; /* a transaction is whole */
    return transaction_commit(ext_of(self));
}

static void ext_idle(struct file_system *self)
{
    struct ext *ext = ext_of(self);
    if (!self->is_read_only && transaction_commit(ext) == FTL_OK) {
        (void)transaction_checkpoint(ext);
    }
}

static void ext_usage(struct file_system *self, struct file_system_usage *usage)
{
    const struct ext *ext = ext_of(self);
    struct ext2_super_block *super = ext->fs->super;
    *usage = (struct file_system_usage){
        .block_size = ext->cache.block_size,
        .name_max = EXT2_NAME_LEN,
        .blocks = ext2fs_blocks_count(super),
        .free_blocks = ext2fs_free_blocks_count(super),
        .files = super->s_inodes_count,
        .free_files = super->s_free_inodes_count,
    };
    memcpy(&usage->identity, super->s_uuid, sizeof(usage->identity));
}

/* Frees all but the disk. */
static void destroy(struct ext *ext)
{
    node_free_all(ext);
    journal_free(ext);
    space_close(ext);
    if (ext->fs != NULL) {
        ext2fs_free(ext->fs);
    }
    cache_destroy(&ext->cache);
    free(ext);
}

static ftl_status_t ext_unmount(struct file_system *self)
{
    struct ext *ext = ext_of(self);
    struct disk *disk = ext->disk;
    ftl_status_t status = ext->is_aborted ? FTL_ERR_IO : FTL_OK;
    if (!self->is_read_only) {
        status = transaction_commit(ext);
        status = status == FTL_OK ? transaction_checkpoint(ext) : status;
        if (status == FTL_OK && ext->journal != NULL) {
            status = journal_close(ext);
        }
        if (status == FTL_OK && ext->is_marked) {
            status = super_write_now(ext, false);
        }
    }
    destroy(ext);
    disk->operations->close(disk);
    return status;
}

static const struct file_system_operations ext_operations = {
    .type = "ext4",
    .root = ext_root,
    .release = ext_release,
    .look_up = ext_look_up,
    .parent = ext_parent,
    .attributes = ext_attributes,
    .set_attributes = ext_set_attributes,
    .list = ext_list,
    .read = ext_read,
    .write = ext_write,
    .truncate = ext_truncate,
    .seek = ext_seek,
    .create = ext_create,
    .make_directory = ext_make_directory,
    .make_link = ext_make_link,
    .read_link = ext_read_link,
    .link = ext_link,
    .remove = ext_remove,
    .rename = ext_rename,
    .sync_node = ext_sync_node,
    .sync = ext_sync,
    .idle = ext_idle,
    .usage = ext_usage,
    .unmount = ext_unmount,
};

/* Features of others: with these we can read, and with these write. */
#define INCOMPATIBLE_KNOWN                                                                         \
    (EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_RECOVER |                              \
     EXT2_FEATURE_INCOMPAT_META_BG | EXT3_FEATURE_INCOMPAT_EXTENTS | EXT4_FEATURE_INCOMPAT_64BIT | \
     EXT4_FEATURE_INCOMPAT_FLEX_BG | EXT4_FEATURE_INCOMPAT_CSUM_SEED |                             \
     EXT4_FEATURE_INCOMPAT_LARGEDIR)
#define WRITABLE_KNOWN                                                                             \
    (EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE |                     \
     EXT4_FEATURE_RO_COMPAT_HUGE_FILE | EXT4_FEATURE_RO_COMPAT_GDT_CSUM |                          \
     EXT4_FEATURE_RO_COMPAT_DIR_NLINK | EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE |                       \
     EXT4_FEATURE_RO_COMPAT_METADATA_CSUM)

static uint32_t block_size_of(const struct ext2_super_block *super)
{
    return (uint32_t)EXT2_MIN_BLOCK_SIZE << super->s_log_block_size;
}

static ftl_status_t check_super(const struct disk *disk, const struct ext2_super_block *super,
                                const char **problem)
{
    *problem = "it is no ext2, ext3 or ext4 file system";
    if (super->s_magic != EXT2_SUPER_MAGIC) {
        return FTL_ERR_BAD_FORMAT;
    }
    *problem = "it has features that are not known here";
    if (super->s_rev_level > EXT2_DYNAMIC_REV ||
        (super->s_feature_incompat & ~(uint32_t)INCOMPATIBLE_KNOWN) != 0) {
        return FTL_ERR_BAD_FORMAT;
    }
    *problem = "its superblock is damaged: e2fsck may help";
    if (super->s_log_block_size > EXT2_MAX_BLOCK_LOG_SIZE - EXT2_MIN_BLOCK_LOG_SIZE ||
        block_size_of(super) < disk->sector_size) {
        return FTL_ERR_BAD_FORMAT;
    }
    uint64_t blocks = ext2fs_blocks_count((struct ext2_super_block *)super);
    if (blocks > disk->sectors / (block_size_of(super) / disk->sector_size)) {
        *problem = "it is larger than its disk";
        return FTL_ERR_BAD_FORMAT;
    }
    return FTL_OK;
}

/* The superblock, before there is a cache for blocks whose size it says. */
static ftl_status_t read_super(struct disk *disk, struct ext2_super_block *super)
{
    uint32_t size =
        2 * SUPERBLOCK_SIZE < disk->sector_size ? disk->sector_size : 2 * SUPERBLOCK_SIZE;
    char *data = malloc(size);
    if (data == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    ftl_status_t status = FTL_ERR_BAD_FORMAT;
    if (size / disk->sector_size <= disk->sectors) {
        status = disk->operations->read(disk, 0, size / disk->sector_size, data);
    }
    memcpy(super, data + SUPERBLOCK_OFFSET, sizeof(*super));
    free(data);
    return status;
}

static ftl_status_t open_library(struct ext *ext)
{
    char name[EXT_NAME_SIZE];
    ext_io_name(ext, name);
    if (ext->fs != NULL) {
        ext2fs_free(ext->fs);
        ext->fs = NULL;
    }
    int flags = EXT2_FLAG_64BITS | EXT2_FLAG_RW;
    errcode_t error = ext2fs_open2(name, NULL, flags, 0, 0, &ext_io_manager, &ext->fs);
    ftl_status_t status = ext_status(error);
    if (status != FTL_OK) {
        ext->fs = NULL;
        return status;
    }
    ext->fs->default_bitmap_type = EXT2FS_BMAP64_RBTREE;
    for (dgrp_t group = 0; group < ext->fs->group_desc_count; group++) {
        if (!ext2fs_group_desc_csum_verify(ext->fs, group)) {
            return FTL_ERR_BAD_FORMAT;
        }
    }
    return ext_status(ext2fs_check_desc(ext->fs));
}

/* Why it can only be read, or NULL. */
static const char *why_read_only(const struct ext *ext)
{
    const struct ext2_super_block *super = ext->fs->super;
    if (ext->disk->is_read_only) {
        return "the disk is read-only";
    }
    if (super->s_feature_ro_compat & ~(uint32_t)WRITABLE_KNOWN) {
        return "it has features with which it can only be read here";
    }
    if (super->s_state & EXT2_ERROR_FS) {
        return "it has errors: e2fsck repairs them";
    }
    if (ext->journal == NULL && !(super->s_state & EXT2_VALID_FS)) {
        return "it was not unmounted, and has no journal: e2fsck repairs that";
    }
    return NULL;
}

static ftl_status_t open_journal(struct ext *ext, const char **problem)
{
    if (!ext2fs_has_feature_journal(ext->fs->super)) {
        return FTL_OK;
    }
    bool has_contents = ext2fs_has_feature_journal_needs_recovery(ext->fs->super);
    ftl_status_t status = journal_open(ext, problem);
    if (status == FTL_OK && has_contents) {
        *problem = "it is damaged: e2fsck may help";
        ext->is_marked = true;
        status = open_library(ext);
    }
    return status;
}

static ftl_status_t mount(struct ext *ext, bool read_only, const char **problem)
{
    struct ext2_super_block super;
    struct node *root;
    ftl_status_t status = read_super(ext->disk, &super);
    status = status == FTL_OK ? check_super(ext->disk, &super, problem) : status;
    if (status != FTL_OK) {
        return status;
    }
    *problem = "it is damaged: e2fsck may help";
    status =
        cache_create(&ext->cache, ext->disk, block_size_of(&super), ext2fs_blocks_count(&super));
    /* then nothing is written at all */
    ext->base.is_read_only = read_only || ext->disk->is_read_only;
    status = status == FTL_OK ? open_library(ext) : status;
    status = status == FTL_OK ? open_journal(ext, problem) : status;
    if (status != FTL_OK) {
        return status;
    }
    const char *reason = why_read_only(ext);
    ext->base.is_read_only = ext->base.is_read_only || reason != NULL;
    *problem = "it is damaged: e2fsck may help";
    if (!ext->base.is_read_only) {
        status = space_open(ext);
        status = status == FTL_OK ? node_free_orphans(ext) : status;
    }
    status = status == FTL_OK ? get_directory(ext, EXT2_ROOT_INO, &root) : status;
    if (status == FTL_ERR_NOT_DIRECTORY) {
        status = FTL_ERR_BAD_FORMAT;
    }
    if (status == FTL_OK) {
        *problem = reason;
    }
    return status;
}

static struct ext *make_ext(struct disk *disk)
{
    struct ext *ext = calloc(1, sizeof(*ext));
    if (ext != NULL) {
        ext->base.operations = &ext_operations;
        ext->disk = disk;
        links_init(&ext->idle_nodes);
        links_init(&ext->orphans);
        ext->nodes = calloc(NODE_TABLE, sizeof(struct node *));
        if (ext->nodes == NULL) {
            free(ext);
            ext = NULL;
        }
    }
    return ext;
}

ftl_status_t ext_mount(struct disk *disk, bool read_only, struct file_system **file_system,
                       const char **problem)
{
    struct ext *ext = make_ext(disk);
    *problem = NULL;
    if (ext == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    ftl_status_t status = mount(ext, read_only, problem);
    if (status != FTL_OK) {
        if (status != FTL_ERR_BAD_FORMAT) {
            *problem = NULL;
        }
        destroy(ext);
        return status;
    }
    *file_system = &ext->base;
    return FTL_OK;
}

/* Inode tables are to be zeros; a disk in memory need not be written for that. */
static ftl_status_t clear_blocks(struct ext *ext, uint64_t start, uint64_t count)
{
    ftl_status_t status = FTL_OK;
    for (uint64_t i = 0; i < count && status == FTL_OK; i++) {
        struct block *block;
        status = cache_get(&ext->cache, start + i, count - i, &block);
        if (status == FTL_OK && (block->data[0] != 0 || memcmp(block->data, block->data + 1,
                                                               ext->cache.block_size - 1) != 0)) {
            memset(block->data, 0, ext->cache.block_size);
            cache_changed_data(&ext->cache, block);
        }
    }
    return status;
}

static ftl_status_t make_root(struct ext *ext)
{
    ext2_filsys fs = ext->fs;
    ext2_ino_t number = EXT2_BAD_INO;
    ext2fs_inode_alloc_stats2(fs, EXT2_BAD_INO, +1, 0);
    errcode_t error = ext2fs_mkdir(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, NULL);
    for (number = EXT2_ROOT_INO + 1; number < EXT2_FIRST_INODE(fs->super); number++) {
        ext2fs_inode_alloc_stats2(fs, number, +1, 0);
    }
    if (error == 0) {
        error = ext2fs_mkdir(fs, EXT2_ROOT_INO, 0, "lost+found"); /* which e2fsck wants */
    }
    return ext_status(error);
}

/* By chance, or where there is no source of entropy by the time: one that no other has here. */
static void choose_uuid(uint8_t uuid[16])
{
    if (getentropy(uuid, 16) != 0) {
        struct timespec now = { 0 };
        clock_gettime(CLOCK_MONOTONIC, &now);
        memcpy(uuid, &now, sizeof(now));
    }
}

static ftl_status_t format(struct ext *ext)
{
    struct ext2_super_block super = { 0 };
    char name[EXT_NAME_SIZE];
    uint64_t bytes = ext->disk->sectors * ext->disk->sector_size;
    uint32_t log_size = bytes < FORMAT_SMALL_DISK && ext->disk->sector_size <= 1024 ? 0 : 2;
    super.s_log_block_size = super.s_log_cluster_size = log_size;
    super.s_rev_level = EXT2_DYNAMIC_REV;
    super.s_inode_size = 256;
    super.s_inodes_count = (uint32_t)(bytes / FORMAT_INODE_RATIO);
    ext2fs_blocks_count_set(&super, bytes >> (log_size + EXT2_MIN_BLOCK_LOG_SIZE));
    super.s_feature_incompat = EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_EXTENTS;
    super.s_feature_ro_compat =
        EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE |
        EXT4_FEATURE_RO_COMPAT_DIR_NLINK | EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE;
    ftl_status_t status =
        cache_create(&ext->cache, ext->disk, 1024u << log_size, ext2fs_blocks_count(&super));
    if (status != FTL_OK) {
        return status;
    }
    ext_io_name(ext, name);
    errcode_t error =
        ext2fs_initialize(name, EXT2_FLAG_64BITS | EXT2_FLAG_RW, &super, &ext_io_manager, &ext->fs);
    if (error != 0) {
        ext->fs = NULL;
        return ext_status(error);
    }
    ext2_filsys fs = ext->fs;
    choose_uuid(fs->super->s_uuid);
    fs->super->s_state = EXT2_VALID_FS;
    fs->super->s_want_extra_isize = fs->super->s_min_extra_isize =
        sizeof(struct ext2_inode_large) - EXT2_GOOD_OLD_INODE_SIZE;
    status = ext_status(ext2fs_allocate_tables(fs));
    for (uint32_t group = 0; status == FTL_OK && group < fs->group_desc_count; group++) {
        status = clear_blocks(ext, ext2fs_inode_table_loc(fs, group), fs->inode_blocks_per_group);
    }
    status = status == FTL_OK ? make_root(ext) : status;
    status = status == FTL_OK ? ext_status(ext2fs_flush(fs)) : status;
    status = status == FTL_OK ? cache_write(&ext->cache, BLOCK_DATA) : status;
    status = status == FTL_OK ? cache_write(&ext->cache, BLOCK_RUNNING) : status;
    return status == FTL_OK ? cache_disk_flush(&ext->cache) : status;
}

ftl_status_t ext_format(struct disk *disk)
{
    struct ext *ext = make_ext(disk);
    if (ext == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    ftl_status_t status = disk->is_read_only ? FTL_ERR_READ_ONLY : format(ext);
    destroy(ext);
    return status;
}
