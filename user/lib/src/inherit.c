/* Names of inherited descriptors: see <ftl/inherit.h>. Runs on the host too, for unit tests. */
#include <ftl/inherit.h>

#include <string.h>

#define PREFIX_SIZE (sizeof(FTL_INHERIT_PREFIX) - 1)
#define DIGITS_MAX  10
/* Behind the list: kind, flags, number. There is room for a descriptor besides, with numbers up to
 * 99. */
#define END_MAX (1 + FTL_INHERIT_KIND_MAX + 1 + DIGITS_MAX + 1 + DIGITS_MAX)

/* Reads a number up to `limit` in this base; false when there is none, or a greater one. */
static bool take_number(const char **at, unsigned base, uint32_t limit, uint32_t *number)
{
    static const char digits[] = "0123456789abcdef";
    const char *start = *at;
    uint64_t value = 0;
    for (;; (*at)++) {
        const char *digit = **at != '\0' ? memchr(digits, **at, base) : NULL;
        if (digit == NULL) {
            break;
        }
        value = value * base + (uint64_t)(digit - digits);
        if (value > limit) {
            return false;
        }
    }
    *number = (uint32_t)value;
    return *at != start;
}

static bool take_list(const char **at, struct ftl_inherit *inherit)
{
    uint32_t fd;
    inherit->count = 0;
    while (**at != '/') {
        if (inherit->count == FTL_INHERIT_LIST_MAX ||
            !take_number(at, 10, FTL_INHERIT_FD_MAX, &fd)) {
            return false;
        }
        inherit->fds[inherit->count++] = (int)fd;
        if (**at == ',' && (*at)[1] != '/') {
            (*at)++;
        } else if (**at != '/') {
            return false;
        }
    }
    return true;
}

bool ftl_inherit_parse(const char *name, struct ftl_inherit *inherit)
{
    const char *at = name + PREFIX_SIZE;
    if (strncmp(name, FTL_INHERIT_PREFIX, PREFIX_SIZE) != 0 || !take_list(&at, inherit)) {
        return false;
    }
    const char *kind = at + 1;
    const char *end = strchr(kind, '/');
    if (end == NULL || end == kind || (size_t)(end - kind) >= sizeof(inherit->kind)) {
        return false;
    }
    memcpy(inherit->kind, kind, (size_t)(end - kind));
    inherit->kind[end - kind] = '\0';
    at = end + 1;
    inherit->number = 0;
    if (!take_number(&at, 16, UINT32_MAX, &inherit->flags)) {
        return false;
    }
    if (*at == '/') {
        at++;
        return take_number(&at, 10, UINT32_MAX, &inherit->number) && *at == '\0';
    }
    return *at == '\0';
}

/* Appends the digits of the number, NUL behind them; returns how many. */
static size_t put_number(char *text, uint32_t number, unsigned base)
{
    char reversed[DIGITS_MAX];
    size_t count = 0;
    do {
        reversed[count++] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0);
    for (size_t i = 0; i < count; i++) {
        text[i] = reversed[count - 1 - i];
    }
    text[count] = '\0';
    return count;
}

/* What comes behind the list; its size. */
static size_t format_end(char end[END_MAX], const struct ftl_inherit *inherit)
{
    size_t used = strlen(inherit->kind);
    end[0] = '/';
    memcpy(end + 1, inherit->kind, used);
    end[++used] = '/';
    used += 1 + put_number(end + used + 1, inherit->flags, 16);
    if (inherit->number != 0) {
        end[used++] = '/';
        used += put_number(end + used, inherit->number, 10);
    }
    return used;
}

void ftl_inherit_format(char name[FTL_NAME_MAX], struct ftl_inherit *inherit)
{
    char end[END_MAX];
    char digits[DIGITS_MAX + 1];
    size_t end_size = format_end(end, inherit);
    size_t used = PREFIX_SIZE;
    size_t listed = 0;

    strcpy(name, FTL_INHERIT_PREFIX);
    for (; listed < inherit->count; listed++) {
        size_t comma = listed != 0;
        size_t size = put_number(digits, (uint32_t)inherit->fds[listed], 10);
        if (used + comma + size + end_size >= FTL_NAME_MAX) {
            break;
        }
        if (comma != 0) {
            name[used++] = ',';
        }
        memcpy(name + used, digits, size);
        used += size;
    }
    memcpy(name + used, end, end_size);
    name[used + end_size] = '\0';
    inherit->count = listed;
}
