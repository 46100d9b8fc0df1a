/* Input for the workloads, and a digest of their output. */
#include <string.h>

#include "workloads.h"

#define FNV_PRIME 0x100000001b3u

void make_text(char *text, size_t size)
{
    static const char *const words[] = {
        "window", "the",   "proof", "of",    "a",     "register", "that",     "kernel",
        "in",     "is",    "page",  "bound", "and",   "each",     "verifier", "pointer",
        "to",     "by",    "every", "jump",  "known", "one",      "with",     "guard",
        "it",     "holds", "for",   "cost",  "near",  "call",     "last",     "not",
    };
    uint32_t random = 1;
    size_t at = 0;

    while (at < size) {
        random = random * 1664525u + 1013904223u;
        const char *word = words[(random >> 24) % (sizeof(words) / sizeof(words[0]))];
        size_t length = strlen(word);
        length = length < size - at ? length : size - at;
        memcpy(text + at, word, length);
        at += length;
        if (at < size) {
            text[at++] = (random >> 16 & 15) == 0 ? '\n' : ' ';
        }
    }
}

uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;

    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ at[i]) * FNV_PRIME;
    }
    return hash;
}
