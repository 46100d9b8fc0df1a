/*
 * Devices and their drivers: a driver's process is a service, of which there is one for each device
 * that its manifest is for. Here is what such a service gets besides what every service gets, and
 * what has to happen before its memory may be used for something else.
 */
#ifndef INIT_DEVICES_H
#define INIT_DEVICES_H

#include "devicetree.h"
#include "init.h"

struct device {
    struct init *init;
    struct devicetree_node node;
    uint32_t virtio_id; /* behind a virtio transport: the kind of device there; 0: none */
    bool is_virtio;
    bool stopped;                      /* the last time that it was to be: it accesses no memory */
    struct service service;            /* its driver; service.app is empty when there is none */
    ftl_handle_t dma[FTL_APP_DMA_MAX]; /* while a driver has them */
};

#define DEVICE_VARS_MAX 8
#define DEVICE_VAR_MAX  192

/* What a driver that is being started gets of its device. */
struct device_grants {
    struct ftl_spawn_handle handles[2 + FTL_APP_DMA_MAX];
    size_t handle_count;
    const char *vars[DEVICE_VARS_MAX];
    size_t var_count;
    char text[DEVICE_VARS_MAX][DEVICE_VAR_MAX];
};

/* Looks for devices and their drivers, at the first call. */
void devices_find(struct init *init);

/* Starts the drivers that do not wait for a client. */
void devices_start(struct init *init);

/* The driver that provides the protocol for the device number `index` of its kind, from 0, by
 * address; NULL: there is none. */
struct service *devices_service(struct init *init, const char *protocol, size_t index);

/*
 * Makes what the driver gets. Handles are init's: device_given() closes them, but for the memory
 * that the device may access, of which init keeps a handle until device_stop(). Errors: those of
 * the calls; NOT_SUPPORTED for such memory where init could not stop the device.
 */
ftl_status_t device_give(struct device *device, const struct ftl_app *app,
                         struct device_grants *grants);
void device_given(struct device_grants *grants);

/*
 * Its driver has ended, or could not be started: stops the device, so that it accesses memory no
 * more, then gives up the memory that it might have accessed.
 */
void device_stop(struct device *device);

/* Whether the registers are the kernel's own. */
bool device_is_kernels(const struct device *device);

#endif
