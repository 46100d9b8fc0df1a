/* RAM for tests that use the real page allocator (mm/page.c). */
#ifndef HOST_MEMORY_H
#define HOST_MEMORY_H

#include <stddef.h>

#include "kernel/types.h"

/*
 * Sets the page allocator up with `size` bytes of RAM, all free, starting on a 4 MiB boundary;
 * returns the start.
 */
paddr_t host_memory_init(size_t size);

/*
 * Reserves RAM like it, filled with garbage, and the page array, for a test that calls page_init
 * itself.
 */
paddr_t host_memory_reserve(size_t size, void **array);

/* Gives the RAM back to the host. The page allocator must not be used until the next init. */
void host_memory_exit(void);

/* Takes all free pages away from the page allocator but `left`, so that it runs out after these. */
void host_memory_exhaust(size_t left);

/* Gives back what host_memory_exhaust took. */
void host_memory_restore(void);

#endif
