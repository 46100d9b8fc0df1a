/*
 * kernel/bootimage.h: archives made by CMake and by tar(1) (from the build, in FIXTURES), archives
 * written here to be malformed in one way, random damage; manifests; boot arguments. Data is in
 * heap blocks of its exact size.
 */
#include "host/test.h"

#include "kernel/bootimage.h"

#include <stdio.h>

#define BLOCK     512u
#define MUTATIONS 20000

/* An archive under construction. */
struct archive {
    unsigned char *data;
    size_t size;
};

static struct bootimage_file file;

static struct bootimage as_image(const struct archive *archive)
{
    return (struct bootimage){ .data = archive->data, .size = archive->size };
}

/* A block of exactly this size, so that ASan guards its end; not empty, for malloc's sake. */
static void *exact(size_t size)
{
    return malloc(size > 0 ? size : 1);
}

/* Appends `size` zeroed bytes and returns where they are. */
static unsigned char *grow(struct archive *archive, size_t size)
{
    unsigned char *data = exact(archive->size + size);
    if (archive->size > 0) {
        memcpy(data, archive->data, archive->size);
    }
    memset(data + archive->size, 0, size);
    free(archive->data);
    archive->data = data;
    archive->size += size;
    return data + archive->size - size;
}

/* Writes the checksum of the header at `offset`. */
static void seal(struct archive *archive, size_t offset)
{
    unsigned char *header = archive->data + offset;
    unsigned sum = 0;
    memset(header + 148, ' ', 8);
    for (size_t i = 0; i < BLOCK; i++) {
        sum += header[i];
    }
    snprintf((char *)header + 148, 8, "%06o", sum);
}

/* Appends a ustar entry; returns its header's offset. */
static size_t add(struct archive *archive, char type, const char *name, const char *contents,
                  size_t size)
{
    size_t offset = archive->size;
    unsigned char *header = grow(archive, BLOCK);
    memcpy(header, name, strlen(name) < 100 ? strlen(name) : 100);
    snprintf((char *)header + 124, 12, "%011zo", size);
    header[156] = (unsigned char)type;
    memcpy(header + 257,
           "ustar\0"
           "00",
           8);
    seal(archive, offset);
    memcpy(grow(archive, (size + BLOCK - 1) / BLOCK * BLOCK), contents, size);
    return offset;
}

static struct archive load(const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", FIXTURES, name);
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) {
        fail_msg("cannot open %s", path);
        abort();
    }
    static unsigned char buffer[1 << 20];
    size_t size = fread(buffer, 1, sizeof(buffer), stream);
    assert_in_range(size, 1, sizeof(buffer) - 1);
    fclose(stream);
    struct archive archive = { 0 };
    memcpy(grow(&archive, size), buffer, size);
    return archive;
}

static void assert_contents(const struct archive *archive, const char *expected)
{
    assert_int_equal(file.size, strlen(expected));
    assert_true(file.offset <= archive->size && file.size <= archive->size - file.offset);
    assert_memory_equal(archive->data + file.offset, expected, file.size);
}

/* Iterates over everything; whatever is given must lie inside. Returns how the iteration ended. */
static ftl_status_t iterate(const struct archive *archive, size_t *files, const char **why)
{
    struct bootimage image = as_image(archive);
    struct bootimage_cursor cursor = { 0 };
    ftl_status_t status;
    *files = 0;
    while ((status = bootimage_next(&image, &cursor, &file)) == FTL_OK) {
        assert_true(file.offset <= archive->size && file.size <= archive->size - file.offset);
        assert_int_equal(file.offset % BLOCK, 0);
        assert_non_null(memchr(file.name, '\0', sizeof(file.name)));
        (*files)++;
        assert_true(*files <= archive->size / BLOCK);
    }
    assert_int_equal(bootimage_next(&image, &cursor, &file), status);
    assert_true((cursor.error != NULL) == (status == FTL_ERR_BAD_FORMAT));
    *why = cursor.error;
    return status;
}

static void assert_malformed(struct archive *archive, const char *expected)
{
    const char *why;
    size_t files;
    assert_int_equal(iterate(archive, &files, &why), FTL_ERR_BAD_FORMAT);
    assert_string_equal(why, expected);
    free(archive->data);
}

/* --- Archives --- */

static void archives_of_cmake_and_tar_are_read(void **state)
{
    (void)state;
    static const char *const names[] = { "cmake-gnutar.tar", "tar-gnu.tar", "tar-ustar.tar" };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct archive archive = load(names[i]);
        struct bootimage image = as_image(&archive);
        const char *why;
        size_t files;
        assert_int_equal(iterate(&archive, &files, &why), FTL_ERR_NOT_FOUND);
        assert_int_equal(files, 4);
        assert_int_equal(bootimage_find(&image, "bin/hello.manifest", &file), FTL_OK);
        assert_contents(&archive, "name = hello\n");
        assert_int_equal(bootimage_find(&image, "bin/empty", &file), FTL_OK);
        assert_int_equal(file.size, 0);
        assert_int_equal(
            bootimage_find(&image,
                           "bin/a-directory-with-a-rather-long-name-for-a-boot-image/"
                           "a-file-whose-path-does-not-fit-into-the-name-of-a-tar-header",
                           &file),
            FTL_OK);
        assert_contents(&archive, "long\n");
        assert_int_equal(bootimage_find(&image, "bin/hello", &file), FTL_ERR_NOT_FOUND);
        assert_int_equal(bootimage_find(&image, "bin", &file), FTL_ERR_NOT_FOUND);
        free(archive.data);
    }
}

static void leading_dots_and_slashes_of_names_are_taken_off(void **state)
{
    (void)state;
    struct archive archive = { 0 };
    add(&archive, '0', "./a", "1", 1);
    add(&archive, '0', "/.//b", "2", 1);
    add(&archive, '0', ".hidden", "3", 1);
    struct bootimage image = as_image(&archive);
    assert_int_equal(bootimage_find(&image, "a", &file), FTL_OK);
    assert_contents(&archive, "1");
    assert_int_equal(bootimage_find(&image, "b", &file), FTL_OK);
    assert_contents(&archive, "2");
    assert_int_equal(bootimage_find(&image, ".hidden", &file), FTL_OK);
    free(archive.data);
}

static void first_of_two_files_of_one_name_is_found(void **state)
{
    (void)state;
    struct archive archive = { 0 };
    add(&archive, '0', "a", "first", 5);
    add(&archive, '0', "a", "second", 6);
    struct bootimage image = as_image(&archive);
    assert_int_equal(bootimage_find(&image, "a", &file), FTL_OK);
    assert_contents(&archive, "first");
    free(archive.data);
}

static void entries_that_are_no_files_are_passed_over(void **state)
{
    (void)state;
    static const char types[] = { '1', '2', '3', '4', '5', '6', 'K' };
    struct archive archive = { 0 };
    const char *why;
    size_t files;
    for (size_t i = 0; i < sizeof(types); i++) {
        add(&archive, types[i], "name", "x", 1);
    }
    add(&archive, '\0', "old", "y", 1);
    add(&archive, '7', "contiguous", "z", 1);
    assert_int_equal(iterate(&archive, &files, &why), FTL_ERR_NOT_FOUND);
    assert_int_equal(files, 2);
    assert_string_equal(file.name, "contiguous");
    free(archive.data);
}

static void long_name_of_a_directory_does_not_stick_to_the_next_file(void **state)
{
    (void)state;
    struct archive archive = { 0 };
    add(&archive, 'L', "././@LongLink", "long/", 6);
    add(&archive, '5', "short/", "", 0);
    add(&archive, '0', "file", "x", 1);
    struct bootimage image = as_image(&archive);
    assert_int_equal(bootimage_find(&image, "file", &file), FTL_OK);
    free(archive.data);
}

static void archive_ends_at_a_zero_block_or_at_the_end_of_the_data(void **state)
{
    (void)state;
    struct archive archive = { 0 };
    const char *why;
    size_t files;
    assert_int_equal(iterate(&archive, &files, &why), FTL_ERR_NOT_FOUND);
    add(&archive, '0', "a", "x", 1);
    assert_int_equal(iterate(&archive, &files, &why), FTL_ERR_NOT_FOUND);
    assert_int_equal(files, 1);
    grow(&archive, 100);
    assert_int_equal(iterate(&archive, &files, &why), FTL_ERR_NOT_FOUND);
    grow(&archive, 2 * BLOCK - 100);
    memset(grow(&archive, BLOCK), 0xff, BLOCK);
    assert_int_equal(iterate(&archive, &files, &why), FTL_ERR_NOT_FOUND);
    assert_int_equal(files, 1);
    free(archive.data);
}

static void malformed_archives_are_refused_with_the_reason(void **state)
{
    (void)state;
    struct archive archive = { 0 };
    char name[BOOTIMAGE_NAME_MAX];
    char block[BLOCK + 1] = { 0 };
    add(&archive, '0', "a", "x", 1);
    archive.data[0]++;
    assert_malformed(&archive, "a tar header's checksum is wrong");

    archive = (struct archive){ 0 };
    add(&archive, '0', "a", "x", 1);
    archive.data[257] = 'U';
    seal(&archive, 0);
    assert_malformed(&archive, "a tar header is neither ustar's nor GNU's");

    archive = (struct archive){ 0 };
    add(&archive, '0', "a", "x", 1);
    archive.data[124] = 0x80; /* GNU's binary form of sizes over 8 GiB */
    seal(&archive, 0);
    assert_malformed(&archive, "a tar header's size is no octal number");

    archive = (struct archive){ 0 };
    add(&archive, '0', "a", block, sizeof(block));
    archive.size -= BLOCK;
    assert_malformed(&archive, "a file is cut off by the archive's end");

    archive = (struct archive){ 0 };
    add(&archive, '0', "a", "x", 1);
    memcpy(archive.data + 124, "777777777777", 12);
    seal(&archive, 0);
    assert_malformed(&archive, "a file is cut off by the archive's end");

    archive = (struct archive){ 0 };
    add(&archive, 'x', "a", "12 path=bb\n", 11);
    assert_malformed(&archive,
                     "pax headers are not supported: make the archive with --format=gnu or ustar");

    archive = (struct archive){ 0 };
    memset(name, 'n', sizeof(name));
    add(&archive, 'L', "././@LongLink", name, sizeof(name));
    assert_malformed(&archive, "a file's name is too long");

    archive = (struct archive){ 0 };
    add(&archive, '0', "a", "x", 1);
    memset(archive.data, 'a', 100);
    memset(archive.data + 345, 'p', 155);
    seal(&archive, 0);
    assert_malformed(&archive, "a file's name is too long");
}

static void file_behind_damage_is_not_found_but_one_before_is(void **state)
{
    (void)state;
    struct archive archive = { 0 };
    add(&archive, '0', "before", "x", 1);
    size_t offset = add(&archive, '0', "behind", "x", 1);
    archive.data[offset] ^= 1;
    struct bootimage image = as_image(&archive);
    assert_int_equal(bootimage_find(&image, "before", &file), FTL_OK);
    assert_int_equal(bootimage_find(&image, "behind", &file), FTL_ERR_BAD_FORMAT);
    free(archive.data);
}

static void truncated_and_damaged_archives_give_nothing_outside_them(void **state)
{
    (void)state;
    struct host_random random = { .state = 0x746172 };
    struct archive archive = load("tar-gnu.tar");
    const char *why;
    size_t files;
    size_t broken = 0;
    for (size_t size = 0; size < archive.size && size < 12 * BLOCK; size += 7) {
        struct archive cut = { .data = exact(size), .size = size };
        memcpy(cut.data, archive.data, size);
        broken += iterate(&cut, &files, &why) == FTL_ERR_BAD_FORMAT;
        free(cut.data);
    }
    assert_true(broken > 0);
    broken = 0;
    struct archive mutant = { .data = exact(archive.size), .size = archive.size };
    for (int n = 0; n < MUTATIONS; n++) {
        memcpy(mutant.data, archive.data, archive.size);
        size_t header = host_random_below(&random, 10) * BLOCK;
        for (size_t i = host_random_below(&random, 4); i < 4; i++) {
            mutant.data[header + host_random_below(&random, BLOCK)] =
                (unsigned char)host_random(&random);
        }
        if (host_random_below(&random, 2) == 0) {
            seal(&mutant, header);
        }
        broken += iterate(&mutant, &files, &why) == FTL_ERR_BAD_FORMAT;
    }
    assert_in_range(broken, MUTATIONS / 20, MUTATIONS * 19 / 20);
    free(mutant.data);
    free(archive.data);
}

/* --- Texts and manifests --- */

/* A text in a heap block of its exact size, so that ASan guards its end. Free its data. */
static struct text make_text(const char *string)
{
    size_t size = strlen(string);
    char *copy = exact(size);
    memcpy(copy, string, size);
    return (struct text){ .data = copy, .size = size };
}

static void words_are_found_whole(void **state)
{
    (void)state;
    struct text text = make_text("console  net\tsystem");
    assert_true(text_has_word(text, "console"));
    assert_true(text_has_word(text, "net"));
    assert_true(text_has_word(text, "system"));
    assert_false(text_has_word(text, "sys"));
    assert_false(text_has_word(text, "tem"));
    assert_false(text_has_word(text, ""));
    assert_false(text_has_word((struct text){ 0 }, "net"));
    free((void *)text.data);
}

static void sizes_are_parsed_with_suffix_and_limits(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
        uint64_t bytes;
    } cases[] = {
        { "0", true, 0 },
        { "4096", true, 4096 },
        { "64M", true, 64 << 20 },
        { "1k", true, 1024 },
        { "2g", true, 2ull << 30 },
        { "18446744073709551615", true, UINT64_MAX },
        { "18446744073709551616", false, 0 },
        { "17179869184G", false, 0 },
        { "17179869183G", true, 17179869183ull << 30 },
        { "", false, 0 },
        { "M", false, 0 },
        { "-1", false, 0 },
        { "1 M", false, 0 },
        { "1MM", false, 0 },
        { "0x10", false, 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct text text = make_text(cases[i].text);
        uint64_t bytes = 0;
        assert_int_equal(text_parse_size(text, &bytes), cases[i].good);
        assert_int_equal(bytes, cases[i].bytes);
        free((void *)text.data);
    }
}

static void text_is_copied_only_if_it_fits(void **state)
{
    (void)state;
    char buffer[4] = "???";
    assert_true(text_copy((struct text){ "abc", 3 }, buffer, sizeof(buffer)));
    assert_string_equal(buffer, "abc");
    assert_false(text_copy((struct text){ "abcd", 4 }, buffer, sizeof(buffer)));
    assert_string_equal(buffer, "");
    assert_false(text_copy((struct text){ "a\0b", 3 }, buffer, sizeof(buffer)));
    assert_true(text_copy((struct text){ 0 }, buffer, sizeof(buffer)));
    assert_string_equal(buffer, "");
    assert_false(text_copy((struct text){ 0 }, buffer, 0));
}

static void manifest_gives_trimmed_values(void **state)
{
    (void)state;
    struct text manifest = make_text("# an app\n\nname = hello\r\n grants=console  system \n"
                                     "empty =\nname = second\nlast = a = b # no comment");
    struct text value;
    assert_true(manifest_get(manifest, "name", &value));
    assert_true(text_equals(value, "hello"));
    assert_true(manifest_get(manifest, "grants", &value));
    assert_true(text_equals(value, "console  system"));
    assert_true(text_has_word(value, "system"));
    assert_true(manifest_get(manifest, "empty", &value));
    assert_int_equal(value.size, 0);
    assert_true(manifest_get(manifest, "last", &value));
    assert_true(text_equals(value, "a = b # no comment"));
    assert_false(manifest_get(manifest, "# an app", &value));
    assert_false(manifest_get(manifest, "nam", &value));
    assert_false(manifest_get((struct text){ 0 }, "name", &value));
    free((void *)manifest.data);
}

static void malformed_lines_of_a_manifest_are_reported_and_skipped(void **state)
{
    (void)state;
    struct text manifest = make_text("just words\n= value\nname = hello");
    struct text rest = manifest;
    struct text key;
    struct text value;
    assert_int_equal(manifest_next(&rest, &key, &value), FTL_ERR_BAD_FORMAT);
    assert_true(text_equals(value, "just words"));
    assert_int_equal(manifest_next(&rest, &key, &value), FTL_ERR_BAD_FORMAT);
    assert_true(text_equals(value, "= value"));
    assert_int_equal(manifest_next(&rest, &key, &value), FTL_OK);
    assert_true(text_equals(key, "name"));
    assert_int_equal(manifest_next(&rest, &key, &value), FTL_ERR_NOT_FOUND);
    assert_true(manifest_get(manifest, "name", &value));
    free((void *)manifest.data);
}

/* --- Boot arguments --- */

static void bootargs_are_split_at_blanks_outside_of_quotes(void **state)
{
    (void)state;
    const char *line = "  a=b\tc=\"d e\"  'f \"g'h \"\" end\n";
    static const char *const words[] = { "a=b", "c=d e", "f \"gh", "", "end" };
    char word[16];
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        assert_int_equal(bootargs_next(&line, word, sizeof(word)), FTL_OK);
        assert_string_equal(word, words[i]);
    }
    assert_int_equal(bootargs_next(&line, word, sizeof(word)), FTL_ERR_NOT_FOUND);
    assert_int_equal(bootargs_next(&line, word, sizeof(word)), FTL_ERR_NOT_FOUND);
}

static void bootargs_word_that_does_not_fit_is_reported_and_skipped(void **state)
{
    (void)state;
    const char *line = "123 1234 x";
    char word[4];
    assert_int_equal(bootargs_next(&line, word, sizeof(word)), FTL_OK);
    assert_int_equal(bootargs_next(&line, word, sizeof(word)), FTL_ERR_OUT_OF_RANGE);
    assert_string_equal(word, "123");
    assert_int_equal(bootargs_next(&line, word, sizeof(word)), FTL_OK);
    assert_string_equal(word, "x");
}

static void bootargs_with_an_open_quote_are_reported(void **state)
{
    (void)state;
    const char *line = "a 'b c";
    char word[16];
    assert_int_equal(bootargs_next(&line, word, sizeof(word)), FTL_OK);
    assert_int_equal(bootargs_next(&line, word, sizeof(word)), FTL_ERR_BAD_FORMAT);
    assert_int_equal(bootargs_next(&line, word, sizeof(word)), FTL_ERR_NOT_FOUND);
}

static void last_value_of_a_bootarg_wins(void **state)
{
    (void)state;
    const char *line = "ftl.x=1 ftl.xy=2 ftl.x=\"3 4\" flag ftl.z=";
    char value[8];
    assert_true(bootargs_get(line, "ftl.x", value, sizeof(value)));
    assert_string_equal(value, "3 4");
    assert_true(bootargs_get(line, "ftl.xy", value, sizeof(value)));
    assert_string_equal(value, "2");
    assert_true(bootargs_get(line, "flag", value, sizeof(value)));
    assert_string_equal(value, "");
    assert_true(bootargs_get(line, "ftl.z", value, sizeof(value)));
    assert_string_equal(value, "");
    assert_false(bootargs_get(line, "ftl", value, sizeof(value)));
    assert_false(bootargs_get("", "ftl", value, sizeof(value)));
    assert_false(bootargs_get("long=12345678", "long", value, sizeof(value)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(archives_of_cmake_and_tar_are_read),
        cmocka_unit_test(leading_dots_and_slashes_of_names_are_taken_off),
        cmocka_unit_test(first_of_two_files_of_one_name_is_found),
        cmocka_unit_test(entries_that_are_no_files_are_passed_over),
        cmocka_unit_test(long_name_of_a_directory_does_not_stick_to_the_next_file),
        cmocka_unit_test(archive_ends_at_a_zero_block_or_at_the_end_of_the_data),
        cmocka_unit_test(malformed_archives_are_refused_with_the_reason),
        cmocka_unit_test(file_behind_damage_is_not_found_but_one_before_is),
        cmocka_unit_test(truncated_and_damaged_archives_give_nothing_outside_them),
        cmocka_unit_test(words_are_found_whole),
        cmocka_unit_test(sizes_are_parsed_with_suffix_and_limits),
        cmocka_unit_test(text_is_copied_only_if_it_fits),
        cmocka_unit_test(manifest_gives_trimmed_values),
        cmocka_unit_test(malformed_lines_of_a_manifest_are_reported_and_skipped),
        cmocka_unit_test(bootargs_are_split_at_blanks_outside_of_quotes),
        cmocka_unit_test(bootargs_word_that_does_not_fit_is_reported_and_skipped),
        cmocka_unit_test(bootargs_with_an_open_quote_are_reported),
        cmocka_unit_test(last_value_of_a_bootarg_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
