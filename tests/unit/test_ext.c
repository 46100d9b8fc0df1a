/* ext2, ext3 and ext4 of the file server, with images that the host's e2fsprogs make and check. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ext_disk.h"
#include "ext_model.h"

#define MIB (1u << 20)

static unsigned int scale = 1; /* of the random tests */

static struct file_system *mount(struct test_disk *disk)
{
    struct file_system *file_system = NULL;
    const char *problem = NULL;
    ftl_status_t status = ext_mount(&disk->disk, false, &file_system, &problem);
    if (status != FTL_OK || problem != NULL) {
        print_error("mount: %d %s\n", (int)status, problem);
    }
    assert_int_equal(status, FTL_OK);
    assert_false(file_system->is_read_only);
    return file_system;
}

static void unmount(struct file_system *file_system)
{
    assert_int_equal(file_system->operations->unmount(file_system), FTL_OK);
}

/* What mke2fs can make of what we know. */
static const char *const flavours[] = {
    "-t ext4 -b 4096",
    "-t ext4 -b 1024 -I 128",
    "-t ext4 -b 4096 -O ^64bit,^metadata_csum,uninit_bg",
    "-t ext4 -O ^extent,^metadata_csum_seed,^64bit -b 2048",
    "-t ext3 -b 1024 -I 512",
    "-t ext2 -b 1024",
    "-t ext2 -r 1 -O none -I 128",
    "-t ext4 -O ^has_journal -b 4096",
    "-t ext4 -O meta_bg,^resize_inode -b 1024 -g 1024",
    "-t ext4 -O ^has_journal -b 65536",
};
#define FLAVOURS (sizeof(flavours) / sizeof(flavours[0]))

static node_t look_up(struct file_system *file_system, node_t in, const char *name)
{
    node_t node = 0;
    assert_int_equal(file_system->operations->look_up(file_system, in, name, &node), FTL_OK);
    return node;
}

static void read_what_mke2fs_wrote(const char *options)
{
    char folder[] = "/tmp/ext_folder.XXXXXX", command[600];
    assert_non_null(mkdtemp(folder));
    snprintf(command, sizeof(command),
             "cd %s && mkdir -p a/b && seq 1 20000 >a/numbers && ln -s a/numbers short && "
             "ln -s %0200d long && ln a/numbers a/b/other && truncate -s 300000 sparse && "
             "printf end >>sparse && chmod 640 a/numbers",
             folder, 7);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): the test's own */
    struct test_disk *disk = test_disk_make(options, 8 * MIB, folder);
    struct file_system *file_system = mount(disk);
    const struct file_system_operations *of = file_system->operations;
    node_t root = of->root(file_system), a = look_up(file_system, root, "a");
    node_t numbers = look_up(file_system, a, "numbers");
    struct file_attributes attributes;
    assert_int_equal(of->attributes(file_system, numbers, &attributes), FTL_OK);
    assert_int_equal(attributes.size, 108894);
    assert_int_equal(attributes.links, 2);
    assert_int_equal(attributes.mode, 0640);
    static char data[200000];
    size_t size = sizeof(data);
    assert_int_equal(of->read(file_system, numbers, 0, data, &size), FTL_OK);
    assert_int_equal(size, 108894);
    assert_memory_equal(data, "1\n2\n3\n", 6);
    assert_memory_equal(data + size - 12, "19999\n20000\n", 12);
    node_t link = look_up(file_system, root, "short");
    assert_int_equal(of->read_link(file_system, link, data, sizeof(data)), FTL_OK);
    assert_string_equal(data, "a/numbers");
    of->release(file_system, link);
    link = look_up(file_system, root, "long");
    assert_int_equal(of->read_link(file_system, link, data, sizeof(data)), FTL_OK);
    assert_int_equal(strlen(data), 200);
    of->release(file_system, link);
    node_t sparse = look_up(file_system, root, "sparse");
    uint64_t place = 0;
    assert_int_equal(of->seek(file_system, sparse, false, &place), FTL_OK);
    assert_in_range(place, 300000 - 65536, 300000);
    size = 10;
    assert_int_equal(of->read(file_system, sparse, 299999, data, &size), FTL_OK);
    assert_int_equal(size, 4);
    assert_memory_equal(data, "\0end", 4);
    node_t parent;
    assert_int_equal(of->parent(file_system, a, &parent), FTL_OK);
    assert_int_equal(parent, root);
    unmount(file_system);
    assert_true(disk->is_closed);
    test_disk_check(disk);
    test_disk_free(disk);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): the test's own */
}

static void mounts_what_mke2fs_made(void **state)
{
    (void)state;
    for (size_t i = 0; i < FLAVOURS; i++) {
        print_message("%s\n", flavours[i]);
        read_what_mke2fs_wrote(flavours[i]);
    }
}

static void random_operations(struct test_disk *disk, uint64_t seed, unsigned int steps,
                              size_t size_max, bool may_be_full)
{
    struct model *model = malloc(sizeof(*model));
    assert_non_null(model);
    struct file_system *file_system = mount(disk);
    model_init(model, file_system, seed, size_max);
    model->may_be_full = may_be_full;
    for (unsigned int i = 0; i < steps; i++) {
        model_step(model);
        if (i % 97 == 0) {
            assert_int_equal(file_system->operations->sync(file_system), FTL_OK);
        }
    }
    model_compare(model);
    assert_int_equal(file_system_hash(file_system), model_hash(model));
    model_release(model);
    unmount(file_system);
    test_disk_check(disk);
    /* And what comes from the disk is the same. */
    model->file_system = file_system = mount(disk);
    model_compare(model);
    model_release(model);
    unmount(file_system);
    model_free(model);
    free(model);
}

static void random_operations_are_as_in_a_model(void **state)
{
    (void)state;
    for (size_t i = 0; i < FLAVOURS * scale; i++) {
        print_message("%s, seed %zu\n", flavours[i % FLAVOURS], i);
        struct test_disk *disk = test_disk_make(flavours[i % FLAVOURS], 16 * MIB, NULL);
        random_operations(disk, i, 1500, 60000, false);
        test_disk_free(disk);
    }
}

/* One file system of each kind that differs in how things are made to last. */
static const char *const journalled[] = {
    "-t ext4 -b 4096 -J size=4",
    "-t ext4 -b 1024 -J size=1",
    "-t ext3 -b 1024",
    "-t ext4 -b 4096 -O ^64bit,^metadata_csum -J size=4",
};
#define JOURNALLED (sizeof(journalled) / sizeof(journalled[0]))

#define SYNCED_MAX 64

/* What was in the file system when a sync returned. */
struct synced {
    size_t events;
    unsigned int step;
    struct {
        node_t number;
        uint64_t version, hash;
        size_t size;
    } files[MODEL_NODES];
};

struct history {
    struct synced synced[SYNCED_MAX];
    size_t synced_count;
    uint64_t *hashes; /* of names, after each step */
    size_t *events;   /* recorded when it ended */
    uint64_t (*versions)[MODEL_NODES];
    unsigned int steps;
};

static void note_synced(struct history *history, const struct model *model,
                        const struct test_disk *disk, unsigned int step)
{
    struct synced *synced = &history->synced[history->synced_count++];
    synced->events = disk->event_count;
    synced->step = step;
    for (int i = 0; i < MODEL_NODES; i++) {
        const struct model_node *node = &model->nodes[i];
        synced->files[i].number = 0;
        if (node->links > 0 && node->kind == FILE_KIND_REGULAR && node->number != 0) {
            synced->files[i].number = node->number;
            synced->files[i].version = node->version;
            synced->files[i].size = node->size;
            synced->files[i].hash = hash_bytes(1, node->data, node->size);
        }
    }
}

static void note_step(struct history *history, const struct model *model,
                      const struct test_disk *disk, unsigned int step)
{
    history->hashes[step] = model_hash(model);
    history->events[step] = disk->event_count;
    for (int i = 0; i < MODEL_NODES; i++) {
        history->versions[step][i] = model->nodes[i].version;
    }
}

/* Does random operations, and writes down what should be there after each. */
static void make_history(struct history *history, struct test_disk *disk, uint64_t seed,
                         unsigned int steps)
{
    struct model *model = malloc(sizeof(*model));
    assert_non_null(model);
    history->steps = steps;
    history->synced_count = 0;
    history->hashes = calloc(steps, sizeof(*history->hashes));
    history->events = calloc(steps, sizeof(*history->events));
    history->versions = calloc(steps, sizeof(*history->versions));
    struct file_system *file_system = mount(disk);
    model_init(model, file_system, seed, 30000);
    test_disk_record(disk);
    note_synced(history, model, disk, 0);
    note_step(history, model, disk, 0);
    for (unsigned int i = 1; i < steps; i++) {
        model_step(model);
        note_step(history, model, disk, i);
        if (i % (steps / 40) == 0) {
            assert_int_equal(file_system->operations->sync(file_system), FTL_OK);
            note_synced(history, model, disk, i);
        } else if (i % 61 == 0) {
            file_system->operations->idle(file_system);
        }
    }
    disk->is_recorded = false;
    model_release(model);
    unmount(file_system);
    model_free(model);
    free(model);
}

/* Files that have not changed since a sync hold what they held then. */
static void check_synced_files(struct file_system *file_system, const struct history *history,
                               const struct synced *synced, size_t events)
{
    static char data[40000];
    for (int i = 0; i < MODEL_NODES; i++) {
        bool has_changed = synced->files[i].number == 0;
        for (unsigned int step = synced->step; step < history->steps && !has_changed; step++) {
            has_changed = history->versions[step][i] != synced->files[i].version;
            if (history->events[step] > events) {
                break;
            }
        }
        /* A file that was removed meanwhile may be gone: then its number cannot be read. */
        size_t size = sizeof(data);
        if (!has_changed &&
            file_system->operations->read(file_system, synced->files[i].number, 0, data, &size) ==
                FTL_OK &&
            size == synced->files[i].size) {
            assert_true(hash_bytes(1, data, size) == synced->files[i].hash);
        }
    }
}

static void check_crash(const struct history *history, const struct test_disk *before,
                        const struct test_disk *disk, uint64_t *random)
{
    size_t events = test_random(random) % (disk->event_count + 1), last = 0;
    struct test_disk *crashed = test_disk_crash(before, disk, events, random);
    while (last + 1 < history->synced_count && history->synced[last + 1].events <= events) {
        last++;
    }
    const struct synced *synced = &history->synced[last];
    /* The journal is brought in by us, or by the host. */
    if (test_random(random) % 4 == 0) {
        int status = test_disk_run(crashed, "e2fsck -p", true);
        if (status > 1) {
            print_error("e2fsck -p: %s\n", test_disk_output);
        }
        assert_in_range(status, 0, 1);
    }
    struct file_system *file_system = mount(crashed);
    uint64_t found = file_system_hash(file_system);
    bool is_known = false;
    for (unsigned int step = synced->step; step < history->steps && !is_known; step++) {
        is_known = history->hashes[step] == found;
        if (history->events[step] > events) {
            break;
        }
    }
    assert_true(is_known);
    check_synced_files(file_system, history, synced, events);
    unmount(file_system);
    if (test_random(random) % 4 == 0) {
        test_disk_check(crashed);
    }
    test_disk_free(crashed);
}

static void what_was_synced_survives_a_loss_of_power(void **state)
{
    (void)state;
    struct history *history = calloc(1, sizeof(*history));
    assert_non_null(history);
    for (size_t i = 0; i < JOURNALLED * scale; i++) {
        uint64_t random = i;
        print_message("%s, seed %zu\n", journalled[i % JOURNALLED], i);
        struct test_disk *disk = test_disk_make(journalled[i % JOURNALLED], 12 * MIB, NULL);
        struct test_disk *before = test_disk_copy(disk);
        make_history(history, disk, i, 600);
        for (int crash = 0; crash < 60; crash++) {
            check_crash(history, before, disk, &random);
        }
        free(history->hashes);
        free(history->events);
        free(history->versions);
        test_disk_free(before);
        test_disk_free(disk);
    }
    free(history);
}

static void without_a_journal_e2fsck_saves_what_was_synced(void **state)
{
    static char data[30000], found[sizeof(data) + 1];
    struct file_system *file_system;
    const char *problem;
    node_t node;
    (void)state;
    struct test_disk *disk = test_disk_make("-t ext2 -b 1024", 8 * MIB, NULL);
    struct test_disk *before = test_disk_copy(disk);
    uint64_t random = 1;
    file_system = mount(disk);
    const struct file_system_operations *of = file_system->operations;
    node_t root = of->root(file_system);
    memset(data, 'd', sizeof(data));
    test_disk_record(disk);
    assert_int_equal(of->create(file_system, root, "file", 0600, &node), FTL_OK);
    size_t size = sizeof(data);
    assert_int_equal(of->write(file_system, node, 0, data, &size), FTL_OK);
    assert_int_equal(of->sync_node(file_system, node), FTL_OK);
    size_t synced = disk->event_count;
    for (int i = 0; i < 100; i++) {
        char name[20];
        node_t other;
        snprintf(name, sizeof(name), "other%d", i);
        assert_int_equal(of->create(file_system, root, name, 0600, &other), FTL_OK);
        assert_int_equal(of->write(file_system, other, 0, data, &size), FTL_OK);
        if (i % 3 == 0) {
            assert_int_equal(of->remove(file_system, root, name, false), FTL_OK);
        }
        of->release(file_system, other);
        if (i % 20 == 19) {
            of->idle(file_system);
        }
    }
    disk->is_recorded = false;
    of->release(file_system, node);
    unmount(file_system);
    test_disk_check(disk);
    for (int i = 0; i < 10; i++) {
        size_t events = synced + test_random(&random) % (disk->event_count - synced + 1);
        struct test_disk *crashed = test_disk_crash(before, disk, events, &random);
        assert_int_equal(ext_mount(&crashed->disk, false, &file_system, &problem), FTL_OK);
        assert_true(file_system->is_read_only);
        assert_non_null(problem);
        unmount(file_system);
        assert_in_range(test_disk_run(crashed, "e2fsck -fy", true), 0, 1);
        file_system = mount(crashed);
        node = look_up(file_system, root, "file");
        size = sizeof(found);
        assert_int_equal(of->read(file_system, node, 0, found, &size), FTL_OK);
        assert_int_equal(size, sizeof(data));
        assert_memory_equal(found, data, sizeof(data));
        of->release(file_system, node);
        unmount(file_system);
        test_disk_free(crashed);
    }
    test_disk_free(before);
    test_disk_free(disk);
}

/* The second block is as it was. */
static void check_replayed(struct file_system *file_system, size_t block_size)
{
    static char data[8192];
    const struct file_system_operations *of = file_system->operations;
    node_t node = look_up(file_system, of->root(file_system), "file");
    size_t size = sizeof(data);
    assert_int_equal(of->read(file_system, node, 0, data, &size), FTL_OK);
    assert_int_equal(size, sizeof(data));
    for (size_t at = 0; at < size; at++) {
        assert_int_equal(data[at], at < block_size ? '2' : '1');
    }
    of->release(file_system, node);
    unmount(file_system);
}

static void replays_what_others_have_written_to_the_journal(void **state)
{
    (void)state;
    for (size_t i = 0; i < JOURNALLED; i++) {
        struct file_system *file_system;
        struct test_disk *disk = test_disk_make(journalled[i], 12 * MIB, NULL);
        /* Two blocks of a file that is there, the second of which is revoked later. */
        char command[512];
        const char *problem;
        assert_int_equal(test_disk_run(disk,
                                       "sh -c 'head -c 8192 /dev/zero | tr \"\\000\" 1 "
                                       ">/tmp/ext_ones && "
                                       "debugfs -w -R \"write /tmp/ext_ones file\" $0' %s",
                                       true),
                         0);
        assert_int_equal(test_disk_run(disk, "debugfs -R 'bmap file 0' %s", false), 0);
        const char *line = strchr(test_disk_output, '\n');
        unsigned long block = strtoul(line == NULL ? "" : line + 1, NULL, 10);
        assert_true(block > 0);
        snprintf(command, sizeof(command),
                 "sh -c 'printf \"jo\\njw -b %lu,%lu /tmp/ext_twos\\njw -r %lu\\njc\\n\" "
                 ">/tmp/ext_commands; "
                 "tr 1 2 </tmp/ext_ones >/tmp/ext_twos; "
                 "debugfs -w -f /tmp/ext_commands $0' %%s",
                 block, block + 1, block + 1);
        assert_int_equal(test_disk_run(disk, command, true), 0);
        size_t block_size = i == 1 || i == 2 ? 1024u : 4096u;
        /* First without writing anything. */
        disk->disk.is_read_only = true;
        assert_int_equal(ext_mount(&disk->disk, false, &file_system, &problem), FTL_OK);
        check_replayed(file_system, block_size);
        disk->disk.is_read_only = false;
        check_replayed(mount(disk), block_size);
        test_disk_check(disk);
        test_disk_free(disk);
    }
}

static void a_full_disk_is_an_error_and_stays_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < FLAVOURS; i++) {
        struct test_disk *disk = test_disk_make(flavours[i], 4 * MIB + 512 * 1024, NULL);
        random_operations(disk, i, 1500, 150000, true);
        test_disk_free(disk);
    }
}

/* Whatever request fails: operations say so, and what is on the disk can be mounted or repaired. */
static void device_errors_are_errors(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 60 * scale; i++) {
        const char *problem;
        uint64_t random = i;
        struct test_disk *disk = test_disk_make(flavours[i % FLAVOURS], 8 * MIB, NULL);
        struct file_system *file_system = NULL;
        disk->fail_at = 1 + test_random(&random) % 300;
        disk->fail_count = i % 2 == 0 ? 1 : UINT32_MAX;
        ftl_status_t status = ext_mount(&disk->disk, false, &file_system, &problem);
        if (status == FTL_OK) {
            const struct file_system_operations *of = file_system->operations;
            node_t root = of->root(file_system);
            static char data[20000];
            for (int step = 0; step < 60; step++) {
                char name[20];
                node_t node;
                size_t size = sizeof(data);
                snprintf(name, sizeof(name), "n%d", (int)(test_random(&random) % 20));
                if (of->create(file_system, root, name, 0600, &node) == FTL_OK) {
                    (void)of->write(file_system, node, 0, data, &size);
                    (void)of->read(file_system, node, 0, data, &size);
                    of->release(file_system, node);
                } else {
                    (void)of->remove(file_system, root, name, false);
                }
                if (step % 7 == 0) {
                    (void)of->sync(file_system);
                }
            }
            (void)of->unmount(file_system);
        } else {
            assert_int_equal(status, FTL_ERR_IO);
        }
        assert_true(status != FTL_OK || disk->is_closed);
        disk->fail_at = 0;
        status = test_disk_run(disk, "e2fsck -fy", true);
        assert_in_range(status, 0, 1);
        unmount(mount(disk));
        test_disk_free(disk);
    }
}

static void a_read_only_disk_is_never_written(void **state)
{
    (void)state;
    struct test_disk *disk = test_disk_make("-t ext4", 8 * MIB, NULL);
    struct file_system *file_system;
    const char *problem;
    node_t node;
    size_t size = 1;
    disk->disk.is_read_only = true;
    assert_int_equal(ext_mount(&disk->disk, false, &file_system, &problem), FTL_OK);
    assert_true(file_system->is_read_only);
    const struct file_system_operations *of = file_system->operations;
    node_t root = of->root(file_system);
    assert_int_equal(of->create(file_system, root, "new", 0600, &node), FTL_ERR_READ_ONLY);
    assert_int_equal(of->make_directory(file_system, root, "new", 0700), FTL_ERR_READ_ONLY);
    assert_int_equal(of->remove(file_system, root, "lost+found", true), FTL_ERR_READ_ONLY);
    assert_int_equal(of->write(file_system, root, 0, "x", &size), FTL_ERR_READ_ONLY);
    assert_int_equal(of->sync(file_system), FTL_OK);
    of->idle(file_system);
    unmount(file_system);
    test_disk_free(disk);
}

static void write_file(struct file_system *file_system, node_t node, uint64_t offset, uint64_t size)
{
    static char data[1 << 16];
    memset(data, 'w', sizeof(data));
    while (size > 0) {
        size_t piece = size < sizeof(data) ? (size_t)size : sizeof(data), wanted = piece;
        assert_int_equal(file_system->operations->write(file_system, node, offset, data, &piece),
                         FTL_OK);
        assert_int_equal(piece, wanted);
        offset += piece;
        size -= piece;
    }
}

/* Longer than what one transaction cuts, whole and in many pieces. */
static void large_files_come_and_go(void **state)
{
    (void)state;
    for (size_t i = 0; i < FLAVOURS; i++) {
        struct test_disk *disk = test_disk_make(flavours[i], 40 * MIB, NULL);
        struct file_system *file_system = mount(disk);
        const struct file_system_operations *of = file_system->operations;
        node_t root = of->root(file_system), node, other;
        struct file_system_usage before, after;
        uint64_t place;
        of->usage(file_system, &before);
        assert_int_equal(of->create(file_system, root, "large", 0600, &node), FTL_OK);
        assert_int_equal(of->create(file_system, root, "pieces", 0600, &other), FTL_OK);
        write_file(file_system, node, 0, 20 * MIB);
        for (uint64_t at = 0; at < 600; at++) {
            write_file(file_system, other, at * 20000, 1000);
        }
        assert_int_equal(of->sync(file_system), FTL_OK);
        assert_int_equal(of->truncate(file_system, node, 3 * MIB + 5), FTL_OK);
        place = 19990000 % (600 * 20000);
        assert_int_equal(of->seek(file_system, other, true, &place), FTL_OK);
        assert_int_equal(of->truncate(file_system, node, (uint64_t)15 * MIB), FTL_OK);
        place = 4 * MIB;
        assert_int_equal(of->seek(file_system, node, false, &place), FTL_ERR_OUT_OF_RANGE);
        assert_int_equal(of->remove(file_system, root, "large", false), FTL_OK);
        assert_int_equal(of->remove(file_system, root, "pieces", false), FTL_OK);
        write_file(file_system, node, 0, 9 * MIB); /* it is still there */
        of->release(file_system, node);
        of->release(file_system, other);
        of->usage(file_system, &after);
        assert_int_equal(before.free_blocks, after.free_blocks);
        assert_int_equal(before.free_files, after.free_files);
        unmount(file_system);
        test_disk_check(disk);
        test_disk_free(disk);
    }
}

static void what_was_removed_while_open_goes_at_the_next_mount(void **state)
{
    (void)state;
    struct test_disk *disk = test_disk_make("-t ext4 -b 1024", 40 * MIB, NULL);
    struct file_system *file_system = mount(disk);
    const struct file_system_operations *of = file_system->operations;
    node_t root = of->root(file_system), nodes[3];
    struct file_system_usage before, after;
    static const char *const names[] = { "one", "two", "three" };
    of->usage(file_system, &before);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(of->create(file_system, root, names[i], 0600, &nodes[i]), FTL_OK);
        write_file(file_system, nodes[i], 0, 3 * MIB);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(of->remove(file_system, root, names[i], false), FTL_OK);
    }
    of->release(file_system, nodes[1]); /* from the middle of the list */
    assert_int_equal(of->sync(file_system), FTL_OK);
    struct test_disk *crashed = test_disk_copy(disk);
    of->release(file_system, nodes[0]);
    of->release(file_system, nodes[2]);
    unmount(file_system);
    struct test_disk *repaired = test_disk_copy(crashed);
    assert_in_range(test_disk_run(repaired, "e2fsck -p", true), 0, 1);
    test_disk_check(repaired);
    file_system = mount(crashed);
    of->usage(file_system, &after);
    assert_int_equal(before.free_blocks, after.free_blocks);
    assert_int_equal(before.free_files, after.free_files);
    unmount(file_system);
    test_disk_check(crashed);
    test_disk_free(repaired);
    test_disk_free(crashed);
    test_disk_free(disk);
}

/* Stops after some entries, and goes on behind them. */
struct partial {
    unsigned int entries, names;
    uint64_t cursor;
    unsigned char *seen;
};

static bool see(void *context, const char *name, node_t node, enum file_kind kind, uint64_t cursor)
{
    struct partial *partial = context;
    (void)node;
    (void)kind;
    partial->cursor = cursor;
    if (strncmp(name, "name", 4) == 0) {
        partial->seen[strtoul(name + 4, NULL, 10)]++;
        partial->names++;
    }
    return ++partial->entries < 100;
}

#define NAMES 3000

/* Made by mke2fs and given a tree of hashes by e2fsck, or by us. */
static void long_directories(struct test_disk *disk, bool is_made)
{
    static unsigned char seen[NAMES];
    struct file_system *file_system = mount(disk);
    const struct file_system_operations *of = file_system->operations;
    node_t root = of->root(file_system), directory, node;
    char name[20];
    if (is_made) {
        assert_int_equal(of->make_directory(file_system, root, "many", 0700), FTL_OK);
    }
    directory = look_up(file_system, root, "many");
    for (unsigned int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "name%u", i);
        if (is_made) {
            assert_int_equal(of->create(file_system, directory, name, 0600, &node), FTL_OK);
        } else {
            node = look_up(file_system, directory, name);
        }
        of->release(file_system, node);
    }
    for (unsigned int i = 0; i < NAMES; i += 3) { /* leaves the tree as it is */
        snprintf(name, sizeof(name), "name%u", i);
        assert_int_equal(of->remove(file_system, directory, name, false), FTL_OK);
    }
    assert_int_equal(of->sync(file_system), FTL_OK);
    struct test_disk *copy = test_disk_copy(disk);
    assert_in_range(test_disk_run(copy, "e2fsck -p", true), 0, 1);
    test_disk_check(copy);
    test_disk_free(copy);
    memset(seen, 0, sizeof(seen));
    struct partial partial = { 0, 1, 0, seen };
    for (unsigned int i = 0; partial.names > 0; i++) {
        partial.entries = partial.names = 0;
        assert_int_equal(of->list(file_system, directory, partial.cursor, see, &partial), FTL_OK);
        snprintf(name, sizeof(name), "later%u", i);
        assert_int_equal(of->create(file_system, directory, name, 0600, &node), FTL_OK);
        of->release(file_system, node);
    }
    for (unsigned int i = 0; i < NAMES; i++) {
        assert_int_equal(seen[i], i % 3 != 0);
    }
    of->release(file_system, directory);
    unmount(file_system);
    test_disk_check(disk);
}

static void directories_may_be_long(void **state)
{
    char folder[] = "/tmp/ext_folder.XXXXXX", command[300];
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(command, sizeof(command),
             "mkdir %s/many && cd %s/many && seq -f name%%g 0 %d | xargs touch", folder, folder,
             NAMES - 1);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): the test's own */
    for (size_t i = 0; i < FLAVOURS; i++) {
        char options[100];
        print_message("%s\n", flavours[i]);
        snprintf(options, sizeof(options), "%s -N 5000", flavours[i]);
        struct test_disk *disk = test_disk_make(options, 16 * MIB, NULL);
        long_directories(disk, true);
        test_disk_free(disk);
        disk = test_disk_make(options, 16 * MIB, folder);
        assert_in_range(test_disk_run(disk, "e2fsck -fyD", true), 0, 1);
        long_directories(disk, false);
        test_disk_free(disk);
    }
    snprintf(command, sizeof(command), "rm -r %s", folder);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): the test's own */
}

static void formats_small_disks(void **state)
{
    static const size_t sizes[] = { MIB, 4 * MIB, 16 * MIB, 160 * MIB };
    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct test_disk *disk = test_disk_empty(sizes[i], 512);
        memset(disk->data, 0x5a, i % 2 == 0 ? sizes[i] : 4096);
        assert_int_equal(ext_format(&disk->disk), FTL_OK);
        test_disk_check(disk);
        random_operations(disk, i, 500, 20000, true);
        test_disk_free(disk);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mounts_what_mke2fs_made),
        cmocka_unit_test(random_operations_are_as_in_a_model),
        cmocka_unit_test(what_was_synced_survives_a_loss_of_power),
        cmocka_unit_test(without_a_journal_e2fsck_saves_what_was_synced),
        cmocka_unit_test(replays_what_others_have_written_to_the_journal),
        cmocka_unit_test(a_full_disk_is_an_error_and_stays_sound),
        cmocka_unit_test(device_errors_are_errors),
        cmocka_unit_test(a_read_only_disk_is_never_written),
        cmocka_unit_test(large_files_come_and_go),
        cmocka_unit_test(what_was_removed_while_open_goes_at_the_next_mount),
        cmocka_unit_test(directories_may_be_long),
        cmocka_unit_test(formats_small_disks),
    };
    if (argc > 1) {
        scale = (unsigned int)strtoul(argv[1], NULL, 10);
    }
    if (argc > 2) {
        cmocka_set_test_filter(argv[2]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
