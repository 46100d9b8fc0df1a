/* Memory shared with clients: see memory.h. */
#include "memory.h"

#include <ftl/file_memory.h>
#include <ftl/handle.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>

#define PAGES (FTL_FILE_MEMORY_SIZE / FTL_PAGE_SIZE)
_Static_assert(PAGES <= 64, "a bit of a word for each page");

ftl_status_t client_memory_map(struct client_memory *memory, ftl_handle_t vmo)
{
    uint64_t size;
    uintptr_t address;
    ftl_handle_t vmspace;
    ftl_status_t status = ftl_vmo_size(vmo, &size);
    if (status != FTL_OK) {
        return status;
    }
    if (size != FTL_FILE_MEMORY_SIZE) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    status = ftl_vmspace_self(&vmspace);
    if (status != FTL_OK) {
        return status;
    }
    status = ftl_vmspace_map(vmspace, vmo, 0, size, FTL_MAP_READ | FTL_MAP_WRITE, 0, &address);
    ftl_handle_close(vmspace);
    if (status == FTL_OK) {
        *memory = (struct client_memory){ .vmo = vmo, .data = (char *)address };
    }
    return status;
}

void client_memory_unmap(struct client_memory *memory)
{
    ftl_handle_t vmspace;
    if (memory->vmo == FTL_HANDLE_INVALID) {
        return;
    }
    if (ftl_vmspace_self(&vmspace) == FTL_OK) {
        ftl_vmspace_unmap(vmspace, (uintptr_t)memory->data, FTL_FILE_MEMORY_SIZE);
        ftl_handle_close(vmspace);
    }
    ftl_handle_close(memory->vmo);
    *memory = (struct client_memory){ .vmo = FTL_HANDLE_INVALID };
}

/*
 * Makes the page in which the byte at this offset lies, leaving the byte as it is. It is one that
 * the client's call is about: others may be in use by other threads of the client.
 */
static ftl_status_t make_page(struct client_memory *memory, uint32_t offset)
{
    char byte;
    ftl_status_t status = ftl_vmo_read(memory->vmo, offset, &byte, sizeof(byte));
    if (status == FTL_OK) {
        status = ftl_vmo_write(memory->vmo, offset, &byte, sizeof(byte));
    }
    if (status == FTL_OK) {
        memory->pages |= UINT64_C(1) << offset / FTL_PAGE_SIZE;
    }
    return status;
}

ftl_status_t client_memory_at(struct client_memory *memory, uint32_t place, uint32_t size,
                              void **data)
{
    ftl_status_t status = FTL_OK;
    if (memory->vmo == FTL_HANDLE_INVALID || place > FTL_FILE_MEMORY_SIZE ||
        size > FTL_FILE_MEMORY_SIZE - place) {
        return FTL_ERR_OUT_OF_RANGE;
    }
    *data = memory->data + place;
    for (uint32_t end = place + size; place < end && status == FTL_OK;
         place = (place / FTL_PAGE_SIZE + 1) * FTL_PAGE_SIZE) {
        if ((memory->pages >> place / FTL_PAGE_SIZE & 1) == 0) {
            status = make_page(memory, place);
        }
    }
    return status;
}
