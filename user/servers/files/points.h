/*
 * The root file system: a directory of empty directories, for others to be mounted on. Only the
 * server itself makes and removes them. See backend.h.
 */
#ifndef FILES_POINTS_H
#define FILES_POINTS_H

#include "backend.h"

ftl_status_t points_mount(struct file_system **file_system);

/* Makes a directory of this name in it. EXISTS; LIMIT, NO_MEMORY. */
ftl_status_t points_add(struct file_system *file_system, const char *name);
void points_remove(struct file_system *file_system, node_t node);

#endif
