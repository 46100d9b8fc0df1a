/* The state of the system as pages: /status and /status.json. */
#ifndef HTTPD_STATUS_H
#define HTTPD_STATUS_H

#include <stddef.h>

#include <ftl/types.h>

/* `system` needs READ; it stays the caller's. */
void status_open(ftl_handle_t system);

/* Takes a sample of what changes; to be called about once a second. */
void status_sample(void);

/* As connection_page_t (connection.h). */
char *status_page(const char *path, size_t *size, const char **type);

#endif
