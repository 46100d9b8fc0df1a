/* Disks in memory, with images made and checked by the host's e2fsprogs. */
#include "ext_disk.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Disks write pieces of this size whole. */
#define TORN_SECTORS 8

char test_disk_output[1 << 16];

uint64_t test_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    uint64_t value = *state ^ *state >> 33;
    value *= UINT64_C(0xff51afd7ed558ccd);
    return value ^ value >> 33;
}

static bool fails(struct test_disk *disk)
{
    disk->requests++;
    return disk->fail_at != 0 && disk->requests >= disk->fail_at &&
           disk->requests - disk->fail_at < disk->fail_count;
}

static void check_range(const struct disk *disk, uint64_t sector, uint32_t count)
{
    assert_true(count > 0);
    assert_true(sector < disk->sectors && count <= disk->sectors - sector);
}

static void add_event(struct test_disk *disk, uint64_t sector, uint32_t count, const void *data)
{
    if (disk->event_count == disk->event_room) {
        disk->event_room = disk->event_room * 2 + 64;
        void *more = realloc(disk->events, disk->event_room * sizeof(*disk->events));
        if (more == NULL) {
            abort();
        }
        disk->events = more;
    }
    struct disk_event event = { sector, count, NULL };
    if (count > 0) {
        size_t bytes = (size_t)count * disk->disk.sector_size;
        event.data = malloc(bytes);
        assert_non_null(event.data);
        memcpy(event.data, data, bytes);
    }
    disk->events[disk->event_count++] = event;
}

static ftl_status_t disk_read(struct disk *self, uint64_t sector, uint32_t count, void *data)
{
    struct test_disk *disk = (struct test_disk *)self;
    check_range(self, sector, count);
    disk->reads++;
    if (fails(disk)) {
        return FTL_ERR_IO;
    }
    memcpy(data, disk->data + sector * self->sector_size, (size_t)count * self->sector_size);
    return FTL_OK;
}

static ftl_status_t disk_write(struct disk *self, uint64_t sector, uint32_t count, const void *data)
{
    struct test_disk *disk = (struct test_disk *)self;
    check_range(self, sector, count);
    assert_false(self->is_read_only);
    disk->writes++;
    if (fails(disk)) {
        return FTL_ERR_IO;
    }
    memcpy(disk->data + sector * self->sector_size, data, (size_t)count * self->sector_size);
    if (disk->is_recorded) {
        add_event(disk, sector, count, data);
    }
    return FTL_OK;
}

static ftl_status_t disk_flush(struct disk *self)
{
    struct test_disk *disk = (struct test_disk *)self;
    disk->flushes++;
    if (fails(disk)) {
        return FTL_ERR_IO;
    }
    if (disk->is_recorded) {
        add_event(disk, 0, 0, NULL);
    }
    return FTL_OK;
}

static void disk_close(struct disk *self)
{
    ((struct test_disk *)self)->is_closed = true;
}

static const struct disk_operations operations = { disk_read, disk_write, disk_flush, disk_close };

struct test_disk *test_disk_empty(size_t size, uint32_t sector_size)
{
    struct test_disk *disk = calloc(1, sizeof(*disk));
    assert_non_null(disk);
    disk->disk = (struct disk){ &operations, size / sector_size, sector_size, false };
    disk->size = size;
    disk->data = calloc(1, size);
    assert_non_null(disk->data);
    return disk;
}

struct test_disk *test_disk_copy(const struct test_disk *from)
{
    struct test_disk *disk = test_disk_empty(from->size, from->disk.sector_size);
    memcpy(disk->data, from->data, from->size);
    return disk;
}

static void free_events(struct test_disk *disk)
{
    for (size_t i = 0; i < disk->event_count; i++) {
        free(disk->events[i].data);
    }
    free(disk->events);
    disk->events = NULL;
    disk->event_count = disk->event_room = 0;
}

void test_disk_free(struct test_disk *disk)
{
    free_events(disk);
    free(disk->data);
    free(disk);
}

void test_disk_record(struct test_disk *disk)
{
    free_events(disk);
    disk->is_recorded = true;
}

static void apply(struct test_disk *disk, const struct disk_event *event, uint64_t sectors)
{
    if (sectors == 0) {
        return;
    }
    memcpy(disk->data + event->sector * disk->disk.sector_size, event->data,
           (size_t)sectors * disk->disk.sector_size);
}

struct test_disk *test_disk_crash(const struct test_disk *before, const struct test_disk *recorded,
                                  size_t count, uint64_t *random)
{
    struct test_disk *disk = test_disk_copy(before);
    size_t lasts = 0;
    for (size_t i = 0; i < count; i++) {
        if (recorded->events[i].count == 0) {
            lasts = i + 1;
        }
    }
    for (size_t i = 0; i < lasts; i++) {
        apply(disk, &recorded->events[i], recorded->events[i].count);
    }
    size_t rest = count - lasts;
    size_t *order = calloc(rest + 1, sizeof(*order));
    assert_non_null(order);
    for (size_t i = 0; i < rest; i++) { /* shuffled */
        size_t other = test_random(random) % (i + 1);
        order[i] = order[other];
        order[other] = lasts + i;
    }
    uint64_t mode = test_random(random) % 3; /* all of them; half; most, and some torn */
    for (size_t i = 0; i < rest; i++) {
        const struct disk_event *event = &recorded->events[order[i]];
        uint64_t sectors = event->count;
        if (mode == 1 && test_random(random) % 2 == 0) {
            continue;
        }
        if (mode == 2 && test_random(random) % 4 == 0) {
            sectors = test_random(random) % sectors / TORN_SECTORS * TORN_SECTORS;
        }
        apply(disk, event, sectors);
    }
    free(order);
    return disk;
}

static int run(const char *command)
{
    size_t length = 0;
    FILE *pipe = popen(command, "r"); /* NOLINT(cert-env33-c): the test's own commands */
    if (pipe == NULL) {
        abort();
    }
    while (length < sizeof(test_disk_output) - 1) {
        size_t count =
            fread(test_disk_output + length, 1, sizeof(test_disk_output) - 1 - length, pipe);
        if (count == 0) {
            break;
        }
        length += count;
    }
    test_disk_output[length] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void make_path(char path[32])
{
    strcpy(path, "/tmp/ext_test.XXXXXX");
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
}

static void move_image(struct test_disk *disk, const char *path, bool is_read)
{
    FILE *file = fopen(path, is_read ? "rb" : "wb");
    if (file == NULL) {
        abort();
    }
    size_t count =
        is_read ? fread(disk->data, 1, disk->size, file) : fwrite(disk->data, 1, disk->size, file);
    assert_int_equal(count, disk->size);
    assert_int_equal(fclose(file), 0);
}

int test_disk_run(struct test_disk *disk, const char *command, bool changes)
{
    char path[32], before[256], text[512];
    const char *place = strstr(command, "%s");
    make_path(path);
    move_image(disk, path, false);
    size_t prefix = place == NULL ? strlen(command) : (size_t)(place - command);
    assert_true(prefix < sizeof(before));
    memcpy(before, command, prefix);
    before[prefix] = '\0';
    snprintf(text, sizeof(text), "%s %s %s 2>&1", before, path, place == NULL ? "" : place + 2);
    int status = run(text);
    if (changes) {
        move_image(disk, path, true);
    }
    unlink(path);
    return status;
}

void test_disk_check(struct test_disk *disk)
{
    int status = test_disk_run(disk, "e2fsck -fn", false);
    if (status != 0) {
        print_error("e2fsck: %s\n", test_disk_output);
    }
    assert_int_equal(status, 0);
}

struct test_disk *test_disk_make(const char *options, size_t size, const char *folder)
{
    struct test_disk *disk = test_disk_empty(size, 512);
    char command[256];
    snprintf(command, sizeof(command), "mke2fs -q -F %s%s %s", folder == NULL ? "" : "-d ",
             folder == NULL ? "" : folder, options);
    if (test_disk_run(disk, command, true) != 0) {
        print_error("mke2fs: %s\n", test_disk_output);
        fail();
    }
    return disk;
}
