/*
 * The descriptors that a program begins with: those that its starter gave, as handles with names
 * (<ftl/inherit.h>), else the console. The table below has the kinds; its counterpart are `kind`
 * and `pass_on` of struct description_operations.
 */
#include <fcntl.h>
#include <ftl/environ.h>
#include <ftl/handle.h>
#include <ftl/inherit.h>
#include <string.h>

#include "descriptor.h"

static struct description *console_receive(ftl_handle_t handle, const struct ftl_inherit *inherit)
{
    ftl_handle_close(handle); /* the console itself is in the environment */
    return (inherit->flags & O_ACCMODE) == O_RDONLY ? &console_input : &console_output;
}

/* Programs that make calls which are about files have this. */
#pragma weak file_device_receive

/*
 * `receive` makes a description, without references, of the handle, which it takes, and which may
 * be FTL_HANDLE_INVALID; NULL: not possible.
 */
static const struct {
    const char *kind;
    struct description *(*receive)(ftl_handle_t handle, const struct ftl_inherit *inherit);
} kinds[] = {
    { "console", console_receive },
    { "pipe", pipe_receive },
    { POSIX_FILE, file_receive },
};

static void put(struct description *entries[POSIX_DESCRIPTORS_MAX], int fd,
                struct description *description)
{
    if (entries[fd] == NULL) {
        entries[fd] = description;
        description->references++;
    }
}

static struct description *receive(const struct ftl_inherit *inherit, ftl_handle_t handle)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (inherit->count != 0 && strcmp(kinds[i].kind, inherit->kind) == 0) {
            return kinds[i].receive(handle, inherit);
        }
    }
    ftl_handle_close(handle);
    return inherit->count != 0 && file_device_receive != NULL ? file_device_receive(inherit) : NULL;
}

void descriptor_receive(struct description *entries[POSIX_DESCRIPTORS_MAX])
{
    struct ftl_environ *env = ftl_environ();
    struct ftl_inherit inherit;
    bool is_given = false;
    for (size_t i = 0; i < env->handle_count; i++) {
        if (!ftl_inherit_parse(env->handles[i].name, &inherit)) {
            continue;
        }
        ftl_handle_t handle = ftl_environ_take(env, env->handles[i].name);
        struct description *description = receive(&inherit, handle);
        for (size_t j = 0; j < inherit.count && description != NULL; j++) {
            put(entries, inherit.fds[j], description);
        }
        is_given = true;
    }
    if (!is_given) {
        put(entries, 0, &console_input);
        put(entries, 1, &console_output);
        put(entries, 2, &console_output);
    }
}
