/*
 * The interface to the network. Frames that come are lwIP's in place, in the memory that is shared
 * with the driver, until it frees them; frames to be sent are copied there once. A driver that ends
 * is connected to again; meanwhile the link is down, and addresses and connections stay.
 */
#include "device.h"

#include <ftl/channel.h>
#include <ftl/clock.h>
#include <ftl/handle.h>
#include <ftl/ipc.h>
#include <ftl/nic.h>
#include <ftl/notification.h>
#include <ftl/server.h>
#include <lwip/dhcp.h>
#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/netif.h>
#include <lwip/snmp.h>
#include <netif/ethernet.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_AT_ONCE 64                  /* that are taken before others have their turn */
#define FRAMES_KEPT    512                 /* that lwIP may have at the same time */
#define RETRY_MIN      INT64_C(50000000)   /* ns between attempts to find a driver: at first, */
#define RETRY_MAX      INT64_C(5000000000) /* and at last */
#define LINK_SPEED     1000000000u
#define ALIGNMENT      2 /* before a frame to be sent, so that what follows its header is aligned */

/* A driver, until lwIP has freed the last frame in its memory. */
struct driver {
    struct ftl_nic nic;
    struct ftl_source channel; /* messages of the driver, and its end */
    struct ftl_source bell;
    uint32_t frames; /* that lwIP has */
    bool has_ended;
};

/* A frame in the hands of lwIP. */
struct received {
    struct pbuf_custom pbuf; /* first: lwIP gives us its address back */
    struct received *next;   /* of those that are free */
    struct driver *driver;
    struct nic_frame frame;
};

static struct {
    struct ftl_mainloop *loop;
    struct netif netif;
    struct driver *driver; /* NULL: none at present */
    ftl_nsec_t retry;      /* when to look for one; FTL_TIME_INFINITE: there is none */
    ftl_nsec_t retry_interval;
    struct received frames[FRAMES_KEPT];
    struct received *free;
} device;

static ftl_nsec_t now(void)
{
    ftl_nsec_t time = 0;
    ftl_clock_get(&time);
    return time;
}

/* ---- Frames ---- */

static void free_driver(struct driver *driver)
{
    ftl_nic_detach(&driver->nic);
    free(driver);
}

static void free_received(struct pbuf *pbuf)
{
    struct received *received = (struct received *)(void *)pbuf;
    struct driver *driver = received->driver;
    received->next = device.free;
    device.free = received;
    driver->frames--;
    ftl_nic_release(&driver->nic, received->frame);
    if (driver->has_ended && driver->frames == 0) {
        free_driver(driver);
    }
}

/* Gives lwIP a frame; without room for it, it is dropped. */
static void input(struct driver *driver, struct nic_frame frame)
{
    struct received *received = device.free;
    if (received == NULL) {
        MIB2_STATS_NETIF_INC(&device.netif, ifindiscards);
        ftl_nic_release(&driver->nic, frame);
        return;
    }
    device.free = received->next;
    driver->frames++;
    received->driver = driver;
    received->frame = frame;
    received->pbuf.custom_free_function = free_received;
    struct pbuf *pbuf =
        pbuf_alloced_custom(PBUF_RAW, (uint16_t)frame.size, PBUF_REF, &received->pbuf,
                            driver->nic.frames + frame.offset, (uint16_t)frame.size);
    MIB2_STATS_NETIF_ADD(&device.netif, ifinoctets, pbuf->tot_len);
    MIB2_STATS_NETIF_INC(&device.netif, ifinucastpkts);
    if (device.netif.input(pbuf, &device.netif) != ERR_OK) {
        pbuf_free(pbuf);
    }
}

static err_t output(struct netif *netif, struct pbuf *data)
{
    uint32_t offset;
    struct driver *driver = device.driver;
    if (driver == NULL) {
        return ERR_IF;
    }
    if (data->tot_len + ALIGNMENT > driver->nic.buffer_size ||
        !ftl_nic_reserve(&driver->nic, &offset)) {
        MIB2_STATS_NETIF_INC(netif, ifoutdiscards);
        return ERR_MEM;
    }
    offset += ALIGNMENT;
    pbuf_copy_partial(data, driver->nic.frames + offset, data->tot_len, 0);
    ftl_nic_send(&driver->nic, (struct nic_frame){ .offset = offset, .size = data->tot_len });
    MIB2_STATS_NETIF_ADD(netif, ifoutoctets, data->tot_len);
    MIB2_STATS_NETIF_INC(netif, ifoutucastpkts);
    return ERR_OK;
}

/* ---- The driver ---- */

static void retry_later(void)
{
    device.retry = now() + device.retry_interval;
    device.retry_interval *= 2;
    if (device.retry_interval > RETRY_MAX) {
        device.retry_interval = RETRY_MAX;
    }
}

static void lose_driver(struct driver *driver)
{
    ftl_mainloop_remove(&driver->channel);
    ftl_mainloop_remove(&driver->bell);
    ftl_handle_close(driver->channel.handle);
    driver->has_ended = true;
    device.driver = NULL;
    device.retry_interval = RETRY_MIN;
    device.retry = now();
    netif_set_link_down(&device.netif);
    if (driver->frames == 0) {
        free_driver(driver);
    }
}

static void set_link(bool up)
{
    if (up) {
        netif_set_link_up(&device.netif);
    } else {
        netif_set_link_down(&device.netif);
    }
}

static void on_link(void *context, struct nic_link_event *event)
{
    (void)context;
    set_link(event->up);
}

static void on_bell(struct ftl_source *source, uint32_t signals)
{
    uint64_t former;
    (void)signals;
    ftl_notification_clear(source->handle, UINT64_MAX, &former); /* device_work() does the rest */
}

/* Takes one message of the driver. */
static ftl_status_t take_event(ftl_handle_t channel)
{
    static const struct nic_event_handlers handlers = { .link = on_link };
    struct nic_buffer buffer;
    struct ftl_message message = {
        .data = buffer.bytes,
        .capacity = sizeof(buffer.bytes),
        .handles = buffer.handles,
        .handle_capacity = NIC_HANDLES_MAX + 1,
    };
    ftl_status_t status = ftl_channel_recv(channel, &message, 0);
    return status == FTL_OK ? nic_handle_event(&handlers, NULL, &message) : status;
}

static void on_channel(struct ftl_source *source, uint32_t signals)
{
    ftl_status_t status = FTL_ERR_PEER_CLOSED;
    if ((signals & FTL_SIGNAL_READABLE) != 0) {
        status = take_event(source->handle);
    }
    if (status != FTL_OK && status != FTL_ERR_WOULD_BLOCK) {
        lose_driver(source->context);
    }
}

static ftl_status_t watch(struct driver *driver, ftl_handle_t channel)
{
    ftl_status_t status =
        ftl_mainloop_add(device.loop, &driver->channel, channel,
                         FTL_SIGNAL_READABLE | FTL_SIGNAL_PEER_CLOSED, on_channel, driver);
    if (status != FTL_OK) {
        return status;
    }
    status = ftl_mainloop_add(device.loop, &driver->bell, driver->nic.bell, FTL_SIGNAL_READABLE,
                              on_bell, driver);
    if (status != FTL_OK) {
        ftl_mainloop_remove(&driver->channel);
    }
    return status;
}

static ftl_status_t attach(struct driver *driver, ftl_handle_t channel, struct nic_info_reply *info)
{
    struct nic_buffer buffer;
    ftl_status_t status = nic_info(channel, info, &buffer, FTL_TIME_INFINITE);
    if (status != FTL_OK) {
        return status;
    }
    status = ftl_nic_attach(&driver->nic, channel);
    if (status != FTL_OK) {
        return status;
    }
    status = watch(driver, channel);
    if (status != FTL_OK) {
        ftl_nic_detach(&driver->nic);
    }
    return status;
}

/* Brings the interface up with what the driver says of it. */
static void set_up(const struct nic_info_reply *info)
{
    struct netif *netif = &device.netif;
    bool is_first = !netif_is_up(netif);
    memcpy(netif->hwaddr, info->address, sizeof(info->address));
    netif->mtu = info->mtu;
    netif->mtu6 = info->mtu;
    if (is_first) {
        netif_create_ip6_linklocal_address(netif, 1);
        netif_set_up(netif);
    }
    set_link(info->link);
    if (is_first) {
        dhcp_start(netif);
    }
}

static void find_driver(void)
{
    ftl_handle_t channel;
    struct nic_info_reply info;
    ftl_status_t status = ftl_service_connect(&nic_protocol, &channel);
    if (status != FTL_OK) {
        device.retry = FTL_TIME_INFINITE; /* there is no device */
        if (status != FTL_ERR_NOT_FOUND && status != FTL_ERR_NOT_SUPPORTED) {
            retry_later();
        }
        return;
    }
    struct driver *driver = calloc(1, sizeof(*driver));
    status = driver != NULL ? attach(driver, channel, &info) : FTL_ERR_NO_MEMORY;
    if (status != FTL_OK) {
        free(driver);
        ftl_handle_close(channel);
        retry_later();
        return;
    }
    device.driver = driver;
    device.retry = FTL_TIME_INFINITE;
    set_up(&info);
}

/* ---- lwIP's interface ---- */

static err_t init_netif(struct netif *netif)
{
    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->hostname = "ftl";
    netif->hwaddr_len = ETH_HWADDR_LEN;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_MLD6;
    netif->output = etharp_output;
    netif->output_ip6 = ethip6_output;
    netif->linkoutput = output;
    MIB2_INIT_NETIF(netif, snmp_ifType_ethernet_csmacd, LINK_SPEED);
    return ERR_OK;
}

void device_open(struct ftl_mainloop *loop)
{
    device.loop = loop;
    for (size_t i = 0; i < FRAMES_KEPT; i++) {
        device.frames[i].next = device.free;
        device.free = &device.frames[i];
    }
    netif_add_noaddr(&device.netif, NULL, init_netif, ethernet_input);
    netif_set_ip6_autoconfig_enabled(&device.netif, 1);
    netif_set_default(&device.netif);
    device.retry_interval = RETRY_MIN;
    find_driver();
}

bool device_work(void)
{
    struct nic_frame frame;
    if (device.driver == NULL) {
        if (now() < device.retry) {
            return true;
        }
        find_driver();
    }
    for (int i = 0; i < FRAMES_AT_ONCE && device.driver != NULL; i++) {
        if (!ftl_nic_receive(&device.driver->nic, &frame)) {
            return ftl_nic_arm(&device.driver->nic);
        }
        input(device.driver, frame);
    }
    return device.driver == NULL;
}

ftl_nsec_t device_deadline(void)
{
    return device.driver == NULL ? device.retry : FTL_TIME_INFINITE;
}
