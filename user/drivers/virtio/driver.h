/*
 * What all drivers of virtio devices do alike: take their device, agree with it upon features, and
 * serve clients and interrupts on one main loop. A driver whose device says what cannot be ends;
 * init then resets the device and starts the driver again.
 */
#ifndef VIRTIO_DRIVER_H
#define VIRTIO_DRIVER_H

#include <ftl/mainloop.h>
#include <ftl/server.h>

#include "virtio.h"

/* The upper members are set by the driver's author, those below by virtio_driver_main(). */
struct virtio_driver {
    const char *name;
    uint32_t id;       /* VIRTIO_ID_ */
    uint64_t features; /* wanted */
    struct ftl_server *server;
    /* Sets up the queues, before the device may begin. On an error *step says at what. */
    ftl_status_t (*open)(struct virtio_driver *driver, const char **step);
    void (*work)(struct virtio_driver *driver);           /* queues may have something */
    void (*config_changed)(struct virtio_driver *driver); /* may be NULL */

    struct ftl_device device;
    struct virtio virtio;
    struct ftl_mainloop loop;
    struct ftl_source interrupt;
};

/* Runs the driver until there will be no more clients. Returns the process's exit status. */
int virtio_driver_main(struct virtio_driver *driver);

/* Ends the driver, with a message: the device or the system has failed it. */
_Noreturn void virtio_driver_fail(struct virtio_driver *driver, const char *what,
                                  ftl_status_t status);

/* The same unless the status is FTL_OK. */
void virtio_driver_require(struct virtio_driver *driver, const char *what, ftl_status_t status);

/* Takes the next chain of a queue that the device is done with; false: there is none. */
bool virtio_driver_take(struct virtio_driver *driver, struct virtio_queue *queue, void **token,
                        uint32_t *written);

#endif
