/*
 * Code objects: see code.h. Soundness rests on the pages: they are made here, filled here, all of
 * them before the verifier looks, and only ever mapped without write permission; the VMO they are
 * in is never given out. The verifier sees them at another address than processes do: what it
 * proves holds for every base, as code is position-independent.
 */
#include "kernel/code.h"

#include <ftl/sandbox_abi.h>

#include "arch/platform.h"

#include "kernel/assert.h"
#include "kernel/log.h"
#include "kernel/process.h"
#include "kernel/sandbox/verify.h"
#include "kernel/thread.h"
#include "mm/slab.h"
#include "mm/vmspace.h"

static struct slab_cache code_cache;
static struct vmo *gate_vmo; /* the gate page, for all sandboxed images */

void code_init(void)
{
    slab_cache_init(&code_cache, "code", sizeof(struct code), _Alignof(struct code));
    gate_vmo = vmo_create_physical(gate_page(), PAGE_SIZE);
    if (gate_vmo == NULL) {
        panic("boot: no memory for the gate's VMO");
    }
}

/* Whether [offset, offset + size) lies in [0, whole). */
static bool is_within(uint64_t offset, uint64_t size, uint64_t whole)
{
    return offset <= whole && size <= whole - offset;
}

static ftl_status_t check_layout(const struct image_file *file,
                                 const struct ftl_code_layout *layout)
{
    if (layout->image_size > IMAGE_SPAN_MAX || !IS_ALIGNED(layout->image_size, PAGE_SIZE) ||
        layout->memory_size == 0 || layout->file_size > layout->memory_size ||
        !is_within(FTL_GATE_SIZE, layout->memory_size, layout->image_size)) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    return is_within(file->offset, file->size, vmo_size(file->vmo)) &&
                   is_within(layout->file_offset, layout->file_size, file->size) &&
                   is_within(layout->claims_offset, layout->claims_size, file->size)
               ? FTL_OK
               : FTL_ERR_OUT_OF_RANGE;
}

/* Copies the code from the file to the new VMO, and makes the pages behind it. */
static ftl_status_t fill(struct code *code, const struct image_file *file,
                         const struct ftl_code_layout *layout)
{
    ftl_status_t status = FTL_OK;
    for (uint64_t at = 0; at < code->size && status == FTL_OK; at += PAGE_SIZE) {
        paddr_t page = vmo_page(code->vmo, at, &status);
        if (status == FTL_OK && at < layout->file_size) {
            uint64_t left = layout->file_size - at;
            status = vmo_read(file->vmo, file->offset + layout->file_offset + at,
                              phys_to_virt(page), left < PAGE_SIZE ? left : PAGE_SIZE);
        }
    }
    return status;
}

/*
 * Reads the code through the window, which needs to be the hart's address space for it: the caller
 * may be a user process, whose tables do not have the window, and the hart must be among those
 * whose TLBs are flushed with it.
 */
static bool verify_in_window(struct vmspace *window, const struct sandbox_verify_input *input,
                             struct sandbox_verify_error *error)
{
    struct thread *caller = thread_current(); /* none while booting */
    vmspace_activate(window);
    bool verified = sandbox_verify(input, error);
    vmspace_activate(caller == NULL ? NULL : caller->process->vmspace);
    return verified;
}

static void log_refusal(const struct image_file *file, const struct sandbox_verify_error *error)
{
    const struct thread *caller = thread_current();
    char where[IMAGE_SYMBOL_SIZE];
    image_describe(file, FTL_ISOLATION_SANDBOX, 0, error->address, where, sizeof(where));
    log_line("verifier: code for '%s' refused: rule %s: %s: `%s` (%#010x) at image offset %s",
             caller == NULL ? "the kernel" : caller->process->name, error->rule, error->reason,
             error->text, error->word, where);
}

/*
 * A copy of what the file claims for the verifier, as the file may change; NULL if it claims
 * nothing, or there is no memory for it, or it is absurdly large: then it will just not be
 * verified.
 */
static uint8_t *read_claims(const struct image_file *file, const struct ftl_code_layout *layout)
{
    uint8_t *claims = layout->claims_size == 0 ? NULL : kalloc(layout->claims_size);

    if (claims != NULL && vmo_read(file->vmo, file->offset + layout->claims_offset, claims,
                                   layout->claims_size) != FTL_OK) {
        kfree(claims, layout->claims_size);
        claims = NULL;
    }
    return claims;
}

/* The code lies at `address` in the window. The last page is zeros behind the file's bytes:
 * executable like the rest, so verified like the rest. */
static ftl_status_t verify(const struct code *code, const struct image_file *file,
                           const struct ftl_code_layout *layout, struct vmspace *window,
                           vaddr_t address)
{
    uint8_t *targets = kalloc(SANDBOX_TARGETS_SIZE(code->size));
    if (targets == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    uint8_t *claims = read_claims(file, layout);
    struct sandbox_verify_input input = {
        .code = (const uint8_t *)address,
        .size = code->size,
        .address = FTL_GATE_SIZE,
        .image_size = code->image_size,
        .entry = layout->entry,
        .claims = claims,
        .claims_size = claims == NULL ? 0 : layout->claims_size,
        .targets = targets,
    };
    struct sandbox_verify_error error;
    bool verified = verify_in_window(window, &input, &error);
    kfree(claims, layout->claims_size);
    kfree(targets, SANDBOX_TARGETS_SIZE(code->size));
    if (!verified) {
        log_refusal(file, &error);
        return FTL_ERR_NOT_VERIFIED;
    }
    return FTL_OK;
}

/* Verifies the code in a window that exists for just as long. */
static ftl_status_t verify_apart(const struct code *code, const struct image_file *file,
                                 const struct ftl_code_layout *layout)
{
    ftl_status_t status;
    struct vmspace *window = vmspace_create(FTL_ISOLATION_SANDBOX, code->account, &status);
    if (window == NULL) {
        return status;
    }
    struct map_request request = {
        .vmo = code->vmo,
        .size = code->size,
        .permissions = FTL_MAP_READ,
        .permissions_max = FTL_MAP_READ,
    };
    vaddr_t address;
    status = vmspace_map(window, &request, &address);
    for (uint64_t at = 0; at < code->size && status == FTL_OK; at += PAGE_SIZE) {
        status = vmspace_fault(window, address + at, FTL_MAP_READ);
    }
    if (status == FTL_OK) {
        status = verify(code, file, layout, window, address);
    }
    object_put(&window->object);
    return status;
}

static struct code *code_new(const struct ftl_code_layout *layout, struct account *account,
                             ftl_status_t *status)
{
    *status = FTL_ERR_LIMIT;
    if (!account_charge(account, sizeof(struct code))) {
        return NULL;
    }
    *status = FTL_ERR_NO_MEMORY;
    struct code *code = slab_alloc(&code_cache);
    if (code == NULL) {
        goto release_account;
    }
    code->size = ALIGN_UP(layout->memory_size, PAGE_SIZE);
    code->image_size = layout->image_size;
    code->vmo = vmo_create(code->size, account);
    if (code->vmo == NULL) {
        goto free_code;
    }
    object_init(&code->object, OBJECT_CODE);
    code->account = account_get(account);
    *status = FTL_OK;
    return code;

free_code:
    slab_free(&code_cache, code);
release_account:
    account_release(account, sizeof(struct code));
    return NULL;
}

void code_destroy(struct object *object)
{
    struct code *code = (struct code *)object;
    object_put(&code->vmo->object);
    account_release(code->account, sizeof(*code));
    account_put(code->account);
    slab_free(&code_cache, code);
}

struct code *code_create(const struct image_file *file, const struct ftl_code_layout *layout,
                         struct account *account, ftl_status_t *status)
{
    *status = check_layout(file, layout);
    if (*status != FTL_OK) {
        return NULL;
    }
    struct code *code = code_new(layout, account, status);
    if (code == NULL) {
        return NULL;
    }
    *status = fill(code, file, layout);
    if (*status == FTL_OK) {
        *status = verify_apart(code, file, layout);
    }
    if (*status != FTL_OK) {
        object_put(&code->object);
        return NULL;
    }
    return code;
}

static ftl_status_t map_part(struct vmo *vmo, size_t size, struct process *process, vaddr_t address)
{
    struct map_request request = {
        .vmo = vmo,
        .size = size,
        .address = address,
        .permissions = FTL_MAP_READ | FTL_MAP_EXEC,
        .permissions_max = FTL_MAP_READ | FTL_MAP_EXEC,
        .code = true,
        .owner = process,
    };
    vaddr_t mapped;
    ftl_status_t status = vmspace_map(process->vmspace, &request, &mapped);
    if (status == FTL_OK) {
        vmspace_populate(process->vmspace, address, size);
    }
    return status;
}

ftl_status_t code_map(struct code *code, struct process *process, vaddr_t base)
{
    const struct vmspace *vmspace = process->vmspace;
    if (vmspace->isolation != FTL_ISOLATION_SANDBOX) {
        return FTL_ERR_NOT_SUPPORTED;
    }
    if (base < vmspace->start || base > vmspace->end || code->image_size > vmspace->end - base) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    /* In this order: without its gate, what the code takes for it could be anything. */
    ftl_status_t status = map_part(gate_vmo, FTL_GATE_SIZE, process, base);
    if (status == FTL_OK) {
        status = map_part(code->vmo, code->size, process, base + FTL_GATE_SIZE);
    }
    vmspace_sync_code(vmspace);
    return status;
}
