/*
 * Unit tests of the line editor. Its output goes to a small terminal of our own, so that the tests
 * compare what a user would see, on terminals that wrap late (xterm, VT100) and at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ftl/line_editor.h>

#define ROWS    40
#define COLUMNS 80

/* ---- A terminal ---- */

struct terminal {
    char cells[ROWS][COLUMNS][4]; /* a UTF-8 character each; empty: blank */
    size_t row, column;
    bool wraps_at_once;
    bool wrap_pending; /* a late wrapper is still on the last column */
    size_t bells;
    size_t bytes; /* received in all */
};

struct fixture {
    struct ftl_line_editor *editor;
    struct terminal terminal;
    const char *const *candidates;
};

static void erase_cells(struct terminal *t, size_t row, size_t column)
{
    for (; row < ROWS; row++, column = 0) {
        memset(t->cells[row][column], 0, (COLUMNS - column) * sizeof(t->cells[0][0]));
    }
}

static void line_feed(struct terminal *t)
{
    t->wrap_pending = false;
    if (t->row + 1 < ROWS) {
        t->row++;
        return;
    }
    memmove(t->cells[0], t->cells[1], sizeof(t->cells[0]) * (ROWS - 1));
    erase_cells(t, ROWS - 1, 0);
}

static void print_character(struct terminal *t, const char *bytes, size_t size)
{
    if (t->wrap_pending) {
        line_feed(t);
        t->column = 0;
    }
    memset(t->cells[t->row][t->column], 0, 4);
    memcpy(t->cells[t->row][t->column], bytes, size);
    if (t->column + 1 < COLUMNS) {
        t->column++;
    } else if (t->wraps_at_once) {
        line_feed(t);
        t->column = 0;
    } else {
        t->wrap_pending = true;
    }
}

static size_t less(size_t value, size_t by)
{
    return value > by ? value - by : 0;
}

static size_t at_most(size_t value, size_t limit)
{
    return value < limit ? value : limit;
}

/* One CSI sequence; returns its size. Only what the editor may send is known. */
static size_t control_sequence(struct terminal *t, const char *data)
{
    char *end;
    size_t number = strtoul(data + 2, &end, 10);
    size_t count = number == 0 ? 1 : number;
    t->wrap_pending = false;
    switch (*end) {
    case 'A': t->row = less(t->row, count); break;
    case 'B': t->row = at_most(t->row + count, ROWS - 1); break;
    case 'C': t->column = at_most(t->column + count, COLUMNS - 1); break;
    case 'D': t->column = less(t->column, count); break;
    case 'H': t->row = t->column = 0; break;
    case 'J': number == 2 ? erase_cells(t, 0, 0) : erase_cells(t, t->row, t->column); break;
    default: fail_msg("the editor sent an unknown sequence ending in '%c'", *end);
    }
    return (size_t)(end + 1 - data);
}

static size_t character_size(const char *data)
{
    size_t size = 1;
    while (((unsigned char)data[size] & 0xc0) == 0x80) {
        size++;
    }
    return size;
}

static void terminal_write(void *context, const char *data, size_t size)
{
    struct fixture *f = context;
    struct terminal *t = &f->terminal;
    static char text[4096]; /* what came so far of a sequence that is split over writes */
    static size_t used;
    t->bytes += size;
    assert_true(size < sizeof(text) - used);
    memcpy(text + used, data, size);
    used += size;
    text[used] = '\0';
    size_t i = 0;
    while (i < used) {
        size_t step = 1;
        if (text[i] == '\x1b') {
            if (strpbrk(text + i, "ABCDHJ") == NULL) {
                break;
            }
            step = control_sequence(t, text + i);
        } else if (text[i] == '\r') {
            t->wrap_pending = false;
            t->column = 0;
        } else if (text[i] == '\n') {
            line_feed(t);
        } else if (text[i] == '\a') {
            t->bells++;
        } else {
            static const uint8_t need[16] = { [0xc] = 2, [0xd] = 2, [0xe] = 3, [0xf] = 4 };
            size_t whole = need[(unsigned char)text[i] >> 4];
            if (used - i < whole) {
                break;
            }
            step = character_size(text + i);
            print_character(t, text + i, step);
        }
        i += step;
    }
    memmove(text, text + i, used - i);
    used -= i;
}

/* The text of a row without trailing blanks. */
static const char *row_text(const struct fixture *f, size_t row)
{
    static char text[COLUMNS * 4 + 1];
    size_t size = 0, end = 0;
    for (size_t column = 0; column < COLUMNS; column++) {
        const char *cell = f->terminal.cells[row][column];
        size_t bytes = cell[0] == '\0' ? 1 : strnlen(cell, 4);
        memcpy(text + size, cell[0] == '\0' ? " " : cell, bytes);
        size += bytes;
        end = cell[0] == '\0' || cell[0] == ' ' ? end : size;
    }
    text[end] = '\0';
    return text;
}

/* ---- Driving the editor ---- */

static void offer(void *context, const char *line, size_t word, size_t cursor,
                  struct ftl_line_completions *completions)
{
    const struct fixture *f = context;
    assert_true(word <= cursor && cursor <= strlen(line));
    for (size_t i = 0; f->candidates != NULL && f->candidates[i] != NULL; i++) {
        ftl_line_completions_add(completions, f->candidates[i]);
    }
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const struct ftl_line_editor_config config = {
        .write = terminal_write,
        .complete = offer,
        .context = f,
        .columns = COLUMNS,
    };
    f->editor = ftl_line_editor_create(&config);
    ftl_line_editor_begin(f->editor, "ftl> ");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    ftl_line_editor_destroy(f->editor);
    free(f);
    return 0;
}

/* Feeds text that must not end a line before its last byte. */
static enum ftl_line_event type(struct fixture *f, const char *text)
{
    size_t used;
    enum ftl_line_event event = ftl_line_editor_feed(f->editor, text, strlen(text), &used);
    assert_int_equal(used, strlen(text));
    return event;
}

static void assert_line(struct fixture *f, const char *expected)
{
    assert_string_equal(ftl_line_editor_line(f->editor), expected);
}

/* Starts over with a new line, as the shell does. */
static void begin(struct fixture *f)
{
    ftl_line_editor_begin(f->editor, "ftl> ");
}

static void enter(struct fixture *f, const char *text)
{
    type(f, text);
    assert_int_equal(type(f, "\r"), FTL_LINE_ENTERED);
    ftl_line_editor_remember(f->editor, ftl_line_editor_line(f->editor));
    begin(f);
}

/* ---- Lines ---- */

static void typed_text_is_echoed_after_the_prompt(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(type(f, "run hello"), FTL_LINE_PENDING);
    assert_line(f, "run hello");
    assert_string_equal(row_text(f, 0), "ftl> run hello");
    assert_int_equal(f->terminal.column, 14);
}

static void typing_at_the_end_costs_one_byte_of_output_each(void **state)
{
    struct fixture *f = *state;
    size_t before = f->terminal.bytes;
    type(f, "a");
    type(f, "bc");
    assert_int_equal(f->terminal.bytes - before, 3);
}

static void enter_may_be_cr_lf_or_both(void **state)
{
    struct fixture *f = *state;
    const char input[] = "a\rb\nc\r\nd\r";
    const char *expected[] = { "a", "b", "c", "d" };
    size_t at = 0, used;
    for (size_t i = 0; i < 4; i++) {
        enum ftl_line_event event =
            ftl_line_editor_feed(f->editor, input + at, strlen(input + at), &used);
        assert_int_equal(event, FTL_LINE_ENTERED);
        assert_line(f, expected[i]);
        begin(f);
        at += used;
    }
    assert_int_equal(at, strlen(input));
}

static void lf_of_a_split_cr_lf_is_not_a_second_line(void **state)
{
    struct fixture *f = *state;
    enter(f, "a");
    assert_int_equal(type(f, "\n"), FTL_LINE_PENDING);
    assert_int_equal(type(f, "\n"), FTL_LINE_ENTERED);
    assert_line(f, "");
}

static void bytes_after_enter_are_left_to_the_next_line(void **state)
{
    struct fixture *f = *state;
    size_t used;
    assert_int_equal(ftl_line_editor_feed(f->editor, "ab\rcd", 5, &used), FTL_LINE_ENTERED);
    assert_int_equal(used, 3);
}

static void enter_in_the_middle_takes_the_whole_line(void **state)
{
    struct fixture *f = *state;
    type(f, "echo abc\x01");
    assert_int_equal(type(f, "\r"), FTL_LINE_ENTERED);
    assert_line(f, "echo abc");
    assert_string_equal(row_text(f, 0), "ftl> echo abc");
    assert_int_equal(f->terminal.row, 1);
    assert_int_equal(f->terminal.column, 0);
}

static void control_c_byte_cancels_the_line(void **state)
{
    struct fixture *f = *state;
    type(f, "half");
    assert_int_equal(type(f, "\x03"), FTL_LINE_CANCELLED);
    assert_string_equal(row_text(f, 0), "ftl> half^C");
    begin(f);
    assert_line(f, "");
    assert_string_equal(row_text(f, 1), "ftl>");
}

static void cancel_from_outside_shows_the_same(void **state)
{
    struct fixture *f = *state;
    type(f, "half\x02\x02");
    ftl_line_editor_cancel(f->editor);
    begin(f);
    assert_string_equal(row_text(f, 0), "ftl> half^C");
    assert_string_equal(row_text(f, 1), "ftl>");
}

static void control_d_ends_an_empty_line_and_deletes_in_another(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(type(f, "\x04"), FTL_LINE_END);
    begin(f);
    assert_int_equal(type(f, "abc\x01\x04"), FTL_LINE_PENDING);
    assert_line(f, "bc");
    assert_int_equal(type(f, "\x05\x04"), FTL_LINE_PENDING);
    assert_line(f, "bc");
}

/* ---- Editing ---- */

static void text_can_be_inserted_in_the_middle(void **state)
{
    struct fixture *f = *state;
    type(f, "ac\x1b[Db");
    assert_line(f, "abc");
    assert_string_equal(row_text(f, 0), "ftl> abc");
    assert_int_equal(f->terminal.column, 7);
}

static void backspace_and_delete_remove_one_character(void **state)
{
    struct fixture *f = *state;
    type(f, "abcd\x7f");
    assert_line(f, "abc");
    type(f, "\x08");
    assert_line(f, "ab");
    type(f, "\x1b[D\x1b[3~");
    assert_line(f, "a");
    type(f, "\x1b[3~");
    assert_line(f, "a");
    type(f, "\x7f\x7f\x7f");
    assert_line(f, "");
    assert_string_equal(row_text(f, 0), "ftl>");
}

static void home_and_end_in_all_spellings(void **state)
{
    struct fixture *f = *state;
    const char *homes[] = { "\x01", "\x1b[H", "\x1bOH", "\x1b[1~", "\x1b[7~" };
    const char *ends[] = { "\x05", "\x1b[F", "\x1bOF", "\x1b[4~", "\x1b[8~" };
    type(f, "m");
    for (size_t i = 0; i < 5; i++) {
        type(f, homes[i]);
        type(f, "<");
        type(f, ends[i]);
        type(f, ">");
    }
    assert_line(f, "<<<<<m>>>>>");
}

static void control_letters_move_like_arrows(void **state)
{
    struct fixture *f = *state;
    type(f, "abc\x02\x02\x06|");
    assert_line(f, "ab|c");
}

static void words_are_moved_over_and_killed(void **state)
{
    struct fixture *f = *state;
    type(f, "run --isolation=user hello");
    type(f, "\x1b[1;5D\x1b"
            "b*");
    assert_line(f, "run --isolation=*user hello");
    type(f, "\x1b[1;5C\x1b"
            "f+");
    assert_line(f, "run --isolation=*user hello+");
    type(f, "\x17");
    assert_line(f, "run --isolation=*user ");
    type(f, "\x1b\x7f");
    assert_line(f, "run --isolation=*");
    type(f, "\x01\x1b"
            "d");
    assert_line(f, " --isolation=*");
}

static void lines_are_killed_to_both_sides_and_yanked(void **state)
{
    struct fixture *f = *state;
    type(f, "hello world\x1b[1;3D\x0b");
    assert_line(f, "hello ");
    type(f, "\x01\x19");
    assert_line(f, "worldhello ");
    type(f, "\x15");
    assert_line(f, "hello ");
    type(f, "\x05\x19");
    assert_line(f, "hello world");
    assert_string_equal(row_text(f, 0), "ftl> hello world");
}

static void transpose_swaps_around_the_cursor_or_the_last_two(void **state)
{
    struct fixture *f = *state;
    type(f, "\x14");
    type(f, "a\x14");
    assert_line(f, "a");
    type(f, "bc\x14");
    assert_line(f, "acb");
    type(f, "\x01\x14\x06\x14");
    assert_line(f, "cab");
}

static void clear_keeps_the_line(void **state)
{
    struct fixture *f = *state;
    enter(f, "first");
    type(f, "second\x1b[D\x0c");
    assert_string_equal(row_text(f, 0), "ftl> second");
    assert_string_equal(row_text(f, 1), "");
    assert_int_equal(f->terminal.column, 10);
}

static void unknown_sequences_and_controls_do_nothing(void **state)
{
    struct fixture *f = *state;
    type(
        f,
        "a\x1b[15~\x1b[1;2P\x1b[200~\x1b[?25h\x1b[[A\x1bOP\x1bx\x1b[99999999999999;7;7;7X\x13\x0f");
    type(f, "\x1b[<0;1;1M\x1b[ q");
    assert_line(f, "a");
}

static void enter_inside_a_broken_sequence_counts(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(type(f, "ls\x1b[12\r"), FTL_LINE_ENTERED);
    assert_line(f, "ls");
}

static void sequences_may_be_split_at_any_byte(void **state)
{
    struct fixture *f = *state;
    const char *input = "ab\x1b[1;5Dx\x1b[C\x1bOF\xc3\xa9\x1b[3~\x1b[D\xe2\x82\xac";
    for (size_t i = 0; input[i] != '\0'; i++) {
        size_t used;
        ftl_line_editor_feed(f->editor, input + i, 1, &used);
    }
    assert_line(f, "xab\xe2\x82\xac\xc3\xa9");
    assert_string_equal(row_text(f, 0), "ftl> xab\xe2\x82\xac\xc3\xa9");
}

static void utf8_characters_are_moved_over_and_removed_whole(void **state)
{
    struct fixture *f = *state;
    type(f, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    assert_int_equal(f->terminal.column, 8);
    type(f, "\x1b[D\x7f");
    assert_line(f, "\xc3\xa9\xf0\x9f\x98\x80");
    type(f, "\x05\x14");
    assert_line(f, "\xf0\x9f\x98\x80\xc3\xa9");
    type(f, "\x01\x04");
    assert_line(f, "\xc3\xa9");
    assert_string_equal(row_text(f, 0), "ftl> \xc3\xa9");
}

static void malformed_utf8_is_dropped(void **state)
{
    struct fixture *f = *state;
    type(f, "a\x80\xff\xc0\xafz\xe2\x82q\xc3\xc3\xa9\xe2\x82\x7f");
    assert_line(f, "azq");
}

/* ---- Long lines ---- */

static void long_line_wraps_and_can_be_edited_on_every_row(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < 20; i++) {
        type(f, "0123456789");
    }
    assert_int_equal(f->terminal.row, 2);
    type(f, "\x01*");
    assert_string_equal(
        row_text(f, 0),
        "ftl> *01234567890123456789012345678901234567890123456789012345678901234567890123");
    assert_int_equal(f->terminal.row, 0);
    type(f, "\x0b");
    assert_string_equal(row_text(f, 0), "ftl> *");
    assert_string_equal(row_text(f, 1), "");
    assert_string_equal(row_text(f, 2), "");
}

static void cursor_wraps_when_a_row_is_just_full(void **state)
{
    struct fixture *f = *state;
    for (f->terminal.wraps_at_once = false;; f->terminal.wraps_at_once = true) {
        size_t row = f->terminal.row;
        for (size_t i = 0; i < COLUMNS - 5; i++) {
            type(f, "x");
        }
        assert_int_equal(f->terminal.row, row + 1);
        assert_int_equal(f->terminal.column, 0);
        type(f, "\x7f\x7f!!?");
        assert_string_equal(row_text(f, row + 1), "?");
        assert_int_equal(type(f, "\r"), FTL_LINE_ENTERED);
        begin(f);
        if (f->terminal.wraps_at_once) {
            break;
        }
    }
}

static void text_beyond_the_limit_is_refused_and_the_line_not_run(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < FTL_LINE_MAX; i++) {
        type(f, "x");
    }
    assert_int_equal(f->terminal.bells, 0);
    type(f, "y");
    assert_int_equal(f->terminal.bells, 1);
    assert_int_equal(strlen(ftl_line_editor_line(f->editor)), FTL_LINE_MAX);
    assert_int_equal(type(f, "\r"), FTL_LINE_TOO_LONG);
    begin(f);
    assert_int_equal(type(f, "ok\r"), FTL_LINE_ENTERED);
}

static void editing_after_an_overflow_makes_the_line_usable(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < FTL_LINE_MAX + 1; i++) {
        type(f, "x");
    }
    type(f, "\x7f");
    assert_int_equal(type(f, "\r"), FTL_LINE_ENTERED);
    assert_int_equal(strlen(ftl_line_editor_line(f->editor)), FTL_LINE_MAX - 1);
}

static void yank_that_does_not_fit_changes_nothing(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < 600; i++) {
        type(f, "x");
    }
    type(f, "\x15\x19\x19");
    assert_int_equal(strlen(ftl_line_editor_line(f->editor)), 600);
}

/* ---- History ---- */

static void up_and_down_walk_the_history_and_keep_the_draft(void **state)
{
    struct fixture *f = *state;
    enter(f, "one");
    enter(f, "two");
    type(f, "dra");
    type(f, "\x1b[A");
    assert_line(f, "two");
    type(f, "\x10\x10\x10");
    assert_line(f, "one");
    type(f, "\x1bOB");
    assert_line(f, "two");
    type(f, "\x0e\x0e\x0e");
    assert_line(f, "dra");
    type(f, "ft");
    assert_line(f, "draft");
    assert_string_equal(row_text(f, f->terminal.row), "ftl> draft");
}

static void recalled_line_is_edited_without_changing_the_history(void **state)
{
    struct fixture *f = *state;
    enter(f, "echo a");
    type(f, "\x1b[A\x7fz");
    assert_line(f, "echo z");
    assert_string_equal(ftl_line_editor_history(f->editor, 0), "echo a");
}

static void history_leaves_out_repeats_and_empty_lines(void **state)
{
    struct fixture *f = *state;
    enter(f, "a");
    enter(f, "a");
    enter(f, "");
    enter(f, "b");
    enter(f, "a");
    assert_string_equal(ftl_line_editor_history(f->editor, 0), "a");
    assert_string_equal(ftl_line_editor_history(f->editor, 1), "b");
    assert_string_equal(ftl_line_editor_history(f->editor, 2), "a");
    assert_null(ftl_line_editor_history(f->editor, 3));
}

static void history_forgets_the_oldest(void **state)
{
    struct fixture *f = *state;
    char line[16];
    for (int i = 0; i < FTL_LINE_HISTORY_MAX + 3; i++) {
        snprintf(line, sizeof(line), "line %d", i);
        ftl_line_editor_remember(f->editor, line);
    }
    assert_string_equal(ftl_line_editor_history(f->editor, 0), "line 3");
    assert_string_equal(ftl_line_editor_history(f->editor, FTL_LINE_HISTORY_MAX - 1), "line 102");
    assert_null(ftl_line_editor_history(f->editor, FTL_LINE_HISTORY_MAX));
}

/* ---- Completion ---- */

static const char *const words[] = {
    "help", "hello", "history", "ps", "--isolation=", "/tmp/", NULL
};

static void unique_completion_is_finished_with_a_blank(void **state)
{
    struct fixture *f = *state;
    f->candidates = words;
    type(f, "p\t");
    assert_line(f, "ps ");
    type(f, "his\t");
    assert_line(f, "ps history ");
}

static void completion_ending_in_an_equals_sign_gets_no_blank(void **state)
{
    struct fixture *f = *state;
    f->candidates = words;
    type(f, "run --i\t");
    assert_line(f, "run --isolation=");
    type(f, "\x15"
            "cat /t\t");
    assert_line(f, "cat /tmp/");
}

static void completion_adds_the_common_prefix_first(void **state)
{
    struct fixture *f = *state;
    f->candidates = words;
    type(f, "he\t");
    assert_line(f, "hel");
    assert_int_equal(f->terminal.bells, 0);
    type(f, "l\t");
    assert_line(f, "hello ");
}

static void second_tab_lists_the_candidates(void **state)
{
    struct fixture *f = *state;
    f->candidates = words;
    type(f, "h\t");
    assert_int_equal(f->terminal.bells, 1);
    type(f, "\t");
    assert_string_equal(row_text(f, 1), "help     hello    history");
    assert_string_equal(row_text(f, 2), "ftl> h");
    assert_int_equal(f->terminal.row, 2);
    assert_int_equal(f->terminal.column, 6);
    type(f, "i\t");
    assert_line(f, "history ");
    assert_string_equal(row_text(f, 2), "ftl> history");
}

static void completion_works_in_the_middle_of_a_line(void **state)
{
    struct fixture *f = *state;
    f->candidates = words;
    type(f, "p x\x02\x02\t");
    assert_line(f, "ps  x");
    assert_int_equal(f->terminal.column, 8);
}

static void completion_without_candidates_rings_the_bell(void **state)
{
    struct fixture *f = *state;
    f->candidates = words;
    type(f, "zzz\t\t");
    assert_line(f, "zzz");
    assert_int_equal(f->terminal.bells, 2);
}

static void more_candidates_than_fit_are_counted(void **state)
{
    struct fixture *f = *state;
    static char names[200][8];
    static const char *many[201];
    for (size_t i = 0; i < 200; i++) {
        snprintf(names[i], sizeof(names[i]), "n%zu", i + 100);
        many[i] = names[i];
    }
    f->candidates = many;
    type(f, "n\t\t");
    assert_line(f, "n");
    assert_string_equal(row_text(f, f->terminal.row - 1), "and 72 more");
}

/* ---- Everything at once ---- */

/* From the first row on: prompt and line, folded, and nothing else. */
static void assert_screen_shows_line(struct fixture *f)
{
    const char *line = ftl_line_editor_line(f->editor);
    char whole[FTL_LINE_MAX + 8];
    size_t cell = 0;
    snprintf(whole, sizeof(whole), "ftl> %s", line);
    for (const char *at = whole; *at != '\0'; at += character_size(at), cell++) {
        const char *shown = f->terminal.cells[cell / COLUMNS][cell % COLUMNS];
        size_t size = character_size(at);
        char blank = shown[0] == '\0' ? ' ' : shown[0];
        assert_int_equal(blank, *at);
        assert_memory_equal(size > 1 ? shown : at, at, size);
    }
    for (; cell / COLUMNS < ROWS; cell++) {
        char shown = f->terminal.cells[cell / COLUMNS][cell % COLUMNS][0];
        assert_true(shown == '\0' || shown == ' ');
    }
}

static const char *const random_keys[] = {
    "a",
    "b ",
    "word ",
    "0123456789012345",
    "hello world, this is a long text ",
    "\xc3\xa9",
    "\xe2\x82\xac",
    "\xe2", /* cut short */
    "\x1b[9",
    "\x7f",
    "\x1b[3~",
    "\x01",
    "\x02",
    "\x02\x02x",
    "\x04",
    "\x05",
    "\x06",
    "he\t",
    "\x0b",
    "\x0c",
    "\x14",
    "\x15",
    "\x17",
    "\x19",
    "\x1b[A",
    "\x1b[B",
    "\x1b[C",
    "\x1b[D",
    "\x1b[1;5C",
    "\x1b[1;5D",
    "\x1b\x64", /* Alt-D */
};

static void random_keys_keep_screen_and_line_in_step(void **state)
{
    struct fixture *f = *state;
    size_t count = sizeof(random_keys) / sizeof(random_keys[0]);
    f->candidates = words;
    enter(f, "short");
    for (int i = 0; i < 20; i++) {
        type(f, "a long line: ");
    }
    enter(f, "");
    type(f, "\x0c");
    srand(1);
    for (int round = 0; round < 4000; round++) {
        char input[256] = "";
        size_t used;
        f->terminal.wraps_at_once = round % 40 >= 20;
        for (int i = rand() % 4; i >= 0; i--) {
            strcat(input, random_keys[(size_t)rand() % count]);
        }
        if (ftl_line_editor_feed(f->editor, input, strlen(input), &used) != FTL_LINE_PENDING) {
            begin(f);
            type(f, "\x0c"); /* the line starts in the first row again */
        }
        assert_screen_shows_line(f);
    }
}

static void random_bytes_do_no_harm(void **state)
{
    struct fixture *f = *state;
    f->candidates = words;
    srand(2);
    for (int round = 0; round < 2000; round++) {
        uint8_t bytes[64];
        size_t at = 0, used;
        for (size_t i = 0; i < sizeof(bytes); i++) {
            bytes[i] = (uint8_t)rand();
        }
        while (at < sizeof(bytes)) {
            if (ftl_line_editor_feed(f->editor, bytes + at, sizeof(bytes) - at, &used) !=
                FTL_LINE_PENDING) {
                ftl_line_editor_remember(f->editor, ftl_line_editor_line(f->editor));
                begin(f);
            }
            at += used;
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(typed_text_is_echoed_after_the_prompt),
        TEST(typing_at_the_end_costs_one_byte_of_output_each),
        TEST(enter_may_be_cr_lf_or_both),
        TEST(lf_of_a_split_cr_lf_is_not_a_second_line),
        TEST(bytes_after_enter_are_left_to_the_next_line),
        TEST(enter_in_the_middle_takes_the_whole_line),
        TEST(control_c_byte_cancels_the_line),
        TEST(cancel_from_outside_shows_the_same),
        TEST(control_d_ends_an_empty_line_and_deletes_in_another),
        TEST(text_can_be_inserted_in_the_middle),
        TEST(backspace_and_delete_remove_one_character),
        TEST(home_and_end_in_all_spellings),
        TEST(control_letters_move_like_arrows),
        TEST(words_are_moved_over_and_killed),
        TEST(lines_are_killed_to_both_sides_and_yanked),
        TEST(transpose_swaps_around_the_cursor_or_the_last_two),
        TEST(clear_keeps_the_line),
        TEST(unknown_sequences_and_controls_do_nothing),
        TEST(enter_inside_a_broken_sequence_counts),
        TEST(sequences_may_be_split_at_any_byte),
        TEST(utf8_characters_are_moved_over_and_removed_whole),
        TEST(malformed_utf8_is_dropped),
        TEST(long_line_wraps_and_can_be_edited_on_every_row),
        TEST(cursor_wraps_when_a_row_is_just_full),
        TEST(text_beyond_the_limit_is_refused_and_the_line_not_run),
        TEST(editing_after_an_overflow_makes_the_line_usable),
        TEST(yank_that_does_not_fit_changes_nothing),
        TEST(up_and_down_walk_the_history_and_keep_the_draft),
        TEST(recalled_line_is_edited_without_changing_the_history),
        TEST(history_leaves_out_repeats_and_empty_lines),
        TEST(history_forgets_the_oldest),
        TEST(unique_completion_is_finished_with_a_blank),
        TEST(completion_ending_in_an_equals_sign_gets_no_blank),
        TEST(completion_adds_the_common_prefix_first),
        TEST(second_tab_lists_the_candidates),
        TEST(completion_works_in_the_middle_of_a_line),
        TEST(completion_without_candidates_rings_the_bell),
        TEST(more_candidates_than_fit_are_counted),
        TEST(random_keys_keep_screen_and_line_in_step),
        TEST(random_bytes_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
