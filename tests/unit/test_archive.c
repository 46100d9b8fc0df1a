/*
 * The file system of tar archives: directories from names, look-ups, lists, and what is malformed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "user/servers/files/backend.h"

#define BLOCK  512u
#define BLOCKS 4096u

static struct {
    char data[BLOCKS * BLOCK];
    size_t size;
    struct file_system *file_system;
} test;

/* Adds a file, as tar would. */
static void add_file(const char *name, const char *contents)
{
    char *header = test.data + test.size;
    unsigned sum = 0;
    size_t size = strlen(contents);
    memset(header, 0, BLOCK);
    strncpy(header, name, 100);
    sprintf(header + 100, "%07o", 0644u);
    sprintf(header + 124, "%011zo", size);
    memset(header + 148, ' ', 8);
    header[156] = '0';
    memcpy(header + 257, "ustar", 6);
    memcpy(header + 263, "00", 2);
    for (size_t i = 0; i < BLOCK; i++) {
        sum += (unsigned char)header[i];
    }
    sprintf(header + 148, "%06o", sum);
    memcpy(header + BLOCK, contents, size);
    test.size += BLOCK + (size + BLOCK - 1) / BLOCK * BLOCK;
    assert_true(test.size + 2 * (size_t)BLOCK <= sizeof(test.data));
}

static ftl_status_t try_mount(const char **problem)
{
    *problem = NULL;
    return archive_mount(test.data, test.size + 2 * (size_t)BLOCK, &test.file_system, problem);
}

static void mount(void)
{
    const char *problem;
    assert_int_equal(try_mount(&problem), FTL_OK);
}

static int set_up(void **state)
{
    (void)state;
    memset(&test, 0, sizeof(test));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return test.file_system == NULL ||
                   test.file_system->operations->unmount(test.file_system) == FTL_OK
               ? 0
               : -1;
}

/* Follows a path; 0 when there is no such. */
static node_t find(const char *path)
{
    char names[256];
    node_t node = test.file_system->operations->root(test.file_system);
    strcpy(names, path);
    for (char *name = strtok(names, "/"); name != NULL; name = strtok(NULL, "/")) {
        if (test.file_system->operations->look_up(test.file_system, node, name, &node) != FTL_OK) {
            return 0;
        }
    }
    return node;
}

static struct file_attributes attributes_of(const char *path)
{
    struct file_attributes attributes;
    assert_int_not_equal(find(path), 0);
    assert_int_equal(
        test.file_system->operations->attributes(test.file_system, find(path), &attributes),
        FTL_OK);
    return attributes;
}

static void expect(const char *path, const char *contents)
{
    char data[64];
    size_t size = sizeof(data);
    assert_int_equal(attributes_of(path).size, strlen(contents));
    assert_int_equal(
        test.file_system->operations->read(test.file_system, find(path), 0, data, &size), FTL_OK);
    assert_int_equal(size, strlen(contents));
    assert_memory_equal(data, contents, size);
}

/* The names of a directory, in a row. */
struct listing {
    char names[4096];
    unsigned left; /* how many more are wanted at once */
    uint64_t cursor;
};

static bool visit(void *context, const char *name, node_t node, enum file_kind kind,
                  uint64_t cursor)
{
    struct listing *listing = context;
    if (listing->left == 0) {
        return false;
    }
    listing->left--;
    assert_int_not_equal(node, 0);
    strcat(listing->names, name);
    strcat(listing->names, kind == FILE_KIND_DIRECTORY ? "/ " : " ");
    listing->cursor = cursor;
    return true;
}

/* Listed in pieces of some names. */
static void expect_list(const char *path, const char *names)
{
    for (unsigned at_once = 1; at_once < 5; at_once++) {
        struct listing listing = { .cursor = 0 };
        do {
            listing.left = at_once;
            assert_int_equal(test.file_system->operations->list(test.file_system, find(path),
                                                                listing.cursor, visit, &listing),
                             FTL_OK);
        } while (listing.left == 0);
        assert_string_equal(listing.names, names);
    }
}

static void directories_come_from_the_names_of_files(void **state)
{
    node_t up;
    (void)state;
    add_file("bin/b", "two");
    add_file("./top", "one");
    add_file("bin/a", "");
    add_file("bin-x", "like bin");
    add_file("bin/deep/er/f", "four");
    add_file("a", "first of all");
    mount();
    expect_list("", "a bin/ bin-x top ");
    expect_list("bin", "a b deep/ ");
    expect_list("bin/deep", "er/ ");
    expect_list("bin/deep/er", "f ");
    expect("top", "one");
    expect("a", "first of all");
    expect("bin/a", "");
    expect("bin/b", "two");
    expect("bin-x", "like bin");
    expect("bin/deep/er/f", "four");
    assert_int_equal(find("bi"), 0);
    assert_int_equal(find("bin/c"), 0);
    assert_int_equal(find("bin/deep/f"), 0);
    assert_int_equal(find("zzz"), 0);
    assert_int_equal(attributes_of("bin/deep").kind, FILE_KIND_DIRECTORY);
    assert_int_equal(attributes_of("").kind, FILE_KIND_DIRECTORY);
    assert_int_equal(test.file_system->operations->parent(test.file_system, find("bin/deep"), &up),
                     FTL_OK);
    assert_int_equal(up, find("bin"));
    assert_int_equal(test.file_system->operations->look_up(test.file_system, find("a"), "x", &up),
                     FTL_ERR_NOT_DIRECTORY);
}

static void reads_end_with_the_file(void **state)
{
    char data[8];
    size_t size = 4;
    (void)state;
    add_file("f", "0123456789");
    mount();
    assert_int_equal(
        test.file_system->operations->read(test.file_system, find("f"), 8, data, &size), FTL_OK);
    assert_int_equal(size, 2);
    assert_memory_equal(data, "89", 2);
    size = 4;
    assert_int_equal(
        test.file_system->operations->read(test.file_system, find("f"), UINT64_MAX, data, &size),
        FTL_OK);
    assert_int_equal(size, 0);
}

static void of_two_files_of_one_name_the_first_counts(void **state)
{
    (void)state;
    add_file("d/f", "first");
    add_file("d/f", "second");
    mount();
    expect("d/f", "first");
    expect_list("d", "f ");
}

static void an_empty_archive_is_an_empty_directory(void **state)
{
    (void)state;
    mount();
    expect_list("", "");
}

static void any_cursor_gives_entries_of_the_directory_or_an_error(void **state)
{
    (void)state;
    add_file("a/1", "");
    add_file("a/2", "");
    add_file("b/3", "");
    mount();
    for (uint64_t cursor = 0; cursor < 12; cursor++) {
        struct listing listing = { .left = 100, .cursor = cursor };
        ftl_status_t status = test.file_system->operations->list(test.file_system, find("a"),
                                                                 cursor, visit, &listing);
        assert_true(status == FTL_OK || status == FTL_ERR_INVALID_ARGUMENT);
        assert_null(strchr(listing.names, 'b'));
        assert_null(strchr(listing.names, '3'));
        assert_null(strchr(listing.names, '/'));
    }
    struct listing listing = { .left = 100 };
    assert_int_equal(test.file_system->operations->list(test.file_system, find("a"), UINT64_MAX,
                                                        visit, &listing),
                     FTL_ERR_INVALID_ARGUMENT);
}

static void many_files_are_all_found(void **state)
{
    char name[64];
    (void)state;
    for (int i = 0; i < 1500; i++) {
        snprintf(name, sizeof(name), "d%d/e%d/f%d", i % 7, i % 31, i);
        add_file(name, name);
    }
    mount();
    for (int i = 0; i < 1500; i++) {
        snprintf(name, sizeof(name), "d%d/e%d/f%d", i % 7, i % 31, i);
        expect(name, name);
    }
}

static void malformed_archives_and_names_are_refused_with_a_reason(void **state)
{
    static const char *const names[] = { "a/../b", "a//b", "..", "a/./b", "a/" };
    const char *problem;
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        set_up(NULL);
        add_file(names[i], "");
        assert_int_equal(try_mount(&problem), FTL_ERR_BAD_FORMAT);
        assert_non_null(problem);
    }
    set_up(NULL);
    add_file("a", "");
    add_file("a/b", "");
    assert_int_equal(try_mount(&problem), FTL_ERR_BAD_FORMAT);
    assert_non_null(problem);
    set_up(NULL);
    add_file("a", "");
    test.data[0] ^= 1;
    assert_int_equal(try_mount(&problem), FTL_ERR_BAD_FORMAT);
    assert_non_null(problem);
    test.file_system = NULL;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(directories_come_from_the_names_of_files),
        TEST(reads_end_with_the_file),
        TEST(of_two_files_of_one_name_the_first_counts),
        TEST(an_empty_archive_is_an_empty_directory),
        TEST(any_cursor_gives_entries_of_the_directory_or_an_error),
        TEST(many_files_are_all_found),
        TEST(malformed_archives_and_names_are_refused_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
