/* Futexes: see futex.h. */
#include "ipc/futex.h"

#include "calls.gen.h"

#include "kernel/process.h"
#include "kernel/thread.h"

#define BUCKET_COUNT 256

struct futex_bucket {
    struct spinlock lock; /* LOCK_FUTEX; protects waiters and their futex_wait */
    struct list waiters;  /* futex_wait.link, in order of arrival */
};

static struct futex_bucket buckets[BUCKET_COUNT];

void futex_init(void)
{
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        spin_init(&buckets[i].lock, LOCK_FUTEX);
        list_init(&buckets[i].waiters);
    }
}

/* Fibonacci hashing. */
static struct futex_bucket *bucket_of(const struct vmspace *vmspace, vaddr_t address)
{
    uint64_t key = ((uintptr_t)vmspace >> 4 ^ address >> 2) * 0x9e3779b97f4a7c15UL;
    return &buckets[key >> 56];
}

static void futex_cleanup(struct thread *thread)
{
    struct futex_wait *wait = &thread->wait.futex;
    spin_lock(&wait->bucket->lock);
    list_remove(&wait->link);
    spin_unlock(&wait->bucket->lock);
}

static struct call_result futex_resume(struct thread *thread)
{
    return call_status(thread->wait.futex.woken || !thread->wait.timed_out ? FTL_OK
                                                                           : FTL_ERR_TIMED_OUT);
}

/* Stops the current thread if the word is as expected. BAD_ADDRESS when the word's page is not
 * there. */
static struct call_result wait_if_equal(vaddr_t word, uint32_t expected, nsec_t deadline)
{
    const struct vmspace *vmspace = process_current()->vmspace;
    struct futex_bucket *bucket = bucket_of(vmspace, word);
    uint32_t value;
    struct call_result result;
    spin_lock(&bucket->lock);
    ftl_status_t status = copy_in_word(&value, word);
    if (status != FTL_OK) {
        result = call_status(status);
    } else if (value != expected) {
        result = call_status(FTL_ERR_WOULD_BLOCK);
    } else {
        struct wait *wait = thread_wait_begin(futex_resume, futex_cleanup);
        wait->futex.bucket = bucket;
        wait->futex.vmspace = vmspace;
        wait->futex.address = word;
        wait->futex.woken = false;
        list_push_back(&bucket->waiters, &wait->futex.link);
        result = thread_wait_commit(deadline);
    }
    spin_unlock(&bucket->lock);
    return result;
}

struct call_result sys_futex_wait(vaddr_t word, uint32_t expected, nsec_t deadline)
{
    if (!IS_ALIGNED(word, sizeof(uint32_t))) {
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    uint32_t value;
    ftl_status_t status = copy_in(&value, word, sizeof(value)); /* brings the page in */
    return status != FTL_OK ? call_status(status) : wait_if_equal(word, expected, deadline);
}

uint32_t futex_wake(const struct vmspace *vmspace, vaddr_t address, uint32_t count)
{
    struct futex_bucket *bucket = bucket_of(vmspace, address);
    uint32_t woken = 0;
    spin_lock(&bucket->lock);
    struct futex_wait *waiter;
    LIST_FOR_EACH(waiter, &bucket->waiters, struct futex_wait, link)
    {
        if (woken == count) {
            break;
        }
        if (waiter->vmspace == vmspace && waiter->address == address) {
            list_remove(&waiter->link);
            waiter->woken = true;
            thread_notify(CONTAINER_OF(waiter, struct thread, wait.futex));
            woken++;
        }
    }
    spin_unlock(&bucket->lock);
    return woken;
}

struct call_result sys_futex_wake(vaddr_t word, uint32_t count)
{
    if (!IS_ALIGNED(word, sizeof(uint32_t))) {
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    return call_value(futex_wake(process_current()->vmspace, word, count));
}

void futex_clear_and_wake(vaddr_t address)
{
    uint32_t zero = 0;
    if (IS_ALIGNED(address, sizeof(zero)) && copy_out(address, &zero, sizeof(zero)) == FTL_OK) {
        futex_wake(process_current()->vmspace, address, 1);
    }
}
