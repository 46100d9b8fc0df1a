/* The one comparison of quad floats that tcc's file lacks. */
int __unordtf2(long double a, long double b);

/* Whether one of them is a NaN. No other value differs from itself. */
int __unordtf2(long double a, long double b)
{
    return a != a || b != b;
}
