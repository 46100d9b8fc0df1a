/*
 * The kernel's own functions by address, for backtraces. The table is made by scripts/mksymbols.py
 * from a first link of the kernel and linked in at the end of .rodata (section .rodata.symbols),
 * after all text, so that text addresses are the same in the final link. Read only; usable in a
 * panic.
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

#endif
