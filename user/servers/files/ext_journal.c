/*
 * Transactions of an ext file system, and its journal in the format of jbd2. A transaction is
 * written to the journal as a whole, ended by a commit block: what comes before that lasts before
 * the commit block is written, and what it says holds as soon as it lasts. Blocks get to their own
 * places at a checkpoint, before which nothing of the journal is overwritten. Checkpoints follow
 * commits, so that no block has changed since.
 *
 * Blocks that are freed are not used again before that is safe (ext_space.c), so that no revoke
 * records are written; those of others are obeyed.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ext.h"

/* The journal's format is big-endian. */
#define JOURNAL_MAGIC 0xc03b3998u
enum { DESCRIPTOR = 1, COMMIT = 2, SUPERBLOCK_1 = 3, SUPERBLOCK_2 = 4, REVOKE = 5 };
enum { TAG_ESCAPED = 1, TAG_SAME_UUID = 2, TAG_LAST = 8 };
enum {
    FEATURE_REVOKE = 1,
    FEATURE_64BIT = 2,
    FEATURE_ASYNC_COMMIT = 4,
    FEATURE_CHECKSUM_2 = 8,
    FEATURE_CHECKSUM_3 = 16,
    FEATURE_FAST_COMMIT = 32,
    FEATURES_KNOWN = 63
};
#define CHECKSUM_CRC32C    4
#define UUID_BYTES         16
#define TAIL_BYTES         4
#define FAST_COMMIT_BLOCKS 256
#define LOG_BLOCKS_MIN     64

struct log_header {
    uint32_t magic, type, sequence;
};

struct log_superblock {
    struct log_header header;
    uint32_t block_size, length, first, sequence, start, error;
    uint32_t features_compatible, features, features_read_only;
    uint8_t uuid[UUID_BYTES];
    uint32_t users, dynamic_superblock, transaction_max, data_max;
    uint8_t checksum_type, reserved[3];
    uint32_t fast_commit_blocks, reserved2[41], checksum;
    uint8_t user_ids[768];
};
_Static_assert(sizeof(struct log_superblock) == 1024, "as on the disk");

struct log_commit {
    struct log_header header;
    uint8_t checksum_type, checksum_size, reserved[2];
    uint32_t checksum[8];
    uint64_t seconds;
    uint32_t nanoseconds;
};

struct tag {
    uint64_t number;
    uint32_t flags, checksum;
};

struct journal {
    struct log_superblock super;
    struct run *runs; /* where the journal's blocks are */
    size_t run_count;
    uint32_t first, end; /* of the log, in blocks of the journal */
    uint32_t head, used; /* the next block to be written; how many before it are in use */
    uint32_t sequence;   /* of the transaction that goes on */
    uint32_t seed;       /* of checksums */
    uint32_t tag_bytes, tags_max;
    bool has_checksums;
    bool is_started; /* the superblock on the disk says where the log starts */
    char *buffer;    /* a block */
};

static uint32_t big32(uint32_t value)
{
    return __builtin_bswap32(value);
}

static uint64_t to_disk(const struct journal *journal, uint32_t block)
{
    size_t low = 0;
    for (size_t high = journal->run_count; high - low > 1;) {
        size_t middle = (low + high) / 2;
        if (journal->runs[middle].logical <= block) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return journal->runs[low].physical + (block - journal->runs[low].logical);
}

static uint32_t after(const struct journal *journal, uint32_t block)
{
    return block + 1 == journal->end ? journal->first : block + 1;
}

static ftl_status_t read_log(struct ext *ext, uint32_t block, void *data)
{
    return cache_disk_read(&ext->cache, to_disk(ext->journal, block), 1, data);
}

static uint32_t checksum_of(const struct journal *journal, const void *data, size_t size)
{
    return ext2fs_crc32c_le(journal->seed, data, size);
}

static uint32_t block_checksum(const struct journal *journal, uint32_t sequence, const void *data,
                               size_t size)
{
    uint32_t big = big32(sequence);
    uint32_t sum = ext2fs_crc32c_le(journal->seed, (const unsigned char *)&big, sizeof(big));
    return ext2fs_crc32c_le(sum, data, size);
}

/* The journal's superblock, where the log starts or 0. */
static ftl_status_t write_super(struct ext *ext, uint32_t start)
{
    struct journal *journal = ext->journal;
    struct log_superblock *super = &journal->super;
    super->sequence = big32(journal->sequence);
    super->start = big32(start);
    super->checksum = 0;
    if (journal->has_checksums) {
        super->checksum =
            big32(ext2fs_crc32c_le(~0u, (const unsigned char *)super, sizeof(*super)));
    }
    ftl_status_t status = read_log(ext, 0, journal->buffer);
    if (status == FTL_OK) {
        memcpy(journal->buffer, super, sizeof(*super));
        status = cache_disk_write(&ext->cache, to_disk(journal, 0), 1, journal->buffer);
    }
    journal->is_started = status == FTL_OK && start != 0;
    return status;
}

/* Replay. */

struct revoked {
    uint64_t number;
    uint32_t sequence;
};

struct replay {
    struct ext *ext;
    bool has_tails, has_checksum_3;
    uint32_t tag_bytes;
    struct revoked *revoked;
    size_t revoked_count, revoked_room;
    const char *problem;
};

static void read_tag(const struct replay *replay, const char *at, struct tag *tag)
{
    uint32_t words[4] = { 0 };
    memcpy(words, at, replay->tag_bytes < 16 ? replay->tag_bytes : 16);
    tag->number = big32(words[0]);
    tag->checksum = big32(words[3]);
    if (replay->has_checksum_3) {
        tag->flags = big32(words[1]);
    } else {
        tag->flags = big32(words[1]) & 0xffff;
    }
    if (replay->ext->journal->super.features & big32(FEATURE_64BIT)) {
        tag->number |= (uint64_t)big32(words[2]) << 32;
    }
}

static bool tail_is_right(const struct replay *replay, char *block)
{
    uint32_t size = replay->ext->cache.block_size;
    uint32_t found;
    if (!replay->has_tails) {
        return true;
    }
    char *tail = block + size - TAIL_BYTES;
    memcpy(&found, tail, TAIL_BYTES);
    memset(tail, 0, TAIL_BYTES);
    bool is_right = big32(found) == checksum_of(replay->ext->journal, block, size);
    memcpy(tail, &found, TAIL_BYTES);
    return is_right;
}

static bool commit_is_right(const struct replay *replay, char *block)
{
    struct log_commit *commit = (struct log_commit *)block;
    if (!replay->has_tails) {
        return true;
    }
    uint32_t found = commit->checksum[0];
    commit->checksum[0] = 0;
    return big32(found) == checksum_of(replay->ext->journal, block, replay->ext->cache.block_size);
}

static int compare_revoked(const void *left, const void *right)
{
    const struct revoked *a = left, *b = right;
    if (a->number != b->number) {
        return a->number < b->number ? -1 : 1;
    }
    return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

static ftl_status_t collect_revoked(struct replay *replay, const char *block, uint32_t sequence)
{
    uint32_t end, size = replay->ext->cache.block_size;
    size_t width = replay->ext->journal->super.features & big32(FEATURE_64BIT) ? 8 : 4;
    memcpy(&end, block + sizeof(struct log_header), sizeof(end));
    end = big32(end);
    if (end > size) {
        return FTL_ERR_BAD_FORMAT;
    }
    for (size_t at = sizeof(struct log_header) + 4; at + width <= end; at += width) {
        uint32_t words[2];
        memcpy(words, block + at, width);
        if (replay->revoked_count == replay->revoked_room) {
            size_t room = replay->revoked_room * 2 + 256;
            struct revoked *more = realloc(replay->revoked, room * sizeof(*more));
            if (more == NULL) {
                return FTL_ERR_NO_MEMORY;
            }
            replay->revoked = more;
            replay->revoked_room = room;
        }
        uint64_t number =
            width == 8 ? (uint64_t)big32(words[0]) << 32 | big32(words[1]) : big32(words[0]);
        replay->revoked[replay->revoked_count++] = (struct revoked){ number, sequence };
    }
    return FTL_OK;
}

/* Whether a later or the same transaction says that the block is not to be restored. */
static bool is_revoked(const struct replay *replay, uint64_t number, uint32_t sequence)
{
    size_t low = 0;
    for (size_t high = replay->revoked_count; low < high;) { /* the first behind the number */
        size_t middle = (low + high) / 2;
        if (replay->revoked[middle].number <= number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 && replay->revoked[low - 1].number == number &&
           (int32_t)(replay->revoked[low - 1].sequence - sequence) >= 0;
}

static ftl_status_t restore(struct replay *replay, uint32_t place, const struct tag *tag,
                            uint32_t sequence)
{
    struct ext *ext = replay->ext;
    struct cache *cache = &ext->cache;
    struct block *block;
    if (is_revoked(replay, tag->number, sequence)) {
        return FTL_OK;
    }
    if (cache->counts[BLOCK_COMMITTED] >= cache->limit / 2) {
        if (ext->base.is_read_only) {
            replay->problem = "its journal holds too much to be read without being written back";
            return FTL_ERR_BAD_FORMAT;
        }
        ftl_status_t status = cache_write(cache, BLOCK_COMMITTED);
        if (status != FTL_OK) {
            return status;
        }
    }
    ftl_status_t status = cache_get_fresh(cache, tag->number, &block);
    if (status == FTL_OK) {
        status = read_log(ext, place, block->data);
        if (status == FTL_OK && replay->has_checksum_3 &&
            tag->checksum !=
                block_checksum(ext->journal, sequence, block->data, cache->block_size)) {
            status = FTL_ERR_BAD_FORMAT;
        }
        if (status != FTL_OK) {
            cache_forget(cache, tag->number);
            return status;
        }
        if (tag->flags & TAG_ESCAPED) {
            uint32_t magic = big32(JOURNAL_MAGIC);
            memcpy(block->data, &magic, sizeof(magic));
        }
        cache_set_state(cache, block, BLOCK_COMMITTED);
    }
    return status;
}

enum pass { PASS_SCAN, PASS_REVOKE, PASS_REPLAY };

/* The blocks of one descriptor, from `*place` on. */
static ftl_status_t pass_descriptor(struct replay *replay, enum pass pass, const char *block,
                                    uint32_t sequence, uint32_t *place, uint32_t *visited)
{
    struct journal *journal = replay->ext->journal;
    size_t end = replay->ext->cache.block_size - (replay->has_tails ? TAIL_BYTES : 0);
    size_t at = sizeof(struct log_header);
    struct tag tag = { 0 };
    while (!(tag.flags & TAG_LAST) && at + replay->tag_bytes <= end) {
        read_tag(replay, block + at, &tag);
        at += replay->tag_bytes + (tag.flags & TAG_SAME_UUID ? 0 : UUID_BYTES);
        if (pass == PASS_REPLAY) {
            ftl_status_t status = restore(replay, *place, &tag, sequence);
            if (status != FTL_OK) {
                return status;
            }
        }
        *place = after(journal, *place);
        ++*visited;
    }
    return FTL_OK;
}

/* Goes through transactions up to `*end`, or finds it, with PASS_SCAN. */
static ftl_status_t run_pass(struct replay *replay, enum pass pass, uint32_t *end)
{
    struct journal *journal = replay->ext->journal;
    uint32_t sequence = big32(journal->super.sequence);
    uint32_t place = big32(journal->super.start);
    uint32_t length = journal->end - journal->first;
    ftl_status_t status = FTL_OK;
    for (uint32_t visited = 0; status == FTL_OK && visited < length; visited++) {
        struct log_header header;
        if (pass != PASS_SCAN && sequence == *end) {
            break;
        }
        status = read_log(replay->ext, place, journal->buffer);
        if (status != FTL_OK) {
            break;
        }
        memcpy(&header, journal->buffer, sizeof(header));
        if (header.magic != big32(JOURNAL_MAGIC) || header.sequence != big32(sequence)) {
            break;
        }
        place = after(journal, place);
        if (header.type == big32(DESCRIPTOR)) {
            if (!tail_is_right(replay, journal->buffer)) {
                break;
            }
            /* Restoring reads further blocks, but not to this buffer. */
            status = pass_descriptor(replay, pass, journal->buffer, sequence, &place, &visited);
        } else if (header.type == big32(REVOKE)) {
            if (!tail_is_right(replay, journal->buffer)) {
                break;
            }
            if (pass == PASS_REVOKE) {
                status = collect_revoked(replay, journal->buffer, sequence);
            }
        } else if (header.type == big32(COMMIT) && commit_is_right(replay, journal->buffer)) {
            sequence++;
        } else {
            break;
        }
    }
    if (pass == PASS_SCAN) {
        *end = sequence;
    }
    return status;
}

static ftl_status_t replay_log(struct ext *ext, const char **problem)
{
    struct journal *journal = ext->journal;
    uint32_t end = 0;
    uint32_t features = big32(journal->super.features);
    struct replay replay = { .ext = ext };
    replay.has_checksum_3 = features & FEATURE_CHECKSUM_3;
    replay.has_tails = features & (FEATURE_CHECKSUM_2 | FEATURE_CHECKSUM_3);
    journal->has_checksums = replay.has_tails; /* of its superblock, too */
    replay.tag_bytes = features & FEATURE_64BIT ? 12 : 8;
    if (replay.has_checksum_3) {
        replay.tag_bytes = 16;
    } else if (replay.has_tails) {
        replay.tag_bytes += 2;
    }
    if (features & FEATURE_FAST_COMMIT) {
        *problem = "its journal has fast commits: e2fsck can bring them in";
        return FTL_ERR_BAD_FORMAT;
    }
    replay.problem = "its journal is damaged: e2fsck may help";
    uint32_t start = big32(journal->super.start);
    ftl_status_t status =
        start < journal->first || start >= journal->end ? FTL_ERR_BAD_FORMAT : FTL_OK;
    for (enum pass pass = PASS_SCAN; status == FTL_OK && pass <= PASS_REPLAY; pass++) {
        status = run_pass(&replay, pass, &end);
        if (pass == PASS_REVOKE && replay.revoked_count > 0) {
            qsort(replay.revoked, replay.revoked_count, sizeof(struct revoked), compare_revoked);
        }
    }
    free(replay.revoked);
    if (status == FTL_OK) {
        journal->sequence = end + 1;
        if (!ext->base.is_read_only) {
            status = cache_write(&ext->cache, BLOCK_COMMITTED);
            status = status == FTL_OK ? cache_disk_flush(&ext->cache) : status;
            status = status == FTL_OK ? write_super(ext, 0) : status;
            status = status == FTL_OK ? cache_disk_flush(&ext->cache) : status;
        }
    }
    if (status == FTL_ERR_BAD_FORMAT) {
        *problem = replay.problem;
    }
    return status;
}

/* Where the blocks of the journal's file are. */
static ftl_status_t find_blocks(struct ext *ext, struct node *file)
{
    struct journal *journal = ext->journal;
    uint32_t length = big32(journal->super.length);
    size_t room = 0;
    for (uint64_t logical = 0; logical < length;) {
        struct run run;
        ftl_status_t status = map_look_up(ext, file, logical, &run);
        if (status != FTL_OK || run.physical == 0) {
            return status != FTL_OK ? status : FTL_ERR_BAD_FORMAT;
        }
        if (journal->run_count == room) {
            room = room * 2 + 8;
            struct run *more = realloc(journal->runs, room * sizeof(*more));
            if (more == NULL) {
                return FTL_ERR_NO_MEMORY;
            }
            journal->runs = more;
        }
        journal->runs[journal->run_count++] = run;
        logical = run.logical + run.count;
    }
    return FTL_OK;
}

static ftl_status_t read_super(struct ext *ext, struct node *file)
{
    struct journal *journal = ext->journal;
    struct log_superblock *super = &journal->super;
    struct block *block;
    struct run run;
    ftl_status_t status = map_look_up(ext, file, 0, &run);
    if (status == FTL_OK) {
        status = run.physical == 0 ? FTL_ERR_BAD_FORMAT
                                   : cache_get(&ext->cache, run.physical, 1, &block);
    }
    if (status != FTL_OK) {
        return status;
    }
    memcpy(super, block->data, sizeof(*super));
    cache_forget(&ext->cache, run.physical); /* from now on past the cache */
    if (super->header.type == big32(SUPERBLOCK_1)) {
        super->features = super->features_compatible = super->features_read_only = 0;
        super->fast_commit_blocks = 0;
    } else if (super->header.type != big32(SUPERBLOCK_2)) {
        return FTL_ERR_BAD_FORMAT;
    }
    uint32_t length = big32(super->length), fast = 0;
    if (super->features & big32(FEATURE_FAST_COMMIT)) {
        fast =
            super->fast_commit_blocks != 0 ? big32(super->fast_commit_blocks) : FAST_COMMIT_BLOCKS;
    }
    if (super->header.magic != big32(JOURNAL_MAGIC) ||
        big32(super->block_size) != ext->cache.block_size || super->features_read_only != 0 ||
        (big32(super->features) & ~(uint32_t)FEATURES_KNOWN) != 0 ||
        length > ext->cache.block_count || big32(super->first) == 0 || fast >= length ||
        big32(super->first) >= length - fast ||
        length - fast - big32(super->first) < LOG_BLOCKS_MIN ||
        length > node_size(file) / ext->cache.block_size) {
        return FTL_ERR_BAD_FORMAT;
    }
    journal->first = big32(super->first);
    journal->end = length - fast;
    journal->sequence = big32(super->sequence);
    journal->seed = ext2fs_crc32c_le(~0u, super->uuid, UUID_BYTES);
    return find_blocks(ext, file);
}

/* What we write has checksums if the file system's metadata has. */
static void choose_format(struct ext *ext)
{
    struct journal *journal = ext->journal;
    struct log_superblock *super = &journal->super;
    uint32_t features = 0;
    journal->has_checksums = ext2fs_has_feature_metadata_csum(ext->fs->super);
    if (ext2fs_has_feature_64bit(ext->fs->super)) {
        features |= FEATURE_64BIT;
    }
    journal->tag_bytes = features & FEATURE_64BIT ? 12 : 8;
    super->checksum_type = 0;
    if (journal->has_checksums) {
        features |= FEATURE_CHECKSUM_3;
        journal->tag_bytes = 16;
        super->checksum_type = CHECKSUM_CRC32C;
    }
    super->header.type = big32(SUPERBLOCK_2);
    super->features = big32(features);
    super->features_compatible = 0;
    super->fast_commit_blocks = 0;
    journal->tags_max =
        (ext->cache.block_size - (uint32_t)sizeof(struct log_header) - UUID_BYTES - TAIL_BYTES) /
        journal->tag_bytes;
}

ftl_status_t journal_open(struct ext *ext, const char **problem)
{
    struct ext2_super_block *super = ext->fs->super;
    struct node *file;
    if (super->s_journal_inum == 0 || super->s_journal_dev != 0) {
        *problem = "its journal is on another disk";
        return FTL_ERR_BAD_FORMAT;
    }
    *problem = "its journal is damaged: e2fsck may help";
    ext->journal = calloc(1, sizeof(*ext->journal));
    file = calloc(1, sizeof(*file));
    if (ext->journal == NULL || file == NULL) {
        free(file);
        return FTL_ERR_NO_MEMORY;
    }
    file->number = super->s_journal_inum;
    ext->journal->buffer = malloc(ext->cache.block_size);
    ftl_status_t status = ext->journal->buffer == NULL
                              ? FTL_ERR_NO_MEMORY
                              : ext_status(ext2fs_read_inode_full(
                                    ext->fs, file->number, node_inode(file), sizeof(file->inode)));
    if (status == FTL_OK) {
        status = node_is(file, LINUX_S_IFREG) ? read_super(ext, file) : FTL_ERR_BAD_FORMAT;
    }
    free(file);
    if (status == FTL_OK && ext2fs_has_feature_journal_needs_recovery(super) &&
        ext->journal->super.start != 0) {
        status = replay_log(ext, problem);
    }
    if (status == FTL_OK) {
        choose_format(ext);
        ext->journal->head = ext->journal->first;
        *problem = NULL;
    }
    return status;
}

void journal_free(struct ext *ext)
{
    if (ext->journal != NULL) {
        free(ext->journal->buffer);
        free(ext->journal->runs);
        free(ext->journal);
        ext->journal = NULL;
    }
}

size_t journal_room(const struct ext *ext)
{
    const struct journal *journal = ext->journal;
    size_t half = (journal->end - journal->first) / 2;
    return half - half / journal->tags_max - 2;
}

/* Gathers what is contiguous on the disk. */
struct log_writer {
    struct ext *ext;
    uint32_t block;
    uint64_t start;
    size_t count;
};

static ftl_status_t log_flush(struct log_writer *writer)
{
    struct cache *cache = &writer->ext->cache;
    ftl_status_t status = FTL_OK;
    if (writer->count > 0) {
        status = cache_disk_write(cache, writer->start, writer->count, cache->staging);
        writer->count = 0;
    }
    return status;
}

/* Room for the next block. */
static ftl_status_t log_next(struct log_writer *writer, char **data)
{
    struct cache *cache = &writer->ext->cache;
    uint64_t place = to_disk(writer->ext->journal, writer->block);
    if (writer->count == cache->staging_blocks || place != writer->start + writer->count) {
        ftl_status_t status = log_flush(writer);
        if (status != FTL_OK) {
            return status;
        }
    }
    if (writer->count == 0) {
        writer->start = place;
    }
    *data = cache->staging + writer->count * cache->block_size;
    writer->count++;
    writer->block = after(writer->ext->journal, writer->block);
    return FTL_OK;
}

static void write_header(const struct journal *journal, char *block, uint32_t type)
{
    struct log_header header = { big32(JOURNAL_MAGIC), big32(type), big32(journal->sequence) };
    memcpy(block, &header, sizeof(header));
}

/* One tag, whose block has been put into the log's `copy`. */
static void write_tag(struct ext *ext, char *at, const struct block *block, char *copy,
                      bool is_first, bool is_last)
{
    struct journal *journal = ext->journal;
    uint32_t words[4] = { big32((uint32_t)block->number) };
    uint32_t flags = (is_first ? 0 : TAG_SAME_UUID) | (is_last ? TAG_LAST : 0);
    uint32_t magic = big32(JOURNAL_MAGIC);
    memcpy(copy, block->data, ext->cache.block_size);
    if (memcmp(copy, &magic, sizeof(magic)) == 0) {
        memset(copy, 0, sizeof(magic));
        flags |= TAG_ESCAPED;
    }
    words[1] = big32(flags); /* without checksums, a 16-bit one comes before the flags: 0 */
    words[2] = big32((uint32_t)(block->number >> 32));
    if (journal->has_checksums) {
        words[3] = big32(block_checksum(journal, journal->sequence, copy, ext->cache.block_size));
    }
    memcpy(at, words, journal->tag_bytes);
    if (is_first) {
        memcpy(at + journal->tag_bytes, journal->super.uuid, UUID_BYTES);
    }
}

/* A descriptor and its blocks, from `*item` on. */
static ftl_status_t write_group(struct log_writer *writer, struct links **item, size_t count)
{
    struct ext *ext = writer->ext;
    struct journal *journal = ext->journal;
    uint32_t size = ext->cache.block_size;
    char *descriptor = journal->buffer, *data;
    size_t at = sizeof(struct log_header);
    /* The descriptor is written when its tags are known: its place is left behind. */
    uint64_t place = to_disk(journal, writer->block);
    writer->block = after(journal, writer->block);
    memset(descriptor, 0, size);
    write_header(journal, descriptor, DESCRIPTOR);
    for (size_t i = 0; i < count; i++, *item = (*item)->next) {
        ftl_status_t status = log_next(writer, &data);
        if (status != FTL_OK) {
            return status;
        }
        write_tag(ext, descriptor + at, (struct block *)*item, data, i == 0, i + 1 == count);
        at += journal->tag_bytes + (i == 0 ? UUID_BYTES : 0);
    }
    if (journal->has_checksums) {
        uint32_t sum = big32(checksum_of(journal, descriptor, size));
        memcpy(descriptor + size - TAIL_BYTES, &sum, TAIL_BYTES);
    }
    return cache_disk_write(&ext->cache, place, 1, descriptor);
}

static ftl_status_t write_commit(struct ext *ext, uint32_t block)
{
    struct journal *journal = ext->journal;
    struct timespec now;
    struct log_commit *commit = (struct log_commit *)journal->buffer;
    clock_gettime(CLOCK_REALTIME, &now);
    memset(journal->buffer, 0, ext->cache.block_size);
    write_header(journal, journal->buffer, COMMIT);
    commit->seconds = __builtin_bswap64((uint64_t)now.tv_sec);
    commit->nanoseconds = big32((uint32_t)now.tv_nsec);
    if (journal->has_checksums) {
        commit->checksum[0] = big32(checksum_of(journal, journal->buffer, ext->cache.block_size));
    }
    return cache_disk_write(&ext->cache, to_disk(journal, block), 1, journal->buffer);
}

/* Before the first transaction: the file system says that its journal counts, and that where. */
static ftl_status_t start_log(struct ext *ext)
{
    ftl_status_t status = ext->is_marked ? FTL_OK : super_write_now(ext, true);
    if (status == FTL_OK && !ext->journal->is_started) {
        status = write_super(ext, ext->journal->head);
    }
    return status;
}

ftl_status_t journal_commit(struct ext *ext)
{
    struct journal *journal = ext->journal;
    struct links *list = &ext->cache.lists[BLOCK_RUNNING];
    size_t left = ext->cache.counts[BLOCK_RUNNING];
    uint32_t needed = (uint32_t)(left + (left + journal->tags_max - 1) / journal->tags_max + 1);
    if (needed + journal->used >= journal->end - journal->first) {
        return FTL_ERR_NO_SPACE; /* transaction_begin leaves room */
    }
    struct log_writer writer = { .ext = ext, .block = journal->head };
    ftl_status_t status = start_log(ext);
    for (struct links *item = list->next; status == FTL_OK && left > 0;) {
        size_t count = left < journal->tags_max ? left : journal->tags_max;
        status = write_group(&writer, &item, count);
        left -= count;
    }
    status = status == FTL_OK ? log_flush(&writer) : status;
    status = status == FTL_OK ? cache_disk_flush(&ext->cache) : status;
    status = status == FTL_OK ? write_commit(ext, writer.block) : status;
    status = status == FTL_OK ? cache_disk_flush(&ext->cache) : status;
    if (status != FTL_OK) {
        return status;
    }
    while (list->next != list) {
        struct block *block = (struct block *)list->next;
        block->is_journaled = true;
        cache_set_state(&ext->cache, block, BLOCK_COMMITTED);
    }
    journal->head = after(journal, writer.block);
    journal->used += needed;
    journal->sequence++;
    return FTL_OK;
}

ftl_status_t journal_checkpoint(struct ext *ext)
{
    struct journal *journal = ext->journal;
    if (journal->used == 0) {
        return FTL_OK;
    }
    ftl_status_t status = cache_write(&ext->cache, BLOCK_COMMITTED);
    status = status == FTL_OK ? cache_disk_flush(&ext->cache) : status;
    status = status == FTL_OK ? write_super(ext, journal->head) : status;
    status = status == FTL_OK ? cache_disk_flush(&ext->cache) : status;
    if (status == FTL_OK) {
        journal->used = 0;
    }
    return status;
}

ftl_status_t journal_close(struct ext *ext)
{
    if (!ext->journal->is_started) {
        return FTL_OK;
    }
    ftl_status_t status = write_super(ext, 0);
    return status == FTL_OK ? cache_disk_flush(&ext->cache) : status;
}

/* Transactions, with a journal or without. */

static ftl_status_t finish(struct ext *ext)
{
    ftl_status_t status = node_write_all(ext);
    status = status == FTL_OK ? space_write(ext) : status;
    if (status != FTL_OK) {
        return status;
    }
    struct links *list = &ext->cache.lists[BLOCK_RUNNING];
    for (struct links *item = list->next; item != list; item = item->next) {
        struct block *block = (struct block *)item;
        if (block->directory != 0) {
            /* Without checksums it does nothing. */
            errcode_t error = ext2fs_dir_block_csum_set(ext->fs, block->directory,
                                                        (struct ext2_dir_entry *)block->data);
            if (error != 0) {
                return ext_status(error);
            }
            block->directory = 0;
        }
    }
    return FTL_OK;
}

/* Files' contents first, so that no metadata leads to what was never written. */
static ftl_status_t commit_without_journal(struct ext *ext)
{
    ftl_status_t status = ext->is_marked ? FTL_OK : super_write_now(ext, true);
    status = status == FTL_OK ? cache_disk_flush(&ext->cache) : status;
    status = status == FTL_OK ? cache_write(&ext->cache, BLOCK_RUNNING) : status;
    return status == FTL_OK ? cache_disk_flush(&ext->cache) : status;
}

ftl_status_t transaction_commit(struct ext *ext)
{
    if (ext->base.is_read_only) {
        return ext->is_aborted ? FTL_ERR_IO : FTL_OK;
    }
    bool has_data = ext->cache.counts[BLOCK_DATA] > 0;
    ftl_status_t status = finish(ext);
    status = status == FTL_OK ? cache_write(&ext->cache, BLOCK_DATA) : status;
    if (status != FTL_OK) {
        return status; /* all is still there for the next try */
    }
    if (ext->cache.counts[BLOCK_RUNNING] == 0) {
        return has_data ? cache_disk_flush(&ext->cache) : FTL_OK;
    }
    status = ext->journal != NULL ? journal_commit(ext) : commit_without_journal(ext);
    if (status != FTL_OK && ext->journal != NULL) {
        /* How much of it the disk has is not known: nothing may follow. */
        ext->is_aborted = ext->base.is_read_only = true;
        return FTL_ERR_IO;
    }
    if (status != FTL_OK) {
        return status;
    }
    space_release_freed(ext, FREED_UNCOMMITTED);
    /* At least half of the journal is always there for the next. */
    if (ext->journal != NULL &&
        ext->journal->used >= (ext->journal->end - ext->journal->first) / 2) {
        status = transaction_checkpoint(ext);
    }
    return status;
}

ftl_status_t transaction_checkpoint(struct ext *ext)
{
    ftl_status_t status = ext->journal != NULL ? journal_checkpoint(ext) : FTL_OK;
    if (status == FTL_OK) {
        space_release_freed(ext, FREED_JOURNALED);
    } else {
        ext->is_aborted = ext->base.is_read_only = true;
    }
    return status;
}

static bool is_large(const struct ext *ext)
{
    size_t limit = ext->journal != NULL ? journal_room(ext) / 2 : ext->cache.limit / 2;
    if (limit > ext->cache.limit / 2) {
        limit = ext->cache.limit / 2;
    }
    return ext->cache.counts[BLOCK_RUNNING] >= limit;
}

ftl_status_t transaction_continue(struct ext *ext)
{
    ftl_status_t status = is_large(ext) ? transaction_commit(ext) : FTL_OK;
    /* What waits for the checkpoint takes memory of the cache. */
    if (status == FTL_OK && ext->cache.counts[BLOCK_RUNNING] == 0 &&
        ext->cache.counts[BLOCK_COMMITTED] >= ext->cache.limit / 2) {
        status = transaction_checkpoint(ext);
    }
    return status;
}

ftl_status_t transaction_begin(struct ext *ext, uint64_t blocks)
{
    if (ext->base.is_read_only) {
        return FTL_ERR_READ_ONLY;
    }
    uint64_t freed = ext->freed_count[0] + ext->freed_count[1];
    if (freed > 0 && ext2fs_free_blocks_count(ext->fs->super) < freed + blocks + blocks / 64 + 16) {
        ftl_status_t status = transaction_commit(ext);
        return status == FTL_OK ? transaction_checkpoint(ext) : status;
    }
    return transaction_continue(ext);
}
