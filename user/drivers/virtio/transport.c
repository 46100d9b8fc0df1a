/* The transport over MMIO: see virtio.h. Section 4.2, for legacy devices 4.2.4. */
#include "virtio.h"

#include <string.h>

#include "mmio.h"
#include "registers.h"

#define MAGIC_VALUE    UINT32_C(0x74726976) /* "virt" */
#define VERSION_LEGACY 1u
#define VERSION_MODERN 2u
#define HALF           32

#define RESET_READS  1000000 /* of the status, until the device is broken */
#define CONFIG_TRIES 1000    /* to read a configuration that changes */

static uint32_t read_register(const struct virtio *virtio, uint32_t offset)
{
    return mmio_read(virtio->registers, offset);
}

static void write_register(struct virtio *virtio, uint32_t offset, uint32_t value)
{
    mmio_write(virtio->registers, offset, value);
}

static void add_status(struct virtio *virtio, uint32_t bit)
{
    write_register(virtio, VIRTIO_STATUS, read_register(virtio, VIRTIO_STATUS) | bit);
}

/* ---- Opening ---- */

static ftl_status_t identify(struct virtio *virtio, const struct ftl_device *device, uint32_t id)
{
    if (device->registers_size < VIRTIO_CONFIG ||
        read_register(virtio, VIRTIO_MAGIC) != MAGIC_VALUE ||
        read_register(virtio, VIRTIO_DEVICE_ID) != id) {
        return FTL_ERR_NOT_FOUND;
    }
    uint32_t version = read_register(virtio, VIRTIO_VERSION);
    virtio->legacy = version == VERSION_LEGACY;
    return virtio->legacy || version == VERSION_MODERN ? FTL_OK : FTL_ERR_NOT_SUPPORTED;
}

static ftl_status_t reset(struct virtio *virtio)
{
    write_register(virtio, VIRTIO_STATUS, 0);
    for (int i = 0; i < RESET_READS; i++) {
        if (read_register(virtio, VIRTIO_STATUS) == 0) {
            return FTL_OK;
        }
    }
    return FTL_ERR_IO;
}

static uint64_t offered_features(struct virtio *virtio)
{
    write_register(virtio, VIRTIO_DEVICE_FEATURES_SEL, 0);
    uint64_t low = read_register(virtio, VIRTIO_DEVICE_FEATURES);
    if (virtio->legacy) {
        return low;
    }
    write_register(virtio, VIRTIO_DEVICE_FEATURES_SEL, 1);
    return (uint64_t)read_register(virtio, VIRTIO_DEVICE_FEATURES) << HALF | low;
}

static ftl_status_t negotiate(struct virtio *virtio, uint64_t wanted)
{
    if (!virtio->legacy) {
        wanted |= VIRTIO_F_VERSION_1;
    }
    virtio->features = offered_features(virtio) & wanted;
    write_register(virtio, VIRTIO_DRIVER_FEATURES_SEL, 0);
    write_register(virtio, VIRTIO_DRIVER_FEATURES, (uint32_t)virtio->features);
    if (virtio->legacy) {
        write_register(virtio, VIRTIO_GUEST_PAGE_SIZE, FTL_PAGE_SIZE);
        return FTL_OK;
    }
    if ((virtio->features & VIRTIO_F_VERSION_1) == 0) {
        return FTL_ERR_NOT_SUPPORTED;
    }
    write_register(virtio, VIRTIO_DRIVER_FEATURES_SEL, 1);
    write_register(virtio, VIRTIO_DRIVER_FEATURES, (uint32_t)(virtio->features >> HALF));
    add_status(virtio, VIRTIO_STATUS_FEATURES_OK);
    bool accepted = (read_register(virtio, VIRTIO_STATUS) & VIRTIO_STATUS_FEATURES_OK) != 0;
    return accepted ? FTL_OK : FTL_ERR_NOT_SUPPORTED;
}

ftl_status_t virtio_open(struct virtio *virtio, const struct ftl_device *device, uint32_t id,
                         uint64_t features)
{
    memset(virtio, 0, sizeof(*virtio));
    virtio->registers = device->registers;
    ftl_status_t status = identify(virtio, device, id);
    if (status != FTL_OK) {
        return status;
    }
    virtio->config_size = device->registers_size - VIRTIO_CONFIG;
    status = reset(virtio);
    if (status != FTL_OK) {
        return status;
    }
    add_status(virtio, VIRTIO_STATUS_ACKNOWLEDGE);
    add_status(virtio, VIRTIO_STATUS_DRIVER);
    status = negotiate(virtio, features);
    if (status != FTL_OK) {
        virtio_fail(virtio);
    }
    return status;
}

void virtio_start(struct virtio *virtio)
{
    add_status(virtio, VIRTIO_STATUS_DRIVER_OK);
}

void virtio_fail(struct virtio *virtio)
{
    add_status(virtio, VIRTIO_STATUS_FAILED);
}

uint32_t virtio_take_interrupt(struct virtio *virtio)
{
    uint32_t bits = read_register(virtio, VIRTIO_INTERRUPT_STATUS) &
                    (VIRTIO_INTERRUPT_QUEUE | VIRTIO_INTERRUPT_CONFIG);
    write_register(virtio, VIRTIO_INTERRUPT_ACK, bits);
    return bits;
}

/* ---- Configuration ---- */

/* A legacy device cannot tell whether its configuration has changed meanwhile. */
static uint32_t generation(const struct virtio *virtio)
{
    return virtio->legacy ? 0 : read_register(virtio, VIRTIO_CONFIG_GENERATION);
}

ftl_status_t virtio_config(const struct virtio *virtio, uint32_t offset, void *data, size_t size)
{
    uint8_t *bytes = data;
    if (offset > virtio->config_size || size > virtio->config_size - offset) {
        return FTL_ERR_OUT_OF_RANGE;
    }
    for (int tries = 0; tries < CONFIG_TRIES; tries++) {
        uint32_t before = generation(virtio);
        for (size_t i = 0; i < size; i++) {
            bytes[i] = mmio_read_byte(virtio->registers, VIRTIO_CONFIG + offset + (uint32_t)i);
        }
        if (generation(virtio) == before) {
            return FTL_OK;
        }
    }
    return FTL_ERR_IO;
}

uint64_t virtio_number(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint64_t number = 0;
    for (size_t i = size; i != 0; i--) {
        number = number << 8 | bytes[i - 1];
    }
    return number;
}
