/*
 * Containers of the host tools: see names.h. Relies on the hosted C library.
 */
#include "user/toolchain/names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 256
#define FIRST_READ     65536

void *xrealloc(void *pointer, size_t size)
{
    void *result = realloc(pointer, size);

    if (result == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(EXIT_FAILURE);
    }
    return result;
}

char *xstrndup(const char *text, size_t length)
{
    char *copy = xrealloc(NULL, length + 1);

    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

/* FNV-1a. */
static uint64_t hash(const char *text, size_t length)
{
    uint64_t value = 0xcbf29ce484222325u;

    for (size_t i = 0; i < length; i++) {
        value = (value ^ (unsigned char)text[i]) * 0x100000001b3u;
    }
    return value;
}

/* The slot of the name, or the free slot where it belongs. The table is not full. */
static struct name *find(const struct names *names, const char *text, size_t length)
{
    size_t at = (size_t)hash(text, length) & (names->capacity - 1);

    while (names->slots[at].text != NULL && (strlen(names->slots[at].text) != length ||
                                             memcmp(names->slots[at].text, text, length) != 0)) {
        at = (at + 1) & (names->capacity - 1);
    }
    return &names->slots[at];
}

static void grow(struct names *names)
{
    struct names bigger = { NULL, names->capacity == 0 ? FIRST_CAPACITY : names->capacity * 2,
                            names->count };

    bigger.slots = xrealloc(NULL, bigger.capacity * sizeof(*bigger.slots));
    memset(bigger.slots, 0, bigger.capacity * sizeof(*bigger.slots));
    for (size_t i = 0; i < names->capacity; i++) {
        if (names->slots[i].text != NULL) {
            *find(&bigger, names->slots[i].text, strlen(names->slots[i].text)) = names->slots[i];
        }
    }
    free(names->slots);
    *names = bigger;
}

struct name *names_add(struct names *names, const char *text, size_t length)
{
    struct name *name;

    if (names->count * 2 >= names->capacity) {
        grow(names);
    }
    name = find(names, text, length);
    if (name->text == NULL) {
        name->text = xstrndup(text, length);
        name->flags = 0;
        names->count++;
    }
    return name;
}

uint32_t names_flags(const struct names *names, const char *text, size_t length)
{
    return names->capacity == 0 ? 0 : find(names, text, length)->flags;
}

void names_free(struct names *names)
{
    for (size_t i = 0; i < names->capacity; i++) {
        free(names->slots[i].text);
    }
    free(names->slots);
    *names = (struct names){ NULL, 0, 0 };
}

char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    size_t capacity = FIRST_READ;
    size_t used = 0;
    char *data;

    if (file == NULL) {
        return NULL;
    }
    data = xrealloc(NULL, capacity + 1);
    for (;;) {
        size_t got = fread(data + used, 1, capacity - used, file);

        used += got;
        if (used < capacity) {
            break;
        }
        capacity *= 2;
        data = xrealloc(data, capacity + 1);
    }
    if (ferror(file)) {
        free(data);
        fclose(file);
        errno = EIO;
        return NULL;
    }
    fclose(file);
    data[used] = '\0';
    if (size != NULL) {
        *size = used;
    }
    return data;
}
