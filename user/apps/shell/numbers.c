/* Reading numbers that people typed. */
#include "shell.h"

bool shell_parse_number(const char *text, uint64_t limit, uint64_t *number)
{
    uint64_t value = 0;
    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(*text - '0');
        if (value > limit / 10 || value * 10 > limit - digit) {
            return false;
        }
        value = value * 10 + digit;
    }
    *number = value;
    return true;
}
