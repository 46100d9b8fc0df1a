/*
 * Tar archive, manifest and command-line readers; see bootimage.h. The tar format is POSIX.1-1988's
 * ustar and the GNU variant's long names ("Basic Tar Format", GNU tar manual); pax headers
 * (POSIX.1-2001) are refused.
 */
#include "kernel/bootimage.h"

#include <ftl/sandbox_abi.h>
#include <string.h>

#define TAR_BLOCK 512u

/* A header block; all fields are text, numbers in octal. */
struct tar_header {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6]; /* "ustar\0", GNU: "ustar " */
    char version[2];
    char user[32];
    char group[32];
    char device_major[8];
    char device_minor[8];
    char prefix[155]; /* with "ustar\0" alone: what comes before name and a '/' */
    char padding[12];
};
_Static_assert(sizeof(struct tar_header) == TAR_BLOCK, "a tar header is one block");

enum tar_type {
    TAR_FILE = '0',
    TAR_FILE_OLD = '\0',
    TAR_FILE_CONTIGUOUS = '7',
    TAR_GNU_LONG_NAME = 'L', /* its contents are the name of the file that follows */
    TAR_GNU_LONG_LINK = 'K',
    TAR_PAX = 'x',
    TAR_PAX_GLOBAL = 'g',
};

/* --- Tar --- */

/* Reads an octal field, padded with blanks in front and a blank or NUL behind. */
static bool parse_octal(const char *field, size_t size, uint64_t *number)
{
    size_t i = 0;
    while (i < size && field[i] == ' ') {
        i++;
    }
    size_t start = i;
    *number = 0;
    for (; i < size && field[i] >= '0' && field[i] <= '7'; i++) {
        *number = *number << 3 | (uint64_t)(field[i] - '0');
    }
    return i > start && (i == size || field[i] == ' ' || field[i] == '\0');
}

static bool is_zero_block(const char *block)
{
    return block[0] == '\0' && memcmp(block, block + 1, TAR_BLOCK - 1) == 0;
}

/* The sum of the header's bytes, its own field taken as blanks. */
static bool checksum_matches(const struct tar_header *header)
{
    const unsigned char *bytes = (const unsigned char *)header;
    uint64_t stated;
    uint64_t sum = sizeof(header->checksum) * ' ';
    for (size_t i = 0; i < sizeof(*header); i++) {
        sum += bytes[i];
    }
    for (size_t i = 0; i < sizeof(header->checksum); i++) {
        sum -= (unsigned char)header->checksum[i];
    }
    return parse_octal(header->checksum, sizeof(header->checksum), &stated) && stated == sum;
}

/* Appends at most `size` bytes of `text`, up to its NUL. Returns false when they do not fit with a
 * NUL. */
static bool append(char *name, size_t *used, const char *text, size_t size)
{
    const char *end = memchr(text, '\0', size);
    size_t count = end != NULL ? (size_t)(end - text) : size;
    if (count >= BOOTIMAGE_NAME_MAX - *used) {
        return false;
    }
    memcpy(name + *used, text, count);
    *used += count;
    name[*used] = '\0';
    return true;
}

/* Takes "./" and "/" off the front, however often. */
static void normalize_name(char *name)
{
    const char *start = name;
    for (;;) {
        if (start[0] == '/') {
            start++;
        } else if (start[0] == '.' && start[1] == '/') {
            start += 2;
        } else {
            break;
        }
    }
    memmove(name, start, strlen(start) + 1);
}

/* Reads the name from the header's own fields. */
static bool read_name(const struct tar_header *header, char *name)
{
    size_t used = 0;
    name[0] = '\0';
    if (memcmp(header->magic, "ustar", sizeof(header->magic)) == 0 && header->prefix[0] != '\0') {
        if (!append(name, &used, header->prefix, sizeof(header->prefix)) ||
            !append(name, &used, "/", 1)) {
            return false;
        }
    }
    return append(name, &used, header->name, sizeof(header->name));
}

/* One entry of the archive, of any type. */
struct entry {
    char type;
    size_t contents; /* offset */
    size_t size;
    size_t next; /* offset of the next header */
};

/* Checks the header at `offset`, which must be inside the archive. Returns what is wrong with it,
 * or NULL. */
static const char *read_entry(const struct bootimage *image, size_t offset, struct entry *entry)
{
    const struct tar_header *header =
        (const struct tar_header *)((const char *)image->data + offset);
    uint64_t size;
    if (!checksum_matches(header)) {
        return "a tar header's checksum is wrong";
    }
    if (memcmp(header->magic, "ustar", 5) != 0) {
        return "a tar header is neither ustar's nor GNU's";
    }
    if (!parse_octal(header->size, sizeof(header->size), &size)) {
        return "a tar header's size is no octal number";
    }
    size_t room = image->size - offset - TAR_BLOCK;
    if (size > room) {
        return "a file is cut off by the archive's end";
    }
    entry->type = header->type;
    entry->contents = offset + TAR_BLOCK;
    entry->size = (size_t)size;
    size_t padded = (entry->size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
    entry->next = padded > room ? image->size : entry->contents + padded;
    return NULL;
}

static bool is_file(char type)
{
    return type == TAR_FILE || type == TAR_FILE_OLD || type == TAR_FILE_CONTIGUOUS;
}

/*
 * Reads entries from *offset on, up to a regular file, and moves *offset past it. Returns what is
 * wrong with the entry at *offset, or NULL; *found says whether there was a file.
 */
static const char *next_file(const struct bootimage *image, size_t *offset,
                             struct bootimage_file *file, bool *found)
{
    const char *data = image->data;
    bool long_name = false;
    *found = false;
    while (image->size - *offset >= TAR_BLOCK && !is_zero_block(data + *offset)) {
        struct entry entry;
        const char *error = read_entry(image, *offset, &entry);
        if (error != NULL) {
            return error;
        }
        if (entry.type == TAR_PAX || entry.type == TAR_PAX_GLOBAL) {
            return "pax headers are not supported: make the archive with --format=gnu or ustar";
        }
        if (entry.type == TAR_GNU_LONG_NAME) {
            size_t used = 0;
            if (!append(file->name, &used, data + entry.contents, entry.size)) {
                return "a file's name is too long";
            }
            long_name = true;
        } else if (is_file(entry.type)) {
            if (!long_name && !read_name((const struct tar_header *)(data + *offset), file->name)) {
                return "a file's name is too long";
            }
            normalize_name(file->name);
            file->offset = entry.contents;
            file->size = entry.size;
            *offset = entry.next;
            *found = true;
            return NULL;
        } else if (entry.type != TAR_GNU_LONG_LINK) {
            long_name = false; /* it was that of a directory, link or device */
        }
        *offset = entry.next;
    }
    return NULL;
}

ftl_status_t bootimage_next(const struct bootimage *image, struct bootimage_cursor *cursor,
                            struct bootimage_file *file)
{
    bool found;
    if (cursor->offset > image->size) {
        return FTL_ERR_NOT_FOUND;
    }
    cursor->error = next_file(image, &cursor->offset, file, &found);
    if (cursor->error != NULL) {
        return FTL_ERR_BAD_FORMAT;
    }
    return found ? FTL_OK : FTL_ERR_NOT_FOUND;
}

ftl_status_t bootimage_find(const struct bootimage *image, const char *name,
                            struct bootimage_file *file)
{
    struct bootimage_cursor cursor = { 0 };
    ftl_status_t status;
    do {
        status = bootimage_next(image, &cursor, file);
    } while (status == FTL_OK && strcmp(file->name, name) != 0);
    return status;
}

const char *bootimage_program_suffix(ftl_isolation_t isolation, uint32_t isa, size_t choice)
{
    static const struct {
        ftl_isolation_t isolation;
        uint32_t isa; /* what the code needs */
        const char *suffix;
    } programs[] = {
        { FTL_ISOLATION_USER, 0, ".user" },
        { FTL_ISOLATION_SANDBOX, FTL_ISA_ZBA | FTL_ISA_ZBB, ".sandbox" },
        { FTL_ISOLATION_SANDBOX, 0, ".sandbox-no-zba" },
        /* It may need less than the build's own; when it does not, loading it says what lacks. */
        { FTL_ISOLATION_SANDBOX, 0, ".sandbox" },
    };
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
        if (programs[i].isolation == isolation && (programs[i].isa & ~isa) == 0 && choice-- == 0) {
            return programs[i].suffix;
        }
    }
    return NULL;
}

/* --- Text --- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct text trim(struct text text)
{
    while (text.size > 0 && is_blank(text.data[0])) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && is_blank(text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

/* Takes what comes before the first `separator` off the front, and the separator too. */
static struct text take_until(struct text *rest, char separator)
{
    struct text head = *rest;
    const char *at = head.size > 0 ? memchr(head.data, separator, head.size) : NULL;
    if (at == NULL) {
        rest->data += rest->size;
        rest->size = 0;
        return head;
    }
    head.size = (size_t)(at - head.data);
    rest->data = at + 1;
    rest->size -= head.size + 1;
    return head;
}

bool text_equals(struct text text, const char *string)
{
    return strlen(string) == text.size &&
           (text.size == 0 || memcmp(text.data, string, text.size) == 0);
}

bool text_has_word(struct text text, const char *word)
{
    size_t start = 0;
    for (size_t i = 0; i <= text.size; i++) {
        if (i < text.size && !is_blank(text.data[i])) {
            continue;
        }
        if (i > start && text_equals((struct text){ text.data + start, i - start }, word)) {
            return true;
        }
        start = i + 1;
    }
    return false;
}

/* Returns the power of two that a size's suffix stands for, 0 when it is none. */
static unsigned suffix_shift(char suffix)
{
    switch (suffix) {
    case 'k':
    case 'K': return 10;
    case 'm':
    case 'M': return 20;
    case 'g':
    case 'G': return 30;
    default: return 0;
    }
}

bool text_parse_size(struct text text, uint64_t *bytes)
{
    uint64_t number = 0;
    unsigned shift = 0;
    if (text.size > 0 && suffix_shift(text.data[text.size - 1]) > 0) {
        shift = suffix_shift(text.data[--text.size]);
    }
    if (text.size == 0) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        if (__builtin_mul_overflow(number, 10u, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text.data[i] - '0'), &number)) {
            return false;
        }
    }
    if (number > UINT64_MAX >> shift) {
        return false;
    }
    *bytes = number << shift;
    return true;
}

bool text_copy(struct text text, char *buffer, size_t size)
{
    if (size == 0) {
        return false;
    }
    buffer[0] = '\0';
    if (text.size >= size || (text.size > 0 && memchr(text.data, '\0', text.size) != NULL)) {
        return false;
    }
    if (text.size > 0) {
        memcpy(buffer, text.data, text.size);
    }
    buffer[text.size] = '\0';
    return true;
}

/* --- Manifests --- */

ftl_status_t manifest_next(struct text *rest, struct text *key, struct text *value)
{
    while (rest->size > 0) {
        struct text line = trim(take_until(rest, '\n'));
        if (line.size == 0 || line.data[0] == '#') {
            continue;
        }
        *value = line;
        if (memchr(line.data, '=', line.size) == NULL) {
            return FTL_ERR_BAD_FORMAT;
        }
        *key = trim(take_until(&line, '='));
        if (key->size == 0) {
            return FTL_ERR_BAD_FORMAT;
        }
        *value = trim(line);
        return FTL_OK;
    }
    return FTL_ERR_NOT_FOUND;
}

bool manifest_get(struct text manifest, const char *key, struct text *value)
{
    struct text found;
    ftl_status_t status;
    while ((status = manifest_next(&manifest, &found, value)) != FTL_ERR_NOT_FOUND) {
        if (status == FTL_OK && text_equals(found, key)) {
            return true;
        }
    }
    return false;
}

/* --- Command line --- */

ftl_status_t bootargs_next(const char **line, char *word, size_t size)
{
    const char *at = *line;
    size_t used = 0;
    bool fits = size > 0;
    char quote = '\0';
    while (is_blank(*at) || *at == '\n') {
        at++;
    }
    if (*at == '\0') {
        *line = at;
        return FTL_ERR_NOT_FOUND;
    }
    for (; *at != '\0' && (quote != '\0' || !(is_blank(*at) || *at == '\n')); at++) {
        if (quote == '\0' ? (*at == '"' || *at == '\'') : *at == quote) {
            quote = quote == '\0' ? *at : '\0';
        } else if (used + 1 < size) {
            word[used++] = *at;
        } else {
            fits = false;
        }
    }
    if (size > 0) {
        word[used] = '\0';
    }
    *line = at;
    if (quote != '\0') {
        return FTL_ERR_BAD_FORMAT;
    }
    return fits ? FTL_OK : FTL_ERR_OUT_OF_RANGE;
}

/* Compares a word with a key and returns where its value starts, NULL when the key is another. */
static const char *match_key(const char *word, const char *key)
{
    size_t size = strlen(key);
    if (strncmp(word, key, size) != 0) {
        return NULL;
    }
    if (word[size] == '=') {
        return word + size + 1;
    }
    return word[size] == '\0' ? word + size : NULL;
}

bool bootargs_get(const char *line, const char *key, char *value, size_t size)
{
    char word[BOOTIMAGE_NAME_MAX];
    bool found = false;
    ftl_status_t status;
    while ((status = bootargs_next(&line, word, sizeof(word))) != FTL_ERR_NOT_FOUND) {
        const char *text = status == FTL_OK ? match_key(word, key) : NULL;
        if (text != NULL && strlen(text) < size) {
            memcpy(value, text, strlen(text) + 1);
            found = true;
        }
    }
    return found;
}
