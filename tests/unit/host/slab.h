/*
 * A stand-in for mm/slab.c over the host's heap, for tests of code that allocates: AddressSanitizer
 * sees overruns and use after release, and allocations can be made to fail. Linked when a test does
 * not name mm/slab.c.
 */
#ifndef HOST_SLAB_H
#define HOST_SLAB_H

#include <stddef.h>

#include "mm/slab.h"

/* Allocations that succeed before one fails, and all after it; -1: none fails. */
extern long host_alloc_budget;

/* Bytes and pieces that kalloc and slab_alloc have handed out and not had back. */
extern size_t host_alloc_bytes;
extern size_t host_alloc_pieces;

#endif
