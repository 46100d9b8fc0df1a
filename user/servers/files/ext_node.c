/*
 * Inodes in use. A node is in memory while the server holds it, and a while after that; its inode
 * is written to its block when the transaction is committed. What has lost its last name while it
 * was held is in the file system's list of orphans, so that it goes even if the power fails.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ext.h"

#define IDLE_NODES_MAX 1024
/* A file with more blocks is cut in several transactions. */
#define ORPHAN_BLOCKS 2048

static struct node **bucket(struct ext *ext, uint32_t number)
{
    return &ext->nodes[number % NODE_TABLE];
}

uint64_t node_size(const struct node *node)
{
    return (uint64_t)node->inode.i_size_high << 32 | node->inode.i_size;
}

void node_set_size(struct node *node, uint64_t size)
{
    node->inode.i_size = (uint32_t)size;
    node->inode.i_size_high = (uint32_t)(size >> 32);
}

void node_changed(struct ext *ext, struct node *node)
{
    if (!node->is_dirty) {
        node->is_dirty = true;
        node->dirty_next = ext->dirty_nodes;
        ext->dirty_nodes = node;
    }
}

ftl_status_t node_write(struct ext *ext, struct node *node)
{
    int size = EXT2_INODE_SIZE(ext->fs->super) < (int)sizeof(node->inode)
                   ? EXT2_GOOD_OLD_INODE_SIZE
                   : (int)sizeof(node->inode);
    return ext_status(ext2fs_write_inode_full(ext->fs, node->number, node_inode(node), size));
}

ftl_status_t node_write_all(struct ext *ext)
{
    while (ext->dirty_nodes != NULL) {
        struct node *node = ext->dirty_nodes;
        ftl_status_t status = node_write(ext, node);
        if (status != FTL_OK) {
            return status;
        }
        ext->dirty_nodes = node->dirty_next;
        node->is_dirty = false;
    }
    return FTL_OK;
}

static void drop(struct ext *ext, struct node *node)
{
    struct node **link = bucket(ext, node->number);
    while (*link != node) {
        link = &(*link)->chain;
    }
    *link = node->chain;
    directory_forget(ext, node);
    free(node);
}

static void make_idle(struct ext *ext, struct node *node)
{
    links_insert(&ext->idle_nodes, &node->links);
    ext->idle_count++;
    if (ext->idle_count <= IDLE_NODES_MAX) {
        return;
    }
    struct node *last = (struct node *)ext->idle_nodes.previous;
    if (last->is_dirty && node_write_all(ext) != FTL_OK) {
        return; /* it stays until it can be written */
    }
    links_remove(&last->links);
    ext->idle_count--;
    drop(ext, last);
}

static void hold(struct ext *ext, struct node *node)
{
    if (node->holds++ == 0) {
        links_remove(&node->links);
        ext->idle_count--;
    }
}

static struct node *enter(struct ext *ext, uint32_t number)
{
    struct node *node = calloc(1, sizeof(*node));
    if (node != NULL) {
        links_init(&node->links);
        node->number = number;
        node->holds = 1;
        node->chain = *bucket(ext, number);
        *bucket(ext, number) = node;
    }
    return node;
}

static bool has_old_inodes(const struct ext *ext)
{
    return EXT2_INODE_SIZE(ext->fs->super) <= EXT2_GOOD_OLD_INODE_SIZE;
}

static bool is_sound(const struct ext *ext, const struct node *node)
{
    return node->inode.i_links_count > 0 && node->inode.i_mode != 0 &&
           !(node->inode.i_flags & EXT4_INLINE_DATA_FL) &&
           (!node_is(node, LINUX_S_IFREG) || node_size(node) <= map_size_max(ext, node));
}

ftl_status_t node_get(struct ext *ext, uint32_t number, struct node **node)
{
    for (*node = *bucket(ext, number); *node != NULL; *node = (*node)->chain) {
        if ((*node)->number == number) {
            if ((*node)->holds == 0 && (*node)->inode.i_links_count == 0) {
                *node = NULL; /* it has gone, but a name leads to it */
                return FTL_ERR_BAD_FORMAT;
            }
            hold(ext, *node);
            return FTL_OK;
        }
    }
    if (number > ext->fs->super->s_inodes_count ||
        (number != EXT2_ROOT_INO && number < EXT2_FIRST_INODE(ext->fs->super))) {
        return FTL_ERR_BAD_FORMAT;
    }
    *node = enter(ext, number);
    if (*node == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    int size = has_old_inodes(ext) ? EXT2_GOOD_OLD_INODE_SIZE : (int)sizeof((*node)->inode);
    ftl_status_t status =
        ext_status(ext2fs_read_inode_full(ext->fs, number, node_inode(*node), size));
    if (status == FTL_OK && !is_sound(ext, *node)) {
        status = FTL_ERR_BAD_FORMAT;
    }
    if (status != FTL_OK) {
        drop(ext, *node);
        *node = NULL;
    }
    return status;
}

/* Times: seconds, of which extra bits count on beyond 2038, and nanoseconds where there is room. */

static bool has_extra(const struct ext *ext, const struct node *node, size_t end)
{
    return !has_old_inodes(ext) && EXT2_GOOD_OLD_INODE_SIZE + node->inode.i_extra_isize >= end;
}

#define EXTRA_END(field) (offsetof(struct ext2_inode_large, field) + sizeof(uint32_t))

ftl_nsec_t node_time(const struct ext *ext, const struct node *node, unsigned int which)
{
    const struct ext2_inode_large *inode = &node->inode;
    uint32_t seconds = inode->i_atime, extra = inode->i_atime_extra;
    size_t end = EXTRA_END(i_atime_extra);
    if (which == TIME_MODIFIED) {
        seconds = inode->i_mtime;
        extra = inode->i_mtime_extra;
        end = EXTRA_END(i_mtime_extra);
    } else if (which == TIME_CHANGED) {
        seconds = inode->i_ctime;
        extra = inode->i_ctime_extra;
        end = EXTRA_END(i_ctime_extra);
    }
    int64_t time = (int32_t)seconds;
    if (!has_extra(ext, node, end)) {
        return time * 1000000000;
    }
    time += (int64_t)(extra & EXT4_EPOCH_MASK) << 32;
    /*
     * Times are of 64 bits of nanoseconds, which end in 2262; what the format could say ends later.
     */
    if (time > INT64_MAX / 1000000000 - 1) {
        time = INT64_MAX / 1000000000 - 1;
    }
    return time * 1000000000 + (extra >> EXT4_EPOCH_BITS) % 1000000000;
}

void node_set_time(struct ext *ext, struct node *node, unsigned int times, ftl_nsec_t time)
{
    struct ext2_inode_large *inode = &node->inode;
    int64_t seconds = (int64_t)time / 1000000000, rest = (int64_t)time % 1000000000;
    if (rest < 0) {
        seconds--;
        rest += 1000000000;
    }
    uint32_t low = (uint32_t)seconds;
    uint32_t extra = (uint32_t)((seconds - (int32_t)low) >> 32) & EXT4_EPOCH_MASK;
    extra |= (uint32_t)rest << EXT4_EPOCH_BITS;
    if (times & TIME_ACCESSED) {
        inode->i_atime = low;
        if (has_extra(ext, node, EXTRA_END(i_atime_extra))) {
            inode->i_atime_extra = extra;
        }
    }
    if (times & TIME_MODIFIED) {
        inode->i_mtime = low;
        if (has_extra(ext, node, EXTRA_END(i_mtime_extra))) {
            inode->i_mtime_extra = extra;
        }
    }
    if (times & TIME_CHANGED) {
        inode->i_ctime = low;
        if (has_extra(ext, node, EXTRA_END(i_ctime_extra))) {
            inode->i_ctime_extra = extra;
        }
    }
    node_changed(ext, node);
}

void node_touch(struct ext *ext, struct node *node, unsigned int times)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    node_set_time(ext, node, times, (ftl_nsec_t)now.tv_sec * 1000000000 + now.tv_nsec);
}

void node_use_extents(struct node *node)
{
    struct ext2_inode_large *inode = &node->inode;
    struct ext3_extent_header *header = (struct ext3_extent_header *)inode->i_block;
    inode->i_flags |= EXT4_EXTENTS_FL;
    header->eh_magic = EXT3_EXT_MAGIC;
    header->eh_max = (sizeof(inode->i_block) - sizeof(*header)) / sizeof(struct ext3_extent);
}

static void init_inode(struct ext *ext, struct node *node, uint32_t mode)
{
    struct ext2_inode_large *inode = &node->inode;
    uint32_t type = mode & LINUX_S_IFMT;
    inode->i_mode = (uint16_t)mode;
    inode->i_links_count = 1;
    inode->i_generation = ext->fs->super->s_wtime * 2654435761u ^ node->number;
    if (!has_old_inodes(ext)) {
        inode->i_extra_isize = sizeof(*inode) - EXT2_GOOD_OLD_INODE_SIZE;
    }
    if (ext2fs_has_feature_extents(ext->fs->super) &&
        (type == LINUX_S_IFREG || type == LINUX_S_IFDIR)) {
        node_use_extents(node);
    }
    node_touch(ext, node, TIME_ACCESSED | TIME_MODIFIED | TIME_CHANGED);
    if (!has_old_inodes(ext)) {
        inode->i_crtime = inode->i_ctime;
        inode->i_crtime_extra = inode->i_ctime_extra;
    }
}

ftl_status_t node_create(struct ext *ext, struct node *directory, uint32_t mode, struct node **node)
{
    uint32_t number;
    ftl_status_t status = space_allocate_inode(ext, directory->number, mode, &number);
    if (status != FTL_OK) {
        return status;
    }
    for (*node = *bucket(ext, number); *node != NULL; *node = (*node)->chain) {
        if ((*node)->number == number) {
            return FTL_ERR_BAD_FORMAT; /* in use, but marked as free: so it stays marked as used */
        }
    }
    *node = enter(ext, number);
    if (*node != NULL) {
        init_inode(ext, *node, mode);
        /* Once as a whole: what was there before, behind what we know of, goes. */
        status = ext_status(ext2fs_write_new_inode(ext->fs, number, node_inode(*node)));
        if (status == FTL_OK) {
            return FTL_OK;
        }
        ext->dirty_nodes = (*node)->dirty_next; /* it has just become the first */
        drop(ext, *node);
    } else {
        status = FTL_ERR_NO_MEMORY;
    }
    space_free_inode(ext, number, (mode & LINUX_S_IFMT) == LINUX_S_IFDIR);
    return status;
}

/* Orphans: a list on the disk, from the superblock through i_dtime. The one in memory has the same
 * order. */

static void add_orphan(struct ext *ext, struct node *node)
{
    if (node->is_orphan) {
        return;
    }
    node->is_orphan = true;
    node->inode.i_dtime = ext->fs->super->s_last_orphan;
    ext->fs->super->s_last_orphan = node->number;
    ext->super_is_dirty = true;
    links_insert(&ext->orphans, &node->links);
    node_changed(ext, node);
}

static void remove_orphan(struct ext *ext, struct node *node)
{
    if (!node->is_orphan) {
        return;
    }
    if (node->links.previous == &ext->orphans) {
        ext->fs->super->s_last_orphan = node->inode.i_dtime;
        ext->super_is_dirty = true;
    } else {
        struct node *previous = (struct node *)node->links.previous;
        previous->inode.i_dtime = node->inode.i_dtime;
        node_changed(ext, previous);
    }
    node->inode.i_dtime = 0;
    node->is_orphan = false;
    links_remove(&node->links);
    node_changed(ext, node);
}

static uint64_t blocks_of(const struct ext *ext, uint64_t size)
{
    return (size + ext->cache.block_size - 1) >> ext->cache.block_shift;
}

static bool has_blocks(struct node *node)
{
    if (node_is(node, LINUX_S_IFLNK)) {
        return !ext2fs_is_fast_symlink(node_inode(node));
    }
    return node_is(node, LINUX_S_IFREG) || node_is(node, LINUX_S_IFDIR);
}

/* Nobody has it, neither by name nor by holding it: back to free space. */
static ftl_status_t free_node(struct ext *ext, struct node *node)
{
    ftl_status_t status = FTL_OK;
    if (has_blocks(node)) {
        if (ext2fs_get_stat_i_blocks(ext->fs, node_inode(node)) >> (ext->cache.block_shift - 9) >
            ORPHAN_BLOCKS) {
            add_orphan(ext, node);
        }
        status = map_cut(ext, node, 0, blocks_of(ext, node_size(node)));
    }
    if (status == FTL_OK && ext2fs_file_acl_block(ext->fs, node_inode(node)) != 0) {
        struct ext2_inode_large *inode = &node->inode;
        status = ext_status(ext2fs_free_ext_attr(ext->fs, node->number, inode));
    }
    if (status != FTL_OK) {
        add_orphan(ext, node); /* for e2fsck, or the next mount */
        return status;
    }
    bool is_directory = node_is(node, LINUX_S_IFDIR);
    remove_orphan(ext, node);
    node_set_size(node, 0);
    node->inode.i_links_count = 0;
    node->inode.i_dtime = (uint32_t)time(NULL);
    node_changed(ext, node);
    status = node_write_all(ext); /* it is about to leave the list of those to be written */
    if (status == FTL_OK) {
        space_free_inode(ext, node->number, is_directory);
    }
    return status;
}

/* The last hold of a node without a name has ended. */
static void end_node(struct ext *ext, struct node *node)
{
    node->holds = 1; /* for its last operation */
    ftl_status_t status = ext->base.is_read_only ? FTL_ERR_READ_ONLY : free_node(ext, node);
    node->holds = 0;
    if (status != FTL_OK) {
        return; /* an orphan of the disk; its node is freed at the end */
    }
    drop(ext, node);
}

void node_release(struct ext *ext, struct node *node)
{
    if (--node->holds > 0) {
        return;
    }
    if (node->inode.i_links_count == 0) {
        end_node(ext, node);
    } else if (!node->is_orphan) {
        make_idle(ext, node);
    }
}

void node_unnamed(struct ext *ext, struct node *node)
{
    node->inode.i_links_count = 0;
    node_touch(ext, node, TIME_CHANGED);
    /* The caller's own hold is one of them. */
    if (node->holds > 1) {
        add_orphan(ext, node);
    }
}

static ftl_status_t zero_rest(struct ext *ext, struct node *node, uint64_t size)
{
    struct run run;
    struct block *block;
    uint32_t within = (uint32_t)(size & (ext->cache.block_size - 1));
    if (within == 0) {
        return FTL_OK;
    }
    ftl_status_t status = map_look_up(ext, node, size >> ext->cache.block_shift, &run);
    if (status != FTL_OK || run.physical == 0 || run.is_unwritten) {
        return status;
    }
    status = cache_get(&ext->cache, run.physical, 1, &block);
    if (status == FTL_OK) {
        memset(block->data + within, 0, ext->cache.block_size - within);
        cache_changed_data(&ext->cache, block);
    }
    return status;
}

/*
 * The size is set first: if the power fails, the rest is cut by whoever finds it among the orphans.
 */
ftl_status_t node_truncate(struct ext *ext, struct node *node, uint64_t size)
{
    uint64_t old = node_size(node);
    if (size > map_size_max(ext, node)) {
        return FTL_ERR_TOO_LARGE;
    }
    ftl_status_t status = size < old ? zero_rest(ext, node, size) : FTL_OK;
    if (status != FTL_OK) {
        return status;
    }
    node_touch(ext, node, TIME_MODIFIED | TIME_CHANGED);
    node_set_size(node, size);
    if (size < old) {
        bool is_long =
            blocks_of(ext, old) - blocks_of(ext, size) > ORPHAN_BLOCKS && !node->is_orphan;
        if (is_long) {
            add_orphan(ext, node);
        }
        status = map_cut(ext, node, blocks_of(ext, size), blocks_of(ext, old));
        if (status == FTL_OK && is_long) {
            remove_orphan(ext, node);
        }
    }
    return status;
}

/* At mount: what was removed while it was open, or had not been cut to its end. */
ftl_status_t node_free_orphans(struct ext *ext)
{
    uint32_t next = ext->fs->super->s_last_orphan;
    for (uint32_t count = 0; next != 0; count++) {
        struct node *node;
        if (next > ext->fs->super->s_inodes_count || next < EXT2_FIRST_INODE(ext->fs->super) ||
            count > ext->fs->super->s_inodes_count) {
            return FTL_ERR_BAD_FORMAT;
        }
        ftl_status_t status = transaction_begin(ext, 0);
        node = status == FTL_OK ? enter(ext, next) : NULL;
        if (node == NULL) {
            return status == FTL_OK ? FTL_ERR_NO_MEMORY : status;
        }
        int size = has_old_inodes(ext) ? EXT2_GOOD_OLD_INODE_SIZE : (int)sizeof(node->inode);
        status = ext_status(ext2fs_read_inode_full(ext->fs, next, node_inode(node), size));
        if (status == FTL_OK &&
            (node->inode.i_mode == 0 || !ext2fs_test_inode_bitmap2(ext->fs->inode_map, next))) {
            status = FTL_ERR_BAD_FORMAT;
        }
        if (status != FTL_OK) {
            drop(ext, node);
            return status;
        }
        uint32_t after = node->inode.i_dtime;
        node->is_orphan = true;
        links_insert(&ext->orphans, &node->links);
        if (node->inode.i_links_count == 0) {
            node_release(ext, node);
        } else {
            uint64_t kept = blocks_of(ext, node_size(node));
            /* How far it went nobody has written down. */
            status = has_blocks(node) ? map_cut(ext, node, kept, UINT32_MAX) : FTL_OK;
            remove_orphan(ext, node);
            node_release(ext, node);
        }
        if (status == FTL_OK && ext->fs->super->s_last_orphan != after) {
            status = FTL_ERR_BAD_FORMAT; /* it could not be freed */
        }
        if (status != FTL_OK) {
            return status;
        }
        next = after;
    }
    return FTL_OK;
}

void node_free_all(struct ext *ext)
{
    for (size_t i = 0; ext->nodes != NULL && i < NODE_TABLE; i++) {
        while (ext->nodes[i] != NULL) {
            drop(ext, ext->nodes[i]);
        }
    }
    free(ext->nodes);
    ext->nodes = NULL;
}
