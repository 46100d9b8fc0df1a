/* Ranges: see range.h. RFC 9110, section 14. */
#include "range.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define UNIT "bytes="

/* Takes a number; one that is too large is as large as can be. False: there is no digit. */
static bool take_number(const char **text, size_t *number)
{
    const char *at = *text;
    *number = 0;
    for (; isdigit((unsigned char)*at); at++) {
        size_t digit = (size_t)(*at - '0');
        *number = *number > (SIZE_MAX - digit) / 10 ? SIZE_MAX : *number * 10 + digit;
    }
    bool is_number = at != *text;
    *text = at;
    return is_number;
}

enum range_result range_parse(const char *value, size_t size, size_t *first, size_t *count)
{
    size_t last = SIZE_MAX;
    if (strncmp(value, UNIT, strlen(UNIT)) != 0) {
        return RANGE_WHOLE;
    }
    value += strlen(UNIT);
    bool has_first = take_number(&value, first);
    if (*value++ != '-') {
        return RANGE_WHOLE;
    }
    bool has_last = take_number(&value, &last);
    if (*value != '\0' || (!has_first && !has_last) || (has_first && has_last && last < *first)) {
        return RANGE_WHOLE;
    }
    if (!has_first) { /* so many bytes at the end */
        *count = last < size ? last : size;
        *first = size - *count;
        return *count != 0 ? RANGE_PART : RANGE_UNSATISFIABLE;
    }
    if (*first >= size) {
        return RANGE_UNSATISFIABLE;
    }
    *count = has_last && last < size - 1 ? last - *first + 1 : size - *first;
    return RANGE_PART;
}
