/*
 * What a kind of file system does for the file server: operations on nodes, which are files and
 * directories by number. The server sees to paths, symbolic links, mounts, open files, positions,
 * rights and locks, and calls one operation at a time, from one thread. No operation sees a path:
 * names are single, 1 to 255 bytes, without '/', and neither "." nor "..".
 *
 * A node that the server has got hold of (by root, look_up, create and their like) is held until
 * it is released; what was removed meanwhile goes then. All return FTL_OK or an error of the
 * protocol `file`.
 */
#ifndef FILES_BACKEND_H
#define FILES_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ftl/protocols/file.h>
#include <ftl/status.h>

struct file_system;
typedef uint64_t node_t; /* the number of `attributes`; 0 is none */

/* Called for each entry of a directory. `cursor` leads to the one behind. False: no more wanted. */
typedef bool (*entry_visitor_t)(void *context, const char *name, node_t node, enum file_kind kind,
                                uint64_t cursor);

struct file_system_usage {
    uint32_t block_size;
    uint32_t name_max;
    uint64_t blocks, free_blocks;
    uint64_t files, free_files;
    uint64_t identity;
};

/* What can only fail with READ_ONLY on such a file system may be NULL there. */
struct file_system_operations {
    const char *type;                         /* as `mount` shows it */
    node_t (*root)(struct file_system *self); /* held until the file system is unmounted */
    void (*release)(struct file_system *self, node_t node);

    ftl_status_t (*look_up)(struct file_system *self, node_t directory, const char *name,
                            node_t *node);
    ftl_status_t (*parent)(struct file_system *self, node_t directory, node_t *node);
    ftl_status_t (*attributes)(struct file_system *self, node_t node,
                               struct file_attributes *attributes);
    ftl_status_t (*set_attributes)(struct file_system *self, node_t node, uint32_t fields,
                                   const struct file_attributes *attributes);
    ftl_status_t (*list)(struct file_system *self, node_t directory, uint64_t cursor,
                         entry_visitor_t visit, void *context);

    /* `*size` is what was asked for, and then what was done; less only at the end, or for want of
     * space when something could be written. */
    ftl_status_t (*read)(struct file_system *self, node_t node, uint64_t offset, void *data,
                         size_t *size);
    ftl_status_t (*write)(struct file_system *self, node_t node, uint64_t offset, const void *data,
                          size_t *size);
    ftl_status_t (*truncate)(struct file_system *self, node_t node, uint64_t size);
    /* The next place from `*offset` on that is in a hole, or is not. */
    ftl_status_t (*seek)(struct file_system *self, node_t node, bool hole, uint64_t *offset);

    ftl_status_t (*create)(struct file_system *self, node_t directory, const char *name,
                           uint32_t mode, node_t *node);
    ftl_status_t (*make_directory)(struct file_system *self, node_t directory, const char *name,
                                   uint32_t mode);
    ftl_status_t (*make_link)(struct file_system *self, node_t directory, const char *name,
                              const char *target);
    /* The target, ended by NUL, at most `size` bytes of it. */
    ftl_status_t (*read_link)(struct file_system *self, node_t node, char *target, size_t size);
    ftl_status_t (*link)(struct file_system *self, node_t node, node_t directory, const char *name);
    ftl_status_t (*remove)(struct file_system *self, node_t directory, const char *name,
                           bool is_directory);
    /* What has the new name is replaced, under the rules of rename(2). */
    ftl_status_t (*rename)(struct file_system *self, node_t from, const char *from_name, node_t to,
                           const char *to_name);

    /* All that was done before lasts when it returns. `sync_node`: at least for this node. */
    ftl_status_t (*sync_node)(struct file_system *self, node_t node);
    ftl_status_t (*sync)(struct file_system *self);
    /* Called when nothing has come for a moment, and every few seconds: write-back. */
    void (*idle)(struct file_system *self);
    void (*usage)(struct file_system *self, struct file_system_usage *usage);
    /* Everything is written, as far as it can be, and freed; no node but the root is held. */
    ftl_status_t (*unmount)(struct file_system *self);
};

/* The beginning of every file system. */
struct file_system {
    const struct file_system_operations *operations;
    bool is_read_only;
};

/* What a file system lies on: a disk behind a driver, memory, or an image file in tests. */
struct disk;
struct disk_operations {
    /* Whole sectors. IO: the device reports an error, or has gone. */
    ftl_status_t (*read)(struct disk *self, uint64_t sector, uint32_t count, void *data);
    ftl_status_t (*write)(struct disk *self, uint64_t sector, uint32_t count, const void *data);
    /* What was written before lasts. */
    ftl_status_t (*flush)(struct disk *self);
    void (*close)(struct disk *self);
};

struct disk {
    const struct disk_operations *operations;
    uint64_t sectors;
    uint32_t sector_size; /* a power of two, at least 512 */
    bool is_read_only;
};

/*
 * ext.c: an ext2, ext3 or ext4 file system (e2fsprogs' libext2fs), with what its journal holds
 * brought in first. It takes over the disk; on errors it is still the caller's. BAD_FORMAT: none, a
 * damaged one, or one with features that we do not have, which `*problem`, static text, names.
 * ext_format makes a new one on a disk.
 */
ftl_status_t ext_mount(struct disk *disk, bool read_only, struct file_system **file_system,
                       const char **problem);
ftl_status_t ext_format(struct disk *disk);

/* archive.c: the files of a tar archive, which does not change, read-only. */
ftl_status_t archive_mount(const void *data, size_t size, struct file_system **file_system,
                           const char **problem);

/*
 * disk.c: the disk number `index` of those with drivers (protocol `block`), found again when its
 * driver was restarted. disk_memory.c: one in the server's own memory, which it takes as it is
 * used.
 */
ftl_status_t disk_open(size_t index, struct disk **disk);
ftl_status_t disk_in_memory(uint64_t size, struct disk **disk);

#endif
