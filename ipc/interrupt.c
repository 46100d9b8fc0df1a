/*
 * Interrupt objects: see interrupt.h. The controller holds its lock while `arrive` runs, so that
 * nothing of an object is in use any more when its source has been given back.
 */
#include "ipc/interrupt.h"

#include "arch/platform.h"

#include "calls.gen.h"

#include "ipc/notification.h"
#include "kernel/process.h"
#include "mm/slab.h"

static struct slab_cache interrupt_cache;

void interrupt_init(void)
{
    slab_cache_init(&interrupt_cache, "interrupt", sizeof(struct interrupt),
                    _Alignof(struct interrupt));
}

void interrupt_destroy(struct object *object)
{
    struct interrupt *interrupt = (struct interrupt *)object;
    plic_disable(interrupt->source);
    if (interrupt->notification != NULL) {
        object_put(&interrupt->notification->object);
    }
    account_release(interrupt->account, sizeof(*interrupt));
    account_put(interrupt->account);
    slab_free(&interrupt_cache, interrupt);
}

/* Called by the controller. */
static void arrive(void *context)
{
    struct interrupt *interrupt = context;
    spin_lock(&interrupt->object.lock);
    plic_mask(interrupt->source);
    object_signal_locked(&interrupt->object, 0, FTL_SIGNAL_READABLE);
    spin_unlock(&interrupt->object.lock);
    struct notification *bound = __atomic_load_n(&interrupt->notification, __ATOMIC_ACQUIRE);
    if (bound != NULL) {
        notification_signal(bound, interrupt->bits);
    }
}

static struct interrupt *interrupt_new(uint32_t source, ftl_status_t *status)
{
    struct account *account = process_current()->account;
    if (!account_charge(account, sizeof(struct interrupt))) {
        *status = FTL_ERR_LIMIT;
        return NULL;
    }
    struct interrupt *interrupt = slab_alloc(&interrupt_cache);
    if (interrupt == NULL) {
        account_release(account, sizeof(*interrupt));
        *status = FTL_ERR_NO_MEMORY;
        return NULL;
    }
    object_init(&interrupt->object, OBJECT_INTERRUPT);
    interrupt->account = account_get(account);
    interrupt->source = source;
    return interrupt;
}

struct call_result sys_interrupt_create(struct system *system, uint32_t source)
{
    (void)system;
    ftl_status_t status;
    struct interrupt *interrupt = interrupt_new(source, &status);
    if (interrupt == NULL) {
        return call_status(status);
    }
    status = plic_enable(source, arrive, interrupt);
    if (status != FTL_OK) {
        account_release(interrupt->account, sizeof(*interrupt));
        account_put(interrupt->account);
        slab_free(&interrupt_cache, interrupt);
        return call_status(status);
    }
    return call_give_handle(&interrupt->object, FTL_RIGHTS_ALL);
}

struct call_result sys_interrupt_ack(struct interrupt *interrupt)
{
    spin_lock(&interrupt->object.lock);
    object_signal_locked(&interrupt->object, FTL_SIGNAL_READABLE, 0);
    plic_unmask(interrupt->source);
    spin_unlock(&interrupt->object.lock);
    return call_status(FTL_OK);
}

struct call_result sys_interrupt_bind(struct interrupt *interrupt,
                                      struct notification *notification, uint64_t bits)
{
    if (bits == 0) {
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    spin_lock(&interrupt->object.lock);
    bool bound = interrupt->notification != NULL;
    bool arrived = (object_signals(&interrupt->object) & FTL_SIGNAL_READABLE) != 0;
    if (!bound) {
        object_get(&notification->object);
        interrupt->bits = bits;
        __atomic_store_n(&interrupt->notification, notification, __ATOMIC_RELEASE);
    }
    spin_unlock(&interrupt->object.lock);
    if (bound) {
        return call_status(FTL_ERR_BAD_STATE);
    }
    /* One that arrived before found nobody to tell. */
    if (arrived) {
        notification_signal(notification, bits);
    }
    return call_status(FTL_OK);
}
