/*
 * The head of every kernel object: type, reference count, signals and those who watch them. Handles
 * and the kernel itself hold references; the last one destroys the object.
 */
#ifndef KERNEL_OBJECT_H
#define KERNEL_OBJECT_H

#include "kernel/assert.h"
#include "kernel/list.h"
#include "kernel/spinlock.h"
#include "kernel/types.h"

enum object_type {
    OBJECT_ANY = FTL_OBJECT_ANY, /* in look-ups only: every type */
    OBJECT_PROCESS = FTL_OBJECT_PROCESS,
    OBJECT_THREAD = FTL_OBJECT_THREAD,
    OBJECT_VMSPACE = FTL_OBJECT_VMSPACE,
    OBJECT_VMO = FTL_OBJECT_VMO,
    OBJECT_CONSOLE = FTL_OBJECT_CONSOLE,
    OBJECT_SYSTEM = FTL_OBJECT_SYSTEM,
    OBJECT_NOTIFICATION = FTL_OBJECT_NOTIFICATION,
    OBJECT_TIMER = FTL_OBJECT_TIMER,
    OBJECT_POLL = FTL_OBJECT_POLL,
    OBJECT_CHANNEL = FTL_OBJECT_CHANNEL,
    OBJECT_CODE = FTL_OBJECT_CODE,
    OBJECT_INTERRUPT = FTL_OBJECT_INTERRUPT,
    OBJECT_TYPE_COUNT,
};

struct object {
    uint32_t refs;         /* atomic */
    uint8_t type;          /* enum object_type; fixed */
    uint32_t signals;      /* FTL_SIGNAL_ bits; written under `lock`, read anywhere */
    struct spinlock lock;  /* protects signals and observers */
    uint32_t id;           /* see object_id(); atomic */
    struct list observers; /* struct observer */
};

/*
 * Somebody who wants to know when a signal of interest is set. Lives on the waiter's stack or in
 * its object.
 */
struct observer {
    struct list link; /* in object->observers; protected by the object's lock */
    uint32_t interest;
    /* Called with the object's lock held; may take itself out with list_remove(&observer->link). */
    void (*notify)(struct observer *observer, uint32_t signals);
};

/* What one type does. Tables are constant, indexed by enum object_type (kernel/object_types.c). */
struct object_ops {
    const char *name;
    void (*destroy)(struct object *object);       /* last reference gone; frees it */
    void (*handle_made)(struct object *object);   /* with the table's lock held; may be NULL */
    void (*handle_closed)(struct object *object); /* a handle to it was closed; may be NULL */
};
extern const struct object_ops object_ops[OBJECT_TYPE_COUNT];

/* One reference, for the caller. */
void object_init(struct object *object, enum object_type type);

static inline void object_get(struct object *object)
{
    uint32_t refs = __atomic_fetch_add(&object->refs, 1, __ATOMIC_RELAXED);
    ASSERT(refs > 0 && refs < UINT32_MAX);
    (void)refs;
}

/* The rest of object_put(): the last reference is gone. */
void object_bury(struct object *object);

/*
 * Drops a reference; the last destroys the object, which takes locks of any class: hold none. All
 * that goes with it is gone on return, unless the caller is itself destroying an object.
 */
static inline void object_put(struct object *object)
{
    /*
     * What each holder did to the object comes before its destruction: release here, acquire there.
     */
    uint32_t refs = __atomic_fetch_sub(&object->refs, 1, __ATOMIC_RELEASE);
    ASSERT(refs > 0);
    if (unlikely(refs == 1)) {
        object_bury(object);
    }
}

/* A reference unless the last one is gone already: for finding objects in lists that hold none. */
static inline bool object_try_get(struct object *object)
{
    uint32_t refs = __atomic_load_n(&object->refs, __ATOMIC_RELAXED);
    do {
        if (unlikely(refs == 0)) {
            return false;
        }
    } while (!__atomic_compare_exchange_n(&object->refs, &refs, refs + 1, true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    return true;
}

/*
 * Drops the reference of a handle that was closed, and tells the object's type so. Hold no locks.
 */
void object_close(struct object *object);

/*
 * Clears, then sets signals, and notifies the observers with an interest in one of those set
 * (whether it was set before or not) of all signals now set. Takes the object's lock.
 */
void object_signal(struct object *object, uint32_t clear, uint32_t set);

/*
 * The same with the object's lock held, for types that keep state under it in step with signals.
 */
void object_signal_locked(struct object *object, uint32_t clear, uint32_t set);

/*
 * A number that tells the object from all others, not 0. Objects are numbered when they are first
 * asked for it, so that making them costs nothing.
 */
uint32_t object_id(struct object *object);

/* The signals set now. */
uint32_t object_signals(const struct object *object);

/*
 * Registers the observer (interest and notify filled in), until object_unobserve, and returns the
 * signals at the time: it is notified of what is set from then on. The caller keeps a reference to
 * the object as long. Takes the object's lock.
 */
uint32_t object_observe(struct object *object, struct observer *observer);

/*
 * Afterwards `notify` is not running and will not be called. Does nothing if the observer has taken
 * itself out.
 */
void object_unobserve(struct object *object, struct observer *observer);

#endif
