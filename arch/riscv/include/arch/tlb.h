/* Which address space a hart uses, and keeping TLBs in step with page tables. */
#ifndef ARCH_TLB_H
#define ARCH_TLB_H

#include "arch/mmu.h"

/* Loads the address space with this root into this hart, which then also fetches all instructions
 * that were written by the last tlb_code_written(). Cheap when it is loaded. */
void tlb_load_root(paddr_t root);

/* Orders earlier page-table writes before this hart's next use of va. */
void tlb_flush_local(vaddr_t va);

/* No hart in the mask (bits are hart indices; this one may be among them) uses old translations of
 * the range any more, nor of tables that are for nothing else. */
void tlb_flush(uint64_t hart_mask, vaddr_t va, size_t size);

/* Instructions were written: harts will fetch them once they have called tlb_load_root() ... */
void tlb_code_written(void);

/* ... or are in this mask (bits are hart indices). This hart always is. */
void tlb_sync_code(uint64_t hart_mask);

#endif
