/* The protocol `mount`: see service.h. */
#include <string.h>

#include "policy.h"
#include "service.h"

#include <ftl/protocols/mount.h>

static ftl_status_t mount(void *context, struct mount_mount_request *request)
{
    (void)context;
    return policy_mount(request->source, request->path, request->read_only);
}

static ftl_status_t unmount(void *context, struct mount_unmount_request *request)
{
    (void)context;
    return policy_unmount(request->path);
}

static ftl_status_t next(void *context, struct mount_next_request *request,
                         struct mount_next_reply *reply)
{
    static char path[PATH_MAX_SIZE + 1];
    const struct mount *mount = tree_mounts();
    (void)context;
    for (uint32_t i = 0; i < request->index && mount != NULL; i++) {
        mount = mount->next;
    }
    if (mount == NULL) {
        return FTL_ERR_NOT_FOUND;
    }
    ftl_status_t status =
        path_of((struct place){ .mount = (struct mount *)mount, .node = mount->root }, path);
    if (status != FTL_OK) {
        strcpy(path, "?");
    }
    *reply = (struct mount_next_reply){
        .path = path,
        .source = mount->source,
        .type = mount->file_system->operations->type,
        .options = mount->file_system->is_read_only ? "ro" : "rw",
    };
    return FTL_OK;
}

const struct mount_handlers mount_handlers = {
    .mount = mount,
    .unmount = unmount,
    .next = next,
};
