/*
 * The console: output of the kernel log and of processes, input for processes. Early output goes
 * through SBI; from console_init() on, through the UART of the device tree if there is one.
 */
#ifndef KERNEL_CONSOLE_H
#define KERNEL_CONSOLE_H

#include "kernel/boot_info.h"
#include "kernel/object.h"

struct console {
    struct object object; /* first; never destroyed */
};

/* Boot: takes over the UART. */
void console_init(const struct boot_info *info);

/* Boot, when interrupts work: lets input in. */
void console_enable_input(const struct boot_info *info);

/* The one console, with a reference for the caller. */
struct console *console_get(void);

#endif
