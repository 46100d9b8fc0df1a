/*
 * kernel/symbols.h with a table that scripts/mksymbols.py made in the build from data/symbols.s,
 * linked at 0x80001000: first at 0, second at 8 (with a local alias), last at 0x20; what is not
 * code is left out. scripts/mklines.py made its lines.
 */
#include "host/test.h"

#include "kernel/symbols.h"

#define BASE ((vaddr_t)0x80001000)

static void check(vaddr_t address, const char *name, size_t expected)
{
    size_t offset = SIZE_MAX;
    const char *found = symbols_find(address, &offset);
    assert_non_null(found);
    assert_string_equal(found, name);
    assert_int_equal(offset, expected);
}

static void addresses_get_the_function_at_or_before_them(void **state)
{
    (void)state;
    check(BASE, "first", 0);
    check(BASE + 7, "first", 7);
    check(BASE + 8, "second", 0);
    check(BASE + 0x1f, "second", 0x17);
    check(BASE + 0x20, "last", 0);
    check(BASE + 0x21, "last", 1);
}

static void last_function_reaches_to_the_end_of_its_page(void **state)
{
    (void)state;
    check(BASE + 0xfff, "last", 0xfdf);
}

static void addresses_outside_the_text_have_no_name(void **state)
{
    (void)state;
    size_t offset;
    assert_null(symbols_find(BASE - 1, &offset));
    assert_null(symbols_find(BASE + 0x1000, &offset));
    assert_null(symbols_find(0, &offset));
    assert_null(symbols_find(UINTPTR_MAX, &offset));
}

static void check_line(vaddr_t address, const char *expected_file, uint32_t expected_line)
{
    char file[16] = "";
    uint32_t line = 0;
    assert_true(symbols_line(address, file, sizeof(file), &line));
    assert_string_equal(file, expected_file);
    assert_int_equal(line, expected_line);
}

static void addresses_have_the_line_that_begins_at_or_before_them(void **state)
{
    (void)state;
    check_line(BASE, "one.c", 11);
    check_line(BASE + 3, "one.c", 11);
    check_line(BASE + 4, "one.c", 12);
    check_line(BASE + 8, "one.c", 7);
    check_line(BASE + 0x1f, "one.c", 7);
    check_line(BASE + 0x27, "deep/two.c", 100);
}

static void addresses_outside_the_code_have_no_line(void **state)
{
    (void)state;
    char file[16];
    uint32_t line;
    assert_false(symbols_line(BASE - 1, file, sizeof(file), &line));
    assert_false(symbols_line(BASE + 0x28, file, sizeof(file), &line));
    assert_false(symbols_line(0, file, sizeof(file), &line));
    assert_false(symbols_line(UINTPTR_MAX, file, sizeof(file), &line));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_get_the_function_at_or_before_them),
        cmocka_unit_test(last_function_reaches_to_the_end_of_its_page),
        cmocka_unit_test(addresses_outside_the_text_have_no_name),
        cmocka_unit_test(addresses_have_the_line_that_begins_at_or_before_them),
        cmocka_unit_test(addresses_outside_the_code_have_no_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
