/*
 * lwIP's configuration: one thread without an operating system under it, its callback interface
 * alone. All memory comes from pools and one heap of fixed size, so that what others send can
 * exhaust no more than these.
 */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#define NO_SYS               1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN         0
#define LWIP_SOCKET          0
#define LWIP_TIMERS          1

/* Protocols. */
#define LWIP_IPV4                      1
#define LWIP_IPV6                      1
#define LWIP_IPV6_DHCP6                0
#define LWIP_IPV6_AUTOCONFIG           1
#define LWIP_IPV6_NUM_ADDRESSES        4
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS 2
#define LWIP_ARP                       1
#define LWIP_ETHERNET                  1
#define LWIP_ICMP                      1
#define LWIP_RAW                       1
#define LWIP_UDP                       1
#define LWIP_TCP                       1
#define LWIP_DHCP                      1
#define LWIP_DNS                       1 /* keeps the servers that DHCP and routers name */
#define DNS_MAX_SERVERS                4
#define IP_REASSEMBLY                  1
#define IP_FRAG                        1
/* its list's heads do not fit into IPv6's fragment header */
#define IPV6_FRAG_COPYHEADER 1
#define SO_REUSE             1
#define DHCP_DOES_ARP_CHECK  0 /* an address at once: whoever gives it knows */
#define ARP_TABLE_SIZE       64

/* Interfaces: the loopback and one device. */
#define LWIP_HAVE_LOOPIF               1
#define LWIP_NETIF_LOOPBACK            1
#define LWIP_LOOPBACK_MAX_PBUFS        256
#define LWIP_NETIF_STATUS_CALLBACK     1
#define LWIP_NETIF_LINK_CALLBACK       1
#define LWIP_NETIF_HOSTNAME            1
#define LWIP_NETIF_EXT_STATUS_CALLBACK 0
#define LWIP_SUPPORT_CUSTOM_PBUF       1
#define LWIP_STATS                     1
#define MIB2_STATS                     1
#define LWIP_STATS_LARGE               1

/* TCP. The window fits into a socket's ring (<ftl/socket_memory.h>): what it allows to be sent can
 * always be stored. */
#define TCP_MSS 1460
/* ms; connections that have ended are remembered for two */
#define TCP_MSL                    30000
#define TCP_WND                    (44 * TCP_MSS)
#define TCP_SND_BUF                (44 * TCP_MSS)
#define TCP_SND_QUEUELEN           (4 * TCP_SND_BUF / TCP_MSS)
#define TCP_LISTEN_BACKLOG         1
#define TCP_DEFAULT_LISTEN_BACKLOG 128
#define TCP_QUEUE_OOSEQ            1
#define TCP_OOSEQ_MAX_BYTES        TCP_WND
#define LWIP_TCP_KEEPALIVE         1
#define LWIP_TCP_SACK_OUT          0

/* A port can be used again before the connection that it had before is forgotten: see tcp.c. */
#define LWIP_HOOK_FILENAME                 "tcpip_hooks.h"
#define LWIP_HOOK_IP4_INPUT(packet, netif) tcpip_ip4_input(packet)

/* Memory. */
#define MEM_ALIGNMENT           8
#define MEM_SIZE                (4 * 1024 * 1024)
#define MEMP_NUM_PBUF           8192
#define MEMP_NUM_RAW_PCB        32
#define MEMP_NUM_UDP_PCB        256
#define MEMP_NUM_TCP_PCB        1024
#define MEMP_NUM_TCP_PCB_LISTEN 64
#define MEMP_NUM_TCP_SEG        8192
#define MEMP_NUM_REASSDATA      16
#define MEMP_NUM_FRAG_PBUF      64
#define MEMP_NUM_ARP_QUEUE      64
#define MEMP_NUM_ND6_QUEUE      64
#define PBUF_POOL_SIZE          64
#define PBUF_POOL_BUFSIZE       1600
#define IP_REASS_MAX_PBUFS      64

#define LWIP_NOASSERT_ON_ERROR 1
#define LWIP_CHKSUM            tcpip_checksum

#endif
