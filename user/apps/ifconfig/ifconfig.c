/* Lists the network interfaces of the service `socket`, and the name servers it knows of. */
#include <arpa/inet.h>
#include <ftl/handle.h>
#include <ftl/protocols/socket.h>
#include <ftl/server.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *text(const struct socket_address *address, char buffer[INET6_ADDRSTRLEN])
{
    int family = address->family == SOCKET_FAMILY_IPV6 ? AF_INET6 : AF_INET;
    return inet_ntop(family, address->bytes, buffer, INET6_ADDRSTRLEN);
}

static void print_counters(const char *direction, const struct socket_counters *counters)
{
    printf("      %s %" PRIu64 " packets, %" PRIu64 " bytes, %" PRIu64 " dropped\n", direction,
           counters->packets, counters->bytes, counters->dropped);
}

static void print_interface(const struct socket_interface_reply *interface)
{
    char buffer[INET6_ADDRSTRLEN];
    const uint8_t *mac = interface->hardware;
    printf("%s: %s, %s, mtu %" PRIu32 "\n", interface->name, interface->up ? "up" : "down",
           interface->link ? "link" : "no link", interface->mtu);
    if ((mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]) != 0) {
        printf("      ether %02x:%02x:%02x:%02x:%02x:%02x\n", mac[0], mac[1], mac[2], mac[3],
               mac[4], mac[5]);
    }
    for (uint32_t i = 0; i < interface->addresses_count; i++) {
        const struct socket_address *address = &interface->addresses[i];
        bool is_ipv6 = address->family == SOCKET_FAMILY_IPV6;
        printf("      %s %s", is_ipv6 ? "inet6" : "inet", text(address, buffer));
        if (!is_ipv6) {
            printf(" netmask %s", text(&interface->netmask, buffer));
            printf(" gateway %s", text(&interface->gateway, buffer));
        }
        printf("\n");
    }
    print_counters("received", &interface->received);
    print_counters("sent", &interface->sent);
}

static ftl_status_t list(ftl_handle_t channel)
{
    struct socket_buffer buffer;
    struct socket_interface_request request = { 0 };
    struct socket_interface_reply interface;
    struct socket_resolvers_reply resolvers;
    char name[INET6_ADDRSTRLEN];
    ftl_status_t status;
    while ((status = socket_interface(channel, &request, &interface, &buffer, FTL_TIME_INFINITE)) ==
           FTL_OK) {
        print_interface(&interface);
        request.index++;
    }
    if (status != FTL_ERR_NOT_FOUND) {
        return status;
    }
    status = socket_resolvers(channel, &resolvers, &buffer, FTL_TIME_INFINITE);
    for (uint32_t i = 0; status == FTL_OK && i < resolvers.servers_count; i++) {
        printf("name server %s\n", text(&resolvers.servers[i], name));
    }
    return status;
}

int main(void)
{
    ftl_handle_t channel;
    ftl_status_t status = ftl_service_connect(&socket_protocol, &channel);
    if (status == FTL_OK) {
        status = list(channel);
        ftl_handle_close(channel);
    }
    if (status != FTL_OK) {
        fprintf(stderr, "ifconfig: %s\n", ftl_strerror(status));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
