/* ISA strings; see isa.h. The grammar is chapter "ISA Extension Naming Conventions" of the
 * Unprivileged ISA. */
#include "kernel/isa.h"

#include "kernel/boot_info.h"

static const struct {
    const char *name;
    uint32_t bits;
} extensions[] = {
    { "i", BOOT_ISA_I },
    { "m", BOOT_ISA_M },
    { "a", BOOT_ISA_A },
    { "f", BOOT_ISA_F },
    { "d", BOOT_ISA_D | BOOT_ISA_F },
    { "q", BOOT_ISA_D | BOOT_ISA_F },
    { "g", BOOT_ISA_I | BOOT_ISA_M | BOOT_ISA_A | BOOT_ISA_F | BOOT_ISA_D },
    { "c", BOOT_ISA_C },
    { "v", BOOT_ISA_V },
    { "h", BOOT_ISA_H },
    { "zba", BOOT_ISA_ZBA },
    { "zbb", BOOT_ISA_ZBB },
    { "sstc", BOOT_ISA_SSTC },
    { "svpbmt", BOOT_ISA_SVPBMT },
    { "svadu", BOOT_ISA_SVADU },
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool equals(const char *text, size_t size, const char *name)
{
    size_t i = 0;
    while (i < size && name[i] != '\0' && lower(text[i]) == name[i]) {
        i++;
    }
    return i == size && name[i] == '\0';
}

uint32_t isa_parse_extension(const char *name, size_t size)
{
    for (size_t i = 0; i < ARRAY_SIZE(extensions); i++) {
        if (equals(name, size, extensions[i].name)) {
            return extensions[i].bits;
        }
    }
    return 0;
}

uint32_t isa_without(uint32_t isa, const char *names)
{
    while (*names != '\0') {
        size_t size = 0;
        while (names[size] != '\0' && names[size] != ',') {
            size++;
        }
        isa &= ~isa_parse_extension(names, size);
        names += size + (names[size] == ',');
    }
    return isa;
}

/*
 * Returns where a version such as `2` or `2p1` that starts at `at` ends; `at` when there is none.
 */
static size_t skip_version(const char *text, size_t size, size_t at)
{
    size_t start = at;
    while (at < size && is_digit(text[at])) {
        at++;
    }
    if (at == start || at + 1 >= size || lower(text[at]) != 'p' || !is_digit(text[at + 1])) {
        return at;
    }
    at++;
    while (at < size && is_digit(text[at])) {
        at++;
    }
    return at;
}

/* Returns the length of the name in a multi-letter word such as `zba1p0`, less its version. */
static size_t strip_version(const char *word, size_t size)
{
    size_t digits = size;
    while (digits > 0 && is_digit(word[digits - 1])) {
        digits--;
    }
    if (digits == size || digits < 2 || lower(word[digits - 1]) != 'p' ||
        !is_digit(word[digits - 2])) {
        return digits;
    }
    digits--;
    while (digits > 0 && is_digit(word[digits - 1])) {
        digits--;
    }
    return digits;
}

/* The prefixes of multi-letter names: standard, supervisor-level and vendor's. */
static bool starts_long_name(char c)
{
    return lower(c) == 'z' || lower(c) == 's' || lower(c) == 'x';
}

uint32_t isa_parse_string(const char *text, size_t size)
{
    if (size < 5 || !equals(text, 4, "rv64")) {
        return 0;
    }
    uint32_t isa = 0;
    size_t at = 4;
    while (at < size) {
        if (starts_long_name(text[at])) {
            size_t start = at;
            while (at < size && text[at] != '_') {
                at++;
            }
            isa |= isa_parse_extension(&text[start], strip_version(&text[start], at - start));
        } else {
            isa |= isa_parse_extension(&text[at], 1);
            at = skip_version(text, size, at + 1);
        }
    }
    return isa;
}
