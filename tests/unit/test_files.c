/*
 * The file server without its channels: what clients ask for, over file systems that check whether
 * the server keeps to its side (files_fake.c), and which must have nothing held at the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ftl/file_memory.h>
#include <ftl/protocols/mount.h>

#include "files_fake.h"
#include "user/servers/files/lock.h"
#include "user/servers/files/path.h"
#include "user/servers/files/service.h"

static struct {
    struct session *session;  /* whose root is that of all */
    struct session *shared;   /* the last that was to get a connection */
    ftl_status_t share_error; /* of the next */
    struct file_system *root;
    struct file_system *other; /* mounted at /mnt */
    struct mount *other_mount;
    _Alignas(8) char memory[FTL_FILE_MEMORY_SIZE];
} test;

/* ---- What the server needs of the kernel ---- */

ftl_status_t client_memory_map(struct client_memory *memory, ftl_handle_t vmo)
{
    memory->vmo = vmo;
    memory->data = test.memory;
    return FTL_OK;
}

void client_memory_unmap(struct client_memory *memory)
{
    memory->vmo = FTL_HANDLE_INVALID;
}

ftl_status_t client_memory_at(struct client_memory *memory, uint32_t place, uint32_t size,
                              void **data)
{
    if (memory->vmo == FTL_HANDLE_INVALID || place > FTL_FILE_MEMORY_SIZE ||
        size > FTL_FILE_MEMORY_SIZE - place) {
        return FTL_ERR_OUT_OF_RANGE;
    }
    *data = memory->data + place;
    return FTL_OK;
}

ftl_status_t connections_add(struct session *session, ftl_handle_t *client)
{
    ftl_status_t status = test.share_error;
    test.share_error = FTL_OK;
    if (status == FTL_OK) {
        test.shared = session;
        *client = 1;
    }
    return status;
}

ftl_handle_t ftl_ipc_take(ftl_handle_t *handle)
{
    ftl_handle_t taken = *handle;
    *handle = FTL_HANDLE_INVALID;
    return taken;
}

/* ---- Calls, as a client makes them ---- */

static void attach(struct session *session)
{
    struct file_attach_request request = { .memory = 1 };
    assert_int_equal(file_handlers.attach(session, &request), FTL_OK);
}

static ftl_status_t open_in(struct session *session, uint32_t base, const char *path,
                            uint32_t access, uint32_t *file)
{
    struct file_open_request request = {
        .base = base, .path = path, .access = access, .mode = 0640
    };
    struct file_open_reply reply = { 0 };
    ftl_status_t status = file_handlers.open(session, &request, &reply);
    *file = reply.file;
    return status;
}

static ftl_status_t try_open(const char *path, uint32_t access)
{
    uint32_t file;
    ftl_status_t status = open_in(test.session, 0, path, access, &file);
    if (status == FTL_OK) {
        assert_int_equal(
            file_handlers.close(test.session, &(struct file_close_request){ .file = file }),
            FTL_OK);
    }
    return status;
}

static uint32_t must_open(const char *path, uint32_t access)
{
    uint32_t file;
    assert_int_equal(open_in(test.session, 0, path, access, &file), FTL_OK);
    return file;
}

static void close_in(struct session *session, uint32_t file)
{
    assert_int_equal(file_handlers.close(session, &(struct file_close_request){ .file = file }),
                     FTL_OK);
}

static ftl_status_t write_in(struct session *session, uint32_t file, const char *text,
                             int64_t offset)
{
    struct file_write_request request = {
        .file = file, .place = 100, .size = (uint32_t)strlen(text), .offset = offset
    };
    struct file_write_reply reply = { 0 };
    memcpy(test.memory + 100, text, strlen(text));
    ftl_status_t status = file_handlers.write(session, &request, &reply);
    assert_true(status != FTL_OK || reply.size == strlen(text));
    return status;
}

static const char *read_in(struct session *session, uint32_t file, uint32_t size, int64_t offset)
{
    struct file_read_request request = { .file = file, .size = size, .offset = offset };
    struct file_read_reply reply = { 0 };
    assert_int_equal(file_handlers.read(session, &request, &reply), FTL_OK);
    test.memory[reply.size] = '\0';
    return test.memory;
}

static ftl_status_t make_directory(const char *path)
{
    struct file_make_directory_request request = { .path = path, .mode = 0755 };
    return file_handlers.make_directory(test.session, &request);
}

static ftl_status_t make_link(const char *path, const char *target)
{
    struct file_make_link_request request = { .path = path, .target = target };
    return file_handlers.make_link(test.session, &request);
}

static void make_file(const char *path)
{
    uint32_t file = must_open(path, FILE_ACCESS_CREATE | FILE_ACCESS_WRITE | FILE_ACCESS_EXCLUSIVE);
    assert_int_equal(write_in(test.session, file, path, 0), FTL_OK);
    close_in(test.session, file);
}

static ftl_status_t remove_path(const char *path, bool directory)
{
    struct file_remove_request request = { .path = path, .directory = directory };
    return file_handlers.remove(test.session, &request);
}

static ftl_status_t rename_path(const char *from, const char *to)
{
    struct file_rename_request request = { .from = from, .to = to };
    return file_handlers.rename(test.session, &request);
}

static ftl_status_t link_path(const char *from, const char *to)
{
    struct file_link_request request = { .from = from, .to = to };
    return file_handlers.link(test.session, &request);
}

static ftl_status_t look_up_in(struct session *session, uint32_t base, const char *path,
                               bool follow, struct file_attributes *attributes)
{
    struct file_look_up_request request = {
        .base = base, .place = 8, .path = path, .follow = follow
    };
    ftl_status_t status = file_handlers.look_up(session, &request);
    memcpy(attributes, test.memory + 8, sizeof(*attributes));
    return status;
}

static ftl_status_t look_up(const char *path)
{
    struct file_attributes attributes;
    return look_up_in(test.session, 0, path, true, &attributes);
}

static uint64_t number_of(const char *path)
{
    struct file_attributes attributes;
    assert_int_equal(look_up_in(test.session, 0, path, true, &attributes), FTL_OK);
    return attributes.number << 8 | attributes.file_system;
}

static struct session *share(struct session *session, uint32_t root, const uint32_t *files,
                             uint32_t count)
{
    struct file_share_request request = { .root = root, .files = files, .files_count = count };
    struct file_share_reply reply;
    assert_int_equal(file_handlers.share(session, &request, &reply), FTL_OK);
    attach(test.shared);
    return test.shared;
}

/* ---- Set-up ---- */

static struct session *root_session(void)
{
    struct place place = place_of_root(tree_root());
    struct file *file;
    struct opened *opened;
    assert_int_equal(file_at(&place, FILE_KIND_DIRECTORY, &file), FTL_OK);
    assert_int_equal(opened_create(file, 0, &opened), FTL_OK);
    struct session *session = session_create(opened);
    assert_non_null(session);
    attach(session);
    return session;
}

static struct mount *mount_at(struct file_system *file_system, const char *path)
{
    struct walk walk;
    struct file *point;
    struct mount *mount;
    struct place root = place_of_root(tree_root());
    assert_int_equal(walk_to(&walk, root, root, path, true), FTL_OK);
    assert_int_equal(file_at(&walk.found, FILE_KIND_DIRECTORY, &point), FTL_OK);
    walk_end(&walk);
    assert_int_equal(tree_mount(file_system, "other", point, &mount), FTL_OK);
    file_release(point);
    return mount;
}

/* The tree's root cannot be unmounted: all tests share it, and leave it empty but for /mnt. */
static int set_up_all(void **state)
{
    struct mount *mount;
    (void)state;
    test.root = fake_file_system();
    assert_int_equal(tree_mount(test.root, "root", NULL, &mount), FTL_OK);
    test.session = root_session();
    assert_int_equal(make_directory("/mnt"), FTL_OK);
    session_destroy(test.session);
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    return test.root->operations->unmount(test.root) == FTL_OK ? 0 : -1;
}

static int set_up(void **state)
{
    (void)state;
    test.session = root_session();
    test.other = fake_file_system();
    test.other_mount = mount_at(test.other, "/mnt");
    return 0;
}

/* Removes what the test has made, as a client would. */
static void empty_directory(const char *path)
{
    uint32_t file = must_open(path, FILE_ACCESS_READ);
    for (;;) {
        struct file_list_request request = { .file = file, .size = 4096 };
        struct file_list_reply reply;
        char name[512];
        uint32_t at = 0;
        bool removed = false;
        assert_int_equal(file_handlers.list(test.session, &request, &reply), FTL_OK);
        while (at < reply.size && !removed) {
            const struct ftl_file_entry *entry = (const void *)(test.memory + at);
            snprintf(name, sizeof(name), "%s/%s", strcmp(path, "/") == 0 ? "" : path, entry->name);
            at += entry->size;
            if (entry->name[0] == '.' || strcmp(name, "/mnt") == 0) {
                continue;
            }
            bool is_directory = entry->kind == FILE_KIND_DIRECTORY;
            if (is_directory) {
                empty_directory(name);
            }
            assert_int_equal(remove_path(name, is_directory), FTL_OK);
            removed = true;
        }
        if (!removed) {
            break;
        }
    }
    close_in(test.session, file);
}

static int tear_down(void **state)
{
    (void)state;
    session_destroy(test.session);
    test.session = root_session();
    empty_directory("/");
    session_destroy(test.session);
    assert_int_equal(tree_unmount(test.other_mount), FTL_OK);
    assert_int_equal(fake_held(test.root), 0);
    return 0;
}

/* ---- Paths ---- */

static void paths_lead_through_directories_dots_and_slashes(void **state)
{
    (void)state;
    make_directory("/a");
    make_directory("/a/b");
    make_file("/a/b/f");
    assert_int_equal(number_of("/a/b/f"), number_of("a//b/./f"));
    assert_int_equal(number_of("/a/b/f"), number_of("///a/../a/b/../b/f"));
    assert_int_equal(number_of("/"), number_of("/../.."));
    assert_int_equal(number_of("/"), number_of(""));
    assert_int_equal(number_of("/a"), number_of("/a/"));
    assert_int_equal(number_of("/a"), number_of("/a/b/.."));
    assert_int_equal(look_up("/a/b/f/"), FTL_ERR_NOT_DIRECTORY);
    assert_int_equal(look_up("/a/b/f/."), FTL_ERR_NOT_DIRECTORY);
    assert_int_equal(look_up("/a/b/f/.."), FTL_ERR_NOT_DIRECTORY);
    assert_int_equal(look_up("/a/b/f/g"), FTL_ERR_NOT_DIRECTORY);
    assert_int_equal(look_up("/a/none/f"), FTL_ERR_NOT_FOUND);
    assert_int_equal(look_up("/a/none/../b"), FTL_ERR_NOT_FOUND);
    assert_int_equal(look_up("/none"), FTL_ERR_NOT_FOUND);
}

static void names_are_up_to_255_bytes_and_paths_up_to_4095(void **state)
{
    char path[PATH_MAX_SIZE + 1];
    (void)state;
    memset(path, 'n', 256);
    path[0] = '/';
    path[256] = '\0';
    make_file(path);
    assert_int_equal(look_up(path), FTL_OK);
    path[256] = 'n';
    path[257] = '\0';
    assert_int_equal(look_up(path), FTL_ERR_NAME_TOO_LONG);
    assert_int_equal(make_directory(path), FTL_ERR_NAME_TOO_LONG);
    make_directory("/a");
    for (size_t i = 0; i < PATH_MAX_SIZE; i += 3) {
        memcpy(path + i, "./.", 3);
    }
    memcpy(path + PATH_MAX_SIZE - 3, "//a", 4);
    path[0] = '/';
    assert_int_equal(look_up(path), FTL_OK);
}

static void symbolic_links_are_followed_but_not_at_the_end_unless_wanted(void **state)
{
    struct file_attributes attributes;
    char target[PATH_MAX_SIZE + 1];
    (void)state;
    make_directory("/a");
    make_file("/a/f");
    make_link("/to_a", "a");
    make_link("/a/to_f", "/to_a/f");
    make_link("/a/up", "../a/./to_f");
    assert_int_equal(number_of("/to_a/f"), number_of("/a/f"));
    assert_int_equal(number_of("/to_a/to_f"), number_of("/a/f"));
    assert_int_equal(number_of("/to_a/up"), number_of("/a/f"));
    assert_int_equal(number_of("/to_a/../to_a/up"), number_of("/a/f"));
    assert_int_equal(look_up_in(test.session, 0, "/to_a", false, &attributes), FTL_OK);
    assert_int_equal(attributes.kind, FILE_KIND_SYMBOLIC_LINK);
    assert_int_equal(look_up_in(test.session, 0, "/to_a/", false, &attributes), FTL_OK);
    assert_int_equal(attributes.kind, FILE_KIND_DIRECTORY);
    assert_int_equal(look_up("/a/to_f/"), FTL_ERR_NOT_DIRECTORY);
    make_link("/dangling", "nowhere/x");
    assert_int_equal(look_up("/dangling"), FTL_ERR_NOT_FOUND);
    memset(target, '/', sizeof(target));
    strcpy(target + PATH_MAX_SIZE - 1, "a");
    make_link("/long", target);
    assert_int_equal(number_of("/long/f"), number_of("/a/f"));
}

static void forty_symbolic_links_are_followed_and_no_more(void **state)
{
    char name[16];
    char target[16] = "f";
    (void)state;
    make_file("/f");
    for (int i = 1; i <= 41; i++) {
        snprintf(name, sizeof(name), "l%d", i);
        assert_int_equal(make_link(name, target), FTL_OK);
        strcpy(target, name);
    }
    assert_int_equal(look_up("/l40"), FTL_OK);
    assert_int_equal(look_up("/l41"), FTL_ERR_LOOP);
    make_link("/self", "self");
    assert_int_equal(look_up("/self"), FTL_ERR_LOOP);
    make_link("/grows", "grows/grows");
    assert_int_equal(look_up("/grows"), FTL_ERR_LOOP);
}

static void a_base_is_where_relative_paths_begin(void **state)
{
    struct file_attributes attributes;
    (void)state;
    make_directory("/a");
    make_file("/a/f");
    make_file("/g");
    uint32_t a = must_open("/a", FILE_ACCESS_READ);
    uint32_t f = must_open("/a/f", FILE_ACCESS_READ);
    assert_int_equal(look_up_in(test.session, a, "f", true, &attributes), FTL_OK);
    assert_int_equal(look_up_in(test.session, a, "../g", true, &attributes), FTL_OK);
    assert_int_equal(look_up_in(test.session, a, "/g", true, &attributes), FTL_OK);
    assert_int_equal(look_up_in(test.session, a, "g", true, &attributes), FTL_ERR_NOT_FOUND);
    assert_int_equal(look_up_in(test.session, f, "", true, &attributes), FTL_OK);
    assert_int_equal(look_up_in(test.session, f, ".", true, &attributes), FTL_ERR_NOT_DIRECTORY);
    assert_int_equal(look_up_in(test.session, f, "/g", true, &attributes), FTL_OK);
    assert_int_equal(look_up_in(test.session, 77, "f", true, &attributes), FTL_ERR_HANDLE_CLOSED);
    assert_int_equal(look_up_in(test.session, UINT32_MAX, "f", true, &attributes),
                     FTL_ERR_HANDLE_CLOSED);
}

static void paths_cross_mounts_in_both_directions(void **state)
{
    char path[PATH_MAX_SIZE + 1];
    struct walk walk;
    struct place root = place_of_root(tree_root());
    (void)state;
    make_directory("/mnt/d");
    make_file("/mnt/d/f");
    make_file("/g");
    make_link("/mnt/d/out", "../../g");
    make_link("/in", "mnt/d/f");
    assert_int_equal(number_of("/mnt/d/../../g"), number_of("/g"));
    assert_int_equal(number_of("/mnt/d/out"), number_of("/g"));
    assert_int_equal(number_of("/in"), number_of("/mnt/d/f"));
    assert_int_equal(number_of("/mnt/.."), number_of("/"));
    assert_int_not_equal(number_of("/mnt"), number_of("/"));
    assert_int_equal(walk_to(&walk, root, root, "/mnt/d", true), FTL_OK);
    assert_int_equal(path_of(walk.found, path), FTL_OK);
    assert_string_equal(path, "/mnt/d");
    walk_end(&walk);
    assert_int_equal(walk_to(&walk, root, root, "/mnt", true), FTL_OK);
    assert_int_equal(path_of(walk.found, path), FTL_OK);
    assert_string_equal(path, "/mnt");
    walk_end(&walk);
    assert_int_equal(path_of(root, path), FTL_OK);
    assert_string_equal(path, "/");
}

/* ---- Opening ---- */

static void create_exclusive_truncate_and_directory_mean_what_posix_says(void **state)
{
    const uint32_t create = FILE_ACCESS_CREATE | FILE_ACCESS_WRITE;
    (void)state;
    assert_int_equal(try_open("/f", FILE_ACCESS_WRITE), FTL_ERR_NOT_FOUND);
    make_file("/f");
    assert_int_equal(try_open("/f", create | FILE_ACCESS_EXCLUSIVE), FTL_ERR_EXISTS);
    assert_int_equal(try_open("/f", create), FTL_OK);
    assert_int_equal(try_open("/f", FILE_ACCESS_READ | FILE_ACCESS_DIRECTORY),
                     FTL_ERR_NOT_DIRECTORY);
    assert_int_equal(try_open("/f/", FILE_ACCESS_READ), FTL_ERR_NOT_DIRECTORY);
    assert_int_equal(try_open("/new/", create), FTL_ERR_IS_DIRECTORY);
    assert_int_equal(try_open("/mnt", FILE_ACCESS_WRITE), FTL_ERR_IS_DIRECTORY);
    assert_int_equal(try_open("/mnt", FILE_ACCESS_READ | FILE_ACCESS_CREATE), FTL_ERR_IS_DIRECTORY);
    assert_int_equal(try_open("/mnt/..", create), FTL_ERR_IS_DIRECTORY);
    assert_int_equal(try_open("/f", FILE_ACCESS_READ | FILE_ACCESS_TRUNCATE),
                     FTL_ERR_INVALID_ARGUMENT);
    uint32_t file = must_open("/f", FILE_ACCESS_WRITE | FILE_ACCESS_READ | FILE_ACCESS_TRUNCATE);
    assert_string_equal(read_in(test.session, file, 10, 0), "");
    make_link("/l", "f");
    make_link("/dangling", "made");
    assert_int_equal(try_open("/l", FILE_ACCESS_READ | FILE_ACCESS_NO_FOLLOW), FTL_ERR_LOOP);
    assert_int_equal(try_open("/l", FILE_ACCESS_NO_FOLLOW), FTL_OK);
    assert_int_equal(try_open("/dangling", create | FILE_ACCESS_EXCLUSIVE), FTL_ERR_EXISTS);
    assert_int_equal(try_open("/dangling", create), FTL_OK);
    assert_int_equal(look_up("/made"), FTL_OK);
}

static void numbers_are_the_lowest_free_ones_and_limited(void **state)
{
    uint32_t file;
    (void)state;
    make_file("/f");
    assert_int_equal(must_open("/f", FILE_ACCESS_READ), 1);
    assert_int_equal(must_open("/f", FILE_ACCESS_READ), 2);
    assert_int_equal(must_open("/f", FILE_ACCESS_READ), 3);
    close_in(test.session, 2);
    assert_int_equal(file_handlers.close(test.session, &(struct file_close_request){ .file = 2 }),
                     FTL_ERR_HANDLE_CLOSED);
    assert_int_equal(file_handlers.close(test.session, &(struct file_close_request){ .file = 0 }),
                     FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(must_open("/f", FILE_ACCESS_READ), 2);
    for (uint32_t i = 4; i < NUMBERS_MAX; i++) {
        assert_int_equal(must_open("/f", FILE_ACCESS_READ), i);
    }
    assert_int_equal(open_in(test.session, 0, "/f", FILE_ACCESS_READ, &file), FTL_ERR_LIMIT);
    assert_int_equal(
        open_in(test.session, 0, "/new", FILE_ACCESS_WRITE | FILE_ACCESS_CREATE, &file),
        FTL_ERR_LIMIT);
    assert_int_equal(look_up("/new"), FTL_ERR_NOT_FOUND);
    close_in(test.session, 500);
    assert_int_equal(must_open("/f", FILE_ACCESS_READ), 500);
}

static void a_removed_file_lives_until_it_is_closed(void **state)
{
    (void)state;
    make_file("/f");
    uint32_t file = must_open("/f", FILE_ACCESS_READ | FILE_ACCESS_WRITE);
    assert_int_equal(remove_path("/f", false), FTL_OK);
    assert_int_equal(look_up("/f"), FTL_ERR_NOT_FOUND);
    assert_string_equal(read_in(test.session, file, 10, 0), "/f");
    assert_int_equal(write_in(test.session, file, "more", 2), FTL_OK);
    make_file("/f");
    assert_string_equal(read_in(test.session, file, 10, 0), "/fmore");
    close_in(test.session, file);
}

/* ---- Data and positions ---- */

static void reads_and_writes_move_the_position_unless_they_name_a_place(void **state)
{
    struct file_seek_request seek = { .origin = FILE_ORIGIN_START, .offset = 2 };
    struct file_seek_reply position;
    (void)state;
    uint32_t file = must_open("/f", FILE_ACCESS_CREATE | FILE_ACCESS_READ | FILE_ACCESS_WRITE);
    assert_int_equal(write_in(test.session, file, "hello ", -1), FTL_OK);
    assert_int_equal(write_in(test.session, file, "world", -1), FTL_OK);
    assert_string_equal(read_in(test.session, file, 20, -1), "");
    assert_string_equal(read_in(test.session, file, 20, 6), "world");
    seek.file = file;
    assert_int_equal(file_handlers.seek(test.session, &seek, &position), FTL_OK);
    assert_int_equal(position.position, 2);
    assert_string_equal(read_in(test.session, file, 3, -1), "llo");
    seek.origin = FILE_ORIGIN_POSITION;
    seek.offset = -4;
    assert_int_equal(file_handlers.seek(test.session, &seek, &position), FTL_OK);
    assert_int_equal(position.position, 1);
    seek.origin = FILE_ORIGIN_END;
    seek.offset = -1;
    assert_int_equal(file_handlers.seek(test.session, &seek, &position), FTL_OK);
    assert_string_equal(read_in(test.session, file, 20, -1), "d");
    seek.offset = -12;
    assert_int_equal(file_handlers.seek(test.session, &seek, &position), FTL_ERR_INVALID_ARGUMENT);
    seek.origin = FILE_ORIGIN_POSITION;
    seek.offset = INT64_MAX;
    assert_int_equal(file_handlers.seek(test.session, &seek, &position), FTL_ERR_INVALID_ARGUMENT);
    seek.origin = FILE_ORIGIN_HOLE;
    seek.offset = 3;
    assert_int_equal(file_handlers.seek(test.session, &seek, &position), FTL_OK);
    assert_int_equal(position.position, 11);
    seek.origin = FILE_ORIGIN_DATA;
    assert_int_equal(file_handlers.seek(test.session, &seek, &position), FTL_OK);
    assert_int_equal(position.position, 3);
    seek.offset = 11;
    assert_int_equal(file_handlers.seek(test.session, &seek, &position), FTL_ERR_OUT_OF_RANGE);
}

static void appending_writes_go_to_the_end_wherever_the_position_is(void **state)
{
    (void)state;
    uint32_t first = must_open("/f", FILE_ACCESS_CREATE | FILE_ACCESS_WRITE | FILE_ACCESS_APPEND);
    uint32_t second = must_open("/f", FILE_ACCESS_READ | FILE_ACCESS_WRITE | FILE_ACCESS_APPEND);
    assert_int_equal(write_in(test.session, first, "1", -1), FTL_OK);
    assert_int_equal(write_in(test.session, second, "2", -1), FTL_OK);
    assert_int_equal(write_in(test.session, first, "3", 0), FTL_OK);
    assert_string_equal(read_in(test.session, second, 10, 0), "123");
}

static void accesses_need_what_the_file_was_opened_for(void **state)
{
    struct file_read_request read = { .size = 1 };
    struct file_read_reply reply;
    struct file_truncate_request truncate = { .size = 0 };
    (void)state;
    make_file("/f");
    read.file = must_open("/f", FILE_ACCESS_WRITE);
    assert_int_equal(file_handlers.read(test.session, &read, &reply), FTL_ERR_MISSING_RIGHT);
    read.file = must_open("/f", FILE_ACCESS_READ);
    assert_int_equal(write_in(test.session, read.file, "x", 0), FTL_ERR_MISSING_RIGHT);
    truncate.file = read.file;
    assert_int_equal(file_handlers.truncate(test.session, &truncate), FTL_ERR_MISSING_RIGHT);
    read.offset = -2;
    assert_int_equal(file_handlers.read(test.session, &read, &reply), FTL_ERR_INVALID_ARGUMENT);
    read.offset = 0;
    read.place = FTL_FILE_MEMORY_SIZE;
    assert_int_equal(file_handlers.read(test.session, &read, &reply), FTL_ERR_OUT_OF_RANGE);
    read.place = UINT32_MAX;
    assert_int_equal(file_handlers.read(test.session, &read, &reply), FTL_ERR_OUT_OF_RANGE);
    read.place = 1;
    read.size = UINT32_MAX;
    assert_int_equal(file_handlers.read(test.session, &read, &reply), FTL_ERR_OUT_OF_RANGE);
    read = (struct file_read_request){ .file = must_open("/", FILE_ACCESS_READ), .size = 1 };
    assert_int_equal(file_handlers.read(test.session, &read, &reply), FTL_ERR_IS_DIRECTORY);
    read.file = 0;
    assert_int_equal(file_handlers.read(test.session, &read, &reply), FTL_ERR_MISSING_RIGHT);
}

static void positions_and_sizes_stay_below_two_to_the_63rd(void **state)
{
    struct file_truncate_request truncate = { .size = UINT64_C(1) << 63 };
    (void)state;
    truncate.file = must_open("/f", FILE_ACCESS_CREATE | FILE_ACCESS_WRITE);
    assert_int_equal(write_in(test.session, truncate.file, "xy", INT64_MAX - 1), FTL_ERR_TOO_LARGE);
    assert_int_equal(file_handlers.truncate(test.session, &truncate), FTL_ERR_TOO_LARGE);
    truncate.size = UINT64_MAX;
    assert_int_equal(file_handlers.truncate(test.session, &truncate), FTL_ERR_TOO_LARGE);
}

static void errors_of_the_file_system_reach_the_client_and_leave_nothing_open(void **state)
{
    (void)state;
    fake_fail_next(test.root, FTL_ERR_NO_SPACE);
    assert_int_equal(try_open("/f", FILE_ACCESS_CREATE | FILE_ACCESS_WRITE), FTL_ERR_NO_SPACE);
    make_file("/f");
    fake_fail_next(test.root, FTL_ERR_IO);
    assert_int_equal(try_open("/f", FILE_ACCESS_WRITE | FILE_ACCESS_TRUNCATE), FTL_ERR_IO);
    fake_fail_next(test.root, FTL_ERR_IO);
    assert_int_equal(make_directory("/d"), FTL_ERR_IO);
    fake_fail_next(test.root, FTL_ERR_IO);
    assert_int_equal(rename_path("/f", "/g"), FTL_ERR_IO);
    fake_fail_next(test.root, FTL_ERR_IO);
    assert_int_equal(remove_path("/f", false), FTL_ERR_IO);
    uint32_t file = must_open("/f", FILE_ACCESS_WRITE);
    fake_fail_next(test.root, FTL_ERR_NO_SPACE);
    assert_int_equal(write_in(test.session, file, "x", 0), FTL_ERR_NO_SPACE);
    assert_int_equal(file, 1);
}

/* ---- Names ---- */

static void making_removing_and_linking_follow_posix(void **state)
{
    (void)state;
    assert_int_equal(make_directory("/d/"), FTL_OK);
    assert_int_equal(make_directory("/d"), FTL_ERR_EXISTS);
    assert_int_equal(make_directory("/"), FTL_ERR_EXISTS);
    assert_int_equal(make_directory("/d/."), FTL_ERR_EXISTS);
    assert_int_equal(make_directory(""), FTL_ERR_NOT_FOUND);
    assert_int_equal(make_directory("/x/y"), FTL_ERR_NOT_FOUND);
    assert_int_equal(make_link("/l/", "d"), FTL_ERR_NOT_FOUND);
    assert_int_equal(make_link("/l", ""), FTL_ERR_NOT_FOUND);
    make_file("/d/f");
    assert_int_equal(make_directory("/d/f/x"), FTL_ERR_NOT_DIRECTORY);
    assert_int_equal(link_path("/d/f", "/g"), FTL_OK);
    assert_int_equal(number_of("/g"), number_of("/d/f"));
    assert_int_equal(link_path("/d/f", "/g"), FTL_ERR_EXISTS);
    assert_int_equal(link_path("/d", "/e"), FTL_ERR_IS_DIRECTORY);
    assert_int_equal(link_path("/g", "/mnt/g"), FTL_ERR_CROSS_DEVICE);
    assert_int_equal(remove_path("/d", true), FTL_ERR_NOT_EMPTY);
    assert_int_equal(remove_path("/d", false), FTL_ERR_IS_DIRECTORY);
    assert_int_equal(remove_path("/g", true), FTL_ERR_NOT_DIRECTORY);
    assert_int_equal(remove_path("/d/.", true), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(remove_path("/d/..", true), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(remove_path("/", true), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(remove_path("/mnt", true), FTL_ERR_BAD_STATE);
    assert_int_equal(remove_path("/d/f", false), FTL_OK);
    assert_int_equal(remove_path("/d/", true), FTL_OK);
    make_link("/loop", "loop");
    assert_int_equal(remove_path("/loop", false), FTL_OK);
}

static void rename_replaces_like_with_like_and_never_moves_into_itself(void **state)
{
    (void)state;
    make_directory("/a");
    make_directory("/a/b");
    make_directory("/empty");
    make_file("/f");
    make_file("/g");
    assert_int_equal(rename_path("/a", "/a/b/c"), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(rename_path("/a", "/a/c"), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(rename_path("/a/b", "/a"), FTL_ERR_NOT_EMPTY);
    assert_int_equal(rename_path("/f", "/a"), FTL_ERR_IS_DIRECTORY);
    assert_int_equal(rename_path("/a", "/f"), FTL_ERR_NOT_DIRECTORY);
    assert_int_equal(rename_path("/f", "/new/"), FTL_ERR_NOT_DIRECTORY);
    assert_int_equal(rename_path("/f", "/mnt/f"), FTL_ERR_CROSS_DEVICE);
    assert_int_equal(rename_path("/mnt", "/m"), FTL_ERR_BAD_STATE);
    assert_int_equal(rename_path("/empty", "/mnt"), FTL_ERR_BAD_STATE);
    assert_int_equal(rename_path("/a/.", "/x"), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(rename_path("/a", "/empty/.."), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(rename_path("/none", "/x"), FTL_ERR_NOT_FOUND);
    uint64_t f = number_of("/f");
    assert_int_equal(rename_path("/f", "/f"), FTL_OK);
    assert_int_equal(rename_path("/f", "/g"), FTL_OK);
    assert_int_equal(number_of("/g"), f);
    assert_int_equal(look_up("/f"), FTL_ERR_NOT_FOUND);
    assert_int_equal(link_path("/g", "/h"), FTL_OK);
    assert_int_equal(rename_path("/g", "/h"), FTL_OK); /* two names of one file: both stay */
    assert_int_equal(look_up("/g"), FTL_OK);
    assert_int_equal(rename_path("/a", "/empty"), FTL_OK);
    assert_int_equal(look_up("/empty/b"), FTL_OK);
}

static void listing_gives_every_entry_once_in_pieces_of_any_size(void **state)
{
    char seen[64] = { 0 };
    char name[16];
    (void)state;
    make_directory("/d");
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof(name), "/d/%d", i);
        make_file(name);
    }
    for (uint32_t size = 24; size < 300; size += 25) {
        struct file_list_request request = { .file = must_open("/d", FILE_ACCESS_READ),
                                             .place = 8 };
        struct file_list_reply reply;
        unsigned others = 0;
        memset(seen, 0, sizeof(seen));
        request.size = size;
        do {
            assert_int_equal(file_handlers.list(test.session, &request, &reply), FTL_OK);
            assert_true(reply.size <= size);
            for (uint32_t at = 0; at < reply.size;) {
                const struct ftl_file_entry *entry = (const void *)(test.memory + 8 + at);
                assert_int_equal(strlen(entry->name), entry->name_size);
                if (entry->name[0] == '.') {
                    others++;
                } else {
                    seen[atoi(entry->name)]++;
                }
                at += entry->size;
            }
            request.cursor = reply.cursor;
        } while (reply.size != 0);
        assert_int_equal(others, 2);
        for (int i = 0; i < 60; i++) {
            assert_int_equal(seen[i], 1);
        }
        close_in(test.session, request.file);
    }
    struct file_list_request request = { .file = must_open("/d", FILE_ACCESS_READ), .size = 8 };
    struct file_list_reply reply;
    assert_int_equal(file_handlers.list(test.session, &request, &reply), FTL_ERR_TOO_SMALL);
    request.place = 4;
    assert_int_equal(file_handlers.list(test.session, &request, &reply), FTL_ERR_INVALID_ARGUMENT);
}

/* ---- Read-only file systems, write-back ---- */

static void nothing_changes_on_a_read_only_file_system(void **state)
{
    struct file_set_attributes_request set = { .fields = FILE_FIELDS_MODE };
    (void)state;
    make_directory("/mnt/d");
    make_file("/mnt/f");
    uint32_t early = must_open("/mnt/f", FILE_ACCESS_WRITE);
    test.other->is_read_only = true;
    assert_int_equal(try_open("/mnt/f", FILE_ACCESS_READ), FTL_OK);
    assert_int_equal(try_open("/mnt/f", FILE_ACCESS_WRITE), FTL_ERR_READ_ONLY);
    assert_int_equal(try_open("/mnt/g", FILE_ACCESS_WRITE | FILE_ACCESS_CREATE), FTL_ERR_READ_ONLY);
    assert_int_equal(try_open("/mnt/g", FILE_ACCESS_WRITE), FTL_ERR_NOT_FOUND);
    assert_int_equal(make_directory("/mnt/e"), FTL_ERR_READ_ONLY);
    assert_int_equal(make_directory("/mnt/d"), FTL_ERR_EXISTS);
    assert_int_equal(make_link("/mnt/l", "d"), FTL_ERR_READ_ONLY);
    assert_int_equal(link_path("/mnt/f", "/mnt/g"), FTL_ERR_READ_ONLY);
    assert_int_equal(remove_path("/mnt/f", false), FTL_ERR_READ_ONLY);
    assert_int_equal(rename_path("/mnt/f", "/mnt/g"), FTL_ERR_READ_ONLY);
    assert_int_equal(write_in(test.session, early, "x", 0), FTL_ERR_READ_ONLY);
    set.file = early;
    assert_int_equal(file_handlers.set_attributes(test.session, &set), FTL_ERR_READ_ONLY);
    assert_int_equal(file_handlers.sync(test.session, &(struct file_sync_request){ .file = early }),
                     FTL_OK);
    test.other->is_read_only = false;
}

static void a_read_only_session_and_what_it_shares_change_nothing(void **state)
{
    uint32_t file;
    (void)state;
    make_file("/f");
    test.session->is_read_only = true;
    struct session *shared = share(test.session, 0, NULL, 0);
    test.session->is_read_only = false;
    assert_int_equal(open_in(shared, 0, "/f", FILE_ACCESS_WRITE, &file), FTL_ERR_READ_ONLY);
    assert_int_equal(open_in(shared, 0, "/g", FILE_ACCESS_WRITE | FILE_ACCESS_CREATE, &file),
                     FTL_ERR_READ_ONLY);
    assert_int_equal(open_in(shared, 0, "/f", FILE_ACCESS_READ, &file), FTL_OK);
    struct file_set_attributes_request set = { .file = file, .fields = FILE_FIELDS_MODE };
    assert_int_equal(file_handlers.set_attributes(shared, &set), FTL_ERR_READ_ONLY);
    struct file_remove_request remove = { .path = "/f" };
    assert_int_equal(file_handlers.remove(shared, &remove), FTL_ERR_READ_ONLY);
    struct file_rename_request rename = { .from = "/f", .to = "/g" };
    assert_int_equal(file_handlers.rename(shared, &rename), FTL_ERR_READ_ONLY);
    session_destroy(shared);
}

static void what_was_changed_is_written_back_once_and_all_of_it_by_a_sync(void **state)
{
    (void)state;
    tree_write_back();
    unsigned idles = fake_idles(test.other);
    unsigned root_idles = fake_idles(test.root);
    assert_false(tree_is_dirty());
    make_file("/mnt/f");
    assert_true(tree_is_dirty());
    tree_write_back();
    tree_write_back();
    assert_int_equal(fake_idles(test.other), idles + 1);
    assert_int_equal(fake_idles(test.root), root_idles);
    unsigned syncs = fake_syncs(test.root);
    assert_int_equal(file_handlers.sync_all(test.session), FTL_OK);
    assert_int_equal(fake_syncs(test.other), 1);
    assert_int_equal(fake_syncs(test.root), syncs + 1);
}

/* ---- Mounts ---- */

static void a_file_system_in_use_is_not_unmounted(void **state)
{
    struct file_system *third = fake_file_system();
    (void)state;
    make_directory("/mnt/d");
    uint32_t file = must_open("/mnt/d", FILE_ACCESS_READ);
    assert_int_equal(tree_unmount(test.other_mount), FTL_ERR_BAD_STATE);
    close_in(test.session, file);
    struct mount *mount = mount_at(third, "/mnt/d");
    assert_int_equal(tree_unmount(test.other_mount), FTL_ERR_BAD_STATE);
    assert_int_equal(tree_unmount(tree_root()), FTL_ERR_BAD_STATE);
    make_file("/mnt/d/f");
    assert_int_equal(tree_unmount(mount), FTL_OK);
    assert_int_equal(look_up("/mnt/d/f"), FTL_ERR_NOT_FOUND);
}

/* ---- Sharing ---- */

static void shared_files_have_one_position_and_end_with_the_last_session(void **state)
{
    (void)state;
    make_file("/file");
    uint32_t file = must_open("/file", FILE_ACCESS_READ);
    uint32_t files[] = { FTL_FILE_NO_FILE, file, file };
    struct session *shared = share(test.session, FTL_FILE_NO_ROOT, files, 3);
    assert_string_equal(read_in(test.session, file, 2, -1), "/f");
    assert_string_equal(read_in(shared, 2, 2, -1), "il");
    assert_string_equal(read_in(shared, 3, 2, -1), "e");
    assert_null(session_find(shared, 1));
    assert_int_equal(remove_path("/file", false), FTL_OK);
    close_in(test.session, file);
    assert_string_equal(read_in(shared, 2, 5, 0), "/file");
    session_destroy(shared);
}

static void nothing_leads_out_of_a_shared_directory(void **state)
{
    struct file_attributes attributes;
    uint32_t file;
    (void)state;
    make_directory("/jail");
    make_directory("/jail/in");
    make_directory("/jail/in/deep");
    make_file("/jail/f");
    make_file("/secret");
    make_link("/jail/up", "../secret");
    make_link("/jail/absolute", "/secret");
    make_link("/jail/inside", "/f");
    uint32_t jail = must_open("/jail", FILE_ACCESS_READ);
    struct session *shared = share(test.session, jail, NULL, 0);
    assert_int_equal(look_up_in(shared, 0, "/f", true, &attributes), FTL_OK);
    assert_int_equal(look_up_in(shared, 0, "/in/../../../f", true, &attributes), FTL_OK);
    assert_int_equal(look_up_in(shared, 0, "/inside", true, &attributes), FTL_OK);
    assert_int_equal(look_up_in(shared, 0, "../secret", true, &attributes), FTL_ERR_NOT_FOUND);
    assert_int_equal(look_up_in(shared, 0, "/secret", true, &attributes), FTL_ERR_NOT_FOUND);
    assert_int_equal(look_up_in(shared, 0, "up", true, &attributes), FTL_ERR_NOT_FOUND);
    assert_int_equal(look_up_in(shared, 0, "absolute", true, &attributes), FTL_ERR_NOT_FOUND);
    assert_int_equal(open_in(shared, 0, "in/deep", FILE_ACCESS_READ, &file), FTL_OK);
    assert_int_equal(rename_path("/jail/in/deep", "/moved"), FTL_OK); /* out of the jail */
    assert_int_equal(look_up_in(shared, file, "..", true, &attributes), FTL_ERR_NOT_FOUND);
    assert_int_equal(look_up_in(shared, file, "../secret", true, &attributes), FTL_ERR_NOT_FOUND);
    session_destroy(shared);
}

static void a_session_without_root_reaches_what_lies_below_its_directories(void **state)
{
    struct file_attributes attributes;
    struct file_share_request request = { .root = 0 };
    struct file_share_reply reply;
    (void)state;
    make_directory("/a");
    make_directory("/a/b");
    make_file("/a/b/f");
    make_link("/a/b/absolute", "/f");
    uint32_t b = must_open("/a/b", FILE_ACCESS_READ);
    struct session *shared = share(test.session, FTL_FILE_NO_ROOT, &b, 1);
    assert_int_equal(look_up_in(shared, 0, "/a", true, &attributes), FTL_ERR_HANDLE_CLOSED);
    assert_int_equal(look_up_in(shared, 1, "f", true, &attributes), FTL_OK);
    assert_int_equal(look_up_in(shared, 1, "../b/f", true, &attributes), FTL_ERR_NOT_FOUND);
    assert_int_equal(look_up_in(shared, 1, "../f", true, &attributes), FTL_OK);
    assert_int_equal(look_up_in(shared, 1, "/f", true, &attributes), FTL_OK);
    assert_int_equal(look_up_in(shared, 1, "absolute", true, &attributes), FTL_OK);
    assert_int_equal(file_handlers.share(shared, &request, &reply), FTL_ERR_HANDLE_CLOSED);
    session_destroy(shared);
}

static void a_share_that_fails_leaves_nothing_behind(void **state)
{
    struct file_share_reply reply;
    (void)state;
    make_file("/f");
    uint32_t files[] = { must_open("/f", FILE_ACCESS_READ), 99 };
    struct file_share_request request = { .files = files, .files_count = 2 };
    assert_int_equal(file_handlers.share(test.session, &request, &reply), FTL_ERR_HANDLE_CLOSED);
    request.files_count = 1;
    test.share_error = FTL_ERR_LIMIT;
    assert_int_equal(file_handlers.share(test.session, &request, &reply), FTL_ERR_LIMIT);
    request.root = files[0];
    assert_int_equal(file_handlers.share(test.session, &request, &reply), FTL_ERR_NOT_DIRECTORY);
}

/* ---- Locks ---- */

static ftl_status_t lock(struct session *session, uint32_t file, enum file_lock kind,
                         uint64_t start, uint64_t length)
{
    struct file_set_lock_request request = {
        .file = file, .lock = (uint8_t)kind, .start = start, .length = length
    };
    return file_handlers.set_lock(session, &request);
}

static void locks_conflict_between_clients_where_ranges_meet(void **state)
{
    struct file_find_lock_request find = { .lock = FILE_LOCK_SHARED, .start = 0, .length = 0 };
    struct file_find_lock_reply found;
    (void)state;
    make_file("/f");
    uint32_t file = must_open("/f", FILE_ACCESS_READ | FILE_ACCESS_WRITE);
    struct session *other = share(test.session, 0, &file, 1);
    assert_int_equal(lock(test.session, file, FILE_LOCK_EXCLUSIVE, 10, 10), FTL_OK);
    assert_int_equal(lock(test.session, file, FILE_LOCK_EXCLUSIVE, 0, 0), FTL_OK);
    assert_int_equal(lock(test.session, file, FILE_LOCK_NONE, 20, 5), FTL_OK);
    assert_int_equal(lock(other, 1, FILE_LOCK_SHARED, 19, 1), FTL_ERR_WOULD_BLOCK);
    assert_int_equal(lock(other, 1, FILE_LOCK_SHARED, 20, 5), FTL_OK);
    assert_int_equal(lock(other, 1, FILE_LOCK_SHARED, 20, 6), FTL_ERR_WOULD_BLOCK);
    assert_int_equal(lock(test.session, file, FILE_LOCK_SHARED, 22, 1), FTL_OK);
    assert_int_equal(lock(test.session, file, FILE_LOCK_EXCLUSIVE, 22, 1), FTL_ERR_WOULD_BLOCK);
    find.file = 1;
    find.start = 21;
    assert_int_equal(file_handlers.find_lock(other, &find, &found), FTL_OK);
    assert_int_equal(found.lock, FILE_LOCK_EXCLUSIVE);
    assert_int_equal(found.start, 25);
    assert_int_equal(found.length, 0);
    find.length = 2;
    assert_int_equal(file_handlers.find_lock(other, &find, &found), FTL_OK);
    assert_int_equal(found.lock, FILE_LOCK_NONE);
    assert_int_equal(lock(other, 1, FILE_LOCK_SHARED, UINT64_MAX, 2), FTL_ERR_INVALID_ARGUMENT);
    session_destroy(other);
    assert_int_equal(lock(test.session, file, FILE_LOCK_EXCLUSIVE, 0, 0), FTL_OK);
}

static void locks_go_when_their_owner_closes_any_number_of_the_file(void **state)
{
    (void)state;
    make_file("/f");
    uint32_t file = must_open("/f", FILE_ACCESS_READ | FILE_ACCESS_WRITE);
    uint32_t second = must_open("/f", FILE_ACCESS_READ);
    struct session *other = share(test.session, 0, &file, 1);
    assert_int_equal(lock(test.session, second, FILE_LOCK_EXCLUSIVE, 0, 1), FTL_ERR_MISSING_RIGHT);
    assert_int_equal(lock(test.session, file, FILE_LOCK_EXCLUSIVE, 0, 1), FTL_OK);
    assert_int_equal(lock(other, 1, FILE_LOCK_SHARED, 0, 1), FTL_ERR_WOULD_BLOCK);
    close_in(test.session, second);
    assert_int_equal(lock(other, 1, FILE_LOCK_SHARED, 0, 1), FTL_OK);
    session_destroy(other);
}

/* Random locks of three owners on 16 bytes, and a model that knows each byte. */
static void locks_are_as_if_every_byte_had_its_own(void **state)
{
    enum { BYTES = 16, OWNERS = 3 };
    char owners[OWNERS];
    enum file_lock model[OWNERS][BYTES] = { { FILE_LOCK_NONE } };
    uint32_t random = 1;
    (void)state;
    make_file("/f");
    struct file *file = session_find(test.session, must_open("/f", FILE_ACCESS_READ))->file;
    for (int round = 0; round < 20000; round++) {
        random = random * 1664525 + 1013904223;
        unsigned owner = (random >> 8) % OWNERS;
        enum file_lock kind = (enum file_lock)((random >> 12) % 3);
        uint64_t start = (random >> 16) % BYTES;
        uint64_t last = start + (random >> 24) % (BYTES - start);
        bool conflicts = false;
        for (unsigned other = 0; other < OWNERS; other++) {
            for (uint64_t i = start; i <= last && other != owner; i++) {
                conflicts |= (kind == FILE_LOCK_EXCLUSIVE && model[other][i] != FILE_LOCK_NONE) ||
                             (kind == FILE_LOCK_SHARED && model[other][i] == FILE_LOCK_EXCLUSIVE);
            }
        }
        assert_int_equal(locks_set(file, &owners[owner], kind, start, last),
                         conflicts ? FTL_ERR_WOULD_BLOCK : FTL_OK);
        for (uint64_t i = start; i <= last && !conflicts; i++) {
            model[owner][i] = kind;
        }
        unsigned ranges = 0;
        for (const struct lock_range *range = file->locks; range != NULL; range = range->next) {
            ranges++;
            assert_true(range->next == NULL || range->start <= range->next->start);
        }
        unsigned expected = 0; /* as few as can be */
        for (unsigned other = 0; other < OWNERS; other++) {
            for (unsigned i = 0; i < BYTES; i++) {
                expected += model[other][i] != FILE_LOCK_NONE &&
                            (i == 0 || model[other][i - 1] != model[other][i]);
            }
        }
        assert_int_equal(ranges, expected);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(paths_lead_through_directories_dots_and_slashes),
        TEST(names_are_up_to_255_bytes_and_paths_up_to_4095),
        TEST(symbolic_links_are_followed_but_not_at_the_end_unless_wanted),
        TEST(forty_symbolic_links_are_followed_and_no_more),
        TEST(a_base_is_where_relative_paths_begin),
        TEST(paths_cross_mounts_in_both_directions),
        TEST(create_exclusive_truncate_and_directory_mean_what_posix_says),
        TEST(numbers_are_the_lowest_free_ones_and_limited),
        TEST(a_removed_file_lives_until_it_is_closed),
        TEST(reads_and_writes_move_the_position_unless_they_name_a_place),
        TEST(appending_writes_go_to_the_end_wherever_the_position_is),
        TEST(accesses_need_what_the_file_was_opened_for),
        TEST(positions_and_sizes_stay_below_two_to_the_63rd),
        TEST(errors_of_the_file_system_reach_the_client_and_leave_nothing_open),
        TEST(making_removing_and_linking_follow_posix),
        TEST(rename_replaces_like_with_like_and_never_moves_into_itself),
        TEST(listing_gives_every_entry_once_in_pieces_of_any_size),
        TEST(nothing_changes_on_a_read_only_file_system),
        TEST(a_read_only_session_and_what_it_shares_change_nothing),
        TEST(what_was_changed_is_written_back_once_and_all_of_it_by_a_sync),
        TEST(a_file_system_in_use_is_not_unmounted),
        TEST(shared_files_have_one_position_and_end_with_the_last_session),
        TEST(nothing_leads_out_of_a_shared_directory),
        TEST(a_session_without_root_reaches_what_lies_below_its_directories),
        TEST(a_share_that_fails_leaves_nothing_behind),
        TEST(locks_conflict_between_clients_where_ranges_meet),
        TEST(locks_go_when_their_owner_closes_any_number_of_the_file),
        TEST(locks_are_as_if_every_byte_had_its_own),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
