/*
 * The hart that executes: its identity and its part of the architecture's state. In kernel mode tp
 * points to the hart's struct arch_hart, which is the first member of its struct hart
 * (kernel/hart.h).
 */
#ifndef ARCH_HART_H
#define ARCH_HART_H

#include "arch/offsets.h"
#include "kernel/types.h"

struct context;
struct fpu_state;

/* The first five members are known to entry.S (arch/offsets.h). */
#define NOT_PLAIN UINT8_MAX

struct arch_hart {
    struct context *context; /* of the thread that runs, where trap entry saves registers */
    uintptr_t stack_top;     /* of the kernel stack, empty whenever a process runs */
    uintptr_t scratch;       /* entry.S: one register, for a few instructions */
    uintptr_t emergency_top; /* stack for reporting the overflow of the other */
    union {
        struct {
            bool resched;     /* calls go on to the scheduler before they return to a process */
            bool tracing;     /* messages take the slow path, which notes them; set by all */
            uint8_t priority; /* of the current thread */
            uint8_t plain_priority; /* the same, or NOT_PLAIN: no switch from it is simple */
            unsigned index;         /* in harts[] */
        };
        uint64_t place; /* that of threads to which a switch is simple: kernel/thread.h */
    };
    hart_id_t id;                /* the hardware's number */
    uint64_t satp;               /* loaded now; read by all */
    uint64_t next_satp;          /* the same, or what is about to be loaded; read by all */
    uint64_t code_generation;    /* what it has caught up with: root.c */
    const void *vmspace;         /* whose tables are loaded; NULL: the kernel's; read by all */
    int plic_context;            /* S-mode context at the PLIC, -1 for none */
    struct fpu_state *fpu_owner; /* whose values the FP registers hold, or NULL */
};

static inline struct arch_hart *arch_hart_self(void)
{
    struct arch_hart *self;
    __asm__("mv %0, tp" : "=r"(self));
    return self;
}

/* Index of this hart: 0 to MAX_HARTS - 1, dense. Constant while kernel code runs. */
static inline unsigned hart_index(void)
{
    return arch_hart_self()->index;
}

/* To be called in loops that wait for another hart. */
static inline void arch_relax(void)
{
    __asm__ volatile(".word %0" ::"i"(ZIHINTPAUSE_PAUSE) : "memory");
}

/* Waits until an interrupt is pending and handles all that are. Interrupts stay off. */
void hart_wait_for_interrupt(void);

/* Sends inter-processor interrupts to the harts whose bits (hart indices) are set. */
void hart_send_ipi(uint64_t hart_mask);

/*
 * Starts hart `index`, whose struct arch_hart has id and stacks filled in: it calls
 * hart_main(index). False and a logged reason when the firmware refuses.
 */
bool hart_start(unsigned index);
void hart_main(unsigned index);

/* Stops this hart for good. */
_Noreturn void hart_halt(void);

/* Instructions this hart has retired since reset, 0 where the counter cannot be read. */
static inline uint64_t hart_instructions(void)
{
    uint64_t count;
    __asm__ volatile("rdinstret %0" : "=r"(count));
    return count;
}

/* Order every earlier access before every later one, for all harts. */
static inline void memory_barrier(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif
