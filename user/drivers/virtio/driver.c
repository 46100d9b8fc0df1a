/* What all drivers of virtio devices do alike: see driver.h. */
#include "driver.h"

#include <ftl/interrupt.h>
#include <stdio.h>
#include <stdlib.h>

_Noreturn void virtio_driver_fail(struct virtio_driver *driver, const char *what,
                                  ftl_status_t status)
{
    if (driver->virtio.registers != NULL) {
        virtio_fail(&driver->virtio);
    }
    fprintf(stderr, "%s: %s: %s: %s\n", driver->name,
            driver->device.node != NULL ? driver->device.node : "no device", what,
            ftl_strerror(status));
    exit(EXIT_FAILURE);
}

void virtio_driver_require(struct virtio_driver *driver, const char *what, ftl_status_t status)
{
    if (status != FTL_OK) {
        virtio_driver_fail(driver, what, status);
    }
}

bool virtio_driver_take(struct virtio_driver *driver, struct virtio_queue *queue, void **token,
                        uint32_t *written)
{
    ftl_status_t status = virtio_queue_take(queue, token, written);
    if (status == FTL_ERR_WOULD_BLOCK) {
        return false;
    }
    virtio_driver_require(driver, "what the device says of a queue", status);
    return true;
}

static void on_interrupt(struct ftl_source *source, uint32_t signals)
{
    struct virtio_driver *driver = source->context;
    (void)signals;
    uint32_t bits = virtio_take_interrupt(&driver->virtio);
    ftl_interrupt_ack(source->handle);
    if ((bits & VIRTIO_INTERRUPT_CONFIG) != 0 && driver->config_changed != NULL) {
        driver->config_changed(driver);
    }
    driver->work(driver);
}

static void open_device(struct virtio_driver *driver)
{
    const char *step = "setting up the device";
    virtio_driver_require(driver, "taking the device", ftl_environ_take_device(&driver->device));
    virtio_driver_require(
        driver, "agreeing with the device",
        virtio_open(&driver->virtio, &driver->device, driver->id, driver->features));
    ftl_status_t status = driver->open(driver, &step);
    virtio_driver_require(driver, step, status);
}

int virtio_driver_main(struct virtio_driver *driver)
{
    struct ftl_server clients;
    virtio_driver_require(driver, "making a main loop", ftl_mainloop_init(&driver->loop));
    open_device(driver);
    virtio_driver_require(driver, "waiting for interrupts",
                          ftl_mainloop_add(&driver->loop, &driver->interrupt,
                                           driver->device.interrupt, FTL_SIGNAL_READABLE,
                                           on_interrupt, driver));
    virtio_driver_require(driver, "serving clients",
                          ftl_service_open(&clients, driver->server, &driver->loop));
    virtio_start(&driver->virtio);
    driver->work(driver);
    virtio_driver_require(driver, "waiting for clients", ftl_mainloop_run(&driver->loop));
    return EXIT_SUCCESS;
}
