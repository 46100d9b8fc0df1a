/* What there is to tell of lwIP's interfaces: see interfaces.h. */
#include "interfaces.h"

#include <lwip/dns.h>
#include <lwip/netif.h>
#include <lwip/snmp.h>
#include <stdio.h>
#include <string.h>

#include "socket.h"

#define NAME_SIZE     16
#define ADDRESSES_MAX 8
#define DNS_PORT      53

static bool has(const struct netif *netif, const ip_addr_t *address)
{
    if (!IP_IS_V6(address)) {
        /* 127.0.0.0/8 is all of it the loopback's. */
        return ip4_addr_cmp(netif_ip4_addr(netif), ip_2_ip4(address)) ||
               ip4_addr_isloopback(ip_2_ip4(address));
    }
    for (int i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
        if (ip6_addr_isvalid(netif_ip6_addr_state(netif, i)) &&
            ip6_addr_cmp_zoneless(netif_ip6_addr(netif, i), ip_2_ip6(address))) {
            return true;
        }
    }
    return false;
}

bool interfaces_have(const ip_addr_t *address)
{
    for (const struct netif *netif = netif_list; netif != NULL; netif = netif->next) {
        if (has(netif, address)) {
            return true;
        }
    }
    return false;
}

ftl_status_t interfaces_resolvers(void *context, struct socket_resolvers_reply *reply)
{
    static struct socket_address servers[DNS_MAX_SERVERS];
    (void)context;
    reply->servers = servers;
    reply->servers_count = 0;
    for (uint8_t i = 0; i < DNS_MAX_SERVERS; i++) {
        const ip_addr_t *server = dns_getserver(i);
        if (!ip_addr_isany(server)) {
            socket_address_encode(server, DNS_PORT, &servers[reply->servers_count++]);
        }
    }
    return FTL_OK;
}

/* The interface's addresses; returns how many. */
static uint32_t list_addresses(const struct netif *netif, struct socket_address *addresses)
{
    uint32_t count = 0;
    if (!ip4_addr_isany(netif_ip4_addr(netif))) {
        socket_address_encode(netif_ip_addr4(netif), 0, &addresses[count++]);
    }
    for (int i = 0; i < LWIP_IPV6_NUM_ADDRESSES && count < ADDRESSES_MAX; i++) {
        if (ip6_addr_isvalid(netif_ip6_addr_state(netif, i))) {
            socket_address_encode(netif_ip_addr6(netif, i), 0, &addresses[count++]);
        }
    }
    return count;
}

static struct socket_counters sum(u32_t unicast, u32_t others, u32_t octets, u32_t dropped)
{
    return (struct socket_counters){
        .packets = (uint64_t)unicast + others,
        .bytes = octets,
        .dropped = dropped,
    };
}

ftl_status_t interfaces_describe(void *context, struct socket_interface_request *request,
                                 struct socket_interface_reply *reply)
{
    static char name[NAME_SIZE];
    static struct socket_address addresses[ADDRESSES_MAX];
    const struct netif *netif = netif_list;
    (void)context;
    for (uint32_t i = 0; i < request->index && netif != NULL; i++) {
        netif = netif->next;
    }
    if (netif == NULL) {
        return FTL_ERR_NOT_FOUND;
    }
    snprintf(name, sizeof(name), "%c%c%u", netif->name[0], netif->name[1], netif->num);
    const struct stats_mib2_netif_ctrs *counters = &netif->mib2_counters;
    *reply = (struct socket_interface_reply){
        .name = name,
        .up = netif_is_up(netif),
        .link = netif_is_link_up(netif),
        .mtu = netif->mtu,
        .addresses = addresses,
        .addresses_count = list_addresses(netif, addresses),
        .received = sum(counters->ifinucastpkts, counters->ifinnucastpkts, counters->ifinoctets,
                        counters->ifindiscards),
        .sent = sum(counters->ifoutucastpkts, counters->ifoutnucastpkts, counters->ifoutoctets,
                    counters->ifoutdiscards),
    };
    memcpy(reply->hardware, netif->hwaddr, sizeof(reply->hardware));
    socket_address_encode(netif_ip_netmask4(netif), 0, &reply->netmask);
    socket_address_encode(netif_ip_gw4(netif), 0, &reply->gateway);
    return FTL_OK;
}
