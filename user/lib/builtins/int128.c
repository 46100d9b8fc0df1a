/*
 * 128-bit division: the functions that the compiler calls for `/` and `%` of __int128. Shift and
 * subtract: one step per bit of the quotient.
 */
typedef __int128 i128;
typedef unsigned __int128 u128;

u128 __udivmodti4(u128 dividend, u128 divisor, u128 *rest);
u128 __udivti3(u128 dividend, u128 divisor);
u128 __umodti3(u128 dividend, u128 divisor);
i128 __divti3(i128 dividend, i128 divisor);
i128 __modti3(i128 dividend, i128 divisor);

/* Of a value that is not 0. */
static int leading_zeros(u128 value)
{
    unsigned long high = (unsigned long)(value >> 64);
    return high != 0 ? __builtin_clzl(high) : 64 + __builtin_clzl((unsigned long)value);
}

static u128 magnitude(i128 value)
{
    return value < 0 ? -(u128)value : (u128)value;
}

/* Division by zero gives all ones and the dividend as the rest, as RISC-V's own instructions do. */
u128 __udivmodti4(u128 dividend, u128 divisor, u128 *rest)
{
    u128 quotient = 0;

    if (divisor == 0) {
        *rest = dividend;
        return ~(u128)0;
    }
    if (dividend < divisor) {
        *rest = dividend;
        return 0;
    }
    int shift = leading_zeros(divisor) - leading_zeros(dividend);
    divisor <<= shift;
    for (; shift >= 0; shift--) {
        quotient <<= 1;
        if (dividend >= divisor) {
            dividend -= divisor;
            quotient |= 1;
        }
        divisor >>= 1;
    }
    *rest = dividend;
    return quotient;
}

u128 __udivti3(u128 dividend, u128 divisor)
{
    u128 rest;
    return __udivmodti4(dividend, divisor, &rest);
}

u128 __umodti3(u128 dividend, u128 divisor)
{
    u128 rest;
    __udivmodti4(dividend, divisor, &rest);
    return rest;
}

/* C rounds to zero: the quotient's sign is the product of both, the rest's is the dividend's. */
i128 __divti3(i128 dividend, i128 divisor)
{
    u128 rest;
    u128 quotient = __udivmodti4(magnitude(dividend), magnitude(divisor), &rest);
    return (i128)((dividend < 0) != (divisor < 0) ? -quotient : quotient);
}

i128 __modti3(i128 dividend, i128 divisor)
{
    u128 rest;
    __udivmodti4(magnitude(dividend), magnitude(divisor), &rest);
    return (i128)(dividend < 0 ? -rest : rest);
}
