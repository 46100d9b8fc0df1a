/*
 * Loads ELF images into new processes. The file lies in a VMO that its owner may change at any
 * time: what is checked is what was copied. Sandboxed code is verified where it will run, before it
 * becomes executable, in pages nobody else can write.
 */
#include <ftl/sandbox_abi.h>

#include "arch/platform.h"
#include "arch/tlb.h"

#include "kernel/assert.h"
#include "kernel/elf_lines.h"
#include "kernel/loader.h"
#include "kernel/log.h"
#include "kernel/process.h"
#include "kernel/sandbox/verify.h"
#include "kernel/string.h"
#include "kernel/thread.h"
#include "mm/page.h"
#include "mm/slab.h"

#define SPAN_MAX    (1 * GIB) /* bytes of address space of one image */
#define IMAGE_GUARD (1 * MIB) /* left unmapped around it */

static struct vmo *gate_vmo; /* the gate page, for all sandboxed images */
static uint32_t loader_isa;  /* FTL_ISA_ bits that every hart has */

void loader_init(uint32_t isa)
{
    loader_isa = isa;
    gate_vmo = vmo_create_physical(gate_page(), PAGE_SIZE);
    if (gate_vmo == NULL) {
        panic("boot: no memory for the gate's VMO");
    }
}

/* The file as a range of a VMO. */
struct file {
    struct vmo *vmo;
    uint64_t offset;
};

static bool read_file(void *context, uint64_t offset, void *buffer, size_t size)
{
    const struct file *file = context;
    return vmo_read(file->vmo, file->offset + offset, buffer, size) == FTL_OK;
}

/* Copies a segment's bytes from the file to a new VMO, page by page. */
static ftl_status_t fill_segment(struct vmo *memory, const struct elf_segment *segment,
                                 const struct file *file)
{
    uint64_t in_page = segment->vaddr & (PAGE_SIZE - 1);
    for (uint64_t done = 0; done < segment->file_size;) {
        uint64_t position = in_page + done;
        uint64_t room = PAGE_SIZE - (position & (PAGE_SIZE - 1));
        uint64_t piece = segment->file_size - done < room ? segment->file_size - done : room;
        ftl_status_t status = FTL_OK;
        paddr_t page = vmo_page(memory, ALIGN_DOWN(position, PAGE_SIZE), &status);
        if (status != FTL_OK) {
            return status;
        }
        char *to = (char *)phys_to_virt(page) + (position & (PAGE_SIZE - 1));
        status = vmo_read(file->vmo, file->offset + segment->offset + done, to, piece);
        if (status != FTL_OK) {
            return status;
        }
        done += piece;
    }
    return FTL_OK;
}

/* Maps and prefaults one VMO at a fixed address. */
static ftl_status_t map_at(struct process *process, struct vmo *vmo, vaddr_t address, size_t size,
                           uint32_t permissions, bool code)
{
    struct map_request request = {
        .vmo = vmo,
        .size = size,
        .address = address,
        .permissions = permissions,
        .permissions_max = permissions,
        .code = code,
        .owner = process,
    };
    vaddr_t mapped;
    ftl_status_t status = vmspace_map(process->vmspace, &request, &mapped);
    for (vaddr_t page = address; status == FTL_OK && code && page < address + size;
         page += PAGE_SIZE) {
        status = vmspace_fault(process->vmspace, page, FTL_MAP_READ);
    }
    return status;
}

static ftl_status_t load_segment(struct process *process, const struct elf_segment *segment,
                                 const struct file *file, vaddr_t base)
{
    bool sandbox = process->isolation == FTL_ISOLATION_SANDBOX;
    bool code = (segment->perms & FTL_MAP_EXEC) != 0;
    vaddr_t start = base + ALIGN_DOWN(segment->vaddr, PAGE_SIZE);
    size_t size = ALIGN_UP(base + segment->vaddr + segment->memory_size, PAGE_SIZE) - start;
    struct vmo *vmo = vmo_create(size, process->account);
    if (vmo == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    ftl_status_t status = fill_segment(vmo, segment, file);
    uint32_t permissions = segment->perms;
    if (sandbox && code) {
        permissions &= ~FTL_MAP_EXEC; /* until it has been verified */
    }
    if (status == FTL_OK) {
        status = map_at(process, vmo, start, size, permissions, code);
    }
    object_put(&vmo->object);
    return status;
}

/* Finds room for the image; all of it is reserved by the order of things: the process is new and
 * loads once. */
static ftl_status_t choose_base(struct process *process, const struct elf_image *elf, vaddr_t *base)
{
    return vmspace_find_room(process->vmspace, elf->span, IMAGE_GUARD, base) ? FTL_OK
                                                                             : FTL_ERR_NO_MEMORY;
}

static void log_refusal(struct process *process, vaddr_t base,
                        const struct sandbox_verify_error *error)
{
    char where[PROCESS_SYMBOL_SIZE];
    process_symbol(process, base + error->address, where, sizeof(where));
    log_line(
        "loader: '%s' refused by the verifier: rule %s: %s: `%s` (%#010x) at image offset %#lx, %s",
        process->name, error->rule, error->reason, error->text, error->word,
        (unsigned long)error->address, where);
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

/*
 * A copy of what the image claims for the verifier, as the file may change; NULL if it claims
 * nothing, or there is no memory for it, or it is absurdly large: then it will just not be
 * verified.
 */
static uint8_t *read_claims(const struct elf_image *elf, const struct file *file)
{
    uint8_t *claims = elf->claims_size == 0 ? NULL : kalloc(elf->claims_size);

    if (claims != NULL && vmo_read(file->vmo, file->offset + elf->claims_offset, claims,
                                   elf->claims_size) != FTL_OK) {
        kfree(claims, elf->claims_size);
        claims = NULL;
    }
    return claims;
}

/*
 * Verifies the code, mapped read-only at its place, and makes it executable. Only the first segment
 * may be executable in a sandbox.
 */
static ftl_status_t verify_code(struct process *process, const struct elf_image *elf,
                                const struct file *file, vaddr_t base)
{
    for (size_t i = 1; i < elf->segment_count; i++) {
        if ((elf->segments[i].perms & FTL_MAP_EXEC) != 0) {
            log_line("loader: '%s': more than one executable segment", process->name);
            return FTL_ERR_BAD_FORMAT;
        }
    }
    const struct elf_segment *code = &elf->segments[0];
    /* The last page is zeros behind the file's bytes: executable like the rest, so verified like
     * the rest. */
    size_t size = ALIGN_UP(code->memory_size, PAGE_SIZE);
    uint8_t *targets = kalloc(SANDBOX_TARGETS_SIZE(size));
    if (targets == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    uint8_t *claims = read_claims(elf, file);
    struct sandbox_verify_input input = {
        .code = (const uint8_t *)(base + code->vaddr),
        .size = size,
        .address = code->vaddr,
        .image_size = elf->span,
        .entry = elf->entry,
        .claims = claims,
        .claims_size = claims == NULL ? 0 : elf->claims_size,
        .targets = targets,
    };
    struct sandbox_verify_error error;
    bool verified = verify_in_window(process->vmspace, &input, &error);
    if (claims != NULL) {
        kfree(claims, elf->claims_size);
    }
    kfree(targets, SANDBOX_TARGETS_SIZE(size));
    if (!verified) {
        log_refusal(process, base, &error);
        return FTL_ERR_NOT_VERIFIED;
    }
    return vmspace_seal_code(process->vmspace, base + code->vaddr);
}

/* What is left of the first segment of a sandboxed image without the page that the gate takes. */
static void make_room_for_gate(struct elf_image *elf)
{
    struct elf_segment *first = &elf->segments[0];
    uint64_t cut = first->file_size < FTL_GATE_SIZE ? first->file_size : FTL_GATE_SIZE;
    ASSERT(first->vaddr == FTL_GATE_OFFSET && first->memory_size > FTL_GATE_SIZE);
    first->vaddr += FTL_GATE_SIZE;
    first->memory_size -= FTL_GATE_SIZE;
    first->offset += FTL_GATE_SIZE;
    first->file_size -= cut;
}

static ftl_status_t load_image(struct process *process, struct elf_image *elf,
                               const struct file *file, vaddr_t *base)
{
    ftl_status_t status = choose_base(process, elf, base);
    if (status != FTL_OK) {
        return status;
    }
    bool sandbox = process->isolation == FTL_ISOLATION_SANDBOX;
    if (sandbox) {
        make_room_for_gate(elf);
        status = map_at(process, gate_vmo, *base, PAGE_SIZE, FTL_MAP_READ | FTL_MAP_EXEC, true);
    }
    for (size_t i = 0; i < elf->segment_count && status == FTL_OK; i++) {
        status = load_segment(process, &elf->segments[i], file, *base);
    }
    if (status == FTL_OK && sandbox) {
        process->image.base = *base; /* so that a refusal can name symbols */
        status = verify_code(process, elf, file, *base);
    }
    if (status == FTL_OK) {
        vmspace_sync_code(process->vmspace);
    }
    return status;
}

static ftl_status_t check_isa(const struct process *process, const struct elf_image *elf)
{
    uint32_t missing = elf->isa & ~loader_isa;
    if (missing == 0) {
        return FTL_OK;
    }
    log_line("loader: '%s' needs%s%s, which not every hart has", process->name,
             (missing & FTL_ISA_ZBA) != 0 ? " Zba" : "",
             (missing & FTL_ISA_ZBB) != 0 ? " Zbb" : "");
    return FTL_ERR_NOT_SUPPORTED;
}

static ftl_status_t load_held(struct process *process, struct vmo *vmo, uint64_t offset,
                              uint64_t size)
{
    if (offset > vmo->size || size > vmo->size - offset) {
        return FTL_ERR_OUT_OF_RANGE;
    }
    struct file file = { .vmo = vmo, .offset = offset };
    struct elf_reader reader = { .read = read_file, .context = &file, .size = size };
    struct elf_image elf;
    char why[ELF_WHY_SIZE];
    ftl_status_t status = elf_parse(&reader, process->isolation, SPAN_MAX, &elf, why, sizeof(why));
    if (status != FTL_OK) {
        log_line("loader: '%s': %s", process->name, why);
        return status;
    }
    status = check_isa(process, &elf);
    if (status != FTL_OK) {
        return status;
    }
    object_get(&vmo->object);
    process->image =
        (struct process_image){ .elf = elf, .vmo = vmo, .offset = offset, .size = size };
    vaddr_t base;
    status = load_image(process, &elf, &file, &base);
    if (status != FTL_OK) {
        /* What is mapped already stays with the process, which can only be thrown away now. */
        log_line("loader: '%s' not loaded: %s", process->name, ftl_strerror(status));
        process_kill(process, FTL_EXIT_KILLED);
        return status;
    }
    process->image.base = base;
    return FTL_OK;
}

ftl_status_t process_load(struct process *process, struct vmo *vmo, uint64_t offset, uint64_t size)
{
    ftl_status_t status = process_begin_load(process);
    if (status != FTL_OK) {
        return status;
    }
    status = load_held(process, vmo, offset, size);
    process_end_load(process);
    return status;
}

static bool image_holds(const struct process_image *image, vaddr_t address)
{
    return image->vmo != NULL && address >= image->base && address - image->base < image->elf.span;
}

bool process_find_symbol(struct process *process, vaddr_t address, char *name, size_t size,
                         uint64_t *offset)
{
    const struct process_image *image = &process->image;
    struct file file = { .vmo = image->vmo, .offset = image->offset };
    struct elf_reader reader = { .read = read_file, .context = &file, .size = image->size };
    return image_holds(image, address) &&
           elf_symbol(&reader, &image->elf, address - image->base, name, size, offset);
}

bool process_find_line(struct process *process, vaddr_t address, char *name, size_t size,
                       uint32_t *line)
{
    const struct process_image *image = &process->image;
    struct file file = { .vmo = image->vmo, .offset = image->offset };
    struct elf_reader reader = { .read = read_file, .context = &file, .size = image->size };
    return image_holds(image, address) &&
           elf_line(&reader, &image->elf, address - image->base, name, size, line);
}
