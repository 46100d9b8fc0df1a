/* TLB shoot-down: see arch/tlb.h. */
#include "arch/tlb.h"

#include "arch/fence.h"
#include "arch/hart.h"
#include "arch/tlb_ids.h"

/*
 * Above this many pages, one flush of everything is cheaper. It is also what drops cached pointers
 * to tables, which page by page would stay: tables are only taken out with all of their 2 MiB.
 */
#define FLUSH_PAGES_MAX 64

void tlb_flush_local(vaddr_t va)
{
    sfence_page(va);
}

/* Id 0: of windows, which are part of all address spaces, or there are no ids. */
static void flush_here(uint64_t id, vaddr_t va, size_t size)
{
    if (size == SIZE_MAX) {
        id == 0 ? sfence_all() : sfence_asid(id);
        return;
    }
    for (vaddr_t page = va; page < va + size; page += PAGE_SIZE) {
        id == 0 ? sfence_page(page) : sfence_page_asid(page, id);
    }
}

void tlb_flush(const struct tlb_space *space, uint64_t hart_mask, vaddr_t va, size_t size)
{
    memory_barrier();
    /* Harts that have the space loaded have it with this id, as long as they have. */
    uint64_t id = tlb_id(__atomic_load_n(&space->satp, __ATOMIC_RELAXED));
    if (size > FLUSH_PAGES_MAX * PAGE_SIZE) {
        va = 0;
        size = SIZE_MAX;
    }
    if ((hart_mask >> hart_index() & 1) != 0) {
        flush_here(id, va, size);
    }
    hart_mask &= other_harts();
    if (hart_mask == 0) {
        return;
    }
    if (id == 0) {
        sbi_remote_sfence(hart_mask, va, size);
    } else {
        sbi_remote_sfence_asid(hart_mask, va, size, id);
    }
}
