/*
 * Reads the boot image, a tar archive in memory (POSIX.1-1988 ustar, or GNU tar's variant of it),
 * and the two little text formats that come with it: app manifests and the boot command line.
 * Shared by the kernel and by libftl; relies on <ftl/...> and a few functions of <string.h> alone.
 * Nothing here allocates.
 */
#ifndef KERNEL_BOOTIMAGE_H
#define KERNEL_BOOTIMAGE_H

#include <ftl/status.h>
#include <ftl/types.h>

#define BOOTIMAGE_NAME_MAX 256 /* bytes of a file's name, the terminating NUL included */

/* An archive; the caller keeps the bytes, which must not change. It may be longer than the archive
 * in it. */
struct bootimage {
    const void *data;
    size_t size;
};

/* A regular file of an archive. */
struct bootimage_file {
    char name[BOOTIMAGE_NAME_MAX]; /* without leading "./" or "/" */
    size_t offset;                 /* of its contents from the archive's start, a multiple of 512 */
    size_t size;
};

/* Where an iteration stands; zero it to start. */
struct bootimage_cursor {
    size_t offset;
    const char *error; /* static text saying what is wrong, after FTL_ERR_BAD_FORMAT; the header is
                          at offset */
};

/*
 * Gives the next regular file; directories, links and devices are passed over. Returns FTL_OK;
 * FTL_ERR_NOT_FOUND at the end; FTL_ERR_BAD_FORMAT (with cursor->error) when the archive is
 * malformed, again on every later call.
 */
ftl_status_t bootimage_next(const struct bootimage *image, struct bootimage_cursor *cursor,
                            struct bootimage_file *file);

/*
 * Looks up the first file of that exact name. Returns FTL_OK, FTL_ERR_NOT_FOUND, or
 * FTL_ERR_BAD_FORMAT when the archive is malformed before the file is found.
 */
ftl_status_t bootimage_find(const struct bootimage *image, const char *name,
                            struct bootimage_file *file);

/*
 * How the names of an app's programs for an isolation end, best first, for harts that all have the
 * extensions `isa` (FTL_ISA_ bits): the suffix number `choice` from 0 on. NULL: there are no more.
 */
const char *bootimage_program_suffix(ftl_isolation_t isolation, uint32_t isa, size_t choice);

/* A piece of somebody else's text, not ended by NUL. */
struct text {
    const char *data;
    size_t size;
};

bool text_equals(struct text text, const char *string);

/* Whether one of the blank-separated words of `text` is `word`. */
bool text_has_word(struct text text, const char *word);

/* Parses a decimal size with an optional suffix K, M or G (powers of 1024; either case). False: not
 * one, or over 64 bits. */
bool text_parse_size(struct text text, uint64_t *bytes);

/*
 * Copies with a NUL. Returns false, with an empty buffer, when it does not fit or contains a NUL.
 */
bool text_copy(struct text text, char *buffer, size_t size);

/*
 * Manifests: lines of `key = value`, blank lines, and comments from `#` at a line's start on. Keys
 * and values are without the blanks around them; a value may be empty.
 *
 * manifest_next takes the next pair off the front of *rest. Returns FTL_OK; FTL_ERR_NOT_FOUND at
 * the end; FTL_ERR_BAD_FORMAT, with the line in *value, for a line that is neither: going on skips
 * it.
 */
ftl_status_t manifest_next(struct text *rest, struct text *key, struct text *value);

/* Finds the first value of a key, passing over malformed lines. Returns whether there is one. */
bool manifest_get(struct text manifest, const char *key, struct text *value);

/*
 * The boot command line: words apart by blanks; '...' and "..." keep blanks, also in the middle of
 * a word.
 *
 * bootargs_next copies the next word, quotes removed, and moves *line (a NUL-terminated string)
 * past it. Returns FTL_OK; FTL_ERR_NOT_FOUND at the end; FTL_ERR_OUT_OF_RANGE when the word does
 * not fit (it is skipped, word[] is what fitted); FTL_ERR_BAD_FORMAT when a quote is never closed
 * (the rest is skipped).
 */
ftl_status_t bootargs_next(const char **line, char *word, size_t size);

/*
 * Copies the value of the last word `key=value` of a command line; of a word `key` alone the value
 * is empty. Returns whether there is one; words that bootargs_next reports as errors do not count.
 */
bool bootargs_get(const char *line, const char *key, char *value, size_t size);

#endif
