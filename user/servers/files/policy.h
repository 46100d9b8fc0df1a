/* Which file systems there are: those from the start, and what sources can be mounted by hand. */
#ifndef FILES_POLICY_H
#define FILES_POLICY_H

#include "path.h"

struct policy {
    const void *image; /* the archive that the system was started from, or NULL */
    size_t image_size;
    bool uses_disks;
    bool disks_are_read_only;
};

/* Makes the tree: its root, and what is mounted without being asked for. */
ftl_status_t policy_start(const struct policy *policy);

/*
 * Mounts a source in place of the directory that a path leads to, as the protocol `mount` says. A
 * directory right below the root is made for it if it is not there.
 */
ftl_status_t policy_mount(const char *source, const char *path, bool read_only);
ftl_status_t policy_unmount(const char *path);

#endif
