/*
 * Loading programs: see <ftl/load.h>. The ELF parser is the kernel's. Segments that nobody writes
 * are mapped as they lie in the file, without WRITE among the rights, so that a process cannot get
 * at what others run either; the others are copied for each process.
 */
#include <ftl/code.h>
#include <ftl/handle.h>
#include <ftl/load.h>
#include <ftl/process.h>
#include <ftl/sandbox_abi.h>
#include <ftl/system.h>
#include <ftl/vmo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/elf.h"

#define SPAN_MAX    ((uint64_t)1 << 30) /* bytes of address space of one image */
#define IMAGE_GUARD ((size_t)1 << 20)   /* bytes left unmapped around it */
#define PAGE_MASK   ((uint64_t)FTL_PAGE_SIZE - 1)

struct ftl_program {
    struct elf_image elf;
    ftl_isolation_t isolation;
    ftl_handle_t vmo; /* has the file at `offset`, which starts a page; read-only */
    uint64_t offset;
    const char *data; /* the caller's mapping of it */
    size_t size;
    ftl_handle_t code; /* of a sandboxed program */
};

static bool read_file(void *context, uint64_t offset, void *buffer, size_t size)
{
    const struct ftl_program *program = context;
    memcpy(buffer, program->data + offset, size);
    return true;
}

static ftl_status_t parse(struct ftl_program *program, char *why, size_t why_size)
{
    struct elf_reader reader = { .read = read_file, .context = program, .size = program->size };
    return elf_parse(&reader, program->isolation, SPAN_MAX, &program->elf, why, why_size);
}

static ftl_status_t check_isa(const struct ftl_program *program, char *why, size_t why_size)
{
    uint32_t isa;
    ftl_status_t status = ftl_system_isa(&isa);
    uint32_t missing = program->elf.isa & ~isa;
    if (status != FTL_OK || missing == 0) {
        return status;
    }
    snprintf(why, why_size, "needs%s%s, which not every hart has",
             (missing & FTL_ISA_ZBA) != 0 ? " Zba" : "",
             (missing & FTL_ISA_ZBB) != 0 ? " Zbb" : "");
    return FTL_ERR_NOT_SUPPORTED;
}

/* Copies the file to a VMO where it starts at a page. */
static ftl_status_t copy_file(const struct ftl_program_file *file, ftl_handle_t *copy)
{
    ftl_status_t status = ftl_vmo_create(file->size, copy);
    if (status != FTL_OK) {
        return status;
    }
    status = ftl_vmo_write(*copy, 0, file->data, file->size);
    if (status != FTL_OK) {
        ftl_handle_close(*copy);
    }
    return status;
}

/* Gets the program a handle of its own to the file, with the rights that loading needs. */
static ftl_status_t take_file(struct ftl_program *program, const struct ftl_program_file *file)
{
    ftl_handle_t vmo = file->vmo;
    program->offset = file->offset;
    ftl_status_t status = FTL_OK;
    if ((file->offset & PAGE_MASK) != 0) {
        status = copy_file(file, &vmo);
        program->offset = 0;
    }
    if (status != FTL_OK) {
        return status;
    }
    status = ftl_handle_duplicate(vmo, FTL_RIGHT_READ | FTL_RIGHT_MAP | FTL_RIGHT_EXECUTE,
                                  &program->vmo);
    if (vmo != file->vmo) {
        ftl_handle_close(vmo);
    }
    return status;
}

static ftl_status_t make_code(struct ftl_program *program, char *why, size_t why_size)
{
    struct ftl_code_layout layout;
    if (!elf_code_layout(&program->elf, &layout)) {
        snprintf(why, why_size, "its code is not in one segment behind the gate");
        return FTL_ERR_BAD_FORMAT;
    }
    return ftl_code_create(program->vmo, program->offset, program->size, &layout, &program->code);
}

ftl_status_t ftl_program_open(struct ftl_program **opened, const struct ftl_program_file *file,
                              ftl_isolation_t isolation, char *why, size_t why_size)
{
    struct ftl_program *program = calloc(1, sizeof(*program));
    if (program == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    program->isolation = isolation;
    program->data = file->data;
    program->size = file->size;
    ftl_status_t status = parse(program, why, why_size);
    if (status == FTL_OK) {
        status = check_isa(program, why, why_size);
    }
    if (status == FTL_OK) {
        status = take_file(program, file);
    }
    if (status == FTL_OK && isolation == FTL_ISOLATION_SANDBOX) {
        status = make_code(program, why, why_size);
    }
    if (status != FTL_OK) {
        ftl_program_close(program);
        return status;
    }
    *opened = program;
    return FTL_OK;
}

bool ftl_program_is_for(const struct ftl_program_file *file, ftl_isolation_t isolation)
{
    char why[FTL_PROGRAM_WHY_MAX];
    struct ftl_program program = {
        .isolation = isolation,
        .data = file->data,
        .size = file->size,
    };
    return parse(&program, why, sizeof(why)) == FTL_OK;
}

void ftl_program_close(struct ftl_program *program)
{
    if (program->vmo != FTL_HANDLE_INVALID) {
        ftl_handle_close(program->vmo);
    }
    if (program->code != FTL_HANDLE_INVALID) {
        ftl_handle_close(program->code);
    }
    free(program);
}

/* Maps a segment where it lies in the file. */
static ftl_status_t map_shared(const struct ftl_program *program, const struct elf_segment *segment,
                               ftl_handle_t process, uintptr_t base)
{
    uint64_t in_page = segment->vaddr & PAGE_MASK;
    uint64_t size = (in_page + segment->memory_size + PAGE_MASK) & ~PAGE_MASK;
    uintptr_t mapped;
    return ftl_process_map(process, program->vmo, program->offset + segment->offset - in_page, size,
                           segment->perms, base + segment->vaddr - in_page, &mapped);
}

/* Maps a copy of a segment, with zeros where the file has nothing. */
static ftl_status_t map_copy(const struct ftl_program *program, const struct elf_segment *segment,
                             ftl_handle_t process, uintptr_t base)
{
    return ftl_process_map_copy(process, program->vmo, program->offset + segment->offset,
                                segment->file_size, base + segment->vaddr, segment->memory_size);
}

static ftl_status_t map_segment(const struct ftl_program *program,
                                const struct elf_segment *segment, ftl_handle_t process,
                                uintptr_t base)
{
    bool shared =
        (segment->perms & FTL_MAP_WRITE) == 0 && segment->file_size == segment->memory_size;
    return shared ? map_shared(program, segment, process, base)
                  : map_copy(program, segment, process, base);
}

ftl_status_t ftl_program_load(const struct ftl_program *program, ftl_handle_t process,
                              uintptr_t *entry)
{
    uintptr_t base;
    size_t first = 0;
    ftl_status_t status = ftl_process_find_room(process, program->elf.span, IMAGE_GUARD, &base);
    if (status == FTL_OK && program->isolation == FTL_ISOLATION_SANDBOX) {
        status = ftl_process_map_code(process, program->code, base);
        first = 1; /* the code */
    }
    for (size_t i = first; i < program->elf.segment_count && status == FTL_OK; i++) {
        status = map_segment(program, &program->elf.segments[i], process, base);
    }
    if (status == FTL_OK) {
        status = ftl_process_set_image(process, program->vmo, program->offset, program->size, base);
    }
    *entry = base + program->elf.entry;
    return status;
}
