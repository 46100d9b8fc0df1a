/*
 * Physical addresses as the kernel reaches them: through the direct map (arch/mmu.h). Host tests
 * have their own version, where both are the same.
 */
#ifndef ARCH_PHYS_H
#define ARCH_PHYS_H

#include "kernel/types.h"

#define DIRECT_MAP_BASE 0xffffffc000000000UL
#define DIRECT_MAP_SIZE (64UL << 30)

static inline void *phys_to_virt(paddr_t address)
{
    return (void *)(address + DIRECT_MAP_BASE);
}

/* Direct-map addresses only. */
static inline paddr_t virt_to_phys(const void *address)
{
    return (uintptr_t)address - DIRECT_MAP_BASE;
}

#endif
