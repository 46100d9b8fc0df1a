/* Panic with a given machine state: see assert.h for panic() itself. */
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

#include "kernel/assert.h"
#include "kernel/types.h"

struct panic_registers {
    uint64_t pc;
    const uint64_t *x; /* x1 to x31 */
    uintptr_t frame;   /* frame pointer, for the backtrace */
    bool called;       /* pc is where a call would have returned to */
};

_Noreturn void panic_at(const struct panic_registers *registers, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));

#endif
