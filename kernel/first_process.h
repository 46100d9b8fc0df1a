/* Starts init, the first process, from the boot image. */
#ifndef KERNEL_FIRST_PROCESS_H
#define KERNEL_FIRST_PROCESS_H

#include "kernel/boot_info.h"

/* Panics, saying what was wrong with it, when there is no usable boot image or init in it. */
void first_process_start(const struct boot_info *info);

#endif
