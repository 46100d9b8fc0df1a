/* The kernel's ELF loader, for the first process; others are loaded by <ftl/load.h>. */
#ifndef KERNEL_LOADER_H
#define KERNEL_LOADER_H

#include "kernel/image.h"

struct process;

/* Boot: `isa` has the FTL_ISA_ bits that every hart has. */
void loader_init(uint32_t isa);
uint32_t loader_isa(void);

/* What a process gets a copy of, at an address in any page: file_size bytes, then zeros. */
struct loader_copy {
    struct vmo *file;
    uint64_t offset;
    uint64_t file_size;
    vaddr_t address;
    uint64_t memory_size; /* at least file_size */
    unsigned permissions;
};

/*
 * Maps such a copy, in fresh memory that is charged to the process, which is held.
 * INVALID_ARGUMENT, OUT_OF_RANGE (of the VMO), EXISTS, NO_MEMORY, LIMIT.
 */
ftl_status_t loader_map_copy(struct process *process, const struct loader_copy *copy);

/*
 * Loads an ELF file into the new process; *entry says where it starts. OUT_OF_RANGE, BAD_FORMAT,
 * NOT_SUPPORTED (code for other harts), NOT_VERIFIED, NO_MEMORY, LIMIT; the log says why. After an
 * error the process can only be thrown away.
 */
ftl_status_t loader_load(struct process *process, const struct image_file *file, vaddr_t *entry);

#endif
