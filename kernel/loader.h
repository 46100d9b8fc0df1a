/* The kernel's ELF loader, for the first process; others are loaded by <ftl/load.h>. */
#ifndef KERNEL_LOADER_H
#define KERNEL_LOADER_H

#include "kernel/image.h"

struct process;

/* Boot: `isa` has the FTL_ISA_ bits that every hart has. */
void loader_init(uint32_t isa);

/*
 * Loads an ELF file into the new process; *entry says where it starts. OUT_OF_RANGE, BAD_FORMAT,
 * NOT_SUPPORTED (code for other harts), NOT_VERIFIED, NO_MEMORY, LIMIT; the log says why. After an
 * error the process can only be thrown away.
 */
ftl_status_t loader_load(struct process *process, const struct image_file *file, vaddr_t *entry);

#endif
