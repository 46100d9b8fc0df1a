/* <string.h> of the kernel, for code that is also built on the host or for processes. */
#ifndef KERNEL_FREESTANDING_STRING_H
#define KERNEL_FREESTANDING_STRING_H

#include "kernel/string.h"

#endif
