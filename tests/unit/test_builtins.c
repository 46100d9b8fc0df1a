/*
 * user/lib/builtins: 128-bit division and complex arithmetic, against the host compiler's own.
 * Complex results are compared by value, with room for another order of rounding; infinities and
 * NaNs by kind.
 */
#include "host/test.h"

#include <complex.h>
#include <float.h>
#include <math.h>

/* Under other names, so that the host's are still there. */
#define __udivmodti4 tested_udivmodti4
#define __udivti3    tested_udivti3
#define __umodti3    tested_umodti3
#define __divti3     tested_divti3
#define __modti3     tested_modti3
#include "user/lib/builtins/int128.c"

#define __mulsc3 tested_mulsc3
#define __divsc3 tested_divsc3
#define __muldc3 tested_muldc3
#define __divdc3 tested_divdc3
#define __multc3 tested_multc3
#define __divtc3 tested_divtc3
#include "user/lib/builtins/complex.c"

#define ROUNDS        100000
#define COMPLEX(x, y) __builtin_complex(x, y)

static struct host_random random_state = { 20261125 };

static u128 random_u128(void)
{
    u128 value = (u128)host_random(&random_state) << 64 | host_random(&random_state);
    return value >> host_random_below(&random_state, 128);
}

static void division_is_the_hosts(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        u128 a = random_u128();
        u128 b = random_u128();
        if (b == 0) {
            continue;
        }
        assert_true(tested_udivti3(a, b) == a / b);
        assert_true(tested_umodti3(a, b) == a % b);
        if ((i128)b != -1) {
            assert_true(tested_divti3((i128)a, (i128)b) == (i128)a / (i128)b);
            assert_true(tested_modti3((i128)a, (i128)b) == (i128)a % (i128)b);
            assert_true(tested_divti3(-(i128)(a >> 1), (i128)b) == -(i128)(a >> 1) / (i128)b);
            assert_true(tested_modti3(-(i128)(a >> 1), (i128)b) == -(i128)(a >> 1) % (i128)b);
        }
    }
}

static void division_has_results_at_its_edges(void **state)
{
    (void)state;
    u128 rest;
    i128 least = (i128)((u128)1 << 127);
    assert_true(tested_udivmodti4(7, 0, &rest) == ~(u128)0 && rest == 7);
    assert_true(tested_divti3(least, -1) == least);
    assert_true(tested_modti3(least, -1) == 0);
    assert_true(tested_divti3(least, 1) == least);
}

static double random_part(void)
{
    static const double edges[] = { 0.0,      -0.0,      1.0,     -1.0,   NAN,
                                    INFINITY, -INFINITY, DBL_MAX, 1e-100, 1e100 };
    size_t pick = host_random_below(&random_state, 3 * sizeof(edges) / sizeof(edges[0]));
    if (pick < sizeof(edges) / sizeof(edges[0])) {
        return edges[pick];
    }
    return ((double)(int64_t)host_random(&random_state)) / (double)(1ul << 60);
}

static int is_infinite(double complex z)
{
    return isinf(creal(z)) || isinf(cimag(z));
}

/* Annex G leaves a lot open: infinite, NaN, or near. */
static void assert_alike(double complex got, double complex wanted)
{
    if (is_infinite(wanted)) {
        assert_true(is_infinite(got));
    } else if (isnan(creal(wanted)) || isnan(cimag(wanted))) {
        assert_true(isnan(creal(got)) || isnan(cimag(got)));
    } else {
        assert_true(fabs(creal(got) - creal(wanted)) <= 1e-12 * cabs(wanted) + DBL_MIN);
        assert_true(fabs(cimag(got) - cimag(wanted)) <= 1e-12 * cabs(wanted) + DBL_MIN);
    }
}

static void complex_multiplication_is_the_hosts(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        double complex z = COMPLEX(random_part(), random_part());
        double complex w = COMPLEX(random_part(), random_part());
        assert_alike(tested_muldc3(creal(z), cimag(z), creal(w), cimag(w)), z * w);
    }
}

static bool is_huge(double complex z)
{
    return fabs(creal(z)) == DBL_MAX || fabs(cimag(z)) == DBL_MAX;
}

/* Annex G's algorithm, which ours is, overflows on the way when the dividend is at the very end of
 * the range. */
static void complex_division_is_the_hosts(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        double complex z = COMPLEX(random_part(), random_part());
        double complex w = COMPLEX(random_part(), random_part());
        if (!is_huge(z)) {
            assert_alike(tested_divdc3(creal(z), cimag(z), creal(w), cimag(w)), z / w);
        }
    }
}

static void complex_arithmetic_works_in_all_three_types(void **state)
{
    (void)state;
    assert_true(tested_mulsc3(1, 2, 3, 4) == COMPLEX(-5.0, 10.0));
    assert_true(tested_divsc3(-5, 10, 3, 4) == COMPLEX(1.0, 2.0));
    assert_true(tested_multc3(1, 2, 3, 4) == COMPLEX(-5.0, 10.0));
    assert_true(tested_divtc3(-5, 10, 3, 4) == COMPLEX(1.0, 2.0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(division_is_the_hosts),
        cmocka_unit_test(division_has_results_at_its_edges),
        cmocka_unit_test(complex_multiplication_is_the_hosts),
        cmocka_unit_test(complex_division_is_the_hosts),
        cmocka_unit_test(complex_arithmetic_works_in_all_three_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
