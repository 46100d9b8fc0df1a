/* Unit tests of what becomes of words: parameters, quotes, splitting, files, arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "user/apps/shell/expand.h"

static struct shell_error error;

static struct {
    size_t parameter_count;
    const char *ifs;
    char assigned[64]; /* NAME=value */
} fake;

static const char *lookup(void *context, const char *name, size_t size)
{
    static const char *const values[][2] = {
        { "?", "3" },     { "NAME", "a b" },       { "EMPTY", "" }, { "FILE", "/usr/lib/x.tar.gz" },
        { "STAR", "f*" }, { "LIST", ":a::b:" },    { "N", " 7 " },  { "BAD", "7x" },
        { "#", "3" },     { "SPACED", "  a  b " },
    };
    (void)context;
    if (size == 3 && memcmp(name, "IFS", 3) == 0) {
        return fake.ifs;
    }
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        if (strlen(values[i][0]) == size && memcmp(values[i][0], name, size) == 0) {
            return values[i][1];
        }
    }
    return NULL;
}

static bool assign(void *context, const char *name, size_t size, const char *value,
                   struct shell_error *reason)
{
    (void)context;
    (void)reason;
    snprintf(fake.assigned, sizeof(fake.assigned), "%.*s=%s", (int)size, name, value);
    return true;
}

static char *const *parameters(void *context, size_t *count)
{
    static char first[] = "p 1";
    static char second[] = "";
    static char third[] = "p3";
    static char *const all[] = { first, second, third };
    (void)context;
    *count = fake.parameter_count;
    return all;
}

/* The output of commands is what they are, twice. */
static bool substitute(void *context, struct shell_text commands, char **output, size_t *size,
                       struct shell_error *reason)
{
    (void)context;
    if (commands.size == 4 && memcmp(commands.at, "fail", 4) == 0) {
        return shell_fail(reason, "it fails");
    }
    *output = malloc(2 * commands.size + 8);
    *size = (size_t)sprintf(*output, "<%.*s> %.*s\n\n", (int)commands.size, commands.at,
                            (int)commands.size, commands.at);
    return true;
}

static const struct shell_source source = {
    .lookup = lookup,
    .assign = assign,
    .parameters = parameters,
    .substitute = substitute,
};

static int set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    fake.parameter_count = 3;
    return 0;
}

/* Parses the words of a command; the caller frees the program. */
static struct shell_word *parse(const char *line, struct shell_program *program)
{
    size_t position = 0;
    if (!shell_parse((struct shell_text){ line, strlen(line) }, &position, program, &error)) {
        fail_msg("'%s': %s", line, error.text);
    }
    return program->list->first->words;
}

/* Checks that the words' fields, each put into [], are `expected`. */
static void assert_fields(const char *line, const char *expected)
{
    struct shell_program program;
    struct shell_fields fields;
    char joined[1000] = "";
    const struct shell_word *words = parse(line, &program);
    if (!shell_expand_words(&source, words, &fields, &error)) {
        fail_msg("'%s': %s", line, error.text);
    }
    for (size_t i = 0; i < fields.count; i++) {
        strcat(strcat(strcat(joined, "["), fields.field[i]), "]");
    }
    assert_null(fields.count > 0 ? fields.field[fields.count] : NULL);
    assert_string_equal(joined, expected);
    shell_fields_free(&fields);
    shell_program_free(&program);
}

static void assert_fails(const char *line, const char *reason)
{
    struct shell_program program;
    struct shell_fields fields;
    const struct shell_word *words = parse(line, &program);
    assert_false(shell_expand_words(&source, words, &fields, &error));
    assert_string_equal(error.text, reason);
    assert_int_equal(fields.count, 0);
    shell_program_free(&program);
}

static void quotes_are_removed(void **state)
{
    (void)state;
    assert_fields("a 'b  $NAME \\ \"' \"c $NAME \\$NAME \\\" \\\\ \\n 'd'\" e\\ \\;f",
                  "[a][b  $NAME \\ \"][c a b $NAME \" \\ \\n 'd'][e ;f]");
    assert_fields("a'b c'\"d e\"f\\ g", "[ab cd ef g]");
    assert_fields("a\\\nb \"c\\\nd\"", "[ab][cd]");
    assert_fields("$ a$ \"$\" $.", "[$][a$][$][$.]");
}

static void values_are_split_outside_of_quotes(void **state)
{
    (void)state;
    assert_fields("$NAME \"$NAME\" x${NAME}y $?", "[a][b][a b][xa][by][3]");
    assert_fields("$SPACED x$SPACED $SPACED''y", "[a][b][x][a][b][a][b][y]");
    assert_fields("$EMPTY $NOTSET \"$EMPTY\" '' x$EMPTY $EMPTY''", "[][][x][]");
}

static void other_separators_may_leave_empty_fields(void **state)
{
    (void)state;
    fake.ifs = ": ";
    assert_fields("$LIST", "[][a][][b]");
    assert_fields("$NAME", "[a][b]");
    assert_fields("'a:b' a:b", "[a:b][a:b]");
    fake.ifs = "";
    assert_fields("$NAME", "[a b]");
}

static void parameters_are_fields_of_their_own(void **state)
{
    (void)state;
    assert_fields("\"$@\" $@ \"x$@y\"", "[p 1][][p3][p][1][p3][xp 1][][p3y]");
    assert_fields("$* \"$*\" $#", "[p][1][p3][p 1  p3][3]");
    fake.parameter_count = 0;
    assert_fields("a \"$@\" $@ \"${@}\" $* b", "[a][b]");
    assert_fields("\"$*\" \"x$@\"", "[][x]");
}

static void braces_choose_and_cut(void **state)
{
    (void)state;
    assert_fields("${NO-d} ${NO:-d e} \"${NO:-d e}\" ${EMPTY-d} x${EMPTY:-d} ${NAME:-d}",
                  "[d][d][e][d e][xd][a][b]");
    assert_fields("${NAME+y} ${NO+y} x${EMPTY+y} x${EMPTY:+y} ${NAME:+\"y z\"}", "[y][xy][x][y z]");
    assert_fields("${#NAME} ${#NO} ${#} ${#@}", "[3][0][3][3]");
    assert_fields("${FILE##*/} ${FILE#*/} ${FILE%.*} ${FILE%%.*} ${FILE%'.*'} ${FILE#x}",
                  "[x.tar.gz][usr/lib/x.tar.gz][/usr/lib/x.tar][/usr/lib/x][/usr/lib/x.tar.gz]"
                  "[/usr/lib/x.tar.gz]");
    assert_fields("\"${NO:-\"it's\"}\" ${NO:-${NO:-}${NAME}}", "[it's][a][b]");
    assert_fields("${NEW:=v w}", "[v][w]");
    assert_string_equal(fake.assigned, "NEW=v w");
    assert_fails("${NO?}", "NO: is not set");
    assert_fails("${EMPTY:?not \"here\"}", "EMPTY: not here");
    assert_fails("${1:=x}", "cannot assign to $1");
}

static void commands_give_their_output(void **state)
{
    (void)state;
    assert_fields("$(a b) \"$(c \"d\")\"", "[<a][b>][a][b][<c \"d\"> c \"d\"]");
    assert_fields("x`a \\`b\\` \\$c`", "[x<a][`b`][$c>][a][`b`][$c]");
    assert_fails("a $(fail)", "it fails");
}

static void arithmetic_is_that_of_c(void **state)
{
    (void)state;
    assert_fields("$((1 + 2 * 3)) $(( (1+2)*3 )) $((7/2)) $((-7%3)) $((- -4)) $((!0 + ~0))",
                  "[7][9][3][-1][4][0]");
    assert_fields("$((1<<4|1)) $((6&3^1)) $((3>2 && 2>=2 || 0)) $((1==1)) $((1!=1)) $((1<2))",
                  "[17][3][1][1][0][1]");
    assert_fields("$((N+1)) $(($N+1)) $((NO)) $((0x10)) $((010))", "[8][8][0][16][8]");
}

static void arithmetic_errors_say_where(void **state)
{
    (void)state;
    assert_fails("$((1/0))", "arithmetic: division by 0");
    assert_fails("$((1%(1-1)))", "arithmetic: division by 0");
    assert_fails("$((1+))", "arithmetic: a number or a variable expected at ''");
    assert_fails("$((1 2))", "arithmetic: operator expected at '2'");
    assert_fails("$((BAD))", "arithmetic: BAD is '7x', no number");
    assert_fails("$((99999999999999999999))", "arithmetic: '99999999999999999999' is too large");
    assert_fields("$((9223372036854775807 + 1)) $(((-9223372036854775807 - 1) / -1))",
                  "[-9223372036854775808][-9223372036854775808]");
}

static void patterns_become_the_files_that_match(void **state)
{
    (void)state;
    char directory[] = "/tmp/ftl_shell_XXXXXX";
    char line[400];
    char expected[400];
    assert_non_null(mkdtemp(directory));
    assert_int_equal(chdir(directory), 0);
    static const char *const names[] = { "f1", "f2", "g h", ".hidden" };
    for (size_t i = 0; i < 4; i++) {
        FILE *file = fopen(names[i], "w");
        if (file == NULL) {
            fail_msg("cannot make %s", names[i]);
            return;
        }
        fclose(file);
    }
    assert_fields("f* ?1 [g]* *.c 'f*' \"f\"* f\\* $STAR \"$STAR\" *",
                  "[f1][f2][f1][g h][*.c][f*][f1][f2][f*][f1][f2][f*][f1][f2][g h]");
    snprintf(line, sizeof(line), "%s/[!g]*", directory);
    snprintf(expected, sizeof(expected), "[%s/f1][%s/f2]", directory, directory);
    assert_fields(line, expected);
    for (size_t i = 0; i < 4; i++) {
        unlink(names[i]);
    }
    assert_int_equal(chdir("/"), 0);
    rmdir(directory);
}

static void assert_text(char *(*expand)(const struct shell_source *, struct shell_text,
                                        struct shell_error *),
                        const char *word, const char *expected)
{
    char *text = expand(&source, (struct shell_text){ word, strlen(word) }, &error);
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

static void values_of_assignments_are_not_split(void **state)
{
    (void)state;
    assert_text(shell_expand_text, "$SPACED'x'*", "  a  b x*");
    assert_text(shell_expand_text, "$@", "p 1  p3");
    assert_text(shell_expand_pattern, "a'*'\\?*[x]$STAR\"$STAR\"", "a\\*\\?*[x]f\\*f\\*");
}

static void here_documents_keep_quotes(void **state)
{
    (void)state;
    struct shell_program program;
    const char *text =
        "cat <<E <<-'F'\n\"$NAME\" '$?' \\$x \\\" $((1+1)) $(a)\nE\n\t\t$NAME\n\tx\n\tF\n";
    size_t position = 0;
    assert_true(
        shell_parse((struct shell_text){ text, strlen(text) }, &position, &program, &error));
    const struct shell_redirection *here = program.list->first->redirections;
    char *first = shell_expand_here(&source, here, &error);
    char *second = shell_expand_here(&source, here->next, &error);
    assert_string_equal(first, "\"a b\" '3' $x \\\" 2 <a> a\n");
    assert_string_equal(second, "$NAME\nx\n");
    free(first);
    free(second);
    shell_program_free(&program);
}

/* Whatever the words: no access outside of them (ASan watches). */
static void random_words_do_no_harm(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "a",  " ", "$", "?",  "{",  "}",   "'",  "\"",   "\\",    "#",    "=",
        "(",  ")", "`", "$(", "${", "$((", "))", "NAME", "EMPTY", "@",    "*",
        ":-", "%", "-", "1",  "+",  "[",   "]",  "/",    "<<",    "LIST", "}",
    };
    srand(2);
    fake.ifs = ": ";
    for (int round = 0; round < 60000; round++) {
        struct shell_program program;
        struct shell_fields fields;
        char text[200] = "x ";
        size_t position = 0;
        for (int i = rand() % 16; i > 0; i--) {
            strcat(text, pieces[(size_t)rand() % (sizeof(pieces) / sizeof(pieces[0]))]);
        }
        char *exact = strdup(text);
        if (shell_parse((struct shell_text){ exact, strlen(exact) }, &position, &program, &error)) {
            const struct shell_node *first = program.list->first;
            if (first->kind == SHELL_COMMAND &&
                shell_expand_words(&source, first->words, &fields, &error)) {
                shell_fields_free(&fields);
            }
            shell_program_free(&program);
        }
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(quotes_are_removed, set_up),
        cmocka_unit_test_setup(values_are_split_outside_of_quotes, set_up),
        cmocka_unit_test_setup(other_separators_may_leave_empty_fields, set_up),
        cmocka_unit_test_setup(parameters_are_fields_of_their_own, set_up),
        cmocka_unit_test_setup(braces_choose_and_cut, set_up),
        cmocka_unit_test_setup(commands_give_their_output, set_up),
        cmocka_unit_test_setup(arithmetic_is_that_of_c, set_up),
        cmocka_unit_test_setup(arithmetic_errors_say_where, set_up),
        cmocka_unit_test_setup(patterns_become_the_files_that_match, set_up),
        cmocka_unit_test_setup(values_of_assignments_are_not_split, set_up),
        cmocka_unit_test_setup(here_documents_keep_quotes, set_up),
        cmocka_unit_test_setup(random_words_do_no_harm, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
