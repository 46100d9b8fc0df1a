/* What the kernel under test has written to the console. */
#ifndef HOST_CONSOLE_H
#define HOST_CONSOLE_H

#include <stddef.h>

extern char host_console[1 << 20]; /* ends with NUL */
extern size_t host_console_size;
extern size_t host_console_writes; /* calls of console_log_write */

void host_console_clear(void);

#endif
