/* Kernel objects: reference counts and signals. Relies on the table of types, object_ops. */
#include "kernel/object.h"

#include "arch/hart.h"
#include "kernel/assert.h"

void object_init(struct object *object, enum object_type type)
{
    ASSERT(type > OBJECT_ANY && type < OBJECT_TYPE_COUNT);
    object->refs = 1;
    object->type = (uint8_t)type;
    object->signals = 0;
    object->id = 0;
    spin_init(&object->lock, LOCK_OBJECT);
    list_init(&object->observers);
}

/*
 * Objects that a hart has to destroy. Destroying one drops references to others, which would go
 * ever deeper down the kernel's stack: processes hold handles to processes, and so on. So those
 * wait here until the first is done. Each hart's own.
 */
static struct graveyard {
    bool busy;        /* the hart is in destroy() */
    struct list dead; /* object->observers, which are gone by now */
} graveyards[MAX_HARTS];

void object_bury(struct object *object)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    ASSERT(list_empty(&object->observers));
    struct graveyard *graveyard = &graveyards[hart_index()];
    if (graveyard->busy) {
        list_push_back(&graveyard->dead, &object->observers);
        return;
    }
    graveyard->busy = true;
    list_init(&graveyard->dead);
    while (object != NULL) {
        object_ops[object->type].destroy(object);
        struct list *next = list_pop_front(&graveyard->dead);
        object = next == NULL ? NULL : LIST_ENTRY(next, struct object, observers);
    }
    graveyard->busy = false;
}

void object_close(struct object *object)
{
    const struct object_ops *ops = &object_ops[object->type];
    if (ops->handle_closed != NULL) {
        ops->handle_closed(object);
    }
    object_put(object);
}

uint32_t object_id(struct object *object)
{
    static uint32_t last; /* atomic */
    uint32_t id = __atomic_load_n(&object->id, __ATOMIC_RELAXED);
    if (id == 0) {
        uint32_t fresh = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
        if (__atomic_compare_exchange_n(&object->id, &id, fresh, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED)) {
            id = fresh;
        }
    }
    return id;
}

void object_signal_locked(struct object *object, uint32_t clear, uint32_t set)
{
    ASSERT(spin_is_held(&object->lock));
    uint32_t signals = (object->signals & ~clear) | set;
    __atomic_store_n(&object->signals, signals, __ATOMIC_RELEASE);
    struct observer *observer;
    LIST_FOR_EACH(observer, &object->observers, struct observer, link)
    {
        if ((observer->interest & set) != 0) {
            observer->notify(observer, signals);
        }
    }
}

void object_signal(struct object *object, uint32_t clear, uint32_t set)
{
    spin_lock(&object->lock);
    object_signal_locked(object, clear, set);
    spin_unlock(&object->lock);
}

uint32_t object_signals(const struct object *object)
{
    return __atomic_load_n(&object->signals, __ATOMIC_ACQUIRE);
}

uint32_t object_observe(struct object *object, struct observer *observer)
{
    spin_lock(&object->lock);
    list_push_back(&object->observers, &observer->link);
    uint32_t signals = object->signals;
    spin_unlock(&object->lock);
    return signals;
}

void object_unobserve(struct object *object, struct observer *observer)
{
    spin_lock(&object->lock);
    list_remove(&observer->link);
    spin_unlock(&object->lock);
}
