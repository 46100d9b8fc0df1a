/* Processes: see process.h. */
#include "kernel/process.h"

#include <ftl/sandbox_abi.h>

#include "arch/timer.h"

#include <stdarg.h>

#include "kernel/assert.h"
#include "kernel/hart.h"
#include "kernel/log.h"
#include "kernel/sched.h"
#include "kernel/string.h"
#include "kernel/thread.h"
#include "mm/slab.h"

#define STACK_SIZE  (256 * KIB) /* of a first thread */
#define STACK_ALIGN ((size_t)16)
#define STACK_GUARD (64 * KIB) /* left unmapped around it */
#define STACK_READY (12 * KIB) /* of it there from the start: every program's start needs it */

static struct slab_cache process_cache;

static struct {
    struct spinlock lock; /* LOCK_PROCESS_LIST; protects everything below */
    struct list all;      /* by pid */
    uint64_t last_pid;
    uint64_t count;
} processes = { .lock = SPINLOCK_INIT(LOCK_PROCESS_LIST), .all = LIST_INIT(processes.all) };

void process_init(void)
{
    slab_cache_init(&process_cache, "process", sizeof(struct process), _Alignof(struct process));
}

ftl_status_t handle_lookup(ftl_handle_t handle, enum object_type type, ftl_rights_t rights,
                           struct object **object)
{
    return handle_table_lookup(&process_current()->handles, handle, type, rights, object);
}

static bool valid_name(const char *name)
{
    size_t length = strnlen(name, FTL_NAME_MAX);
    for (size_t i = 0; i < length; i++) {
        if (name[i] <= ' ' || name[i] > '~') {
            return false;
        }
    }
    return length > 0 && length < FTL_NAME_MAX;
}

struct process *process_create(struct vmspace *vmspace, const char *name, struct account *lender,
                               uint64_t memory_limit, ftl_status_t *status)
{
    *status = FTL_ERR_INVALID_ARGUMENT;
    if (!valid_name(name)) {
        return NULL;
    }
    struct account *account = account_create_from(lender, memory_limit, status);
    if (account == NULL) {
        return NULL;
    }
    *status = FTL_ERR_NO_MEMORY;
    struct process *process = slab_alloc(&process_cache);
    if (process == NULL) {
        goto put_account;
    }
    *status = FTL_ERR_LIMIT;
    if (!account_charge(account, sizeof(*process))) {
        goto free_process;
    }
    *status = vmspace_enter(vmspace, account);
    if (*status != FTL_OK) {
        goto release_account;
    }
    object_init(&process->object, OBJECT_PROCESS);
    memcpy(process->name, name, strlen(name) + 1);
    process->account = account;
    object_get(&vmspace->object);
    process->vmspace = vmspace;
    handle_table_init(&process->handles, account, HANDLE_LIMIT_DEFAULT);
    spin_init(&process->lock, LOCK_PROCESS);
    list_init(&process->threads);
    process->isolation = vmspace->isolation;
    process->state = FTL_PROCESS_NEW;
    process->priority_max = FTL_PRIORITY_DEFAULT;

    spin_lock(&processes.lock);
    process->pid = ++processes.last_pid;
    processes.count++;
    list_push_back(&processes.all, &process->all_link);
    spin_unlock(&processes.lock);
    return process;

release_account:
    account_release(account, sizeof(*process));
free_process:
    slab_free(&process_cache, process);
put_account:
    account_put(account);
    return NULL;
}

static void process_unlist(struct process *process)
{
    spin_lock(&processes.lock);
    if (!list_empty(&process->all_link)) {
        list_remove(&process->all_link);
        processes.count--;
    }
    spin_unlock(&processes.lock);
}

void process_end(struct process *process)
{
    process_unlist(process);
    handle_table_destroy(&process->handles);
    spin_lock(&process->lock);
    struct vmspace *vmspace = process->vmspace;
    process->vmspace = NULL; /* process_vmspace() finds it no more */
    spin_unlock(&process->lock);
    vmspace_leave(vmspace, process);
    object_put(&vmspace->object);
    process_set_image(process, &(struct image_file){ 0 }, 0);
    spin_lock(&process->lock);
    process->state = FTL_PROCESS_EXITED;
    spin_unlock(&process->lock);
    object_signal(&process->object, 0, FTL_SIGNAL_EXITED);
}

void process_destroy(struct object *object)
{
    struct process *process = (struct process *)object;
    if (process->state != FTL_PROCESS_EXITED) {
        process_end(process); /* never started */
    }
    account_release(process->account, sizeof(*process));
    account_put(process->account);
    slab_free(&process_cache, process);
}

bool process_remove_thread(struct process *process, struct thread *thread)
{
    spin_lock(&process->lock);
    list_remove(&thread->process_link);
    process->thread_count--;
    process->cpu_time += thread->cpu_time;
    process->users--;
    process->ending |= process->thread_count == 0;
    bool last = process->users == 0;
    spin_unlock(&process->lock);
    return last;
}

struct vmspace *process_vmspace(struct process *process)
{
    spin_lock(&process->lock);
    struct vmspace *vmspace = process->vmspace;
    if (vmspace != NULL) {
        object_get(&vmspace->object);
    }
    spin_unlock(&process->lock);
    return vmspace;
}

static bool is_new(const struct process *process)
{
    return process->state == FTL_PROCESS_NEW && !process->ending;
}

ftl_status_t process_hold_new(struct process *process)
{
    spin_lock(&process->lock);
    bool held = is_new(process);
    if (held) {
        process->users++;
    }
    spin_unlock(&process->lock);
    return held ? FTL_OK : FTL_ERR_BAD_STATE;
}

void process_set_image(struct process *process, const struct image_file *file, vaddr_t base)
{
    if (file->vmo != NULL) {
        object_get(&file->vmo->object);
    }
    spin_lock(&process->lock);
    struct vmo *former = process->image.vmo;
    process->image = *file;
    process->image_base = base;
    spin_unlock(&process->lock);
    if (former != NULL) {
        object_put(&former->object);
    }
}

void process_release(struct process *process)
{
    spin_lock(&process->lock);
    process->users--;
    bool last = process->users == 0 && process->ending;
    spin_unlock(&process->lock);
    if (last) {
        process_end(process);
    }
}

void process_kill(struct process *process, int32_t status)
{
    spin_lock(&process->lock);
    bool end_now = !process->ending && process->users == 0;
    if (!process->ending) {
        process->ending = true;
        process->exit_status = status;
        struct thread *thread;
        LIST_FOR_EACH(thread, &process->threads, struct thread, process_link)
        {
            thread_kill(thread);
        }
    }
    spin_unlock(&process->lock);
    if (end_now) {
        process_end(process);
    }
}

/* Maps a new stack with the environment at its top. Returns the stack pointer, which is the
 * environment's address too. */
static ftl_status_t map_first_stack(struct process *process, const void *environ, size_t size,
                                    vaddr_t *top)
{
    struct vmo *vmo = vmo_create(STACK_SIZE, process->account);
    if (vmo == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    size_t room = ALIGN_UP(size, STACK_ALIGN);
    struct map_request request = {
        .vmo = vmo,
        .size = STACK_SIZE,
        .guard = STACK_GUARD,
        .permissions = FTL_MAP_READ | FTL_MAP_WRITE,
        .permissions_max = FTL_MAP_READ | FTL_MAP_WRITE,
        .owner = process,
    };
    vaddr_t base;
    ftl_status_t status = vmo_write(vmo, STACK_SIZE - room, environ, size);
    if (status == FTL_OK) {
        status = vmspace_map(process->vmspace, &request, &base);
    }
    object_put(&vmo->object);
    for (size_t at = STACK_SIZE - STACK_READY; at < STACK_SIZE && status == FTL_OK;
         at += PAGE_SIZE) {
        status = vmspace_fault(process->vmspace, base + at, FTL_MAP_WRITE);
    }
    if (status == FTL_OK) {
        *top = base + STACK_SIZE - room;
    }
    return status;
}

/* Whether the process's first thread may begin there: in a sandbox, at landing pads alone. */
static bool is_entry(struct process *process, vaddr_t entry)
{
    uint32_t word;
    return process->isolation != FTL_ISOLATION_SANDBOX ||
           (vmspace_read_code(process->vmspace, entry, &word) && word == FTL_SANDBOX_PAD);
}

/* Makes and starts the first thread, of a process that is held. */
static ftl_status_t start_first_thread(struct process *process, vaddr_t entry, const void *environ,
                                       size_t size)
{
    vaddr_t top;
    ftl_status_t status = map_first_stack(process, environ, size, &top);
    if (status != FTL_OK) {
        return status;
    }
    struct thread *thread =
        thread_create(process, entry, top, top, process->vmspace->base, &status);
    if (thread == NULL) {
        return status;
    }
    context_set_result(&thread->context, (int64_t)top, size); /* a0 and a1 */
    thread_start(thread);
    object_put(&thread->object);
    return FTL_OK;
}

/* Makes a new process a running one, for good. False: it is no new one any more. */
static bool begin_running(struct process *process)
{
    spin_lock(&process->lock);
    bool begun = is_new(process);
    if (begun) {
        process->state = FTL_PROCESS_RUNNING;
    }
    spin_unlock(&process->lock);
    return begun;
}

ftl_status_t process_start(struct process *process, vaddr_t entry, const void *environ, size_t size)
{
    ftl_status_t status = process_hold_new(process);
    if (status != FTL_OK) {
        return status;
    }
    if (!is_entry(process, entry)) {
        status = FTL_ERR_INVALID_ARGUMENT;
    } else if (!begin_running(process)) {
        status = FTL_ERR_BAD_STATE;
    } else {
        status = start_first_thread(process, entry, environ, size);
        if (status != FTL_OK) {
            process_kill(process, FTL_EXIT_KILLED);
        }
    }
    process_release(process);
    return status;
}

void process_symbol(struct process *process, vaddr_t address, char *text, size_t size)
{
    image_describe(&process->image, (ftl_isolation_t)process->isolation, process->image_base,
                   address, text, size);
}

/* Logs why the current process is stopped, and ends it. */
static void stop_with_report(const char *cause, vaddr_t pc)
{
    struct process *process = process_current();
    char where[IMAGE_SYMBOL_SIZE];
    process_symbol(process, pc, where, sizeof(where));
    log_line("process %lu '%s' (%s) stopped: %s, pc %s", (unsigned long)process->pid, process->name,
             process->isolation == FTL_ISOLATION_SANDBOX ? "sandbox" : "user", cause, where);
    process_kill(process, FTL_EXIT_FAULT);
}

void process_fault(const char *format, ...)
{
    const struct context *context = &thread_current()->context;
    char cause[128];
    va_list args;
    va_start(args, format);
    format_text_v(cause, sizeof(cause), format, args);
    va_end(args);
    stop_with_report(cause, context->pc);
    context_log(context);
}

void process_check_failed(uint32_t kind, vaddr_t pc)
{
    static const char *const names[] = {
#define CHECK(handler, text) text,
#include "kernel/sanitizer_checks.def"
#undef CHECK
    };
    stop_with_report(kind < ARRAY_SIZE(names) ? names[kind] : "a check by the compiler failed", pc);
}

void process_set_priority_max(struct process *process, uint8_t max)
{
    spin_lock(&process->lock);
    __atomic_store_n(&process->priority_max, max, __ATOMIC_RELAXED);
    struct thread *thread;
    LIST_FOR_EACH(thread, &process->threads, struct thread, process_link)
    {
        thread_limit_priority(thread, max);
    }
    spin_unlock(&process->lock);
}

struct thread *process_next_thread(struct process *process, uint64_t after)
{
    struct thread *found = NULL;
    spin_lock(&process->lock);
    struct thread *thread;
    LIST_FOR_EACH(thread, &process->threads, struct thread, process_link)
    {
        if (thread->id > after && object_try_get(&thread->object)) {
            found = thread;
            break;
        }
    }
    spin_unlock(&process->lock);
    return found;
}

void process_describe(struct process *process, struct ftl_process_info *info)
{
    *info = (struct ftl_process_info){ .pid = process->pid };
    memcpy(info->name, process->name, sizeof(info->name));
    nsec_t now = time_now();
    spin_lock(&process->lock);
    info->state = process->state;
    info->isolation = process->isolation;
    info->exit_status = process->exit_status;
    info->threads = process->thread_count;
    info->cpu_time = process->cpu_time;
    struct thread *thread;
    LIST_FOR_EACH(thread, &process->threads, struct thread, process_link)
    {
        info->cpu_time += thread_cpu_time(thread, now);
    }
    spin_unlock(&process->lock);
    info->handles = __atomic_load_n(&process->handles.used, __ATOMIC_RELAXED);
    info->handle_limit = __atomic_load_n(&process->handles.limit, __ATOMIC_RELAXED);
    uint64_t lent = __atomic_load_n(&process->account->lent, __ATOMIC_RELAXED);
    uint64_t used = __atomic_load_n(&process->account->used, __ATOMIC_RELAXED);
    info->memory_used = used > lent ? used - lent : 0; /* both may change meanwhile */
    info->memory_limit = process->account->limit;
}

struct process *process_next(uint64_t after)
{
    struct process *found = NULL;
    spin_lock(&processes.lock);
    struct process *process;
    LIST_FOR_EACH(process, &processes.all, struct process, all_link)
    {
        if (process->pid > after && object_try_get(&process->object)) {
            found = process;
            break;
        }
    }
    spin_unlock(&processes.lock);
    return found;
}

void process_counts(uint64_t *process_count, uint64_t *thread_count, uint64_t *handle_count)
{
    *thread_count = 0;
    *handle_count = 0;
    spin_lock(&processes.lock);
    *process_count = processes.count;
    struct process *process;
    LIST_FOR_EACH(process, &processes.all, struct process, all_link)
    {
        *thread_count += __atomic_load_n(&process->thread_count, __ATOMIC_RELAXED);
        *handle_count += __atomic_load_n(&process->handles.used, __ATOMIC_RELAXED);
    }
    spin_unlock(&processes.lock);
}
