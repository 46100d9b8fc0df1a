/* kernel/string.c, under other names, held against the C library's functions. */
#include "host/test.h"

void *kernel_memcpy(void *restrict to, const void *restrict from, size_t size);
void *kernel_memmove(void *to, const void *from, size_t size);
void *kernel_memset(void *memory, int byte, size_t size);
int kernel_memcmp(const void *left, const void *right, size_t size);
void *kernel_memchr(const void *memory, int byte, size_t size);
size_t kernel_strlen(const char *text);
size_t kernel_strnlen(const char *text, size_t size);
char *kernel_strchr(const char *text, int character);
char *kernel_strrchr(const char *text, int character);
int kernel_strcmp(const char *left, const char *right);
int kernel_strncmp(const char *left, const char *right, size_t size);

#define memcpy  kernel_memcpy
#define memmove kernel_memmove
#define memset  kernel_memset
#define memcmp  kernel_memcmp
#define memchr  kernel_memchr
#define strlen  kernel_strlen
#define strnlen kernel_strnlen
#define strchr  kernel_strchr
#define strrchr kernel_strrchr
#define strcmp  kernel_strcmp
#define strncmp kernel_strncmp
#include "kernel/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strchr
#undef strrchr
#undef strcmp
#undef strncmp

#define SIZE_MAX_TESTED 300
#define ALIGNMENTS      9
#define AREA            (SIZE_MAX_TESTED + 4 * ALIGNMENTS)

static unsigned char source[AREA];
static unsigned char area[AREA];
static unsigned char expected[AREA];

static struct host_random randomness = { .state = 11 };

static void fill(unsigned char *memory, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        memory[i] = (unsigned char)host_random(&randomness);
    }
}

static void memcpy_copies_any_size_and_alignment(void **state)
{
    (void)state;
    fill(source, AREA);
    for (size_t size = 0; size <= SIZE_MAX_TESTED; size++) {
        for (size_t to = 0; to < ALIGNMENTS; to++) {
            for (size_t from = 0; from < ALIGNMENTS; from++) {
                memset(area, 0xee, AREA);
                memset(expected, 0xee, AREA);
                memcpy(expected + 8 + to, source + from, size);
                assert_ptr_equal(kernel_memcpy(area + 8 + to, source + from, size), area + 8 + to);
                assert_memory_equal(area, expected, AREA);
            }
        }
    }
}

static void memmove_copies_over_itself(void **state)
{
    (void)state;
    for (size_t size = 0; size <= SIZE_MAX_TESTED; size += size < 80 ? 1 : 13) {
        for (size_t to = 0; to <= 2 * ALIGNMENTS; to++) {
            for (size_t from = 0; from <= 2 * ALIGNMENTS; from++) {
                fill(area, AREA);
                memcpy(expected, area, AREA);
                memmove(expected + to, expected + from, size);
                assert_ptr_equal(kernel_memmove(area + to, area + from, size), area + to);
                assert_memory_equal(area, expected, AREA);
            }
        }
    }
}

static void memset_fills_any_size_and_alignment(void **state)
{
    (void)state;
    for (size_t size = 0; size <= SIZE_MAX_TESTED; size++) {
        for (size_t to = 0; to < ALIGNMENTS; to++) {
            int byte = (int)host_random_below(&randomness, 1000) - 500;
            memset(area, 0x11, AREA);
            memset(expected, 0x11, AREA);
            memset(expected + to, byte, size);
            assert_ptr_equal(kernel_memset(area + to, byte, size), area + to);
            assert_memory_equal(area, expected, AREA);
        }
    }
}

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

static void memcmp_finds_the_first_difference(void **state)
{
    (void)state;
    for (size_t size = 0; size <= 70; size++) {
        for (size_t left = 0; left < ALIGNMENTS; left++) {
            for (size_t right = 0; right < ALIGNMENTS; right++) {
                fill(source, AREA);
                memcpy(area + left, source + right, size + 8);
                area[left + size] ^= 0xff; /* behind the end: must not count */
                assert_int_equal(kernel_memcmp(area + left, source + right, size), 0);
                if (size == 0) {
                    continue;
                }
                area[left + host_random_below(&randomness, size)] ^= 0x80;
                area[left + host_random_below(&randomness, size)] ^= 0x01;
                assert_int_equal(sign(kernel_memcmp(area + left, source + right, size)),
                                 sign(memcmp(area + left, source + right, size)));
            }
        }
    }
}

static void memchr_finds_the_first_byte_within_the_size(void **state)
{
    (void)state;
    static const char text[] = "abcabc\xff";
    assert_ptr_equal(kernel_memchr(text, 'c', 6), text + 2);
    assert_null(kernel_memchr(text, 'c', 2));
    assert_null(kernel_memchr(text, 'a', 0));
    assert_ptr_equal(kernel_memchr(text, '\0', sizeof(text)), text + 7);
    assert_ptr_equal(kernel_memchr(text, -1, sizeof(text)), text + 6);
}

static void string_lengths(void **state)
{
    (void)state;
    static const char unterminated[3] = { 'a', 'b', 'c' };
    assert_int_equal(kernel_strlen(""), 0);
    assert_int_equal(kernel_strlen("hello"), 5);
    assert_int_equal(kernel_strnlen("hello", 9), 5);
    assert_int_equal(kernel_strnlen("hello", 3), 3);
    assert_int_equal(kernel_strnlen(unterminated, 3), 3);
}

static void string_searches(void **state)
{
    (void)state;
    static const char text[] = "path/to/file";
    assert_ptr_equal(kernel_strchr(text, '/'), text + 4);
    assert_ptr_equal(kernel_strrchr(text, '/'), text + 7);
    assert_ptr_equal(kernel_strchr(text, '\0'), text + 12);
    assert_ptr_equal(kernel_strrchr(text, '\0'), text + 12);
    assert_null(kernel_strchr(text, 'x'));
    assert_null(kernel_strrchr(text, 'x'));
    assert_null(kernel_strrchr("", 'x'));
}

static void string_comparisons_are_by_unsigned_bytes(void **state)
{
    (void)state;
    static const char *const texts[] = { "", "a", "ab", "abc", "abd", "b", "\x7f", "\x80", "\xff" };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(texts); j++) {
            assert_int_equal(sign(kernel_strcmp(texts[i], texts[j])),
                             sign(strcmp(texts[i], texts[j])));
            for (size_t size = 0; size < 5; size++) {
                assert_int_equal(sign(kernel_strncmp(texts[i], texts[j], size)),
                                 sign(strncmp(texts[i], texts[j], size)));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memcpy_copies_any_size_and_alignment),
        cmocka_unit_test(memmove_copies_over_itself),
        cmocka_unit_test(memset_fills_any_size_and_alignment),
        cmocka_unit_test(memcmp_finds_the_first_difference),
        cmocka_unit_test(memchr_finds_the_first_byte_within_the_size),
        cmocka_unit_test(string_lengths),
        cmocka_unit_test(string_searches),
        cmocka_unit_test(string_comparisons_are_by_unsigned_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
