/*
 * The tree of files: file systems, each mounted in place of a directory of another one, and the
 * files in them that are in use. All of it is one structure, which the one lock of the server
 * guards: see server.h.
 */
#ifndef FILES_TREE_H
#define FILES_TREE_H

#include <stdbool.h>

#include "backend.h"

#define PATH_MAX_SIZE   4095u /* bytes of a path, without its NUL */
#define NAME_MAX_SIZE   255u
#define SOURCE_MAX_SIZE 127u

struct lock_range;

struct mount {
    struct mount *next; /* in the order of mounting */
    struct file_system *file_system;
    node_t root;
    struct file *point; /* what it takes the place of; NULL: the root of all */
    uint32_t points;    /* mounts in it */
    uint32_t files;     /* struct file of it */
    uint64_t number;    /* `file_system` of attributes: no other has or had it */
    bool is_dirty;      /* was changed since it was written back */
    char source[SOURCE_MAX_SIZE + 1];
};

/* A node of a mounted file system. Whoever has one that is held gives it back. */
struct place {
    struct mount *mount; /* NULL: none */
    node_t node;
    bool is_held; /* by this struct; else by somebody who outlives it */
};

/* A file or directory in use: opened, or with something mounted on it. One for each node. */
struct file {
    struct file *next; /* in the table */
    struct mount *mount;
    node_t node;
    bool is_held; /* the node; roots are held by their mounts */
    enum file_kind kind;
    uint32_t references;
    struct lock_range *locks; /* lock.c: by start */
};

/* The root of all, or NULL. */
struct mount *tree_root(void);
/* In the order of mounting. */
struct mount *tree_mounts(void);

/*
 * Mounts a file system in place of a directory, NULL for the first one. BAD_STATE: it is the root
 * of a file system. It belongs to the tree from now on, unless there is an error.
 */
ftl_status_t tree_mount(struct file_system *file_system, const char *source, struct file *point,
                        struct mount **mount);

/* Takes one away and frees it, also when its file system reports an error. BAD_STATE: something in
 * it is in use, or it is the root of all. */
ftl_status_t tree_unmount(struct mount *mount);

/* Notes that the file system will be changed. */
void tree_touch(struct mount *mount);

/* Whether any was. */
bool tree_is_dirty(void);

/* Has those that were changed write back what can be. */
void tree_write_back(void);

/* All that was done lasts when it returns, or there is an error. */
ftl_status_t tree_sync(void);

/* Gives back what the place holds, if it does; it is none from then on. */
void place_release(struct place *place);

struct place place_of_file(const struct file *file);
struct place place_of_root(struct mount *mount);
bool place_equals(struct place a, struct place b);

/* The root of what is mounted there, and so on, instead of the place. */
void place_enter_mounts(struct place *place);

/* The directory above, across mounts; the root of all is above itself. */
ftl_status_t place_parent(struct place place, struct place *parent);

/*
 * The file that a place is, with one more reference. Takes over what the place holds, also on an
 * error: NO_MEMORY.
 */
ftl_status_t file_at(struct place *place, enum file_kind kind, struct file **file);
void file_hold(struct file *file);
void file_release(struct file *file);

#endif
