/*
 * As much of virtio-mmio (Virtual I/O Device Version 1.2, 4.2.2) as init needs: what is behind a
 * transport, and how to stop it.
 */
#ifndef INIT_VIRTIO_SLOT_H
#define INIT_VIRTIO_SLOT_H

#include <ftl/types.h>

#define VIRTIO_SLOT_COMPATIBLE "virtio,mmio"

/* Reads what kind of device is behind the transport; 0: none. */
uint32_t virtio_slot_id(const volatile uint32_t *registers);

/*
 * Resets the device: when this returns true it accesses no memory any more. False: it refuses to.
 */
bool virtio_slot_reset(volatile uint32_t *registers);

#endif
