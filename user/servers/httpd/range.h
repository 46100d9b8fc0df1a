/* The header `Range` of requests. */
#ifndef HTTPD_RANGE_H
#define HTTPD_RANGE_H

#include <stddef.h>

enum range_result {
    RANGE_WHOLE, /* not one range of bytes, or malformed: the whole file is sent */
    RANGE_PART,
    RANGE_UNSATISFIABLE,
};

/* Parses the header's value for a file of `size` bytes. */
enum range_result range_parse(const char *value, size_t size, size_t *first, size_t *count);

#endif
