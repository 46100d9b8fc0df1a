/*
 * The kernel's own functions and source lines by address, for backtraces. scripts/mksymbols.py and
 * scripts/mklines.py make the tables from a first link of the kernel; they are linked in at the end
 * of .rodata (section .rodata.symbols), after all text, so that text addresses are the same in the
 * final link. Read only; usable in a panic.
 */
#ifndef KERNEL_SYMBOLS_H
#define KERNEL_SYMBOLS_H

#include "kernel/types.h"

/*
 * Returns the name of the kernel function that holds `address`, with the distance from its start in
 * *offset; NULL when the address is not in the kernel's text or the kernel has no table yet. The
 * name is static.
 */
const char *symbols_find(vaddr_t address, size_t *offset);

/*
 * Finds the source line of an address in the kernel's text; copies the file's name, cut to size.
 * Returns whether one is known. Goes through the whole table: for reports only.
 */
bool symbols_line(vaddr_t address, char *file, size_t size, uint32_t *line);

#endif
