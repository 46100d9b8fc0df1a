/*
 * File actions: see spawn_actions.h. musl's functions make a list of them, last first, whose
 * declaration is internal to musl: fdop.h.
 */
#include "spawn_actions.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/types.h>

#include "fdop.h"
#include "posix.h"
#undef malloc
#undef calloc
#undef realloc
#undef free

/* Puts a description, with a reference for it, or NULL in the descriptor's place. */
static void put(struct descriptor_copy *table, int fd, struct description *description)
{
    if (table->entries[fd] != NULL) {
        description_drop(table->entries[fd]);
    }
    table->entries[fd] = description;
    table->close_on_exec[fd] = false;
}

static bool is_valid(int fd)
{
    return fd >= 0 && fd < POSIX_DESCRIPTORS_MAX;
}

static long duplicate(struct descriptor_copy *table, int from, int to)
{
    if (!is_valid(from) || !is_valid(to) || table->entries[from] == NULL) {
        return -EBADF;
    }
    struct description *description = table->entries[from];
    __atomic_add_fetch(&description->references, 1, __ATOMIC_RELAXED);
    put(table, to, description);
    return 0;
}

/* Opens in this process, and moves what was opened to the copy. */
static long open_at(struct descriptor_copy *table, const struct fdop *action)
{
    if (!is_valid(action->fd)) {
        return -EBADF;
    }
    long fd = sys_openat(AT_FDCWD, action->path, action->oflag, action->mode);
    if (fd < 0) {
        return fd;
    }
    put(table, action->fd, descriptor_get((int)fd));
    return sys_close((int)fd);
}

static long do_action(const struct fdop *action, struct descriptor_copy *table)
{
    switch (action->cmd) {
    case FDOP_CLOSE:
        if (is_valid(action->fd)) {
            put(table, action->fd, NULL);
        }
        return 0;
    case FDOP_DUP2: return duplicate(table, action->srcfd, action->fd);
    case FDOP_OPEN: return open_at(table, action);
    default: return -ENOSYS;
    }
}

long spawn_actions_do(const posix_spawn_file_actions_t *actions, struct descriptor_copy *table)
{
    const struct fdop *action = actions != NULL ? actions->__actions : NULL;
    long error = 0;
    while (action != NULL && action->next != NULL) {
        action = action->next;
    }
    for (; action != NULL && error == 0; action = action->prev) {
        error = do_action(action, table);
    }
    return error;
}
