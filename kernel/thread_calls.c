/*
 * Kernel calls on threads: they check and copy arguments; kernel/thread.c, kernel/priority.c and
 * the scheduler do the work.
 */
#include "calls.gen.h"

#include <ftl/sandbox_abi.h>

#include "kernel/hart.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/thread.h"
#include "mm/vmspace.h"

/* In a sandbox threads start at landing pads alone, and sp and tp always lie in the window. */
static ftl_status_t check_thread(const struct vmspace *vmspace, vaddr_t entry, vaddr_t stack,
                                 vaddr_t tls)
{
    if (!IS_ALIGNED(stack, 16)) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    if (vmspace->isolation != FTL_ISOLATION_SANDBOX) {
        return FTL_OK;
    }
    uint32_t word;
    if (!vmspace_contains(vmspace, stack) || !vmspace_contains(vmspace, tls) ||
        !IS_ALIGNED(entry, sizeof(word))) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    ftl_status_t status = copy_in(&word, entry, sizeof(word));
    if (status != FTL_OK) {
        return status;
    }
    return word == FTL_SANDBOX_PAD ? FTL_OK : FTL_ERR_INVALID_ARGUMENT;
}

struct call_result sys_thread_create(vaddr_t entry, uint64_t argument, vaddr_t stack, vaddr_t tls)
{
    struct process *process = process_current();
    ftl_status_t status = check_thread(process->vmspace, entry, stack, tls);
    if (status != FTL_OK) {
        return call_status(status);
    }
    struct thread *thread = thread_create(process, entry, argument, stack, tls, &status);
    if (thread == NULL) {
        return call_status(status);
    }
    object_get(&thread->object);
    struct call_result result = call_give_handle(&thread->object, FTL_RIGHTS_ALL);
    if (result.status != FTL_OK) {
        thread_kill(thread); /* it ends before it has run */
    }
    thread_start(thread);
    object_put(&thread->object);
    return result;
}

struct call_result sys_thread_exit(vaddr_t clear)
{
    struct thread *thread = thread_current();
    thread->exit_clear = clear;
    thread_kill(thread);
    return call_status(FTL_OK);
}

static struct call_result sleep_resume(struct thread *thread)
{
    (void)thread;
    return call_status(FTL_OK);
}

struct call_result sys_thread_sleep(nsec_t deadline)
{
    thread_wait_begin(sleep_resume, NULL);
    return thread_wait_commit(deadline);
}

struct call_result sys_thread_yield(void)
{
    const struct hart *hart = hart_self();
    uint32_t present = __atomic_load_n(&hart->queue.present, __ATOMIC_RELAXED);
    if (present >> hart->current->priority == 0) {
        return call_status(FTL_OK); /* nobody waits here who would go first */
    }
    sched_request();
    return (struct call_result){ .status = CALL_GAVE_WAY };
}

struct call_result sys_thread_set_tls(vaddr_t tls)
{
    struct thread *thread = thread_current();
    const struct vmspace *vmspace = thread->process->vmspace;
    if (vmspace->isolation == FTL_ISOLATION_SANDBOX && !vmspace_contains(vmspace, tls)) {
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    thread->context.x[REG_TP] = tls; /* where the way out of this call takes it from */
    return call_status(FTL_OK);
}

struct call_result sys_thread_self(void)
{
    struct thread *thread = thread_current();
    object_get(&thread->object);
    return call_give_handle(&thread->object, FTL_RIGHTS_ALL);
}

struct call_result sys_thread_info(struct thread *thread, vaddr_t address)
{
    struct ftl_thread_info info;
    thread_describe(thread, &info);
    info.affinity &= harts_online();
    return call_status(copy_out(address, &info, sizeof(info)));
}

struct call_result sys_thread_kill(struct thread *thread)
{
    thread_kill(thread);
    return call_status(FTL_OK);
}

struct call_result sys_thread_set_name(struct thread *thread, vaddr_t address, size_t size)
{
    char name[FTL_THREAD_NAME_MAX] = { 0 };
    if (size == 0 || size >= sizeof(name)) {
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    ftl_status_t status = copy_in(name, address, size);
    if (status == FTL_OK) {
        status = thread_set_name(thread, name, size);
    }
    return call_status(status);
}

/* A process gives no priority above its own maximum. */
struct call_result sys_thread_set_priority(struct thread *thread, uint32_t priority)
{
    if (priority > FTL_PRIORITY_MAX) {
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    struct process *process = process_current();
    spin_lock(&process->lock); /* a new maximum comes before the check or after the change */
    bool allowed = priority <= process->priority_max;
    if (allowed) {
        thread_set_priority(thread, (uint8_t)priority);
    }
    spin_unlock(&process->lock);
    return call_status(allowed ? FTL_OK : FTL_ERR_LIMIT);
}

struct call_result sys_process_set_priority_max(struct process *process, uint32_t max)
{
    if (max > FTL_PRIORITY_MAX) {
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    if (max > __atomic_load_n(&process_current()->priority_max, __ATOMIC_RELAXED)) {
        return call_status(FTL_ERR_LIMIT);
    }
    process_set_priority_max(process, (uint8_t)max);
    return call_status(FTL_OK);
}

struct call_result sys_thread_set_affinity(struct thread *thread, uint64_t affinity)
{
    uint64_t online = harts_online();
    if ((affinity & online) == 0) {
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    thread_set_affinity(thread, (affinity & online) == online ? UINT64_MAX : affinity & online);
    return call_status(FTL_OK);
}

struct call_result sys_process_next_thread(ftl_handle_t handle, uint64_t after)
{
    struct object *object;
    ftl_rights_t held;
    ftl_status_t status = handle_lookup(handle, OBJECT_PROCESS, FTL_RIGHT_READ, &object);
    if (status != FTL_OK) {
        return call_status(status);
    }
    struct thread *thread = process_next_thread((struct process *)object, after);
    object_put(object);
    status = handle_table_rights(&process_current()->handles, handle, &held);
    if (thread != NULL && status == FTL_OK) {
        return call_give_handle(&thread->object,
                                FTL_RIGHT_READ | FTL_RIGHT_WAIT | (held & FTL_RIGHT_MANAGE));
    }
    if (thread != NULL) {
        object_put(&thread->object);
    }
    return call_status(status == FTL_OK ? FTL_ERR_NOT_FOUND : status);
}
