/*
 * The memory that a client shares with us (<ftl/file_memory.h>). Others can change it at any time,
 * so it is copied once; but they cannot make an access of ours fail: what is mapped cannot become
 * smaller, and pages are made by calls, which can fail, before they are used.
 */
#ifndef FILES_MEMORY_H
#define FILES_MEMORY_H

#include <ftl/status.h>
#include <ftl/types.h>
#include <stdint.h>

struct client_memory {
    ftl_handle_t vmo; /* FTL_HANDLE_INVALID: none */
    char *data;
    uint64_t pages; /* a bit for each that is there */
};

/* Maps what the client gives, and takes it over, unless there is an error: INVALID_ARGUMENT, those
 * of vmspace_map. */
ftl_status_t client_memory_map(struct client_memory *memory, ftl_handle_t vmo);
void client_memory_unmap(struct client_memory *memory);

/* Where a part of it lies. OUT_OF_RANGE: not in it. LIMIT, NO_MEMORY: its pages cannot be made. */
ftl_status_t client_memory_at(struct client_memory *memory, uint32_t place, uint32_t size,
                              void **data);

#endif
