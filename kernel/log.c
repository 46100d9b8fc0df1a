/*
 * The kernel log: a ring of the last lines, each also written to the console whole. Positions in
 * the log count all bytes ever logged, so a reader keeps its place while the ring turns. Relies on
 * format.c, time_now(), hart_index() and the console driver's console_log_write().
 */
#include "kernel/log.h"

#include "arch/hart.h"
#include "arch/timer.h"
#include "kernel/spinlock.h"
#include "kernel/string.h"

#define LOG_RING_SIZE ((size_t)64 * KIB) /* a power of two */
#define LOG_LINE_MAX  ((size_t)512)      /* bytes, newline included; longer lines are cut */
#define LOG_CUT_MARK  "..."              /* ends a line that was cut */

#define NSEC_PER_SEC  ((nsec_t)1000000000)
#define NSEC_PER_USEC ((nsec_t)1000)

static struct {
    struct spinlock lock; /* LOCK_LOG; protects the rest, the ring and the order of output */
    uint64_t oldest;      /* position of the first line kept */
    uint64_t end;         /* position after the last line */
    bool panic;           /* set once, atomically: nobody takes the lock any more */
} kernel_log = { .lock = SPINLOCK_INIT(LOCK_LOG) };

static char log_ring[LOG_RING_SIZE]; /* protected by kernel_log.lock */

/* Returns whether the lock was taken: not in a panic. */
static bool log_lock(void)
{
    if (__atomic_load_n(&kernel_log.panic, __ATOMIC_RELAXED)) {
        return false;
    }
    spin_lock(&kernel_log.lock);
    return true;
}

static void log_unlock(bool locked)
{
    if (locked) {
        spin_unlock(&kernel_log.lock);
    }
}

void log_enter_panic(void)
{
    __atomic_store_n(&kernel_log.panic, true, __ATOMIC_RELAXED);
}

bool log_in_panic(void)
{
    return __atomic_load_n(&kernel_log.panic, __ATOMIC_RELAXED);
}

/* Copies between the ring and memory; at most as much as the ring holds. */
static void ring_write(uint64_t position, const char *text, size_t size)
{
    size_t offset = position % LOG_RING_SIZE;
    size_t first = size < LOG_RING_SIZE - offset ? size : LOG_RING_SIZE - offset;
    memcpy(log_ring + offset, text, first);
    memcpy(log_ring, text + first, size - first);
}

static void ring_read(uint64_t position, char *text, size_t size)
{
    size_t offset = position % LOG_RING_SIZE;
    size_t first = size < LOG_RING_SIZE - offset ? size : LOG_RING_SIZE - offset;
    memcpy(text, log_ring + offset, first);
    memcpy(text + first, log_ring, size - first);
}

static void drop_oldest_line(void)
{
    char dropped = '\0';
    while (dropped != '\n' && kernel_log.oldest < kernel_log.end) {
        dropped = log_ring[kernel_log.oldest++ % LOG_RING_SIZE];
    }
}

/*
 * Gives up the oldest lines, whole, until `size` more bytes fit. Ends also on what harts garble in
 * a panic.
 */
static void ring_make_room(size_t size)
{
    while (kernel_log.oldest < kernel_log.end &&
           kernel_log.end + size - kernel_log.oldest > LOG_RING_SIZE) {
        drop_oldest_line();
    }
}

/* Formats "[    1.234567 h0] text\n" and returns its length. */
static size_t format_line(char line[LOG_LINE_MAX], const char *format, va_list args)
{
    size_t room = LOG_LINE_MAX - 1; /* the newline takes the place of the NUL, at the latest */
    nsec_t now = time_now();
    size_t length =
        (size_t)format_text(line, room, "[%5lld.%06lld h%u] ", (long long)(now / NSEC_PER_SEC),
                            (long long)(now % NSEC_PER_SEC / NSEC_PER_USEC), hart_index());
    length += (size_t)format_text_v(line + length, room - length, format, args);
    if (length >= room) {
        length = room - 1;
        memcpy(line + length - strlen(LOG_CUT_MARK), LOG_CUT_MARK, strlen(LOG_CUT_MARK));
    }
    line[length++] = '\n';
    return length;
}

void log_line_v(const char *format, va_list args)
{
    char line[LOG_LINE_MAX];
    size_t length = format_line(line, format, args);

    bool locked = log_lock();
    ring_make_room(length);
    ring_write(kernel_log.end, line, length);
    kernel_log.end += length;
    console_log_write(line, length);
    log_unlock(locked);
}

void log_line(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line_v(format, args);
    va_end(args);
}

size_t log_read(uint64_t *position, char *buffer, size_t size)
{
    size_t copied = 0;
    bool locked = log_lock();
    if (*position < kernel_log.oldest) {
        *position = kernel_log.oldest;
    }
    if (*position < kernel_log.end) {
        uint64_t kept = kernel_log.end - *position;
        copied = kept < size ? (size_t)kept : size;
        ring_read(*position, buffer, copied);
        *position += copied;
    }
    log_unlock(locked);
    return copied;
}
