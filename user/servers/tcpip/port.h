/* What the stack's main loop has to know of lwIP's port. */
#ifndef TCPIP_PORT_H
#define TCPIP_PORT_H

#include <ftl/types.h>

/* Has numbers that peers cannot guess begin somewhere else than the last time. */
void port_seed(void);

#endif
