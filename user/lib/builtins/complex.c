/*
 * Complex multiplication and division: the functions that the compiler calls for `*` and `/` of the
 * three complex types. Infinities and NaNs as in C11 Annex G.5.1, examples 1 and 2.
 */
#include <complex.h>
#include <math.h>
#include <stdbool.h>

/*
 * A complex infinity's direction: the point of the unit square; what is finite or a NaN becomes 0.
 */
#define BOX(value)         ((TYPE)copysign(isinf(value) ? 1.0 : 0.0, (double)(value)))
#define ZERO_IF_NAN(value) (isnan(value) ? (TYPE)copysign(0.0, (double)(value)) : (value))

#define TYPE         float
#define MULTIPLY     __mulsc3
#define DIVIDE       __divsc3
#define EXPONENT     logbf
#define LARGER(x, y) fmaxf(fabsf(x), fabsf(y))
#define SCALE(x, n)  scalbnf(x, n)
#include "complex_type.h"

#define TYPE         double
#define MULTIPLY     __muldc3
#define DIVIDE       __divdc3
#define EXPONENT     logb
#define LARGER(x, y) fmax(fabs(x), fabs(y))
#define SCALE(x, n)  scalbn(x, n)
#include "complex_type.h"

#define TYPE         long double
#define MULTIPLY     __multc3
#define DIVIDE       __divtc3
#define EXPONENT     logbl
#define LARGER(x, y) fmaxl(fabsl(x), fabsl(y))
#define SCALE(x, n)  scalbnl(x, n)
#include "complex_type.h"
