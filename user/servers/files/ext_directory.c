/*
 * Directories of an ext file system: blocks with entries, each of which has the length up to the
 * next. So that no look-up has to go through all of them, a directory in use has an index in
 * memory: the hash and the place of every name, and how much room each block has. Entries never
 * move: a place is a cursor of a listing.
 *
 * Others may have left a directory with an index on the disk (a tree in blocks that look like empty
 * ones). It stays as long as only its names are removed or redirected; to add one, the tree's
 * blocks are made ordinary ones.
 */
#include <stdlib.h>
#include <string.h>

#include "ext.h"

#define ENTRY_HEADER 8 /* inode, length, length of the name, kind */
#define LONG_BLOCK   65536
/* Entries begin at multiples of 4: so places are counted. 0 is none, since there is "." */
#define PLACE_SHIFT     2
#define NO_PLACE        0u
#define REMOVED         1u
#define INDEX_MIN       64
#define INDEX_BYTES_MAX (8u << 20)

struct slot {
    uint32_t hash, place;
};

struct directory_index {
    struct slot *slots;
    size_t mask, used; /* used: with removed ones */
    size_t names;      /* without "." and ".." */
    uint16_t *rooms;   /* of each block, the largest room for an entry */
    uint32_t blocks, first_room;
    uint32_t noted_block, noted_offset; /* where the largest room of the last block noted is */
};

static uint32_t hash_of(const char *name, size_t length)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ (uint8_t)name[i]) * 16777619u;
    }
    return hash;
}

static uint32_t entry_size(size_t name_length)
{
    return (uint32_t)(ENTRY_HEADER + name_length + 3) & ~3u;
}

/* Only lengths in blocks of 64 KiB are written otherwise. */
static uint32_t length_of(const struct ext *ext, const struct ext2_dir_entry *entry)
{
    unsigned int length = entry->rec_len;
    if (ext->cache.block_size >= LONG_BLOCK) {
        ext2fs_get_rec_len(ext->fs, (struct ext2_dir_entry *)entry, &length);
    }
    return length;
}

static void set_length(const struct ext *ext, struct ext2_dir_entry *entry, uint32_t length)
{
    ext2fs_set_rec_len(ext->fs, length, entry);
}

/* Without the checksum, which looks like an entry without a name. */
static uint32_t block_end(const struct ext *ext)
{
    return ext->cache.block_size - (ext2fs_has_feature_metadata_csum(ext->fs->super)
                                        ? (uint32_t)sizeof(struct ext2_dir_entry_tail)
                                        : 0);
}

static struct ext2_dir_entry *entry_at(const struct block *block, uint32_t offset)
{
    return (struct ext2_dir_entry *)(block->data + offset);
}

static bool entry_is_sound(const struct ext *ext, const struct block *block, uint32_t offset)
{
    uint32_t left = ext->cache.block_size - offset;
    if (left < ENTRY_HEADER) {
        return false;
    }
    const struct ext2_dir_entry *entry = entry_at(block, offset);
    uint32_t length = length_of(ext, entry);
    uint32_t name = (uint32_t)ext2fs_dirent_name_len(entry);
    return length >= ENTRY_HEADER && length % 4 == 0 && length <= left &&
           (entry->inode == 0 || (name > 0 && entry_size(name) <= length &&
                                  entry->inode <= ext->fs->super->s_inodes_count));
}

static uint32_t count_blocks(const struct ext *ext, const struct node *directory)
{
    return (uint32_t)(node_size(directory) >> ext->cache.block_shift);
}

/* A block of a directory, the next ones read ahead. */
static ftl_status_t get_block(struct ext *ext, struct node *directory, uint32_t logical,
                              struct block **block)
{
    struct run run;
    ftl_status_t status = map_look_up(ext, directory, logical, &run);
    if (status == FTL_OK && (run.physical == 0 || run.is_unwritten)) {
        status = FTL_ERR_BAD_FORMAT;
    }
    return status == FTL_OK ? cache_get(&ext->cache, run.physical, run.count, block) : status;
}

static void changed(struct ext *ext, struct node *directory, struct block *block)
{
    block->directory = directory->number;
    cache_changed(&ext->cache, block);
}

/* Calls for each entry from `offset` on. */
typedef ftl_status_t (*entry_function_t)(struct ext *ext, struct block *block, uint32_t offset,
                                         void *context);

/* Inline, so that what it calls is, too. */
static inline __attribute__((always_inline)) ftl_status_t for_each(struct ext *ext,
                                                                   struct block *block,
                                                                   entry_function_t function,
                                                                   void *context)
{
    for (uint32_t offset = 0; offset < ext->cache.block_size;) {
        if (!entry_is_sound(ext, block, offset)) {
            return FTL_ERR_BAD_FORMAT;
        }
        uint32_t length = length_of(ext, entry_at(block, offset));
        ftl_status_t status = function(ext, block, offset, context);
        if (status != FTL_OK) {
            return status;
        }
        offset += length;
    }
    return FTL_OK;
}

/* The index in memory. */

static void free_index(struct ext *ext, struct node *directory)
{
    struct directory_index *index = directory->index;
    if (index != NULL) {
        ext->index_bytes -= (index->mask + 1) * sizeof(struct slot);
        free(index->slots);
        free(index->rooms);
        free(index);
        directory->index = NULL;
    }
}

void directory_forget(struct ext *ext, struct node *directory)
{
    free_index(ext, directory);
}

/* Frees those of directories that nobody holds, if all together take much memory. */
static void limit_indexes(struct ext *ext)
{
    for (struct links *item = ext->idle_nodes.previous;
         item != &ext->idle_nodes && ext->index_bytes > INDEX_BYTES_MAX; item = item->previous) {
        free_index(ext, (struct node *)item);
    }
}

static void put_slot(struct directory_index *index, uint32_t hash, uint32_t place)
{
    size_t at = hash & index->mask;
    while (index->slots[at].place != NO_PLACE) {
        at = (at + 1) & index->mask;
    }
    index->slots[at] = (struct slot){ hash, place };
    index->used++;
}

static ftl_status_t resize_slots(struct ext *ext, struct directory_index *index, size_t count)
{
    struct slot *old = index->slots;
    size_t old_count = old == NULL ? 0 : index->mask + 1;
    struct slot *slots = calloc(count, sizeof(*slots));
    if (slots == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    index->slots = slots;
    index->mask = count - 1;
    index->used = 0;
    for (size_t i = 0; i < old_count; i++) {
        if (old[i].place > REMOVED) {
            put_slot(index, old[i].hash, old[i].place);
        }
    }
    free(old);
    ext->index_bytes += (count - old_count) * sizeof(struct slot);
    return FTL_OK;
}

static ftl_status_t add_slot(struct ext *ext, struct directory_index *index, uint32_t hash,
                             uint32_t place)
{
    if ((index->used + 1) * 4 > (index->mask + 1) * 3) {
        size_t count = index->mask + 1;
        ftl_status_t status =
            resize_slots(ext, index, index->names * 2 > count ? count * 2 : count);
        if (status != FTL_OK) {
            return status;
        }
    }
    put_slot(index, hash, place);
    index->names++;
    return FTL_OK;
}

static ftl_status_t set_blocks(struct directory_index *index, uint32_t blocks)
{
    uint16_t *rooms = realloc(index->rooms, ((size_t)blocks + 1) * sizeof(*rooms));
    if (rooms == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    index->rooms = rooms;
    for (; index->blocks < blocks; index->blocks++) {
        rooms[index->blocks] = 0;
    }
    return FTL_OK;
}

static uint32_t room_in(const struct ext *ext, const struct ext2_dir_entry *entry)
{
    uint32_t length = length_of(ext, entry);
    return entry->inode == 0 ? length : length - entry_size((size_t)ext2fs_dirent_name_len(entry));
}

struct largest {
    uint32_t room, offset;
};

static ftl_status_t largest_room(struct ext *ext, struct block *block, uint32_t offset,
                                 void *context)
{
    struct largest *largest = context;
    uint32_t room = offset < block_end(ext) ? room_in(ext, entry_at(block, offset)) : 0;
    if (room > largest->room) {
        *largest = (struct largest){ room, offset };
    }
    return FTL_OK;
}

/* After each change of a block. */
static void note_room(struct ext *ext, struct directory_index *index, uint32_t logical,
                      struct block *block)
{
    struct largest largest = { 0, 0 };
    (void)for_each(ext, block, largest_room, &largest);
    index->rooms[logical] = (uint16_t)(largest.room > UINT16_MAX ? UINT16_MAX : largest.room);
    index->noted_block = logical;
    index->noted_offset = largest.offset;
    if (largest.room >= ENTRY_HEADER && logical < index->first_room) {
        index->first_room = logical;
    }
}

struct building {
    struct directory_index *index;
    uint32_t logical;
};

static uint32_t place_of(const struct ext *ext, uint32_t logical, uint32_t offset)
{
    return (uint32_t)(((uint64_t)logical << ext->cache.block_shift | offset) >> PLACE_SHIFT);
}

static ftl_status_t index_entry(struct ext *ext, struct block *block, uint32_t offset,
                                void *context)
{
    struct building *building = context;
    const struct ext2_dir_entry *entry = entry_at(block, offset);
    uint32_t place = place_of(ext, building->logical, offset);
    if (entry->inode == 0) {
        return FTL_OK;
    }
    size_t length = (size_t)ext2fs_dirent_name_len(entry);
    if (place <= place_of(ext, 0, entry_size(1))) { /* "." and ".." */
        return length == (place == 0 ? 1u : 2u) && memcmp(entry->name, "..", length) == 0
                   ? FTL_OK
                   : FTL_ERR_BAD_FORMAT;
    }
    return add_slot(ext, building->index, hash_of(entry->name, length), place);
}

/* Whether blocks of the directory may be a tree of hashes. */
static bool has_tree(const struct node *directory)
{
    return directory->inode.i_flags & EXT2_INDEX_FL;
}

static ftl_status_t build_index(struct ext *ext, struct node *directory)
{
    uint32_t blocks = count_blocks(ext, directory);
    if (directory->index != NULL) {
        return FTL_OK;
    }
    /* More than the whole disk cannot be right. */
    if (blocks == 0 || node_size(directory) >> ext->cache.block_shift > ext->cache.block_count ||
        node_size(directory) & (ext->cache.block_size - 1)) {
        return FTL_ERR_BAD_FORMAT;
    }
    limit_indexes(ext);
    struct directory_index *index = calloc(1, sizeof(*index));
    if (index == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    index->first_room = UINT32_MAX;
    ftl_status_t status = resize_slots(ext, index, INDEX_MIN);
    if (status == FTL_OK) {
        status = set_blocks(index, blocks);
    }
    for (uint32_t logical = 0; status == FTL_OK && logical < blocks; logical++) {
        struct building building = { index, logical };
        struct block *block;
        status = get_block(ext, directory, logical, &block);
        if (status == FTL_OK && block->directory == 0 &&
            !ext2fs_dir_block_csum_verify(ext->fs, directory->number,
                                          (struct ext2_dir_entry *)block->data)) {
            status = FTL_ERR_BAD_FORMAT;
        }
        if (status == FTL_OK) {
            status = for_each(ext, block, index_entry, &building);
        }
        if (status == FTL_OK) {
            note_room(ext, index, logical, block);
        }
    }
    directory->index = index;
    if (status != FTL_OK) {
        if (index->slots == NULL) {
            free(index->rooms);
            free(index);
            directory->index = NULL;
        } else {
            free_index(ext, directory);
        }
    }
    return status;
}

/* Where an entry is. */
struct found {
    struct block *block;
    uint32_t offset;
    struct slot *slot;
};

static ftl_status_t find(struct ext *ext, struct node *directory, const char *name,
                         struct found *found)
{
    size_t length = strlen(name);
    uint32_t hash = hash_of(name, length);
    ftl_status_t status = build_index(ext, directory);
    if (status != FTL_OK) {
        return status;
    }
    struct directory_index *index = directory->index;
    for (size_t at = hash & index->mask; index->slots[at].place != NO_PLACE;
         at = (at + 1) & index->mask) {
        struct slot *slot = &index->slots[at];
        if (slot->hash != hash || slot->place == REMOVED) {
            continue;
        }
        uint64_t place = (uint64_t)slot->place << PLACE_SHIFT;
        status =
            get_block(ext, directory, (uint32_t)(place >> ext->cache.block_shift), &found->block);
        if (status != FTL_OK) {
            return status;
        }
        found->offset = (uint32_t)place & (ext->cache.block_size - 1);
        const struct ext2_dir_entry *entry = entry_at(found->block, found->offset);
        if ((size_t)ext2fs_dirent_name_len(entry) == length &&
            memcmp(entry->name, name, length) == 0) {
            found->slot = slot;
            return FTL_OK;
        }
    }
    return FTL_ERR_NOT_FOUND;
}

ftl_status_t directory_find(struct ext *ext, struct node *directory, const char *name,
                            uint32_t *number)
{
    struct found found;
    ftl_status_t status = find(ext, directory, name, &found);
    if (status == FTL_OK) {
        *number = entry_at(found.block, found.offset)->inode;
    }
    return status;
}

static ftl_status_t get_parent_entry(struct ext *ext, struct node *directory, struct block **block,
                                     struct ext2_dir_entry **entry)
{
    ftl_status_t status = build_index(ext, directory); /* which checks both */
    status = status == FTL_OK ? get_block(ext, directory, 0, block) : status;
    if (status == FTL_OK) {
        *entry = entry_at(*block, entry_size(1));
        if (length_of(ext, entry_at(*block, 0)) != entry_size(1) || (*entry)->inode == 0) {
            status = FTL_ERR_BAD_FORMAT;
        }
    }
    return status;
}

ftl_status_t directory_parent(struct ext *ext, struct node *directory, uint32_t *number)
{
    struct block *block;
    struct ext2_dir_entry *entry;
    ftl_status_t status = get_parent_entry(ext, directory, &block, &entry);
    if (status == FTL_OK) {
        *number = entry->inode;
    }
    return status;
}

ftl_status_t directory_set_parent(struct ext *ext, struct node *directory, uint32_t number)
{
    struct block *block;
    struct ext2_dir_entry *entry;
    ftl_status_t status = get_parent_entry(ext, directory, &block, &entry);
    if (status == FTL_OK) {
        entry->inode = number;
        changed(ext, directory, block);
    }
    return status;
}

ftl_status_t directory_is_empty(struct ext *ext, struct node *directory, bool *is_empty)
{
    ftl_status_t status = build_index(ext, directory);
    if (status == FTL_OK) {
        *is_empty = directory->index->names == 0;
    }
    return status;
}

static int type_of(const struct ext *ext, const struct node *node)
{
    if (!ext2fs_has_feature_filetype(ext->fs->super)) {
        return EXT2_FT_UNKNOWN;
    }
    switch (node->inode.i_mode & LINUX_S_IFMT) {
    case LINUX_S_IFREG: return EXT2_FT_REG_FILE;
    case LINUX_S_IFDIR: return EXT2_FT_DIR;
    case LINUX_S_IFLNK: return EXT2_FT_SYMLINK;
    case LINUX_S_IFCHR: return EXT2_FT_CHRDEV;
    case LINUX_S_IFBLK: return EXT2_FT_BLKDEV;
    case LINUX_S_IFIFO: return EXT2_FT_FIFO;
    case LINUX_S_IFSOCK: return EXT2_FT_SOCK;
    default: return EXT2_FT_UNKNOWN;
    }
}

static void write_entry(struct ext *ext, struct ext2_dir_entry *entry, uint32_t length,
                        const char *name, size_t name_length, uint32_t number, int type)
{
    entry->inode = number;
    entry->name_len = 0; /* with the kind, which shares its bytes */
    set_length(ext, entry, length);
    ext2fs_dirent_set_name_len(entry, (int)name_length);
    ext2fs_dirent_set_file_type(entry, type);
    memcpy(entry->name, name, name_length);
}

/* An empty block of a directory, from `offset` on. */
static void clear_block(struct ext *ext, struct block *block, uint32_t offset)
{
    memset(block->data + offset, 0, ext->cache.block_size - offset);
    set_length(ext, entry_at(block, offset), block_end(ext) - offset);
    if (block_end(ext) < ext->cache.block_size) {
        struct ext2_dir_entry_tail *tail =
            (struct ext2_dir_entry_tail *)(block->data + block_end(ext));
        tail->det_rec_len = sizeof(*tail);
        tail->det_reserved_name_len = EXT2_DIR_NAME_LEN_CSUM;
    }
}

/* Allocates a new block at the end. */
static ftl_status_t append_block(struct ext *ext, struct node *directory, uint32_t logical,
                                 struct block **block)
{
    struct run run;
    /* Places have 32 bits, and so have lengths of directories of ext2. */
    if (logical >= UINT32_MAX >> ext->cache.block_shift) {
        return FTL_ERR_NO_SPACE;
    }
    ftl_status_t status = map_allocate(ext, directory, logical, 1, &run);
    status = status == FTL_OK ? cache_get_fresh(&ext->cache, run.physical, block) : status;
    if (status == FTL_OK) {
        clear_block(ext, *block, 0);
        node_set_size(directory, ((uint64_t)logical + 1) << ext->cache.block_shift);
        changed(ext, directory, *block);
        node_changed(ext, directory);
    }
    return status;
}

ftl_status_t directory_make(struct ext *ext, struct node *directory, uint32_t parent)
{
    struct block *block;
    ftl_status_t status = append_block(ext, directory, 0, &block);
    if (status == FTL_OK) {
        int type = type_of(ext, directory);
        write_entry(ext, entry_at(block, 0), entry_size(1), ".", 1, directory->number, type);
        write_entry(ext, entry_at(block, entry_size(1)), block_end(ext) - entry_size(1), "..", 2,
                    parent, type);
    }
    return status;
}

/* The levels of the tree on the disk, whose blocks look empty, become empty. */
static ftl_status_t clear_tree_block(struct ext *ext, struct node *directory, uint32_t logical,
                                     unsigned int levels)
{
    struct block *block;
    struct ext2_dx_countlimit *limits;
    int offset;
    ftl_status_t status = get_block(ext, directory, logical, &block);
    if (status != FTL_OK) {
        return status;
    }
    errcode_t error =
        ext2fs_get_dx_countlimit(ext->fs, (struct ext2_dir_entry *)block->data, &limits, &offset);
    uint32_t room = (ext->cache.block_size - (uint32_t)offset) / sizeof(struct ext2_dx_entry);
    if (error != 0 || limits->count > room) {
        return FTL_ERR_BAD_FORMAT;
    }
    uint32_t count = levels > 0 ? limits->count : 0;
    uint32_t *children = calloc((size_t)count + 1, sizeof(*children));
    if (children == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    const struct ext2_dx_entry *entries = (const struct ext2_dx_entry *)(block->data + offset);
    for (uint32_t i = 0; i < count; i++) {
        children[i] = entries[i].block & 0x0fffffff;
    }
    if (logical == 0) {
        struct ext2_dir_entry *parent = entry_at(block, entry_size(1));
        clear_block(ext, block, entry_size(1) + entry_size(2));
        set_length(ext, parent, block_end(ext) - entry_size(1));
    } else {
        clear_block(ext, block, 0);
    }
    changed(ext, directory, block);
    for (uint32_t i = 0; status == FTL_OK && i < count; i++) {
        status = children[i] == 0 ? FTL_ERR_BAD_FORMAT
                                  : clear_tree_block(ext, directory, children[i], levels - 1);
    }
    free(children);
    return status;
}

static ftl_status_t clear_tree(struct ext *ext, struct node *directory)
{
    struct block *block;
    ftl_status_t status = get_block(ext, directory, 0, &block);
    if (status != FTL_OK) {
        return status;
    }
    const struct ext2_dx_root_info *root =
        (const struct ext2_dx_root_info *)(block->data + entry_size(1) + entry_size(2));
    if (root->indirect_levels > 3) {
        return FTL_ERR_BAD_FORMAT;
    }
    status = clear_tree_block(ext, directory, 0, root->indirect_levels);
    directory->inode.i_flags &= ~(uint32_t)EXT2_INDEX_FL;
    node_changed(ext, directory);
    free_index(ext, directory);
    return status == FTL_OK ? build_index(ext, directory) : status;
}

/* A block of the directory with room for an entry. */
static ftl_status_t find_block(struct ext *ext, struct node *directory, uint32_t size,
                               uint32_t *logical, struct block **block)
{
    struct directory_index *index = directory->index;
    bool is_first = true;
    if (index->first_room > index->blocks) {
        index->first_room = index->blocks;
    }
    for (*logical = index->first_room; *logical < index->blocks; ++*logical) {
        if (index->rooms[*logical] >= size) {
            return get_block(ext, directory, *logical, block);
        }
        /* No entry is smaller than this: those blocks need not be looked at again. */
        if (is_first && index->rooms[*logical] < entry_size(1)) {
            index->first_room = *logical + 1;
        } else {
            is_first = false;
        }
    }
    ftl_status_t status = set_blocks(index, *logical + 1);
    if (status == FTL_OK) {
        status = append_block(ext, directory, *logical, block);
        index->blocks = status == FTL_OK ? *logical + 1 : *logical;
    }
    return status;
}

ftl_status_t directory_add(struct ext *ext, struct node *directory, const char *name,
                           const struct node *node)
{
    size_t name_length = strlen(name);
    uint32_t size = entry_size(name_length), logical;
    struct block *block;
    ftl_status_t status = build_index(ext, directory);
    if (status == FTL_OK && has_tree(directory)) {
        status = clear_tree(ext, directory);
    }
    status = status == FTL_OK ? find_block(ext, directory, size, &logical, &block) : status;
    if (status != FTL_OK) {
        return status;
    }
    struct directory_index *index = directory->index;
    if (index->noted_block != logical) {
        note_room(ext, index, logical, block);
    }
    uint32_t offset = index->noted_offset;
    struct ext2_dir_entry *entry = entry_at(block, offset);
    if (!entry_is_sound(ext, block, offset) || room_in(ext, entry) < size) {
        return FTL_ERR_BAD_FORMAT;
    }
    uint32_t length = length_of(ext, entry), used = length - room_in(ext, entry);
    status =
        add_slot(ext, index, hash_of(name, name_length), place_of(ext, logical, offset + used));
    if (status != FTL_OK) {
        return status;
    }
    if (used > 0) {
        set_length(ext, entry, used);
    }
    write_entry(ext, entry_at(block, offset + used), length - used, name, name_length, node->number,
                type_of(ext, node));
    changed(ext, directory, block);
    note_room(ext, index, logical, block);
    node_touch(ext, directory, TIME_MODIFIED | TIME_CHANGED);
    return FTL_OK;
}

struct before {
    uint32_t offset, previous;
};

static ftl_status_t find_previous(struct ext *ext, struct block *block, uint32_t offset,
                                  void *context)
{
    struct before *before = context;
    (void)ext;
    (void)block;
    if (offset == before->offset) {
        return FTL_ERR_EXISTS;
    }
    before->previous = offset;
    return FTL_OK;
}

ftl_status_t directory_change(struct ext *ext, struct node *directory, const char *name,
                              const struct node *node)
{
    struct found found;
    ftl_status_t status = find(ext, directory, name, &found);
    if (status != FTL_OK) {
        return status;
    }
    struct ext2_dir_entry *entry = entry_at(found.block, found.offset);
    if (node != NULL) {
        entry->inode = node->number;
        ext2fs_dirent_set_file_type(entry, type_of(ext, node));
    } else {
        struct before before = { found.offset, found.offset };
        if (for_each(ext, found.block, find_previous, &before) != FTL_ERR_EXISTS) {
            return FTL_ERR_BAD_FORMAT;
        }
        if (before.previous != found.offset) {
            struct ext2_dir_entry *previous = entry_at(found.block, before.previous);
            set_length(ext, previous, length_of(ext, previous) + length_of(ext, entry));
        }
        entry->inode = 0;
        uint32_t logical =
            (uint32_t)(((uint64_t)found.slot->place << PLACE_SHIFT) >> ext->cache.block_shift);
        found.slot->place = REMOVED;
        directory->index->names--;
        note_room(ext, directory->index, logical, found.block);
    }
    changed(ext, directory, found.block);
    node_touch(ext, directory, TIME_MODIFIED | TIME_CHANGED);
    return FTL_OK;
}

/* A listing. */

struct listing {
    struct ext *ext;
    uint64_t base, cursor; /* of the block; entries before this are not wanted */
    entry_visitor_t visit;
    void *context;
};

static enum file_kind kind_of(struct ext *ext, const struct ext2_dir_entry *entry)
{
    struct ext2_inode inode;
    switch (ext2fs_dirent_file_type(entry)) {
    case EXT2_FT_REG_FILE: return FILE_KIND_REGULAR;
    case EXT2_FT_DIR: return FILE_KIND_DIRECTORY;
    case EXT2_FT_SYMLINK: return FILE_KIND_SYMBOLIC_LINK;
    case EXT2_FT_UNKNOWN: break;
    default: return FILE_KIND_OTHER;
    }
    /* Only old file systems do not say it here. */
    if (ext2fs_read_inode(ext->fs, entry->inode, &inode) != 0) {
        return FILE_KIND_OTHER;
    }
    switch (inode.i_mode & LINUX_S_IFMT) {
    case LINUX_S_IFREG: return FILE_KIND_REGULAR;
    case LINUX_S_IFDIR: return FILE_KIND_DIRECTORY;
    case LINUX_S_IFLNK: return FILE_KIND_SYMBOLIC_LINK;
    default: return FILE_KIND_OTHER;
    }
}

static ftl_status_t list_entry(struct ext *ext, struct block *block, uint32_t offset, void *context)
{
    struct listing *listing = context;
    const struct ext2_dir_entry *entry = entry_at(block, offset);
    char name[EXT2_NAME_LEN + 1];
    if (entry->inode == 0 || listing->base + offset < listing->cursor) {
        return FTL_OK;
    }
    size_t length = (size_t)ext2fs_dirent_name_len(entry);
    memcpy(name, entry->name, length);
    name[length] = '\0';
    if (memchr(name, '\0', length) != NULL || memchr(name, '/', length) != NULL) {
        return FTL_ERR_BAD_FORMAT;
    }
    /* Behind this entry, however long it grows, and before any that is put into its room. */
    uint64_t cursor = listing->base + offset + 1;
    return listing->visit(listing->context, name, entry->inode, kind_of(ext, entry), cursor)
               ? FTL_OK
               : FTL_ERR_EXISTS;
}

ftl_status_t directory_list(struct ext *ext, struct node *directory, uint64_t cursor,
                            entry_visitor_t visit, void *context)
{
    struct listing listing = { ext, 0, cursor, visit, context };
    ftl_status_t status = build_index(ext, directory);
    if (status != FTL_OK) {
        return status;
    }
    uint32_t blocks = count_blocks(ext, directory);
    for (uint64_t logical = cursor >> ext->cache.block_shift; logical < blocks; logical++) {
        struct block *block;
        listing.base = logical << ext->cache.block_shift;
        status = get_block(ext, directory, (uint32_t)logical, &block);
        status = status == FTL_OK ? for_each(ext, block, list_entry, &listing) : status;
        if (status != FTL_OK) {
            return status == FTL_ERR_EXISTS ? FTL_OK : status;
        }
    }
    return FTL_OK;
}
