/*
 * printf's formatting (C11 7.21.6.1) of integers, characters, strings and pointers into a buffer.
 * Relies on nothing; keeps no state. Floating point and wide characters are left out, and %n for
 * good.
 */
#include <limits.h>

#include "kernel/log.h"

/* Where the text goes: the part that fits into the buffer, all of it into the length. */
struct sink {
    char *buffer;
    size_t capacity; /* bytes of text that fit */
    size_t length;   /* of the whole text so far */
};

enum length_modifier {
    LENGTH_INT,
    LENGTH_CHAR,
    LENGTH_SHORT,
    LENGTH_LONG,
    LENGTH_LONG_LONG,
    LENGTH_INTMAX,
    LENGTH_SIZE,
    LENGTH_PTRDIFF,
};

/* One conversion specification, decoded. */
struct conversion {
    bool left;      /* - */
    bool zero;      /* 0 */
    bool plus;      /* + */
    bool space;     /* ' ' */
    bool alternate; /* # */
    size_t width;
    bool has_precision;
    size_t precision;
    enum length_modifier length;
};

/* An integer to print: prefix (sign or 0x), zeros, digits. */
struct number {
    const char *prefix;
    size_t prefix_size;
    const char *digits;
    size_t digits_size;
};

#define OCTAL_DIGITS_MAX ((sizeof(uintmax_t) * CHAR_BIT + 2) / 3)

static void put_text(struct sink *sink, const char *text, size_t size)
{
    for (size_t i = 0; i < size && sink->length + i < sink->capacity; i++) {
        sink->buffer[sink->length + i] = text[i];
    }
    sink->length += size;
}

static void put_repeated(struct sink *sink, char character, size_t count)
{
    for (size_t i = 0; i < count && sink->length + i < sink->capacity; i++) {
        sink->buffer[sink->length + i] = character;
    }
    sink->length += count;
}

static void put_padded(struct sink *sink, const struct conversion *conversion, const char *text,
                       size_t size)
{
    size_t padding = conversion->width > size ? conversion->width - size : 0;
    if (!conversion->left) {
        put_repeated(sink, ' ', padding);
    }
    put_text(sink, text, size);
    if (conversion->left) {
        put_repeated(sink, ' ', padding);
    }
}

static void put_number(struct sink *sink, const struct conversion *conversion,
                       const struct number *number)
{
    size_t zeros = 0;
    if (conversion->has_precision && conversion->precision > number->digits_size) {
        zeros = conversion->precision - number->digits_size;
    }
    size_t size = number->prefix_size + zeros + number->digits_size;
    size_t padding = conversion->width > size ? conversion->width - size : 0;
    if (conversion->zero && !conversion->left && !conversion->has_precision) {
        zeros += padding;
        padding = 0;
    }
    if (!conversion->left) {
        put_repeated(sink, ' ', padding);
    }
    put_text(sink, number->prefix, number->prefix_size);
    put_repeated(sink, '0', zeros);
    put_text(sink, number->digits, number->digits_size);
    if (conversion->left) {
        put_repeated(sink, ' ', padding);
    }
}

/* Writes the digits before `end` and returns where they start; none for zero. */
static char *digits_of(char *end, uintmax_t value, unsigned base, bool capitals)
{
    const char *digits = capitals ? "0123456789ABCDEF" : "0123456789abcdef";
    if (base == 10) {
        for (; value != 0; value /= 10) { /* by a constant: no division */
            *--end = digits[value % 10];
        }
        return end;
    }
    unsigned shift = base == 16 ? 4 : 3;
    for (; value != 0; value >>= shift) {
        *--end = digits[value & (base - 1)];
    }
    return end;
}

static void put_unsigned(struct sink *sink, const struct conversion *conversion, char specifier,
                         uintmax_t value)
{
    char buffer[OCTAL_DIGITS_MAX + 1];
    char *end = buffer + sizeof(buffer);
    unsigned base = specifier == 'u' ? 10 : specifier == 'o' ? 8 : 16;
    char *start = digits_of(end, value, base, specifier == 'X');
    struct number number = { .prefix = "", .prefix_size = 0 };

    if (conversion->alternate && base == 16 && value != 0) {
        number.prefix = specifier == 'X' ? "0X" : "0x";
        number.prefix_size = 2;
    }
    /* Zero has one digit unless the precision is 0; %#o always starts with a 0. */
    bool blank_zero = conversion->has_precision && conversion->precision == 0;
    bool octal_zero =
        conversion->alternate && base == 8 &&
        (!conversion->has_precision || conversion->precision <= (size_t)(end - start));
    if ((value == 0 && !blank_zero) || octal_zero) {
        *--start = '0';
    }
    number.digits = start;
    number.digits_size = (size_t)(end - start);
    put_number(sink, conversion, &number);
}

static void put_signed(struct sink *sink, const struct conversion *conversion, intmax_t value)
{
    char buffer[OCTAL_DIGITS_MAX + 1];
    char *end = buffer + sizeof(buffer);
    uintmax_t magnitude = value < 0 ? -(uintmax_t)value : (uintmax_t)value;
    char *start = digits_of(end, magnitude, 10, false);
    struct number number = { .prefix = "", .prefix_size = 1 };

    if (value < 0) {
        number.prefix = "-";
    } else if (conversion->plus) {
        number.prefix = "+";
    } else if (conversion->space) {
        number.prefix = " ";
    } else {
        number.prefix_size = 0;
    }
    if (value == 0 && !(conversion->has_precision && conversion->precision == 0)) {
        *--start = '0';
    }
    number.digits = start;
    number.digits_size = (size_t)(end - start);
    put_number(sink, conversion, &number);
}

/* Always as 0x and digits, so that a log has one form for it. */
static void put_pointer(struct sink *sink, const struct conversion *conversion, uintptr_t value)
{
    char buffer[OCTAL_DIGITS_MAX + 1];
    char *end = buffer + sizeof(buffer);
    char *start = digits_of(end, value, 16, false);
    if (value == 0) {
        *--start = '0';
    }
    struct number number = {
        .prefix = "0x",
        .prefix_size = 2,
        .digits = start,
        .digits_size = (size_t)(end - start),
    };
    put_number(sink, conversion, &number);
}

static void put_string(struct sink *sink, const struct conversion *conversion, const char *text)
{
    if (text == NULL) {
        text = "(null)";
    }
    /* With a precision the text need not end with NUL. */
    size_t size = 0;
    while ((!conversion->has_precision || size < conversion->precision) && text[size] != '\0') {
        size++;
    }
    put_padded(sink, conversion, text, size);
}

/*
 * va_list as a parameter may be an array type; in a struct it can be passed on and advanced
 * anywhere.
 */
struct arguments {
    va_list list;
};

static uintmax_t next_unsigned(struct arguments *arguments, enum length_modifier length)
{
    switch (length) {
    case LENGTH_CHAR: return (unsigned char)va_arg(arguments->list, unsigned);
    case LENGTH_SHORT: return (unsigned short)va_arg(arguments->list, unsigned);
    case LENGTH_LONG: return va_arg(arguments->list, unsigned long);
    case LENGTH_LONG_LONG: return va_arg(arguments->list, unsigned long long);
    case LENGTH_INTMAX: return va_arg(arguments->list, uintmax_t);
    case LENGTH_SIZE: return va_arg(arguments->list, size_t);
    case LENGTH_PTRDIFF: return (uintmax_t)va_arg(arguments->list, ptrdiff_t);
    case LENGTH_INT: break;
    }
    return va_arg(arguments->list, unsigned);
}

static intmax_t next_signed(struct arguments *arguments, enum length_modifier length)
{
    switch (length) {
    case LENGTH_CHAR: return (signed char)va_arg(arguments->list, int);
    case LENGTH_SHORT: return (short)va_arg(arguments->list, int);
    case LENGTH_LONG: return va_arg(arguments->list, long);
    case LENGTH_LONG_LONG: return va_arg(arguments->list, long long);
    case LENGTH_INTMAX: return va_arg(arguments->list, intmax_t);
    case LENGTH_SIZE: return (intmax_t)va_arg(arguments->list, size_t);
    case LENGTH_PTRDIFF: return va_arg(arguments->list, ptrdiff_t);
    case LENGTH_INT: break;
    }
    return va_arg(arguments->list, int);
}

static const char *parse_flags(const char *at, struct conversion *conversion)
{
    for (;; at++) {
        switch (*at) {
        case '-': conversion->left = true; break;
        case '0': conversion->zero = true; break;
        case '+': conversion->plus = true; break;
        case ' ': conversion->space = true; break;
        case '#': conversion->alternate = true; break;
        default: return at;
        }
    }
}

/* Reads a decimal number, held at INT_MAX. */
static const char *parse_decimal(const char *at, size_t *value)
{
    size_t number = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        number = number * 10 + (size_t)(*at - '0');
        number = number > INT_MAX ? INT_MAX : number;
    }
    *value = number;
    return at;
}

static const char *parse_width(const char *at, struct conversion *conversion,
                               struct arguments *arguments)
{
    if (*at != '*') {
        return parse_decimal(at, &conversion->width);
    }
    int width = va_arg(arguments->list, int);
    if (width < 0) {
        conversion->left = true;
        conversion->width = -(size_t)width;
    } else {
        conversion->width = (size_t)width;
    }
    return at + 1;
}

static const char *parse_precision(const char *at, struct conversion *conversion,
                                   struct arguments *arguments)
{
    if (*at != '.') {
        return at;
    }
    at++;
    if (*at != '*') {
        conversion->has_precision = true;
        return parse_decimal(at, &conversion->precision);
    }
    int precision = va_arg(arguments->list, int);
    if (precision >= 0) {
        conversion->has_precision = true;
        conversion->precision = (size_t)precision;
    }
    return at + 1;
}

static const char *parse_length(const char *at, struct conversion *conversion)
{
    switch (*at) {
    case 'h':
        conversion->length = at[1] == 'h' ? LENGTH_CHAR : LENGTH_SHORT;
        return at + (at[1] == 'h' ? 2 : 1);
    case 'l':
        conversion->length = at[1] == 'l' ? LENGTH_LONG_LONG : LENGTH_LONG;
        return at + (at[1] == 'l' ? 2 : 1);
    case 'j': conversion->length = LENGTH_INTMAX; return at + 1;
    case 'z': conversion->length = LENGTH_SIZE; return at + 1;
    case 't': conversion->length = LENGTH_PTRDIFF; return at + 1;
    default: return at;
    }
}

/* Handles the conversion whose % was at `start`; returns the rest of the format. */
static const char *put_conversion(struct sink *sink, const char *start, struct arguments *arguments)
{
    struct conversion conversion = { .length = LENGTH_INT };
    const char *at = parse_flags(start + 1, &conversion);
    at = parse_width(at, &conversion, arguments);
    at = parse_precision(at, &conversion, arguments);
    at = parse_length(at, &conversion);
    char character;

    switch (*at) {
    case 'd':
    case 'i': put_signed(sink, &conversion, next_signed(arguments, conversion.length)); break;
    case 'u':
    case 'x':
    case 'X':
    case 'o':
        put_unsigned(sink, &conversion, *at, next_unsigned(arguments, conversion.length));
        break;
    case 'c':
        character = (char)va_arg(arguments->list, int);
        put_padded(sink, &conversion, &character, 1);
        break;
    case 's': put_string(sink, &conversion, va_arg(arguments->list, const char *)); break;
    case 'p': put_pointer(sink, &conversion, (uintptr_t)va_arg(arguments->list, void *)); break;
    case '%': put_text(sink, "%", 1); break;
    case '\0': put_text(sink, start, (size_t)(at - start)); return at;
    default: /* unknown: show it, so that the mistake is seen */
        put_text(sink, start, (size_t)(at + 1 - start));
        break;
    }
    return at + 1;
}

int format_text_v(char *buffer, size_t size, const char *format, va_list args)
{
    struct sink sink = { .buffer = buffer, .capacity = size > 0 ? size - 1 : 0, .length = 0 };
    struct arguments arguments;
    va_copy(arguments.list, args);

    while (*format != '\0') {
        if (*format == '%') {
            format = put_conversion(&sink, format, &arguments);
            continue;
        }
        size_t plain = 1;
        while (format[plain] != '\0' && format[plain] != '%') {
            plain++;
        }
        put_text(&sink, format, plain);
        format += plain;
    }

    va_end(arguments.list);
    if (size > 0) {
        buffer[sink.length < sink.capacity ? sink.length : sink.capacity] = '\0';
    }
    return sink.length > INT_MAX ? INT_MAX : (int)sink.length;
}

int format_text(char *buffer, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = format_text_v(buffer, size, format, args);
    va_end(args);
    return length;
}
