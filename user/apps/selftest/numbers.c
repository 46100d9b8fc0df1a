/* Arithmetic, and numbers as text: floating point up to quad precision, 128-bit integers. */
#include "selftest.h"

#include <complex.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The volatile operands keep the compiler from computing the results itself. */

static bool prints(const char *expected, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool prints(const char *expected, const char *format, ...)
{
    char text[128];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    if (strcmp(text, expected) == 0) {
        return true;
    }
    printf("  '%s' instead of '%s'\n", text, expected);
    return false;
}

static bool numbers_print_exactly(void)
{
    EXPECT(prints("-42 ff 0x1p+0 1e+300", "%d %x %a %g", -42, 255, 1.0, 1e300));
    EXPECT(prints("0.1000000000000000055511151231257827", "%.34f", 0.1));
    EXPECT(prints("4.9406564584124654e-324", "%.17g", 4.9406564584124654e-324));
    EXPECT(prints("inf -nan 0", "%f %f %g", INFINITY, copysign(NAN, -1), 0.0));
    EXPECT(prints("0.333333333333333333333333333333333317", "%.36Lf", 1.0L / 3));
    return true;
}

static bool texts_become_the_nearest_numbers(void)
{
    EXPECT(strtod("0.1", NULL) == 0.1);
    EXPECT(strtod("1.7976931348623157e308", NULL) == 1.7976931348623157e308);
    EXPECT(strtod("2.2250738585072011e-308", NULL) == 2.2250738585072011e-308);
    EXPECT(strtof("3.4028235e38", NULL) == 3.4028235e38f);
    EXPECT(strtold("0.1", NULL) == 0.1L);
    EXPECT(strtol("-0x7fff", NULL, 0) == -0x7fff);
    return true;
}

static bool quad_arithmetic_is_exact(void)
{
    volatile long double one = 1;
    volatile long double three = 3;
    volatile double wide = (double)(one / three);
    EXPECT(one / three * three == one);
    EXPECT(wide == 1.0 / 3);
    EXPECT((long double)wide != one / three);
    EXPECT((long long)(three * 1e15L) == 3000000000000000);
    return true;
}

static bool integers_of_128_bits_divide(void)
{
    volatile unsigned __int128 dividend = ((unsigned __int128)0x123456789abcdef0 << 64) | 77;
    volatile unsigned __int128 divisor = ((unsigned __int128)5 << 64) | 3;
    unsigned __int128 quotient = dividend / divisor;
    EXPECT(quotient * divisor + dividend % divisor == dividend);
    volatile __int128 negative = -1000;
    EXPECT(negative / 7 == -142 && negative % 7 == -6);
    return true;
}

static bool complex_numbers_multiply_and_divide(void)
{
    volatile double complex z = 1.0 + 2.0 * I;
    volatile double complex w = 3.0 + 4.0 * I;
    EXPECT(z * w == -5.0 + 10.0 * I);
    EXPECT(z * w / w == z);
    EXPECT(cabs(w) == 5);
    return true;
}

static bool functions_of_math_h_are_right(void)
{
    volatile double two = 2;
    EXPECT(fabs(sin(two) - 0.9092974268256817) < 1e-15);
    EXPECT(sqrt(two) == 1.4142135623730951);
    EXPECT(pow(two, 100) == 1267650600228229401496703205376.0);
    EXPECT(fabs(exp(log(two)) - 2) < 1e-15);
    EXPECT(fma(two, two, 1) == 5 && floor(-2.5) == -3 && lrint(2.5) == 2);
    return true;
}

const struct check number_checks[] = {
    { "numbers print exactly", numbers_print_exactly },
    { "texts become the nearest numbers", texts_become_the_nearest_numbers },
    { "quad arithmetic is exact", quad_arithmetic_is_exact },
    { "integers of 128 bits divide", integers_of_128_bits_divide },
    { "complex numbers multiply and divide", complex_numbers_multiply_and_divide },
    { "functions of math.h are right", functions_of_math_h_are_right },
    { 0 },
};
