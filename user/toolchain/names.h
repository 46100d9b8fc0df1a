/*
 * A set of symbol names with a word of flags each, and growing text buffers: what the host tools
 * need of containers. Running out of memory ends the tool.
 */
#ifndef USER_TOOLCHAIN_NAMES_H
#define USER_TOOLCHAIN_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct name {
    char *text;
    uint32_t flags;
};

struct names {
    struct name *slots; /* open addressing; text == NULL: free */
    size_t capacity;    /* a power of two, or 0 */
    size_t count;
};

/* The entry of the name of length bytes at text, made with no flags if it is new. */
struct name *names_add(struct names *names, const char *text, size_t length);

/* The flags of a name; 0 if it was never added. */
uint32_t names_flags(const struct names *names, const char *text, size_t length);

void names_free(struct names *names);

/* Allocation that never fails: prints a message and exits instead. */
void *xrealloc(void *pointer, size_t size);
char *xstrndup(const char *text, size_t length);

/* The whole file, NUL-terminated; *size (may be NULL) gets its length. NULL with errno set on
 * error. */
char *read_file(const char *path, size_t *size);

#endif
