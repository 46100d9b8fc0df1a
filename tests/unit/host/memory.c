/* RAM for tests, out of the host's heap, so that AddressSanitizer guards its ends. */
#include "host/memory.h"

#include <stdlib.h>
#include <string.h>

#include "kernel/assert.h"
#include "mm/page.h"

#define GARBAGE_BYTE 0xa5

static void *ram;
static void *page_array;
static struct page *taken; /* by host_memory_exhaust, linked through `owner` */

paddr_t host_memory_reserve(size_t size, void **array)
{
    paddr_t start;
    host_memory_exit();
    ram = aligned_alloc(PAGE_SIZE << PAGE_MAX_ORDER, ALIGN_UP(size, PAGE_SIZE << PAGE_MAX_ORDER));
    start = (paddr_t)(uintptr_t)ram;
    page_array = malloc(page_array_size(start, start + size));
    ASSERT(ram != NULL && page_array != NULL);
    memset(ram, GARBAGE_BYTE, size);
    memset(page_array, GARBAGE_BYTE, page_array_size(start, start + size));
    *array = page_array;
    return start;
}

paddr_t host_memory_init(size_t size)
{
    void *array;
    paddr_t start = host_memory_reserve(size, &array);
    page_init(start, start + size, array);
    page_add_free(start, start + size);
    return start;
}

void host_memory_exit(void)
{
    free(ram);
    free(page_array);
    ram = NULL;
    page_array = NULL;
    taken = NULL;
}

void host_memory_exhaust(size_t left)
{
    while (page_free_count() > left) {
        struct page *page = page_alloc(0);
        ASSERT(page != NULL);
        page->owner = taken;
        taken = page;
    }
}

void host_memory_restore(void)
{
    while (taken != NULL) {
        struct page *page = taken;
        taken = page->owner;
        page_free(page, 0);
    }
}
