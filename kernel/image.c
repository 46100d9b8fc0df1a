/* Image files: see image.h. */
#include "kernel/image.h"

#include "kernel/elf_lines.h"
#include "kernel/log.h"

#define NAME_MAX 64 /* bytes of a function's or file's name */

static bool read_file(void *context, uint64_t offset, void *buffer, size_t size)
{
    const struct image_file *file = context;
    return vmo_read(file->vmo, file->offset + offset, buffer, size) == FTL_OK;
}

struct elf_reader image_reader(struct image_file *file)
{
    return (struct elf_reader){ .read = read_file, .context = file, .size = file->size };
}

/* Writes what the file says of an image-relative address into the parentheses; false: nothing. */
static bool look_up(const struct image_file *file, ftl_isolation_t isolation, uint64_t address,
                    char *text, size_t size)
{
    struct image_file copy = *file;
    struct elf_reader reader = image_reader(&copy);
    struct elf_image elf;
    char why[ELF_WHY_SIZE];
    char name[NAME_MAX];
    char source[NAME_MAX];
    uint64_t offset;
    uint32_t line;
    if (file->vmo == NULL ||
        elf_parse(&reader, isolation, IMAGE_SPAN_MAX, &elf, why, sizeof(why)) != FTL_OK ||
        address >= elf.span || !elf_symbol(&reader, &elf, address, name, sizeof(name), &offset)) {
        return false;
    }
    if (elf_line(&reader, &elf, address, source, sizeof(source), &line)) {
        format_text(text, size, "%s+%#lx, %s:%u", name, (unsigned long)offset, source, line);
    } else {
        format_text(text, size, "%s+%#lx", name, (unsigned long)offset);
    }
    return true;
}

void image_describe(const struct image_file *file, ftl_isolation_t isolation, vaddr_t base,
                    vaddr_t address, char *text, size_t size)
{
    char known[IMAGE_SYMBOL_SIZE];
    if (address >= base && look_up(file, isolation, address - base, known, sizeof(known))) {
        format_text(text, size, "%#lx (%s)", (unsigned long)address, known);
    } else {
        format_text(text, size, "%#lx", (unsigned long)address);
    }
}
