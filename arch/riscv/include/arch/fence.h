/*
 * What drops translations and instructions that harts have cached, one instruction or SBI call
 * each; tlb.h is made of these. Host tests have a simulated machine's in their place.
 */
#ifndef ARCH_FENCE_H
#define ARCH_FENCE_H

#include "arch/csr.h"
#include "arch/errata.h"
#include "kernel/types.h"

static inline uint64_t satp_read(void)
{
    return csr_read(satp);
}

static inline void satp_write(uint64_t value)
{
    csr_write(satp, value);
}

static inline void sfence_all(void)
{
    __asm__ volatile("sfence.vma" ::: "memory");
}

/* All translations with this ASID; global ones stay. */
static inline void sfence_asid(uint64_t asid)
{
    __asm__ volatile("sfence.vma zero, %0" : : "r"(asid) : "memory");
}

/* Those of one page, whatever the ASID; more where a core cannot do just that. */
static inline void sfence_page(vaddr_t va)
{
    if (__builtin_expect(errata.sfence_by_address_fails, 0)) {
        sfence_all();
        return;
    }
    __asm__ volatile("sfence.vma %0" : : "r"(va) : "memory");
}

static inline void sfence_page_asid(vaddr_t va, uint64_t asid)
{
    if (__builtin_expect(errata.sfence_by_address_fails, 0)) {
        sfence_asid(asid);
        return;
    }
    __asm__ volatile("sfence.vma %0, %1" : : "r"(va), "r"(asid) : "memory");
}

static inline void fence_instructions(void)
{
    __asm__ volatile("fence.i" ::: "memory");
}

/*
 * Bits (hart indices, here and below) of all harts that run kernel code by now, this one left out.
 */
uint64_t other_harts(void);

/* The same for other harts; a size of SIZE_MAX is everything. They are done on return. */
void sbi_remote_sfence(uint64_t hart_mask, vaddr_t va, size_t size);
void sbi_remote_sfence_asid(uint64_t hart_mask, vaddr_t va, size_t size, uint64_t asid);
void sbi_remote_fence_i(uint64_t hart_mask);

#endif
