/*
 * A line editor for a byte console: raw bytes go in, echo and ANSI (ECMA-48) sequences come out
 * through a callback. Pure logic that never blocks: whoever owns the console reads it and feeds the
 * bytes. Not thread-safe; one editor belongs to one thread.
 *
 * Keys: arrows, Home, End, Delete, Backspace; Ctrl-A B E F (move), Ctrl-D H (delete), Ctrl-K U W
 * (kill), Ctrl-Y (yank), Ctrl-T (transpose), Ctrl-P N (history), Ctrl-L (clear); Alt-B F and
 * Ctrl-arrows (by words), Alt-D and Alt-Backspace (kill a word); Tab. Other keys do nothing.
 */
#ifndef FTL_LINE_EDITOR_H
#define FTL_LINE_EDITOR_H

#include <stddef.h>

#define FTL_LINE_MAX         1023 /* bytes of a line, without the terminating NUL */
#define FTL_LINE_HISTORY_MAX 100  /* lines that are remembered */
#define FTL_LINE_PROMPT_MAX  63   /* bytes of a prompt that are shown */

/* What came of feeding bytes to an editor. */
enum ftl_line_event {
    FTL_LINE_PENDING,   /* all bytes were used, the line is still being edited */
    FTL_LINE_ENTERED,   /* Enter: ftl_line_editor_line() is complete */
    FTL_LINE_TOO_LONG,  /* Enter, but text was refused for want of room: do not act on the line */
    FTL_LINE_CANCELLED, /* Ctrl-C */
    FTL_LINE_END,       /* Ctrl-D on an empty line */
};

struct ftl_line_editor;
struct ftl_line_completions;

struct ftl_line_editor_config {
    /* Takes bytes for the console. */
    void (*write)(void *context, const char *data, size_t size);
    /*
     * Tab: offers, with ftl_line_completions_add(), what the word that starts at `line[word]` and
     * ends at `line[cursor]` may become. NULL when there is no completion.
     */
    void (*complete)(void *context, const char *line, size_t word, size_t cursor,
                     struct ftl_line_completions *completions);
    void *context;  /* passed to both */
    size_t columns; /* width of the terminal in cells; 0 means 80 */
};

/*
 * Makes an editor with an empty history. The caller owns it, and gives it back with
 * ftl_line_editor_destroy(). Returns NULL when there is no memory.
 */
struct ftl_line_editor *ftl_line_editor_create(const struct ftl_line_editor_config *config);

/* Frees the editor and its history. NULL is fine. */
void ftl_line_editor_destroy(struct ftl_line_editor *editor);

/*
 * Starts an empty line: shows the prompt, which must be printable text without escape sequences and
 * is copied. To be called before the first feed and after each event but FTL_LINE_PENDING.
 */
void ftl_line_editor_begin(struct ftl_line_editor *editor, const char *prompt);

/*
 * Takes `size` bytes as they came from the console and updates the screen once. Stops after a byte
 * that ends the line; `*used` is the number of bytes taken, the others belong to the next line.
 * Escape sequences, UTF-8 sequences and CR LF may be split over calls in any way.
 */
enum ftl_line_event ftl_line_editor_feed(struct ftl_line_editor *editor, const void *data,
                                         size_t size, size_t *used);

/* Ends the line as Ctrl-C does, for consoles that deliver Ctrl-C in another way than as a byte. */
void ftl_line_editor_cancel(struct ftl_line_editor *editor);

/* The text of the line, NUL-terminated. Valid until the next begin or feed. */
const char *ftl_line_editor_line(const struct ftl_line_editor *editor);

/*
 * Appends a line to the history, unless it is empty or equals the newest one. The oldest is
 * forgotten when there are more than FTL_LINE_HISTORY_MAX; without memory the line is not
 * remembered.
 */
void ftl_line_editor_remember(struct ftl_line_editor *editor, const char *line);

/* Line `index` of the history, 0 being the oldest; NULL past the newest. Valid until a remember. */
const char *ftl_line_editor_history(const struct ftl_line_editor *editor, size_t index);

/*
 * Offers a candidate to a completion. One that does not start with the word that is being completed
 * is left out, so that the callback may offer all it knows. The text is copied.
 */
void ftl_line_completions_add(struct ftl_line_completions *completions, const char *candidate);

#endif
