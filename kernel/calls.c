/*
 * Kernel calls on processes, vmspaces, VMOs and handles: they check and copy arguments,
 * the objects' own files do the work. Dispatch and handle look-up are generated (calls.gen.c).
 */
#include "calls.gen.h"

#include <ftl/environ_format.h>

#include "arch/platform.h"

#include "kernel/code.h"
#include "kernel/handle.h"
#include "kernel/hart.h"
#include "kernel/loader.h"
#include "kernel/process.h"
#include "kernel/string.h"
#include "kernel/system.h"
#include "kernel/thread.h"
#include "mm/slab.h"
#include "mm/vmo.h"
#include "mm/vmspace.h"

#define COPY_MAX   (64 * KIB) /* bytes copied between two chances for others to run */
#define COPY_PIECE 512        /* bytes on the stack between a VMO and a process */

/* Called by entry.S for a number outside the table. */
struct call_result call_unknown(void);

struct call_result call_unknown(void)
{
    return call_status(FTL_ERR_UNKNOWN_CALL);
}

struct call_result call_give_handle(struct object *object, ftl_rights_t rights)
{
    ftl_handle_t handle;
    ftl_status_t status = handle_insert(&process_current()->handles, object, rights, &handle);
    if (status != FTL_OK) {
        object_put(object);
        return call_status(status);
    }
    return call_value(handle);
}

/* Handles. */

struct call_result sys_handle_close(ftl_handle_t handle)
{
    struct object *object;
    ftl_rights_t rights;
    ftl_status_t status = handle_remove(&process_current()->handles, handle, 0, &object, &rights);
    if (status == FTL_OK) {
        object_close(object);
    }
    return call_status(status);
}

struct call_result sys_handle_duplicate(ftl_handle_t handle, ftl_rights_t rights)
{
    ftl_handle_t copy;
    ftl_status_t status = handle_duplicate(&process_current()->handles, handle, rights, &copy);
    return status == FTL_OK ? call_value(copy) : call_status(status);
}

struct call_result sys_handle_check(ftl_handle_t handle, uint32_t type, ftl_rights_t rights)
{
    struct object *object;
    if (type >= OBJECT_TYPE_COUNT) {
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    ftl_status_t status = handle_lookup(handle, (enum object_type)type, rights, &object);
    if (status == FTL_OK) {
        object_put(object);
    }
    return call_status(status);
}

/* Processes. */

struct call_result sys_process_self(void)
{
    struct process *process = process_current();
    object_get(&process->object);
    return call_give_handle(&process->object, FTL_RIGHTS_ALL);
}

struct call_result sys_process_create(struct vmspace *vmspace, vaddr_t name, size_t name_size,
                                      uint64_t memory_limit)
{
    char copy[FTL_NAME_MAX] = { 0 };
    if (name_size == 0 || name_size >= sizeof(copy)) {
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    ftl_status_t status = copy_in(copy, name, name_size);
    if (status != FTL_OK) {
        return call_status(status);
    }
    struct process *process =
        process_create(vmspace, copy, process_current()->account, memory_limit, &status);
    if (process == NULL) {
        return call_status(status);
    }
    uint8_t own_max = __atomic_load_n(&process_current()->priority_max, __ATOMIC_RELAXED);
    if (own_max < process->priority_max) {
        process_set_priority_max(process, own_max);
    }
    return call_give_handle(&process->object, FTL_RIGHTS_ALL);
}

/* Moves the handle from one table to the other; the caller's stays when that fails. */
static struct call_result grant(struct process *process, ftl_handle_t handle, ftl_rights_t rights)
{
    struct handle_table *own = &process_current()->handles;
    struct object *object;
    ftl_rights_t held;
    ftl_status_t status = handle_table_rights(own, handle, &held);
    if (status == FTL_OK && rights != FTL_RIGHTS_SAME && (rights & ~held) != 0) {
        status = FTL_ERR_MISSING_RIGHT;
    }
    if (status == FTL_OK) {
        status = handle_table_lookup(own, handle, OBJECT_ANY, FTL_RIGHT_TRANSFER, &object);
    }
    if (status != FTL_OK) {
        return call_status(status);
    }
    ftl_handle_t granted;
    status = handle_insert(&process->handles, object, rights == FTL_RIGHTS_SAME ? held : rights,
                           &granted);
    if (status != FTL_OK) {
        object_put(object);
        return call_status(status);
    }
    struct object *removed;
    status = handle_remove(own, handle, FTL_RIGHT_TRANSFER, &removed, &held);
    if (status == FTL_OK) {
        object_close(removed);
        return call_value(granted);
    }
    /* Another thread closed it meanwhile: then it was not ours to give. */
    if (handle_remove(&process->handles, granted, 0, &removed, &held) == FTL_OK) {
        object_close(removed);
    }
    return call_status(status);
}

struct call_result sys_process_grant(struct process *process, ftl_handle_t handle,
                                     ftl_rights_t rights)
{
    ftl_status_t status = process_hold_new(process);
    if (status != FTL_OK) {
        return call_status(status);
    }
    struct call_result result = grant(process, handle, rights);
    process_release(process);
    return result;
}

struct call_result sys_process_start(struct process *process, vaddr_t entry, vaddr_t environ,
                                     size_t size)
{
    if (size > FTL_ENVIRON_MAX) {
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    void *copy = size == 0 ? NULL : kalloc(size);
    if (size != 0 && copy == NULL) {
        return call_status(FTL_ERR_NO_MEMORY);
    }
    ftl_status_t status = size == 0 ? FTL_OK : copy_in(copy, environ, size);
    if (status == FTL_OK) {
        status = process_start(process, entry, copy, size);
    }
    kfree(copy, size);
    return call_status(status);
}

struct call_result sys_process_kill(struct process *process, int32_t status)
{
    process_kill(process, status);
    return call_status(FTL_OK);
}

struct call_result sys_process_info(struct process *process, vaddr_t address)
{
    struct ftl_process_info info;
    process_describe(process, &info);
    return call_status(copy_out(address, &info, sizeof(info)));
}

struct call_result sys_process_handles(struct process *process, vaddr_t address)
{
    struct ftl_handle_list list;
    ftl_status_t status = copy_in(&list.position, address, sizeof(list.position));
    if (status != FTL_OK) {
        return call_status(status);
    }
    handle_table_list(&process->handles, &list);
    return call_status(copy_out(address, &list, sizeof(list)));
}

struct call_result sys_process_set_handle_limit(struct process *process, uint32_t limit)
{
    return call_status(handle_table_set_limit(&process->handles, limit));
}

struct call_result sys_process_exit(int32_t status)
{
    process_kill(process_current(), status);
    return call_status(FTL_OK);
}

struct call_result sys_process_abort(uint32_t kind, vaddr_t pc)
{
    process_check_failed(kind, pc);
    return call_status(FTL_OK);
}

struct call_result sys_system_next_process(ftl_handle_t system, uint64_t after)
{
    ftl_rights_t held;
    struct object *object;
    ftl_status_t status = handle_lookup(system, OBJECT_SYSTEM, FTL_RIGHT_READ, &object);
    if (status != FTL_OK) {
        return call_status(status);
    }
    object_put(object);
    status = handle_table_rights(&process_current()->handles, system, &held);
    if (status != FTL_OK) {
        return call_status(status);
    }
    struct process *process = process_next(after);
    if (process == NULL) {
        return call_status(FTL_ERR_NOT_FOUND);
    }
    return call_give_handle(&process->object,
                            FTL_RIGHT_READ | FTL_RIGHT_WAIT | (held & FTL_RIGHT_MANAGE));
}

/* vmspaces. */

struct call_result sys_vmspace_self(void)
{
    struct vmspace *vmspace = process_current()->vmspace;
    object_get(&vmspace->object);
    return call_give_handle(&vmspace->object, FTL_RIGHTS_ALL);
}

struct call_result sys_vmspace_create(uint32_t isolation)
{
    if (isolation != FTL_ISOLATION_SANDBOX && isolation != FTL_ISOLATION_USER) {
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    ftl_status_t status;
    struct vmspace *vmspace =
        vmspace_create((ftl_isolation_t)isolation, process_current()->account, &status);
    return vmspace == NULL ? call_status(status)
                           : call_give_handle(&vmspace->object, FTL_RIGHTS_ALL);
}

/* The rights a handle must have for a mapping with these permissions. */
static ftl_rights_t rights_for(uint32_t permissions)
{
    ftl_rights_t rights = FTL_RIGHT_MAP;
    rights |= (permissions & FTL_MAP_READ) != 0 ? FTL_RIGHT_READ : 0;
    rights |= (permissions & FTL_MAP_WRITE) != 0 ? FTL_RIGHT_READ | FTL_RIGHT_WRITE : 0;
    rights |= (permissions & FTL_MAP_EXEC) != 0 ? FTL_RIGHT_READ | FTL_RIGHT_EXECUTE : 0;
    return rights;
}

/* What a later protect may ask for, given the handle's rights: what mapping it so would need. */
static uint32_t permissions_for(ftl_rights_t rights, ftl_isolation_t isolation)
{
    uint32_t permissions = 0;
    for (uint32_t bit = FTL_MAP_READ; bit <= FTL_MAP_EXEC; bit <<= 1) {
        permissions |= (rights_for(bit) & ~rights) == 0 ? bit : 0;
    }
    return isolation == FTL_ISOLATION_USER ? permissions : permissions & ~FTL_MAP_EXEC;
}

/* Maps as `request` says but for its VMO, which the current process's handle names. */
static ftl_status_t map_by_handle(struct vmspace *vmspace, ftl_handle_t handle,
                                  struct map_request *request, vaddr_t *mapped)
{
    struct handle_table *table = &process_current()->handles;
    struct object *vmo;
    ftl_status_t status =
        handle_table_lookup(table, handle, OBJECT_VMO, rights_for(request->permissions), &vmo);
    if (status != FTL_OK) {
        return status;
    }
    if (vmspace->isolation == FTL_ISOLATION_SANDBOX && (request->permissions & FTL_MAP_EXEC) != 0) {
        status = FTL_ERR_NOT_SUPPORTED; /* only verified code runs in a window */
    }
    if (status == FTL_OK) {
        request->vmo = (struct vmo *)vmo;
        request->permissions_max = permissions_for(handle_rights(handle), vmspace->isolation);
        status = vmspace_map(vmspace, request, mapped);
    }
    object_put(vmo);
    return status;
}

struct call_result sys_vmspace_map(struct vmspace *vmspace, ftl_handle_t vmo, uint64_t offset,
                                   size_t size, uint32_t permissions, vaddr_t address)
{
    struct map_request request = {
        .offset = offset,
        .size = size,
        .address = address,
        .permissions = permissions,
        .owner = process_current()->vmspace == vmspace ? process_current() : NULL,
    };
    vaddr_t mapped;
    ftl_status_t status = map_by_handle(vmspace, vmo, &request, &mapped);
    return status == FTL_OK ? call_value(mapped) : call_status(status);
}

struct call_result sys_vmspace_unmap(struct vmspace *vmspace, vaddr_t address, size_t size)
{
    return call_status(vmspace_unmap(vmspace, address, size));
}

struct call_result sys_vmspace_protect(struct vmspace *vmspace, vaddr_t address, size_t size,
                                       uint32_t permissions)
{
    return call_status(vmspace_protect(vmspace, address, size, permissions));
}

static struct call_result list_mappings(struct vmspace *vmspace, vaddr_t address)
{
    struct ftl_mapping_list list;
    ftl_status_t status = copy_in(&list.position, address, sizeof(list.position));
    if (status != FTL_OK) {
        return call_status(status);
    }
    vmspace_list(vmspace, &list);
    return call_status(copy_out(address, &list, sizeof(list)));
}

struct call_result sys_vmspace_mappings(struct vmspace *vmspace, vaddr_t address)
{
    return list_mappings(vmspace, address);
}

struct call_result sys_process_mappings(struct process *process, vaddr_t address)
{
    struct vmspace *vmspace = process_vmspace(process);
    if (vmspace == NULL) {
        return call_status(FTL_ERR_BAD_STATE);
    }
    struct call_result result = list_mappings(vmspace, address);
    object_put(&vmspace->object);
    return result;
}

/* Loading a process that is new; each holds it as such. */

struct call_result sys_process_find_room(struct process *process, size_t size, size_t guard)
{
    ftl_status_t status = process_hold_new(process);
    if (status != FTL_OK) {
        return call_status(status);
    }
    vaddr_t address;
    bool found = IS_ALIGNED(size | guard, PAGE_SIZE) &&
                 vmspace_find_room(process->vmspace, size, guard, &address);
    process_release(process);
    return found ? call_value(address) : call_status(FTL_ERR_NO_MEMORY);
}

struct call_result sys_process_map(struct process *process, ftl_handle_t vmo, uint64_t offset,
                                   size_t size, uint32_t permissions, vaddr_t address)
{
    struct map_request request = {
        .offset = offset,
        .size = size,
        .address = address,
        .permissions = permissions,
        .owner = process,
    };
    vaddr_t mapped;
    ftl_status_t status = process_hold_new(process);
    if (status != FTL_OK) {
        return call_status(status);
    }
    status = map_by_handle(process->vmspace, vmo, &request, &mapped);
    if (status == FTL_OK) {
        vmspace_populate(process->vmspace, mapped, size);
    }
    if (status == FTL_OK && (permissions & FTL_MAP_EXEC) != 0) {
        vmspace_sync_code(process->vmspace);
    }
    process_release(process);
    return status == FTL_OK ? call_value(mapped) : call_status(status);
}

struct call_result sys_process_map_copy(struct process *process, struct vmo *image, uint64_t offset,
                                        size_t file_size, vaddr_t address, size_t memory_size)
{
    struct loader_copy copy = {
        .file = image,
        .offset = offset,
        .file_size = file_size,
        .address = address,
        .memory_size = memory_size,
        .permissions = FTL_MAP_READ | FTL_MAP_WRITE,
    };
    ftl_status_t status = process_hold_new(process);
    if (status == FTL_OK) {
        status = loader_map_copy(process, &copy);
        process_release(process);
    }
    return call_status(status);
}

struct call_result sys_process_map_code(struct process *process, struct code *code, vaddr_t address)
{
    ftl_status_t status = process_hold_new(process);
    if (status == FTL_OK) {
        status = code_map(code, process, address);
        process_release(process);
    }
    return call_status(status);
}

struct call_result sys_process_set_image(struct process *process, struct vmo *image,
                                         uint64_t offset, uint64_t size, vaddr_t address)
{
    if (!vmo_has_range(image, offset, size)) {
        return call_status(FTL_ERR_OUT_OF_RANGE);
    }
    struct image_file file = { .vmo = image, .offset = offset, .size = size };
    ftl_status_t status = process_hold_new(process);
    if (status == FTL_OK) {
        process_set_image(process, &file, address);
        process_release(process);
    }
    return call_status(status);
}

struct call_result sys_code_create(struct vmo *image, uint64_t offset, uint64_t size,
                                   vaddr_t address)
{
    struct ftl_code_layout layout;
    ftl_status_t status = copy_in(&layout, address, sizeof(layout));
    if (status != FTL_OK) {
        return call_status(status);
    }
    struct image_file file = { .vmo = image, .offset = offset, .size = size };
    struct code *code = code_create(&file, &layout, process_current()->account, &status);
    return code == NULL ? call_status(status)
                        : call_give_handle(&code->object, FTL_RIGHTS_ALL & ~FTL_RIGHT_WRITE);
}

/* VMOs. */

struct call_result sys_vmo_create(uint64_t size)
{
    if (size == 0 || size > VMO_SIZE_MAX) {
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    struct vmo *vmo = vmo_create(size, process_current()->account);
    return vmo == NULL ? call_status(FTL_ERR_NO_MEMORY)
                       : call_give_handle(&vmo->object, FTL_RIGHTS_ALL);
}

struct call_result sys_vmo_create_contiguous(uint64_t size)
{
    if (size == 0 || size > FTL_VMO_CONTIGUOUS_MAX) {
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    struct vmo *vmo = vmo_create_contiguous(size, process_current()->account);
    return vmo == NULL ? call_status(FTL_ERR_NO_MEMORY)
                       : call_give_handle(&vmo->object, FTL_RIGHTS_ALL);
}

struct call_result sys_vmo_create_physical(struct system *system, uint64_t address, uint64_t size)
{
    (void)system;
    if (!IS_ALIGNED(address | size, PAGE_SIZE) || size == 0 || size > VMO_SIZE_MAX ||
        address > BOOT_PHYSICAL_LIMIT - size) {
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    if (kernel_uses(address, size)) {
        return call_status(FTL_ERR_MISSING_RIGHT);
    }
    struct vmo *vmo = vmo_create_device(address, size, process_current()->account);
    return vmo == NULL ? call_status(FTL_ERR_NO_MEMORY)
                       : call_give_handle(&vmo->object, FTL_RIGHTS_ALL & ~FTL_RIGHT_EXECUTE);
}

struct call_result sys_vmo_physical_address(struct vmo *vmo, uint64_t offset)
{
    if (vmo->kind == FTL_VMO_ANONYMOUS) {
        return call_status(FTL_ERR_NOT_SUPPORTED);
    }
    return offset < vmo_size(vmo) ? call_value(vmo->base + offset)
                                  : call_status(FTL_ERR_OUT_OF_RANGE);
}

struct call_result sys_vmo_resize(struct vmo *vmo, uint64_t size)
{
    if (size == 0 || size > VMO_SIZE_MAX) {
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    return call_status(vmo_resize(vmo, size));
}

struct call_result sys_vmo_size(struct vmo *vmo)
{
    return call_value(vmo_size(vmo));
}

/* Copies up to COPY_MAX bytes between the VMO and the current process. */
static ftl_status_t vmo_copy_part(const struct vmo_copy *copy, size_t size)
{
    char buffer[COPY_PIECE];
    ftl_status_t status = FTL_OK;
    for (size_t done = 0; done < size && status == FTL_OK;) {
        size_t piece = size - done < sizeof(buffer) ? size - done : sizeof(buffer);
        if (copy->write) {
            status = copy_in(buffer, copy->data + done, piece);
        } else {
            status = vmo_read(copy->vmo, copy->offset + done, buffer, piece);
        }
        if (status == FTL_OK && copy->write) {
            status = vmo_write(copy->vmo, copy->offset + done, buffer, piece);
        } else if (status == FTL_OK) {
            status = copy_out(copy->data + done, buffer, piece);
        }
        done += piece;
    }
    return status;
}

static struct call_result vmo_copy_resume(struct thread *thread);

/* A killed thread's copy ends here: its reference goes. */
static void vmo_copy_cleanup(struct thread *thread)
{
    struct vmo_copy *copy = &thread->wait.copy;
    if (__atomic_load_n(&thread->kill, __ATOMIC_ACQUIRE) != 0) {
        object_put(&copy->vmo->object);
        copy->vmo = NULL;
    }
}

/* Copies the first part; with more to do the thread stops, ready, so that others and interrupts
 * come in between. */
static struct call_result vmo_copy(struct vmo_copy copy)
{
    size_t part = copy.size < COPY_MAX ? copy.size : COPY_MAX;
    ftl_status_t status = vmo_copy_part(&copy, part);
    if (status != FTL_OK || part == copy.size) {
        return call_status(status);
    }
    copy.offset += part;
    copy.data += part;
    copy.size -= part;
    object_get(&copy.vmo->object);
    struct wait *wait = thread_wait_begin(vmo_copy_resume, vmo_copy_cleanup);
    wait->copy = copy;
    thread_notify(thread_current());
    return thread_wait_commit(FTL_TIME_INFINITE);
}

static struct call_result vmo_copy_resume(struct thread *thread)
{
    struct vmo_copy copy = thread->wait.copy;
    if (copy.vmo == NULL) {
        return call_status(FTL_ERR_CANCELLED);
    }
    struct call_result result = vmo_copy(copy);
    object_put(&copy.vmo->object);
    return result;
}

static struct call_result vmo_copy_checked(struct vmo_copy copy)
{
    uint64_t end = vmo_size(copy.vmo);
    if (copy.offset > end || copy.size > end - copy.offset) {
        return call_status(FTL_ERR_OUT_OF_RANGE);
    }
    return vmo_copy(copy);
}

struct call_result sys_vmo_read(struct vmo *vmo, uint64_t offset, vaddr_t data, size_t size)
{
    return vmo_copy_checked(
        (struct vmo_copy){ .vmo = vmo, .offset = offset, .data = data, .size = size });
}

struct call_result sys_vmo_write(struct vmo *vmo, uint64_t offset, vaddr_t data, size_t size)
{
    return vmo_copy_checked((struct vmo_copy){
        .vmo = vmo, .offset = offset, .data = data, .size = size, .write = true });
}
