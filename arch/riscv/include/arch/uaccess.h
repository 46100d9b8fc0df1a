/*
 * Copies between the kernel and memory of the current process. The only code that touches process
 * memory through the process's own addresses; a fault in it becomes a status. Each byte is read
 * once.
 */
#ifndef ARCH_UACCESS_H
#define ARCH_UACCESS_H

#include "arch/offsets.h"
#include "kernel/types.h"

/*
 * Copies `size` bytes; the address range must already be known to lie in the current process's part
 * of the address space. Returns the number of bytes not copied because of a fault, which lies in
 * the first UACCESS_STEP of them: 0 for success.
 */
size_t uaccess_copy_in(void *to, vaddr_t from, size_t size);
size_t uaccess_copy_out(vaddr_t to, const void *from, size_t size);

#endif
