/*
 * Which address space a hart uses, and keeping TLBs in step with page tables. Where harts have
 * them, address spaces get ids (ASIDs), so that a hart's translations of one outlive the use of
 * another.
 */
#ifndef ARCH_TLB_H
#define ARCH_TLB_H

#include "arch/fence.h"
#include "arch/hart.h"
#include "arch/mmu.h"
#include "arch/tlb_ids.h"

/* An address space, as TLBs know it. */
struct tlb_space {
    uint64_t satp;       /* what a hart loads: the root of its tables, and its id; atomic */
    uint64_t generation; /* of ids, in which it has that one; 0: in none; atomic */
    uint64_t harts; /* that have been in it and have been told of all changes since; atomic bits */
};

/* The root of the tables in a value of satp, as the field has it. */
static inline uint64_t tlb_root(uint64_t satp)
{
    return satp & ((1UL << SATP_ASID_SHIFT) - 1);
}

/* The kernel's own, with id 0. Those of the same root share that. */
extern struct tlb_space tlb_kernel_space;

/* Counts the times that code was written; atomic. */
extern uint64_t tlb_code_generation;

void tlb_space_init(struct tlb_space *space, paddr_t root);

/*
 * Enters the address space on this hart, which then also fetches all instructions that were written
 * by the last tlb_code_written(). It is among the space's `harts` from then on, and counts for
 * tlb_is_loaded() from before it may cache anything. False: the space needs an id first.
 */
bool tlb_try_enter(struct tlb_space *space);

/*
 * For the function below and tlb_try_enter(): the hart counts for tlb_is_loaded() from here on, by
 * hart->next_satp. Returns whether the space has an id.
 *
 * The generation is read before the id, which changes first, and looked at after the barrier:
 * either it is not over, or who ended it finds this hart's next_satp and waits for what comes of
 * it.
 */
static inline bool tlb_announce(struct arch_hart *hart, const struct tlb_space *space)
{
    uint64_t generation = __atomic_load_n(&space->generation, __ATOMIC_ACQUIRE);
    uint64_t satp = __atomic_load_n(&space->satp, __ATOMIC_RELAXED);
    __atomic_store_n(&hart->next_satp, satp, __ATOMIC_RELAXED);
    memory_barrier();
    return generation == __atomic_load_n(&tlb_ids.generation, __ATOMIC_RELAXED);
}

/* tlb_try_enter(), where that is only to load the space: false if there is anything else to do. */
static inline bool tlb_try_load(const struct tlb_space *space)
{
    struct arch_hart *hart = arch_hart_self();
    bool has_id = tlb_announce(hart, space);
    uint64_t told = __atomic_load_n(&space->harts, __ATOMIC_RELAXED);
    uint64_t code = __atomic_load_n(&tlb_code_generation, __ATOMIC_RELAXED);
    if (unlikely(!has_id) || unlikely((told >> hart->index & 1) == 0) ||
        unlikely(hart->code_generation != code)) {
        return false;
    }
    uint64_t satp = hart->next_satp;
    satp_write(satp);
    __atomic_store_n(&hart->satp, satp, __ATOMIC_RELEASE);
    return true;
}

/* Gives the space an id. Where all are taken, all spaces but those in use lose theirs. */
void tlb_assign_id(struct tlb_space *space);

/*
 * Whether the hart has these page tables loaded, or is about to load or to leave them. Where the
 * answer is no, a barrier after changes of the tables ensures that it enters with these.
 */
static inline bool tlb_is_loaded(const struct arch_hart *hart, const struct tlb_space *space)
{
    uint64_t root = tlb_root(__atomic_load_n(&space->satp, __ATOMIC_RELAXED));
    /* In this order: what is being loaded becomes what is loaded. */
    return tlb_root(__atomic_load_n(&hart->next_satp, __ATOMIC_SEQ_CST)) == root ||
           tlb_root(__atomic_load_n(&hart->satp, __ATOMIC_SEQ_CST)) == root;
}

/* Orders earlier page-table writes before this hart's next use of va. */
void tlb_flush_local(vaddr_t va);

/* No hart in the mask (bits are hart indices; this one may be among them) uses old translations of
 * the range in this space any more, nor of tables that are for nothing else. */
void tlb_flush(const struct tlb_space *space, uint64_t hart_mask, vaddr_t va, size_t size);

/* Instructions were written: harts will fetch them once they have called tlb_try_enter() ... */
void tlb_code_written(void);

/* ... or are in this mask (bits are hart indices). This hart always is. */
void tlb_sync_code(uint64_t hart_mask);

/*
 * Each hart, when it starts, with the kernel's address space loaded: notes how many ids it tells
 * apart. False: fewer than are in use already.
 */
bool tlb_init_hart(void);

/*
 * Boot, once the harts have started: address spaces get ids of so many bits, or as many as all
 * harts have. Returns how many ids that makes; 0: none, as they would not suffice for all harts.
 */
#define TLB_ID_BITS_MAX 16
uint64_t tlb_init_ids(unsigned bits_max);

/* How many ids there are, 0 for none, and how many times they have run out. */
uint64_t tlb_id_count(void);
uint64_t tlb_id_rounds(void);

#endif
