/* The device, and the protocol `nic`: see virtio_net.h. */
#include "virtio_net.h"

#include <ftl/handle.h>
#include <ftl/notification.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <string.h>

/* Features (5.1.3). */
#define FEATURE_MAC    (UINT64_C(1) << 5)
#define FEATURE_STATUS (UINT64_C(1) << 16)

/* Configuration (5.1.4). */
#define CONFIG_MAC         0
#define CONFIG_STATUS      6
#define CONFIG_STATUS_SIZE 2
#define STATUS_LINK_UP     1u

/* Queues (5.1.2). */
#define QUEUE_RECEIVE  0
#define QUEUE_TRANSMIT 1

/* Bytes of the header before each frame (5.1.6), of which nothing is asked but that it is there. */
#define HEADER_SIZE        12u
#define HEADER_SIZE_LEGACY 10u

#define MTU 1500u

#define SHARED_RIGHTS (FTL_RIGHT_READ | FTL_RIGHT_WRITE | FTL_RIGHT_MAP | FTL_RIGHT_TRANSFER)
#define BELL_RIGHTS   (FTL_RIGHT_READ | FTL_RIGHT_WRITE | FTL_RIGHT_WAIT | FTL_RIGHT_TRANSFER)

static struct interface interface;

/* ---- The client ---- */

static size_t rings_size(void)
{
    return (ftl_nic_rings_size(RING_SLOTS) + FTL_PAGE_SIZE - 1) & ~(size_t)(FTL_PAGE_SIZE - 1);
}

static ftl_status_t map_rings(struct attached *attached)
{
    ftl_handle_t vmspace;
    uintptr_t address;
    ftl_status_t status = ftl_vmo_create(rings_size(), &attached->ring_vmo);
    if (status != FTL_OK) {
        return status;
    }
    status = ftl_vmspace_self(&vmspace);
    if (status != FTL_OK) {
        return status;
    }
    status = ftl_vmspace_map(vmspace, attached->ring_vmo, 0, rings_size(),
                             FTL_MAP_READ | FTL_MAP_WRITE, 0, &address);
    ftl_handle_close(vmspace);
    if (status == FTL_OK) {
        attached->ring_memory = (void *)address;
    }
    return status;
}

static void unmap_rings(struct attached *attached)
{
    ftl_handle_t vmspace;
    if (attached->ring_memory != NULL && ftl_vmspace_self(&vmspace) == FTL_OK) {
        ftl_vmspace_unmap(vmspace, (uintptr_t)attached->ring_memory, rings_size());
        ftl_handle_close(vmspace);
    }
    ftl_ipc_drop(&attached->ring_vmo);
    attached->ring_memory = NULL;
}

/* Makes empty rings and opens our ends; what was made stays for close_attached() on an error. */
static ftl_status_t open_attached(struct attached *attached)
{
    ftl_status_t status = map_rings(attached);
    if (status != FTL_OK) {
        return status;
    }
    size_t size = ftl_nic_rings_size(RING_SLOTS) / FTL_NIC_RINGS;
    for (size_t i = 0; i < FTL_NIC_RINGS; i++) {
        ftl_ring_format((char *)attached->ring_memory + i * size, sizeof(struct nic_frame),
                        RING_SLOTS);
    }
    status = ftl_notification_create(&attached->client_bell);
    if (status != FTL_OK) {
        return status;
    }
    return ftl_nic_rings_open(attached->rings, attached->ring_memory, RING_SLOTS, true,
                              interface.bell.handle, attached->client_bell);
}

static void close_attached(struct attached *attached)
{
    unmap_rings(attached);
    ftl_ipc_drop(&attached->client_bell);
}

/* The client's own handles; on an error it gets none. */
static ftl_status_t share(const struct attached *attached, struct nic_attach_reply *reply)
{
    ftl_status_t status =
        ftl_handle_duplicate(interface.frames->vmo, SHARED_RIGHTS, &reply->frames);
    if (status == FTL_OK) {
        status = ftl_handle_duplicate(attached->ring_vmo, SHARED_RIGHTS, &reply->rings);
    }
    if (status == FTL_OK) {
        status = ftl_handle_duplicate(attached->client_bell, BELL_RIGHTS, &reply->client_bell);
    }
    if (status == FTL_OK) {
        status = ftl_handle_duplicate(interface.bell.handle, FTL_RIGHT_WRITE | FTL_RIGHT_TRANSFER,
                                      &reply->driver_bell);
    }
    if (status != FTL_OK) {
        ftl_ipc_drop(&reply->frames);
        ftl_ipc_drop(&reply->rings);
        ftl_ipc_drop(&reply->client_bell);
    }
    return status;
}

static ftl_status_t attach(void *context, struct nic_attach_reply *reply)
{
    struct attached *attached = &interface.attached;
    if (attached->client != NULL) {
        return FTL_ERR_EXISTS;
    }
    *reply = (struct nic_attach_reply){
        .buffer_size = BUFFER_SIZE,
        .receive_buffers = RECEIVE_BUFFERS,
        .transmit_buffers = TRANSMIT_BUFFERS,
        .slots = RING_SLOTS,
    };
    ftl_status_t status = open_attached(attached);
    if (status != FTL_OK) {
        close_attached(attached);
        return status;
    }
    status = share(attached, reply);
    if (status != FTL_OK) {
        ftl_nic_rings_close(attached->rings);
        close_attached(attached);
        return status;
    }
    attached->client = context;
    frames_move(&interface);
    return FTL_OK;
}

static void client_gone(struct ftl_client *client)
{
    struct attached *attached = &interface.attached;
    if (attached->client != client) {
        return;
    }
    attached->client = NULL;
    ftl_nic_rings_close(attached->rings);
    close_attached(attached);
    frames_take_back(&interface);
    virtio_queue_notify(&interface.receive);
}

static ftl_status_t info(void *context, struct nic_info_reply *reply)
{
    (void)context;
    memcpy(reply->address, interface.address, sizeof(reply->address));
    reply->link = interface.link;
    reply->mtu = MTU;
    return FTL_OK;
}

static ftl_status_t counters(void *context, struct nic_counters_reply *reply)
{
    (void)context;
    *reply = (struct nic_counters_reply){
        .received = interface.counters.received,
        .sent = interface.counters.sent,
        .dropped = interface.counters.dropped,
        .received_bytes = interface.counters.received_bytes,
        .sent_bytes = interface.counters.sent_bytes,
    };
    return FTL_OK;
}

/* ---- The device ---- */

static void on_bell(struct ftl_source *source, uint32_t signals)
{
    uint64_t former;
    (void)signals;
    ftl_notification_clear(source->handle, UINT64_MAX, &former);
    frames_move(&interface);
}

static void work(struct virtio_driver *driver)
{
    (void)driver;
    frames_move(&interface);
}

/* Without the feature, a device is always connected. */
static bool read_link(const struct virtio *virtio)
{
    uint8_t status[CONFIG_STATUS_SIZE];
    if ((virtio->features & FEATURE_STATUS) == 0 ||
        virtio_config(virtio, CONFIG_STATUS, status, sizeof(status)) != FTL_OK) {
        return true;
    }
    return (virtio_number(status, sizeof(status)) & STATUS_LINK_UP) != 0;
}

static void config_changed(struct virtio_driver *driver)
{
    struct nic_buffer buffer;
    bool link = read_link(&driver->virtio);
    if (link == interface.link) {
        return;
    }
    interface.link = link;
    struct nic_link_event message = { .up = link };
    for (struct ftl_client *client = driver->server->clients; client != NULL;
         client = client->next) {
        nic_link(client->source.handle, &message, &buffer, 0); /* who does not listen may ask */
    }
}

static ftl_status_t open_queues(struct virtio_driver *driver)
{
    const struct ftl_device_memory *memory = &driver->device.memory[0];
    size_t headers = (size_t)2 * VIRTIO_QUEUE_SIZE(QUEUE_ENTRIES);
    interface.headers = memory->address + headers;
    ftl_status_t status = virtio_queue_open(&interface.receive, &driver->virtio, QUEUE_RECEIVE,
                                            QUEUE_ENTRIES, memory, 0);
    if (status == FTL_OK) {
        status = virtio_queue_open(&interface.transmit, &driver->virtio, QUEUE_TRANSMIT,
                                   QUEUE_ENTRIES, memory, VIRTIO_QUEUE_SIZE(QUEUE_ENTRIES));
    }
    if (status == FTL_OK && (interface.receive.size < QUEUE_ENTRIES ||
                             memory->size < headers + VIRTIO_QUEUE_ALIGNMENT)) {
        status = FTL_ERR_NOT_SUPPORTED;
    }
    return status;
}

static ftl_status_t make_bell(struct virtio_driver *driver)
{
    ftl_handle_t bell;
    ftl_status_t status = ftl_notification_create(&bell);
    if (status == FTL_OK) {
        status = ftl_mainloop_add(&driver->loop, &interface.bell, bell, FTL_SIGNAL_READABLE,
                                  on_bell, &interface);
    }
    return status;
}

static ftl_status_t open_interface(struct virtio_driver *driver, const char **step)
{
    interface.frames = &driver->device.memory[1];
    interface.header_size = driver->virtio.legacy ? HEADER_SIZE_LEGACY : HEADER_SIZE;
    *step = "reading its address";
    if ((driver->virtio.features & FEATURE_MAC) == 0) {
        return FTL_ERR_NOT_SUPPORTED;
    }
    ftl_status_t status =
        virtio_config(&driver->virtio, CONFIG_MAC, interface.address, sizeof(interface.address));
    if (status != FTL_OK) {
        return status;
    }
    interface.link = read_link(&driver->virtio);
    *step = "setting up its queues";
    status = open_queues(driver);
    if (status == FTL_OK) {
        status = make_bell(driver);
    }
    if (status == FTL_OK) {
        memset(interface.lent, true, sizeof(interface.lent));
        frames_take_back(&interface);
    }
    return status;
}

int main(void)
{
    static const struct nic_handlers handlers = {
        .info = info,
        .attach = attach,
        .counters = counters,
    };
    static struct ftl_server server = {
        .protocol = &nic_protocol,
        .handlers = &handlers,
        .closed = client_gone,
    };
    interface.driver = (struct virtio_driver){
        .name = "virtio_net",
        .id = VIRTIO_ID_NET,
        .features = FEATURE_MAC | FEATURE_STATUS,
        .server = &server,
        .open = open_interface,
        .work = work,
        .config_changed = config_changed,
    };
    return virtio_driver_main(&interface.driver);
}
