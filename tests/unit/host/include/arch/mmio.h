/* Device registers are a model that the test defines. */
#ifndef ARCH_MMIO_H
#define ARCH_MMIO_H

#include "kernel/types.h"

uint32_t mmio_read(const volatile void *address, unsigned width);
void mmio_write(volatile void *address, unsigned width, uint32_t value);

#endif
