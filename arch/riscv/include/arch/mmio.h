/*
 * Access to device registers of 1, 2 or 4 bytes. Accesses to one device keep their order. Host
 * tests have their own version, which goes to models of devices.
 */
#ifndef ARCH_MMIO_H
#define ARCH_MMIO_H

#include "kernel/types.h"

static inline uint32_t mmio_read(const volatile void *address, unsigned width)
{
    switch (width) {
    case 1: return *(const volatile uint8_t *)address;
    case 2: return *(const volatile uint16_t *)address;
    default: return *(const volatile uint32_t *)address;
    }
}

static inline void mmio_write(volatile void *address, unsigned width, uint32_t value)
{
    switch (width) {
    case 1: *(volatile uint8_t *)address = (uint8_t)value; break;
    case 2: *(volatile uint16_t *)address = (uint16_t)value; break;
    default: *(volatile uint32_t *)address = value;
    }
}

#endif
