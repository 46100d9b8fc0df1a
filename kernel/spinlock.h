/*
 * Spinlocks. The kernel runs with interrupts off, so a lock needs no interrupt state of its own.
 * Every lock has a class; debug builds panic when a hart takes locks against the order of the
 * classes, takes one twice, or returns to a process with one held.
 */
#ifndef KERNEL_SPINLOCK_H
#define KERNEL_SPINLOCK_H

#include "arch/hart.h"
#include "kernel/types.h"

/* Outermost first: a hart that holds a lock may only take locks of a later class. */
enum lock_class {
    LOCK_PROCESS_LIST,   /* the list of all processes */
    LOCK_PROCESS,        /* struct process: threads, state */
    LOCK_NESTING,        /* which channel ends lie in messages: ipc/channel.c */
    LOCK_CHANNEL,        /* both ends of a channel */
    LOCK_LANE,           /* the fast path's part of a channel, one way */
    LOCK_HANDLES,        /* struct handle_table */
    LOCK_VMSPACE_LIST,   /* windows in use and page-table roots to keep in step */
    LOCK_VMSPACE,        /* struct vmspace: mappings, page tables */
    LOCK_VMO,            /* struct vmo: pages */
    LOCK_FUTEX,          /* a futex bucket */
    LOCK_INTERRUPTS,     /* who gets which interrupt; held while that one is told */
    LOCK_CONSOLE,        /* console input queue */
    LOCK_TIMER_OBJECT,   /* a timer object while it is set or cancelled */
    LOCK_TIMERS,         /* a hart's timer queue; held while its callbacks run */
    LOCK_OBJECT,         /* struct object: signals, observers, what its type keeps under it */
    LOCK_POLL,           /* struct poll: entries, waiters */
    LOCK_THREAD,         /* struct thread: priority, loans of it, affinity */
    LOCK_RUN_QUEUE,      /* a hart's run queue */
    LOCK_KERNEL_MAP,     /* the kernel's own page tables and vmap area */
    LOCK_SLAB,           /* a slab cache */
    LOCK_PAGE_CACHE,     /* a hart's cache of free pages */
    LOCK_PAGES,          /* the page allocator */
    LOCK_TLB_IDS,        /* ids of address spaces */
    LOCK_TRACE,          /* the ring of traced messages */
    LOCK_LOG,            /* the log ring */
    LOCK_CONSOLE_OUTPUT, /* the UART's transmitter */
    LOCK_CLASS_COUNT,
};

struct spinlock {
    uint32_t held;
    uint8_t class;
};

#define SPINLOCK_INIT(lock_class) { .held = 0, .class = (lock_class) }

static inline void spin_init(struct spinlock *lock, enum lock_class class)
{
    lock->held = 0;
    lock->class = (uint8_t)class;
}

/* For the functions below. */
static inline bool spin_acquire_once(struct spinlock *lock)
{
    return __atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE) == 0;
}

/* Inline to its end: a call would have every function with a lock store registers for it. */
static inline void spin_acquire(struct spinlock *lock)
{
    while (unlikely(!spin_acquire_once(lock))) {
        /* Wait with plain loads, which leave the holder its cache line. */
        while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED) != 0) {
            arch_relax();
        }
    }
}

/*
 * spin_lock() spins until the lock is this hart's; it is not recursive. spin_try_lock() takes the
 * lock if it is free; it may break the order of classes, as it never waits. spin_is_held() is for
 * assertions: debug builds know that this hart holds the lock, others that some hart does.
 * spin_assert_none_held(): debug builds panic unless this hart holds no lock at all; called on the
 * way back to a process.
 */
#ifdef FTL_DEBUG

void spin_lock(struct spinlock *lock);
bool spin_try_lock(struct spinlock *lock);
void spin_unlock(struct spinlock *lock);
bool spin_is_held(const struct spinlock *lock);
void spin_assert_none_held(void);

#else

static inline bool spin_try_lock(struct spinlock *lock)
{
    return spin_acquire_once(lock);
}

static inline void spin_lock(struct spinlock *lock)
{
    spin_acquire(lock);
}

static inline void spin_unlock(struct spinlock *lock)
{
    __atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

static inline bool spin_is_held(const struct spinlock *lock)
{
    return __atomic_load_n(&lock->held, __ATOMIC_RELAXED) != 0;
}

static inline void spin_assert_none_held(void)
{
}

#endif

#endif
