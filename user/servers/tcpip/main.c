/*
 * The TCP/IP stack: lwIP on a main loop. Its clients are processes with sockets (server.c, protocol
 * `socket`), its device is a driver (device.c, protocol `nic`), its timers are the loop's deadline.
 * One thread does it all.
 */
#include <ftl/clock.h>
#include <lwip/init.h>
#include <lwip/ip.h>
#include <lwip/netif.h>
#include <lwip/snmp.h>
#include <lwip/timeouts.h>
#include <stdio.h>
#include <stdlib.h>

#include "device.h"
#include "port.h"
#include "server.h"

#define NSEC_PER_MSEC  INT64_C(1000000)
#define LOOPED_AT_ONCE 64 /* packets to ourselves before others have their turn */

/*
 * Takes the first packet out of an interface's queue of what this machine sends to itself; NULL: it
 * is empty. netif_poll() would go on until it is, which two sockets that always answer each other
 * can prevent.
 */
static struct pbuf *take_looped(struct netif *netif)
{
    struct pbuf *first = netif->loop_first;
    struct pbuf *last = first;
    uint16_t count = 1;
    if (first == NULL) {
        return NULL;
    }
    for (; last->len != last->tot_len; last = last->next) {
        count++;
    }
    netif->loop_first = last->next;
    if (netif->loop_first == NULL) {
        netif->loop_last = NULL;
    }
    netif->loop_cnt_current = (uint16_t)(netif->loop_cnt_current - count);
    last->next = NULL;
    first->if_idx = netif_get_index(netif);
    return first;
}

/* Passes on what this machine has sent to itself, and the answers to it. False: there is more. */
static bool loopback_work(void)
{
    for (int i = 0; i < LOOPED_AT_ONCE; i++) {
        struct netif *netif = netif_list;
        while (netif != NULL && netif->loop_first == NULL) {
            netif = netif->next;
        }
        if (netif == NULL) {
            return true;
        }
        struct pbuf *packet = take_looped(netif);
        MIB2_STATS_NETIF_ADD(netif, ifinoctets, packet->tot_len);
        MIB2_STATS_NETIF_INC(netif, ifinucastpkts);
        if (ip_input(packet, netif) != ERR_OK) {
            pbuf_free(packet);
        }
    }
    return false;
}

/* When lwIP or the device has something to do, unless something happens before. */
static ftl_nsec_t next_deadline(void)
{
    ftl_nsec_t now = 0;
    ftl_nsec_t deadline = device_deadline();
    uint32_t wait = sys_timeouts_sleeptime();
    if (wait != SYS_TIMEOUTS_SLEEPTIME_INFINITE) {
        ftl_clock_get(&now);
        now += wait * NSEC_PER_MSEC;
        deadline = now < deadline ? now : deadline;
    }
    return deadline;
}

static ftl_status_t run(struct ftl_mainloop *loop)
{
    ftl_status_t status = FTL_OK;
    while (!loop->stopped &&
           (status == FTL_OK || status == FTL_ERR_TIMED_OUT || status == FTL_ERR_WOULD_BLOCK)) {
        sys_check_timeouts();
        bool idle = loopback_work();
        idle &= device_work();
        idle &= loopback_work();
        status = ftl_mainloop_step(loop, idle ? next_deadline() : 0);
    }
    return status;
}

int main(void)
{
    struct ftl_server init;
    struct ftl_mainloop loop;
    port_seed();
    lwip_init();
    ftl_status_t status = ftl_mainloop_init(&loop);
    if (status == FTL_OK) {
        status = ftl_service_open(&init, &socket_server, &loop);
    }
    if (status == FTL_OK) {
        device_open(&loop);
        status = run(&loop);
        ftl_service_close(&init, &socket_server);
    }
    if (status != FTL_OK) {
        fprintf(stderr, "tcpip: %s\n", ftl_strerror(status));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
