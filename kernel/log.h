/*
 * The kernel log: formatted text into a ring (kept for `log`), and to the console. Usable from the
 * first instruction of C on, at any hart, with any lock held, also in a panic.
 */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include <stdarg.h>

#include "kernel/types.h"

/*
 * printf's %d %i %u %x %X %o %c %s %p %%, with flags `-`, `0`, `+`, ` `, `#`, width, precision,
 * `*`, and h hh l ll z t j. Always ends with NUL when size > 0; returns the length the whole text
 * would have (C11 7.21.6.12).
 */
int format_text(char *buffer, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int format_text_v(char *buffer, size_t size, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/*
 * Logs a line of text: "[    1.234567 h0] text" (seconds since boot, hart) and a newline. Written
 * whole, also with several harts at it; cut, with "..." at the end, at 512 bytes.
 */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_line_v(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/*
 * Copies kept text from *position on into the buffer, after moving *position up to the oldest byte
 * kept, and past what was copied. Returns the bytes copied, 0 at the end.
 */
size_t log_read(uint64_t *position, char *buffer, size_t size);

/*
 * The console driver's: writes a line of the log at once, polling. Called with LOCK_LOG held (not
 * in a panic).
 */
void console_log_write(const char *text, size_t size);

/* In a panic: stop taking the log's lock, since its holder may have been stopped. */
void log_enter_panic(void);
bool log_in_panic(void);

#endif
