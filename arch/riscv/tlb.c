/* TLB shoot-down: see arch/tlb.h. */
#include "arch/tlb.h"

#include "arch/csr.h"
#include "arch/hart.h"
#include "arch/internal.h"

/*
 * Above this many pages, one flush of everything is cheaper. It is also what drops cached pointers
 * to tables, which page by page would stay: tables are only taken out with all of their 2 MiB.
 */
#define FLUSH_PAGES_MAX 64

static void flush_all_local(void)
{
    __asm__ volatile("sfence.vma" ::: "memory");
}

void tlb_flush_local(vaddr_t va)
{
    __asm__ volatile("sfence.vma %0" : : "r"(va) : "memory");
}

void tlb_flush(uint64_t hart_mask, vaddr_t va, size_t size)
{
    bool all = size > FLUSH_PAGES_MAX * PAGE_SIZE;
    memory_barrier();
    if (all) {
        flush_all_local();
    } else {
        for (vaddr_t page = va; page < va + size; page += PAGE_SIZE) {
            tlb_flush_local(page);
        }
    }
    hart_mask &= other_harts();
    if (hart_mask != 0) {
        sbi_remote_sfence(hart_mask, all ? 0 : va, all ? SIZE_MAX : size);
    }
}
