/* lwIP's options: what inet_chksum.c needs. */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#define NO_SYS          1
#define LWIP_NETCONN    0
#define LWIP_SOCKET     0
#define LWIP_TIMERS     0
#define MEM_LIBC_MALLOC 1

#endif
