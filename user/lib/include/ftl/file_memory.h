/*
 * The memory that a client of the file server shares with it (protocol `file`): data on its way,
 * and what has no room in a short message. Which parts of it calls use is the client's business;
 * several threads may use several parts. The server copies from and to it, and takes nothing that
 * lies in it for true. Its pages are made, and charged to who made the memory, when they are used
 * first.
 */
#ifndef FTL_FILE_MEMORY_H
#define FTL_FILE_MEMORY_H

#include <stdint.h>

#define FTL_FILE_MEMORY_SIZE 262144u /* bytes */

/* Of the call `share`: instead of numbers. */
#define FTL_FILE_NO_ROOT UINT32_MAX
#define FTL_FILE_NO_FILE UINT32_MAX

/* What the call `list` puts there: entries one behind the other, each `size` bytes, a multiple of
 * 8. */
struct ftl_file_entry {
    uint64_t number; /* as in attributes; that of what a directory is, where something is mounted,
                        is that which lies below */
    uint64_t cursor; /* leads to the entry behind this one */
    uint16_t size;
    uint8_t kind; /* enum file_kind */
    uint8_t name_size;
    char name[]; /* name_size bytes and a NUL */
};

#endif
