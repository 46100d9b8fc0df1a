/*
 * A disk in memory for tests of ext.c: images come from the host's mke2fs and go to its e2fsck. It
 * can record what is written and when it is made to last, fail, and be made as it might be after a
 * loss of power at any moment of that record.
 */
#ifndef TESTS_EXT_DISK_H
#define TESTS_EXT_DISK_H

#include "user/servers/files/backend.h"

struct disk_event {
    uint64_t sector;
    uint32_t count; /* 0: a flush */
    char *data;
};

struct test_disk {
    struct disk disk; /* first */
    char *data;
    size_t size;
    bool is_recorded;
    struct disk_event *events;
    size_t event_count, event_room;
    uint64_t requests, reads, writes, flushes;
    uint64_t fail_at;    /* from this request on; 0: never */
    uint64_t fail_count; /* as many */
    bool is_closed;
};

/* Makes one by `mke2fs OPTIONS`, with what is in `folder`, or NULL. */
struct test_disk *test_disk_make(const char *options, size_t size, const char *folder);
struct test_disk *test_disk_empty(size_t size, uint32_t sector_size);
struct test_disk *test_disk_copy(const struct test_disk *from);
void test_disk_free(struct test_disk *disk);
void test_disk_record(struct test_disk *disk);
/*
 * What `before` may be after `count` events of `recorded`: those up to the last flush have
 * happened, of the later ones some, in any order, and perhaps in part.
 */
struct test_disk *test_disk_crash(const struct test_disk *before, const struct test_disk *recorded,
                                  size_t count, uint64_t *random);
/* Runs `COMMAND IMAGE` of the host; `%s` in the command is the image, which is read back if it is
 * to be changed. Returns its exit status, and leaves its output in test_disk_output. */
int test_disk_run(struct test_disk *disk, const char *command, bool changes);
extern char test_disk_output[1 << 16];
/* Fails the test if `e2fsck -fn` finds anything. */
void test_disk_check(struct test_disk *disk);
uint64_t test_random(uint64_t *state);

#endif
