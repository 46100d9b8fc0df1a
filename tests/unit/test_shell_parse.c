/* Unit tests of the shell's language, malformed input included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "user/apps/shell/parse.h"

static struct shell_list list;
static struct shell_words words;
static struct shell_error error;

/* Variables: ? is 3, NAME is "a b", EMPTY is empty; others are not set. */
static const char *lookup(void *context, const char *name, size_t size)
{
    static const char *const values[][2] = { { "?", "3" }, { "NAME", "a b" }, { "EMPTY", "" } };
    (void)context;
    for (size_t i = 0; i < 3; i++) {
        if (strlen(values[i][0]) == size && memcmp(values[i][0], name, size) == 0) {
            return values[i][1];
        }
    }
    return NULL;
}

/* Parses a line, which must be well-formed, and expands one command of it. */
static void expand(const char *line, size_t index)
{
    if (!shell_parse(line, &list, &error)) {
        fail_msg("'%s': %s", line, error.text);
    }
    assert_in_range(index + 1, 1, list.count);
    assert_true(shell_expand(&list.commands[index], lookup, NULL, &words, &error));
    assert_null(words.word[words.count]);
}

/* Checks that a command's words, each put into [], are `expected`. */
static void assert_words(const char *line, size_t index, const char *expected)
{
    char joined[SHELL_TEXT_MAX] = "";
    expand(line, index);
    for (size_t i = 0; i < words.count; i++) {
        strcat(joined, "[");
        strcat(joined, words.word[i]);
        strcat(joined, "]");
    }
    assert_string_equal(joined, expected);
}

static void assert_refused(const char *line, const char *reason)
{
    assert_false(shell_parse(line, &list, &error));
    assert_string_equal(error.text, reason);
}

static void words_are_split_at_blanks(void **state)
{
    (void)state;
    assert_words("run hello", 0, "[run][hello]");
    assert_words("  run\t hello  ", 0, "[run][hello]");
}

static void empty_lines_and_comments_have_no_commands(void **state)
{
    (void)state;
    const char *lines[] = { "", "   ", "# a comment; with | and '", "\t#" };
    for (size_t i = 0; i < 4; i++) {
        assert_true(shell_parse(lines[i], &list, &error));
        assert_int_equal(list.count, 0);
    }
}

static void comment_starts_only_at_a_word(void **state)
{
    (void)state;
    assert_words("echo a#b # rest 'of it", 0, "[echo][a#b]");
    assert_words("echo '# no'", 0, "[echo][# no]");
}

static void single_quotes_keep_everything(void **state)
{
    (void)state;
    assert_words("echo 'a  $NAME \\ \" ; | b'", 0, "[echo][a  $NAME \\ \" ; | b]");
}

static void double_quotes_expand_variables_and_escapes(void **state)
{
    (void)state;
    assert_words("echo \"$NAME \\$NAME \\\" \\\\ \\n ';'\"", 0, "[echo][a b $NAME \" \\ \\n ';']");
}

static void backslash_makes_the_next_character_plain(void **state)
{
    (void)state;
    assert_words("echo a\\ b \\; \\' \\$NAME \\\\", 0, "[echo][a b][;]['][$NAME][\\]");
}

static void pieces_without_blanks_are_one_word(void **state)
{
    (void)state;
    assert_words("echo a'b c'\"d e\"f\\ g", 0, "[echo][ab cd ef g]");
}

static void variables_are_expanded_but_not_split(void **state)
{
    (void)state;
    assert_words("echo $? $NAME x${NAME}y \"$?\"", 0, "[echo][3][a b][xa by][3]");
}

static void empty_words_disappear_unless_quoted(void **state)
{
    (void)state;
    assert_words("echo $EMPTY $NOTSET \"$EMPTY\" '' x$EMPTY", 0, "[echo][][][x]");
}

static void dollar_without_a_name_is_plain(void **state)
{
    (void)state;
    assert_words("echo $ $5 a$ \"$\" $$", 0, "[echo][$][$5][a$][$][$$]");
}

static void background_and_conditions_belong_to_their_commands(void **state)
{
    (void)state;
    assert_true(shell_parse("a & b; c && d || e &", &list, &error));
    assert_int_equal(list.count, 5);
    const enum shell_condition conditions[] = {
        SHELL_ALWAYS, SHELL_ALWAYS, SHELL_ALWAYS, SHELL_IF_SUCCEEDED, SHELL_IF_FAILED,
    };
    const bool background[] = { true, false, false, false, true };
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(list.commands[i].condition, conditions[i]);
        assert_int_equal(list.commands[i].background, background[i]);
    }
}

static void connectors_need_no_blanks(void **state)
{
    (void)state;
    assert_words("echo a;echo b&&echo c||echo d&echo e", 1, "[echo][b]");
    assert_int_equal(list.count, 5);
    assert_words("echo a;echo b&&echo c||echo d&echo e", 4, "[echo][e]");
}

static void separator_at_the_end_is_fine(void **state)
{
    (void)state;
    assert_true(shell_parse("a ; ", &list, &error));
    assert_int_equal(list.count, 1);
    assert_true(shell_parse("a ;# done", &list, &error));
    assert_int_equal(list.count, 1);
}

static void unclosed_quotes_are_refused_with_their_column(void **state)
{
    (void)state;
    assert_refused("echo 'abc", "unclosed ' at column 6");
    assert_refused("echo a\"b'c'", "unclosed \" at column 7");
    assert_refused("echo \"a\\\"", "unclosed \" at column 6");
    assert_refused("echo 'a' '", "unclosed ' at column 10");
}

static void backslash_at_the_end_is_refused(void **state)
{
    (void)state;
    assert_refused("echo a\\", "nothing after the \\ at column 7");
}

static void malformed_variables_are_refused(void **state)
{
    (void)state;
    assert_refused("echo ${NAME", "${ at column 6 is not ${NAME}");
    assert_refused("echo ${}", "${ at column 6 is not ${NAME}");
    assert_refused("echo \"${a b}\"", "${ at column 7 is not ${NAME}");
    assert_refused("echo $aaaaaaaaaabbbbbbbbbbccccccccccdd",
                   "variable's name at column 7 is longer than 31 bytes");
}

static void missing_commands_are_refused(void **state)
{
    (void)state;
    assert_refused(";", "no command before the ; that ends at column 1");
    assert_refused("a ;; b", "no command before the ; that ends at column 4");
    assert_refused("a &&", "no command after &&");
    assert_refused("a || # b", "no command after ||");
    assert_refused("&& a", "no command before the && that ends at column 2");
    assert_refused("a & & b", "no command before the & that ends at column 5");
    assert_refused("a && || b", "no command before the || that ends at column 7");
}

static void pipes_redirections_and_groups_are_refused(void **state)
{
    (void)state;
    assert_refused("ps | more",
                   "there are no pipes, redirections or groups: quote the | at column 4");
    assert_refused("echo >x",
                   "there are no pipes, redirections or groups: quote the > at column 6");
    assert_refused("(a)", "there are no pipes, redirections or groups: quote the ( at column 1");
}

/* A line of `count` times `piece`. The caller frees it. */
static char *repeat(const char *piece, size_t count)
{
    char *line = calloc(count, strlen(piece) + 1);
    for (size_t i = 0; i < count; i++) {
        memcpy(line + i * strlen(piece), piece, strlen(piece));
    }
    return line;
}

static void too_many_words_are_refused_and_just_enough_are_not(void **state)
{
    (void)state;
    char *line = repeat("x ", SHELL_WORDS_MAX);
    expand(line, 0);
    assert_int_equal(words.count, SHELL_WORDS_MAX);
    free(line);
    line = repeat("x ", SHELL_WORDS_MAX + 1);
    assert_refused(line, "command at column 1 has more than 64 words");
    free(line);
}

static void too_many_commands_are_refused_and_just_enough_are_not(void **state)
{
    (void)state;
    char *line = repeat("x;", SHELL_COMMANDS_MAX);
    assert_true(shell_parse(line, &list, &error));
    assert_int_equal(list.count, SHELL_COMMANDS_MAX);
    free(line);
    line = repeat("x;", SHELL_COMMANDS_MAX + 1);
    assert_refused(line, "line has more than 32 commands");
    free(line);
}

static void too_long_expansion_is_refused_and_the_longest_is_not(void **state)
{
    (void)state;
    char *line = repeat("x", SHELL_TEXT_MAX - 1);
    expand(line, 0);
    assert_int_equal(strlen(words.word[0]), SHELL_TEXT_MAX - 1);
    free(line);
    line = repeat("x", SHELL_TEXT_MAX);
    assert_true(shell_parse(line, &list, &error));
    assert_false(shell_expand(&list.commands[0], lookup, NULL, &words, &error));
    assert_string_equal(error.text, "command is longer than 4095 bytes");
    free(line);
}

static void names_are_letters_digits_and_underscores(void **state)
{
    (void)state;
    assert_true(shell_is_name("_a9", 3));
    assert_true(shell_is_name("NAME=1", 4));
    assert_false(shell_is_name("", 0));
    assert_false(shell_is_name("9a", 2));
    assert_false(shell_is_name("a-b", 3));
    assert_false(shell_is_name("aaaaaaaaaabbbbbbbbbbccccccccccdd", 32));
}

/* Whatever the line: no wild access (ASan watches), and an accepted line expands to words in
 * bounds. */
static void random_lines_do_no_harm(void **state)
{
    (void)state;
    static const char alphabet[] = "ab $?{}'\"\\;&|#=<( \t!N\xc3";
    srand(1);
    for (int round = 0; round < 100000; round++) {
        size_t size = (size_t)(rand() % 24);
        char *line = malloc(size + 1);
        for (size_t i = 0; i < size; i++) {
            line[i] = alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
        }
        line[size] = '\0';
        if (shell_parse(line, &list, &error)) {
            for (size_t i = 0; i < list.count; i++) {
                assert_true(shell_expand(&list.commands[i], lookup, NULL, &words, &error));
                assert_in_range(words.count, 0, SHELL_WORDS_MAX);
            }
        }
        free(line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_split_at_blanks),
        cmocka_unit_test(empty_lines_and_comments_have_no_commands),
        cmocka_unit_test(comment_starts_only_at_a_word),
        cmocka_unit_test(single_quotes_keep_everything),
        cmocka_unit_test(double_quotes_expand_variables_and_escapes),
        cmocka_unit_test(backslash_makes_the_next_character_plain),
        cmocka_unit_test(pieces_without_blanks_are_one_word),
        cmocka_unit_test(variables_are_expanded_but_not_split),
        cmocka_unit_test(empty_words_disappear_unless_quoted),
        cmocka_unit_test(dollar_without_a_name_is_plain),
        cmocka_unit_test(background_and_conditions_belong_to_their_commands),
        cmocka_unit_test(connectors_need_no_blanks),
        cmocka_unit_test(separator_at_the_end_is_fine),
        cmocka_unit_test(unclosed_quotes_are_refused_with_their_column),
        cmocka_unit_test(backslash_at_the_end_is_refused),
        cmocka_unit_test(malformed_variables_are_refused),
        cmocka_unit_test(missing_commands_are_refused),
        cmocka_unit_test(pipes_redirections_and_groups_are_refused),
        cmocka_unit_test(too_many_words_are_refused_and_just_enough_are_not),
        cmocka_unit_test(too_many_commands_are_refused_and_just_enough_are_not),
        cmocka_unit_test(too_long_expansion_is_refused_and_the_longest_is_not),
        cmocka_unit_test(names_are_letters_digits_and_underscores),
        cmocka_unit_test(random_lines_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
