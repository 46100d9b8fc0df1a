/*
 * Frames on their way: see virtio_net.h. A receive buffer is the device's or the client's, a
 * transmit buffer too, and the account of that is kept here: a client that returns or sends what it
 * does not have is not heard.
 */
#include <ftl/notification.h>

#include "virtio_net.h"

#define ROUNDS_MAX 8 /* before others have their turn */

/* Bytes from one received frame's header to the next: more than any header takes. */
#define HEADER_STRIDE 16u

/* A token is the number of a buffer, plus 1, lest it be NULL. */
static void *token_of(uint32_t buffer)
{
    return (void *)(uintptr_t)(buffer + 1);
}

static uint32_t buffer_of(const void *token)
{
    return (uint32_t)((uintptr_t)token - 1);
}

/* ---- Receiving ---- */

static void post(struct interface *interface, uint32_t buffer)
{
    uint32_t offset = buffer * BUFFER_SIZE + FTL_NIC_RECEIVE_OFFSET;
    const struct virtio_piece pieces[] = {
        { interface->headers + (uint64_t)buffer * HEADER_STRIDE, interface->header_size, true },
        { interface->frames->address + offset, BUFFER_SIZE - FTL_NIC_RECEIVE_OFFSET, true },
    };
    virtio_queue_add(&interface->receive, pieces, 2, token_of(buffer)); /* there is always room */
    interface->posted++;
}

void frames_take_back(struct interface *interface)
{
    for (uint32_t i = 0; i < RECEIVE_BUFFERS; i++) {
        if (interface->lent[i]) {
            interface->lent[i] = false;
            post(interface, i);
        }
    }
}

/* Gives a received frame to the client. False: there is nobody to have it. */
static bool deliver(struct interface *interface, uint32_t buffer, uint32_t written)
{
    if (interface->attached.client == NULL || written < interface->header_size + FRAME_MIN) {
        return false;
    }
    struct nic_frame frame = {
        .offset = buffer * BUFFER_SIZE + FTL_NIC_RECEIVE_OFFSET,
        .size = written - interface->header_size,
    };
    if (!ftl_nic_put(&interface->attached.rings[FTL_NIC_RECEIVED], frame)) {
        return false;
    }
    interface->lent[buffer] = true;
    interface->counters.received++;
    interface->counters.received_bytes += frame.size;
    return true;
}

static void receive(struct interface *interface)
{
    void *token;
    uint32_t written;
    while (virtio_driver_take(&interface->driver, &interface->receive, &token, &written)) {
        interface->posted--;
        if (!deliver(interface, buffer_of(token), written)) {
            interface->counters.dropped++;
            post(interface, buffer_of(token));
        }
    }
}

static void take_returned(struct interface *interface)
{
    struct nic_frame frame;
    while (ftl_nic_take(&interface->attached.rings[FTL_NIC_RETURNED], &frame)) {
        uint32_t buffer = frame.offset / BUFFER_SIZE;
        if (buffer < RECEIVE_BUFFERS && interface->lent[buffer]) {
            interface->lent[buffer] = false;
            post(interface, buffer);
        }
    }
}

/* ---- Sending ---- */

/* Whether the frame is one, in a buffer that the client may send from: its number in *buffer. */
static bool may_send(const struct interface *interface, struct nic_frame frame, uint32_t *buffer)
{
    uint32_t index = frame.offset / BUFFER_SIZE;
    uint32_t within = frame.offset % BUFFER_SIZE;
    *buffer = index - RECEIVE_BUFFERS;
    return index >= RECEIVE_BUFFERS && index < RECEIVE_BUFFERS + TRANSMIT_BUFFERS &&
           !interface->in_flight[*buffer] && frame.size >= FRAME_MIN &&
           frame.size <= BUFFER_SIZE - within;
}

static void take_transmit(struct interface *interface)
{
    struct nic_frame frame;
    uint32_t buffer;
    while (interface->transmit.free_count >= 2 &&
           ftl_nic_take(&interface->attached.rings[FTL_NIC_TRANSMIT], &frame)) {
        if (!may_send(interface, frame, &buffer)) {
            continue;
        }
        const struct virtio_piece pieces[] = {
            { interface->headers + (uint64_t)RECEIVE_BUFFERS * HEADER_STRIDE,
              interface->header_size, false },
            { interface->frames->address + frame.offset, frame.size, false },
        };
        virtio_queue_add(&interface->transmit, pieces, 2, token_of(buffer));
        interface->in_flight[buffer] = true;
        interface->sent_sizes[buffer] = frame.size;
    }
}

static void take_sent(struct interface *interface)
{
    void *token;
    uint32_t written;
    while (virtio_driver_take(&interface->driver, &interface->transmit, &token, &written)) {
        uint32_t buffer = buffer_of(token);
        struct nic_frame frame = { .offset = (RECEIVE_BUFFERS + buffer) * BUFFER_SIZE };
        interface->in_flight[buffer] = false;
        interface->counters.sent++;
        interface->counters.sent_bytes += interface->sent_sizes[buffer];
        if (interface->attached.client != NULL) {
            ftl_nic_put(&interface->attached.rings[FTL_NIC_TRANSMITTED], frame);
        }
    }
}

/* ---- All of it ---- */

/* Asks for interrupts. Those for sent frames only when most buffers are on their way: with fewer,
 * nobody can be waiting for them. False: something has come already. */
static bool arm_device(struct interface *interface)
{
    bool waits_for_sent = interface->transmit.free_count < QUEUE_ENTRIES / 4;
    bool quiet = virtio_queue_interrupts(&interface->receive, true);
    if (waits_for_sent) {
        quiet &= virtio_queue_interrupts(&interface->transmit, true);
    }
    return quiet;
}

/* The same for the client's bell. Buffers that come back are of interest only when the device is
 * running out of them: else they are looked for with the next frame. */
static bool arm_client(struct interface *interface)
{
    const struct ftl_ring *rings = interface->attached.rings;
    if (interface->attached.client == NULL) {
        return true;
    }
    bool quiet = interface->transmit.free_count < 2 || ftl_ring_arm(&rings[FTL_NIC_TRANSMIT]);
    if (interface->posted < RECEIVE_BUFFERS / 2) {
        quiet &= ftl_ring_arm(&rings[FTL_NIC_RETURNED]);
    }
    return quiet;
}

static void move_once(struct interface *interface)
{
    uint16_t posted = interface->receive.available_index;
    uint16_t given = interface->transmit.available_index;
    take_sent(interface);
    if (interface->attached.client != NULL) {
        take_transmit(interface);
        take_returned(interface);
    }
    if (interface->transmit.available_index != given) {
        virtio_queue_notify(&interface->transmit);
    }
    receive(interface);
    if (interface->receive.available_index != posted) {
        virtio_queue_notify(&interface->receive);
    }
}

void frames_move(struct interface *interface)
{
    virtio_queue_interrupts(&interface->receive, false);
    virtio_queue_interrupts(&interface->transmit, false);
    for (int rounds = 0; rounds < ROUNDS_MAX; rounds++) {
        move_once(interface);
        bool device_quiet = arm_device(interface);
        bool client_quiet = arm_client(interface);
        if (device_quiet && client_quiet) {
            return;
        }
    }
    ftl_notification_signal(interface->bell.handle, 1); /* go on after the others */
}
