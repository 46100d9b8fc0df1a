/* kernel/format.c, held against the C library's printf where the two should agree. */
#include "host/test.h"

#include <limits.h>
#include <stdio.h>

#include "kernel/log.h"

#define TEXT_MAX 512

static char expected[TEXT_MAX];
static char text[TEXT_MAX];

/*
 * Formats with both, into a buffer of `size`, and compares text, length and that nothing is written
 * behind.
 */
#define assert_same_in(size, ...)                                                                  \
    do {                                                                                           \
        memset(expected, '~', sizeof(expected));                                                   \
        memset(text, '~', sizeof(text));                                                           \
        int expected_length = snprintf(expected, size, __VA_ARGS__);                               \
        int length = format_text(text, size, __VA_ARGS__);                                         \
        assert_int_equal(length, expected_length);                                                 \
        assert_memory_equal(text, expected, sizeof(text));                                         \
    } while (0)

#define assert_same(...) assert_same_in(sizeof(text), __VA_ARGS__)

static void format_plain_text_is_copied(void **state)
{
    (void)state;
    assert_same("no conversions");
    assert_same("100%% of %%");
    assert_int_equal(format_text(text, sizeof(text), "%s", ""), 0);
    assert_string_equal(text, "");
}

static void format_integers_of_all_lengths_at_their_limits(void **state)
{
    (void)state;
    assert_same("%d %i %u %x %X %o", INT_MIN, INT_MAX, UINT_MAX, UINT_MAX, UINT_MAX, UINT_MAX);
    assert_same("%ld %li %lu %lx %lo", LONG_MIN, LONG_MAX, ULONG_MAX, ULONG_MAX, ULONG_MAX);
    assert_same("%lld %llu %llX", LLONG_MIN, ULLONG_MAX, ULLONG_MAX);
    assert_same("%jd %ju", INTMAX_MIN, UINTMAX_MAX);
    assert_same("%zu %zd %td", SIZE_MAX, (ssize_t)-1, PTRDIFF_MIN);
    assert_same("%d %u %x %o", 0, 0, 0, 0);
}

/*
 * The conversions are what is under test, so the compiler's opinion of the arguments is not wanted.
 */
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wformat"
static void format_short_integers_drop_their_upper_bits(void **state)
{
    (void)state;
    assert_same("%hd %hu %hx", 0x12345678, 0x1234f678, 0x1234f678);
    assert_same("%hhd %hhu %hhx %hho", 0x1ff, 0x1ff, 0x1ff, 0x1ff);
    assert_same("%hhd %hd", 0x180, 0x18000);
}

static void format_flags_combine_as_in_c(void **state)
{
    (void)state;
    assert_same("[%+d] [% d] [%+ d] [%+d] [% d]", 5, 5, 5, -5, -5);
    assert_same("[%#x] [%#X] [%#o] [%#x] [%#o]", 255, 255, 8, 0, 0);
    assert_same("[%05d] [%-5d] [%-05d] [%+05d] [%5d]", 42, 42, 42, 42, -42);
    assert_same("[%#010x] [%#-10x] [%010.4x] [%#.6x]", 0xbeef, 0xbeef, 0xbeef, 0xbeef);
    assert_same("[%.0d] [%.0x] [%#.0o] [%5.0d] [%+.0d]", 0, 0, 0, 0, 0);
    assert_same("[%#.3o] [%#.1o] [%#5o] [%#05o]", 8, 8, 8, 8);
    assert_same("[%.5d] [%8.5d] [%-8.5d] [%08.5d]", -42, -42, -42, -42);
}
#pragma clang diagnostic pop

static void format_width_and_precision_may_be_arguments(void **state)
{
    (void)state;
    assert_same("[%*d] [%*d] [%-*d]", 6, 42, -6, 42, 6, 42);
    assert_same("[%.*d] [%.*d] [%*.*d]", 4, 42, -4, 42, 8, 4, 42);
    assert_same("[%.*s] [%.*s] [%*s]", 2, "abc", -1, "abc", -5, "ab");
}

static void format_strings_and_characters(void **state)
{
    (void)state;
    static const char unterminated[3] = { 'x', 'y', 'z' };
    assert_same("[%s] [%6s] [%-6s] [%.2s] [%6.2s] [%.0s] [%.9s]", "abc", "abc", "abc", "abc", "abc",
                "abc", "abc");
    assert_same("[%c] [%3c] [%-3c]", 'a', 'b', 'c');
    assert_same("[%.3s] [%.*s]", unterminated, 3, unterminated);
    assert_int_equal(format_text(text, sizeof(text), "a%cb", '\0'), 3);
    assert_memory_equal(text, "a\0b", 4);
    const char *volatile none = NULL;
    format_text(text, sizeof(text), "%s", none);
    assert_string_equal(text, "(null)");
}

static void format_pointers_as_hexadecimal(void **state)
{
    (void)state;
    format_text(text, sizeof(text), "%p %p", (void *)(uintptr_t)0xffffffc000001234, (void *)NULL);
    assert_string_equal(text, "0xffffffc000001234 0x0");
    format_text(text, sizeof(text), "[%8p] [%-8p]", (void *)(uintptr_t)0xab,
                (void *)(uintptr_t)0xab);
    assert_string_equal(text, "[    0xab] [0xab    ]");
}

static void format_result_is_cut_at_the_buffers_end(void **state)
{
    (void)state;
    for (size_t size = 0; size < 40; size++) {
        assert_same_in(size, "%s: %08x %-6d|", "truncated", 0xbeefu, -17);
    }
    assert_int_equal(format_text(NULL, 0, "%d bytes", 12), 8);
}

/* Runs a format the compiler would reject. */
static int format_odd(const char *format, ...)
{
    va_list args;
    va_start(args, format);
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wformat-nonliteral"
    int length = format_text_v(text, sizeof(text), format, args);
#pragma clang diagnostic pop
    va_end(args);
    return length;
}

static void format_unknown_conversions_are_shown(void **state)
{
    (void)state;
    assert_int_equal(format_odd("a %q b", 1), 6);
    assert_string_equal(text, "a %q b");
    format_odd("%n%d", 5); /* never stores */
    assert_string_equal(text, "%n5");
    format_odd("end %");
    assert_string_equal(text, "end %");
    format_odd("end %-08l");
    assert_string_equal(text, "end %-08l");
}

static void format_huge_width_is_counted_not_written(void **state)
{
    (void)state;
    assert_int_equal(format_odd("%999999999d", 1), 999999999);
    assert_int_equal(format_odd("%99999999999999999999d", 1), INT_MAX);
    assert_int_equal(format_odd("%2147483647d%2147483647d", 1, 1), INT_MAX);
    assert_int_equal(format_odd("%*d", INT_MIN, 1), INT_MAX);
}

static void format_v_leaves_its_va_list_to_the_caller(void **state)
{
    (void)state;
    assert_int_equal(format_odd("%d %s", 1, "x"), 3);
    assert_string_equal(text, "1 x");
}

/* Makes a random conversion like "%-08.3llx". */
static void random_conversion(struct host_random *random, char *format)
{
    static const char *const lengths[] = { "hh", "h", "", "l", "ll", "j", "z", "t" };
    *format++ = '%';
    for (const char *flag = "-0+ #"; *flag != '\0'; flag++) {
        if (host_random_below(random, 3) == 0) {
            *format++ = *flag;
        }
    }
    if (host_random_below(random, 2) == 0) {
        format += sprintf(format, "%zu", 1 + host_random_below(random, 30));
    }
    if (host_random_below(random, 2) == 0) {
        format += sprintf(format, ".%zu", host_random_below(random, 30));
    }
    format += sprintf(format, "%s", lengths[host_random_below(random, ARRAY_SIZE(lengths))]);
    *format++ = "diuxXo"[host_random_below(random, 6)];
    *format = '\0';
}

static void format_random_conversions_agree_with_the_c_library(void **state)
{
    (void)state;
    struct host_random random = { .state = 2026 };
    char format[64];
    for (int turn = 0; turn < 20000; turn++) {
        uint64_t value = host_random(&random) >> host_random_below(&random, 64);
        size_t size = host_random_below(&random, 4) == 0 ? host_random_below(&random, 20) : 100;
        value = host_random_below(&random, 10) == 0 ? 0 : value;
        random_conversion(&random, format);
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wformat-nonliteral"
        assert_same_in(size, format, value);
#pragma clang diagnostic pop
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(format_plain_text_is_copied),
        cmocka_unit_test(format_integers_of_all_lengths_at_their_limits),
        cmocka_unit_test(format_short_integers_drop_their_upper_bits),
        cmocka_unit_test(format_flags_combine_as_in_c),
        cmocka_unit_test(format_width_and_precision_may_be_arguments),
        cmocka_unit_test(format_strings_and_characters),
        cmocka_unit_test(format_pointers_as_hexadecimal),
        cmocka_unit_test(format_result_is_cut_at_the_buffers_end),
        cmocka_unit_test(format_unknown_conversions_are_shown),
        cmocka_unit_test(format_huge_width_is_counted_not_written),
        cmocka_unit_test(format_v_leaves_its_va_list_to_the_caller),
        cmocka_unit_test(format_random_conversions_agree_with_the_c_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
