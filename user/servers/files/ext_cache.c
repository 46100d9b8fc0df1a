/*
 * The block cache of an ext file system: a hash table over blocks, lists by what has yet to be
 * done with them, and libext2fs's way to the disk through it. Runs of blocks that are contiguous on
 * the disk are read and written with one request.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ext.h"

#define CACHE_BYTES   (8u << 20)
#define STAGING_BYTES (128u << 10)
#define CHUNK_BLOCKS  32
/* Of clean blocks, those used last are not evicted: who got one may still be at it. */
#define CLEAN_MIN 48

struct chunk {
    struct chunk *next;
    struct block blocks[CHUNK_BLOCKS];
    char *data;
};

static size_t hash(const struct cache *cache, uint64_t number)
{
    return (size_t)((number * UINT64_C(0x9e3779b97f4a7c15)) >> cache->table_shift);
}

ftl_status_t cache_create(struct cache *cache, struct disk *disk, uint32_t block_size,
                          uint64_t block_count)
{
    *cache = (struct cache){ .disk = disk, .block_count = block_count, .block_size = block_size };
    cache->block_shift = (uint32_t)__builtin_ctz(block_size);
    cache->sectors_per_block = block_size / disk->sector_size;
    cache->limit = CACHE_BYTES / block_size;
    cache->staging_blocks = STAGING_BYTES / block_size;
    for (int state = 0; state < BLOCK_STATES; state++) {
        links_init(&cache->lists[state]);
    }
    links_init(&cache->unused);
    cache->table_shift = 64u - (unsigned int)__builtin_ctzll(cache->limit * 2);
    cache->table = calloc(cache->limit * 2, sizeof(struct block *));
    cache->staging = malloc(STAGING_BYTES);
    if (cache->table == NULL || cache->staging == NULL) {
        cache_destroy(cache);
        return FTL_ERR_NO_MEMORY;
    }
    return FTL_OK;
}

void cache_destroy(struct cache *cache)
{
    while (cache->chunks != NULL) {
        struct chunk *chunk = cache->chunks;
        cache->chunks = chunk->next;
        free(chunk->data);
        free(chunk);
    }
    free(cache->table);
    free(cache->staging);
    cache->table = NULL;
    cache->staging = NULL;
}

ftl_status_t cache_disk_read(struct cache *cache, uint64_t number, size_t count, void *data)
{
    return cache->disk->operations->read(cache->disk, number * cache->sectors_per_block,
                                         (uint32_t)count * cache->sectors_per_block, data);
}

ftl_status_t cache_disk_write(struct cache *cache, uint64_t number, size_t count, const void *data)
{
    return cache->disk->operations->write(cache->disk, number * cache->sectors_per_block,
                                          (uint32_t)count * cache->sectors_per_block, data);
}

ftl_status_t cache_disk_flush(struct cache *cache)
{
    return cache->disk->operations->flush(cache->disk);
}

struct block *cache_find(struct cache *cache, uint64_t number)
{
    struct block *block = cache->table[hash(cache, number)];
    while (block != NULL && block->number != number) {
        block = block->chain;
    }
    return block;
}

static void enter(struct cache *cache, struct block *block, uint64_t number)
{
    struct block **head = &cache->table[hash(cache, number)];
    block->number = number;
    block->state = BLOCK_CLEAN;
    block->is_journaled = false;
    block->directory = 0;
    block->chain = *head;
    *head = block;
    links_insert(&cache->lists[BLOCK_CLEAN], &block->links);
    cache->counts[BLOCK_CLEAN]++;
}

static void leave(struct cache *cache, struct block *block)
{
    struct block **link = &cache->table[hash(cache, block->number)];
    while (*link != block) {
        link = &(*link)->chain;
    }
    *link = block->chain;
    cache->counts[block->state]--;
    links_remove(&block->links);
    links_insert(&cache->unused, &block->links);
}

static ftl_status_t grow(struct cache *cache)
{
    struct chunk *chunk = calloc(1, sizeof(*chunk));
    char *data = malloc((size_t)CHUNK_BLOCKS * cache->block_size);
    if (chunk == NULL || data == NULL) {
        free(chunk);
        free(data);
        return FTL_ERR_NO_MEMORY;
    }
    chunk->data = data;
    chunk->next = cache->chunks;
    cache->chunks = chunk;
    for (size_t i = 0; i < CHUNK_BLOCKS; i++) {
        chunk->blocks[i].data = data + i * cache->block_size;
        links_insert(&cache->unused, &chunk->blocks[i].links);
    }
    cache->total += CHUNK_BLOCKS;
    return FTL_OK;
}

/* Has an unused block, first by evicting what is clean, if there are many. */
static ftl_status_t make_room(struct cache *cache)
{
    if (cache->unused.next != &cache->unused) {
        return FTL_OK;
    }
    if (cache->total >= cache->limit) {
        if (cache->counts[BLOCK_CLEAN] <= CLEAN_MIN && cache->counts[BLOCK_DATA] > 0) {
            ftl_status_t status = cache_write(cache, BLOCK_DATA);
            if (status != FTL_OK) {
                return status;
            }
        }
        if (cache->counts[BLOCK_CLEAN] > CLEAN_MIN) {
            leave(cache, (struct block *)cache->lists[BLOCK_CLEAN].previous);
            return FTL_OK;
        }
    }
    ftl_status_t status = grow(cache);
    if (status != FTL_OK && cache->counts[BLOCK_CLEAN] > CLEAN_MIN) {
        leave(cache, (struct block *)cache->lists[BLOCK_CLEAN].previous);
        status = FTL_OK;
    }
    return status;
}

static ftl_status_t add(struct cache *cache, uint64_t number, struct block **block)
{
    ftl_status_t status = make_room(cache);
    if (status != FTL_OK) {
        return status;
    }
    *block = (struct block *)cache->unused.next;
    links_remove(&(*block)->links);
    enter(cache, *block, number);
    return FTL_OK;
}

static void use(struct cache *cache, struct block *block)
{
    if (block->state == BLOCK_CLEAN && cache->lists[BLOCK_CLEAN].next != &block->links) {
        links_remove(&block->links);
        links_insert(&cache->lists[BLOCK_CLEAN], &block->links);
    }
}

/* Reads blocks that are not there, the first of them last, so that it is the last used. */
static ftl_status_t read_run(struct cache *cache, uint64_t number, size_t count,
                             struct block **block)
{
    ftl_status_t status = cache_disk_read(cache, number, count, cache->staging);
    if (status != FTL_OK && count > 1) {
        count = 1; /* what nobody has asked for yet may be unreadable */
        status = cache_disk_read(cache, number, count, cache->staging);
    }
    for (size_t i = count; status == FTL_OK && i-- > 0;) {
        /* Room for one may be made by writing through the staging memory: only with the first. */
        if (i + 1 < count && cache->unused.next == &cache->unused &&
            cache->counts[BLOCK_CLEAN] <= CLEAN_MIN) {
            return cache_get(cache, number, 1, block);
        }
        status = add(cache, number + i, block);
        if (status == FTL_OK) {
            memcpy((*block)->data, cache->staging + i * cache->block_size, cache->block_size);
        }
    }
    return status;
}

ftl_status_t cache_get(struct cache *cache, uint64_t number, uint64_t ahead, struct block **block)
{
    *block = cache_find(cache, number);
    if (*block != NULL) {
        use(cache, *block);
        return FTL_OK;
    }
    if (number >= cache->block_count) {
        return FTL_ERR_BAD_FORMAT;
    }
    if (ahead > cache->staging_blocks) {
        ahead = cache->staging_blocks;
    }
    if (ahead > cache->block_count - number) {
        ahead = cache->block_count - number;
    }
    size_t count = 1;
    while (count < ahead && cache_find(cache, number + count) == NULL) {
        count++;
    }
    ftl_status_t status = make_room(cache);
    if (status != FTL_OK) {
        return status;
    }
    return read_run(cache, number, count, block);
}

ftl_status_t cache_get_fresh(struct cache *cache, uint64_t number, struct block **block)
{
    *block = cache_find(cache, number);
    if (*block != NULL) {
        use(cache, *block);
        return FTL_OK;
    }
    return number < cache->block_count ? add(cache, number, block) : FTL_ERR_BAD_FORMAT;
}

void cache_set_state(struct cache *cache, struct block *block, enum block_state state)
{
    cache->counts[block->state]--;
    links_remove(&block->links);
    block->state = state;
    cache->counts[state]++;
    links_insert(&cache->lists[state], &block->links);
}

void cache_changed_data(struct cache *cache, struct block *block)
{
    /* What the journal has a version of must not be written past it. */
    if (block->is_journaled) {
        cache_changed(cache, block);
    } else if (block->state != BLOCK_DATA) {
        cache_set_state(cache, block, BLOCK_DATA);
    }
}

void cache_changed(struct cache *cache, struct block *block)
{
    if (block->state != BLOCK_RUNNING) {
        cache_set_state(cache, block, BLOCK_RUNNING);
    }
}

void cache_forget(struct cache *cache, uint64_t number)
{
    struct block *block = cache_find(cache, number);
    if (block != NULL) {
        leave(cache, block);
    }
}

static int compare(const void *left, const void *right)
{
    uint64_t a = (*(struct block *const *)left)->number;
    uint64_t b = (*(struct block *const *)right)->number;
    return (a > b) - (a < b);
}

static ftl_status_t write_run(struct cache *cache, struct block **blocks, size_t count)
{
    const char *data = blocks[0]->data;
    if (count > 1) {
        data = cache->staging;
        for (size_t i = 0; i < count; i++) {
            memcpy(cache->staging + i * cache->block_size, blocks[i]->data, cache->block_size);
        }
    }
    ftl_status_t status = cache_disk_write(cache, blocks[0]->number, count, data);
    for (size_t i = 0; status == FTL_OK && i < count; i++) {
        blocks[i]->is_journaled = false;
        cache_set_state(cache, blocks[i], BLOCK_CLEAN);
    }
    return status;
}

ftl_status_t cache_write(struct cache *cache, enum block_state state)
{
    size_t count = 0;
    if (cache->counts[state] == 0) {
        return FTL_OK;
    }
    struct block **blocks = malloc(cache->counts[state] * sizeof(struct block *));
    if (blocks == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    for (struct links *item = cache->lists[state].next; item != &cache->lists[state];
         item = item->next) {
        blocks[count++] = (struct block *)item;
    }
    qsort(blocks, count, sizeof(struct block *), compare);
    ftl_status_t result = FTL_OK;
    for (size_t first = 0; first < count;) {
        size_t run = 1;
        while (first + run < count && run < cache->staging_blocks &&
               blocks[first + run]->number == blocks[first]->number + run) {
            run++;
        }
        ftl_status_t status = write_run(cache, &blocks[first], run);
        result = result == FTL_OK ? status : result;
        first += run;
    }
    free(blocks);
    return result;
}

/* libext2fs's disk. Its channel's blocks are at first of 1024 bytes, then of the file system's
 * size. */

ftl_status_t ext_status(errcode_t error)
{
    switch (error) {
    case 0: return FTL_OK;
    case EIO:
    case EXT2_ET_SHORT_READ:
    case EXT2_ET_SHORT_WRITE:
    case EXT2_ET_GDESC_READ:
    case EXT2_ET_GDESC_WRITE:
    case EXT2_ET_BLOCK_BITMAP_READ:
    case EXT2_ET_BLOCK_BITMAP_WRITE:
    case EXT2_ET_INODE_BITMAP_READ:
    case EXT2_ET_INODE_BITMAP_WRITE:
    case EXT2_ET_INODE_TABLE_READ:
    case EXT2_ET_INODE_TABLE_WRITE: return FTL_ERR_IO;
    case ENOMEM:
    case EXT2_ET_NO_MEMORY: return FTL_ERR_NO_MEMORY;
    case ENOSPC:
    case EXT2_ET_BLOCK_ALLOC_FAIL:
    case EXT2_ET_INODE_ALLOC_FAIL: return FTL_ERR_NO_SPACE;
    case EXT2_ET_FILE_TOO_BIG: return FTL_ERR_TOO_LARGE;
    case EXT2_ET_RO_FILSYS: return FTL_ERR_READ_ONLY;
    default: return FTL_ERR_BAD_FORMAT;
    }
}

static errcode_t to_error(ftl_status_t status)
{
    switch (status) {
    case FTL_OK: return 0;
    case FTL_ERR_NO_MEMORY: return EXT2_ET_NO_MEMORY;
    case FTL_ERR_BAD_FORMAT: return EXT2_ET_BAD_BLOCK_NUM;
    default: return EIO;
    }
}

void ext_io_name(struct ext *ext, char name[EXT_NAME_SIZE])
{
    snprintf(name, EXT_NAME_SIZE, "%zx", (size_t)ext);
}

static errcode_t io_open(const char *name, int flags, io_channel *channel)
{
    io_channel new = calloc(1, sizeof(*new));
    char *copy = strdup(name);
    (void)flags;
    if (new == NULL || copy == NULL) {
        free(new);
        free(copy);
        return EXT2_ET_NO_MEMORY;
    }
    new->magic = EXT2_ET_MAGIC_IO_CHANNEL;
    new->manager = &ext_io_manager;
    new->name = copy;
    new->block_size = 1024;
    new->refcount = 1;
    new->private_data = (void *)strtoull(name, NULL, 16);
    *channel = new;
    return 0;
}

static errcode_t io_close(io_channel channel)
{
    if (--channel->refcount == 0) {
        free(channel->name);
        free(channel);
    }
    return 0;
}

static errcode_t io_set_block_size(io_channel channel, int size)
{
    channel->block_size = size;
    return 0;
}

/* One transfer of up to a block at a time. */
static errcode_t io_move(io_channel channel, uint64_t offset, size_t size, char *to,
                         const char *from)
{
    struct cache *cache = &((struct ext *)channel->private_data)->cache;
    while (size > 0) {
        struct block *block;
        size_t within = offset & (cache->block_size - 1);
        size_t piece = size < cache->block_size - within ? size : cache->block_size - within;
        uint64_t number = offset >> cache->block_shift;
        bool is_fresh = from != NULL && piece == cache->block_size;
        bool was_there = !is_fresh || cache_find(cache, number) != NULL;
        ftl_status_t status = is_fresh
                                  ? cache_get_fresh(cache, number, &block)
                                  : cache_get(cache, number, size >> cache->block_shift, &block);
        if (status != FTL_OK) {
            return to_error(status);
        }
        if (to != NULL) {
            memcpy(to, block->data + within, piece);
            to += piece;
        } else if (from != NULL) {
            if (!was_there || memcmp(block->data + within, from, piece) != 0) {
                memcpy(block->data + within, from, piece);
                cache_changed(cache, block);
            }
            from += piece;
        }
        offset += piece;
        size -= piece;
    }
    return 0;
}

/* A negative count is one of bytes. */
static size_t io_bytes(io_channel channel, int count)
{
    return count < 0 ? (size_t)-count : (size_t)count * (size_t)channel->block_size;
}

static errcode_t io_read(io_channel channel, unsigned long long number, int count, void *data)
{
    if (number > UINT64_MAX / 2 / (uint64_t)channel->block_size) {
        return EXT2_ET_BAD_BLOCK_NUM;
    }
    return io_move(channel, number * (uint64_t)channel->block_size, io_bytes(channel, count), data,
                   NULL);
}

static errcode_t io_write(io_channel channel, unsigned long long number, int count,
                          const void *data)
{
    if (number > UINT64_MAX / 2 / (uint64_t)channel->block_size) {
        return EXT2_ET_BAD_BLOCK_NUM;
    }
    return io_move(channel, number * (uint64_t)channel->block_size, io_bytes(channel, count), NULL,
                   data);
}

static errcode_t io_read_32(io_channel channel, unsigned long number, int count, void *data)
{
    return io_read(channel, number, count, data);
}

static errcode_t io_write_32(io_channel channel, unsigned long number, int count, const void *data)
{
    return io_write(channel, number, count, data);
}

static errcode_t io_flush(io_channel channel)
{
    (void)channel; /* what is to last, and when, transactions decide */
    return 0;
}

struct struct_io_manager ext_io_manager = {
    .magic = EXT2_ET_MAGIC_IO_MANAGER,
    .name = "cache",
    .open = io_open,
    .close = io_close,
    .set_blksize = io_set_block_size,
    .read_blk = io_read_32,
    .write_blk = io_write_32,
    .read_blk64 = io_read,
    .write_blk64 = io_write,
    .flush = io_flush,
};

/* In place of libext2fs's own, which is in one file with what makes journals, and writes a block at
 * a time. */
errcode_t ext2fs_zero_blocks2(ext2_filsys fs, blk64_t number, int count, blk64_t *failed,
                              int *failed_count)
{
    for (; count > 0; count--, number++) { /* with none, as its own is told to free what it has */
        struct cache *cache = &((struct ext *)fs->io->private_data)->cache;
        struct block *block;
        ftl_status_t status = cache_get_fresh(cache, number, &block);
        if (status != FTL_OK) {
            if (failed != NULL && failed_count != NULL) {
                *failed = number;
                *failed_count = count;
            }
            return to_error(status);
        }
        memset(block->data, 0, cache->block_size);
        cache_changed(cache, block);
    }
    return 0;
}

/* Names without regard to case are none of the features that can be mounted. */
const struct ext2fs_nls_table *ext2fs_load_nls_table(int encoding)
{
    (void)encoding;
    return NULL;
}

/* libext2fs warns of bits out of range, which it then leaves alone. */
void com_err(const char *who, long code, const char *format, ...)
{
    (void)who;
    (void)code;
    (void)format;
}
