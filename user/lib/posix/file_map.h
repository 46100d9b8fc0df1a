/* Mappings of files: for memory.c, which has these only in programs with files. */
#ifndef POSIX_FILE_MAP_H
#define POSIX_FILE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What mmap() was asked for. */
struct file_mapping {
    int protection;
    int flags;
    off_t offset;
};

struct description;
long file_map(struct description *self, uintptr_t *address, size_t size,
              const struct file_mapping *how);

/* A range is about to be unmapped: writes back what has changed in it. */
void file_map_forget(uintptr_t start, size_t size);

/* Whether any of it is a file's. */
bool file_map_is_mapped(uintptr_t start, size_t size);

/* msync() */
long file_map_sync(uintptr_t start, size_t size, int flags);

/* The program ends: writes back everything that has changed. */
void file_map_finish(void);

#endif
