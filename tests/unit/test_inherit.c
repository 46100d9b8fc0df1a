/* user/lib/src/inherit.c and user/lib/posix/wait_status.c: names of inherited descriptors, and
 * statuses of processes as wait() tells them. */
#include "host/test.h"

#include <ftl/inherit.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "user/lib/posix/children.h"

static void assert_parses(const char *name, const struct ftl_inherit *wanted)
{
    struct ftl_inherit found;
    assert_true(ftl_inherit_parse(name, &found));
    assert_string_equal(found.kind, wanted->kind);
    assert_int_equal(found.flags, wanted->flags);
    assert_int_equal(found.number, wanted->number);
    assert_int_equal(found.count, wanted->count);
    for (size_t i = 0; i < found.count; i++) {
        assert_int_equal(found.fds[i], wanted->fds[i]);
    }
}

static void names_say_descriptors_kind_and_flags(void **state)
{
    (void)state;
    assert_parses("fd/0/console/0", &(struct ftl_inherit){ .kind = "console", .count = 1 });
    assert_parses(
        "fd/1,2,1023/pipe/801",
        &(struct ftl_inherit){ .kind = "pipe", .flags = 0x801, .count = 3, .fds = { 1, 2, 1023 } });
    assert_parses("fd/7/file/8402/31",
                  &(struct ftl_inherit){
                      .kind = "file", .flags = 0x8402, .number = 31, .count = 1, .fds = { 7 } });
    assert_parses("fd//none/0", &(struct ftl_inherit){ .kind = "none" });
}

static void malformed_names_are_refused(void **state)
{
    static const char *const names[] = {
        "",
        "fd",
        "fd/",
        "console",
        "fd/0",
        "fd/0/pipe",
        "fd/0/pipe/",
        "fd/0//0",
        "fd/x/pipe/0",
        "fd/,/pipe/0",
        "fd/0,/pipe/0",
        "fd/,0/pipe/0",
        "fd/-1/pipe/0",
        "fd/1024/pipe/0",
        "fd/0/pipe/g",
        "fd/0/pipe/0/",
        "fd/0/pipe/0/x",
        "fd/0/pipe/0/1/",
        "fd/0/pipe/100000000",
        "fd/0/twelve_chars/0",
        "fd/0/pipe/0 ",
        FTL_INHERIT_FILES,
        "fd/0,1,2,3,4,5,6,7,8,9,0,1,2/a/0", /* more descriptors than there is room for */
    };
    struct ftl_inherit found;
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (ftl_inherit_parse(names[i], &found)) {
            fail_msg("'%s' is taken for one", names[i]);
        }
    }
}

/* Names are as long as they may be, and what has no room is for the next. */
static void names_take_as_many_descriptors_as_there_is_room_for(void **state)
{
    static const int first_fds[] = { 0, 9, 10, 99, 100, 1000, 1012 };
    static const uint32_t flags[] = { 0, 0x801, UINT32_MAX };
    static const uint32_t numbers[] = { 0, 9, 64 };
    (void)state;
    for (size_t i = 0; i < sizeof(first_fds) / sizeof(first_fds[0]); i++) {
        for (size_t j = 0; j < 9; j++) {
            char name[FTL_NAME_MAX];
            struct ftl_inherit all = { .kind = "console",
                                       .flags = flags[j % 3],
                                       .number = numbers[j / 3],
                                       .count = FTL_INHERIT_LIST_MAX };
            for (int k = 0; k < FTL_INHERIT_LIST_MAX; k++) {
                all.fds[k] = first_fds[i] + k;
            }
            ftl_inherit_format(name, &all);
            assert_true(all.count >= 1);
            assert_true(strlen(name) < FTL_NAME_MAX);
            assert_parses(name, &all);
            if (all.count < FTL_INHERIT_LIST_MAX) {
                char more[8];
                int size = snprintf(more, sizeof(more), ",%d", all.fds[all.count]);
                assert_true(strlen(name) + (size_t)size >= FTL_NAME_MAX);
            }
        }
    }
}

static void a_name_for_no_descriptors(void **state)
{
    char name[FTL_NAME_MAX];
    struct ftl_inherit none = { .kind = "none" };
    (void)state;
    ftl_inherit_format(name, &none);
    assert_string_equal(name, "fd//none/0");
}

static void statuses_tell_exits_from_signals(void **state)
{
    (void)state;
    for (int code = 0; code < 256; code++) {
        int status = posix_wait_status(code);
        bool is_signal = code > 128 && code <= 128 + 31;
        assert_int_equal(WIFSIGNALED(status), is_signal);
        assert_int_equal(WIFEXITED(status), !is_signal);
        assert_int_equal(is_signal ? WTERMSIG(status) : WEXITSTATUS(status),
                         is_signal ? code - 128 : code);
    }
    assert_int_equal(WEXITSTATUS(posix_wait_status(-1)), 255);
    assert_int_equal(WEXITSTATUS(posix_wait_status(256)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_say_descriptors_kind_and_flags),
        cmocka_unit_test(malformed_names_are_refused),
        cmocka_unit_test(names_take_as_many_descriptors_as_there_is_room_for),
        cmocka_unit_test(a_name_for_no_descriptors),
        cmocka_unit_test(statuses_tell_exits_from_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
