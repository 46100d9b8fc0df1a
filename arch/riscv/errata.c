/*
 * Defects of cores that an S-mode kernel has to work around: see arch/errata.h. Cores are known by
 * what SBI says of them. Which implementations are affected: Linux,
 * arch/riscv/errata/sifive/errata.c; docs/visionfive2.md has more.
 */
#include "arch/errata.h"

#include "arch/hart.h"
#include "arch/internal.h"

#include "kernel/log.h"

#define VENDOR_SIFIVE   0x489
#define ARCHITECTURE_U7 0x8000000000000007UL /* "7 series": S7 and U74 */
#define ARCHITECTURE_U5 0x1UL                /* "5 series" */

/* CIP-1200: sfence.vma with an address may leave translations of it. */
#define CIP_1200_MASK  0xffffffUL /* of mimpid, what is compared */
#define CIP_1200_LAST  0x200630UL
#define CIP_1200_FIXED 0x1200626UL

/* CIP-453: stval of instruction faults is not sign-extended. */
#define CIP_453_FIRST 0x20181004UL
#define CIP_453_LAST  0x20191105UL

struct errata errata;

struct errata errata_of(const struct sbi_machine *machine)
{
    struct errata found = { 0 };
    if (machine->vendor != VENDOR_SIFIVE) {
        return found;
    }
    bool u7 = machine->architecture == ARCHITECTURE_U7;
    bool u5 = machine->architecture == ARCHITECTURE_U5;
    uint64_t implementation = machine->implementation;
    found.sfence_by_address_fails = (u7 || u5) &&
                                    (implementation & CIP_1200_MASK) <= CIP_1200_LAST &&
                                    implementation != CIP_1200_FIXED;
    found.fetch_fault_address_is_short =
        u7 && implementation >= CIP_453_FIRST && implementation <= CIP_453_LAST;
    return found;
}

void errata_init_hart(void)
{
    struct sbi_machine machine = sbi_machine();
    struct errata found = errata_of(&machine);
    if (found.sfence_by_address_fails || found.fetch_fault_address_is_short) {
        log_line("hart %u: core errata:%s%s", arch_hart_self()->id,
                 found.sfence_by_address_fails ? " CIP-1200" : "",
                 found.fetch_fault_address_is_short ? " CIP-453" : "");
    }
    /* Harts set what they have; nobody clears it. */
    if (found.sfence_by_address_fails) {
        __atomic_store_n(&errata.sfence_by_address_fails, true, __ATOMIC_SEQ_CST);
    }
    if (found.fetch_fault_address_is_short) {
        __atomic_store_n(&errata.fetch_fault_address_is_short, true, __ATOMIC_SEQ_CST);
    }
}
