/*
 * Terminal bytes to keys: control characters, UTF-8, and the escape sequences that VT100, xterm and
 * the Linux console send (ECMA-48 section 5.4: CSI, parameter bytes 0x30-0x3f, intermediate bytes
 * 0x20-0x2f, a final byte 0x40-0x7e). A control character inside a sequence ends it and counts for
 * itself, so that a broken sequence can never swallow an Enter.
 */
#include "line_editor_keys.h"

#define ESC           0x1b
#define DEL           0x7f
#define PARAMETER_MAX 9999u

/* Modifier parameters of xterm: 1 + (1 Shift, 2 Alt, 4 Control). */
#define MODIFIER_ALT     3u
#define MODIFIER_CONTROL 5u

/* The key of Ctrl-A is at 1, that of Ctrl-Z at 26. */
static const uint8_t control_keys[0x20] = {
    ['A' & 0x1f] = FTL_KEY_HOME,
    ['B' & 0x1f] = FTL_KEY_LEFT,
    ['C' & 0x1f] = FTL_KEY_CANCEL,
    ['D' & 0x1f] = FTL_KEY_DELETE_OR_END,
    ['E' & 0x1f] = FTL_KEY_END,
    ['F' & 0x1f] = FTL_KEY_RIGHT,
    ['H' & 0x1f] = FTL_KEY_BACKSPACE,
    ['\t'] = FTL_KEY_COMPLETE,
    ['\n'] = FTL_KEY_ENTER,
    ['K' & 0x1f] = FTL_KEY_KILL_TO_END,
    ['L' & 0x1f] = FTL_KEY_CLEAR,
    ['\r'] = FTL_KEY_ENTER,
    ['N' & 0x1f] = FTL_KEY_NEWER,
    ['P' & 0x1f] = FTL_KEY_OLDER,
    ['T' & 0x1f] = FTL_KEY_TRANSPOSE,
    ['U' & 0x1f] = FTL_KEY_KILL_TO_START,
    ['W' & 0x1f] = FTL_KEY_KILL_BLANK_LEFT,
    ['Y' & 0x1f] = FTL_KEY_YANK,
};

/* Bytes of the UTF-8 sequence that a byte starts; 0 when it starts none (RFC 3629 section 4). */
static size_t utf8_size(uint8_t lead)
{
    if (lead >= 0xc2 && lead <= 0xdf) {
        return 2;
    }
    if (lead >= 0xe0 && lead <= 0xef) {
        return 3;
    }
    return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

/*
 * Whole characters only, so that the screen never shows half of one. Malformed bytes are dropped.
 */
static enum ftl_key decode_text(struct ftl_key_decoder *decoder, uint8_t byte)
{
    bool continuation = (byte & 0xc0) == 0x80;
    if (!continuation) {
        decoder->text_size = 0;
        decoder->text_need = byte < 0x80 ? 1 : utf8_size(byte);
    }
    if (decoder->text_need == 0) {
        return FTL_KEY_NONE;
    }
    decoder->text[decoder->text_size++] = (char)byte;
    if (decoder->text_size < decoder->text_need) {
        return FTL_KEY_NONE;
    }
    decoder->text_need = 0;
    return FTL_KEY_TEXT;
}

static enum ftl_key decode_escape(struct ftl_key_decoder *decoder, uint8_t byte)
{
    decoder->state = FTL_KEY_STATE_GROUND;
    switch (byte) {
    case '[':
        decoder->state = FTL_KEY_STATE_CSI;
        decoder->parameter = 0;
        for (size_t i = 0; i < FTL_KEY_PARAMETERS; i++) {
            decoder->parameters[i] = 0;
        }
        return FTL_KEY_NONE;
    case 'O': decoder->state = FTL_KEY_STATE_SS3; return FTL_KEY_NONE;
    case 'b': return FTL_KEY_WORD_LEFT;
    case 'f': return FTL_KEY_WORD_RIGHT;
    case 'd': return FTL_KEY_KILL_WORD_RIGHT;
    case DEL: return FTL_KEY_KILL_WORD_LEFT;
    default: return FTL_KEY_NONE;
    }
}

/* The key of a sequence that ends in a letter, with CSI or SS3 before it. */
static enum ftl_key letter_key(uint8_t final, unsigned modifier)
{
    bool by_words = modifier == MODIFIER_ALT || modifier == MODIFIER_CONTROL;
    switch (final) {
    case 'A': return FTL_KEY_OLDER;
    case 'B': return FTL_KEY_NEWER;
    case 'C': return by_words ? FTL_KEY_WORD_RIGHT : FTL_KEY_RIGHT;
    case 'D': return by_words ? FTL_KEY_WORD_LEFT : FTL_KEY_LEFT;
    case 'F': return FTL_KEY_END;
    case 'H': return FTL_KEY_HOME;
    default: return FTL_KEY_NONE;
    }
}

/* The key of `CSI number ~`. */
static enum ftl_key number_key(unsigned number)
{
    switch (number) {
    case 1:
    case 7: return FTL_KEY_HOME;
    case 3: return FTL_KEY_DELETE;
    case 4:
    case 8: return FTL_KEY_END;
    default: return FTL_KEY_NONE;
    }
}

static enum ftl_key decode_csi(struct ftl_key_decoder *decoder, uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        if (decoder->parameter < FTL_KEY_PARAMETERS) {
            unsigned *parameter = &decoder->parameters[decoder->parameter];
            unsigned value = *parameter * 10 + (unsigned)(byte - '0');
            *parameter = value < PARAMETER_MAX ? value : PARAMETER_MAX;
        }
        return FTL_KEY_NONE;
    }
    if (byte == ';') {
        decoder->parameter += decoder->parameter < FTL_KEY_PARAMETERS;
        return FTL_KEY_NONE;
    }
    if (byte < 0x40) {
        return FTL_KEY_NONE; /* a private parameter or an intermediate byte */
    }
    if (byte == '[') {
        decoder->state = FTL_KEY_STATE_FUNCTION;
        return FTL_KEY_NONE;
    }
    decoder->state = FTL_KEY_STATE_GROUND;
    return byte == '~' ? number_key(decoder->parameters[0])
                       : letter_key(byte, decoder->parameters[1]);
}

/* Control characters and DEL work in every state. */
static enum ftl_key decode_control(struct ftl_key_decoder *decoder, uint8_t byte)
{
    bool second_half = decoder->after_return && byte == '\n';
    decoder->after_return = byte == '\r';
    decoder->text_need = 0;
    decoder->state = byte == ESC ? FTL_KEY_STATE_ESCAPE : FTL_KEY_STATE_GROUND;
    if (second_half) {
        return FTL_KEY_NONE;
    }
    return byte == DEL ? FTL_KEY_BACKSPACE : (enum ftl_key)control_keys[byte];
}

enum ftl_key ftl_key_decode(struct ftl_key_decoder *decoder, uint8_t byte)
{
    bool alt_backspace = byte == DEL && decoder->state == FTL_KEY_STATE_ESCAPE;
    if ((byte < 0x20 || byte == DEL) && !alt_backspace) {
        return decode_control(decoder, byte);
    }
    decoder->after_return = false;
    switch (decoder->state) {
    case FTL_KEY_STATE_ESCAPE: return decode_escape(decoder, byte);
    case FTL_KEY_STATE_CSI: return decode_csi(decoder, byte);
    case FTL_KEY_STATE_SS3: decoder->state = FTL_KEY_STATE_GROUND; return letter_key(byte, 0);
    case FTL_KEY_STATE_FUNCTION: decoder->state = FTL_KEY_STATE_GROUND; return FTL_KEY_NONE;
    case FTL_KEY_STATE_GROUND: break;
    }
    return decode_text(decoder, byte);
}
