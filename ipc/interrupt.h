/*
 * Interrupt objects: one source of the interrupt controller each. An interrupt masks its source and
 * sets READABLE; the driver quiets the device, then acknowledges, which unmasks the source.
 */
#ifndef IPC_INTERRUPT_H
#define IPC_INTERRUPT_H

#include "kernel/object.h"
#include "mm/account.h"

struct notification;

struct interrupt {
    struct object object;              /* first; its lock keeps READABLE and the mask in step */
    struct account *account;           /* a reference; what it is charged to */
    uint32_t source;                   /* fixed */
    uint64_t bits;                     /* what the notification gets; fixed once it is bound */
    struct notification *notification; /* a reference once bound, and for good then; atomic */
};

/* Boot: sets up the cache of interrupt objects. */
void interrupt_init(void);

void interrupt_destroy(struct object *object);

#endif
