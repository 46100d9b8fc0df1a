/*
 * Source lines of a program, for reports: which file and line an address of its code comes from.
 * scripts/mklines.py makes the table of the program's debug information; the file holds it in a
 * section of its own that is not loaded (.ftl.lines, of type ELF_LINES_TYPE). Like all in the file
 * it may be malformed, and change under our hands: then the answer is wrong, no more.
 *
 * The table: two little-endian 32-bit words, the bytes of entries and of names. Entries by
 * ascending address, each three numbers of 7 bits a byte, low ones first, bit 7 says that more
 * follow: by how much the address grows; the line's difference d, folded to 2d or -2d-1, times two,
 * plus 1 if the file changes; then the file's number, counted from 0, if it does. All start at 0. A
 * line is that of the addresses up to the next entry's; 0: none is known there. Then the files'
 * names, each with a NUL.
 */
#ifndef KERNEL_ELF_LINES_H
#define KERNEL_ELF_LINES_H

#include "kernel/elf.h"

#define ELF_LINES_TYPE 0x80f71002u /* also in user/CMakeLists.txt */

/*
 * Finds the source line of vaddr (relative, as in the image). Copies the file's name, cut to
 * name_size, unprintable bytes replaced by '?'. Returns whether one is known.
 */
bool elf_line(const struct elf_reader *reader, const struct elf_image *image, uint64_t vaddr,
              char *name, size_t name_size, uint32_t *line);

#endif
