/* On the host a physical address is the address itself (see host/memory.h for RAM). */
#ifndef ARCH_PHYS_H
#define ARCH_PHYS_H

#include "kernel/types.h"

#define DIRECT_MAP_BASE 0xffffffc000000000UL /* as on the target, for page-table tests */
#define DIRECT_MAP_SIZE (64UL << 30)

static inline void *phys_to_virt(paddr_t address)
{
    return (void *)address;
}

static inline paddr_t virt_to_phys(const void *address)
{
    return (paddr_t)(uintptr_t)address;
}

#endif
