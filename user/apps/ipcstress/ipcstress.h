/* What the files of the IPC stress test share. */
#ifndef IPCSTRESS_H
#define IPCSTRESS_H

#include <ftl/types.h>

#define ROUNDS 100 /* messages through each link */

/* What goes through a link; every HANDLE_EVERYth message carries a notification, too. */
struct numbered {
    uint64_t sequence;
    uint64_t check; /* ~sequence */
    char filler[240];
};
#define HANDLE_EVERY 3

/* A member of the ring: exit status. */
int member(void);
#define MEMBER_OK     0  /* got all messages, in order */
#define MEMBER_CUT    10 /* got some, in order, before its predecessor ended */
#define MEMBER_FAILED 1  /* something else, which it has printed */

#endif
