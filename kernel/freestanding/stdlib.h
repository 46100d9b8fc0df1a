/* libfdt includes <stdlib.h> and uses nothing of it: there is no malloc, exit or strtol in the
 * kernel. */
#ifndef KERNEL_FREESTANDING_STDLIB_H
#define KERNEL_FREESTANDING_STDLIB_H

#include <stddef.h>

#endif
