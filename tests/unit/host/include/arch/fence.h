/* What drops translations: the target's instructions and SBI calls, which the simulator (sim/sim.h)
 * stands in for. */
#ifndef ARCH_FENCE_H
#define ARCH_FENCE_H

#include "kernel/types.h"

uint64_t satp_read(void);
void satp_write(uint64_t value);
void sfence_all(void);
void sfence_asid(uint64_t asid);
void sfence_page(vaddr_t va);
void sfence_page_asid(vaddr_t va, uint64_t asid);
void fence_instructions(void);
uint64_t other_harts(void);
void sbi_remote_sfence(uint64_t hart_mask, vaddr_t va, size_t size);
void sbi_remote_sfence_asid(uint64_t hart_mask, vaddr_t va, size_t size, uint64_t asid);
void sbi_remote_fence_i(uint64_t hart_mask);

#endif
