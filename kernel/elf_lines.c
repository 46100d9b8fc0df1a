/*
 * The table of source lines; see elf_lines.h. It is read once from its start, in small pieces: that
 * happens only when a process is stopped.
 */
#include "kernel/elf_lines.h"

#define NUMBER_BITS 7u
#define NUMBER_MORE 0x80u
#define NUMBER_MAX  10u /* bytes of a 64-bit number */
#define LINES_MAX   MIB /* bytes of entries that are looked at */

/* A stretch of the file that is read byte by byte. */
struct stream {
    const struct elf_reader *reader;
    uint64_t at;
    uint64_t left; /* bytes behind `at` */
    unsigned char buffer[64];
    size_t used; /* bytes of the buffer that were taken */
    size_t filled;
};

static bool next_byte(struct stream *stream, unsigned char *byte)
{
    if (stream->used == stream->filled) {
        size_t some =
            stream->left < sizeof(stream->buffer) ? (size_t)stream->left : sizeof(stream->buffer);
        if (some == 0 ||
            !stream->reader->read(stream->reader->context, stream->at, stream->buffer, some)) {
            return false;
        }
        stream->at += some;
        stream->left -= some;
        stream->used = 0;
        stream->filled = some;
    }
    *byte = stream->buffer[stream->used++];
    return true;
}

static bool next_number(struct stream *stream, uint64_t *number)
{
    *number = 0;
    for (unsigned i = 0; i < NUMBER_MAX; i++) {
        unsigned char byte;
        if (!next_byte(stream, &byte)) {
            return false;
        }
        *number |= (uint64_t)(byte & ~NUMBER_MORE) << i * NUMBER_BITS;
        if ((byte & NUMBER_MORE) == 0) {
            return true;
        }
    }
    return false;
}

/*
 * Where the source of some address is. Arithmetic is modulo 2^64: a malformed table may ask for it.
 */
struct place {
    uint64_t address;
    uint64_t line;
    uint64_t file;
};

static bool next_entry(struct stream *stream, struct place *place)
{
    uint64_t growth;
    uint64_t number;
    if (!next_number(stream, &growth) || !next_number(stream, &number)) {
        return false;
    }
    uint64_t folded = number >> 1;
    place->address += growth;
    place->line += (folded & 1) == 0 ? folded >> 1 : 0 - (folded >> 1) - 1;
    return (number & 1) == 0 || next_number(stream, &place->file);
}

/* The last entry at or before vaddr that is not the table's last. */
static bool find_place(struct stream *stream, uint64_t vaddr, struct place *found)
{
    struct place place = { 0 };
    while (next_entry(stream, &place)) {
        if (place.address > vaddr) {
            return found->line != 0 && found->line <= UINT32_MAX;
        }
        *found = place;
    }
    return false;
}

/* Copies the name of that number. */
static bool copy_file_name(struct stream *stream, uint64_t number, char *name, size_t name_size)
{
    unsigned char byte;
    while (number > 0) {
        if (!next_byte(stream, &byte)) {
            return false;
        }
        number -= byte == '\0';
    }
    size_t length = 0;
    while (next_byte(stream, &byte) && byte != '\0' && length < name_size - 1) {
        name[length++] = byte >= ' ' && byte <= '~' ? (char)byte : '?';
    }
    name[length] = '\0';
    return length > 0;
}

bool elf_line(const struct elf_reader *reader, const struct elf_image *image, uint64_t vaddr,
              char *name, size_t name_size, uint32_t *line)
{
    uint32_t sizes[2]; /* of entries and names */
    if (image->lines_size < sizeof(sizes) || name_size == 0 ||
        !reader->read(reader->context, image->lines_offset, sizes, sizeof(sizes))) {
        return false;
    }
    uint64_t room = image->lines_size - sizeof(sizes);
    if (sizes[0] > room || sizes[1] > room - sizes[0] || sizes[0] > LINES_MAX ||
        sizes[1] > LINES_MAX) {
        return false;
    }
    uint64_t entries = image->lines_offset + sizeof(sizes);
    struct stream stream = { .reader = reader, .at = entries, .left = sizes[0] };
    struct place place = { 0 };
    if (!find_place(&stream, vaddr, &place)) {
        return false;
    }
    stream = (struct stream){ .reader = reader, .at = entries + sizes[0], .left = sizes[1] };
    *line = (uint32_t)place.line;
    return copy_file_name(&stream, place.file, name, name_size);
}
