/*
 * The quad-precision helpers that the C library is built with (Debian's tcc, lib/lib-arm64.c): bit
 * for bit against the host compiler's own, over random operands with a weight on edges. Built with
 * 128-bit long double.
 */
#include "host/test.h"

#include <math.h>

/* Under other names, so that the host's are still there. */
#define __riscv       1 /* the file's other architecture needs more */
#define __addtf3      tested_add
#define __subtf3      tested_sub
#define __multf3      tested_mul
#define __divtf3      tested_div
#define __extendsftf2 tested_extend_float
#define __extenddftf2 tested_extend_double
#define __trunctfsf2  tested_truncate_float
#define __trunctfdf2  tested_truncate_double
#define __fixtfsi     tested_to_i32
#define __fixtfdi     tested_to_i64
#define __fixunstfsi  tested_to_u32
#define __fixunstfdi  tested_to_u64
#define __floatsitf   tested_from_i32
#define __floatditf   tested_from_i64
#define __floatunsitf tested_from_u32
#define __floatunditf tested_from_u64
#define __eqtf2       tested_eq
#define __netf2       tested_ne
#define __lttf2       tested_lt
#define __letf2       tested_le
#define __gttf2       tested_gt
#define __getf2       tested_ge
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Weverything"
#include "lib-arm64.c"
#pragma clang diagnostic pop

_Static_assert(sizeof(long double) == 16 && __LDBL_MANT_DIG__ == 113, "needs -mlong-double-128");

#define ROUNDS        200000
#define FRACTION_BITS 112
#define BIAS          0x3fff
#define SPECIAL       0x7fff /* exponent of infinities and NaNs */

typedef unsigned __int128 bits_t;

static struct host_random random_state = { 20261125 };

static uint64_t random_word(void)
{
    return host_random(&random_state);
}

static uint64_t below(uint64_t end)
{
    return host_random_below(&random_state, end);
}

static bits_t bits_of(long double value)
{
    bits_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static int is_nan(long double value)
{
    return (bits_of(value) << 1) > ((bits_t)SPECIAL << (FRACTION_BITS + 1));
}

/* An exponent: any, or near an edge of quad, double or float, or near that of another operand. */
static uint64_t random_exponent(long double other)
{
    uint64_t near = (uint64_t)(bits_of(other) >> FRACTION_BITS) & SPECIAL;
    switch (below(10)) {
    case 0: return 0;
    case 1: return SPECIAL;
    case 2: return 1 + below(200);
    case 3: return SPECIAL - 1 - below(100);
    case 4: return BIAS - 1080 + below(40); /* double's subnormals */
    case 5: return BIAS - 150 + below(30);  /* float's */
    case 6: return BIAS + below(130);       /* integers, and beyond */
    case 7: return BIAS + 1010 + below(20); /* double's overflow */
    case 8: return below(SPECIAL + 1);
    default: return (near + below(240) + SPECIAL - 120) & SPECIAL;
    }
}

static bits_t random_fraction(void)
{
    bits_t fraction = (bits_t)random_word() << 64 | random_word();
    switch (below(5)) {
    case 0: return 0;
    case 1: return ~(bits_t)0;
    case 2: return (bits_t)1 << below(FRACTION_BITS);
    case 3: return fraction & ~(bits_t)0 << below(FRACTION_BITS);
    default: return fraction;
    }
}

static long double random_quad(long double other)
{
    bits_t bits = (bits_t)below(2) << 127 | (bits_t)random_exponent(other) << FRACTION_BITS |
                  (random_fraction() & (((bits_t)1 << FRACTION_BITS) - 1));
    long double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static void random_pair(long double *a, long double *b)
{
    *a = random_quad(1);
    switch (below(12)) {
    case 0: *b = *a; break;
    case 1: *b = -*a; break;
    default: *b = random_quad(*a);
    }
}

/* The same bits; any NaN is as good as another. */
#define assert_same(got, wanted)                                                                   \
    assert_true(bits_of(got) == bits_of(wanted) || (is_nan(got) && is_nan(wanted)))

static void arithmetic_is_the_hosts(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        long double a;
        long double b;
        random_pair(&a, &b);
        assert_same(tested_add(a, b), a + b);
        assert_same(tested_sub(a, b), a - b);
        assert_same(tested_mul(a, b), a * b);
        assert_same(tested_div(a, b), a / b);
    }
}

static void comparisons_are_the_hosts(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        long double a;
        long double b;
        random_pair(&a, &b);
        assert_true((tested_eq(a, b) == 0) == (a == b));
        assert_true((tested_ne(a, b) != 0) == (a != b));
        assert_true((tested_lt(a, b) < 0) == (a < b));
        assert_true((tested_le(a, b) <= 0) == (a <= b));
        assert_true((tested_gt(a, b) > 0) == (a > b));
        assert_true((tested_ge(a, b) >= 0) == (a >= b));
    }
}

static void narrowing_is_the_hosts(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        long double a = random_quad(1);
        float narrow = tested_truncate_float(a);
        double middle = tested_truncate_double(a);
        assert_same((long double)narrow, (long double)(float)a);
        assert_same((long double)middle, (long double)(double)a);
    }
}

static void widening_is_the_hosts(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t word = random_word() & ~(below(2) << 62) & ~(below(4) << 61);
        uint32_t half = (uint32_t)(word >> 32);
        float narrow;
        double middle;
        memcpy(&narrow, &half, sizeof(narrow));
        memcpy(&middle, &word, sizeof(middle));
        assert_same(tested_extend_float(narrow), (long double)narrow);
        assert_same(tested_extend_double(middle), (long double)middle);
    }
}

static void integers_convert_as_the_hosts(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t word = random_word() >> below(64);
        long double a = random_quad((long double)word);
        assert_same(tested_from_i32((int32_t)word), (long double)(int32_t)word);
        assert_same(tested_from_u32((uint32_t)word), (long double)(uint32_t)word);
        assert_same(tested_from_i64((int64_t)word), (long double)(int64_t)word);
        assert_same(tested_from_u64(word), (long double)word);
        if (a > -2147483649.0L && a < 2147483648.0L) {
            assert_int_equal(tested_to_i32(a), (int32_t)a);
        }
        if (a > -9223372036854775809.0L && a < 9223372036854775808.0L) {
            assert_true(tested_to_i64(a) == (int64_t)a);
        }
        if (a > -1 && a < 4294967296.0L) {
            assert_true(tested_to_u32(a) == (uint32_t)a);
        }
        if (a > -1 && a < 18446744073709551616.0L) {
            assert_true(tested_to_u64(a) == (uint64_t)a);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic_is_the_hosts),
        cmocka_unit_test(comparisons_are_the_hosts),
        cmocka_unit_test(narrowing_is_the_hosts),
        cmocka_unit_test(widening_is_the_hosts),
        cmocka_unit_test(integers_convert_as_the_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
