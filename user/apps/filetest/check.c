/* Whether the calls of the protocol `file` do what it says, in a writable directory: filetest.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filetest.h"

#define NEW_FILE   (FILE_ACCESS_READ | FILE_ACCESS_WRITE | FILE_ACCESS_CREATE | FILE_ACCESS_EXCLUSIVE)
#define BLOCKS     40u /* of a file that is written in pieces of all sizes */
#define BLOCK      4096u
#define ENTRIES    300u
#define PATH_SIZE  512u
#define HOLE_AT    1000000
#define LONG_NAME  255u
#define NAME_BYTES (LONG_NAME + 2)

static struct client client;
static uint32_t top; /* the directory for all that is made here */

/* ---- Calls ---- */

static void must_open(const char *path, uint32_t access, uint32_t *file)
{
    require(client_open_file(&client, top, path, access, file), FTL_OK, path);
}

static void must_close(uint32_t file)
{
    require(client_close_file(&client, file), FTL_OK, "close");
}

static void must_write(uint32_t file, const void *data, uint32_t size, int64_t offset)
{
    uint32_t written = size;
    require(client_write(&client, file, data, &written, offset), FTL_OK, "write");
    require_that(written == size, "less was written than given");
}

static void expect(uint32_t file, const char *text, int64_t offset)
{
    char data[64];
    uint32_t size = sizeof(data);
    require(client_read(&client, file, data, &size, offset), FTL_OK, "read");
    require_that(size == strlen(text) && memcmp(data, text, size) == 0, "other data was read");
}

static struct file_attributes attributes_of(uint32_t file)
{
    struct file_attributes attributes;
    require(client_attributes(&client, file, &attributes), FTL_OK, "attributes");
    return attributes;
}

static void look_up(const char *path, ftl_status_t expected)
{
    struct file_attributes attributes;
    require(client_look_up(&client, top, path, true, &attributes), expected, path);
}

static void make_file(const char *path, const char *text)
{
    uint32_t file;
    must_open(path, NEW_FILE, &file);
    must_write(file, text, (uint32_t)strlen(text), 0);
    must_close(file);
}

static ftl_status_t make_directory(const char *path)
{
    struct file_make_directory_request request = { .base = top, .path = path, .mode = 0755 };
    return file_make_directory(client.channel, &request, &client.buffer, FTL_TIME_INFINITE);
}

static ftl_status_t remove_path(const char *path, bool directory)
{
    struct file_remove_request request = { .base = top, .path = path, .directory = directory };
    return file_remove(client.channel, &request, &client.buffer, FTL_TIME_INFINITE);
}

static ftl_status_t rename_path(const char *from, const char *to)
{
    struct file_rename_request request = {
        .from_base = top, .from = from, .to_base = top, .to = to
    };
    return file_rename(client.channel, &request, &client.buffer, FTL_TIME_INFINITE);
}

static ftl_status_t link_path(const char *from, const char *to)
{
    struct file_link_request request = { .from_base = top, .from = from, .to_base = top, .to = to };
    return file_link(client.channel, &request, &client.buffer, FTL_TIME_INFINITE);
}

static ftl_status_t make_link(const char *path, const char *target)
{
    struct file_make_link_request request = { .base = top, .path = path, .target = target };
    return file_make_link(client.channel, &request, &client.buffer, FTL_TIME_INFINITE);
}

static void seek(uint32_t file, enum file_origin origin, int64_t offset, uint64_t position)
{
    struct file_seek_request request = { .file = file,
                                         .origin = (uint8_t)origin,
                                         .offset = offset };
    struct file_seek_reply reply;
    require(file_seek(client.channel, &request, &reply, &client.buffer, FTL_TIME_INFINITE), FTL_OK,
            "seek");
    require_that(reply.position == position, "another position than sought");
}

static ftl_status_t truncate_to(uint32_t file, uint64_t size)
{
    struct file_truncate_request request = { .file = file, .size = size };
    return file_truncate(client.channel, &request, &client.buffer, FTL_TIME_INFINITE);
}

/* ---- Data ---- */

static void check_data(void)
{
    uint32_t file;
    must_open("data", NEW_FILE, &file);
    must_write(file, "hello ", 6, -1);
    must_write(file, "world", 5, -1);
    expect(file, "", -1);
    expect(file, "world", 6);
    seek(file, FILE_ORIGIN_START, 3, 3);
    expect(file, "lo world", -1);
    seek(file, FILE_ORIGIN_END, -5, 6);
    seek(file, FILE_ORIGIN_POSITION, -2, 4);
    must_write(file, "O", 1, -1);
    expect(file, "hellO world", 0);
    require(truncate_to(file, 5), FTL_OK, "truncate");
    expect(file, "hellO", 0);
    require(truncate_to(file, 7), FTL_OK, "truncate");
    require_that(attributes_of(file).size == 7, "another size than set");
    must_write(file, "!", 1, HOLE_AT);
    require_that(attributes_of(file).size == HOLE_AT + 1, "another size than written");
    char data[2] = { 1, 1 };
    uint32_t size = sizeof(data);
    require(client_read(&client, file, data, &size, HOLE_AT / 2), FTL_OK, "read a hole");
    require_that(size == 2 && data[0] == 0 && data[1] == 0, "a hole is not empty");
    expect(file, "!", HOLE_AT);
    require(client_sync(&client, file), FTL_OK, "sync");
    must_close(file);
    require(remove_path("data", false), FTL_OK, "remove");
}

static unsigned char pattern(uint32_t at)
{
    return (unsigned char)(at * 7 + at / BLOCK * 13 + 1);
}

/* Writes and reads in pieces of many sizes. */
static void check_pieces(void)
{
    static unsigned char data[BLOCKS * BLOCK];
    uint32_t file;
    must_open("pieces", NEW_FILE, &file);
    for (uint32_t i = 0; i < sizeof(data); i++) {
        data[i] = pattern(i);
    }
    uint32_t piece = 1;
    for (uint32_t at = 0; at < sizeof(data);) {
        uint32_t size = piece < sizeof(data) - at ? piece : (uint32_t)sizeof(data) - at;
        must_write(file, data + at, size, -1);
        at += size;
        piece = piece * 3 + 1;
    }
    memset(data, 0, sizeof(data));
    piece = 100000;
    for (uint32_t at = 0; at < sizeof(data);) {
        uint32_t size = piece;
        require(client_read(&client, file, data + at, &size, at), FTL_OK, "read a piece");
        require_that(size != 0, "a file ends too early");
        at += size;
        piece = piece / 2 + 77;
    }
    for (uint32_t i = 0; i < sizeof(data); i++) {
        require_that(data[i] == pattern(i), "a piece is not what was written");
    }
    must_close(file);
    require(remove_path("pieces", false), FTL_OK, "remove");
}

/* ---- Names ---- */

static void check_names(void)
{
    char name[NAME_BYTES];
    uint32_t file;
    require(make_directory("a"), FTL_OK, "make a directory");
    require(make_directory("a"), FTL_ERR_EXISTS, "make it again");
    make_file("a/f", "text");
    require(client_open_file(&client, top, "a/f", NEW_FILE, &file), FTL_ERR_EXISTS, "exclusive");
    require(remove_path("a", true), FTL_ERR_NOT_EMPTY, "remove a full directory");
    require(rename_path("a/f", "a/g"), FTL_OK, "rename");
    look_up("a/f", FTL_ERR_NOT_FOUND);
    make_file("a/h", "other");
    require(rename_path("a/g", "a/h"), FTL_OK, "replace");
    must_open("a/h", FILE_ACCESS_READ, &file);
    expect(file, "text", 0);
    require(remove_path("a/h", false), FTL_OK, "remove an open file");
    expect(file, "text", 0);
    must_close(file);
    require(make_directory("a/b"), FTL_OK, "make a directory");
    require(rename_path("a", "a/b/c"), FTL_ERR_INVALID_ARGUMENT, "move into itself");
    require(rename_path("a/b", "b"), FTL_OK, "move a directory");
    look_up("b/../a", FTL_OK);
    memset(name, 'x', LONG_NAME);
    name[LONG_NAME] = '\0';
    make_file(name, "long");
    look_up(name, FTL_OK);
    require(remove_path(name, false), FTL_OK, "remove a long name");
    strcpy(name + LONG_NAME, "x");
    look_up(name, FTL_ERR_NAME_TOO_LONG);
    require(remove_path("a", true), FTL_OK, "remove a directory");
    require(remove_path("b", true), FTL_OK, "remove a directory");
}

static void check_links(void)
{
    struct file_read_link_request read = { .base = top, .path = "link" };
    struct file_read_link_reply target;
    struct file_attributes attributes;
    uint32_t file;
    make_file("f", "linked");
    require(make_link("link", "f"), FTL_OK, "make a link");
    require(file_read_link(client.channel, &read, &target, &client.buffer, FTL_TIME_INFINITE),
            FTL_OK, "read a link");
    require_that(strcmp(target.target, "f") == 0, "another target than set");
    must_open("link", FILE_ACCESS_READ, &file);
    expect(file, "linked", 0);
    must_close(file);
    require(client_look_up(&client, top, "link", false, &attributes), FTL_OK, "look at a link");
    require_that(attributes.kind == FILE_KIND_SYMBOLIC_LINK, "a link is none");
    require(make_link("loop", "loop"), FTL_OK, "make a loop");
    look_up("loop", FTL_ERR_LOOP);
    require(link_path("f", "g"), FTL_OK, "link");
    must_open("g", FILE_ACCESS_READ, &file);
    require_that(attributes_of(file).links == 2, "two names are not two");
    require(remove_path("f", false), FTL_OK, "remove a name");
    expect(file, "linked", 0);
    require_that(attributes_of(file).links == 1, "one name is not one");
    must_close(file);
    require(remove_path("g", false), FTL_OK, "remove");
    require(remove_path("link", false), FTL_OK, "remove a link");
    require(remove_path("loop", false), FTL_OK, "remove a loop");
}

static void check_attributes(void)
{
    uint32_t file;
    must_open("f", NEW_FILE, &file);
    struct file_attributes attributes = attributes_of(file);
    require_that(attributes.kind == FILE_KIND_REGULAR && attributes.mode == 0644 &&
                     attributes.links == 1 && attributes.size == 0,
                 "attributes of a new file are wrong");
    struct file_set_attributes_request set = {
        .file = file,
        .fields =
            FILE_FIELDS_MODE | FILE_FIELDS_OWNER | FILE_FIELDS_ACCESSED | FILE_FIELDS_MODIFIED,
        .attributes = { .kind = FILE_KIND_REGULAR, /* not looked at */
                        .mode = 0600,
                        .user = 1000,
                        .group = 100,
                        .accessed = INT64_C(1000000000) * 1000,
                        .modified = INT64_C(1000000000) * 2000 },
    };
    require(file_set_attributes(client.channel, &set, &client.buffer, FTL_TIME_INFINITE), FTL_OK,
            "set attributes");
    attributes = attributes_of(file);
    require_that(attributes.mode == 0600 && attributes.user == 1000 && attributes.group == 100 &&
                     attributes.accessed == set.attributes.accessed &&
                     attributes.modified == set.attributes.modified,
                 "attributes are not what was set");
    must_close(file);
    require(remove_path("f", false), FTL_OK, "remove");
}

/* ---- Directories ---- */

/* Lists in small pieces while others are removed: what stays is listed once. */
static void check_list(void)
{
    static unsigned char seen[ENTRIES];
    char name[32];
    uint32_t file;
    uint32_t used;
    uint64_t cursor = 0;
    memset(seen, 0, sizeof(seen));
    require(make_directory("many"), FTL_OK, "make a directory");
    for (unsigned i = 0; i < ENTRIES; i++) {
        snprintf(name, sizeof(name), "many/%u", i);
        make_file(name, "");
    }
    must_open("many", FILE_ACCESS_READ, &file);
    for (unsigned round = 0; round == 0 || used != 0; round++) {
        require(client_list(&client, file, 256, &cursor, &used), FTL_OK, "list");
        for (uint32_t at = 0; at < used;) {
            const struct ftl_file_entry *entry = (const void *)(client.memory + at);
            if (entry->name[0] != '.') {
                seen[strtoul(entry->name, NULL, 10)]++;
            }
            at += entry->size;
        }
        if (round < ENTRIES / 2) { /* every other one goes, as the list proceeds */
            snprintf(name, sizeof(name), "many/%u", round * 2);
            require(remove_path(name, false), FTL_OK, "remove one listed");
        }
    }
    for (unsigned i = 0; i < ENTRIES; i++) {
        snprintf(name, sizeof(name), "many/%u", i);
        bool is_there = remove_path(name, false) == FTL_OK;
        require_that(!is_there || seen[i] == 1, "an entry was not listed once");
    }
    must_close(file);
    require(remove_path("many", true), FTL_OK, "remove");
}

/* ---- Locks and shares ---- */

static ftl_status_t lock(struct client *of, uint32_t file, enum file_lock kind)
{
    struct file_set_lock_request request = {
        .file = file, .lock = (uint8_t)kind, .start = 10, .length = 10
    };
    return file_set_lock(of->channel, &request, &of->buffer, FTL_TIME_INFINITE);
}

static void check_shares(void)
{
    static struct client other;
    struct file_share_reply shared;
    struct file_attributes attributes;
    uint32_t file;
    make_file("f", "shared text");
    must_open("f", FILE_ACCESS_READ | FILE_ACCESS_WRITE, &file);
    struct file_share_request share = { .root = top, .files = &file, .files_count = 1 };
    require(file_share(client.channel, &share, &shared, &client.buffer, FTL_TIME_INFINITE), FTL_OK,
            "share");
    client_attach(&other, shared.client);
    char data[7];
    uint32_t size = sizeof(data);
    require(client_read(&other, 1, data, &size, -1), FTL_OK, "read what is shared");
    require_that(size == 7 && memcmp(data, "shared ", 7) == 0, "shared data is wrong");
    expect(file, "text", -1);
    require(client_look_up(&other, 0, "/../../f", true, &attributes), FTL_OK, "its root");
    require(client_look_up(&other, 0, "/boot", true, &attributes), FTL_ERR_NOT_FOUND,
            "look out of it");
    require(lock(&client, file, FILE_LOCK_EXCLUSIVE), FTL_OK, "lock");
    require(lock(&other, 1, FILE_LOCK_SHARED), FTL_ERR_WOULD_BLOCK, "lock what is locked");
    must_close(file);
    require(lock(&other, 1, FILE_LOCK_EXCLUSIVE), FTL_OK, "lock what was let go");
    client_close(&other);
    require(remove_path("f", false), FTL_OK, "remove");
}

static void check_file_system(void)
{
    struct file_file_system_request request = { .file = top };
    struct file_file_system_reply reply;
    require(file_file_system(client.channel, &request, &reply, &client.buffer, FTL_TIME_INFINITE),
            FTL_OK, "file system");
    require_that(reply.name_max == 255 && reply.free_blocks != 0 &&
                     reply.free_blocks <= reply.blocks && !reply.read_only,
                 "what is known of the file system is wrong");
    require(file_sync_all(client.channel, &client.buffer, FTL_TIME_INFINITE), FTL_OK, "sync all");
}

void check(const char *directory)
{
    char path[PATH_SIZE];
    uint32_t parent;
    require(client_open(&client), FTL_OK, "connect");
    client_make_directory(&client, directory); /* if it is not there */
    snprintf(path, sizeof(path), "%s/filetest-check", directory);
    require(client_make_directory(&client, path), FTL_OK, path);
    require(client_open_file(&client, 0, directory, 0, &parent), FTL_OK, directory);
    require(client_open_file(&client, 0, path, FILE_ACCESS_READ | FILE_ACCESS_DIRECTORY, &top),
            FTL_OK, path);
    check_data();
    check_pieces();
    check_names();
    check_links();
    check_attributes();
    check_list();
    check_shares();
    check_file_system();
    must_close(top);
    require(client_remove(&client, path, true), FTL_OK, "remove all");
    client_close(&client);
    printf("all as it should be\n");
}
