/* Kernel assertions: on in every build but release. On the host they end the test program. */
#ifndef KERNEL_ASSERT_H
#define KERNEL_ASSERT_H

/* Prints the cause, registers and a symbolized backtrace, stops all harts and ends QEMU with a
 * failure. */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2), cold));

#ifdef FTL_RELEASE
#define ASSERT(condition) ((void)sizeof((condition) ? 1 : 0))
#else
#define ASSERT(condition)                                                                          \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0)) {                                                   \
            panic("assertion failed: %s (%s:%d)", #condition, __FILE__, __LINE__);                 \
        }                                                                                          \
    } while (0)
#endif

#endif
