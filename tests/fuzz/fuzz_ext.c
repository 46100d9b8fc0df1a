/*
 * Damaged images of ext file systems: an input says which image the host's mke2fs made is changed,
 * and where. Whatever it is then, mounting and all operations end, with or without an error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/servers/files/backend.h"

#define IMAGE_BYTES (3u << 20)
#define PAGE        1024
#define PAGES       (IMAGE_BYTES / PAGE)
#define PATCH_BYTES 5 /* which page that is not empty, where in it, what */
#define DEPTH_MAX   4
#define NAMES_MAX   64

static const char *const options[] = {
    "-t ext4 -O ^metadata_csum",
    "-t ext2 -b 1024",
    "-t ext4 -O ^metadata_csum,^extent,^64bit",
    "-t ext4",
    "-t ext3",
};
#define IMAGES (sizeof(options) / sizeof(options[0]))

static struct {
    char *data;
    uint16_t pages[PAGES];
    size_t page_count;
} images[IMAGES];

/* NOLINTBEGIN(readability-identifier-naming,readability-non-const-parameter): libFuzzer's own */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* NOLINTEND(readability-identifier-naming,readability-non-const-parameter) */

static void run(const char *command)
{
    if (system(command) != 0) { /* NOLINT(cert-env33-c): our own commands */
        fprintf(stderr, "failed: %s\n", command);
        abort();
    }
}

static void load(size_t image, const char *path)
{
    FILE *file = fopen(path, "rb");
    images[image].data = calloc(1, IMAGE_BYTES);
    if (file == NULL || images[image].data == NULL ||
        fread(images[image].data, 1, IMAGE_BYTES, file) != IMAGE_BYTES) {
        abort();
    }
    fclose(file);
    static const char empty[PAGE];
    for (unsigned int page = 0; page < PAGES; page++) {
        if (memcmp(images[image].data + (size_t)page * PAGE, empty, PAGE) != 0) {
            images[image].pages[images[image].page_count++] = (uint16_t)page;
        }
    }
}

/* Small files, a long directory, a file in many pieces, a journal with something in it. */
int LLVMFuzzerInitialize(int *argc, char ***argv) /* NOLINT(readability-non-const-parameter) */
{
    char folder[] = "/tmp/ext_fuzz.XXXXXX", command[700];
    (void)argc;
    (void)argv;
    if (mkdtemp(folder) == NULL) {
        abort();
    }
    snprintf(
        command, sizeof(command),
        "cd %s && mkdir -p tree/a/b tree/many && seq 1 9000 >tree/a/numbers && "
        "ln -s a/numbers tree/short && ln -s %0100d tree/long && ln tree/a/numbers tree/a/b/other "
        "&& "
        "(cd tree/many && seq -f name-that-is-long-%%g 1 120 | xargs touch) && "
        "for i in $(seq 0 2 60); do dd if=tree/a/numbers of=tree/pieces bs=1024 count=1 seek=$i "
        "conv=notrunc status=none; done && truncate -s 8M tree/pieces",
        folder, 7);
    run(command);
    for (size_t i = 0; i < IMAGES; i++) {
        snprintf(command, sizeof(command),
                 "cd %s && mke2fs -q -F -d tree %s image %uk && { e2fsck -fyD image >log 2>&1 || "
                 "true; } && "
                 "printf 'jo\\njw -b 2000 tree/a/numbers\\njw -r 2000\\njc\\n' >commands && "
                 "debugfs -w -f commands image >log 2>&1",
                 folder, options[i], IMAGE_BYTES / 1024);
        run(command);
        snprintf(command, sizeof(command), "%s/image", folder);
        load(i, command);
    }
    snprintf(command, sizeof(command), "rm -r %s", folder);
    run(command);
    return 0;
}

static char *disk_data;

static ftl_status_t disk_read(struct disk *self, uint64_t sector, uint32_t count, void *data)
{
    if (sector >= self->sectors || count > self->sectors - sector) {
        abort();
    }
    memcpy(data, disk_data + sector * 512, (size_t)count * 512);
    return FTL_OK;
}

static ftl_status_t disk_write(struct disk *self, uint64_t sector, uint32_t count, const void *data)
{
    if (sector >= self->sectors || count > self->sectors - sector) {
        abort();
    }
    memcpy(disk_data + sector * 512, data, (size_t)count * 512);
    return FTL_OK;
}

static ftl_status_t disk_flush(struct disk *self)
{
    (void)self;
    return FTL_OK;
}

static void disk_close(struct disk *self)
{
    (void)self;
}

static const struct disk_operations operations = { disk_read, disk_write, disk_flush, disk_close };

struct names {
    size_t count;
    char name[NAMES_MAX][256];
};

static bool collect(void *context, const char *name, node_t node, enum file_kind kind,
                    uint64_t cursor)
{
    struct names *names = context;
    (void)node;
    (void)kind;
    (void)cursor;
    if (strlen(name) > 255) {
        abort();
    }
    if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
        strcpy(names->name[names->count++], name);
    }
    return names->count < NAMES_MAX;
}

static void try_file(struct file_system *file_system, node_t node)
{
    const struct file_system_operations *of = file_system->operations;
    static char data[100000];
    struct file_attributes attributes;
    size_t size = sizeof(data);
    uint64_t place = 0;
    node_t parent;
    (void)of->attributes(file_system, node, &attributes);
    (void)of->read(file_system, node, 0, data, &size);
    (void)of->read_link(file_system, node, data, 4096);
    (void)of->seek(file_system, node, false, &place);
    (void)of->seek(file_system, node, true, &place);
    size = 3000;
    (void)of->write(file_system, node, 500, data, &size);
    size = 100;
    (void)of->write(file_system, node, 200000, data, &size);
    (void)of->truncate(file_system, node, 1500);
    if (of->parent(file_system, node, &parent) == FTL_OK) {
        of->release(file_system, parent);
    }
}

static void try_names(struct file_system *file_system, node_t directory)
{
    const struct file_system_operations *of = file_system->operations;
    node_t node;
    (void)of->make_directory(file_system, directory, "new", 0700);
    if (of->create(file_system, directory, "a name that needs some room for itself", 0600, &node) ==
        FTL_OK) {
        (void)of->link(file_system, node, directory, "link");
        of->release(file_system, node);
    }
    (void)of->make_link(file_system, directory, "symbolic", "target");
    (void)of->rename(file_system, directory, "link", directory, "new name");
}

static void walk(struct file_system *file_system, node_t directory, int depth)
{
    const struct file_system_operations *of = file_system->operations;
    struct names *names = calloc(1, sizeof(*names));
    if (names == NULL) {
        abort();
    }
    (void)of->list(file_system, directory, 0, collect, names);
    for (size_t i = 0; i < names->count; i++) {
        node_t node;
        if (of->look_up(file_system, directory, names->name[i], &node) == FTL_OK) {
            try_file(file_system, node);
            if (depth < DEPTH_MAX) {
                walk(file_system, node, depth + 1);
            }
            of->release(file_system, node);
        }
        if (i % 2 == 0) {
            (void)of->remove(file_system, directory, names->name[i], i % 4 == 0);
        } else {
            (void)of->rename(file_system, directory, names->name[i], of->root(file_system),
                             "moved");
        }
    }
    try_names(file_system, directory);
    free(names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct disk disk = { &operations, IMAGE_BYTES / 512, 512, false };
    struct file_system *file_system;
    const char *problem;
    if (size < 1) {
        return 0;
    }
    size_t image = data[0] % IMAGES;
    if (disk_data == NULL) {
        disk_data = malloc(IMAGE_BYTES);
    }
    memcpy(disk_data, images[image].data, IMAGE_BYTES);
    for (size_t at = 1; at + PATCH_BYTES <= size; at += PATCH_BYTES) {
        size_t page = ((size_t)data[at] << 8 | data[at + 1]) % images[image].page_count;
        size_t offset = ((size_t)data[at + 2] << 8 | data[at + 3]) % PAGE;
        disk_data[images[image].pages[page] * (size_t)PAGE + offset] = (char)data[at + 4];
    }
    if (ext_mount(&disk, (data[0] & 0x80) != 0, &file_system, &problem) == FTL_OK) {
        const struct file_system_operations *of = file_system->operations;
        walk(file_system, of->root(file_system), 0);
        (void)of->sync(file_system);
        of->idle(file_system);
        (void)of->unmount(file_system);
    }
    return 0;
}
