/*
 * Blocks and inodes of an ext file system, free and used. libext2fs keeps the bitmaps in memory,
 * and the counts in descriptors and superblock; what has changed of them is written with each
 * transaction.
 *
 * A freed block is free on the disk with the transaction that frees it. Until that is committed, it
 * belongs to its old owner, should the power fail. If the journal holds a version of it, a replay
 * would write that, up to the next checkpoint. So long it stays marked in the bitmap in memory.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ext.h"

/* How many free runs are looked at for one that is long enough. */
#define RUNS_MAX 256

static void mark_groups(struct ext *ext, uint64_t start, uint64_t count)
{
    uint32_t last = ext2fs_group_of_blk2(ext->fs, start + count - 1);
    for (uint32_t group = ext2fs_group_of_blk2(ext->fs, start); group <= last; group++) {
        ext->dirty_groups[group] |= GROUP_BLOCKS | GROUP_DESCRIPTOR;
    }
    ext->super_is_dirty = true;
}

/* libext2fs calls this after having marked one block as used or free. */
static void block_changed(ext2_filsys fs, blk64_t number, int is_used)
{
    struct ext *ext = fs->priv_data;
    mark_groups(ext, number, 1);
    if (is_used >= 0) {
        return;
    }
    struct block *block = cache_find(&ext->cache, number);
    int kind = block != NULL && block->is_journaled ? FREED_JOURNALED : FREED_UNCOMMITTED;
    cache_forget(&ext->cache, number);
    ext2fs_mark_block_bitmap2(fs->block_map, number);
    if (!ext2fs_mark_block_bitmap2(ext->freed[kind], number)) {
        ext->freed_count[kind]++;
    }
}

ftl_status_t space_open(struct ext *ext)
{
    ext->dirty_groups = calloc(ext->fs->group_desc_count, 1);
    if (ext->dirty_groups == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    errcode_t error = ext2fs_read_bitmaps(ext->fs);
    for (int kind = 0; kind < 2 && error == 0; kind++) {
        error = ext2fs_allocate_block_bitmap(ext->fs, "freed", &ext->freed[kind]);
    }
    ext->fs->priv_data = ext;
    ext2fs_set_block_alloc_stats_callback(ext->fs, block_changed, NULL);
    return ext_status(error);
}

void space_close(struct ext *ext)
{
    for (int kind = 0; kind < 2; kind++) {
        if (ext->freed[kind] != NULL) {
            ext2fs_free_block_bitmap(ext->freed[kind]);
            ext->freed[kind] = NULL;
        }
    }
    free(ext->dirty_groups);
    ext->dirty_groups = NULL;
}

/* Calls for each run of blocks that are marked. */
static uint64_t next_run(ext2fs_block_bitmap map, uint64_t from, uint64_t last, uint64_t *start)
{
    blk64_t end;
    if (from > last ||
        ext2fs_find_first_set_block_bitmap2(map, from, last, (blk64_t *)start) != 0) {
        return 0;
    }
    if (ext2fs_find_first_zero_block_bitmap2(map, *start, last, &end) != 0) {
        end = last + 1;
    }
    return end - *start;
}

void space_release_freed(struct ext *ext, int kind)
{
    ext2fs_block_bitmap map = ext->freed[kind];
    uint64_t last = ext2fs_blocks_count(ext->fs->super) - 1;
    uint64_t start = ext->fs->super->s_first_data_block, count;
    if (ext->freed_count[kind] == 0) {
        return;
    }
    while ((count = next_run(map, start, last, &start)) > 0) {
        ext2fs_unmark_block_bitmap_range2(ext->fs->block_map, start, (blk_t)count);
        start += count;
    }
    ext2fs_clear_block_bitmap(map);
    ext->freed_count[kind] = 0;
}

/*
 * The longest of some free runs from one block to another, or the first that is as long as wanted.
 */
static void find_run(ext2fs_block_bitmap map, uint64_t from, uint64_t last, uint64_t wanted,
                     uint64_t *start, uint64_t *count)
{
    for (int runs = 0; runs < RUNS_MAX && from <= last && *count < wanted; runs++) {
        blk64_t first, end;
        if (ext2fs_find_first_zero_block_bitmap2(map, from, last, &first) != 0) {
            return;
        }
        uint64_t until = last - first < wanted ? last : first + wanted - 1;
        if (ext2fs_find_first_set_block_bitmap2(map, first, until, &end) != 0) {
            end = until + 1;
        }
        if (end - first > *count) {
            *start = first;
            *count = end - first;
        }
        from = end;
    }
}

/* ext2fs_new_range() would do, but with a length that is nowhere it does not end. */
ftl_status_t space_allocate(struct ext *ext, uint64_t goal, uint64_t wanted, uint64_t *start,
                            uint64_t *count)
{
    ext2_filsys fs = ext->fs;
    uint64_t first = fs->super->s_first_data_block, last = ext2fs_blocks_count(fs->super) - 1;
    uint64_t found = 0, length = 0;
    if (goal < first || goal > last) {
        goal = first;
    }
    if (!ext2fs_test_block_bitmap2(fs->block_map, goal)) {
        find_run(fs->block_map, goal, goal + wanted - 1 < last ? goal + wanted - 1 : last, wanted,
                 &found, &length);
    }
    if (length == 0) { /* not where it was wanted: then somewhere in one piece */
        find_run(fs->block_map, goal, last, wanted, &found, &length);
        find_run(fs->block_map, first, goal, wanted, &found, &length);
    }
    if (length == 0) {
        return FTL_ERR_NO_SPACE;
    }
    ext2fs_block_alloc_stats_range(fs, found, (blk_t)length, +1);
    mark_groups(ext, found, length);
    *start = found;
    *count = length;
    return FTL_OK;
}

void space_free(struct ext *ext, uint64_t start, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        ext2fs_block_alloc_stats2(ext->fs, start + i, -1);
    }
}

static void inode_changed(struct ext *ext, uint32_t number)
{
    ext->dirty_groups[ext2fs_group_of_ino(ext->fs, number)] |= GROUP_INODES | GROUP_DESCRIPTOR;
    ext->super_is_dirty = true;
}

/* Directories go where there is most room, so that their files have some near them. */
static uint32_t choose_group(struct ext *ext, uint32_t near)
{
    ext2_filsys fs = ext->fs;
    uint32_t best = near, groups = fs->group_desc_count;
    uint64_t most = 0;
    for (uint32_t i = 0; i < groups && i < 64; i++) {
        uint32_t group = (near + i) % groups;
        uint64_t free_blocks = ext2fs_bg_free_blocks_count(fs, group);
        if (ext2fs_bg_free_inodes_count(fs, group) > 0 && free_blocks > most + most / 4) {
            most = free_blocks;
            best = group;
        }
    }
    return best;
}

ftl_status_t space_allocate_inode(struct ext *ext, uint32_t directory, uint32_t mode,
                                  uint32_t *number)
{
    ext2_filsys fs = ext->fs;
    bool is_directory = (mode & LINUX_S_IFMT) == LINUX_S_IFDIR;
    ext2_ino_t found;
    if (fs->super->s_free_inodes_count == 0) {
        return FTL_ERR_NO_SPACE;
    }
    if (is_directory) {
        directory =
            choose_group(ext, ext2fs_group_of_ino(fs, directory)) * fs->super->s_inodes_per_group +
            1;
    }
    errcode_t error = ext2fs_new_inode(fs, directory, (int)mode, NULL, &found);
    if (error != 0) {
        return ext_status(error);
    }
    ext2fs_inode_alloc_stats2(fs, found, +1, is_directory);
    inode_changed(ext, found);
    *number = found;
    return FTL_OK;
}

void space_free_inode(struct ext *ext, uint32_t number, bool is_directory)
{
    ext2fs_inode_alloc_stats2(ext->fs, number, -1, is_directory);
    inode_changed(ext, number);
}

/* Of a group; libext2fs's ext2fs_write_bitmaps() writes those of all. */
static errcode_t write_block_bitmap(struct ext *ext, uint32_t group, char *bits)
{
    ext2_filsys fs = ext->fs;
    uint64_t first =
        fs->super->s_first_data_block + (uint64_t)group * fs->super->s_blocks_per_group;
    uint64_t last = ext2fs_group_last_block2(fs, group);
    size_t bytes = fs->super->s_blocks_per_group / 8;
    memset(bits, 0xff, fs->blocksize);
    errcode_t error = ext2fs_get_block_bitmap_range2(fs->block_map, first, bytes * 8, bits);
    for (int kind = 0; kind < 2; kind++) {
        uint64_t start = first, count;
        while (ext->freed_count[kind] > 0 &&
               (count = next_run(ext->freed[kind], start, last, &start)) > 0) {
            for (; count > 0; count--, start++) {
                ext2fs_clear_bit((unsigned int)(start - first), bits);
            }
        }
    }
    for (uint64_t i = last - first + 1; i < (uint64_t)fs->blocksize * 8; i++) {
        ext2fs_set_bit((unsigned int)i, bits); /* padding of the last group */
    }
    uint64_t place = ext2fs_block_bitmap_loc(fs, group);
    error = error == 0 ? ext2fs_block_bitmap_csum_set(fs, group, bits, (int)bytes) : error;
    return error == 0 ? io_channel_write_blk64(fs->io, place, 1, bits) : error;
}

static errcode_t write_inode_bitmap(struct ext *ext, uint32_t group, char *bits)
{
    ext2_filsys fs = ext->fs;
    size_t bytes = (fs->super->s_inodes_per_group + 7) / 8;
    memset(bits, 0xff, fs->blocksize);
    errcode_t error = ext2fs_get_inode_bitmap_range2(
        fs->inode_map, (uint64_t)group * fs->super->s_inodes_per_group + 1, bytes * 8, bits);
    uint64_t place = ext2fs_inode_bitmap_loc(fs, group);
    error = error == 0 ? ext2fs_inode_bitmap_csum_set(fs, group, bits, (int)bytes) : error;
    return error == 0 ? io_channel_write_blk64(fs->io, place, 1, bits) : error;
}

static errcode_t write_descriptors(struct ext *ext, uint32_t index)
{
    ext2_filsys fs = ext->fs;
    const char *data = (const char *)fs->group_desc + (size_t)index * fs->blocksize;
    uint64_t place = ext2fs_descriptor_block_loc2(fs, fs->super->s_first_data_block, index);
    return io_channel_write_blk64(fs->io, place, 1, data);
}

static errcode_t write_groups(struct ext *ext, char *bits)
{
    ext2_filsys fs = ext->fs;
    uint32_t per_block = (uint32_t)EXT2_DESC_PER_BLOCK(fs->super);
    errcode_t error = 0;
    for (uint32_t group = 0; group < fs->group_desc_count && error == 0; group++) {
        uint8_t *dirty = &ext->dirty_groups[group];
        if (*dirty & GROUP_BLOCKS) {
            error = write_block_bitmap(ext, group, bits);
        }
        if ((*dirty & GROUP_INODES) && error == 0) {
            error = write_inode_bitmap(ext, group, bits);
        }
        if (*dirty != 0 && error == 0) {
            ext2fs_group_desc_csum_set(fs, group);
            *dirty = GROUP_DESCRIPTOR;
        }
    }
    for (uint32_t group = 0; group < fs->group_desc_count && error == 0; group += per_block) {
        uint32_t end =
            fs->group_desc_count - group < per_block ? fs->group_desc_count : group + per_block;
        bool is_dirty = false;
        for (uint32_t i = group; i < end; i++) {
            is_dirty = is_dirty || ext->dirty_groups[i] != 0;
        }
        if (is_dirty) {
            error = write_descriptors(ext, group / per_block);
        }
        if (is_dirty && error == 0) {
            memset(&ext->dirty_groups[group], 0, end - group);
        }
    }
    return error;
}

/* Where in its block the superblock is: it has byte 1024 of the disk. */
static uint64_t super_block(const struct ext *ext, size_t *offset)
{
    *offset = SUPERBLOCK_OFFSET & (ext->cache.block_size - 1);
    return SUPERBLOCK_OFFSET >> ext->cache.block_shift;
}

ftl_status_t space_write(struct ext *ext)
{
    ext2_filsys fs = ext->fs;
    size_t offset;
    struct block *block;
    if (!ext->super_is_dirty) {
        return FTL_OK;
    }
    char *bits = malloc(fs->blocksize);
    if (bits == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    errcode_t error = write_groups(ext, bits);
    free(bits);
    if (error != 0) {
        return ext_status(error);
    }
    ftl_status_t status = cache_get(&ext->cache, super_block(ext, &offset), 1, &block);
    if (status == FTL_OK) {
        fs->super->s_wtime = (uint32_t)time(NULL);
        if (ext->journal != NULL) {
            ext2fs_set_feature_journal_needs_recovery(fs->super);
        } else {
            fs->super->s_state &= (uint16_t)~EXT2_VALID_FS;
        }
        ext2fs_superblock_csum_set(fs, fs->super);
        memcpy(block->data + offset, fs->super, SUPERBLOCK_SIZE);
        cache_changed(&ext->cache, block);
        ext->super_is_dirty = false;
    }
    return status;
}

/*
 * At once, past the journal: that the file system is in use, of which the superblock on the disk
 * says nothing yet; or that it has been unmounted.
 */
ftl_status_t super_write_now(struct ext *ext, bool is_in_use)
{
    struct cache *cache = &ext->cache;
    size_t offset;
    uint64_t number = super_block(ext, &offset);
    char *data = malloc(cache->block_size);
    if (data == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    ftl_status_t status = cache_disk_read(cache, number, 1, data);
    if (status == FTL_OK) {
        struct ext2_super_block *super = (struct ext2_super_block *)(data + offset);
        if (ext->journal != NULL && is_in_use) {
            ext2fs_set_feature_journal_needs_recovery(super);
        } else if (ext->journal != NULL) {
            ext2fs_clear_feature_journal_needs_recovery(super);
        } else if (is_in_use) {
            super->s_state &= (uint16_t)~EXT2_VALID_FS;
        } else {
            super->s_state |= EXT2_VALID_FS;
        }
        ext2fs_superblock_csum_set(ext->fs, super);
        status = cache_disk_write(cache, number, 1, data);
    }
    if (status == FTL_OK) {
        status = cache_disk_flush(cache);
    }
    free(data);
    ext->is_marked = status == FTL_OK ? is_in_use : ext->is_marked;
    return status;
}
