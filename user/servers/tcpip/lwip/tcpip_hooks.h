/* What lwIP calls of ours on the way of packets. */
#ifndef TCPIP_HOOKS_H
#define TCPIP_HOOKS_H

struct pbuf;

/* Looks at a packet that has come; 0: lwIP goes on with it. In user/servers/tcpip/tcp.c. */
int tcpip_ip4_input(struct pbuf *packet);

#endif
