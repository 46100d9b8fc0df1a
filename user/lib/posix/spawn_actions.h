/* posix_spawn()'s file actions, on a copy of the table of descriptors. */
#ifndef POSIX_SPAWN_ACTIONS_H
#define POSIX_SPAWN_ACTIONS_H

#include <spawn.h>

#include "descriptor.h"

/* Does the actions, which may be NULL, in their order: 0, or a negative errno. */
long spawn_actions_do(const posix_spawn_file_actions_t *actions, struct descriptor_copy *table);

#endif
