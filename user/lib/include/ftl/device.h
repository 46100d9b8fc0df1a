/*
 * For drivers: the device that a driver was started for, as init has found it in the device tree.
 * A driver has the pages of its registers, its interrupt, and the memory that its manifest asks for
 * under `dma`; no other memory may be given to the device, since nobody sees to it that the device
 * lets go of it before it is used for something else.
 */
#ifndef FTL_DEVICE_H
#define FTL_DEVICE_H

#include <ftl/status.h>
#include <ftl/types.h>

#define FTL_DEVICE_DMA_MAX 2

/* A piece of memory that the device may access, mapped, all zero at first. */
struct ftl_device_memory {
    ftl_handle_t vmo;
    char *data;
    uint64_t address; /* the device's: physical */
    size_t size;      /* 0: there is none */
};

struct ftl_device {
    const char *node;       /* path in the device tree */
    const char *compatible; /* the best of its strings */
    volatile void *registers;
    size_t registers_size;
    ftl_handle_t interrupt; /* FTL_HANDLE_INVALID: it has none */
    struct ftl_device_memory memory[FTL_DEVICE_DMA_MAX];
};

/*
 * Takes the device out of the environment, for good. NOT_FOUND: the process was started for none.
 * Errors of mapping.
 */
ftl_status_t ftl_environ_take_device(struct ftl_device *device);

/* A number that the device tree gives for the device, e.g. "reg-shift"; `otherwise` if it does not.
 * Known are reg-shift, reg-io-width, clock-frequency and current-speed. */
uint32_t ftl_device_property(const char *name, uint32_t otherwise);

#endif
