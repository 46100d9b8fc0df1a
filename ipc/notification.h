/*
 * Notifications: a word of 64 bits that threads wait for. A bit that is set goes to exactly one
 * waiter, or stays until somebody waits for it or clears it.
 */
#ifndef IPC_NOTIFICATION_H
#define IPC_NOTIFICATION_H

#include "kernel/object.h"
#include "mm/account.h"

struct notification {
    struct object object;    /* first; its lock protects bits and waiters */
    struct account *account; /* a reference; what it is charged to */
    uint64_t bits;
    struct list waiters; /* notification_wait.link, in order of arrival */
};

/* Boot: sets up the cache of notifications. */
void notification_init(void);

/* Sets bits, as ftl_notification_signal() does. Takes the object's lock. */
void notification_signal(struct notification *notification, uint64_t bits);

void notification_destroy(struct object *object);

#endif
