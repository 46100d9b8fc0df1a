/*
 * Ids of address spaces (ASIDs). There are fewer than there may be spaces over time, so they are
 * given out in rounds, generations: when all are taken, a new one begins, in which only the spaces
 * that harts are in keep theirs, and all TLBs are emptied. A space that is entered with an id of an
 * earlier generation gets another. So an id that comes back finds nothing of who had it before, and
 * nobody has to be told when an address space ends.
 */
#include "arch/fence.h"
#include "arch/hart.h"
#include "arch/tlb.h"
#include "arch/tlb_ids.h"

#include "kernel/assert.h"
#include "kernel/hart.h"

struct tlb_ids tlb_ids = {
    .generation = 1,
    .lock = SPINLOCK_INIT(LOCK_TLB_IDS),
    .bits = SATP_ASID_BITS,
    .next = 1, /* 0 is the kernel's */
};
struct tlb_space tlb_kernel_space;

void tlb_space_init(struct tlb_space *space, paddr_t root)
{
    *space = (struct tlb_space){
        .satp = ((uint64_t)SATP_MODE_SV39 << SATP_MODE_SHIFT) | root >> PAGE_SHIFT,
    };
}

bool tlb_init_hart(void)
{
    struct arch_hart *hart = arch_hart_self();
    uint64_t satp = satp_read();
    uint64_t mask = (1UL << SATP_ASID_BITS) - 1;
    /* Bits that the hart has not stay 0. Nothing but global translations is used meanwhile. */
    satp_write(satp | mask << SATP_ASID_SHIFT);
    unsigned bits = (unsigned)__builtin_popcountl(tlb_id(satp_read()));
    satp_write(satp);
    sfence_all();
    __atomic_store_n(&hart->next_satp, satp, __ATOMIC_SEQ_CST);
    __atomic_store_n(&hart->satp, satp, __ATOMIC_SEQ_CST);
    spin_lock(&tlb_ids.lock);
    tlb_ids.bits = bits < tlb_ids.bits ? bits : tlb_ids.bits;
    bool enough = tlb_ids.count == 0 || tlb_ids.count >> bits <= 1;
    spin_unlock(&tlb_ids.lock);
    return enough;
}

uint64_t tlb_init_ids(unsigned bits_max)
{
    spin_lock(&tlb_ids.lock);
    unsigned bits = bits_max < tlb_ids.bits ? bits_max : tlb_ids.bits;
    uint64_t count = 1UL << bits;
    /* Beside the kernel's, each hart's own, and one more to be given. */
    if (count >= hart_count + 2) {
        tlb_ids.count = count;
    }
    spin_unlock(&tlb_ids.lock);
    return tlb_ids.count;
}

uint64_t tlb_id_count(void)
{
    return tlb_ids.count;
}

uint64_t tlb_id_rounds(void)
{
    return __atomic_load_n(&tlb_ids.generation, __ATOMIC_RELAXED) - 1;
}

/*
 * What the hart has loaded, once it is not about to load another. That takes a few instructions
 * with interrupts off: if it still succeeds, it has looked at the generation before that ended.
 */
static uint64_t loaded_by(const struct arch_hart *hart)
{
    uint64_t satp;
    while ((satp = __atomic_load_n(&hart->next_satp, __ATOMIC_SEQ_CST)) !=
           __atomic_load_n(&hart->satp, __ATOMIC_SEQ_CST)) {
        arch_relax();
    }
    return satp;
}

static void begin_generation(void)
{
    __atomic_fetch_add(&tlb_ids.generation, 1, __ATOMIC_SEQ_CST);
    memory_barrier();
    tlb_ids.next = 1;
    tlb_ids.kept_count = 0;
    for (unsigned i = 0; i < hart_count; i++) {
        uint64_t satp = loaded_by(&harts[i].arch);
        if (tlb_id(satp) != 0) {
            tlb_ids.kept[tlb_ids.kept_count++] = satp;
        }
    }
    sfence_all();
    sbi_remote_sfence(other_harts(), 0, SIZE_MAX);
}

/* Whether a space goes on with what it has in this generation. */
static bool keeps_id(uint64_t satp)
{
    bool keeps = tlb_root(satp) == tlb_root(tlb_kernel_space.satp);
    for (size_t i = 0; i < tlb_ids.kept_count; i++) {
        keeps |= tlb_ids.kept[i] == satp;
    }
    return keeps;
}

static bool is_kept(uint64_t id)
{
    bool kept = false;
    for (size_t i = 0; i < tlb_ids.kept_count; i++) {
        kept |= tlb_id(tlb_ids.kept[i]) == id;
    }
    return kept;
}

/* Moves on to an id that nobody has; false: there is none left in this generation. */
static bool find_free_id(void)
{
    while (tlb_ids.next < tlb_ids.count && is_kept(tlb_ids.next)) {
        tlb_ids.next++;
    }
    return tlb_ids.next < tlb_ids.count;
}

/* The lock is held. Who enters meanwhile reads the generation first: see tlb_try_enter(). */
static void give_id(struct tlb_space *space)
{
    if (!keeps_id(space->satp) && !find_free_id()) {
        begin_generation();
    }
    if (!keeps_id(space->satp)) {
        bool found = find_free_id();
        ASSERT(found);
        uint64_t satp = space->satp & ~(((1UL << SATP_ASID_BITS) - 1) << SATP_ASID_SHIFT);
        __atomic_store_n(&space->satp, satp | tlb_ids.next++ << SATP_ASID_SHIFT, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&space->generation, tlb_ids.generation, __ATOMIC_RELEASE);
}

void tlb_assign_id(struct tlb_space *space)
{
    spin_lock(&tlb_ids.lock);
    if (space->generation != tlb_ids.generation) {
        give_id(space);
    }
    spin_unlock(&tlb_ids.lock);
}
