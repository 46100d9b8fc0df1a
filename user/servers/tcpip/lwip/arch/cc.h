/* lwIP's view of the compiler and the C library. */
#ifndef ARCH_CC_H
#define ARCH_CC_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* In user/servers/tcpip/port.c. */
uint32_t tcpip_random(void);
_Noreturn void tcpip_assertion_failed(const char *message, const char *file, int line);

/* In checksum.c. */
uint16_t tcpip_checksum(const void *data, int size);

#define LWIP_RAND()                   tcpip_random()
#define LWIP_PLATFORM_DIAG(arguments) printf arguments
#define LWIP_PLATFORM_ASSERT(message) tcpip_assertion_failed(message, __FILE__, __LINE__)

#endif
