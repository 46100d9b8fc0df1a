/* Which address space a hart uses, and keeping TLBs in step with page tables. */
#ifndef ARCH_TLB_H
#define ARCH_TLB_H

#include "arch/mmu.h"

/* Loads the address space with this root into this hart; a no-op when it is loaded. */
void tlb_load_root(paddr_t root);

/* Orders earlier page-table writes before this hart's next use of va. */
void tlb_flush_local(vaddr_t va);

/* No hart in the mask (bits are hart indices; this one may be among them) uses old translations of
 * the range any more. */
void tlb_flush(uint64_t hart_mask, vaddr_t va, size_t size);

/* Makes code that was written visible to instruction fetch on all harts. */
void tlb_sync_code(void);

#endif
