/*
 * What the parts of the ext2/3/4 file system share: ext_cache.c keeps blocks of the disk,
 * ext_journal.c makes changes last, ext_space.c has free and used blocks and inodes, ext_map.c
 * knows where a file's blocks lie, ext_node.c has the inodes in use, ext_directory.c the names,
 * ext.c the rest. The formats of bitmaps, descriptors, inodes and extents, and their checksums, are
 * libext2fs's.
 */
#ifndef FILES_EXT_H
#define FILES_EXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h> /* which ext2fs.h relies on */

#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>

#include "backend.h"

struct links {
    struct links *next, *previous;
};

/*
 * What has yet to happen to a block in the cache. Every block is in the list of its state. The
 * order in which blocks get to the disk is what makes a crash harmless: DATA       of files: is
 * written to its place before the transaction is committed. RUNNING    changed by the transaction
 * that goes on: stays in the cache until that is committed. COMMITTED  in the journal; is written
 * to its place at the next checkpoint.
 */
enum block_state { BLOCK_CLEAN, BLOCK_DATA, BLOCK_RUNNING, BLOCK_COMMITTED, BLOCK_STATES };

struct block {
    struct links links; /* first */
    struct block *chain;
    uint64_t number;
    enum block_state state;
    bool is_journaled;  /* the journal holds a version since the last checkpoint */
    uint32_t directory; /* whose block it is, whose checksum it gets before it is written; or 0 */
    char *data;
};

struct cache {
    struct disk *disk;
    uint64_t block_count;
    uint32_t block_size, block_shift, sectors_per_block;
    struct links lists[BLOCK_STATES]; /* clean ones: the last used first */
    size_t counts[BLOCK_STATES];
    struct links unused;
    struct block **table;
    unsigned int table_shift;
    size_t total,
        limit; /* blocks in memory; the limit is exceeded only for what is RUNNING or COMMITTED */
    struct chunk *chunks; /* what their memory comes from */
    char *staging;        /* for pieces that are contiguous on the disk */
    size_t staging_blocks;
};

/* Where a piece of a file lies; physical 0: nowhere, it reads as zeros. */
struct run {
    uint64_t logical, physical, count;
    bool is_unwritten; /* allocated, but reads as zeros */
};

struct directory_index;

struct node {
    struct links links; /* first; of all that are not held, the last used first; or of orphans */
    struct node *chain;
    struct node *dirty_next;
    uint32_t number;
    uint32_t holds;
    bool is_dirty;  /* the inode has changed since it was written to its block */
    bool is_orphan; /* in the list on the disk of those to be freed or cut after a crash */
    struct ext2_inode_large inode;
    struct run run;       /* the last one looked up */
    uint64_t next_offset; /* where the last read ended */
    uint64_t next_block;  /* behind the last block that was allocated */
    uint64_t fresh_end;   /* while it is written: behind blocks that hold nothing of its own yet */
    struct directory_index *index;
};

struct journal;

#define NODE_TABLE 1024

struct ext {
    struct file_system base; /* first */
    struct disk *disk;
    ext2_filsys fs;
    struct cache cache;
    struct journal *journal; /* NULL: the file system has none */
    bool is_aborted;         /* the journal could not be written: nothing may change any more */
    bool is_marked;          /* on the disk it says that it was not unmounted */
    bool super_is_dirty;

    uint8_t *dirty_groups; /* GROUP_ bits */
    /* Freed blocks, which are still marked in fs->block_map so that nobody takes them: before the
     * transaction is committed, before the next checkpoint. */
    ext2fs_block_bitmap freed[2];
    uint64_t freed_count[2];

    struct node **nodes; /* by number */
    struct links idle_nodes, orphans;
    size_t idle_count;
    struct node *dirty_nodes;
    size_t index_bytes;
};

enum { GROUP_BLOCKS = 1, GROUP_INODES = 2, GROUP_DESCRIPTOR = 4 };
enum { FREED_UNCOMMITTED, FREED_JOURNALED };

static inline void links_init(struct links *list)
{
    list->next = list->previous = list;
}

static inline void links_remove(struct links *item)
{
    item->next->previous = item->previous;
    item->previous->next = item->next;
    item->next = item->previous = item;
}

static inline void links_insert(struct links *list, struct links *item)
{
    item->next = list->next;
    item->previous = list;
    list->next->previous = item;
    list->next = item;
}

/* What an error of libext2fs is to clients. */
ftl_status_t ext_status(errcode_t error);

/*
 * The cache. A block that was got is there at least until eight others have been. Numbers outside
 * the file system are BAD_FORMAT.
 */
ftl_status_t cache_create(struct cache *cache, struct disk *disk, uint32_t block_size,
                          uint64_t block_count);
void cache_destroy(struct cache *cache);
/* With its contents. If it is not there, up to `ahead` blocks are read with one request. */
ftl_status_t cache_get(struct cache *cache, uint64_t number, uint64_t ahead, struct block **block);
/* To be overwritten as a whole. */
ftl_status_t cache_get_fresh(struct cache *cache, uint64_t number, struct block **block);
/* Where it is, or NULL. */
struct block *cache_find(struct cache *cache, uint64_t number);
/* After a change: of a file's contents, or of anything else. */
void cache_changed_data(struct cache *cache, struct block *block);
void cache_changed(struct cache *cache, struct block *block);
void cache_set_state(struct cache *cache, struct block *block, enum block_state state);
/* Its contents do not matter any more. */
void cache_forget(struct cache *cache, uint64_t number);
/* Writes all blocks of a state to their places, which makes them clean. */
ftl_status_t cache_write(struct cache *cache, enum block_state state);
/* Whole blocks past the cache. */
ftl_status_t cache_disk_read(struct cache *cache, uint64_t number, size_t count, void *data);
ftl_status_t cache_disk_write(struct cache *cache, uint64_t number, size_t count, const void *data);
ftl_status_t cache_disk_flush(struct cache *cache);
extern struct struct_io_manager ext_io_manager;
/* The name by which libext2fs opens `ext`. */
#define EXT_NAME_SIZE 20
void ext_io_name(struct ext *ext, char name[EXT_NAME_SIZE]);

/*
 * Transactions: all that happens between two commits happens as a whole. An operation calls
 * transaction_begin first, with the number of blocks it may need.
 */
ftl_status_t transaction_begin(struct ext *ext, uint64_t blocks);
ftl_status_t transaction_commit(struct ext *ext);
/* In the middle of a long operation, in a state that may last: commits if there is much to. */
ftl_status_t transaction_continue(struct ext *ext);
/* Everything is in its place, nothing in the journal. */
ftl_status_t transaction_checkpoint(struct ext *ext);

/* Takes up the file system's journal and brings what it holds into place; `*problem` as in
 * ext_mount. */
ftl_status_t journal_open(struct ext *ext, const char **problem);
ftl_status_t journal_commit(struct ext *ext);
ftl_status_t journal_checkpoint(struct ext *ext);
ftl_status_t journal_close(struct ext *ext);
void journal_free(struct ext *ext);
/* Blocks that a transaction may have. */
size_t journal_room(const struct ext *ext);

/* Space. Both kinds of freed blocks may be taken again. */
ftl_status_t space_open(struct ext *ext);
void space_close(struct ext *ext);
void space_release_freed(struct ext *ext, int kind);
ftl_status_t space_allocate(struct ext *ext, uint64_t goal, uint64_t wanted, uint64_t *start,
                            uint64_t *count);
void space_free(struct ext *ext, uint64_t start, uint64_t count);
ftl_status_t space_allocate_inode(struct ext *ext, uint32_t directory, uint32_t mode,
                                  uint32_t *number);
void space_free_inode(struct ext *ext, uint32_t number, bool is_directory);
ftl_status_t space_write(struct ext *ext);
ftl_status_t super_write_now(struct ext *ext, bool is_in_use);

/* Contents of files. */
ftl_status_t map_look_up(struct ext *ext, struct node *node, uint64_t logical, struct run *run);
/* Makes a run of up to `wanted` blocks for a place where there is nothing written. */
ftl_status_t map_allocate(struct ext *ext, struct node *node, uint64_t logical, uint64_t wanted,
                          struct run *run);
/* Frees all from a block on; `end` is the block behind the last that there may be many up to. */
ftl_status_t map_cut(struct ext *ext, struct node *node, uint64_t logical, uint64_t end);
uint64_t map_size_max(const struct ext *ext, const struct node *node);

/* Nodes. */
ftl_status_t node_get(struct ext *ext, uint32_t number, struct node **node);
ftl_status_t node_create(struct ext *ext, struct node *directory, uint32_t mode,
                         struct node **node);
void node_changed(struct ext *ext, struct node *node);
/* Of a new one: it has extents. */
void node_use_extents(struct node *node);
ftl_status_t node_write(struct ext *ext, struct node *node);
ftl_status_t node_write_all(struct ext *ext);
void node_release(struct ext *ext, struct node *node);
/* It has no name any more: it goes when nobody holds it. */
void node_unnamed(struct ext *ext, struct node *node);
ftl_status_t node_truncate(struct ext *ext, struct node *node, uint64_t size);
ftl_status_t node_free_orphans(struct ext *ext);
void node_free_all(struct ext *ext);
enum { TIME_ACCESSED = 1, TIME_MODIFIED = 2, TIME_CHANGED = 4 };
void node_touch(struct ext *ext, struct node *node, unsigned int times);
void node_set_time(struct ext *ext, struct node *node, unsigned int times, ftl_nsec_t time);
ftl_nsec_t node_time(const struct ext *ext, const struct node *node, unsigned int which);
uint64_t node_size(const struct node *node);
void node_set_size(struct node *node, uint64_t size);
static inline bool node_is(const struct node *node, uint32_t type)
{
    return (node->inode.i_mode & LINUX_S_IFMT) == type;
}
static inline struct ext2_inode *node_inode(struct node *node)
{
    return (struct ext2_inode *)&node->inode;
}

/* Directories. */
ftl_status_t directory_find(struct ext *ext, struct node *directory, const char *name,
                            uint32_t *number);
ftl_status_t directory_parent(struct ext *ext, struct node *directory, uint32_t *number);
ftl_status_t directory_set_parent(struct ext *ext, struct node *directory, uint32_t number);
ftl_status_t directory_add(struct ext *ext, struct node *directory, const char *name,
                           const struct node *node);
/* Has the name lead somewhere else; NULL: removes it. */
ftl_status_t directory_change(struct ext *ext, struct node *directory, const char *name,
                              const struct node *node);
ftl_status_t directory_is_empty(struct ext *ext, struct node *directory, bool *is_empty);
ftl_status_t directory_make(struct ext *ext, struct node *directory, uint32_t parent);
ftl_status_t directory_list(struct ext *ext, struct node *directory, uint64_t cursor,
                            entry_visitor_t visit, void *context);
void directory_forget(struct ext *ext, struct node *directory);

#endif
