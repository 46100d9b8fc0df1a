/*
 * A file system for tests of the file server: nodes in arrays, and an account of who holds what. It
 * asserts that the server keeps to the rules of backend.h.
 */
#ifndef FILES_FAKE_H
#define FILES_FAKE_H

#include "user/servers/files/backend.h"

/* A new one, with an empty root. It ends with its unmount. */
struct file_system *fake_file_system(void);

/* Holds of nodes, but for that of the root which lasts as long as the file system. */
unsigned fake_held(struct file_system *file_system);

/* Makes the next operation that changes something fail so. */
void fake_fail_next(struct file_system *file_system, ftl_status_t status);

/* How often `idle` and `sync` were called. */
unsigned fake_idles(struct file_system *file_system);
unsigned fake_syncs(struct file_system *file_system);

#endif
