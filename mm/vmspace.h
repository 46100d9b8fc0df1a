/*
 * vmspaces: an address space of one or more processes; Sv39 tables of its own for U-mode, or a
 * window of the kernel process for sandboxes. A vmspace is a list of mappings of VMOs; pages enter
 * the page tables on first touch.
 */
#ifndef MM_VMSPACE_H
#define MM_VMSPACE_H

#include <ftl/status.h>

#include "arch/hart.h"
#include "arch/mmu.h"
#include "arch/tlb.h"
#include "kernel/object.h"
#include "mm/vmo.h"

struct process;

struct vmspace {
    struct object object; /* first */
    ftl_isolation_t isolation;
    vaddr_t base;  /* of a window; 0 for user vmspaces */
    vaddr_t start; /* lowest address that may be mapped */
    vaddr_t end;   /* first one that may not */
    struct tlb_space space;
    struct spinlock lock; /* LOCK_VMSPACE; protects everything below */
    struct page_table table;
    struct account *account; /* a reference; page tables and mappings */
    struct list mappings;    /* struct mapping, sorted by address */
    struct mapping *last;    /* found or made, a hint; NULL: none */
    vaddr_t mapped_end;      /* of the highest mapping that there has been, or 0 */
    uint32_t processes;      /* that live in it */
    bool used;               /* a process was in it, or something was mapped */
};

struct mapping {
    struct list link;
    vaddr_t start;
    vaddr_t end;
    struct vmo *vmo;             /* a reference */
    uint64_t offset;             /* of start in the VMO */
    uint8_t permissions;         /* FTL_MAP_ bits */
    uint8_t permissions_max;     /* what protect may give */
    bool code;                   /* loaded code: stays as it is */
    const struct process *owner; /* who it goes with; an identity only, NULL for none */
};

/* Boot: sets up the caches of vmspaces and mappings. */
void vmspace_init(void);

/* An empty vmspace, one reference; NULL with *status: NO_MEMORY, LIMIT. */
struct vmspace *vmspace_create(ftl_isolation_t isolation, struct account *account,
                               ftl_status_t *status);
void vmspace_destroy(struct object *object);

/* Whether the address may ever be mapped in it, or is the end of what may. */
static inline bool vmspace_contains(const struct vmspace *vmspace, vaddr_t address)
{
    return address >= vmspace->start && address <= vmspace->end;
}

/* A process moves in or out. The first one's account takes over the vmspace's charges. */
ftl_status_t vmspace_enter(struct vmspace *vmspace, struct account *account);
void vmspace_leave(struct vmspace *vmspace, const struct process *process);

struct map_request {
    struct vmo *vmo;
    uint64_t offset;
    size_t size;
    vaddr_t address; /* 0: anywhere */
    size_t guard;    /* with address 0: bytes left free on both sides, page-aligned */
    unsigned permissions;
    unsigned permissions_max;
    bool code;
    const struct process *owner;
};

/*
 * Maps; all values page-aligned, the range inside the VMO. Returns the address in *mapped. Errors:
 * INVALID_ARGUMENT (alignment, W+X, outside the vmspace), EXISTS (in use), NO_MEMORY, LIMIT,
 * OUT_OF_RANGE.
 */
ftl_status_t vmspace_map(struct vmspace *vmspace, const struct map_request *request,
                         vaddr_t *mapped);

/*
 * The lowest free range of `size` with `guard` bytes free on both sides. Only a hint where others
 * map too: what is mapped there later may find it in use.
 */
bool vmspace_find_room(struct vmspace *vmspace, size_t size, size_t guard, vaddr_t *address);

/* Unmaps a range; holes are fine. Errors: INVALID_ARGUMENT, BAD_STATE (loaded code), NO_MEMORY. */
ftl_status_t vmspace_unmap(struct vmspace *vmspace, vaddr_t address, size_t size);

/* Changes permissions. Errors: as above, NOT_FOUND (a hole), MISSING_RIGHT (more than it was mapped
 * with). */
ftl_status_t vmspace_protect(struct vmspace *vmspace, vaddr_t address, size_t size,
                             unsigned permissions);

/* Fills in the mappings from the address list->position on, as many as there is room for. */
void vmspace_list(struct vmspace *vmspace, struct ftl_mapping_list *list);

/*
 * Brings pages of a mapping that its VMO has into the page tables, so that they need not be faulted
 * in: the first VMSPACE_POPULATE_MAX bytes from `address` on at most, and as far as memory goes.
 */
void vmspace_populate(struct vmspace *vmspace, vaddr_t address, size_t size);
#define VMSPACE_POPULATE_MAX (256 * KIB)

/* Reads a 32-bit word of mapped code; false when the address is not in any, or not aligned. */
bool vmspace_read_code(struct vmspace *vmspace, vaddr_t address, uint32_t *word);

/*
 * Puts the page for an access (one of FTL_MAP_) at this address into the page tables. BAD_ADDRESS
 * when nothing is mapped there or it does not allow the access; NO_MEMORY, LIMIT.
 */
ftl_status_t vmspace_fault(struct vmspace *vmspace, vaddr_t address, unsigned access);

/* The vmspace whose page tables it takes to run in this one: windows lie in the kernel's, NULL. */
static inline struct vmspace *vmspace_tables(struct vmspace *vmspace)
{
    return vmspace != NULL && vmspace->isolation == FTL_ISOLATION_SANDBOX ? NULL : vmspace;
}

/* The rest of vmspace_activate(). */
void vmspace_switch(struct vmspace *vmspace);

/*
 * The same for what vmspace_tables() says, for the fast path of calls; false: nothing is done, as
 * it takes more than usual.
 */
bool vmspace_try_switch(struct vmspace *tables);

/* Whether this hart may run in the vmspace. */
static inline bool vmspace_is_active(struct vmspace *vmspace)
{
    const struct arch_hart *hart = arch_hart_self();
    const struct vmspace *tables = vmspace_tables(vmspace);
    return hart->vmspace == tables &&
           (tables == vmspace ||
            (__atomic_load_n(&vmspace->space.harts, __ATOMIC_RELAXED) >> hart->index & 1) != 0);
}

/*
 * This hart runs in the vmspace from now on. NULL: in the kernel alone. A window in which it has
 * been before it has entered for ever.
 */
static inline void vmspace_activate(struct vmspace *vmspace)
{
    if (!vmspace_is_active(vmspace)) {
        vmspace_switch(vmspace);
    }
}

/* Every hart that runs in the vmspace from now on fetches the instructions that were written. */
void vmspace_sync_code(const struct vmspace *vmspace);

/* Copies between the kernel and the current process's memory, faulting pages in. BAD_ADDRESS,
 * NO_MEMORY, LIMIT. */
ftl_status_t copy_in(void *to, vaddr_t from, size_t size);
ftl_status_t copy_out(vaddr_t to, const void *from, size_t size);

/* Reads a 32-bit word of the current process without faulting it in; BAD_ADDRESS when it is not
 * there. */
ftl_status_t copy_in_word(uint32_t *word, vaddr_t from);

#endif
