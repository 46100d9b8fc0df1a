/* The system object: who holds a handle to it may look at and control the machine as a whole. */
#ifndef KERNEL_SYSTEM_H
#define KERNEL_SYSTEM_H

#include "kernel/boot_info.h"
#include "kernel/object.h"

struct system {
    struct object object; /* first; never destroyed */
};

/* Boot: notes how much memory the kernel has taken for itself by now. `entry_instructions`: retired
 * at kernel entry. */
void system_init(uint64_t entry_instructions);

/* The one system object, with a reference for the caller. */
struct system *system_get(void);

/* Time since 1970 (UTC) minus time since boot; 0: nobody has said. Atomic. */
extern nsec_t system_clock_offset;

#endif
