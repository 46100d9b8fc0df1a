/*
 * The line editor. Keys change the text and note the first byte that changed; the screen is brought
 * up to date once per feed, so that a paste costs one redraw and typing at the end is a plain echo.
 *
 * The screen is a strip of cells, prompt first, folded into rows of `columns`. Every character
 * counts as one cell (a byte that continues a UTF-8 sequence as none); wide and combining
 * characters are not known.
 */
#include <ftl/line_editor.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "line_editor_keys.h"

#define DEFAULT_COLUMNS 80
#define OUTPUT_SIZE     512
#define SEQUENCE_MAX    32 /* bytes of an escape sequence with a number */
#define NOT_CHANGED     SIZE_MAX

#define ERASE_BELOW  "\x1b[J"        /* ECMA-48 ED 0 */
#define CLEAR_SCREEN "\x1b[H\x1b[2J" /* CUP, ED 2 */
#define BELL         "\a"

#define CANDIDATES_MAX  128
#define CANDIDATES_TEXT 4096

struct ftl_line_completions {
    const char *word; /* what candidates must start with */
    size_t word_size;
    size_t common; /* bytes that all candidates start with */
    size_t count;
    size_t dropped; /* candidates there was no room for */
    size_t longest;
    size_t text_size;
    const char *candidates[CANDIDATES_MAX];
    char text[CANDIDATES_TEXT];
};

struct ftl_line_editor {
    struct ftl_line_editor_config config;
    struct ftl_key_decoder decoder;
    char prompt[FTL_LINE_PROMPT_MAX + 1];

    char line[FTL_LINE_MAX + 1]; /* NUL-terminated */
    size_t length;
    size_t cursor;
    bool overflowed;               /* text was refused, and the line was not edited since */
    bool tab_once;                 /* the last key was a Tab that could not add anything */
    char killed[FTL_LINE_MAX + 1]; /* what Ctrl-Y brings back */

    size_t changed;      /* first byte of line that the screen does not show yet, or NOT_CHANGED */
    size_t shown_end;    /* cells in use on the screen */
    size_t shown_cursor; /* the cell the terminal's cursor is at */

    char *history[FTL_LINE_HISTORY_MAX]; /* oldest first */
    size_t history_count;
    size_t history_position;      /* the entry being shown; history_count: the draft */
    char draft[FTL_LINE_MAX + 1]; /* the line that was being typed when the user went up */

    char output[OUTPUT_SIZE];
    size_t output_size;
    struct ftl_line_completions completions;
};

/* ---- Output ---- */

static void flush(struct ftl_line_editor *editor)
{
    if (editor->output_size > 0) {
        editor->config.write(editor->config.context, editor->output, editor->output_size);
        editor->output_size = 0;
    }
}

static void put(struct ftl_line_editor *editor, const char *data, size_t size)
{
    while (size > 0) {
        if (editor->output_size == OUTPUT_SIZE) {
            flush(editor);
        }
        size_t room = OUTPUT_SIZE - editor->output_size;
        size_t part = size < room ? size : room;
        memcpy(editor->output + editor->output_size, data, part);
        editor->output_size += part;
        data += part;
        size -= part;
    }
}

static void put_string(struct ftl_line_editor *editor, const char *string)
{
    put(editor, string, strlen(string));
}

/* Moves the terminal's cursor `count` cells: A up, B down, C right, D left (ECMA-48 CUU to CUB). */
static void put_move(struct ftl_line_editor *editor, size_t count, char command)
{
    char sequence[SEQUENCE_MAX];
    if (count > 0) {
        snprintf(sequence, sizeof(sequence), "\x1b[%zu%c", count, command);
        put_string(editor, sequence);
    }
}

/* ---- Screen ---- */

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

static size_t count_cells(const char *text, size_t size)
{
    size_t cells = 0;
    for (size_t i = 0; i < size; i++) {
        cells += !is_continuation(text[i]);
    }
    return cells;
}

/* The cell at which byte `index` of the line is, or will be, shown. */
static size_t cell_of(const struct ftl_line_editor *editor, size_t index)
{
    return count_cells(editor->prompt, strlen(editor->prompt)) + count_cells(editor->line, index);
}

static void move_to(struct ftl_line_editor *editor, size_t cell)
{
    size_t columns = editor->config.columns;
    size_t from_row = editor->shown_cursor / columns;
    size_t from = editor->shown_cursor % columns;
    size_t row = cell / columns;
    size_t column = cell % columns;

    put_move(editor, row < from_row ? from_row - row : row - from_row, row < from_row ? 'A' : 'B');
    if (column < from && column == 0) {
        put_string(editor, "\r");
    } else {
        put_move(editor, column < from ? from - column : column - from, column < from ? 'D' : 'C');
    }
    editor->shown_cursor = cell;
}

/*
 * Writes text at the cursor. After a full row, terminals differ in whether the cursor is already on
 * the next one; a blank and CR bring all of them there.
 */
static void show(struct ftl_line_editor *editor, const char *text, size_t size)
{
    size_t cells = count_cells(text, size);
    put(editor, text, size);
    editor->shown_cursor += cells;
    if (cells > 0 && editor->shown_cursor % editor->config.columns == 0) {
        put_string(editor, " \r");
    }
}

/* Makes the screen show the line and the cursor as they are. */
static void synchronize(struct ftl_line_editor *editor)
{
    if (editor->changed != NOT_CHANGED) {
        move_to(editor, cell_of(editor, editor->changed));
        show(editor, editor->line + editor->changed, editor->length - editor->changed);
        if (editor->shown_cursor < editor->shown_end) {
            put_string(editor, ERASE_BELOW);
        }
        editor->shown_end = editor->shown_cursor;
        editor->changed = NOT_CHANGED;
    }
    move_to(editor, cell_of(editor, editor->cursor));
}

/* Shows the prompt at the start of an empty row, and the line with the next synchronize(). */
static void show_prompt(struct ftl_line_editor *editor)
{
    editor->shown_cursor = 0;
    show(editor, editor->prompt, strlen(editor->prompt));
    editor->shown_end = editor->shown_cursor;
    editor->changed = 0;
}

/* ---- Text ---- */

static void note_change(struct ftl_line_editor *editor, size_t index)
{
    if (index < editor->changed) {
        editor->changed = index;
    }
}

/* Inserts at the cursor and moves behind it; all of the text or, with a bell, nothing. */
static bool insert(struct ftl_line_editor *editor, const char *text, size_t size)
{
    if (size > FTL_LINE_MAX - editor->length) {
        editor->overflowed = true;
        put_string(editor, BELL);
        return false;
    }
    char *at = editor->line + editor->cursor;
    memmove(at + size, at, editor->length - editor->cursor + 1);
    memcpy(at, text, size);
    note_change(editor, editor->cursor);
    editor->length += size;
    editor->cursor += size;
    return true;
}

/* Removes the bytes [start, end) and leaves the cursor there. */
static void erase(struct ftl_line_editor *editor, size_t start, size_t end)
{
    editor->cursor = start;
    if (start == end) {
        return;
    }
    memmove(editor->line + start, editor->line + end, editor->length - end + 1);
    editor->length -= end - start;
    note_change(editor, start);
}

/* Like erase(), for Ctrl-Y to bring back. */
static void kill_range(struct ftl_line_editor *editor, size_t start, size_t end)
{
    if (start < end) {
        memcpy(editor->killed, editor->line + start, end - start);
        editor->killed[end - start] = '\0';
    }
    erase(editor, start, end);
}

static void replace_line(struct ftl_line_editor *editor, const char *text)
{
    erase(editor, 0, editor->length);
    insert(editor, text, strlen(text));
}

static size_t previous_character(const struct ftl_line_editor *editor, size_t index)
{
    while (index > 0 && is_continuation(editor->line[--index])) {
    }
    return index;
}

static size_t next_character(const struct ftl_line_editor *editor, size_t index)
{
    if (index < editor->length) {
        index++;
    }
    while (index < editor->length && is_continuation(editor->line[index])) {
        index++;
    }
    return index;
}

/* Is this byte part of a word? All of UTF-8 beyond ASCII is. */
static bool in_word(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= 'a' && byte <= 'z') || byte == '_' || (unsigned char)byte >= 0x80;
}

static bool not_blank(char byte)
{
    return byte != ' ';
}

/* Where the run of bytes that `belongs` accepts starts, to the left of the cursor. */
static size_t run_left(const struct ftl_line_editor *editor, bool (*belongs)(char))
{
    size_t index = editor->cursor;
    while (index > 0 && !belongs(editor->line[index - 1])) {
        index--;
    }
    while (index > 0 && belongs(editor->line[index - 1])) {
        index--;
    }
    return index;
}

static size_t word_right(const struct ftl_line_editor *editor)
{
    size_t index = editor->cursor;
    while (index < editor->length && !in_word(editor->line[index])) {
        index++;
    }
    while (index < editor->length && in_word(editor->line[index])) {
        index++;
    }
    return index;
}

/* Swaps the characters around the cursor, or the last two at the end; moves behind them. */
static void transpose(struct ftl_line_editor *editor)
{
    size_t end = next_character(editor, editor->cursor);
    size_t middle = previous_character(editor, end);
    size_t start = previous_character(editor, middle);
    if (editor->cursor == 0 || start == middle) {
        return;
    }
    char left[4];
    size_t left_size = middle - start;
    memcpy(left, editor->line + start, left_size);
    memmove(editor->line + start, editor->line + middle, end - middle);
    memcpy(editor->line + start + (end - middle), left, left_size);
    editor->cursor = end;
    note_change(editor, start);
}

/* ---- History ---- */

void ftl_line_editor_remember(struct ftl_line_editor *editor, const char *line)
{
    size_t count = editor->history_count;
    if (line[0] == '\0' || (count > 0 && strcmp(editor->history[count - 1], line) == 0)) {
        return;
    }
    char *copy = strdup(line);
    if (copy == NULL) {
        return;
    }
    if (count == FTL_LINE_HISTORY_MAX) {
        free(editor->history[0]);
        count--;
        memmove(editor->history, editor->history + 1, count * sizeof(editor->history[0]));
    }
    editor->history[count] = copy;
    editor->history_count = count + 1;
    editor->history_position = editor->history_count;
}

const char *ftl_line_editor_history(const struct ftl_line_editor *editor, size_t index)
{
    return index < editor->history_count ? editor->history[index] : NULL;
}

/* Shows the entry at `position`; the line that was being typed is kept as the newest. */
static void recall(struct ftl_line_editor *editor, size_t position)
{
    if (position == editor->history_position || position > editor->history_count) {
        return;
    }
    if (editor->history_position == editor->history_count) {
        memcpy(editor->draft, editor->line, editor->length + 1);
    }
    editor->history_position = position;
    const char *entry = ftl_line_editor_history(editor, position);
    replace_line(editor, entry != NULL ? entry : editor->draft);
}

/* ---- Completion ---- */

static size_t common_prefix(const char *a, const char *b, size_t limit)
{
    size_t size = 0;
    while (size < limit && a[size] != '\0' && a[size] == b[size]) {
        size++;
    }
    return size;
}

void ftl_line_completions_add(struct ftl_line_completions *completions, const char *candidate)
{
    size_t size = strlen(candidate);
    if (size == 0 || strncmp(candidate, completions->word, completions->word_size) != 0) {
        return;
    }
    for (size_t i = 0; i < completions->count; i++) {
        if (strcmp(completions->candidates[i], candidate) == 0) {
            return;
        }
    }
    if (completions->count == 0) {
        completions->common = size;
    } else {
        completions->common =
            common_prefix(completions->candidates[0], candidate, completions->common);
    }
    if (completions->count == CANDIDATES_MAX || size >= CANDIDATES_TEXT - completions->text_size) {
        completions->dropped++;
        return;
    }
    char *copy = completions->text + completions->text_size;
    memcpy(copy, candidate, size + 1);
    completions->text_size += size + 1;
    completions->candidates[completions->count++] = copy;
    if (size > completions->longest) {
        completions->longest = size;
    }
}

/* Shows all candidates in columns below the line, and the prompt and the line again below them. */
static void list_candidates(struct ftl_line_editor *editor)
{
    const struct ftl_line_completions *all = &editor->completions;
    size_t width = all->longest + 2;
    size_t per_row = editor->config.columns > width ? editor->config.columns / width : 1;

    synchronize(editor);
    move_to(editor, editor->shown_end);
    for (size_t i = 0; i < all->count; i++) {
        size_t size = strlen(all->candidates[i]);
        bool last_in_row = (i + 1) % per_row == 0 || i + 1 == all->count;
        put_string(editor, i % per_row == 0 ? "\r\n" : "");
        put(editor, all->candidates[i], size);
        for (; size < width && !last_in_row; size++) {
            put_string(editor, " ");
        }
    }
    if (all->dropped > 0) {
        char more[SEQUENCE_MAX];
        snprintf(more, sizeof(more), "\r\nand %zu more", all->dropped);
        put_string(editor, more);
    }
    put_string(editor, "\r\n");
    show_prompt(editor);
}

/* Where the word that ends at the cursor starts. */
static size_t completion_start(const struct ftl_line_editor *editor)
{
    size_t index = editor->cursor;
    while (index > 0 && not_blank(editor->line[index - 1])) {
        index--;
    }
    return index;
}

/* Tab: adds what all candidates share; when that is nothing, a second Tab lists them. */
static void complete(struct ftl_line_editor *editor, bool second)
{
    struct ftl_line_completions *all = &editor->completions;
    size_t word = completion_start(editor);
    char typed[FTL_LINE_MAX + 1];

    if (editor->config.complete == NULL) {
        return;
    }
    memset(all, 0, offsetof(struct ftl_line_completions, candidates));
    memcpy(typed, editor->line, sizeof(typed));
    all->word = typed + word;
    all->word_size = editor->cursor - word;
    editor->config.complete(editor->config.context, typed, word, editor->cursor, all);
    if (all->count == 0) {
        put_string(editor, BELL);
        return;
    }

    const char *first = all->candidates[0];
    bool unique = all->count == 1 && all->dropped == 0;
    if (unique || all->common > all->word_size) {
        insert(editor, first + all->word_size, all->common - all->word_size);
        if (unique && strchr("=/", first[all->common - 1]) == NULL) { /* there is more to come */
            insert(editor, " ", 1);
        }
    } else if (second) {
        list_candidates(editor);
    } else {
        editor->tab_once = true;
        put_string(editor, BELL);
    }
}

/* ---- Keys ---- */

/* Ends the line: shows what is left to show, and goes to the next row after `mark`. */
static enum ftl_line_event finish(struct ftl_line_editor *editor, enum ftl_line_event event,
                                  const char *mark)
{
    editor->cursor = editor->length;
    synchronize(editor);
    put_string(editor, mark);
    put_string(editor, "\r\n");
    return event;
}

static enum ftl_line_event delete_or_end(struct ftl_line_editor *editor)
{
    if (editor->length == 0) {
        return finish(editor, FTL_LINE_END, "");
    }
    erase(editor, editor->cursor, next_character(editor, editor->cursor));
    return FTL_LINE_PENDING;
}

/* Keys that change the text or move in it or in the history. */
static void edit(struct ftl_line_editor *editor, enum ftl_key key)
{
    size_t cursor = editor->cursor;
    size_t position = editor->history_position;
    switch (key) {
    case FTL_KEY_DELETE: erase(editor, cursor, next_character(editor, cursor)); break;
    case FTL_KEY_BACKSPACE: erase(editor, previous_character(editor, cursor), cursor); break;
    case FTL_KEY_KILL_TO_START: kill_range(editor, 0, cursor); break;
    case FTL_KEY_KILL_TO_END: kill_range(editor, cursor, editor->length); break;
    case FTL_KEY_KILL_BLANK_LEFT: kill_range(editor, run_left(editor, not_blank), cursor); break;
    case FTL_KEY_KILL_WORD_LEFT: kill_range(editor, run_left(editor, in_word), cursor); break;
    case FTL_KEY_KILL_WORD_RIGHT: kill_range(editor, cursor, word_right(editor)); break;
    case FTL_KEY_YANK: insert(editor, editor->killed, strlen(editor->killed)); break;
    case FTL_KEY_TRANSPOSE: transpose(editor); break;
    case FTL_KEY_LEFT: editor->cursor = previous_character(editor, cursor); break;
    case FTL_KEY_RIGHT: editor->cursor = next_character(editor, cursor); break;
    case FTL_KEY_WORD_LEFT: editor->cursor = run_left(editor, in_word); break;
    case FTL_KEY_WORD_RIGHT: editor->cursor = word_right(editor); break;
    case FTL_KEY_HOME: editor->cursor = 0; break;
    case FTL_KEY_END: editor->cursor = editor->length; break;
    case FTL_KEY_OLDER: recall(editor, position > 0 ? position - 1 : position); break;
    case FTL_KEY_NEWER: recall(editor, position + 1); break;
    default: break;
    }
}

static enum ftl_line_event apply(struct ftl_line_editor *editor, enum ftl_key key)
{
    bool second_tab = editor->tab_once;
    if (key == FTL_KEY_NONE) {
        return FTL_LINE_PENDING;
    }
    editor->tab_once = false;
    switch (key) {
    case FTL_KEY_TEXT:
        insert(editor, editor->decoder.text, editor->decoder.text_size);
        return FTL_LINE_PENDING;
    case FTL_KEY_ENTER:
        return finish(editor, editor->overflowed ? FTL_LINE_TOO_LONG : FTL_LINE_ENTERED, "");
    case FTL_KEY_CANCEL: return finish(editor, FTL_LINE_CANCELLED, "^C");
    case FTL_KEY_CLEAR:
        put_string(editor, CLEAR_SCREEN);
        show_prompt(editor);
        return FTL_LINE_PENDING;
    case FTL_KEY_COMPLETE: complete(editor, second_tab); return FTL_LINE_PENDING;
    case FTL_KEY_DELETE_OR_END: editor->overflowed = false; return delete_or_end(editor);
    default:
        editor->overflowed = false; /* whoever edits has seen where the text ends */
        edit(editor, key);
        return FTL_LINE_PENDING;
    }
}

/* ---- Interface ---- */

struct ftl_line_editor *ftl_line_editor_create(const struct ftl_line_editor_config *config)
{
    struct ftl_line_editor *editor = calloc(1, sizeof(*editor));
    if (editor == NULL) {
        return NULL;
    }
    editor->config = *config;
    if (editor->config.columns == 0) {
        editor->config.columns = DEFAULT_COLUMNS;
    }
    editor->changed = NOT_CHANGED;
    return editor;
}

void ftl_line_editor_destroy(struct ftl_line_editor *editor)
{
    if (editor == NULL) {
        return;
    }
    for (size_t i = 0; i < editor->history_count; i++) {
        free(editor->history[i]);
    }
    free(editor);
}

void ftl_line_editor_begin(struct ftl_line_editor *editor, const char *prompt)
{
    snprintf(editor->prompt, sizeof(editor->prompt), "%s", prompt);
    editor->line[0] = '\0';
    editor->length = 0;
    editor->cursor = 0;
    editor->overflowed = false;
    editor->tab_once = false;
    editor->history_position = editor->history_count;
    show_prompt(editor);
    synchronize(editor);
    flush(editor);
}

enum ftl_line_event ftl_line_editor_feed(struct ftl_line_editor *editor, const void *data,
                                         size_t size, size_t *used)
{
    const uint8_t *bytes = data;
    enum ftl_line_event event = FTL_LINE_PENDING;
    size_t index = 0;

    while (index < size && event == FTL_LINE_PENDING) {
        event = apply(editor, ftl_key_decode(&editor->decoder, bytes[index++]));
    }
    if (event == FTL_LINE_PENDING) {
        synchronize(editor);
    }
    flush(editor);
    *used = index;
    return event;
}

void ftl_line_editor_cancel(struct ftl_line_editor *editor)
{
    finish(editor, FTL_LINE_CANCELLED, "^C");
    flush(editor);
}

const char *ftl_line_editor_line(const struct ftl_line_editor *editor)
{
    return editor->line;
}
