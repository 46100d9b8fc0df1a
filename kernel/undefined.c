/*
 * What code built with -fsanitize=undefined calls when it is about to do what C leaves undefined:
 * the kernel panics, and says what and where. Only in builds with FTL_SANITIZE=undefined.
 */
#include "kernel/assert.h"
#include "kernel/types.h"

/* clang's: what every check's data begins with. */
struct source_location {
    const char *file;
    uint32_t line;
    uint32_t column;
};

static _Noreturn void report(const char *what, const struct source_location *where)
{
    panic("undefined behaviour: %s (%s:%u:%u)", what, where->file, where->line, where->column);
}

/*
 * Checks call ..._abort with -fno-sanitize-recover, those whose code cannot go on the plain name.
 */
#define HANDLER(name, text)                                                                        \
    _Noreturn void __ubsan_handle_##name(const struct source_location *where);                     \
    _Noreturn void __ubsan_handle_##name(const struct source_location *where)                      \
    {                                                                                              \
        report(text, where);                                                                       \
    }
#define CHECK(name, text)                                                                          \
    HANDLER(name, text)                                                                            \
    HANDLER(name##_abort, text)
#include "kernel/sanitizer_checks.def"
