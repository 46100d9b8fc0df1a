/* Defects of cores that the kernel works around: what any of the harts that run has of them. */
#ifndef ARCH_ERRATA_H
#define ARCH_ERRATA_H

#include "kernel/types.h"

struct sbi_machine;

struct errata {
    bool sfence_by_address_fails;      /* flush everything instead */
    bool fetch_fault_address_is_short; /* stval lacks its sign: errata_fetch_address() */
};
extern struct errata errata; /* set while harts start */

/* What a core of this identity has. */
struct errata errata_of(const struct sbi_machine *machine);

/* Boot, each hart, after sbi_init(): before it uses what may be broken. */
void errata_init_hart(void);

/* The address of a fault at an instruction's fetch: an Sv39 address with its sign. */
static inline vaddr_t errata_fetch_address(uint64_t stval)
{
    if (!__builtin_expect(errata.fetch_fault_address_is_short, 0)) {
        return stval;
    }
    return (vaddr_t)((int64_t)(stval << 25) >> 25);
}

#endif
