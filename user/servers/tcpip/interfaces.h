/* The network interfaces: their addresses, and what the protocol `socket` tells of them. */
#ifndef TCPIP_INTERFACES_H
#define TCPIP_INTERFACES_H

#include <lwip/ip_addr.h>

#include <ftl/protocols/socket.h>

/* Whether an interface has this address. */
bool interfaces_have(const ip_addr_t *address);

/* Handlers of the protocol. */
ftl_status_t interfaces_resolvers(void *context, struct socket_resolvers_reply *reply);
ftl_status_t interfaces_describe(void *context, struct socket_interface_request *request,
                                 struct socket_interface_reply *reply);

#endif
