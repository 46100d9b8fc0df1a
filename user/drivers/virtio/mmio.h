/*
 * Access to a device's registers: 32 bits or a byte at a time, in order with memory that the device
 * reads and writes. Tests on the host have functions of their own in the device's place.
 */
#ifndef VIRTIO_MMIO_H
#define VIRTIO_MMIO_H

#include <stdint.h>

#ifdef FTL_HOST_TEST
uint32_t mmio_read(const volatile void *registers, uint32_t offset);
uint8_t mmio_read_byte(const volatile void *registers, uint32_t offset);
void mmio_write(volatile void *registers, uint32_t offset, uint32_t value);
void mmio_write_byte(volatile void *registers, uint32_t offset, uint8_t value);
void mmio_barrier(void);
#else

/* Orders all accesses to memory and to devices before it before all behind it. C's fences order
 * memory alone. */
static inline void mmio_barrier(void)
{
    __asm__ volatile("fence iorw, iorw" ::: "memory");
}

static inline uint32_t mmio_read(const volatile void *registers, uint32_t offset)
{
    uint32_t value =
        *(const volatile uint32_t *)(const volatile void *)((const volatile char *)registers +
                                                            offset);
    mmio_barrier();
    return value;
}

static inline uint8_t mmio_read_byte(const volatile void *registers, uint32_t offset)
{
    uint8_t value = *((const volatile uint8_t *)registers + offset);
    mmio_barrier();
    return value;
}

static inline void mmio_write(volatile void *registers, uint32_t offset, uint32_t value)
{
    mmio_barrier();
    *(volatile uint32_t *)(volatile void *)((volatile char *)registers + offset) = value;
}

static inline void mmio_write_byte(volatile void *registers, uint32_t offset, uint8_t value)
{
    mmio_barrier();
    *((volatile uint8_t *)registers + offset) = value;
}
#endif

#endif
