/*
 * kernel/elf_lines.h: a small table made by hand, every cut of it, and random damage: reads stay in
 * the section, and what is found is well-formed.
 */
#include "host/test.h"

#include "kernel/elf_lines.h"

#define SECTION_OFFSET 37u
#define DAMAGES        20000

/*
 * 0x1000 a.c:10, 0x1004 a.c:9, 0x1008 dir/b.c:300, 0x100c nothing known, 0x1200 a.c:1, 0x1204 end.
 * Numbers: growth, then 4 d or 4 (-d - 1) + 2, plus 1 and a file's number where the file changes.
 */
static const unsigned char good[] = {
    30,   0,    0,   0,                     /* bytes of entries */
    14,   0,    0,   0,                     /* bytes of names */
    0x80, 0x20, 41,  0,                     /* + 0x1000, + 10, file 0 */
    4,    2,                                /* + 4, - 1 */
    4,    0x8d, 9,   1,                     /* + 4, + 291, file 1 */
    4,    0xae, 9,                          /* + 4, - 300 */
    0xf4, 0x83, 0,   5,   0,                /* + 0x1f4 with a needless zero byte, + 1, file 0 */
    4,    2,                                /* + 4, - 1: the end */
    4,    2,    4,   2,   4,   2,   4,   2, /* nonsense behind it: line -1 and less */
    4,    2,                                /* and so on */
    'a',  '.',  'c', 0,                     /* file 0 */
    'd',  'i',  'r', '/', 'b', '.', 'c', 0x1b, 'x', 0, /* file 1, with a byte not to be printed */
};

static unsigned char section[sizeof(good)];
static size_t section_size;

/* Only what lies in the section may be read. */
static bool read_section(void *context, uint64_t offset, void *buffer, size_t size)
{
    (void)context;
    assert_true(offset >= SECTION_OFFSET);
    offset -= SECTION_OFFSET;
    assert_true(offset <= section_size && size <= section_size - offset);
    memcpy(buffer, section + offset, size);
    return true;
}

static bool find(uint64_t vaddr, char *name, size_t size, uint32_t *line)
{
    struct elf_reader reader = { .read = read_section, .size = SECTION_OFFSET + section_size };
    struct elf_image image = { .lines_offset = SECTION_OFFSET, .lines_size = section_size };
    return elf_line(&reader, &image, vaddr, name, size, line);
}

static int set_up(void **state)
{
    (void)state;
    memcpy(section, good, sizeof(good));
    section_size = sizeof(good);
    return 0;
}

static void assert_place(uint64_t vaddr, const char *expected_name, uint32_t expected_line)
{
    char name[32];
    uint32_t line;
    assert_true(find(vaddr, name, sizeof(name), &line));
    assert_string_equal(name, expected_name);
    assert_int_equal(line, expected_line);
}

static void assert_unknown(uint64_t vaddr)
{
    char name[32];
    uint32_t line;
    assert_false(find(vaddr, name, sizeof(name), &line));
}

static void each_address_has_the_line_of_the_entry_before(void **state)
{
    (void)state;
    assert_place(0x1000, "a.c", 10);
    assert_place(0x1003, "a.c", 10);
    assert_place(0x1004, "a.c", 9);
    assert_place(0x1008, "dir/b.c?x", 300);
    assert_place(0x100b, "dir/b.c?x", 300);
    assert_place(0x1200, "a.c", 1);
}

static void addresses_between_and_around_have_none(void **state)
{
    (void)state;
    assert_unknown(0);
    assert_unknown(0xfff);
    assert_unknown(0x100c);
    assert_unknown(0x11ff);
    assert_unknown(0x1204);
    assert_unknown(0x1208);
    assert_unknown(UINT64_MAX);
}

static void long_names_are_cut(void **state)
{
    (void)state;
    char name[6];
    uint32_t line;
    assert_true(find(0x1008, name, sizeof(name), &line));
    assert_string_equal(name, "dir/b");
    assert_false(find(0x1008, name, 0, &line));
}

static void image_without_a_table_has_no_lines(void **state)
{
    (void)state;
    section_size = 0;
    assert_unknown(0x1000);
}

static void cut_tables_are_no_tables(void **state)
{
    (void)state;
    for (section_size = 0; section_size < sizeof(good); section_size++) {
        assert_unknown(0x1000);
    }
}

static void the_last_entry_has_no_line(void **state)
{
    (void)state;
    section[0] = 6; /* two entries; what follows them is taken for names */
    assert_place(0x1000, "?????????", 10);
    assert_unknown(0x1004);
}

static void damaged_tables_give_wrong_answers_at_worst(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (unsigned i = 0; i < DAMAGES; i++) {
        set_up(state);
        for (unsigned j = 0; j < 1 + i % 4; j++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            section[(random >> 33) % sizeof(section)] = (unsigned char)(random >> 56);
        }
        for (uint64_t vaddr = 0xffe; vaddr < 0x1210; vaddr += 7) {
            char name[8];
            uint32_t line;
            if (find(vaddr, name, sizeof(name), &line)) {
                assert_int_not_equal(line, 0);
                assert_in_range(strnlen(name, sizeof(name)), 1, sizeof(name) - 1);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_address_has_the_line_of_the_entry_before, set_up),
        cmocka_unit_test_setup(addresses_between_and_around_have_none, set_up),
        cmocka_unit_test_setup(long_names_are_cut, set_up),
        cmocka_unit_test_setup(image_without_a_table_has_no_lines, set_up),
        cmocka_unit_test_setup(cut_tables_are_no_tables, set_up),
        cmocka_unit_test_setup(the_last_entry_has_no_line, set_up),
        cmocka_unit_test_setup(damaged_tables_give_wrong_answers_at_worst, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
