/* Unit tests of the shell's parser: what becomes of well-formed text, and the messages for the
 * rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "user/apps/shell/parse.h"

static struct shell_error error;

/* ---- Programs as text ---- */

static void write_node(FILE *file, const struct shell_node *node);

static void write_words(FILE *file, const struct shell_word *word)
{
    for (; word != NULL; word = word->next) {
        fprintf(file, " %.*s", (int)word->text.size, word->text.at);
    }
}

static void write_redirections(FILE *file, const struct shell_redirection *redirection)
{
    static const char *const operators[] = { "<", ">", ">>", ">&", "<<" };
    for (; redirection != NULL; redirection = redirection->next) {
        fprintf(file, " %d%s%.*s", redirection->descriptor, operators[redirection->kind],
                (int)redirection->target.size, redirection->target.at);
    }
}

static void write_parts(FILE *file, const char *name, const struct shell_node *const *parts,
                        size_t count)
{
    fputs(name, file);
    for (size_t i = 0; i < count; i++) {
        if (parts[i] != NULL) {
            fputc(' ', file);
            write_node(file, parts[i]);
        }
    }
}

static void write_members(FILE *file, const char *name, const struct shell_node *member)
{
    fputs(name, file);
    for (; member != NULL; member = member->next) {
        fputc(' ', file);
        write_node(file, member);
        fputs(member->background ? "&" : "", file);
    }
}

/* (kind parts... redirections...) */
static void write_node(FILE *file, const struct shell_node *node)
{
    const struct shell_node *parts[] = { node->first, node->second, node->third };
    fputc('(', file);
    switch (node->kind) {
    case SHELL_COMMAND:
        fputs("cmd", file);
        write_words(file, node->assignments);
        fputs(node->assignments != NULL ? " :" : "", file);
        write_words(file, node->words);
        break;
    case SHELL_PIPELINE: write_members(file, node->negated ? "not" : "pipe", node->first); break;
    case SHELL_LIST: write_members(file, "list", node->first); break;
    case SHELL_AND: write_parts(file, "and", parts, 2); break;
    case SHELL_OR: write_parts(file, "or", parts, 2); break;
    case SHELL_GROUP: write_parts(file, "group", parts, 1); break;
    case SHELL_SUBSHELL: write_parts(file, "beside", parts, 1); break;
    case SHELL_IF: write_parts(file, "if", parts, 3); break;
    case SHELL_WHILE: write_parts(file, "while", parts, 2); break;
    case SHELL_UNTIL: write_parts(file, "until", parts, 2); break;
    case SHELL_FOR:
        fprintf(file, "for %.*s%s", (int)node->name.size, node->name.at, node->has_in ? " in" : "");
        write_words(file, node->words);
        write_parts(file, "", parts + 1, 1);
        break;
    case SHELL_CASE:
        fputs("case", file);
        write_words(file, node->words);
        write_members(file, "", node->first);
        break;
    case SHELL_CASE_ITEM:
        fputs("item", file);
        write_words(file, node->words);
        write_parts(file, "", parts, 1);
        break;
    case SHELL_FUNCTION:
        fprintf(file, "function %.*s", (int)node->name.size, node->name.at);
        write_parts(file, "", parts, 1);
        break;
    }
    write_redirections(file, node->redirections);
    fputc(')', file);
}

/* Checks what a line becomes, without the list around it. */
static void assert_parsed(const char *line, const char *expected)
{
    struct shell_program program;
    char *text = NULL;
    size_t size;
    size_t position = 0;
    if (!shell_parse((struct shell_text){ line, strlen(line) }, &position, &program, &error)) {
        fail_msg("'%s': %s", line, error.text);
    }
    FILE *file = open_memstream(&text, &size);
    for (const struct shell_node *member = program.list != NULL ? program.list->first : NULL;
         member != NULL; member = member->next) {
        write_node(file, member);
        fputs(member->background ? "&" : "", file);
    }
    fclose(file);
    assert_string_equal(text, expected);
    assert_int_equal(position, strlen(line));
    free(text);
    shell_program_free(&program);
}

static void assert_not_parsed(const char *line, bool incomplete, const char *reason)
{
    struct shell_program program;
    size_t position = 0;
    if (shell_parse((struct shell_text){ line, strlen(line) }, &position, &program, &error)) {
        fail_msg("'%s' is accepted", line);
    }
    assert_string_equal(error.text, reason);
    assert_int_equal(error.incomplete, incomplete);
    assert_int_equal(position, 0);
}

static void assert_refused(const char *line, const char *reason)
{
    assert_not_parsed(line, false, reason);
}

static void assert_incomplete(const char *line, const char *reason)
{
    assert_not_parsed(line, true, reason);
}

/* ---- Tests ---- */

static void words_are_split_at_blanks(void **state)
{
    (void)state;
    assert_parsed("run hello", "(cmd run hello)");
    assert_parsed("  run\t hello  ", "(cmd run hello)");
    assert_parsed("a \\\n b", "(cmd a b)");
}

static void empty_lines_and_comments_have_no_commands(void **state)
{
    (void)state;
    const char *lines[] = { "", "   ", "# a comment; with | and '", "\t#", "\n\n # x\n" };
    for (size_t i = 0; i < 5; i++) {
        assert_parsed(lines[i], "");
    }
    assert_parsed("echo a#b # rest 'of it", "(cmd echo a#b)");
    assert_parsed("echo '# no'", "(cmd echo '# no')");
}

static void quotes_and_expansions_keep_words_together(void **state)
{
    (void)state;
    assert_parsed("echo 'a ; b' \"c | $(d ; \"e\") ' f\" g\\ h\\;", "(cmd echo 'a ; b' \"c | $(d ; "
                                                                    "\"e\") ' f\" g\\ h\\;)");
    assert_parsed("echo $(a; (b) # c )\n) x", "(cmd echo $(a; (b) # c )\n) x)");
    assert_parsed("echo $((1 + (2) * 3)) ${x:-a b} `c ; d`",
                  "(cmd echo $((1 + (2) * 3)) ${x:-a b} `c ; d`)");
    assert_parsed("echo ${#x} ${#} ${x##*/} ${x%'}'} $5 ${10} $", "(cmd echo ${#x} ${#} ${x##*/} "
                                                                  "${x%'}'} $5 ${10} $)");
    assert_parsed("echo $(case x in a) b;; esac)", "(cmd echo $(case x in a) b;; esac))");
}

static void lists_have_conditions_and_background(void **state)
{
    (void)state;
    assert_parsed("a & b; c && d || e &", "(cmd a)&(cmd b)(or (and (cmd c) (cmd d)) (cmd e))&");
    assert_parsed("a;b&&c||d&e", "(cmd a)(or (and (cmd b) (cmd c)) (cmd d))&(cmd e)");
    assert_parsed("a ; ", "(cmd a)");
    assert_parsed("a ;# done", "(cmd a)");
    assert_parsed("a &&\n\n b ||\nc", "(or (and (cmd a) (cmd b)) (cmd c))");
}

static void pipelines_bind_tighter_than_conditions(void **state)
{
    (void)state;
    assert_parsed("a | b |\n c && ! d | e", "(and (pipe (cmd a) (cmd b) (cmd c)) (not (cmd d) (cmd "
                                            "e)))");
    assert_parsed("! a", "(not (cmd a))");
    assert_parsed("a|b", "(pipe (cmd a) (cmd b))");
}

static void redirections_belong_to_their_commands(void **state)
{
    (void)state;
    assert_parsed("a >x <y >>z 2>&1 3<&- b2>c", "(cmd a b2 1>x 0<y 1>>z 2>&1 3>&- 1>c)");
    assert_parsed(">x", "(cmd 1>x)");
    assert_parsed("{ a; } >x 2> y | b", "(pipe (group (list (cmd a)) 1>x 2>y) (cmd b))");
    assert_parsed("for i in a; do b; done <x", "(for i in a (list (cmd b)) 0<x)");
    assert_parsed("a >|x", "(cmd a 1>x)");
}

static void here_documents_are_the_lines_behind(void **state)
{
    (void)state;
    assert_parsed("cat <<E\nline 1\n$x\nE\n", "(cmd cat 0<<line 1\n$x\n)");
    assert_parsed("cat <<A <<-'B C' | b\n1\nA\n\t2\n\tB C\n",
                  "(pipe (cmd cat 0<<1\n 0<<\t2\n) (cmd "
                  "b))");
    assert_parsed("if a; then cat <<E; fi\nx\nE", "(if (list (cmd a)) (list (cmd cat 0<<x\n)))");
    assert_incomplete("cat <<E", "here-document at column 7 has no end");
    assert_incomplete("cat <<E\nx\nEE\n", "here-document at column 7 has no end");
}

static void compound_commands_nest(void **state)
{
    (void)state;
    assert_parsed("if a; then b; elif c; then d; else e; fi",
                  "(if (list (cmd a)) (list (cmd b)) (if (list (cmd c)) (list (cmd d)) (list (cmd "
                  "e))))");
    assert_parsed("while a; do b; done; until c\ndo\nd\ndone",
                  "(while (list (cmd a)) (list (cmd b)))(until (list (cmd c)) (list (cmd d)))");
    assert_parsed("for x; do a; done", "(for x (list (cmd a)))");
    assert_parsed("for x in 1 '2 3' $y\ndo a; done", "(for x in 1 '2 3' $y (list (cmd a)))");
    assert_parsed("case $x in a|b) c;; (*) d; e\n;; f) esac",
                  "(case $x (item a b (list (cmd c))) (item * (list (cmd d) (cmd e))) (item f))");
    assert_parsed("(a; b) && { c; }",
                  "(and (beside (list (cmd a) (cmd b))) (group (list (cmd c))))");
    assert_parsed("f() { a; }", "(function f (group (list (cmd a))))");
    assert_parsed("f ( )\n(a) >x", "(function f (beside (list (cmd a)) 1>x))");
}

static void keywords_are_words_elsewhere(void **state)
{
    (void)state;
    assert_parsed("echo if then fi { } done", "(cmd echo if then fi { } done)");
    assert_parsed("'if' a", "(cmd 'if' a)");
    assert_parsed("ifx; done1", "(cmd ifx)(cmd done1)");
}

static void assignments_come_before_the_command(void **state)
{
    (void)state;
    assert_parsed("x=1 y=\"2 3\" cmd z=4", "(cmd x=1 y=\"2 3\" : cmd z=4)");
    assert_parsed("x=$(a b)", "(cmd x=$(a b) :)");
    assert_parsed("1x=2", "(cmd 1x=2)");
}

static void parsing_stops_behind_a_line(void **state)
{
    (void)state;
    struct shell_program program;
    const char *text = "a; b\nc &\n";
    size_t position = 0;
    assert_true(
        shell_parse((struct shell_text){ text, strlen(text) }, &position, &program, &error));
    assert_int_equal(position, 5);
    shell_program_free(&program);
    assert_true(
        shell_parse((struct shell_text){ text, strlen(text) }, &position, &program, &error));
    assert_int_equal(position, strlen(text));
    assert_true(program.list->first->background);
    shell_program_free(&program);
}

static void unclosed_text_is_incomplete(void **state)
{
    (void)state;
    assert_incomplete("echo 'abc", "unclosed ' at column 6");
    assert_incomplete("echo a\"b'c'", "unclosed \" at column 7");
    assert_incomplete("echo \"a\\\"", "unclosed \" at column 6");
    assert_incomplete("echo a\\", "nothing after the \\ at column 7");
    assert_incomplete("echo ${NAME", "unclosed ${ at column 6");
    assert_incomplete("echo $(a", "unclosed $( at column 6");
    assert_incomplete("echo $((1", "unclosed $(( at column 6");
    assert_incomplete("echo `a", "unclosed ` at column 6");
    assert_incomplete("a &&", "a command expected at column 5, not the end");
    assert_incomplete("a |", "a command expected at column 4, not the end");
    assert_incomplete("if a", "then expected at column 5, not the end");
    assert_incomplete("for x in a; do b\n", "done expected at line 2, column 1, not the end");
    assert_incomplete("f() {", "a command expected at column 6, not the end");
    assert_incomplete("(a", ") expected at column 3, not the end");
    assert_incomplete("case x in a", ") expected at column 12, not the end");
}

static void malformed_text_is_refused_with_its_place(void **state)
{
    (void)state;
    assert_refused(";", "a command expected at column 1, not ;");
    assert_refused("a ;; b", "a command expected at column 3, not ;;");
    assert_refused("&& a", "a command expected at column 1, not &&");
    assert_refused("a & & b", "a command expected at column 5, not &");
    assert_refused("a && || b", "a command expected at column 6, not ||");
    assert_refused("(a;\n\nb ;; c)", ") expected at line 3, column 3, not ;;");
    assert_refused("done", "a command expected at column 1, not done");
    assert_refused("if a; then fi", "a command expected at column 12, not fi");
    assert_refused("if a; b; fi", "then expected at column 10, not fi");
    assert_refused("for 1 in a; do b; done", "a variable's name expected at column 5, not 1");
    assert_refused("a > ;", "a file's name expected at column 5, not ;");
    assert_refused("a b(c)", "a separator or a quoted ( expected at column 4, not (");
    assert_refused("(a) b", "; or a new line expected at column 5, not b");
    assert_refused("echo ${a b}", "${ at column 6 is not ${NAME} or the like");
    assert_refused("echo ${}", "${ at column 6 is not ${NAME} or the like");
    assert_refused("echo $((1)", "$(( at column 6 does not end in ))");
    assert_refused("f() a", "{ expected at column 5, not a");
    assert_refused("echo ${aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1234}",
                   "variable's name at column 8 is longer than 63 bytes");
}

static char *repeat(const char *piece, size_t count)
{
    char *line = calloc(count, strlen(piece) + 1);
    for (size_t i = 0; i < count; i++) {
        memcpy(line + i * strlen(piece), piece, strlen(piece));
    }
    return line;
}

static void depth_is_bounded(void **state)
{
    (void)state;
    static const char *const openings[] = {
        "(", "{ ", "$(", "if ", "${x:-$(", "if a; then b; elif "
    };
    for (size_t i = 0; i < sizeof(openings) / sizeof(openings[0]); i++) {
        struct shell_program program;
        size_t position = 0;
        char *line = repeat(openings[i], 100000);
        assert_false(
            shell_parse((struct shell_text){ line, strlen(line) }, &position, &program, &error));
        free(line);
    }
}

/* As many as there is memory for. */
static void long_lines_are_parsed(void **state)
{
    (void)state;
    struct shell_program program;
    size_t position = 0;
    char *line = repeat("x y;", 20000);
    assert_true(
        shell_parse((struct shell_text){ line, strlen(line) }, &position, &program, &error));
    shell_program_free(&program);
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
}

/*
 * Whatever the text: no access outside of it (ASan watches), and all of it is looked at or refused.
 */
static void random_text_does_no_harm(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "a",   "b",     " ",      " ",      "$",    "?",      "{",         "}",          "'",
        "\"",  "\\",    ";",      "&",      "|",    "#",      "=",         "<",          ">",
        "(",   ")",     "\t",     "!",      "\n",   "`",      "$(",        "${",         "$((",
        "))",  " if ",  " then ", " fi\n",  " do ", " done ", "for x in ", "case x in ", "esac",
        "<<E", "\nE\n", "x()",    "while ", "\xc3", "@",      "*",         ":-",         "#",
    };
    srand(1);
    for (int round = 0; round < 100000; round++) {
        char *text = calloc(30, 12);
        for (int i = rand() % 30; i > 0; i--) {
            strcat(text, pieces[(size_t)rand() % (sizeof(pieces) / sizeof(pieces[0]))]);
        }
        char *exact = strndup(text, strlen(text)); /* so that ASan sees its end */
        size_t size = strlen(exact);
        size_t position = 0;
        struct shell_program program;
        while (position < size) {
            size_t before = position;
            if (!shell_parse((struct shell_text){ exact, size }, &position, &program, &error)) {
                assert_true(strlen(error.text) > 0);
                break;
            }
            assert_true(position > before);
            shell_program_free(&program);
        }
        free(exact);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_split_at_blanks),
        cmocka_unit_test(empty_lines_and_comments_have_no_commands),
        cmocka_unit_test(quotes_and_expansions_keep_words_together),
        cmocka_unit_test(lists_have_conditions_and_background),
        cmocka_unit_test(pipelines_bind_tighter_than_conditions),
        cmocka_unit_test(redirections_belong_to_their_commands),
        cmocka_unit_test(here_documents_are_the_lines_behind),
        cmocka_unit_test(compound_commands_nest),
        cmocka_unit_test(keywords_are_words_elsewhere),
        cmocka_unit_test(assignments_come_before_the_command),
        cmocka_unit_test(parsing_stops_behind_a_line),
        cmocka_unit_test(unclosed_text_is_incomplete),
        cmocka_unit_test(malformed_text_is_refused_with_its_place),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(long_lines_are_parsed),
        cmocka_unit_test(names_are_letters_digits_and_underscores),
        cmocka_unit_test(random_text_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
