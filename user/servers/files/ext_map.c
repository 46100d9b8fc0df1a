/*
 * Where the blocks of a file lie: extents, through libext2fs, or the older lists of blocks, which
 * are read here. A node remembers the last run, so that most reads and writes look nothing up.
 */
#include <stdlib.h>
#include <string.h>

#include "ext.h"

/* How many blocks a file loses in one step, so that no step is too much for a transaction. */
#define CUT_BLOCKS 2048

static bool is_on_disk(const struct ext *ext, uint64_t start, uint64_t count)
{
    return start >= ext->fs->super->s_first_data_block && start < ext->cache.block_count &&
           count <= ext->cache.block_count - start;
}

static ftl_status_t extent_to_run(const struct ext *ext, const struct ext2fs_extent *extent,
                                  uint64_t logical, struct run *run)
{
    uint64_t within = logical - extent->e_lblk;
    *run = (struct run){ logical, extent->e_pblk + within, extent->e_len - within,
                         extent->e_flags & EXT2_EXTENT_FLAGS_UNINIT };
    return is_on_disk(ext, extent->e_pblk, extent->e_len) ? FTL_OK : FTL_ERR_BAD_FORMAT;
}

/* The extent with the block, or a hole up to the next one. */
static ftl_status_t look_up_extent(struct ext *ext, ext2_extent_handle_t handle, uint64_t logical,
                                   struct run *run)
{
    struct ext2fs_extent extent;
    if (logical >> 32 != 0) {
        return FTL_ERR_BAD_FORMAT; /* no file that node_get takes is that long */
    }
    errcode_t error = ext2fs_extent_goto(handle, logical);
    *run = (struct run){ .logical = logical, .count = (UINT64_C(1) << 32) - logical };
    if (error != 0 && error != EXT2_ET_EXTENT_NOT_FOUND) {
        return ext_status(error);
    }
    error = ext2fs_extent_get(handle, EXT2_EXTENT_CURRENT, &extent);
    if (error == EXT2_ET_NO_CURRENT_NODE) {
        return FTL_OK;
    }
    if (error == 0 && extent.e_lblk <= logical && extent.e_lblk + extent.e_len > logical) {
        return extent_to_run(ext, &extent, logical, run);
    }
    if (error == 0 && extent.e_lblk < logical) {
        uint64_t before = extent.e_lblk;
        error = ext2fs_extent_get(handle, EXT2_EXTENT_NEXT_LEAF, &extent);
        /* At the end of a tree it may give the last one once more. */
        if (error == EXT2_ET_EXTENT_NO_NEXT || (error == 0 && extent.e_lblk <= before)) {
            return FTL_OK;
        }
    }
    if (error == 0) {
        if (extent.e_lblk <= logical) {
            return FTL_ERR_BAD_FORMAT; /* not in order */
        }
        run->count = extent.e_lblk - logical;
    }
    return ext_status(error);
}

/* Counts blocks of a list, from one on, that are contiguous, or all nowhere. */
static uint64_t list_run(const uint32_t *list, size_t from, size_t end)
{
    size_t i = from + 1;
    while (i < end && (list[from] == 0 ? list[i] == 0 : list[i] == list[from] + (i - from))) {
        i++;
    }
    return i - from;
}

/* Twelve blocks are in the inode, then come trees of one, two and three levels. */
static ftl_status_t look_up_list(struct ext *ext, struct node *node, uint64_t logical,
                                 struct run *run)
{
    const uint32_t *blocks = node->inode.i_block;
    uint32_t bits = ext->cache.block_shift - 2;
    uint64_t index = logical;
    *run = (struct run){ .logical = logical };
    if (index < EXT2_NDIR_BLOCKS) {
        run->physical = blocks[index];
        run->count = list_run(blocks, (size_t)index, EXT2_NDIR_BLOCKS);
    } else {
        unsigned int levels = 1;
        index -= EXT2_NDIR_BLOCKS;
        while (levels <= 3 && index >> (bits * levels) != 0) {
            index -= UINT64_C(1) << (bits * levels);
            levels++;
        }
        if (levels > 3) {
            run->count = UINT64_MAX - logical;
            return FTL_OK;
        }
        uint64_t next = blocks[EXT2_NDIR_BLOCKS + levels - 1];
        while (levels-- > 0) {
            struct block *block;
            uint64_t within = index & ((UINT64_C(1) << (bits * (levels + 1))) - 1);
            if (next == 0) {
                run->count = (UINT64_C(1) << (bits * (levels + 1))) - within;
                return FTL_OK;
            }
            ftl_status_t status = is_on_disk(ext, next, 1) ? cache_get(&ext->cache, next, 1, &block)
                                                           : FTL_ERR_BAD_FORMAT;
            if (status != FTL_OK) {
                return status;
            }
            const uint32_t *list = (const uint32_t *)block->data;
            size_t at = (size_t)(within >> (bits * levels));
            next = list[at];
            run->count = levels == 0 ? list_run(list, at, (size_t)1 << bits) : 1;
        }
        run->physical = next;
    }
    return run->physical == 0 || is_on_disk(ext, run->physical, run->count) ? FTL_OK
                                                                            : FTL_ERR_BAD_FORMAT;
}

static ftl_status_t look_up(struct ext *ext, struct node *node, uint64_t logical, struct run *run)
{
    if (!(node->inode.i_flags & EXT4_EXTENTS_FL)) {
        return look_up_list(ext, node, logical, run);
    }
    ext2_extent_handle_t handle;
    errcode_t error = ext2fs_extent_open2(ext->fs, node->number, node_inode(node), &handle);
    if (error != 0) {
        return ext_status(error);
    }
    ftl_status_t status = look_up_extent(ext, handle, logical, run);
    ext2fs_extent_free(handle);
    return status;
}

ftl_status_t map_look_up(struct ext *ext, struct node *node, uint64_t logical, struct run *run)
{
    const struct run *last = &node->run;
    if (logical - last->logical >= last->count) {
        ftl_status_t status = look_up(ext, node, logical, run);
        node->run = status == FTL_OK ? *run : (struct run){ 0 };
        return status;
    }
    uint64_t within = logical - last->logical;
    *run = (struct run){ logical, last->physical == 0 ? 0 : last->physical + within,
                         last->count - within, last->is_unwritten };
    return FTL_OK;
}

/* Enters new blocks: as more of the extent before them if they are its continuation. */
static errcode_t insert_extent(ext2_extent_handle_t handle, struct ext2fs_extent *new)
{
    struct ext2fs_extent extent;
    int where = EXT2_EXTENT_INSERT_AFTER;
    ext2fs_extent_goto(handle, new->e_lblk); /* it is not there: this leads beside it */
    errcode_t error = ext2fs_extent_get(handle, EXT2_EXTENT_CURRENT, &extent);
    if (error == 0) {
        if (extent.e_lblk + extent.e_len == new->e_lblk &&
            extent.e_pblk + extent.e_len == new->e_pblk &&
            !(extent.e_flags & EXT2_EXTENT_FLAGS_UNINIT) &&
            extent.e_len + new->e_len <= EXT_INIT_MAX_LEN) {
            extent.e_len += new->e_len;
            return ext2fs_extent_replace(handle, 0, &extent);
        }
        if (extent.e_lblk > new->e_lblk) {
            where = 0;
        }
    } else if (error != EXT2_ET_NO_CURRENT_NODE) {
        return error;
    }
    error = ext2fs_extent_insert(handle, where, new);
    return error == 0 ? ext2fs_extent_fix_parents(handle) : error;
}

/* Where blocks of a file should be: behind those before them, else in the group of its inode. */
static uint64_t goal_of(struct ext *ext, struct node *node, uint64_t logical)
{
    const struct run *last = &node->run;
    if (node->next_block != 0) {
        return node->next_block;
    }
    if (last->physical != 0 && logical == last->logical + last->count) {
        return last->physical + last->count;
    }
    return ext2fs_group_first_block2(ext->fs, ext2fs_group_of_ino(ext->fs, node->number));
}

static ftl_status_t allocate_extent(struct ext *ext, struct node *node, ext2_extent_handle_t handle,
                                    uint64_t wanted, struct run *run)
{
    struct ext2fs_extent extent = { .e_lblk = run->logical };
    uint64_t count;
    if (wanted > EXT_INIT_MAX_LEN) {
        wanted = EXT_INIT_MAX_LEN;
    }
    ftl_status_t status =
        space_allocate(ext, goal_of(ext, node, run->logical), wanted, &run->physical, &count);
    if (status != FTL_OK) {
        return status;
    }
    extent.e_pblk = run->physical;
    extent.e_len = (uint32_t)count;
    errcode_t error = insert_extent(handle, &extent);
    if (error != 0) {
        space_free(ext, run->physical, count);
        return ext_status(error);
    }
    run->count = count;
    return ext_status(ext2fs_iblk_add_blocks(ext->fs, node_inode(node), count));
}

/* What others have allocated without writing it becomes written, block by block. */
static ftl_status_t convert(ext2_extent_handle_t handle, const struct run *run)
{
    for (uint64_t i = 0; i < run->count; i++) {
        errcode_t error = ext2fs_extent_set_bmap(handle, run->logical + i, run->physical + i, 0);
        if (error != 0) {
            return ext_status(error);
        }
    }
    return FTL_OK;
}

static ftl_status_t allocate_list(struct ext *ext, struct node *node, struct run *run)
{
    blk64_t place = 0;
    errcode_t error = ext2fs_bmap2(ext->fs, node->number, node_inode(node), NULL, BMAP_ALLOC,
                                   run->logical, NULL, &place);
    run->physical = place;
    run->count = 1;
    return ext_status(error);
}

ftl_status_t map_allocate(struct ext *ext, struct node *node, uint64_t logical, uint64_t wanted,
                          struct run *run)
{
    ftl_status_t status = map_look_up(ext, node, logical, run);
    if (status != FTL_OK) {
        return status;
    }
    if (run->count > wanted) {
        run->count = wanted;
    }
    if (!(node->inode.i_flags & EXT4_EXTENTS_FL)) {
        status = allocate_list(ext, node, run);
    } else {
        ext2_extent_handle_t handle;
        errcode_t error = ext2fs_extent_open2(ext->fs, node->number, node_inode(node), &handle);
        if (error != 0) {
            return ext_status(error);
        }
        status = run->is_unwritten ? convert(handle, run)
                                   : allocate_extent(ext, node, handle, run->count, run);
        ext2fs_extent_free(handle);
    }
    node_changed(ext, node);
    node->run = (struct run){ 0 };
    if (status == FTL_OK) {
        run->is_unwritten = false;
        node->run = *run;
        node->next_block = run->physical + run->count;
    }
    return status;
}

/* From the end, so that after each step the file is one that may be. */
ftl_status_t map_cut(struct ext *ext, struct node *node, uint64_t logical, uint64_t end)
{
    uint64_t blocks =
        ext2fs_get_stat_i_blocks(ext->fs, node_inode(node)) >> (ext->cache.block_shift - 9);
    ftl_status_t status = FTL_OK;
    node->run = (struct run){ 0 };
    node->next_block = 0;
    do {
        uint64_t from = logical;
        if (blocks > CUT_BLOCKS && end > logical + CUT_BLOCKS) {
            from = end - CUT_BLOCKS;
        }
        errcode_t error =
            ext2fs_punch(ext->fs, node->number, node_inode(node), NULL, from, ~UINT64_C(0));
        status = ext_status(error);
        node_changed(ext, node);
        end = from;
        if (status == FTL_OK && end > logical) {
            status = transaction_continue(ext);
        }
    } while (status == FTL_OK && end > logical);
    return status;
}

uint64_t map_size_max(const struct ext *ext, const struct node *node)
{
    uint32_t shift = ext->cache.block_shift;
    if (node->inode.i_flags & EXT4_EXTENTS_FL) {
        return ((UINT64_C(1) << 32) - 1) << shift;
    }
    uint64_t pointers = UINT64_C(1) << (shift - 2);
    uint64_t blocks =
        EXT2_NDIR_BLOCKS + pointers + pointers * pointers + pointers * pointers * pointers;
    /* i_blocks counts sectors of 512 bytes in 32 bits, trees among them. */
    uint64_t counted = UINT64_C(1) << (32 + 9 - shift);
    counted -= counted / pointers * 2;
    return (blocks < counted ? blocks : counted) << shift;
}
