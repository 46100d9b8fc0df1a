/*
 * Driver of the goldfish RTC (Android Goldfish Virtual Platform, "Real time clock"): a counter of
 * nanoseconds since 1970. Tells the kernel the time once, with the handle `clock`, then serves the
 * protocol of that name.
 */
#include <ftl/clock.h>
#include <ftl/device.h>
#include <ftl/environ.h>
#include <ftl/protocols/clock.h>
#include <ftl/server.h>
#include <stdio.h>
#include <stdlib.h>

/* Registers, in words. */
enum {
    TIME_LOW = 0x00 / 4,  /* read first: latches the high half; written last: sets both */
    TIME_HIGH = 0x04 / 4, /* the other way round */
    REGISTERS_END = 0x08,
};

#define HIGH_SHIFT 32

static volatile uint32_t *registers;
static ftl_handle_t kernel_clock;

static ftl_nsec_t read_time(void)
{
    uint64_t low = registers[TIME_LOW];
    return (ftl_nsec_t)((uint64_t)registers[TIME_HIGH] << HIGH_SHIFT | low);
}

static ftl_status_t read_clock(void *context, struct clock_read_reply *reply)
{
    (void)context;
    reply->time = read_time();
    return FTL_OK;
}

static ftl_status_t set_clock(void *context, struct clock_set_request *request)
{
    (void)context;
    ftl_status_t status = ftl_clock_set(kernel_clock, request->time);
    if (status == FTL_OK) {
        registers[TIME_HIGH] = (uint32_t)((uint64_t)request->time >> HIGH_SHIFT);
        registers[TIME_LOW] = (uint32_t)request->time;
    }
    return status;
}

static ftl_status_t open_clock(void)
{
    struct ftl_device device;
    ftl_status_t status = ftl_environ_take_device(&device);
    if (status != FTL_OK) {
        return status;
    }
    if (device.registers_size < REGISTERS_END) {
        return FTL_ERR_NOT_SUPPORTED;
    }
    ftl_ipc_drop(&device.interrupt); /* of alarms, which nobody sets */
    registers = device.registers;
    kernel_clock = ftl_environ_take(ftl_environ(), "clock");
    return ftl_clock_set(kernel_clock, read_time());
}

int main(void)
{
    static const struct clock_handlers handlers = { .read = read_clock, .set = set_clock };
    struct ftl_server server = { .protocol = &clock_protocol, .handlers = &handlers };
    ftl_status_t status = open_clock();
    if (status == FTL_OK) {
        status = ftl_service_run(&server);
    }
    if (status != FTL_OK) {
        fprintf(stderr, "goldfish_rtc: %s\n", ftl_strerror(status));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
