/* panic() of the host: ends the program, or jumps back into a test that expects it. */
#include "kernel/assert.h"

#include <stdio.h>

#include "host/test.h"

jmp_buf *host_panic_jump;
char host_panic_text[256];

_Noreturn void panic(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(host_panic_text, sizeof(host_panic_text), format, args);
    va_end(args);
    if (host_panic_jump != NULL) {
        longjmp(*host_panic_jump, 1);
    }
    fprintf(stderr, "panic: %s\n", host_panic_text);
    abort();
}
