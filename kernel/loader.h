/* The kernel's ELF loader; process_load() and process_find_symbol() (kernel/process.h) are its work
 * too. */
#ifndef KERNEL_LOADER_H
#define KERNEL_LOADER_H

#include <stdint.h>

/* Boot: `isa` has the FTL_ISA_ bits that every hart has. */
void loader_init(uint32_t isa);

#endif
