/* Programs that are files: ELF files of ftl-cc, of either isolation. */
#ifndef POSIX_SPAWN_FILE_H
#define POSIX_SPAWN_FILE_H

#include <ftl/load.h>
#include <ftl/types.h>

struct spawn_file {
    struct ftl_program_file file;
    ftl_isolation_t isolation; /* that it is for */
    uintptr_t address;         /* where the file is mapped */
};

/* Reads the program at the path: 0, or a negative errno; -ENOENT also in programs without files. */
long spawn_file_open(struct spawn_file *file, const char *path);

/* Takes one that is all 0, too. */
void spawn_file_close(struct spawn_file *file);

#endif
