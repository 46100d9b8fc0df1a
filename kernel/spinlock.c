/*
 * Test-and-set spinlocks, and the lock-order check of debug builds. Relies on hart_index() only.
 *
 * Not ticket locks: with more harts than host CPUs (QEMU) a ticket lock hands over to harts that
 * are not running, and every hart behind them waits for the host's scheduler.
 */
#include "kernel/spinlock.h"

#include "arch/hart.h"
#include "kernel/assert.h"

#ifdef FTL_DEBUG

/*
 * In order, a hart holds at most one lock of each class; the rest is for spin_try_lock(), which may
 * disobey.
 */
#define HELD_MAX (LOCK_CLASS_COUNT + 8)

/*
 * What one hart holds, in the order it was taken. Only that hart touches it, so it needs no lock.
 */
static struct held_locks {
    unsigned count;
    const struct spinlock *locks[HELD_MAX];
} held_locks[MAX_HARTS];

static bool held_here(const struct spinlock *lock)
{
    const struct held_locks *held = &held_locks[hart_index()];
    for (unsigned i = 0; i < held->count; i++) {
        if (held->locks[i] == lock) {
            return true;
        }
    }
    return false;
}

static void check_order(const struct spinlock *lock)
{
    const struct held_locks *held = &held_locks[hart_index()];
    for (unsigned i = 0; i < held->count; i++) {
        if (held->locks[i] == lock) {
            panic("spinlock %p (class %u) taken twice", (const void *)lock, lock->class);
        }
        if (held->locks[i]->class >= lock->class) {
            panic("lock order: class %u taken with class %u held", lock->class,
                  held->locks[i]->class);
        }
    }
}

static void note_taken(const struct spinlock *lock)
{
    struct held_locks *held = &held_locks[hart_index()];
    ASSERT(held->count < HELD_MAX);
    held->locks[held->count++] = lock;
}

static void note_released(const struct spinlock *lock)
{
    struct held_locks *held = &held_locks[hart_index()];
    unsigned i = held->count;
    while (i > 0 && held->locks[i - 1] != lock) {
        i--;
    }
    if (i == 0) {
        panic("spinlock %p (class %u) released by a hart without it", (const void *)lock,
              lock->class);
    }
    for (; i < held->count; i++) {
        held->locks[i - 1] = held->locks[i];
    }
    held->count--;
}

void spin_assert_none_held(void)
{
    const struct held_locks *held = &held_locks[hart_index()];
    if (held->count != 0) {
        panic("%u locks held, the last of class %u", held->count,
              held->locks[held->count - 1]->class);
    }
}

bool spin_is_held(const struct spinlock *lock)
{
    return held_here(lock);
}

void spin_lock(struct spinlock *lock)
{
    check_order(lock);
    spin_acquire(lock);
    note_taken(lock);
}

bool spin_try_lock(struct spinlock *lock)
{
    if (!spin_acquire_once(lock)) {
        return false;
    }
    note_taken(lock);
    return true;
}

void spin_unlock(struct spinlock *lock)
{
    note_released(lock);
    __atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

#endif
