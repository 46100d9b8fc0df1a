/* Decoding of a terminal's byte stream into keys. Internal to the line editor. */
#ifndef FTL_LINE_EDITOR_KEYS_H
#define FTL_LINE_EDITOR_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ftl_key {
    FTL_KEY_NONE, /* nothing yet, or nothing we know */
    FTL_KEY_TEXT, /* one whole character, in ftl_key_decoder.text */
    FTL_KEY_ENTER,
    FTL_KEY_CANCEL,
    FTL_KEY_DELETE_OR_END,
    FTL_KEY_DELETE,
    FTL_KEY_BACKSPACE,
    FTL_KEY_LEFT,
    FTL_KEY_RIGHT,
    FTL_KEY_WORD_LEFT,
    FTL_KEY_WORD_RIGHT,
    FTL_KEY_HOME,
    FTL_KEY_END,
    FTL_KEY_OLDER,
    FTL_KEY_NEWER,
    FTL_KEY_KILL_TO_START,
    FTL_KEY_KILL_TO_END,
    FTL_KEY_KILL_BLANK_LEFT, /* back to a blank */
    FTL_KEY_KILL_WORD_LEFT,
    FTL_KEY_KILL_WORD_RIGHT,
    FTL_KEY_YANK,
    FTL_KEY_TRANSPOSE,
    FTL_KEY_CLEAR,
    FTL_KEY_COMPLETE,
    FTL_KEY_COUNT
};

enum ftl_key_state {
    FTL_KEY_STATE_GROUND,
    FTL_KEY_STATE_ESCAPE,   /* after ESC */
    FTL_KEY_STATE_CSI,      /* after ESC [ */
    FTL_KEY_STATE_SS3,      /* after ESC O */
    FTL_KEY_STATE_FUNCTION, /* after ESC [ [, with which the Linux console starts F1 to F5 */
};

#define FTL_KEY_PARAMETERS 2 /* leading numbers of a CSI sequence that are kept */

struct ftl_key_decoder {
    enum ftl_key_state state;
    unsigned parameters[FTL_KEY_PARAMETERS];
    size_t parameter;  /* index of the one being read; may be past those that are kept */
    char text[4];      /* a UTF-8 sequence */
    size_t text_size;  /* bytes of it that are there */
    size_t text_need;  /* bytes it will have; 0 outside a sequence */
    bool after_return; /* the last byte was CR: a LF that follows is part of it */
};

/* Takes the next byte. Starts from an all-zero decoder; every byte is fine in every state. */
enum ftl_key ftl_key_decode(struct ftl_key_decoder *decoder, uint8_t byte);

#endif
