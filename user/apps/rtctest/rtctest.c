/*
 * rtctest ADDRESS SOURCE [hold]: drives the goldfish RTC with its registers at this physical
 * address and its alarm at this interrupt source, and checks every way to wait for an interrupt.
 * With "hold": takes both and waits to be killed.
 */
#include <ftl/environ.h>
#include <ftl/handle.h>
#include <ftl/interrupt.h>
#include <ftl/notification.h>
#include <ftl/object.h>
#include <ftl/poll.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALARM_DELAY 2000000 /* ns */
#define BITS        0x5
#define WORD        77 /* of the poll's entry */

/* Registers, in words (Linux: drivers/rtc/rtc-goldfish.c names them alike; QEMU: goldfish_rtc). */
enum {
    TIME_LOW = 0x00 / 4, /* read first: latches the high half */
    TIME_HIGH = 0x04 / 4,
    ALARM_LOW = 0x08 / 4, /* written last: sets the alarm */
    ALARM_HIGH = 0x0c / 4,
    IRQ_ENABLED = 0x10 / 4,
    CLEAR_INTERRUPT = 0x1c / 4,
};

static volatile uint32_t *rtc;
static ftl_handle_t interrupt;

static void require(ftl_status_t status, ftl_status_t expected, const char *what)
{
    if (status != expected) {
        printf("rtctest: %s: %s\n", what, ftl_strerror(status));
        exit(EXIT_FAILURE);
    }
}

static void take_registers(ftl_handle_t system, uint64_t address)
{
    ftl_handle_t vmspace;
    ftl_handle_t vmo;
    uint64_t found;
    uintptr_t mapped;
    require(ftl_vmo_create_physical(system, address, FTL_PAGE_SIZE, &vmo), FTL_OK, "registers");
    require(ftl_vmo_physical_address(vmo, 4, &found), FTL_OK, "address");
    require(found == address + 4 ? FTL_OK : FTL_ERR_IO, FTL_OK, "value of the address");
    require(ftl_vmo_read(vmo, 0, &found, sizeof(found)), FTL_ERR_NOT_SUPPORTED, "vmo_read");
    require(ftl_vmspace_self(&vmspace), FTL_OK, "vmspace_self");
    require(
        ftl_vmspace_map(vmspace, vmo, 0, FTL_PAGE_SIZE, FTL_MAP_READ | FTL_MAP_WRITE, 0, &mapped),
        FTL_OK, "map");
    require(ftl_handle_close(vmo), FTL_OK, "close");
    rtc = (volatile uint32_t *)mapped;
}

/* The alarm goes off after the delay: with 0, which is past by then, at once. */
static void set_alarm(uint64_t delay)
{
    uint64_t low = rtc[TIME_LOW];
    uint64_t at = ((uint64_t)rtc[TIME_HIGH] << 32 | low) + delay;
    rtc[IRQ_ENABLED] = 1;
    rtc[ALARM_HIGH] = (uint32_t)(at >> 32);
    rtc[ALARM_LOW] = (uint32_t)at;
}

static ftl_status_t wait_readable(ftl_nsec_t deadline)
{
    struct ftl_wait_item item = { .handle = interrupt, .interest = FTL_SIGNAL_READABLE };
    size_t ready;
    return ftl_object_wait(&item, 1, deadline, &ready);
}

static void quiet(void)
{
    rtc[CLEAR_INTERRUPT] = 1;
    require(ftl_interrupt_ack(interrupt), FTL_OK, "ack");
}

static void test_wait(void)
{
    require(wait_readable(0), FTL_ERR_TIMED_OUT, "no interrupt yet");
    for (int i = 0; i < 3; i++) {
        set_alarm(ALARM_DELAY);
        require(wait_readable(FTL_TIME_INFINITE), FTL_OK, "alarm");
        quiet();
        require(wait_readable(0), FTL_ERR_TIMED_OUT, "quiet after the alarm");
    }
    /* What comes while the source is masked is not lost. */
    set_alarm(0);
    require(wait_readable(FTL_TIME_INFINITE), FTL_OK, "alarm of the past");
    rtc[CLEAR_INTERRUPT] = 1;
    set_alarm(0);
    require(ftl_interrupt_ack(interrupt), FTL_OK, "ack of the first");
    require(wait_readable(FTL_TIME_INFINITE), FTL_OK, "second alarm");
    quiet();
}

static void test_poll(void)
{
    ftl_handle_t poll;
    uint64_t entry;
    struct ftl_poll_event event;
    size_t count;
    require(ftl_poll_create(&poll), FTL_OK, "poll");
    require(ftl_poll_add(poll, interrupt, FTL_SIGNAL_READABLE, WORD, &entry), FTL_OK, "poll_add");
    set_alarm(ALARM_DELAY);
    require(ftl_poll_wait(poll, &event, 1, FTL_TIME_INFINITE, &count), FTL_OK, "poll_wait");
    require(event.word == WORD ? FTL_OK : FTL_ERR_IO, FTL_OK, "word of the event");
    quiet();
    require(ftl_poll_wait(poll, &event, 1, 0, &count), FTL_ERR_WOULD_BLOCK, "nothing to report");
    require(ftl_handle_close(poll), FTL_OK, "close");
}

static void test_notification(void)
{
    ftl_handle_t notification;
    uint64_t bits;
    require(ftl_notification_create(&notification), FTL_OK, "notification");
    require(ftl_interrupt_bind(interrupt, notification, BITS), FTL_OK, "bind");
    set_alarm(ALARM_DELAY);
    require(ftl_notification_wait(notification, BITS, FTL_TIME_INFINITE, &bits), FTL_OK, "bits");
    require(bits == BITS ? FTL_OK : FTL_ERR_IO, FTL_OK, "value of the bits");
    quiet();
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: rtctest ADDRESS SOURCE [hold]\n");
        return EXIT_FAILURE;
    }
    ftl_handle_t system = ftl_environ_take(ftl_environ(), "system");
    uint32_t source = (uint32_t)strtoul(argv[2], NULL, 0);
    take_registers(system, strtoul(argv[1], NULL, 0));
    require(ftl_interrupt_create(system, source, &interrupt), FTL_OK, "interrupt");
    if (argc > 3 && strcmp(argv[3], "hold") == 0) {
        printf("holding\n");
        return wait_readable(FTL_TIME_INFINITE) == FTL_OK ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    ftl_handle_t second;
    require(ftl_interrupt_create(system, source, &second), FTL_ERR_EXISTS, "taken source");
    require(ftl_interrupt_create(system, UINT32_MAX, &second), FTL_ERR_INVALID_ARGUMENT,
            "no source");
    test_wait();
    test_poll();
    test_notification();
    printf("all alarms came\n");
    return EXIT_SUCCESS; /* with all handles open */
}
