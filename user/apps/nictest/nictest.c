/*
 * nictest info|arp COUNT|hostile|stay: a client of the network interface. `arp` asks who
 * has the IPv4 address, and waits for the answer, COUNT times; `hostile` gives the driver what no
 * client should; `stay` attaches and asks again and again, also a driver that was started anew.
 */
#include <ftl/handle.h>
#include <ftl/nic.h>
#include <ftl/notification.h>
#include <ftl/object.h>
#include <ftl/server.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARP_SIZE    42u
#define FRAME_SIZE  60u /* the least that Ethernet sends */
#define ARP_TYPE    0x0806
#define ARP_REQUEST 1
#define ARP_REPLY   2
#define OUR_ADDRESS "\x0a\x00\x02\x0f" /* of QEMU's user network: 10.0.2.15 */

/* Offsets in an ARP packet for IPv4 over Ethernet, with the Ethernet header before it (RFC 826). */
enum {
    TYPE = 12,
    OPERATION = 20,
    SENDER_MAC = 22,
    SENDER_IP = 28,
    TARGET_IP = 38,
};

static struct ftl_nic nic;
static struct nic_info_reply own;

static void require(ftl_status_t status, const char *what)
{
    if (status != FTL_OK) {
        printf("nictest: %s: %s\n", what, ftl_strerror(status));
        exit(EXIT_FAILURE);
    }
}

static ftl_handle_t connect_nic(void)
{
    ftl_handle_t channel;
    struct nic_buffer buffer;
    require(ftl_service_connect(&nic_protocol, &channel), "connect");
    require(nic_info(channel, &own, &buffer, FTL_TIME_INFINITE), "info");
    return channel;
}

static void attach(void)
{
    require(ftl_nic_attach(&nic, connect_nic()), "attach");
}

static void detach(void)
{
    ftl_handle_t channel = nic.channel;
    ftl_nic_detach(&nic);
    ftl_handle_close(channel);
}

static void show_info(void)
{
    struct nic_buffer buffer;
    struct nic_counters_reply counters;
    ftl_handle_t channel = connect_nic();
    require(nic_counters(channel, &counters, &buffer, FTL_TIME_INFINITE), "counters");
    printf("address %02x:%02x:%02x:%02x:%02x:%02x, link %s, mtu %d\n", own.address[0],
           own.address[1], own.address[2], own.address[3], own.address[4], own.address[5],
           own.link ? "up" : "down", own.mtu);
    printf("received %" PRIu64 ", sent %" PRIu64 ", dropped %" PRIu64 "\n", counters.received,
           counters.sent, counters.dropped);
}

/* ---- ARP ---- */

static void put16(char *at, unsigned value)
{
    at[0] = (char)(value >> 8);
    at[1] = (char)value;
}

static unsigned get16(const char *at)
{
    return (unsigned)(uint8_t)at[0] << 8 | (uint8_t)at[1];
}

static void make_request(char *frame, const char target[4])
{
    memset(frame, 0, FRAME_SIZE);
    memset(frame, 0xff, 6);
    memcpy(frame + 6, own.address, 6);
    put16(frame + TYPE, ARP_TYPE);
    put16(frame + 14, 1);      /* Ethernet */
    put16(frame + 16, 0x0800); /* IPv4 */
    frame[18] = 6;
    frame[19] = 4;
    put16(frame + OPERATION, ARP_REQUEST);
    memcpy(frame + SENDER_MAC, own.address, 6);
    memcpy(frame + SENDER_IP, OUR_ADDRESS, 4);
    memcpy(frame + TARGET_IP, target, 4);
}

static bool is_answer(const char *frame, uint32_t size, const char target[4])
{
    return size >= ARP_SIZE && get16(frame + TYPE) == ARP_TYPE &&
           get16(frame + OPERATION) == ARP_REPLY && memcmp(frame + SENDER_IP, target, 4) == 0;
}

/* Waits for the bell, or for the driver's end: PEER_CLOSED. */
static ftl_status_t wait(void)
{
    size_t ready;
    uint64_t former;
    struct ftl_wait_item items[] = {
        { .handle = nic.bell, .interest = FTL_SIGNAL_READABLE },
        { .handle = nic.channel, .interest = FTL_SIGNAL_PEER_CLOSED },
    };
    if (ftl_nic_arm(&nic)) {
        ftl_status_t status = ftl_object_wait(items, 2, FTL_TIME_INFINITE, &ready);
        if (status != FTL_OK || (items[1].signals & FTL_SIGNAL_PEER_CLOSED) != 0) {
            return status == FTL_OK ? FTL_ERR_PEER_CLOSED : status;
        }
        ftl_notification_clear(nic.bell, UINT64_MAX, &former);
    }
    return FTL_OK;
}

static ftl_status_t send_request(const char target[4])
{
    uint32_t offset;
    while (!ftl_nic_reserve(&nic, &offset)) {
        ftl_status_t status = wait();
        if (status != FTL_OK) {
            return status;
        }
    }
    make_request(nic.frames + offset, target);
    ftl_nic_send(&nic, (struct nic_frame){ .offset = offset, .size = FRAME_SIZE });
    return FTL_OK;
}

/* Takes frames until one is the answer. */
static ftl_status_t await_answer(const char target[4])
{
    for (;;) {
        struct nic_frame frame;
        while (ftl_nic_receive(&nic, &frame)) {
            bool answer = is_answer(nic.frames + frame.offset, frame.size, target);
            ftl_nic_release(&nic, frame);
            if (answer) {
                return FTL_OK;
            }
        }
        ftl_status_t status = wait();
        if (status != FTL_OK) {
            return status;
        }
    }
}

static ftl_status_t ask(const char target[4])
{
    ftl_status_t status = send_request(target);
    return status == FTL_OK ? await_answer(target) : status;
}

static void arp(unsigned long count)
{
    attach();
    for (unsigned long i = 0; i < count; i++) {
        require(ask("\x0a\x00\x02\x02"), "ask");
    }
    detach();
    printf("%lu answers\n", count);
}

/* ---- A driver that ends, a client that is hostile ---- */

static _Noreturn void stay(void)
{
    for (;;) {
        attach();
        printf("attached\n");
        fflush(stdout);
        while (ask("\x0a\x00\x02\x02") == FTL_OK) {
        }
        detach();
        printf("the driver has ended\n");
    }
}

static void hostile(void)
{
    struct ftl_ring *transmit;
    struct ftl_ring *returned;
    attach();
    transmit = &nic.rings[FTL_NIC_TRANSMIT];
    returned = &nic.rings[FTL_NIC_RETURNED];
    srand(1);
    for (int i = 0; i < 20000; i++) {
        struct nic_frame frame = {
            .offset = (uint32_t)rand() % (1u << (rand() % 32)),
            .size = (uint32_t)rand() % (1u << (rand() % 32)),
        };
        ftl_nic_put(rand() % 2 != 0 ? transmit : returned, frame);
        ftl_notification_signal(nic.driver_bell, 1);
    }
    memset(nic.ring_memory, 0xff, ftl_nic_rings_size(nic.slots));
    ftl_notification_signal(nic.driver_bell, UINT64_MAX);
    ftl_nic_detach(&nic); /* in the middle of it */
    printf("done\n");
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "info") == 0) {
        show_info();
    } else if (strcmp(what, "arp") == 0 && argc == 3) {
        arp(strtoul(argv[2], NULL, 10));
    } else if (strcmp(what, "stay") == 0) {
        stay();
    } else if (strcmp(what, "hostile") == 0) {
        hostile();
    } else {
        fprintf(stderr, "usage: nictest info|arp COUNT|stay|hostile\n");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
