/*
 * Unit tests of what lies between the file server's protocol and Linux's interface
 * (user/lib/posix/file_convert.c): flags, entries of directories that a server writes while we
 * look, ranges of locks, parts of memory.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ftl/file_memory.h>

#include "user/lib/posix/file_convert.h"

#define ENTRIES 20
#define TRIES   20000

/* ---- Opening ---- */

static void each_flag_of_open_has_its_access(void **state)
{
    static const struct {
        int flags;
        uint32_t access;
    } cases[] = {
        { O_RDONLY, FILE_ACCESS_READ },
        { O_WRONLY, FILE_ACCESS_WRITE },
        { O_RDWR, FILE_ACCESS_READ | FILE_ACCESS_WRITE },
        { O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, FILE_ACCESS_READ },
        { O_WRONLY | O_CREAT | O_TRUNC,
          FILE_ACCESS_WRITE | FILE_ACCESS_CREATE | FILE_ACCESS_TRUNCATE },
        { O_WRONLY | O_CREAT | O_EXCL,
          FILE_ACCESS_WRITE | FILE_ACCESS_CREATE | FILE_ACCESS_EXCLUSIVE },
        { O_WRONLY | O_APPEND, FILE_ACCESS_WRITE | FILE_ACCESS_APPEND },
        { O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
          FILE_ACCESS_READ | FILE_ACCESS_DIRECTORY | FILE_ACCESS_NO_FOLLOW },
        { O_RDONLY | O_TRUNC, FILE_ACCESS_READ | FILE_ACCESS_WRITE | FILE_ACCESS_TRUNCATE },
        { O_PATH, 0 },
        { O_PATH | O_RDWR | O_CREAT | O_NOFOLLOW, FILE_ACCESS_NO_FOLLOW },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t access;
        assert_int_equal(file_access_of_flags(cases[i].flags, &access), 0);
        assert_int_equal(access, cases[i].access);
    }
}

static void flags_that_cannot_be_honoured_are_refused(void **state)
{
    uint32_t access;
    (void)state;
    assert_int_equal(file_access_of_flags(O_RDWR | O_TMPFILE, &access), -EOPNOTSUPP);
    assert_int_equal(file_access_of_flags(O_RDWR | O_DIRECT, &access), -EINVAL);
    assert_int_equal(file_access_of_flags(O_RDONLY | O_CREAT | O_DIRECTORY, &access), -EINVAL);
}

/* ---- Attributes ---- */

static void attributes_become_those_of_stat(void **state)
{
    const struct file_attributes attributes = {
        .number = 5,
        .file_system = 7,
        .size = 1000,
        .blocks = 2,
        .accessed = 1500000000,
        .modified = -1,
        .links = 3,
        .mode = 0644,
        .user = 1,
        .group = 2,
        .block_size = 4096,
        .kind = FILE_KIND_SYMBOLIC_LINK,
    };
    struct stat status;
    (void)state;
    file_fill_stat(&attributes, &status);
    assert_int_equal(status.st_ino, 5);
    assert_int_equal(status.st_dev, 7);
    assert_int_equal(status.st_size, 1000);
    assert_int_equal(status.st_mode, S_IFLNK | 0644);
    assert_int_equal(status.st_nlink, 3);
    assert_int_equal(status.st_atim.tv_sec, 1);
    assert_int_equal(status.st_atim.tv_nsec, 500000000);
    assert_int_equal(status.st_mtim.tv_sec, -1);
    assert_int_equal(status.st_mtim.tv_nsec, 999999999);
}

static void times_that_have_no_room_are_the_nearest(void **state)
{
    const struct timespec time = { .tv_sec = 3, .tv_nsec = 7 };
    const struct timespec late = { .tv_sec = INT64_MAX / 2 };
    const struct timespec early = { .tv_sec = INT64_MIN / 2 };
    (void)state;
    assert_int_equal(file_time_of(&time), 3000000007);
    assert_true(file_time_of(&late) == INT64_MAX);
    assert_true(file_time_of(&early) == INT64_MIN);
}

/* ---- Directories ---- */

/* Appends one as the server does; its size. */
static size_t append(char *to, uint64_t number, const char *name)
{
    struct ftl_file_entry entry = {
        .number = number,
        .cursor = number + 1,
        .kind = FILE_KIND_REGULAR,
        .name_size = (uint8_t)strlen(name),
    };
    size_t at = offsetof(struct ftl_file_entry, name);
    entry.size = (uint16_t)((at + strlen(name) + 1 + 7) & ~(size_t)7);
    memset(to, 0, entry.size);
    memcpy(to, &entry, at);
    memcpy(to + at, name, strlen(name));
    return entry.size;
}

static size_t append_many(char *to)
{
    size_t size = 0;
    char name[ENTRIES * 7 + 1] = "";
    for (uint64_t i = 0; i < ENTRIES; i++) {
        strcat(name, "letter");
        size += append(to + size, i, name);
    }
    return size;
}

static void entries_have_room_in_as_many_bytes_as_the_servers(void **state)
{
    _Alignas(8) char from[8192];
    _Alignas(8) char to[8192];
    uint64_t cursor = 0;
    size_t size = append_many(from);
    (void)state;
    long used = file_fill_entries(from, size, to, size, &cursor);
    assert_in_range(used, 1, size);
    assert_int_equal(cursor, ENTRIES);
    long at = 0;
    for (uint64_t i = 0; i < ENTRIES; i++) {
        const struct dirent *entry = (const struct dirent *)(void *)(to + at);
        assert_int_equal(entry->d_ino, i);
        assert_int_equal(entry->d_off, i + 1);
        assert_int_equal(entry->d_type, DT_REG);
        assert_int_equal(strlen(entry->d_name), (i + 1) * strlen("letter"));
        assert_int_equal(entry->d_reclen % 8, 0);
        at += entry->d_reclen;
    }
    assert_int_equal(at, used);
}

static void entries_without_room_come_the_next_time(void **state)
{
    _Alignas(8) char from[8192];
    _Alignas(8) char to[8192];
    size_t size = append_many(from);
    (void)state;
    for (size_t room = 0; room < size; room++) {
        uint64_t cursor = 0;
        long used = file_fill_entries(from, size, to, room, &cursor);
        assert_in_range(used, 0, room);
        assert_int_equal(cursor == 0, used == 0);
    }
}

/* Whatever lies there: nothing outside is read or written (the sanitizers look), and the entries
 * are a sequence. */
static void entries_that_make_no_sense_are_refused(void **state)
{
    _Alignas(8) char good[8192];
    size_t size = append_many(good);
    (void)state;
    srand(20261125);
    for (int i = 0; i < TRIES; i++) {
        size_t given = (size_t)rand() % (size + 1);
        size_t room = (size_t)rand() % 4096;
        char *from = malloc(given + 1);
        char *to = malloc(room + 1);
        uint64_t cursor = 0;
        memcpy(from, good, given);
        for (int changes = rand() % 4; changes > 0 && given != 0; changes--) {
            from[(size_t)rand() % given] = (char)rand();
        }
        long used = file_fill_entries(from, given, to, room, &cursor);
        assert_true(used == -EIO || (used >= 0 && (size_t)used <= room));
        for (long at = 0; at < used;) {
            const struct dirent *entry = (const struct dirent *)(void *)(to + at);
            assert_in_range(entry->d_reclen, offsetof(struct dirent, d_name) + 2, used - at);
            assert_non_null(
                memchr(entry->d_name, '\0', entry->d_reclen - offsetof(struct dirent, d_name)));
            at += entry->d_reclen;
        }
        free(from);
        free(to);
    }
}

/* ---- Locks ---- */

static void ranges_of_locks_are_what_posix_says(void **state)
{
    static const struct {
        off_t from, start, length;
        long result;
        uint64_t first, count;
    } cases[] = {
        { 0, 0, 1, 0, 0, 1 },
        { 0, 5, 0, 0, 5, FILE_OFFSETS_END - 5 },
        { 10, -3, 2, 0, 7, 2 },
        { 0, 10, -4, 0, 6, 4 },
        { 0, -1, 1, -EINVAL, 0, 0 },
        { 0, 3, -4, -EINVAL, 0, 0 },
        { INT64_MAX, 1, 1, -EOVERFLOW, 0, 0 },
        { 0, INT64_MAX, 1, 0, INT64_MAX, 1 },
        { 0, INT64_MAX, 2, -EOVERFLOW, 0, 0 },
        { 0, 0, INT64_MIN, -EINVAL, 0, 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct file_lock_range range = { 0 };
        assert_int_equal(file_lock_range(cases[i].from, cases[i].start, cases[i].length, &range),
                         cases[i].result);
        if (cases[i].result == 0) {
            assert_true(range.start == cases[i].first && range.length == cases[i].count);
        }
    }
}

/* ---- Parts ---- */

static void parts_are_filled_and_collected_from_any_place(void **state)
{
    char memory[10];
    struct iovec parts[] = { { memory, 3 }, { NULL, 0 }, { memory + 3, 1 }, { memory + 4, 6 } };
    (void)state;
    assert_int_equal(file_parts_size(parts, 4), 10);
    for (size_t at = 0; at <= 10; at++) {
        for (size_t size = 0; size <= 10 - at; size++) {
            char back[10];
            char expected[10];
            memset(memory, '.', sizeof(memory));
            memset(expected, '.', sizeof(expected));
            memcpy(expected + at, "0123456789", size);
            file_scatter(parts, 4, at, "0123456789", size);
            assert_memory_equal(memory, expected, sizeof(memory));
            file_gather(parts, 4, at, back, size);
            assert_memory_equal(back, "0123456789", size);
        }
    }
}

static void parts_of_more_than_there_can_be_are_refused(void **state)
{
    struct iovec parts[] = { { NULL, LONG_MAX }, { NULL, 1 } };
    (void)state;
    assert_int_equal(file_parts_size(parts, 1), LONG_MAX);
    assert_int_equal(file_parts_size(parts, 2), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_flag_of_open_has_its_access),
        cmocka_unit_test(flags_that_cannot_be_honoured_are_refused),
        cmocka_unit_test(attributes_become_those_of_stat),
        cmocka_unit_test(times_that_have_no_room_are_the_nearest),
        cmocka_unit_test(entries_have_room_in_as_many_bytes_as_the_servers),
        cmocka_unit_test(entries_without_room_come_the_next_time),
        cmocka_unit_test(entries_that_make_no_sense_are_refused),
        cmocka_unit_test(ranges_of_locks_are_what_posix_says),
        cmocka_unit_test(parts_are_filled_and_collected_from_any_place),
        cmocka_unit_test(parts_of_more_than_there_can_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
