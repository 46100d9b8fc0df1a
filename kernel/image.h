/*
 * The file that a process was loaded from, a range of a VMO: reports name functions from its symbol
 * table. Nothing else in the kernel relies on it, and it may change or be no ELF file at all.
 */
#ifndef KERNEL_IMAGE_H
#define KERNEL_IMAGE_H

#include "kernel/elf.h"
#include "mm/vmo.h"

#define IMAGE_SPAN_MAX (1 * GIB) /* bytes of address space of one image */

struct image_file {
    struct vmo *vmo;
    uint64_t offset;
    uint64_t size;
};

/* A reader over the file, for elf_parse() and elf_symbol(). The file has to live as long. */
struct elf_reader image_reader(struct image_file *file);

/*
 * Writes "0x10234 (name+0x12, file.c:34)" for an address in the image, which lies at `base`,
 * without what is not known of these, or the address alone.
 */
#define IMAGE_SYMBOL_SIZE 192 /* enough for that text */
void image_describe(const struct image_file *file, ftl_isolation_t isolation, vaddr_t base,
                    vaddr_t address, char *text, size_t size);

#endif
