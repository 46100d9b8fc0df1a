/* The interface to the network: lwIP's side of a driver (protocol `nic`). */
#ifndef TCPIP_DEVICE_H
#define TCPIP_DEVICE_H

#include <ftl/mainloop.h>

/* Sets the interface up on the loop. It looks for a driver now, and again when one has ended. */
void device_open(struct ftl_mainloop *loop);

/* Tells lwIP what has come since; to be called before the loop sleeps. False: there is more to do
 * at once. */
bool device_work(void);

/* When device_work() has to be called again, whatever comes (monotonic). */
ftl_nsec_t device_deadline(void);

#endif
