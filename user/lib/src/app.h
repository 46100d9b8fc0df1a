/* Between app.c and spawn.c. */
#ifndef FTL_SRC_APP_H
#define FTL_SRC_APP_H

#include <stdbool.h>
#include <stddef.h>

/* The path in the boot image of an app's file: "bin/", the app's name, a suffix. False: does not
 * fit. */
bool ftl_app_path(char *path, size_t size, const char *name, const char *suffix);

#endif
