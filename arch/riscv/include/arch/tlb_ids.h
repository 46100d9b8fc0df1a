/* What root.c, tlb.c and asid.c share of address spaces' ids: see arch/tlb.h and asid.c. */
#ifndef ARCH_TLB_IDS_H
#define ARCH_TLB_IDS_H

#include "arch/satp.h"
#include "kernel/spinlock.h"
#include "kernel/types.h"

struct tlb_ids {
    uint64_t generation;      /* atomic; ends when ids have run out */
    uint64_t count;           /* 0 to count - 1 are ids; 0: there are none. Set once, at boot */
    struct spinlock lock;     /* LOCK_TLB_IDS; protects what follows, and all spaces' ids */
    unsigned bits;            /* that every hart has which has started */
    uint64_t next;            /* the lowest that nobody has been given in this generation */
    size_t kept_count;        /* spaces that were in use when it began, and have kept their ids */
    uint64_t kept[MAX_HARTS]; /* what harts loaded for them (satp) */
};
extern struct tlb_ids tlb_ids;

/* The id in a value of satp. */
static inline uint64_t tlb_id(uint64_t satp)
{
    return satp >> SATP_ASID_SHIFT & ((1UL << SATP_ASID_BITS) - 1);
}

#endif
