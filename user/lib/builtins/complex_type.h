/*
 * The functions of complex.c for one TYPE, which it includes this for, with the names MULTIPLY and
 * DIVIDE and the type's own EXPONENT, LARGER and SCALE. Not a header for anybody else.
 */
TYPE complex MULTIPLY(TYPE a, TYPE b, TYPE c, TYPE d);
TYPE complex DIVIDE(TYPE a, TYPE b, TYPE c, TYPE d);

/* (a + ib) * (c + id). A NaN in both parts of the result may hide an infinity. */
TYPE complex MULTIPLY(TYPE a, TYPE b, TYPE c, TYPE d)
{
    TYPE x = a * c - b * d;
    TYPE y = a * d + b * c;
    bool left = isinf(a) || isinf(b);
    bool right = isinf(c) || isinf(d);
    bool overflow = isinf(a * c) || isinf(b * d) || isinf(a * d) || isinf(b * c);

    if (!isnan(x) || !isnan(y) || !(left || right || overflow)) {
        return __builtin_complex(x, y);
    }
    if (left) {
        a = BOX(a);
        b = BOX(b);
    }
    if (right) {
        c = BOX(c);
        d = BOX(d);
    }
    a = ZERO_IF_NAN(a);
    b = ZERO_IF_NAN(b);
    c = ZERO_IF_NAN(c);
    d = ZERO_IF_NAN(d);
    return __builtin_complex((TYPE)INFINITY * (a * c - b * d), (TYPE)INFINITY * (a * d + b * c));
}

/* (a + ib) / (c + id), the divisor scaled to about 1 first, so that its square neither overflows
 * nor vanishes. */
TYPE complex DIVIDE(TYPE a, TYPE b, TYPE c, TYPE d)
{
    TYPE exponent = EXPONENT(LARGER(c, d));
    int scale = 0;

    if (isfinite(exponent)) {
        scale = (int)exponent;
        c = SCALE(c, -scale);
        d = SCALE(d, -scale);
    }
    TYPE square = c * c + d * d;
    TYPE x = SCALE((a * c + b * d) / square, -scale);
    TYPE y = SCALE((b * c - a * d) / square, -scale);

    if (!isnan(x) || !isnan(y)) {
        return __builtin_complex(x, y);
    }
    if (square == 0 && (!isnan(a) || !isnan(b))) {
        TYPE infinity = (TYPE)copysign(INFINITY, (double)c);
        return __builtin_complex(infinity * a, infinity * b);
    }
    if ((isinf(a) || isinf(b)) && isfinite(c) && isfinite(d)) {
        a = BOX(a);
        b = BOX(b);
        return __builtin_complex((TYPE)INFINITY * (a * c + b * d),
                                 (TYPE)INFINITY * (b * c - a * d));
    }
    if (isinf(exponent) && exponent > 0 && isfinite(a) && isfinite(b)) {
        c = BOX(c);
        d = BOX(d);
        return __builtin_complex((TYPE)0 * (a * c + b * d), (TYPE)0 * (b * c - a * d));
    }
    return __builtin_complex(x, y);
}

#undef TYPE
#undef MULTIPLY
#undef DIVIDE
#undef EXPONENT
#undef LARGER
#undef SCALE
