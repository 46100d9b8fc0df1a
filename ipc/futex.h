/*
 * Futexes: threads that sleep on a 32-bit word of their vmspace. Buckets are picked by vmspace and
 * address. A wake that comes after the word was changed is not lost: the word is compared under the
 * bucket's lock.
 */
#ifndef IPC_FUTEX_H
#define IPC_FUTEX_H

#include "kernel/types.h"

struct vmspace;

void futex_init(void);

/* Wakes up to `count` threads that wait on the word; returns how many. */
uint32_t futex_wake(const struct vmspace *vmspace, vaddr_t address, uint32_t count);

/* Sets the current process's word to 0 and wakes one waiter. Without effect when the address is no
 * good. */
void futex_clear_and_wake(vaddr_t address);

#endif
