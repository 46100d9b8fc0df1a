/* Virtio transports, from outside: see virtio_slot.h. */
#include "virtio_slot.h"

/* Registers, in words (4.2.2). */
enum {
    MAGIC = 0x000 / 4,
    DEVICE_ID = 0x008 / 4,
    STATUS = 0x070 / 4,
};

#define MAGIC_VALUE UINT32_C(0x74726976) /* "virt" */
#define RESET       0u
#define READS_MAX   1000000 /* of a status that does not become 0: a device that is broken */

uint32_t virtio_slot_id(const volatile uint32_t *registers)
{
    return registers[MAGIC] == MAGIC_VALUE ? registers[DEVICE_ID] : 0;
}

bool virtio_slot_reset(volatile uint32_t *registers)
{
    registers[STATUS] = RESET;
    for (int i = 0; i < READS_MAX; i++) {
        if (registers[STATUS] == RESET) { /* it is done only when it says so (2.4.2) */
            return true;
        }
    }
    return false;
}
