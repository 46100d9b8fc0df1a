/*
 * Loads the ELF image of the first process: see loader.h. Segments are copied to VMOs that nobody
 * else holds; sandboxed code becomes a code object.
 */
#include "kernel/loader.h"

#include <ftl/sandbox_abi.h>

#include "calls.gen.h"

#include "kernel/assert.h"
#include "kernel/code.h"
#include "kernel/log.h"
#include "kernel/process.h"

#define IMAGE_GUARD (1 * MIB) /* left unmapped around it */

static uint32_t common_isa; /* FTL_ISA_ bits that every hart has */

void loader_init(uint32_t isa)
{
    common_isa = isa;
}

uint32_t loader_isa(void)
{
    return common_isa;
}

struct call_result sys_system_isa(void)
{
    return call_value(common_isa);
}

/* Copies the bytes to a new VMO, page by page, from `in_page` in its first page on. */
static ftl_status_t fill(struct vmo *memory, const struct loader_copy *copy, uint64_t in_page)
{
    for (uint64_t done = 0; done < copy->file_size;) {
        uint64_t position = in_page + done;
        uint64_t room = PAGE_SIZE - (position & (PAGE_SIZE - 1));
        uint64_t piece = copy->file_size - done < room ? copy->file_size - done : room;
        ftl_status_t status = FTL_OK;
        paddr_t page = vmo_page(memory, ALIGN_DOWN(position, PAGE_SIZE), &status);
        if (status != FTL_OK) {
            return status;
        }
        char *to = (char *)phys_to_virt(page) + (position & (PAGE_SIZE - 1));
        status = vmo_read(copy->file, copy->offset + done, to, piece);
        if (status != FTL_OK) {
            return status;
        }
        done += piece;
    }
    return FTL_OK;
}

ftl_status_t loader_map_copy(struct process *process, const struct loader_copy *copy)
{
    uint64_t in_page = copy->address & (PAGE_SIZE - 1);
    if (copy->file_size > copy->memory_size || copy->memory_size > IMAGE_SPAN_MAX) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    if (!vmo_has_range(copy->file, copy->offset, copy->file_size)) {
        return FTL_ERR_OUT_OF_RANGE;
    }
    struct map_request request = {
        .size = ALIGN_UP(in_page + copy->memory_size, PAGE_SIZE),
        .address = copy->address - in_page,
        .permissions = copy->permissions,
        .permissions_max = copy->permissions,
        .owner = process,
    };
    if (request.size == 0 || request.address == 0) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    request.vmo = vmo_create(request.size, process->account);
    if (request.vmo == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    vaddr_t mapped;
    ftl_status_t status = fill(request.vmo, copy, in_page);
    if (status == FTL_OK) {
        status = vmspace_map(process->vmspace, &request, &mapped);
    }
    if (status == FTL_OK) {
        vmspace_populate(process->vmspace, mapped, in_page + copy->file_size);
    }
    object_put(&request.vmo->object);
    return status;
}

static ftl_status_t load_segment(struct process *process, const struct elf_segment *segment,
                                 const struct image_file *file, vaddr_t base)
{
    return loader_map_copy(process, &(struct loader_copy){
                                        .file = file->vmo,
                                        .offset = file->offset + segment->offset,
                                        .file_size = segment->file_size,
                                        .address = base + segment->vaddr,
                                        .memory_size = segment->memory_size,
                                        .permissions = segment->perms,
                                    });
}

/*
 * Verifies and maps the code of a sandboxed image: its first segment, which begins with the gate.
 */
static ftl_status_t load_code(struct process *process, const struct elf_image *elf,
                              const struct image_file *file, vaddr_t base)
{
    struct ftl_code_layout layout;
    ftl_status_t status;
    if (!elf_code_layout(elf, &layout)) {
        log_line("loader: '%s': more than one executable segment", process->name);
        return FTL_ERR_BAD_FORMAT;
    }
    struct code *code = code_create(file, &layout, process->account, &status);
    if (code == NULL) {
        return status;
    }
    status = code_map(code, process, base);
    object_put(&code->object);
    return status;
}

static ftl_status_t load_image(struct process *process, const struct elf_image *elf,
                               const struct image_file *file, vaddr_t base)
{
    ftl_status_t status = FTL_OK;
    size_t first = 0;
    if (process->isolation == FTL_ISOLATION_SANDBOX) {
        status = load_code(process, elf, file, base);
        first = 1;
    }
    for (size_t i = first; i < elf->segment_count && status == FTL_OK; i++) {
        status = load_segment(process, &elf->segments[i], file, base);
    }
    vmspace_sync_code(process->vmspace);
    return status;
}

static ftl_status_t check_isa(const struct process *process, const struct elf_image *elf)
{
    uint32_t missing = elf->isa & ~common_isa;
    if (missing == 0) {
        return FTL_OK;
    }
    log_line("loader: '%s' needs%s%s, which not every hart has", process->name,
             (missing & FTL_ISA_ZBA) != 0 ? " Zba" : "",
             (missing & FTL_ISA_ZBB) != 0 ? " Zbb" : "");
    return FTL_ERR_NOT_SUPPORTED;
}

ftl_status_t loader_load(struct process *process, const struct image_file *file, vaddr_t *entry)
{
    uint64_t end = vmo_size(file->vmo);
    if (file->offset > end || file->size > end - file->offset) {
        return FTL_ERR_OUT_OF_RANGE;
    }
    struct image_file copy = *file;
    struct elf_reader reader = image_reader(&copy);
    struct elf_image elf;
    char why[ELF_WHY_SIZE];
    ftl_status_t status =
        elf_parse(&reader, process->isolation, IMAGE_SPAN_MAX, &elf, why, sizeof(why));
    if (status != FTL_OK) {
        log_line("loader: '%s': %s", process->name, why);
        return status;
    }
    status = check_isa(process, &elf);
    if (status != FTL_OK) {
        return status;
    }
    vaddr_t base;
    if (!vmspace_find_room(process->vmspace, elf.span, IMAGE_GUARD, &base)) {
        return FTL_ERR_NO_MEMORY;
    }
    status = load_image(process, &elf, file, base);
    if (status != FTL_OK) {
        log_line("loader: '%s' not loaded: %s", process->name, ftl_strerror(status));
        return status;
    }
    process_set_image(process, file, base);
    *entry = base + elf.entry;
    return FTL_OK;
}
