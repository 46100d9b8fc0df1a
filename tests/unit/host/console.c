/* The host's console keeps what is written; what does not fit is lost. */
#include "host/console.h"

#include <string.h>

#include "kernel/log.h"

char host_console[1 << 20];
size_t host_console_size;
size_t host_console_writes;

void console_log_write(const char *text, size_t size)
{
    size_t room = sizeof(host_console) - 1 - host_console_size;
    size_t kept = size < room ? size : room;
    memcpy(host_console + host_console_size, text, kept);
    host_console_size += kept;
    host_console_writes++;
}

void host_console_clear(void)
{
    memset(host_console, 0, sizeof(host_console));
    host_console_size = 0;
    host_console_writes = 0;
}
